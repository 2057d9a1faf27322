"""The only definition of every setting: what it means, its unit, its bounds, its default.

``config/config.yaml`` and its overlays are merged by Snakemake, then resolved here: each named run
is laid over the defaults of its kind. All problems are reported at once, each with its path.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from pfamformer.errors import InputError
from pfamformer.methods import BASELINES, EMBEDDED
from pfamformer.sources import sites

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)]
Accession = Annotated[str, StringConstraints(pattern=r"^PF\d{5}$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]
Checksum = Annotated[
    str, StringConstraints(pattern=r"^(md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$")
]
StructureName = Annotated[str, StringConstraints(pattern=r"^[0-9][A-Z0-9]{3}$")]
RelativePath = Annotated[
    str, StringConstraints(pattern=r"^[\w{}][\w.{}-]*(/[\w{}][\w.{}-]*)*$", max_length=200)
]
Precision = Literal["auto", "float32", "bfloat16"]
RunOfProject = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*/[a-z0-9][a-z0-9_]*$", max_length=121)
]
SplitMethod = Literal["clustered", "random"]
Corpus = Literal["pfam_domains", "pfam_proteins", "uniparc", "pfam_domains_leaky"]
#: The training part of the random split: it holds most domains that the clustered split tests on.
LEAKY_CORPUS = "pfam_domains_leaky"


def setting(description: str, unit: str = "none", default: Any = ..., **bounds: Any) -> Any:
    """A field with what a user must know about it."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **bounds)


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class EmbeddedSettings(Settings):
    """The human proteome and Pfam profiles out of Python wheels: no download site is needed."""

    families: list[Accession] = setting(
        "Pfam accessions whose profiles are searched", "accessions", min_length=2, max_length=2766
    )
    max_domains: int = setting(
        "Domains drawn of a family at most", "domains per family", 100, ge=2, le=100_000
    )


class FilesSettings(Settings):
    """Files of the databases that lie on this machine already."""

    folder: str = setting(
        "Folder with Pfam-A.seed.gz, pfamseq.gz and uniparc_active_p1.fasta.gz … in it",
        min_length=1,
    )


class FamiliesSettings(Settings):
    """Families of your own, in the place of the provider's Pfam-A.seed.gz and pfamseq.gz."""

    file: str = setting(
        "Stockholm, labelled FASTA (>NAME FAMILY), or TSV with a header line (family_accession, "
        "sequence; or family, protein, start, end); gzipped or not", min_length=1,
    )  # fmt: skip
    proteins: str | None = setting(
        "FASTA of the full-length proteins; without it every domain is its own protein",
        default=None,
    )
    columns: dict[
        Literal["family", "sequence", "name", "protein", "start", "end"],
        Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")],
    ] = setting("Names of TSV columns where they are others", default={})
    min_domains: int = setting(
        "Different sequences that a family must have to be read", "domains per family", 1, ge=1,
        le=100_000,
    )  # fmt: skip
    max_domains: int = setting(
        "Domains drawn of a family at most", "domains per family", 1_000_000, ge=2, le=1_000_000
    )


class TransferSettings(Settings):
    """How patiently files are fetched. A rerun continues where the last one stopped."""

    attempts: int = setting(
        "Attempts in a row that bring no new byte before a file is given up", "attempts", 8,
        ge=1, le=1000,
    )  # fmt: skip
    first_wait: float = setting(
        "Wait after the first such attempt; doubles with each", "seconds", 2.0, ge=0, le=3600
    )
    longest_wait: float = setting(
        "Longest wait, also when a server asks for more", "seconds", 300.0, ge=0, le=86_400
    )
    stall: int = setting(
        "A connection that brings less than 1 kB/s for so long is given up", "seconds", 60,
        ge=1, le=3600,
    )  # fmt: skip


class RemoteFile(Settings):
    """One file of a site. ``{release}`` in its path is the site's release."""

    path: RelativePath = setting("Path below each of the site's addresses")
    size: int | None = setting("Size that it must have", "bytes", None, ge=1)
    checksum: Checksum | None = setting(
        "Checksum that it must have; without one, the site's list is asked", default=None
    )


class SiteSettings(Settings):
    """Servers that hold the same files under the same paths."""

    mirrors: list[Address] = setting("Base addresses, the preferred one first", min_length=1)
    release: str | None = setting(
        "Release: replaces {release} in paths; a metalink must name the same", default=None
    )
    checksums: RelativePath | None = setting(
        "Path of the site's list of checksums: lines of md5sum, or a metalink", default=None
    )
    files: dict[RelativePath, RemoteFile] = setting(
        "Name below results/<project>/sources → where it is. A name with {chunk} stands for every "
        "UniParc chunk, one with {id} for every structure; paths then know {chunk}, {id}, {lower} "
        "(the id in lower case) and {middle} (its second and third character)",
        min_length=1,
    )


class PfamSettings(Settings):
    """The databases' own servers, or a folder with what was fetched from them."""

    offline: str | None = setting(
        "Folder with files already there, laid out like results/<project>/sources or flat: nothing "
        "is fetched, sizes and checksums are checked all the same",
        default=None,
        min_length=1,
    )
    transfer: TransferSettings = setting("Patience", default=TransferSettings())
    structures: list[StructureName] = setting(
        "PDB entries whose mmCIF files are fetched", "PDB ids", default=[]
    )
    sites: dict[Name, SiteSettings] = setting("Sites by name", min_length=1)


class SourcesSettings(Settings):
    """Where families, proteins and annotations come from."""

    provider: Literal["embedded", "files", "pfam"] = setting("Which of the sections below is used")
    embedded: EmbeddedSettings | None = setting("Settings of provider 'embedded'", default=None)
    files: FilesSettings | None = setting("Settings of provider 'files'", default=None)
    families: FamiliesSettings | None = setting("Families of your own", default=None)
    pfam: PfamSettings | None = setting("Settings of provider 'pfam'", default=None)
    uniparc_chunks: int = setting(
        "Number of UniParc FASTA chunks read (200 are published)", "files", 1, ge=1, le=200
    )


class DomainsSettings(Settings):
    """Reading the seed alignments."""

    min_length: int = setting("Shortest domain kept", "residues", 10, ge=1, le=1000)
    max_ambiguous_share: float = setting(
        "Largest share of a domain's residues that are not one of the twenty amino acids", "share",
        0.5, ge=0, le=1,
    )  # fmt: skip
    max_reject_share: float = setting(
        "Largest share of broken seed rows that is left out rather than refused", "share", 0.001,
        ge=0, le=1,
    )  # fmt: skip


class SplitsSettings(Settings):
    """What counts as similar, and how much is held out."""

    definition: Literal["search", "alignment"] = setting(
        "What identity is: 'search' aligns two domains by Smith-Waterman; 'alignment' counts "
        "identical residues of the seed alignment over the shorter ungapped length (Easel's and "
        "profmark's definition)",
        default="search",
    )
    min_identity: float = setting(
        "Aligned identity at which two domains of a family must stay in one part", "share", 0.25,
        gt=0, le=1,
    )  # fmt: skip
    min_coverage: float = setting(
        "Share of both sequences that the alignment must cover for that ('search' only)", "share",
        0.8, ge=0, le=1,
    )  # fmt: skip
    min_bits: float = setting(
        "Score that the alignment must have for that ('search' only), or a bit for each residue of "
        "the shorter domain if that is less. Unlike an E-value it does not depend on the number of "
        "sequences. 0: alignments by chance count too; 40: less than "
        "one of them is expected among all pairs of 9,000 domains of 150 residues",
        "bits", 0.0, ge=0, le=200,
    )  # fmt: skip
    exhaustive_up_to: int = setting(
        "Largest family in which every pair that could join two components is aligned; in larger "
        "ones a k-mer search finds such pairs",
        "domains", 50_000, ge=2, le=10_000_000,
    )  # fmt: skip
    test_share: float = setting(
        "Largest share of a family's domains in the test part", "share", 0.25, gt=0, lt=0.5
    )
    dev_share: float = setting(
        "Largest share of a family's domains in the development part", "share", 0.1, gt=0, lt=0.5
    )
    certificate_prefilter: Literal["none", "family", "ungapped"] = setting(
        "How the certificate searches: 'none' aligns every held-out with every training domain "
        "(exact), 'family' with every one of its family (exact for leaks, blind to pairs of "
        "different families), 'ungapped' keeps the best ungapped diagonals (a heuristic)",
        default="none",
    )


