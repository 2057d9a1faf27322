"""Top-pick profile HMM: ours, in process, against the HMMER programs on the same domains.

python benchmarks/profile_hmm.py --results results/demo
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from common import compare, in_turn, parser, write
from pfamformer.methods.profile_hmm import build_profiles, search
from pfamformer.tables import read_table


def main() -> None:
    """Build and search both ways in turn, without and with the second pass."""
    arguments = parser(__doc__)
    arguments.add_argument("--results", default="results/demo", help="folder of a finished project")
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()
    results = Path(arguments.results)
    domains = read_table("domains", results / "domains/domains.parquet")
    split = read_table("split", results / "splits/clustered/split.parquet")
    part = domains["id"].map(split.set_index("id")["part"])
    if arguments.quick:
        few = sorted(set(domains["family"]))[:5]
        part = part.where(domains["family"].isin(few), "")
    train, test = set(domains.loc[part == "train", "id"]), domains[part == "test"]
    seed = results / "sources/Pfam-A.seed.gz"
    built = list(build_profiles(seed, train, 10, seed=1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open(folder / "train.sto", "wb") as out:
            for _, alignment in built:
                alignment.write(out, "stockholm")
        hmms = [hmm for hmm, _ in built]
        found = set(search(hmms, test, arguments.threads, second_pass=False)["id"])
        for file, rows in {"test": test, "rest": test[~test["id"].isin(found)]}.items():
            fasta = "".join(f">{i}\n{s}\n" for i, s in enumerate(rows["sequence"]))
            (folder / f"{file}.fasta").write_text(fasta)
        facts = {"families": len(hmms), "domains": len(test), "threads": arguments.threads}
        hmmer = lambda *words: _program(folder, *words)  # noqa: E731
        options = ("hmmsearch", "--cpu", arguments.threads, "--noali", "-E", 10)
        rows = [
            compare(
                "build",
                in_turn(
                    arguments.repeats,
                    pfamformer=lambda: list(build_profiles(seed, train, 10, seed=1)),
                    hmmbuild=lambda: hmmer(
                        "hmmbuild", "--amino", "--cpu", 0, "all.hmm", "train.sto"
                    ),
                ),
                **facts,
            ),
            compare(
                "search, first pass",
                in_turn(
                    arguments.repeats,
                    pfamformer=lambda: search(hmms, test, arguments.threads, second_pass=False),
                    hmmsearch=lambda: hmmer(*options, "all.hmm", "test.fasta"),
                ),
                **facts,
            ),
            compare(
                "search, both passes",
                in_turn(
                    arguments.repeats,
                    pfamformer=lambda: search(hmms, test, arguments.threads),
                    hmmsearch=lambda: (
                        hmmer(*options, "all.hmm", "test.fasta"),
                        len(found) < len(test)
                        and hmmer(*options, "--max", "all.hmm", "rest.fasta"),
                    ),
                ),
                **facts,
            ),
        ]
    if not arguments.quick:
        write("profile_hmm", rows, ("pyhmmer", "hmmer"))


def _program(folder: Path, *words: object) -> None:
    command = [str(Path(sys.executable).parent / str(words[0])), *map(str, words[1:])]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
