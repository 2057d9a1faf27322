"""Annotation against hmmscan: profile HMMs alone, then with all networks; memory of each step.

python benchmarks/annotate.py --results results/demo
"""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, compare, in_turn, parser, write
from pfamformer.sequences.fasta import read_fasta, write_fasta

#: Files that are longer by this factor must not need more memory.
LONGER = 3


def main() -> None:
    """Annotate a sample both ways in turn; then once a longer file, for its memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--results", default="results/demo", help="folder of a finished project")
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()
    results = Path(arguments.results).resolve()
    # Every 30th protein of the proteome, and every 10th: all families, in proportion. --quick:
    # every 300th and every 100th.
    every = 300 if arguments.quick else 30
    proteome = list(read_fasta(results / "sources/pfamseq.gz"))
    with tempfile.TemporaryDirectory() as name:
        annotation = Annotation(Path(name), results / "model", arguments.threads)
        # What a protein needs grows with its length: the longest one (titin) is in both.
        longest = max(proteome, key=lambda protein: len(protein[1]))
        sizes = {
            query: [longest, *(p for p in proteome[::step] if p != longest)]
            for query, step in (("query", every), ("longer", every // LONGER))
        }
        for query, proteins in sizes.items():
            write_fasta(annotation.folder / f"{query}.fasta", proteins)
        facts = {
            "proteins": len(sizes["query"]),
            "residues": sum(len(sequence) for _, sequence in sizes["query"]),
            "profiles": annotation.press(),
            "threads": arguments.threads,
        }
        hmmscan = functools.partial(annotation.hmmscan, "query")
        seconds = in_turn(
            arguments.repeats,
            profiles=lambda: annotation.scan("query"),
            networks=lambda: annotation.read("query"),
            pages=lambda: annotation.join("query"),
            hmmscan=hmmscan,
        )
        alone = {"pfamformer": seconds["profiles"], "hmmscan": seconds["hmmscan"]}
        steps = (seconds[step] for step in ("profiles", "networks", "pages"))
        whole = {"pfamformer": [sum(turn) for turn in zip(*steps, strict=True)],
                 "hmmscan": seconds["hmmscan"]}  # fmt: skip
        rows = [
            compare("profile HMMs alone", alone, **facts),
            compare("with tagger, family network, GO network and pages", whole, **facts),
            *_memory(annotation, {query: len(proteins) for query, proteins in sizes.items()}),
        ]
    if not arguments.quick:
        write("annotate", rows, ("pyhmmer", "hmmer", "torch"))


def _memory(annotation: "Annotation", proteins: dict[str, int]) -> list[dict]:
    rows = []
    for step in ("scan", "read", "join"):
        peak = {query: getattr(annotation, step)(query) for query in proteins}
        ratio = peak["longer"] / peak["query"]
        print(
            f"memory of {step}: {peak['query']} MB for {proteins['query']} proteins, "
            f"{peak['longer']} MB for {proteins['longer']}, ratio={ratio:.2f}", flush=True,
        )  # fmt: skip
        rows.append({"comparison": f"peak memory of {step}, MB", "proteins": proteins,
                     "peak_memory_mb": peak, "ratio": ratio})  # fmt: skip
    return rows


class Annotation:
    """The steps of the workflow's annotation as command lines, and hmmscan.

    Each returns its peak memory in MB; the start of Python is included.
    """

    def __init__(self, folder: Path, model: Path, threads: int) -> None:
        self.folder, self.model, self.threads = folder, model, str(threads)
        self.profiles = folder / "profiles.hmm"

    def press(self) -> int:
        """Prepare the profiles for hmmscan; returns their number."""
        self.profiles.write_bytes((self.model / "profiles.hmm").read_bytes())
        self._run([_program("hmmpress"), self.profiles])
        return self.profiles.read_text().count("\n//")

    def hmmscan(self, query: str) -> int:
        """The program, with as many threads."""
        return self._run(
            [_program("hmmscan"), "--cpu", "0" if self.threads == "1" else self.threads, "--noali",
             "-E", "0.001", "--domtblout", "out.txt", self.profiles, f"{query}.fasta"]
        )  # fmt: skip

    def scan(self, query: str) -> int:
        """Profile HMMs."""
        return self._script(
            "scan_query", "--query", f"{query}.fasta", "--profiles", self.profiles,
            "--evalue", "0.001", "--threads", self.threads, "--hits", f"{query}.hits.parquet",
            "--proteins", f"{query}.parquet", "--problems", "problems.tsv",
            "--summary", f"{query}.json",
        )  # fmt: skip

    def read(self, query: str) -> int:
        """Tagger, family network and GO network."""
        return self._script(
            "read_query", "--query", f"{query}.fasta", "--model", self.model,
            "--hits", f"{query}.hits.parquet", "--least-probability", "0.2",
            "--threads", self.threads, *self._calls(query),
        )  # fmt: skip

    def join(self, query: str) -> int:
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

    def _script(self, name: str, *words: object) -> int:
        return self._run([sys.executable, ROOT / f"workflow/scripts/{name}.py", *words])

    def _run(self, command: list) -> int:
        measured = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
            "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", measured, *map(str, command)],
            cwd=self.folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return int(ended.stdout)


def _program(name: str) -> Path:
    return Path(sys.executable).parent / name


if __name__ == "__main__":
    main()