class LocalisationSettings(Settings):
    """Proteins with their domains; the split has the shares and thresholds of 'splits'."""

    max_length: int = setting(
        "Proteins longer than this are cut between domains", "residues", 1024, ge=50, le=100_000
    )
    shuffled_share: float = setting(
        "Shuffled sequences, which hold no domain, for each slice of a protein", "ratio", 0.2, ge=0,
        le=1,
    )  # fmt: skip


class HomologueSettings(Settings):
    """What a homologue of a held-out domain is."""

    min_identity: float = setting("Identity of the aligned columns", "share", 0.25, gt=0, le=1)
    min_coverage: float = setting(
        "Share of the held-out domain that the alignment must cover", "share", 0.8, ge=0, le=1
    )
    min_bits: float = setting(
        "Score of the alignment; unlike an E-value it does not depend on the corpus. At most "
        "'splits.min_bits', where that is set: what is too alike to be divided is left out",
        "bits", 40.0, ge=20, le=10_000,
    )  # fmt: skip
    prefilter: Literal["kmer", "ungapped", "none"] = setting(
        "How homologues are searched: 'kmer' is MMseqs2's usual search, "
        "'ungapped' keeps the best ungapped diagonals, 'none' aligns everything (exact)",
        default="kmer",
    )


class LinclustSettings(Settings):
    """Clusters of a corpus, of which only some members are read."""

    min_identity: float = setting("Identity within a cluster", "share", 0.5, gt=0, le=1)
    min_coverage: float = setting(
        "Share of both sequences that the alignment must cover", "share", 0.8, ge=0, le=1
    )
    members: int = setting(
        "Distinct sequences of each cluster that are read, chosen by their hashes", "sequences", 1,
        ge=1, le=1_000_000,
    )  # fmt: skip


class CorporaSettings(Settings):
    """Token shards for pretraining."""

    min_length: int = setting("Shortest sequence kept", "residues", 20, ge=1, le=10_000)
    max_length: int = setting(
        "Longest sequence kept (the longest protein known has 45,000)", "residues", 100_000,
        ge=16, le=1_000_000,
    )  # fmt: skip
    max_ambiguous: float = setting(
        "Largest share of residues that a sequence leaves open (X, B, Z, J)", "share", 0.1,
        ge=0, le=1,
    )  # fmt: skip
    fraction: float = setting(
        "Share of all sequences that is read, chosen by a hash of the sequence", "share", 1.0,
        gt=0, le=1,
    )  # fmt: skip
    valid_share: float = setting(
        "Share of protein sequences kept for validation", "share", 0.01, gt=0, lt=0.5
    )
    exclude_test_homologues: HomologueSettings | None = setting(
        "Training sequences with a homologue of a held-out domain are left out; null: only those "
        "that hold such a domain letter by letter",
        default=None,
    )
    linclust: LinclustSettings | None = setting(
        "Training sequences are clustered (MMseqs2 Linclust) and clusters sampled alike; null: all "
        "sequences are read",
        default=None,
    )


class NetworkSettings(Settings):
    """Shape of the encoder."""

    layers: int = setting("Transformer blocks", "blocks", ge=1, le=96)
    width: int = setting("Size of the embeddings", "dimensions", ge=8, le=16384, multiple_of=4)
    heads: int = setting("Attention heads; must divide the width", "heads", ge=1, le=128)
    feed_forward: int = setting("Size of the feed-forward layer", "dimensions", ge=8, le=65536)
    dropout: float = setting("Dropout behind each sublayer", "share", 0.0, ge=0, lt=1)
    token_dropout: bool = setting(
        "Embed <mask> as zero and scale the other embeddings for it, as ESM-2 does", default=False
    )
    positions: Literal["rotary", "learned", "sinusoidal", "relative", "none"] = setting(
        "How positions enter: turned queries and keys, added vectors, or a bias per distance",
        default="rotary",
    )
    max_positions: int = setting(
        "Longest input of positions 'learned', <cls> and <eos> included", "tokens", 1026, ge=8,
        le=1_000_000,
    )  # fmt: skip
    activation: Literal["gelu", "swiglu"] = setting(
        "Non-linearity of the feed-forward layer", default="gelu"
    )
    norm: Literal["layernorm", "rmsnorm"] = setting("Normalisation", default="layernorm")
    biases: bool = setting("Biases in linear layers and LayerNorm", default=True)
    shared_layers: bool = setting("One block's weights for all layers (ALBERT)", default=False)
    merges: int = setting(
        "Pairs of residues, or of what was merged before, that become one token (BPE), learnt from "
        "the corpus; 0: a token per residue. Families can be learnt from such a network, for an "
        "ablation; whatever else starts from it or looks into it needs residues",
        "tokens", 0, ge=0, le=65_000,
    )  # fmt: skip
    embedding_width: int | None = setting(
        "Size of a factorised token embedding, widened by a matrix (ALBERT); none: the width",
        "dimensions", None, ge=4, le=16384,
    )  # fmt: skip
    attention_window: int | None = setting(
        "Attend only to positions this near; none: to all", "residues", None, ge=1, le=100_000
    )
    attention_stride: int | None = setting(
        "With a window, attend also to every such position", "residues", None, ge=2, le=100_000
    )


class TrainingSettings(Settings):
    """What pretraining and fine-tuning have in common."""

    seed: int = setting("Seed of all random choices of this run", "none", 1, ge=0, lt=2**31)
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] | None = setting(
        "Repeat this run with each of these seeds, as runs <run>_seed<number>; a run that starts "
        "from a repeated one starts from that with its own seed", default=None, min_length=1,
        max_length=100,
    )  # fmt: skip
    learning_rate: float = setting("Highest learning rate", "per step", gt=0, le=1)
    warmup_share: float = setting(
        "Share of the steps in which the learning rate rises", "share", 0.05, ge=0, lt=1
    )
    schedule: Literal["cosine", "constant"] = setting(
        "Learning rate after the warm-up: half a cosine down to zero, or constant", default="cosine"
    )
    optimizer: Literal["adamw", "muon"] = setting(
        "AdamW for everything, or Muon for the matrices of linear layers beside it", default="adamw"
    )
    accumulate: int = setting("Batches of one optimiser step", "batches", 1, ge=1, le=10_000)
    activation_checkpointing: bool = setting(
        "Compute activations again in the backward pass instead of keeping them", default=False
    )
    compile: bool = setting(
        "Compile the layers (torch.compile): a minute or more at the start, meant for long runs on "
        "GPUs",
        default=False,
    )
    weight_decay: float = setting("Decoupled weight decay", "per step", 0.01, ge=0, le=1)
    gradient_clip: float = setting("Largest gradient norm", "norm", 1.0, gt=0, le=1000)
    tokens_per_batch: int = setting(
        "Tokens of a batch, padding included", "tokens", ge=64, le=10_000_000
    )
    max_length: int = setting(
        "Residues read of a sequence; longer ones are cut", "residues", 512, ge=16, le=100_000
    )
    precision: Precision = setting(
        "Number format of matrix products; 'auto' is bfloat16 where the processor is faster in it",
        default="auto",
    )
    log_every: int = setting("Steps between two lines of metrics", "steps", 20, ge=1, le=100_000)
    save_every: float = setting(
        "Time between two saved training states", "seconds", 120.0, gt=0, le=86_400
    )
    tensorboard: str | None = setting(
        "Folder in which the metrics are written as TensorBoard event files too, one folder for "
        "each run; needs the extra 'tensorboard'. None writes none",
        default=None, min_length=1,
    )  # fmt: skip


