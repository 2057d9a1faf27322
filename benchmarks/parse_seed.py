"""Reading Pfam-A.seed.gz: ours against Biopython's reader and against decompressing alone.

python benchmarks/parse_seed.py --seed results/demo/sources/Pfam-A.seed.gz

The entries of the given seed file are repeated, each copy with a tenth of its residues replaced, to
10,000, 100,000 and 1,000,000 rows.
"""

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from Bio import AlignIO
from xopen import xopen

from common import ROOT, compare, in_turn, parser, processor_seconds, write
from pfamformer.families.seed import Limits, parse_seed
from pfamformer.sequences.stockholm import read_blocks

# Share of residues replaced in a copy: rows stay alike, as in a real family, and gzip cannot cheat.
REPLACED = 0.1
TABLE = "domains.parquet"
AMINO = np.frombuffer(b"ACDEFGHIKLMNPQRSTVWY", np.uint8)


def main() -> None:
    """Compare on 100,000 rows; then time and memory of the script at three sizes."""
    arguments = parser(__doc__)
    arguments.add_argument("--seed", default="results/demo/sources/Pfam-A.seed.gz")
    arguments = arguments.parse_args()
    sizes = [1_000, 20_000, 80_000] if arguments.quick else [10_000, 100_000, 1_000_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {size: folder / f"{size}.sto.gz" for size in sizes}
        read = {size: copies(arguments.seed, path, size) for size, path in files.items()}
        middle = files[sizes[1]]
        ways = {
            "pfamformer": lambda: ours(middle, folder),
            "biopython": lambda: biopython(middle),
            "zlib": lambda: decompress(gzip.open, middle),
            "isal": lambda: decompress(partial(xopen, threads=0), middle),
        }
        ways["pfamformer"]()  # compiles
        # The rule replaces no table: giving back the space of an old one is none of its work.
        emptied = partial((folder / TABLE).unlink, missing_ok=True)
        used = {name: processor_seconds(way, first=emptied) for name, way in ways.items()}
        rows = [
            compare(
                "parse and write, against reading and against decompressing alone",
                in_turn(arguments.repeats, first=emptied, **ways),
                rows=read[sizes[1]],
                processor_seconds=used,
            )
        ]
        print("processor time:", ", ".join(f"{name} {spent:.3f} s" for name, spent in used.items()))
        parsing = {
            size: processor_seconds(partial(ours, path, folder), first=emptied)
            for size, path in files.items()
        }
        measured = [
            script(files[size], read[size], folder) | {"parsing_seconds": parsing[size]}
            for size in sizes
        ]
    exponent = growth(measured)
    print(f"time grows with rows to the power {exponent:.3f}, ratio={exponent:.3f}")
    rows.append({"comparison": "growth", "sizes": measured, "exponent": exponent})
    if not arguments.quick:
        write("parse_seed", rows, ("biopython", "isal", "pyarrow", "numpy"))


def copies(source: str, path: Path, rows: int) -> int:
    """Write at least this many rows; returns how many."""
    stream = np.random.default_rng(1)
    # Rows without a place, such as faults planted in test data, would stop Biopython.
    texts = [
        b"".join(
            line
            for line in bytes(block.text).splitlines(keepends=True)
            if line.startswith(b"#") or b"/" in line
        )
        for block in read_blocks(source)
    ]
    entries = [(text, *residues(text)) for text in texts]
    written = number = 0
    with gzip.open(path, "wb", compresslevel=6) as out:
        while written < rows:
            for text, positions, count in entries:
                number += 1
                letters = np.frombuffer(text, np.uint8).copy()
                hit = positions[stream.random(len(positions)) < REPLACED]
                letters[hit] = stream.choice(AMINO, len(hit))
                head, _, rest = letters.tobytes().partition(b"#=GF AC")
                out.write(
                    b"%b#=GF AC   PF%07d.1\n%b//\n" % (head, number, rest.partition(b"\n")[2])
                )
                written += count
                if written >= rows:
                    break
    return written


def residues(text: bytes) -> tuple[np.ndarray, int]:
    """Positions of all residues in the aligned rows of an entry, and the number of rows."""
    position, found, rows = 0, [], 0
    for line in text.split(b"\n"):
        if line and not line.startswith(b"#"):
            start = line.rindex(b" ") + 1
            found.append(np.arange(position + start, position + len(line)))
            rows += 1
        position += len(line) + 1
    positions = np.concatenate(found)
    return positions[np.frombuffer(text, np.uint8)[positions] >= ord("A")], rows


def ours(path: Path, folder: Path) -> None:
    """What the rule ``parse_seed`` does, without starting Python."""
    parse_seed(path, folder / TABLE, Limits(1, 1.0, 1.0))


def biopython(path: Path) -> int:
    """All rows by Biopython."""
    with gzip.open(path, "rt") as text:
        return sum(len(alignment) for alignment in AlignIO.parse(text, "stockholm"))


def decompress(opener: Callable, path: Path) -> None:
    """Read to the end and do nothing with it."""
    with opener(path, "rb") as file:
        while file.read(1 << 18):
            pass


def script(path: Path, rows: int, folder: Path) -> dict:
    """Seconds and peak memory of the workflow's script in a process of its own."""
    command = [
        sys.executable, ROOT / "workflow/scripts/parse_seed.py", "--seed", path, "--domains",
        folder / "d", "--rejects", folder / "r.tsv", "--max-reject-share", 1,
    ]  # fmt: skip
    child = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0
    # Processor time, not the clock: other work on the machine does not count.
    seconds, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(f"script, {rows} rows: {seconds:.2f} s of processor time, {memory:.0f} MiB", flush=True)
    return {"rows": rows, "processor_seconds": seconds, "peak_mib": memory}


def growth(measured: list[dict]) -> float:
    """Slope of log processor time over log rows; starting is no work and is not counted."""
    rows, seconds = ([row[key] for row in measured] for key in ("rows", "parsing_seconds"))
    return float(np.polyfit(np.log(rows), np.log(seconds), 1)[0])


if __name__ == "__main__":
    main()
