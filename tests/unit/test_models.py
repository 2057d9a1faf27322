from typing import get_args

import numpy as np
import pyhmmer
import pytest
import torch
from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence
from sklearn.feature_extraction.text import CountVectorizer

from conftest import mutate, random_sequence
from pfamformer.config import FinetuneSettings, Head, KmerSettings, MotifSettings, NetworkSettings
from pfamformer.errors import InputError
from pfamformer.methods.priors import draw, emissions, lend, log_odds, read_profiles
from pfamformer.model.classifier import ENCODERS, Classifier, residue_mask
from pfamformer.model.convolutional import MaskedBatchNorm
from pfamformer.model.heads import HEADS
from pfamformer.model.kmers import Kmers, numbers
from pfamformer.model.motif import Motif, windows
from pfamformer.sequences.alphabet import STANDARD, encode
from pfamformer.training.batches import collate

NETWORK = NetworkSettings(layers=2, width=32, heads=2, feed_forward=64)
SMALL = {
    "protcnn": {"kind": "protcnn", "filters": 16, "kernel": 5, "blocks": 3, "first_dilated": 1},
    "resnet": {"kind": "resnet", "filters": 16, "kernel": 5, "blocks": 2},
    "lstm": {"kind": "lstm", "width": 8, "hidden": 8, "layers": 2},
    "motif": {"kind": "motif", "motifs": 3, "kernel": 5},
    "kmers": {"kind": "kmers", "sizes": [1, 2, 4], "buckets": 2000, "width": 8},
}


def settings(head="classic", encoder=None, **changes):
    given = {
        "kind": "finetune", "start_from": "x", "head": head, "epochs": 1, "tokens_per_batch": 64,
        "learning_rate": 1e-3, "encoder": encoder,
    }  # fmt: skip
    return FinetuneSettings.model_validate(given | changes)


def build(head, encoder=None, classes=5):
    torch.manual_seed(4)
    return Classifier(NETWORK, classes, settings(head, encoder)).double()


@pytest.fixture
def tokens(stream):
    arrays = [encode(random_sequence(stream, n)) for n in (9, 30, 17)]
    return collate(arrays, np.arange(3)).tokens


def test_every_name_of_the_configuration_is_a_head():
    assert sorted([*ENCODERS, "motif"]) == sorted(SMALL)
    # Head "chain" reads the layout of its encoder and is no part of any other: see test_chain.py.
    assert sorted(get_args(Head)) == sorted([*HEADS, "chain"])


@pytest.mark.parametrize("head", sorted(HEADS))
def test_heads_give_one_logit_per_class_and_drop_out_only_in_training(head, tokens):
    model = build(head)
    assert model(tokens).shape == (3, 5)
    same = bool(torch.equal(model(tokens), model(tokens)))
    assert same == (head not in ("dropout", "pool_max", "pool_mean", "motif"))
    model.eval()
    assert torch.equal(model(tokens), model(tokens))