ObjectiveName = Literal[
    "masked", "span", "replaced", "autoregressive", "permutation", "distillation"
]


class PretrainSettings(TrainingSettings):
    """A pretraining run: a language model of a corpus."""

    kind: Literal["pretrain"] = setting("What this run is")
    corpus: Corpus = setting(
        "Sequences that are read. 'pfam_domains_leaky', the training part of the random split, "
        "holds test domains of the clustered one: it shows what leakage does, and runs that start "
        "from it stand in ablations only"
    )
    network: NetworkSettings = setting("Shape of the encoder")
    esm2: str | None = setting(
        "ESM-2 weights that it starts from: a folder in the transformers format or a hub id; the "
        "network must have their shape. None starts from random weights",
        default=None, min_length=1,
    )  # fmt: skip
    steps: int = setting(
        "Optimiser steps; 0 with esm2 takes its weights as they are", "steps", ge=0, le=100_000_000
    )
    validate_every: int = setting("Steps between two validations", "steps", 100, ge=1, le=1_000_000)
    snapshots: list[Annotated[int, Field(ge=0)]] = setting(
        "Steps before which weights are kept for the analyses of training; 0 is the start",
        "steps", default=[], max_length=1000,
    )  # fmt: skip
    objective: ObjectiveName = setting("What is learnt", default="masked")
    draw: Literal["uniform", "inverse_frequency"] = setting(
        "How residues are drawn as targets of 'masked', 'replaced' and 'distillation'",
        default="uniform",
    )
    loss_weights: Literal["equal", "inverse_frequency"] = setting(
        "What each target weighs in the loss of 'masked'", default="equal"
    )
    span_mean: float = setting("Mean length of the spans of 'span'", "residues", 3.0, ge=1, le=100)
    teacher: Name | None = setting("Pretraining run that 'distillation' learns from", default=None)
    sharded: bool = setting(
        "Divide the layers' weights, gradients and optimiser state over the processes (FSDP2), for "
        "networks that do not fit one GPU; one process alone keeps everything",
        default=False,
    )
    temperature: float = setting(
        "Softens the distributions of 'distillation'", "ratio", 2.0, ge=0.1, le=100
    )
    target_share: float = setting("Share of residues to predict", "share", 0.15, gt=0, lt=1)
    mask_share: float = setting("Share of targets replaced by <mask>", "share", 0.8, ge=0, le=1)
    random_share: float = setting(
        "Share of targets replaced by a random residue", "share", 0.1, ge=0, le=1
    )


class ProtCnnSettings(Settings):
    """The dilated residual network of Bileschi et al. 2022; defaults are the published size."""

    kind: Literal["protcnn"] = setting("What this encoder is")
    filters: int = setting("Convolution filters", "filters", 1100, ge=4, le=16_384)
    kernel: int = setting("Width of the dilated convolutions", "residues", 9, ge=1, le=101)
    blocks: int = setting("Residual blocks", "blocks", 5, ge=1, le=100)
    dilation: int = setting("Factor of the dilation from block to block", "ratio", 3, ge=1, le=16)
    first_dilated: int = setting("First dilated block, from 0", "block", 2, ge=0, le=100)
    bottleneck: float = setting("Filters inside a block", "share of filters", 0.5, gt=0, le=4)


class ResNetSettings(Settings):
    """TAPE's residual network (Rao et al. 2019); defaults are the published size."""

    kind: Literal["resnet"] = setting("What this encoder is")
    filters: int = setting("Convolution filters", "filters", 256, ge=4, le=16_384)
    kernel: int = setting("Width of the convolutions", "residues", 9, ge=1, le=101)
    blocks: int = setting("Residual blocks of two convolutions", "blocks", 35, ge=1, le=200)


class LstmSettings(Settings):
    """TAPE's two LSTM stacks (Rao et al. 2019); defaults are the published size."""

    kind: Literal["lstm"] = setting("What this encoder is")
    width: int = setting("Size of the input embeddings", "dimensions", 128, ge=4, le=16_384)
    hidden: int = setting("Hidden units of each direction", "units", 1024, ge=4, le=16_384)
    layers: int = setting("Layers of each direction", "layers", 3, ge=1, le=32)


class KmerSettings(Settings):
    """Hashed k-mers without context: a linear model of sequences under a pooling head."""

    kind: Literal["kmers"] = setting("What this encoder is")
    sizes: list[Annotated[int, Field(ge=1, le=6)]] = setting(
        "Lengths of the k-mers", "residues", [1, 2, 3, 4], min_length=1, max_length=6
    )
    buckets: int = setting(
        "Rows of the table of each length; k-mers beyond them share rows", "rows", 50_000, ge=100,
        le=10_000_000,
    )  # fmt: skip
    width: int = setting("Size of an embedding", "dimensions", 256, ge=4, le=16_384)


class MotifSettings(Settings):
    """One wide convolution on BLOSUM62 embeddings; its size grows with the number of families."""

    kind: Literal["motif"] = setting("What this encoder is")
    motifs: int = setting("Filters for each family", "filters", 10, ge=1, le=1000)
    kernel: int = setting("Width of a filter", "residues", 15, ge=1, le=101)
    prior: Literal["profiles", "none"] = setting(
        "Start from windows of the position-specific scores of each family's training alignment, "
        "or at random",
        default="profiles",
    )


class ChainSettings(Settings):
    """Windows that tile each family's training profile, chained in order: for head 'chain'."""

    kind: Literal["chain"] = setting("What this encoder is")
    kernel: int = setting("Profile positions in a window", "positions", 6, ge=3, le=50)
    near: int = setting(
        "Residues by which two windows may be moved against each other at the lower cost; at most "
        "the kernel", "residues", 3, ge=1, le=50,
    )  # fmt: skip
    far: int = setting("The same at the higher cost", "residues", 31, ge=1, le=500)
    shortlist: int = setting(
        "Families of each protein that a tagger scores in full, on a CPU: those whose profile fits "
        "best without gaps", "families", 64, ge=12, le=100_000,
    )  # fmt: skip

    @model_validator(mode="after")
    def _moves_are_possible(self) -> ChainSettings:
        if self.near > self.kernel:
            raise ValueError("near may not exceed kernel")
        return self


ScratchEncoder = Annotated[
    ProtCnnSettings | ResNetSettings | LstmSettings | KmerSettings | MotifSettings | ChainSettings,
    Field(discriminator="kind"),
]
Head = Literal[
    "classic", "dropout", "predeach_mean", "predeach_max", "multispace_max", "multispace_mean",
    "linattn", "pool_max", "pool_mean", "motif", "chain",
]  # fmt: skip


class TaskSettings(TrainingSettings):
    """What runs have in common that train an encoder for a task."""

    start_from: Name | None = setting(
        "Pretraining run whose network it starts from; unused with an encoder of its own",
        default=None,
    )
    weights: Literal["pretrained", "untrained"] = setting(
        "Start with that network's weights, or with its shape and random weights",
        default="pretrained",
    )
    encoder: ScratchEncoder | None = setting(
        "An encoder that is trained from scratch instead of a Transformer", default=None
    )
    encoder_rate: float = setting(
        "Learning rate of the encoder, relative to the head's", "ratio", 1.0, ge=0, le=10
    )
    epochs: int = setting("Passes over the training rows", "epochs", ge=1, le=10_000)

    @model_validator(mode="before")
    @classmethod
    def _own_encoder_starts_from_nothing(cls, given: Any) -> Any:
        # The defaults of all runs of a kind name a pretraining run; such an encoder has none.
        if isinstance(given, Mapping) and given.get("encoder"):
            return {**given, "start_from": None, "weights": "untrained"}
        return given


