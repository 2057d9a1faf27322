"""Sequences per second at inference, and how they change with the number of families.

python benchmarks/families_speed.py --results results/demo

The classifier (head `dropout`), the network of chained motifs, the cascade in which a ProtCNN names
64 families for it, and both taggers with their decoding, beside PyHMMER's hmmsearch with default
filters. Profiles of the finished project are repeated under new names until there are enough
families. Networks have random weights: their speed does not depend on them; that of the tagger of
chains does, so it has the profiles' scores, and what chance finds is fitted to the same proteins.
The chained motifs of the classifier alone grow with the number of families as profiles do; the
tagger's are read for a shortlist.
"""

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pyhmmer.plan7 import HMM

from common import compare, in_turn, parser, write
from pfamformer.config import FinetuneSettings, NetworkSettings, TaggerSettings
from pfamformer.methods.decoding import Grammar
from pfamformer.methods.network import log_probabilities
from pfamformer.methods.priors import log_odds
from pfamformer.methods.profile_hmm import read_profiles, search
from pfamformer.methods.tagging import calls
from pfamformer.model.cascade import Cascade
from pfamformer.model.chain import windows_of
from pfamformer.model.chain_tagger import ChainTagger
from pfamformer.model.classifier import Classifier
from pfamformer.model.tagger import Tagger
from pfamformer.sequences.alphabet import STANDARD, encode
from pfamformer.tables import read_table
from pfamformer.training.batches import InMemory, read_in_order
from pfamformer.training.chain_tagging import fit_chance
from pfamformer.training.device import number_format

FAMILIES = (100, 1000, 5000, 20_000)
# The demo's network.
NETWORK = NetworkSettings(layers=4, width=128, heads=2, feed_forward=512)
# As in benchmarks/families_280.yaml, and what its cascade needs.
PROTCNN, SHORTLIST = {"kind": "protcnn", "filters": 256, "blocks": 3}, 64
SHARED = {"epochs": 1, "tokens_per_batch": 2048, "max_length": 512, "learning_rate": 0.001}
# Of annotations of human proteins; its values do not change the work.
GRAMMAR = Grammar(enter=0.003, leave=0.01, adjoin=0.05)


def main() -> None:
    """Time all of them at each number of families."""
    arguments = parser(__doc__)
    arguments.add_argument("--results", default="results/demo", help="folder of a finished project")
    arguments.add_argument("--domains", type=int, default=100)
    arguments.add_argument("--proteins", type=int, default=20)
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    results = Path(arguments.results)
    profiles = read_profiles(results / "baselines/profile_hmm/clustered/profiles.hmm")
    domains = read_table("domains", results / "splits/clustered/held_out.parquet")
    domains = domains.sample(min(len(domains), arguments.domains), random_state=1)
    slices = read_table("localisation", results / "localisation/sequences.parquet")
    slices = slices[slices["part"] == "test"].sample(arguments.proteins, random_state=1)
    # Chains are compiled when they are first called.
    ways = classifiers(profiles, domains[:1]) | chain_taggers(profiles, 1, slices[:1])
    for way in ways.values():
        way()
    rows = []
    for count in FAMILIES[:2] if arguments.quick else FAMILIES:
        hmms = repeated(profiles, count)
        facts = {"families": count, "threads": arguments.threads}
        ways = classifiers(hmms, domains) | {
            "pyhmmer": lambda hmms=hmms: search(hmms, domains, arguments.threads, False)
        }
        seconds = in_turn(arguments.repeats, **ways)
        rows.append(compare(f"classify {len(domains)} domains, {count} families", seconds, **facts))
        ways = {
            "tagger": lambda count=count: tag(count, slices),
            **chain_taggers(profiles, count, slices),
            "pyhmmer": lambda hmms=hmms: search(hmms, slices, arguments.threads, False),
        }
        seconds = in_turn(arguments.repeats, **ways)
        rows.append(compare(f"tag {len(slices)} proteins, {count} families", seconds, **facts))
        for row in rows[-2:]:
            number = len(domains) if row["comparison"].startswith("classify") else len(slices)
            row["per_second"] = {k: round(number / s, 1) for k, s in row["median_seconds"].items()}
    if not arguments.quick:
        write("families_speed", rows, ("torch", "pyhmmer"))


