"""Annotation with profile HMMs against hmmscan on the same proteins, and its memory.

python benchmarks/annotate.py --results results/demo
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, compare, in_turn, parser, write
from pfamformer.sequences.fasta import read_fasta, write_fasta


def main() -> None:
    """Scan a sample both ways in turn; then once a file ten times as long, for its memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--results", default="results/demo", help="folder of a finished project")
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()
    results = Path(arguments.results).resolve()
    # Every 10th protein of the proteome: all families, in proportion. --quick: every 200th.
    proteins = list(read_fasta(results / "sources/pfamseq.gz"))[:: 200 if arguments.quick else 10]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_fasta(folder / "query.fasta", proteins)
        longer = ((f"{i}_{h}", s) for i in range(10) for h, s in proteins)
        write_fasta(folder / "longer.fasta", longer)
        profiles = folder / "profiles.hmm"
        source = results / "baselines/profile_hmm/clustered/profiles.hmm"
        profiles.write_bytes(source.read_bytes())
        programs = Path(sys.executable).parent
        subprocess.run([programs / "hmmpress", profiles], check=True, stdout=subprocess.DEVNULL)
        threads = str(arguments.threads)
        hmmscan = [programs / "hmmscan", "--cpu", "0" if threads == "1" else threads, "--noali",
                   "-E", "0.001", "--domtblout", "out.txt", profiles, "query.fasta"]  # fmt: skip
        memory = {}
        facts = {
            "proteins": len(proteins),
            "residues": sum(len(s) for _, s in proteins),
            "profiles": profiles.read_text().count("\n//"),
            "threads": arguments.threads,
        }
        seconds = in_turn(
            arguments.repeats,
            pfamformer=lambda: memory.update(once=_scan(folder, "query.fasta", threads)),
            hmmscan=lambda: subprocess.run(
                hmmscan, cwd=folder, check=True, stdout=subprocess.DEVNULL
            ),
        )
        memory["ten_times"] = _scan(folder, "longer.fasta", threads)
        ratio = memory["ten_times"] / memory["once"]
        print(f"memory: {memory['once']} MB, ten times the proteins {memory['ten_times']} MB, "
              f"ratio={ratio:.2f}", flush=True)  # fmt: skip
        rows = [compare("annotation", seconds, **facts, peak_memory_mb=memory)]
    if not arguments.quick:
        write("annotate", rows, ("pyhmmer", "hmmer"))


def _scan(folder: Path, query: str, threads: str) -> int:
    """Run the script of the workflow, start of Python included; peak memory in MB."""
    script = ROOT / "workflow/scripts/scan_query.py"
    command = [sys.executable, script, "--query", query, "--profiles", "profiles.hmm",
               "--evalue", "0.001", "--threads", threads, "--hits", "hits.parquet",
               "--proteins", "query.parquet", "--problems", "problems.tsv",
               "--summary", "query.json"]  # fmt: skip
    measured = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stderr=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", measured, *map(str, command)],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(ended.stdout)


if __name__ == "__main__":
    main()