class HeadSettings(TaskSettings):
    """What runs have in common that say something of whole sequences."""

    head: Head = setting("Classification head")
    head_dropout: float = setting(
        "Dropout of the heads 'dropout', 'pool_max', 'pool_mean' and 'motif'",
        "share",
        0.3,
        ge=0,
        lt=1,
    )
    layer_weights: bool = setting(
        "Heads read a learned weighted mean of all layers instead of the last", default=False
    )

    @model_validator(mode="after")
    def _chains_name_families(self) -> HeadSettings:
        if isinstance(self.encoder, ChainSettings) != (self.head == "chain"):
            raise ValueError("head 'chain' needs encoder 'chain', and that encoder this head")
        if self.head == "chain" and not isinstance(self, FinetuneSettings):
            raise ValueError("encoder 'chain' knows families only")
        return self


def _has_profiles(encoder: Settings | None) -> bool:
    """Whether an encoder starts from the profile HMMs of the training domains."""
    prior = isinstance(encoder, MotifSettings) and encoder.prior == "profiles"
    return prior or isinstance(encoder, ChainSettings)


class FinetuneSettings(HeadSettings):
    """A fine-tuning run: domains to families."""

    kind: Literal["finetune"] = setting("What this run is")
    split: SplitMethod = setting("Split that it trains and is judged on", default="clustered")
    emitted: int = setting(
        "Sequences drawn from each family's training profile HMM and added to its training domains",
        "sequences per family", 0, ge=0, le=100_000,
    )  # fmt: skip
    emitted_noise: float = setting(
        "Residues of a drawn sequence replaced by random ones: a share of its own for each "
        "sequence, from 0 to this, so that some are as far from the profile as test domains",
        "share", 0.0, ge=0, lt=1,
    )  # fmt: skip
    per_family: int | None = setting(
        "Training domains of a family at most, drawn; null: all. Profiles are made of all",
        "domains", None, ge=1, le=1_000_000,
    )  # fmt: skip
    compared: int = setting(
        "Classes that encoder 'chain' compares each sequence with in training: those that fit best "
        "before, and a quarter drawn at random; 0: all",
        "classes", 16, ge=0, le=100_000,
    )  # fmt: skip
    new_families: float = setting(
        "Share of families kept out of training, to be recognised from a few sequences; such a run "
        "takes no part in table 3",
        "share", 0.0, ge=0, lt=0.9,
    )  # fmt: skip
    mlm_weight: float = setting(
        "Masked language modelling beside the task: weight of its loss; 0 leaves it out", "ratio",
        0.0, ge=0, le=100,
    )  # fmt: skip
    clan_weight: float = setting(
        "Clans as a second task with a head of its own: weight of its loss; 0 leaves it out",
        "ratio", 0.0, ge=0, le=100,
    )  # fmt: skip

    teachers: list[Name] = setting(
        "Fine-tuning runs or cascades whose probabilities this one learns beside the truth (the "
        "mean of their logarithms): one network that knows what several do; a run with seeds is "
        "all its repetitions", "runs", default=[],
    )  # fmt: skip
    temperature: float = setting("Softens these probabilities", "ratio", 2.0, ge=0.1, le=100)

    @property
    def needs_profiles(self) -> bool:
        """Whether the profile HMMs of the training domains take part in training."""
        return _has_profiles(self.encoder) or self.emitted > 0

    @model_validator(mode="after")
    def _chain_learns_nothing_beside(self) -> FinetuneSettings:
        if self.head == "chain" and (self.clan_weight or self.mlm_weight or self.teachers):
            raise ValueError("encoder 'chain' learns from families alone")
        if self.teachers and (self.clan_weight or self.new_families):
            raise ValueError("with teachers neither clan_weight nor new_families can be used")
        return self


class TaggerSettings(TaskSettings):
    """A tagger: which residues of a protein form a domain of which family."""

    kind: Literal["tagger"] = setting("What this run is")
    dropout: float = setting("Dropout before the output", "share", 0.1, ge=0, lt=1)
    slices: int = setting(
        "Training slices at most, drawn, from which encoder 'chain' learns what its scores mean; "
        "its windows come from the profiles of all training domains",
        "slices", 500, ge=20, le=1_000_000,
    )  # fmt: skip

    @property
    def needs_profiles(self) -> bool:
        """Whether profiles of the training domains take part."""
        return isinstance(self.encoder, ChainSettings)


class TermsSettings(HeadSettings):
    """A network that calls Gene Ontology terms of proteins (``tasks.go``)."""

    kind: Literal["terms"] = setting("What this run is")
    ontology: bool = setting(
        "Predict each term given its parents and multiply along the ontology, so that a parent is "
        "never less likely than its child; false: every term by itself",
        default=True,
    )
    max_proteins: int | None = setting(
        "Training proteins drawn at most; null: all", "proteins", None, ge=10
    )


class FoldSettings(FinetuneSettings):
    """A network that learns folds, on the task called remote_homology and its own split."""

    kind: Literal["fold"] = setting("What this run is")  # type: ignore[assignment]


class TaskRunSettings(HeadSettings):
    """A network on one of TAPE's other tasks: states of residues, contacts, values of proteins."""

    kind: Literal["task"] = setting("What this run is")
    task: Name = setting(
        "A task of tasks.tape or tasks.files: secondary_structure (states), proteinnet (contacts), "
        "fluorescence or stability (values). The head reads whole proteins: states have a linear "
        "one per residue, contacts a symmetric one per pair"
    )


Run = (
    PretrainSettings
    | FinetuneSettings
    | TaggerSettings
    | TermsSettings
    | FoldSettings
    | TaskRunSettings
)
#: Kinds of runs, as ``kind`` names them.
KINDS: dict[str, type[TrainingSettings]] = {
    "pretrain": PretrainSettings,
    "finetune": FinetuneSettings,
    "tagger": TaggerSettings,
    "terms": TermsSettings,
    "fold": FoldSettings,
    "task": TaskRunSettings,
}


class RuleResources(Settings):
    """What one rule asks of the machine or the cluster."""

    threads: int = setting("Processor cores", "cores", 1, ge=1, le=1024)
    mem_mb: int = setting("Memory", "MB", 2000, ge=100, le=10_000_000)
    runtime: int = setting("Time limit", "minutes", 60, ge=1, le=43_200)
    gpus: int = setting("GPUs on each node", "GPUs", 0, ge=0, le=64)
    gpu_model: str | None = setting("GPU model, as the cluster names it", default=None)
    nodes: int = setting("Nodes; more than one starts torchrun on each", "nodes", 1, ge=1, le=1024)


class ResourcesSettings(Settings):
    """Resources by kind of work."""

    light: RuleResources = setting("Small jobs: tables, figures, report", default=RuleResources())
    sources: RuleResources = setting("Building or linking sources", default=RuleResources())
    search: RuleResources = setting("MMseqs2 searches", default=RuleResources(threads=2))
    corpora: RuleResources = setting(
        "Token shards: one thread decompresses, one writes", default=RuleResources(threads=2)
    )
    profiles: RuleResources = setting("Profile HMMs", default=RuleResources(threads=2))
    # Networks and their batches: 1.6 GB on 6,000 proteins.
    annotate: RuleResources = setting(
        "Annotation of a query", default=RuleResources(threads=2, mem_mb=3000)
    )
    pretrain: RuleResources = setting("Pretraining", default=RuleResources(threads=2))
    finetune: RuleResources = setting("Fine-tuning", default=RuleResources())
    analysis: RuleResources = setting(
        "Analyses of pretrained networks", default=RuleResources(mem_mb=4000)
    )