def repeated(profiles: Sequence[HMM], count: int) -> list[HMM]:
    """So many profiles, each with a name of its own."""
    found = []
    for number, hmm in enumerate(islice(cycle(profiles), count)):
        copy = hmm.copy()
        copy.name = f"{hmm.name}_{number}"
        found.append(copy)
    return found


def classifiers(hmms: Sequence[HMM], domains: pd.DataFrame) -> dict[str, Callable[[], object]]:
    """What classifies the domains among the profiles' families, by name."""
    sequences = domains["sequence"].tolist()
    plain = FinetuneSettings(kind="finetune", start_from="x", head="dropout", **SHARED)
    chain = FinetuneSettings(kind="finetune", head="chain", encoder={"kind": "chain"}, **SHARED)
    names = [hmm.name for hmm in hmms]
    windows = windows_of({hmm.name: hmm.M for hmm in hmms}, names, chain.encoder.kernel)
    ways = {
        "classifier": (Classifier(NETWORK, len(hmms), plain), plain),
        "chain": (Classifier(None, len(hmms), chain, windows=windows), chain),
    }
    naming = FinetuneSettings(kind="finetune", head="pool_max", encoder=PROTCNN, **SHARED)
    first = Classifier(None, len(hmms), naming)
    ways["cascade"] = (Cascade(first, ways["chain"][0], SHORTLIST), naming)
    return {
        name: lambda model=model, settings=settings: log_probabilities(model, settings, sequences)
        for name, (model, settings) in ways.items()
    }


def tag(families: int, slices: pd.DataFrame) -> pd.DataFrame:
    """The tagger's calls on whole slices."""
    settings = TaggerSettings(kind="tagger", start_from="x", **SHARED)
    model = Tagger(NETWORK, families, settings)
    rows = InMemory([encode(s) for s in slices["sequence"]])
    batches = read_in_order(rows, settings.tokens_per_batch, int(rows.lengths.max()))
    names = [str(number) for number in range(families)]
    dtype = number_format("auto", torch.device("cpu"))
    return calls(model, batches, slices, names, GRAMMAR, "tagger", dtype)


def chain_taggers(
    profiles: Sequence[HMM], count: int, slices: pd.DataFrame
) -> dict[str, Callable[[], object]]:
    """The tagger of chained motifs of so many profiles, with its shortlist."""
    rows = InMemory([encode(s) for s in slices["sequence"]])
    once, settings = chained(profiles, min(len(profiles), count))
    batches = list(read_in_order(rows, settings.tokens_per_batch, int(rows.lengths.max())))
    order = np.concatenate([batch.rows for batch in batches]).argsort()
    with torch.inference_mode():
        best_BC = torch.cat([once.best(batch.inputs) for batch in batches])
    fit_chance(once, best_BC.numpy()[order], rows.lengths, {})
    model, _ = chained(profiles, count)
    # What a repeated profile finds by chance is what it finds.
    model.location.data = once.location.data[torch.arange(count) % len(once.location)]
    model.rate.data = once.rate.data[torch.arange(count) % len(once.rate)]
    names = [str(number) for number in range(count)]
    # Profiles are laid out for the shortlist once, as HMMER's are read once.
    model.ungapped.best([np.zeros(1, dtype=np.int64)])
    return {"chain tagger": lambda: calls(model, batches, slices, names, None, "tagger")}


def chained(profiles: Sequence[HMM], count: int) -> tuple[ChainTagger, TaggerSettings]:
    """An untrained tagger of so many profiles, repeated where they are fewer."""
    settings = TaggerSettings(kind="tagger", encoder={"kind": "chain", "kernel": 10}, **SHARED)
    names = [hmm.name for hmm in islice(cycle(profiles), count)]
    windows = windows_of({hmm.name: hmm.M for hmm in profiles}, names, settings.encoder.kernel)
    model = ChainTagger(settings, windows).eval()
    even = np.full(len(STANDARD), 1 / len(STANDARD))
    model.encoder.start_from({hmm.name: log_odds(hmm, even) for hmm in profiles}, names)
    return model, settings


if __name__ == "__main__":
    main()