@pytest.mark.parametrize("encoder", [None, *sorted(SMALL)])
@pytest.mark.parametrize("head", sorted(HEADS))
def test_what_shares_a_batch_changes_nothing(head, encoder, tokens):
    model = build(head, SMALL.get(encoder)).eval()
    together = model(tokens)
    for row, logits in zip(tokens, together, strict=True):
        alone = model(row[: int((row != 1).sum())][None])
        torch.testing.assert_close(alone[0], logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("head", ["predeach_mean", "predeach_max", "linattn"])
def test_the_decision_is_traced_to_residues(head, tokens):
    model = build(head).eval()
    parts, mask = model.residues(tokens), residue_mask(tokens)
    logits = model(tokens)
    for b in range(3):
        said = parts[b][mask[b]]
        if head == "linattn":
            found = said.sum(0) + model.head.project.bias
        else:
            found = said.mean(0) if head.endswith("mean") else said.amax(0)
        torch.testing.assert_close(found, logits[b], rtol=1e-9, atol=1e-9)


def test_linattn_agrees_with_multihead_attention_of_torch(tokens):
    model = build("linattn").eval()
    head, x, mask = model.head, model.encoder(tokens), residue_mask(tokens)
    D = x.shape[-1]
    reference = torch.nn.MultiheadAttention(D, head.heads, batch_first=True).double().eval()
    with torch.no_grad():
        parts = (head.query, head.key, head.value)
        reference.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        reference.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        reference.out_proj.weight.copy_(torch.eye(D))
        reference.out_proj.bias.zero_()
    mixed, _ = reference(x[:, :1], x, x, key_padding_mask=~mask)
    torch.testing.assert_close(head.project(mixed[:, 0]), model(tokens), rtol=1e-8, atol=1e-9)


def published_protcnn(filters, kernel, blocks, bottleneck, inputs, classes):
    """Parameters from the layers that Bileschi et al. 2022 publish, two per normalised filter."""
    first = kernel * inputs * filters + filters
    inside = int(bottleneck * filters)
    norms = 2 * filters + 2 * inside
    block = norms + (kernel * filters + 1) * inside + (inside + 1) * filters
    return first + blocks * block + filters * classes + classes


@pytest.mark.parametrize(
    ("filters", "kernel", "blocks", "bottleneck"), [(1100, 9, 5, 0.5), (16, 5, 3, 0.25)]
)
def test_protcnn_has_the_published_number_of_parameters(filters, kernel, blocks, bottleneck):
    shape = {"filters": filters, "kernel": kernel, "blocks": blocks, "bottleneck": bottleneck}
    with torch.device("meta"):
        model = Classifier(None, 17_929, settings("pool_max", {"kind": "protcnn", **shape}))
    expected = published_protcnn(filters, kernel, blocks, bottleneck, 33, 17_929)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_dilation_of_protcnn_grows_from_the_first_dilated_block():
    with torch.device("meta"):
        model = Classifier(None, 2, settings("pool_max", {"kind": "protcnn"}))
    assert [b.first.dilation[0] for b in model.encoder.blocks] == [1, 1, 3, 9, 27]


def test_masked_batch_norm_is_batch_norm_of_the_real_positions():
    torch.manual_seed(5)
    x = torch.randn(3, 4, 10)
    present = (torch.arange(10) < torch.tensor([[10], [4], [7]]))[:, None].float()
    ours, reference = MaskedBatchNorm(4), torch.nn.BatchNorm1d(4)
    real = present[:, 0] > 0
    for _ in range(2):
        found = ours(x, present).transpose(1, 2)[real]
        expected = reference(x.transpose(1, 2)[real])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.running_var, reference.running_var)
    ours.eval(), reference.eval()
    found = ours(x, present).transpose(1, 2)[real]
    torch.testing.assert_close(found, reference(x.transpose(1, 2)[real]), rtol=1e-5, atol=1e-6)


def test_lstm_reads_each_direction_like_torch(tokens):
    model = build("pool_mean", SMALL["lstm"]).eval()
    encoder = model.encoder
    row = tokens[0][: int((tokens[0] != 1).sum())][None]
    x = encoder.embedding(row)
    ahead = encoder.forwards(x)[0]
    back = encoder.backwards(x.flip(1))[0].flip(1)
    torch.testing.assert_close(encoder(tokens)[0, : row.shape[1]], torch.cat((ahead, back), -1)[0])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pooled_kmers_are_the_counts_of_scikit_learn(size, stream):
    """The pooled embedding is linear in the counts, with a row of the table for each k-mer."""
    given = KmerSettings(kind="kmers", sizes=[size], buckets=10**6, width=4)
    encoder = Kmers(given).double()
    sequences = [random_sequence(stream, length) for length in (40, 75)]
    counter = CountVectorizer(analyzer="char", ngram_range=(size, size), lowercase=False)
    counts = torch.from_numpy(counter.fit_transform(sequences).toarray()).double()
    rows = torch.stack(
        [
            encoder.tables[0].weight[numbers(torch.from_numpy(encode(kmer))[None], size, n)[0, 0]]
            for n in [encoder.tables[0].num_embeddings]
            for kmer in counter.get_feature_names_out()
        ]
    )
    assert len(torch.unique(rows, dim=0)) == len(rows)
    for sequence, expected in zip(sequences, counts @ rows, strict=True):
        inside = encoder(torch.from_numpy(encode(sequence))[None])[0, : len(sequence) - size + 1]
        torch.testing.assert_close(inside.sum(0), expected)