class CombinationSettings(Settings):
    """Several methods as one."""

    members: list[Name] = setting(
        "Fine-tuning runs, baselines (profile_hmm, mmseqs2_sensitive, …) or the neighbours of a "
        "run (<run>_per_family, <run>_per_instance); a run with seeds is all its repetitions",
        "methods", min_length=1,
    )  # fmt: skip
    rule: Literal["probability", "log_probability", "fitted", "cascade"] = setting(
        "Mean of probabilities, mean of their logarithms, or one weight per member fitted on the "
        "development part; searches take part only in 'fitted'. 'cascade': one network of two, "
        "with weights to annotate with: the first names a few families, the second, of encoder "
        "'chain', scores only these",
        default="probability",
    )
    shortlist: int | None = setting(
        "Families that the first network of a cascade names of each sequence; null: as many as it "
        "needs to name the right one of 99 % of the development part, in steps of 64", "families",
        None, ge=2, le=100_000,
    )  # fmt: skip


class EvaluationSettings(Settings):
    """How methods are judged."""

    bootstrap: int = setting("Bootstrap draws for intervals", "draws", 2000, ge=100, le=1_000_000)
    confidence: float = setting("Coverage of intervals", "share", 0.95, gt=0.5, lt=1)
    false_discovery_rate: float = setting(
        "Share of false calls that a localiser may make, estimated on shuffled proteins",
        "share", 0.01, gt=0, lt=1,
    )  # fmt: skip
    candidates: int = setting(
        "Best families of each held-out domain that every method writes down, for combinations and "
        "calibration",
        "families", 100, ge=2, le=100_000,
    )  # fmt: skip
    embed: list[Name] = setting(
        "Fine-tuning runs whose embeddings also classify, by the nearest family mean and the "
        "nearest training domain",
        "runs", default=[],
    )  # fmt: skip


class AnnotateSettings(Settings):
    """Domains on proteins of your own (``snakemake annotate --config query=my.fasta``)."""

    evalue: float = setting(
        "Largest E-value of a protein and of a domain: hits expected by chance in one protein "
        "searched with all profiles", "hits", 0.001, gt=0, le=10,
    )  # fmt: skip
    min_term_probability: float = setting(
        "Lowest probability of a Gene Ontology term that is written", "share", 0.2, ge=0, le=1
    )
    shown: int = setting(
        "Proteins that the page shows, the most interesting first; the tables hold all",
        "proteins", 200, ge=1, le=5000,
    )  # fmt: skip


class AblationSettings(Settings):
    """Fine-tuning runs, or combinations of them, that are compared with a base run."""

    question: str = setting("What the comparison answers; its title", max_length=120, min_length=1)
    base: Name = setting("Run that the others are compared with")
    runs: list[Name] = setting("Runs that are compared with it", "runs", min_length=1)
    compare_with: list[RunOfProject] = setting(
        "Finished runs of other projects, as <project>/<run>", "runs", default=[]
    )


class AnalysisSettings(Settings):
    """What is looked at in pretrained networks."""

    runs: list[Name] = setting(
        "Pretraining runs that are analysed; empty means the first one", "runs", []
    )
    sequences: int = setting(
        "Sequences of each set that networks are asked about", "sequences", 400, ge=10, le=1_000_000
    )
    max_length: int = setting(
        "Residues of a sequence at most; longer ones are cut around a held-out domain", "residues",
        512, ge=16, le=10_000,
    )  # fmt: skip
    fitted_structures: int = setting(
        "Chains that the contact regression is fitted on at most; with fewer each is left out once",
        "chains", 20, ge=1, le=1000,
    )  # fmt: skip
    longest_chain: int = setting(
        "Residues of a chain at most whose contacts are looked at", "residues", 1000, ge=30,
        le=10_000,
    )  # fmt: skip
    per_family: int = setting(
        "Training domains of a family among which the nearest is looked for at most", "domains", 20,
        ge=1, le=10_000,
    )  # fmt: skip
    orthologues: str | None = setting(
        "Proteins for embedding arithmetic: a TSV with columns kind, species, sequence; none: "
        "serine proteases out of the embedded sources", default=None, min_length=1,
    )  # fmt: skip
    permutations: int = setting(
        "Permutations behind a p-value", "permutations", 9999, ge=99, le=1_000_000
    )


class GoSettings(Settings):
    """Gene Ontology: what is learnt before a date and asked after it."""

    data: Literal["dates", "cafa3"] = setting(
        "Where the parts come from: 'dates' divides an annotation file (go/goa_human.gaf.gz), "
        "'cafa3' takes CAFA3's training set and the proteins that it was judged on (cafa3/*)",
        default="dates",
    )
    dev_from: date | None = setting("First day of the development period", "date", None)
    test_from: date | None = setting("First day of the test period", "date", None)
    dev_share: float = setting(
        "Share of CAFA3's training proteins drawn as its development part", "share", 0.05,
        gt=0, lt=1,
    )  # fmt: skip
    end: date | None = setting("First day that does not exist yet; null: none", "date", None)
    knowledge: Literal["none", "limited", "none or limited"] = setting(
        "Test proteins: without experimental annotation before ('none'), with one in another "
        "ontology only ('limited'), or both",
        default="none",
    )
    evidence: list[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,3}$")]] = setting(
        "Evidence codes that count; the default is what CAFA calls experimental", "codes",
        ["EXP", "IDA", "IPI", "IMP", "IGI", "IEP", "TAS", "IC"], min_length=1,
    )  # fmt: skip
    min_train_proteins: int = setting(
        "Training proteins that a term must have to be predicted", "proteins", 20, ge=1, le=100_000
    )
    max_proteins: int | None = setting(
        "Annotated proteins drawn at most; null: all", "proteins", None, ge=10
    )
    max_reject_share: float = setting(
        "Largest share of broken rows of the annotation file that is left out rather than refused",
        "share", 0.001, ge=0, le=1,
    )  # fmt: skip
    sensitivity: float = setting(
        "Sensitivity of the search for neighbours (-s of MMseqs2)", "none", 7.5, ge=1, le=7.5
    )
    domains: bool = setting(
        "Also predict through Pfam families: needs go/pfam2go and Pfam-A.hmm.gz among the sources",
        default=False,
    )
    ranking: bool = setting(
        "Also combine all methods by boosted trees that learn on the development part",
        default=True,
    )


class ContactsSettings(Settings):
    """Residue contacts of protein structures."""

    max_distance: float = setting(
        "Distance between Cβ atoms (Cα of glycine) below which two residues touch", "Å", 8.0,
        gt=0, le=50,
    )  # fmt: skip
    min_length: int = setting("Shortest chain kept", "residues", 20, ge=1, le=10_000)


TapeTask = Literal[
    "remote_homology", "secondary_structure", "proteinnet", "fluorescence", "stability"
]


class TaskFileSettings(Settings):
    """A task in a file of one's own."""

    format: Literal["tape", "tape_tsv", "scope_tsv", "astral", "flip"] = setting(
        "'tape': archive of TAPE (LMDB or JSON); 'tape_tsv': TSV with split, domain, fold, "
        "sequence; 'scope_tsv': TSV with sid, fold, superfamily, seq; 'astral': FASTA of ASTRAL "
        "with SCOPe's classification in its headers; 'flip': folder with sequences.fasta, "
        "sampled.fasta and mask.fasta"
    )
    path: str = setting("File or folder", min_length=1)
    task: TapeTask | None = setting(
        "Which of TAPE's tasks a file of format 'tape' is", default=None
    )


class TasksSettings(Settings):
    """Tasks beside families; each becomes a table under results/<project>/tasks."""

    go: GoSettings | None = setting("Gene Ontology; null: left out", default=None)
    contacts: ContactsSettings = setting("Residue contacts", default=ContactsSettings())
    tape: list[TapeTask] = setting(
        "TAPE tasks whose archives are among the sources (tape/<task>.tar.gz)", "tasks", []
    )
    scope: bool = setting(
        "SCOPe's domains are among the sources (scope/astral-40.fa): superfamilies held out of "
        "folds that are trained",
        default=False,
    )
    files: dict[Name, TaskFileSettings] = setting(
        "Tasks in files of one's own, by name", "none", {}
    )


