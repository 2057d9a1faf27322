"""Annotation against hmmscan: profile HMMs alone, then with all networks; memory of each step.

python benchmarks/annotate.py --results results/demo
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from common import ROOT, compare, parser, write
from pfamformer.sequences.fasta import read_fasta, write_fasta

#: Files that are longer by these factors must not need more memory.
LONGER = {"longer": 3, "longest": 9}


def main() -> None:
    """Annotate a sample both ways in turn; then longer files once, for their memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--results", default="results/demo", help="folder of a finished project")
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()
    results = Path(arguments.results).resolve()
    # Every 90th protein of the proteome, every 30th and every 10th: all families, in proportion.
    # --quick: every 900th, 300th and 100th.
    every = 900 if arguments.quick else 90
    proteome = list(read_fasta(results / "sources/pfamseq.gz"))
    with tempfile.TemporaryDirectory() as name:
        annotation = Annotation(Path(name), results / "model", arguments.threads)
        # What a protein needs grows with its length: the longest one (titin) is in all.
        longest = max(proteome, key=lambda protein: len(protein[1]))
        sizes = {
            query: [longest, *(p for p in proteome[::step] if p != longest)]
            for query, step in {
                "query": every, **{query: every // factor for query, factor in LONGER.items()},
            }.items()
        }  # fmt: skip
        for query, proteins in sizes.items():
            write_fasta(annotation.folder / f"{query}.fasta", proteins)
        facts = {
            "proteins": len(sizes["query"]),
            "residues": sum(len(sequence) for _, sequence in sizes["query"]),
            "profiles": annotation.press(),
            "threads": arguments.threads,
        }
        steps = ("scan", "read", "join", "hmmscan")
        costs = {step: [] for step in steps}
        for _ in range(arguments.repeats):
            for step in steps:
                costs[step].append(getattr(annotation, step)("query"))
        seconds = {step: [cost.seconds for cost in found] for step, found in costs.items()}
        whole = [sum(turn) for turn in zip(*(seconds[s] for s in steps[:3]), strict=True)]
        rows = [
            compare(
                f"{title}, processor seconds",
                {"pfamformer": ours, "hmmscan": seconds["hmmscan"]},
                **facts,
            )
            for title, ours in (
                ("profile HMMs alone", seconds["scan"]),
                ("with tagger, family network, GO network and pages", whole),
            )
        ]
        for step in steps[:3]:
            peak = {facts["proteins"]: max(cost.memory for cost in costs[step])}
            peak |= {len(sizes[query]): getattr(annotation, step)(query).memory for query in LONGER}
            small, *_, large = peak.values()
            print(f"peak memory of {step}, MB, by proteins: {peak}, ratio={large / small:.2f}",
                  flush=True)  # fmt: skip
            rows.append({"comparison": f"peak memory of {step}, MB, by proteins", **peak,
                         "ratio": large / small})  # fmt: skip
    if not arguments.quick:
        write("annotate", rows, ("pyhmmer", "hmmer", "torch"))


class Cost(NamedTuple):
    """Processor seconds, which other work on the machine hardly changes, and peak memory in MB."""

    seconds: float
    memory: int


class Annotation:
    """The steps of the workflow's annotation as command lines, and hmmscan.

    Each returns its cost; the start of Python is included.
    """

    def __init__(self, folder: Path, model: Path, threads: int) -> None:
        self.folder, self.model, self.threads = folder, model, str(threads)
        self.profiles = folder / "profiles.hmm"

    def press(self) -> int:
        """Prepare the profiles for hmmscan; returns their number."""
        self.profiles.write_bytes((self.model / "profiles.hmm").read_bytes())
        self._run([_program("hmmpress"), self.profiles])
        return self.profiles.read_text().count("\n//")

    def hmmscan(self, query: str) -> Cost:
        """The program, with as many threads."""
        return self._run(
            [_program("hmmscan"), "--cpu", "0" if self.threads == "1" else self.threads, "--noali",
             "-E", "0.001", "--domtblout", "out.txt", self.profiles, f"{query}.fasta"]
        )  # fmt: skip

    def scan(self, query: str) -> Cost:
        """Profile HMMs."""
        return self._script(
            "scan_query", "--query", f"{query}.fasta", "--profiles", self.profiles,
            "--evalue", "0.001", "--threads", self.threads, "--hits", f"{query}.hits.parquet",
            "--proteins", f"{query}.parquet", "--problems", "problems.tsv",
            "--summary", f"{query}.json",
        )  # fmt: skip

    def read(self, query: str) -> Cost:
        """Tagger, family network and GO network."""
        return self._script(
            "read_query", "--query", f"{query}.fasta", "--model", self.model,
            "--hits", f"{query}.hits.parquet", "--least-probability", "0.2",
            "--threads", self.threads, *self._calls(query),
        )  # fmt: skip

    def join(self, query: str) -> Cost:
        """Tables, GFF3 and page."""
        calls = dict(zip(*[iter(self._calls(query))] * 2, strict=True))
        return self._script(
            "annotate", "--proteins", f"{query}.parquet", "--summary", f"{query}.json",
            "--calls", f"{query}.hits.parquet", calls["--classifier"], calls["--tagger"],
            "--terms", calls["--terms"], "--model", self.model, "--least-probability", "0.2",
            "--shown", "200", "--title", query, "--command", "-",
            "--template", ROOT / "workflow/report/annotation.html.j2",
            "--table", "domains.tsv", "--term-table", "terms.tsv", "--gff3", "domains.gff3",
            "--page", "annotation.html",
        )  # fmt: skip

    def _calls(self, query: str) -> list[str]:
        return [
            word
            for method in ("tagger", "classifier", "terms")
            for word in (f"--{method}", f"{query}.{method}.parquet")
        ]

    def _script(self, name: str, *words: object) -> Cost:
        return self._run([sys.executable, ROOT / f"workflow/scripts/{name}.py", *words])

    def _run(self, command: list) -> Cost:
        measured = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
            "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
            "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
            "print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", measured, *map(str, command)],
            cwd=self.folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        seconds, memory = ended.stdout.split()
        return Cost(float(seconds), int(memory))


def _program(name: str) -> Path:
    return Path(sys.executable).parent / name


if __name__ == "__main__":
    main()