def test_an_encoder_of_its_own_starts_from_nothing():
    made = settings("pool_max", SMALL["protcnn"])
    assert made.start_from is None and made.weights == "untrained"


# --- profiles as a prior ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def profiles(tmp_path_factory):
    """Profiles of two made-up families, and sequences of them."""
    from pyhmmer.easel import TextMSA
    from pyhmmer.plan7 import Background, Builder

    stream = np.random.default_rng(8)
    amino = Alphabet.amino()
    path = tmp_path_factory.mktemp("profiles") / "p.hmm"
    rows = {}
    with open(path, "wb") as out:
        for family in ("A", "B"):
            parent = random_sequence(stream, 60)
            rows[family] = [mutate(stream, parent, 0.2) for _ in range(12)]
            members = [TextSequence(name=str(i), sequence=s) for i, s in enumerate(rows[family])]
            msa = TextMSA(name=family, sequences=members).digitize(amino)
            hmm, _, _ = Builder(amino, seed=1).build_msa(msa, Background(amino))
            hmm.write(out)
    return path, rows


def test_drawn_sequences_have_the_frequencies_of_the_profile(profiles):
    hmm = read_profiles(profiles[0])["A"]
    drawn = draw(hmm, 3000, np.random.default_rng(1))
    assert draw(hmm, 5, np.random.default_rng(1)) == draw(hmm, 5, np.random.default_rng(1))
    whole = [s for s in drawn if len(s) == hmm.M]
    assert len(whole) > 500  # insertions and deletions are rare in a profile without gaps
    first = np.mean([[s[0] == letter for letter in STANDARD] for s in whole], axis=0)
    assert first == pytest.approx(emissions(hmm)[1], abs=0.05)
    # HMMER itself recognises them.
    block = DigitalSequenceBlock(
        Alphabet.amino(),
        [TextSequence(name=str(i), sequence=s).digitize(Alphabet.amino())
         for i, s in enumerate(drawn[:50])],
    )  # fmt: skip
    (hits,) = pyhmmer.hmmsearch(hmm, block, cpus=1)
    assert len(hits.reported) >= 48  # HMMER's own filters lose 2 % of them


def test_filters_start_as_position_specific_scores(profiles):
    hmm = read_profiles(profiles[0])["A"]
    background = np.full(20, 0.05)
    scores = log_odds(hmm, background)
    model = Motif(MotifSettings(kind="motif", motifs=4, kernel=15), 1)
    model.start_from({"A": scores}, background, ["A"])
    tokens = collate([encode(profiles[1]["A"][0])], np.arange(1)).tokens
    found = model(tokens)[0].double().detach().numpy()
    for number, window in enumerate(windows(scores, background, 15, 4)):
        residues = [STANDARD.index(letter) for letter in profiles[1]["A"][0]]
        sums = np.array(
            [window[np.arange(15), residues[i : i + 15]].sum() for i in range(len(residues) - 14)]
        )
        # The centre of a window of 15 that starts at residue i (token i + 1) is token i + 8.
        ours = found[8 : 8 + len(sums), number]
        assert np.corrcoef(ours, sums)[0, 1] > 0.9999


def test_a_network_from_profiles_knows_families_before_training(profiles):
    path, rows = profiles
    made = settings("motif", {"kind": "motif", "motifs": 4}, emitted=7)
    model = Classifier(None, 2, made)
    tokens = np.concatenate([encode(s) for s in rows["A"] + rows["B"]])
    drawn = lend(model, made, path, ["A", "B"], tokens)
    assert [family for _, family in drawn] == ["A"] * 7 + ["B"] * 7
    batch = collate([encode(s) for s in rows["A"] + rows["B"]], np.arange(24)).tokens
    assert model.eval()(batch).argmax(1).tolist() == [0] * 12 + [1] * 12
    with pytest.raises(InputError, match=r"no profile of C"):
        lend(model, made, path, ["A", "C"], tokens)