class Project(Settings):
    """Everything that ``config/*.yaml`` says, with every run resolved."""

    project: Name = setting("Name of the folder under results/", default="demo")
    title: str = setting("Title of the report", default="pfamformer", max_length=120)
    seed: int = setting("Seed of draws and splits, and of every run", "none", 1, ge=0, lt=2**31)
    sources: SourcesSettings = setting("Where data come from")
    domains: DomainsSettings = setting("Seed alignments", default=DomainsSettings())
    splits: SplitsSettings = setting("Splits", default=SplitsSettings())
    localisation: LocalisationSettings = setting(
        "Localisation data set", default=LocalisationSettings()
    )
    corpora: CorporaSettings = setting("Pretraining corpora", default=CorporaSettings())
    tasks: TasksSettings = setting("Other tasks", default=TasksSettings())
    evaluation: EvaluationSettings = setting("Evaluation", default=EvaluationSettings())
    analysis: AnalysisSettings = setting("Analyses", default=AnalysisSettings())
    resources: ResourcesSettings = setting("Resources", default=ResourcesSettings())
    query: str | None = setting(
        "FASTA file of the proteins that target 'annotate' reads, gzipped or not", default=None
    )
    model: str | None = setting(
        "Folder of a model that 'snakemake model' saved: target 'annotate' uses it and needs no "
        "training; none: this project's own", default=None, min_length=1,
    )  # fmt: skip
    annotate: AnnotateSettings = setting("Annotation", default=AnnotateSettings())
    ablations: dict[Name, AblationSettings] = setting("Comparisons of runs, by name", default={})
    combinations: dict[Name, CombinationSettings] = setting(
        "Methods made of other methods, by name", default={}
    )
    runs: dict[Name, Run] = setting("Named runs, resolved")

    def runs_of(self, kind: str) -> dict[str, Run]:
        """The runs of one kind, by name."""
        return {name: run for name, run in self.runs.items() if run.kind == kind}

    def leaks(self, name: str) -> bool:
        """Whether a run knows held-out domains of the clustered split; only ablations show it."""
        run = self.runs[name]
        if run.kind == "pretrain":
            # A chain of teachers is as long as it likes, yet no longer than the runs.
            for _ in self.runs:
                if run.corpus == LEAKY_CORPUS or run.teacher not in self.runs_of("pretrain"):
                    break
                run = self.runs[run.teacher]
            return run.corpus == LEAKY_CORPUS
        pretrained = getattr(run, "weights", None) == "pretrained" and run.start_from in self.runs
        return (
            getattr(run, "split", "clustered") != "clustered"
            or (pretrained and self.leaks(run.start_from))
            # Teachers of fine-tuning have none themselves: this ends.
            or any(self.leaks(teacher) for teacher in self.taught_by(name))
        )

    def taught_by(self, name: str) -> list[str]:
        """The runs whose probabilities a fine-tuning run learns."""
        teachers = getattr(self.runs[name], "teachers", [])
        return [run for name in teachers for run in self.trained(name) if run in self.runs]

    def merges(self, name: str) -> bool:
        """Whether a run reads tokens of several residues."""
        run = self.runs[name]
        if run.kind == "pretrain":
            return run.network.merges > 0
        return run.start_from in self.runs_of("pretrain") and self.merges(run.start_from)

    def only_compared(self, name: str) -> bool:
        """Whether ablations alone show a fine-tuning run.

        It knows held-out domains, or has no token per residue, which all else asks for.
        """
        return self.leaks(name) or self.merges(name)

    def replicates(self, name: str) -> list[str]:
        """The runs behind a name: itself, or its repetitions with other seeds; none if unknown."""
        return [name] if name in self.runs else [r for r in self.runs if group_of(r) == name]

    def members(self, combination: str) -> list[str]:
        """The members of a combination, runs with seeds as all their repetitions."""
        names = self.combinations[combination].members
        return [found for name in names for found in self.replicates(name) or [name]]

    def trained(self, name: str) -> list[str]:
        """The runs behind a run, its repetitions, or a combination."""
        return self.members(name) if name in self.combinations else self.replicates(name)

    def embedded(self) -> dict[str, tuple[str, str]]:
        """Neighbour methods by embedding: name → (run, ``per_family`` or ``per_instance``)."""
        runs = [run for name in self.evaluation.embed for run in self.replicates(name)]
        return {f"{run}_{kind}": (run, kind) for run in runs for kind in EMBEDDED}


def group_of(run: str) -> str:
    """The name that a repetition ``<run>_seed<number>`` was given in the file."""
    return re.sub(r"_seed\d+$", "", run)


def resolve(raw: Mapping[str, Any]) -> Project:
    """Check a merged configuration and lay every run over the defaults of its kind.

    A run or a section set to null in an overlay is removed.

    Raises:
        InputError: one line per problem, ``path: what it must be (got value)``, all of them.
    """
    raw = _without_none(dict(raw))
    sections = {key: raw.pop(key, None) or {} for key in ("defaults", "runs")}
    some_runs = bool(sections["runs"])
    problems = _no_sections(sections)
    defaults, given_runs = sections["defaults"], sections["runs"]
    problems += [
        f"defaults.{kind}: unknown kind of run{guess(kind, KINDS)}"
        for kind in defaults
        if kind not in KINDS
    ]
    problems += _no_sections(defaults, "defaults.")
    runs: dict[str, Any] = {}
    given_runs = _repeated(given_runs, defaults)
    for name, given in given_runs.items():
        others = map(str, given_runs.keys() - {name})
        run, found = _resolve_run(str(name), given, defaults, raw.get("seed", 1), others)
        problems += found
        if run is not None:
            runs[str(name)] = run
    try:
        project = Project.model_validate({**raw, "runs": runs})
    except ValidationError as error:
        project = None
        problems += [_line(e, raw) for e in error.errors()]
    if project is not None:
        problems += _cross_checks(project, given_runs)
    if not some_runs:
        problems.append("runs: at least one run is required")
    if problems or project is None:
        unique = list(dict.fromkeys(problems))
        raise InputError(
            "configuration",
            f"{len(unique)} problem{'s' if len(unique) > 1 else ''}\n  " + "\n  ".join(unique),
        )
    return project


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value


def _no_sections(given: dict[str, Any], path: str = "") -> list[str]:
    """A line for each value that is no section; such values become empty sections.

    Snakemake passes ``--config 'runs={a: {epochs: 5}'``, which lacks a brace, as a text.
    """
    wrong = {key: value for key, value in given.items() if not isinstance(value, Mapping)}
    given.update({key: {} for key in wrong})
    return [
        f"{path}{key}: must be a section of settings (got {value!r})"
        for key, value in wrong.items()
    ]


def _repeated(given_runs: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Runs with ``seeds`` as one run per seed; what starts from such a run starts from its own."""

    def value(given: Any, key: str) -> Any:
        if not isinstance(given, Mapping) or given.get("kind") not in list(KINDS):
            return None
        return given.get(key, (defaults.get(given["kind"]) or {}).get(key))

    def seeds_of(given: Any) -> list[int]:
        found = value(given, "seeds")
        # Anything that is no list of numbers is left to the checks of the run itself.
        whole = isinstance(found, list) and all(isinstance(seed, int) for seed in found)
        return list(dict.fromkeys(found)) if whole else []

    repeated = {name for name, given in given_runs.items() if seeds_of(given)}
    runs: dict[str, Any] = {}
    for name, given in given_runs.items():
        for seed in seeds_of(given):
            runs[f"{name}_seed{seed}"] = {**given, "seed": seed, "seeds": None}
            if value(given, "start_from") in repeated:
                partner = f"{value(given, 'start_from')}_seed{seed}"
                runs[f"{name}_seed{seed}"]["start_from"] = partner
        if name not in repeated:
            runs[name] = given
    return runs


def _resolve_run(
    name: str, given: Any, defaults: Mapping[str, Any], seed: Any, others: Iterable[str]
) -> tuple[Run | None, list[str]]:
    if not isinstance(given, Mapping):
        return None, [f"runs.{name}: must be a section of settings (got {given!r})"]
    kind = given.get("kind")
    if kind is None:
        # Most likely a misspelt run: nobody adds one without saying what it is.
        like = guess(name, others)
        return None, [f"runs.{name}.kind: is required, one of {', '.join(KINDS)}{like}"]
    if kind not in KINDS:
        return None, [f"runs.{name}.kind: must be one of {', '.join(KINDS)} (got {kind!r})"]
    merged = _merge(_merge({"seed": seed}, defaults.get(kind) or {}), given)
    try:
        return KINDS[kind].model_validate(merged), []
    except ValidationError as error:
        # A value that the run does not set itself is blamed on the defaults, once for all runs.
        return None, [
            _line(e, merged, f"runs.{name}" if _holds(given, e["loc"]) else f"defaults.{kind}")
            if e["type"] != "missing"
            else _line(e, merged, f"runs.{name}")
            for e in error.errors()
        ]


def _merge(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{k: _merge(below.get(k), v) for k, v in above.items()}}
    return above


def _holds(given: Any, path: Iterable[Any]) -> bool:
    for key in path:
        if not isinstance(given, Mapping) or key not in given:
            return False
        given = given[key]
    return True


_BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
    "multiple_of": ("multiple_of", "a multiple of"),
}


def _line(error: Any, raw: Any, prefix: str = "") -> str:
    """One problem as ``path: what it must be (got value)``."""
    path = ".".join([*([prefix] if prefix else []), *(str(p) for p in error["loc"])])
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "extra_forbidden":
        known = (
            set(Project.model_fields) if len(error["loc"]) == 1 and not prefix else _known_keys()
        )
        return f"{path}: unknown key{guess(str(error['loc'][-1]), known)}"
    if kind == "missing":
        return f"{path}: is required"
    if kind in _BOUNDS:
        key, sign = _BOUNDS[kind]
        return f"{path}: must be {sign} {context[key]:g} (got {_shown(value)})"
    if kind == "literal_error":
        choices = context["expected"].replace(" or ", ", ")
        return f"{path}: must be one of {choices} (got {_shown(value)})"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = message.replace("should", "must", 1)
    return f"{path}: {message[:1].lower()}{message[1:]} (got {_shown(value)})"


def _shown(value: Any) -> str:
    """A value as the user wrote it: ``--config`` hands numbers over as text."""
    if isinstance(value, str) and value.lstrip("-").replace(".", "", 1).isdigit():
        return value
    return repr(value)


def _known_keys() -> set[str]:
    keys: set[str] = {"defaults"}
    todo: list[type[BaseModel]] = [Project, *KINDS.values(), *Settings.__subclasses__()]
    for model in todo:
        keys |= set(model.model_fields)
    return keys


def guess(key: str, known: Iterable[str]) -> str:
    """The end of a message about a misspelt name; empty where nothing known is like it."""
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _homologue_checks(project: Project) -> list[str]:
    """What a split calls similar is left out of corpora too, wherever homologues are."""
    homologues, splits = project.corpora.exclude_test_homologues, project.splits
    if homologues is None:
        return []
    # Below 20 bits every corpus is full of chance: the lowest bound that the settings allow.
    most = {
        "min_identity": splits.min_identity,
        "min_coverage": splits.min_coverage,
        "min_bits": max(splits.min_bits, 20.0) if splits.min_bits else homologues.min_bits,
    }
    return [
        f"corpora.exclude_test_homologues.{key}: must be <= {bound:g}, as in splits "
        f"(got {getattr(homologues, key):g})"
        for key, bound in most.items()
        if splits.definition == "search" and getattr(homologues, key) > bound
    ]


def _go_problems(go: GoSettings, sources: SourcesSettings) -> list[str]:
    """What is wrong with the parts of the Gene Ontology task."""
    if go.data == "cafa3":
        if sources.provider == "embedded":
            return ["tasks.go.data: 'cafa3' needs files that provider 'embedded' does not bring"]
        return []
    days = [day for day in (go.dev_from, go.test_from, go.end) if day]
    if go.dev_from is None or go.test_from is None:
        return ["tasks.go.test_from: 'dates' needs dev_from and test_from"]
    if days != sorted(set(days)):
        return ["tasks.go.test_from: dev_from < test_from < end must hold"]
    return []


def _reads_merged(run: Run) -> bool:
    """Whether a run can do with tokens of several residues.

    It learns families of whole sequences, and starts from weights that come with the tokens.
    """
    return (
        isinstance(run, FinetuneSettings)
        and run.weights == "pretrained"
        and not run.mlm_weight
        and not run.new_families
    )


def _cross_checks(project: Project, given_runs: Mapping[str, Any]) -> list[str]:
    """Conditions between settings."""
    problems = []
    provider = project.sources.provider
    if getattr(project.sources, provider) is None:
        problems.append(f"sources.{provider}: is required by sources.provider = {provider!r}")
    elif provider == "pfam":
        reads_uniparc = any(run.corpus == "uniparc" for run in project.runs_of("pretrain").values())
        problems += sites.problems(project.sources, reads_uniparc)
    if project.splits.test_share + project.splits.dev_share >= 1:
        problems.append("splits.dev_share: test_share + dev_share must be < 1")
    problems += _homologue_checks(project)
    if project.tasks.go is not None:
        problems += _go_problems(project.tasks.go, project.sources)
    problems += [
        f"tasks.files.{name}.task: is required by format 'tape'"
        for name, given in project.tasks.files.items()
        if given.format == "tape" and given.task is None
    ]
    taken = {"go", "contacts", *(["scope"] if project.tasks.scope else []), *project.tasks.tape}
    both = sorted(taken & project.tasks.files.keys())
    problems += [f"tasks.files.{name}: is the name of another task" for name in both]
    pretraining = project.runs_of("pretrain")
    problems += [
        f"analysis.runs: must be pretraining runs, {', '.join(pretraining)} (got {name!r})"
        for name in project.analysis.runs
        if name not in pretraining
    ]
    for name, run in project.runs.items():
        if isinstance(run, PretrainSettings):
            problems += _pretraining_problems(name, run, pretraining)
        elif (
            isinstance(run, HeadSettings)
            and run.encoder is not None
            and (run.layer_weights or (isinstance(run, FinetuneSettings) and run.mlm_weight))
        ):
            problems.append(
                f"runs.{name}.encoder: mlm_weight and layer_weights need a pretrained Transformer"
            )
        elif (
            run.encoder is None
            and run.start_from not in pretraining
            and not _is_broken(run.start_from, given_runs, project)
        ):
            problems.append(
                f"runs.{name}.start_from: must be one of the pretraining runs "
                f"{', '.join(pretraining) or '(there is none)'} (got {run.start_from!r})"
            )
    problems += [
        f"runs.{name}.start_from: {run.start_from!r} reads merged tokens (network.merges); this "
        "run needs a token per residue"
        for name, run in project.runs.items()
        if run.kind != "pretrain" and project.merges(name) and not _reads_merged(run)
    ]
    problems += [
        f"analysis.runs: {name!r} reads merged tokens (network.merges); analyses look at residues"
        for name in project.analysis.runs
        if name in pretraining and project.merges(name)
    ]
    problems += [
        f"runs.{name}.start_from: {run.start_from!r} has read held-out domains; only fine-tuning "
        "runs may start from it, for an ablation"
        for name, run in project.runs.items()
        if run.kind not in ("pretrain", "finetune") and project.leaks(name)
    ]
    known_tasks = {*project.tasks.tape, *project.tasks.files}
    problems += [
        f"runs.{name}.task: {run.task!r} is no task{guess(run.task, known_tasks)}"
        for name, run in project.runs_of("task").items()
        if run.task not in known_tasks
    ]
    problems += [
        f"runs.{name}: profiles are those of families, which a run of kind {run.kind!r} does not "
        "learn: no encoder 'chain', no prior 'profiles', nothing emitted"
        for name, run in project.runs.items()
        if isinstance(run, HeadSettings)
        and run.kind != "finetune"
        and (_has_profiles(run.encoder) or getattr(run, "emitted", 0))
    ]
    finetuning = project.runs_of("finetune")
    for name in project.evaluation.embed:
        if not project.replicates(name) and not _given(name, given_runs):
            problems.append(f"evaluation.embed: {name!r} is no fine-tuning run")
        problems += [
            f"evaluation.embed: {run!r} {_why_only_compared(project, run)}"
            for run in project.replicates(name)
            if project.runs[run].kind == "finetune" and project.only_compared(run)
        ]
    for name in finetuning:
        problems += _teacher_problems(name, project, given_runs)
    for name in project.combinations:
        problems += _combination_problems(name, project, given_runs)
    for name, ablation in project.ablations.items():
        for run in [ablation.base, *ablation.runs]:
            chosen = project.trained(run)
            if not chosen and _given(run, given_runs):
                continue  # it was given, with problems of its own
            if not chosen or not set(chosen) <= set(finetuning):
                known = sorted({group_of(found) for found in finetuning} | set(finetuning))
                problems.append(
                    f"ablations.{name}: {run!r} is no fine-tuning run{guess(run, known)}"
                )
    return problems


def _pretraining_problems(
    name: str, run: PretrainSettings, pretraining: Mapping[str, Run]
) -> list[str]:
    """Conditions between the settings of a pretraining run."""
    problems = []
    if run.network.width % (2 * run.network.heads):
        problems.append(
            f"runs.{name}.network.heads: must divide width / 2 = {run.network.width // 2} "
            f"(got {run.network.heads})"
        )
    network = run.network
    if network.attention_stride is not None and network.attention_window is None:
        problems.append(f"runs.{name}.network.attention_stride: needs an attention_window")
    if network.attention_window is not None and network.positions == "relative":
        problems.append(
            f"runs.{name}.network.attention_window: positions 'relative' attend everywhere"
        )
    if network.positions == "learned" and run.max_length + 2 > network.max_positions:
        problems.append(
            f"runs.{name}.network.max_positions: must be >= max_length + 2 = "
            f"{run.max_length + 2} (got {network.max_positions})"
        )
    if (run.objective == "distillation") != (run.teacher is not None):
        problems.append(f"runs.{name}.teacher: belongs to objective 'distillation' alone")
    elif run.teacher is not None and run.teacher not in set(pretraining) - {name}:
        problems.append(
            f"runs.{name}.teacher: must be another pretraining run (got {run.teacher!r})"
        )
    late = [step for step in run.snapshots if step > run.steps]
    if late:
        problems.append(f"runs.{name}.snapshots: must be <= steps (got {late[0]})")
    if run.objective == "permutation" and run.network.attention_window is not None:
        problems.append(f"runs.{name}.objective: 'permutation' needs attention everywhere")
    if network.merges and (
        run.objective in ("replaced", "distillation")
        or (run.draw, run.loss_weights, run.esm2) != ("uniform", "equal", None)
    ):
        problems.append(
            f"runs.{name}.network.merges: 'replaced', 'distillation', inverse frequencies and "
            "ESM-2 weights need a token per residue"
        )
    if run.teacher in pretraining and pretraining[run.teacher].network.merges:
        problems.append(f"runs.{name}.teacher: {run.teacher!r} reads merged tokens, not residues")
    if run.steps == 0 and run.esm2 is None:
        problems.append(f"runs.{name}.steps: must be >= 1 without esm2 (got 0)")
    if run.mask_share + run.random_share > 1:
        problems.append(f"runs.{name}.random_share: mask_share + random_share must be <= 1")
    return problems


def _given(name: str, given_runs: Mapping[str, Any]) -> bool:
    """Whether the file names such a run, though it may have problems of its own."""
    return any(name in (given, group_of(given)) for given in given_runs)


def _why_only_compared(project: Project, run: str) -> str:
    leaks = project.leaks(run) or not project.merges(run)
    return "knows held-out domains" if leaks else "reads merged tokens (network.merges)"


def _teacher_problems(name: str, project: Project, given_runs: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the teachers of one fine-tuning run."""
    run = project.runs[name]
    finetuning = project.runs_of("finetune")
    cascades = {n for n, found in project.combinations.items() if found.rule == "cascade"}
    for teacher in run.teachers:
        behind = project.trained(teacher)
        if not behind and _given(teacher, given_runs):
            continue  # it was given, with problems of its own
        if teacher not in cascades and not (behind and set(behind) <= set(finetuning)):
            yield f"runs.{name}.teachers: {teacher!r} is no fine-tuning run and no cascade" + guess(
                teacher, {group_of(found) for found in finetuning} | cascades
            )
        elif any(finetuning[found].teachers for found in behind if found in finetuning):
            yield f"runs.{name}.teachers: {teacher!r} learns from teachers itself"
        elif any(
            finetuning[found].split != run.split
            or finetuning[found].new_families
            or project.merges(found)
            for found in behind
            if found in finetuning
        ):
            yield (
                f"runs.{name}.teachers: {teacher!r} has another split, families or tokens than "
                "this run"
            )


def _combination_problems(
    name: str, project: Project, given_runs: Mapping[str, Any]
) -> Iterator[str]:
    """What is wrong with one combination."""
    if name in project.runs or name in BASELINES or name in project.embedded():
        yield f"combinations.{name}: another method has this name"
    networks = {
        run
        for run, settings in project.runs_of("finetune").items()
        if not project.only_compared(run) and not settings.new_families
    }
    known = networks | set(BASELINES) | set(project.embedded())
    for member in project.members(name):
        if member not in known and not _given(member, given_runs):
            yield (
                f"combinations.{name}.members: {member!r} is no method of table 3"
                f"{guess(member, known)}"
            )
        elif member in project.runs and member not in networks:
            why = _why_only_compared(project, member)
            yield f"combinations.{name}.members: {member!r} {why}"
        elif member not in project.runs and project.combinations[name].rule != "fitted":
            yield f"combinations.{name}.rule: must be 'fitted' with {member!r}, which is no network"
    if project.combinations[name].rule == "cascade":
        chains = [
            member in networks and project.runs[member].head == "chain"
            for member in project.members(name)
        ]
        if chains != [False, True]:
            yield (
                f"combinations.{name}.members: a cascade is two runs without repetitions, the "
                "second of encoder 'chain'"
            )


def _is_broken(name: str | None, given_runs: Mapping[str, Any], project: Project) -> bool:
    """Whether a run was given but has problems of its own, which are enough to report."""
    return name in given_runs and name not in project.runs


def schema() -> dict[str, Any]:
    """JSON schema of a configuration *file*: every section optional, runs as partial settings."""
    full = Project.model_json_schema()
    definitions = full["$defs"]
    for model in KINDS.values():
        definitions[model.__name__] = model.model_json_schema()
        definitions.update(definitions[model.__name__].pop("$defs", {}))
    for definition in definitions.values():
        definition.pop("required", None)
    partial = [{"$ref": f"#/$defs/{model.__name__}"} for model in KINDS.values()]
    # A run may be null: an overlay takes it out.
    full["properties"]["runs"]["patternProperties"] = {
        pattern: {"anyOf": [*partial, {"type": "null"}]}
        for pattern in full["properties"]["runs"]["patternProperties"]
    }
    full["properties"]["defaults"] = {
        "description": "What runs of a kind have in common",
        "type": "object",
        "additionalProperties": False,
        "properties": {kind: {"$ref": f"#/$defs/{m.__name__}"} for kind, m in KINDS.items()},
    }
    full.pop("required", None)
    full["title"] = "pfamformer configuration"
    return full


def read_run(path: str) -> Run:
    """The settings of one run from its ``config.json``."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    return KINDS[content["kind"]].model_validate(content)
