"""UniParc FASTA to token shards, against decompressing alone with isal and against Bio.SeqIO.

python benchmarks/uniparc_shards.py --results results/demo

The chunks are real proteins, replicated and mutated, in UniParc's layout. Bio.SeqIO is timed twice:
reading all records and doing nothing with them, and writing the same shard from them, byte for
byte, but for the search for held-out domains and the validation part, which only ours has. Times
are of the library in process; peak memory is that of the rule's own command on the same chunk.
"""

import gzip
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from Bio import SeqIO
from isal import igzip
from xxhash import xxh64_intdigest

from common import ROOT, compare, in_turn, parser, processor_seconds, write
from pfamformer.families.corpora import Limits, Selection
from pfamformer.families.corpus_shard import write_protein_shard
from pfamformer.families.held_out import HeldOut
from pfamformer.sequences.alphabet import TRANSLATION
from pfamformer.sequences.blocks import BLOCK
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sequences.fasta_blocks import fasta_blocks
from pfamformer.sequences.shards import KINDS
from pfamformer.tables import read_table

LIMITS = Limits(min_length=20, max_length=100_000, max_ambiguous=0.1)
UNSURE = (b"X", b"B", b"Z")
MUTATED = 0.1  # share of residues drawn anew in each copy
WRITTEN = "written-"  # folders of shards


def main() -> None:
    """Build chunks, convert them, fit the growth of time, measure memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--results", default="results/demo", help="folder of a finished project")
    arguments = arguments.parse_args()
    results = Path(arguments.results)
    proteins = [s for _, s in read_fasta(results / "sources/pfamseq.gz")]
    held_out = results / "splits/clustered/held_out.parquet"
    away = HeldOut(read_table("domains", held_out)["sequence"])
    sizes = [1000, 10_000] if arguments.quick else [10_000, 100_000, 1_000_000]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            chunk = Path(name) / f"{size}.fasta.gz"
            text_bytes = write_chunk(chunk, proteins, size)
            ways = {
                "pfamformer": partial(convert, chunk, away),
                "isal_decompress": partial(decompress, chunk),
                "bio_seqio_parse": partial(parse, chunk),
                "bio_seqio_shards": partial(convert_with_biopython, chunk),
            }
            ways["pfamformer"]()  # compiles
            if size == sizes[0]:
                check(chunk)
            emptied = partial(empty, name)
            used = {n: processor_seconds(way, first=emptied) for n, way in ways.items()}
            row = compare(
                f"{size} sequences",
                in_turn(arguments.repeats, first=emptied, **ways),
                sequences=size,
                text_bytes=text_bytes,
                processor_seconds=used,
            )
            emptied()
            row["peak_memory_mb"] = peak_memory(chunk, held_out)
            print("processor time:", ", ".join(f"{n} {s:.3f} s" for n, s in used.items()))
            print(f"{size} sequences: peak {row['peak_memory_mb']:.0f} MB", flush=True)
            rows.append(row)
            chunk.unlink()
    # Processor time: other work on the machine does not count.
    seconds = [row["processor_seconds"]["pfamformer"] for row in rows]
    exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    last = math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])
    print(f"time grows with exponent {exponent:.3f} (last decade {last:.3f})")
    rows.append({"growth_exponent": exponent, "growth_exponent_of_the_last_decade": last})
    if not arguments.quick:
        write("uniparc_shards", rows, ("isal", "biopython", "xxhash", "numba", "xopen", "numpy"))


def write_chunk(path: Path, proteins: list[str], size: int) -> int:
    """``size`` proteins, from the second round on mutated, 60 residues a line; bytes of text."""
    stream = np.random.default_rng(1)
    letters = np.frombuffer(b"ACDEFGHIKLMNPQRSTVWY", np.uint8)
    written = 0
    with gzip.open(path, "wb", compresslevel=6) as out:
        for number in range(size):
            sequence = np.frombuffer(proteins[number % len(proteins)].encode(), np.uint8)
            if number >= len(proteins):
                hit = stream.random(len(sequence)) < MUTATED
                sequence = np.where(hit, stream.choice(letters, len(sequence)), sequence)
            text = sequence.astype(np.uint8).tobytes()
            lines = b"\n".join(text[i : i + 60] for i in range(0, len(text), 60))
            written += out.write(b">UPI%010X status=active\n%b\n" % (number, lines))
    return written


def empty(folder: str) -> None:
    """Delete the shards that were written."""
    for shards in Path(folder).glob(f"{WRITTEN}*"):
        shutil.rmtree(shards)


def convert(chunk: Path, away: HeldOut) -> None:
    """What the rule ``corpus_shard`` does; the files are deleted when nobody counts."""
    folder = Path(tempfile.mkdtemp(prefix=WRITTEN, dir=chunk.parent))
    write_protein_shard(folder, "p1", fasta_blocks(chunk), Selection(away, LIMITS), 0.01)


def decompress(chunk: Path) -> None:
    """Read all of it, in blocks of the same size."""
    with igzip.open(chunk, "rb") as file:
        while file.read(BLOCK):
            pass


def parse(chunk: Path) -> None:
    """Read all records, and do nothing with them."""
    with igzip.open(chunk, "rt") as file:
        for _ in SeqIO.parse(file, "fasta"):
            pass


def convert_with_biopython(chunk: Path) -> Path:
    """Filter, translate, hash, write and checksum record by record; returns the folder."""
    folder = Path(tempfile.mkdtemp(prefix=WRITTEN, dir=chunk.parent))
    digests, end = {kind: hashlib.sha256() for kind in KINDS}, 0
    with ExitStack() as stack:
        files = {k: stack.enter_context(open(folder / f"p1.{k}", "wb")) for k in KINDS}

        def add(kind: str, content: bytes) -> None:
            files[kind].write(content)
            digests[kind].update(content)

        add("offsets", bytes(8))
        text = stack.enter_context(igzip.open(chunk, "rt"))
        for record in SeqIO.parse(text, "fasta"):
            letters = str(record.seq).upper().encode()
            unsure = sum(map(letters.count, UNSURE))
            if not LIMITS.min_length <= len(letters) <= LIMITS.max_length:
                continue
            if unsure > LIMITS.max_ambiguous * len(letters):
                continue
            tokens = letters.translate(TRANSLATION)
            end += len(tokens)
            add("tokens", tokens)
            add("offsets", end.to_bytes(8, "little"))
            add("hashes", xxh64_intdigest(tokens).to_bytes(8, "little"))
    return folder


def check(chunk: Path) -> None:
    """Both write the same bytes where ours neither looks for held-out domains nor validates."""
    folder = Path(tempfile.mkdtemp(prefix=WRITTEN, dir=chunk.parent))
    write_protein_shard(folder, "p1", fasta_blocks(chunk), Selection(None, LIMITS), 0.0)
    theirs = convert_with_biopython(chunk)
    for kind in KINDS:
        name = f"p1.{kind}"
        if (folder / "train" / name).read_bytes() != (theirs / name).read_bytes():
            raise SystemExit(f"{kind} differ")


def peak_memory(chunk: Path, held_out: Path) -> float:
    """Peak resident memory of the rule's command, MB."""
    with tempfile.TemporaryDirectory(dir=chunk.parent) as folder:
        command = [
            sys.executable, ROOT / "workflow/scripts/corpus_shard.py", "--held-out", held_out,
            "--fasta", chunk, "--min-length", 20, "--max-length", 100_000, "--max-ambiguous", 0.1,
            "--fraction", 1, "--valid-share", 0.01, "--name", "p1", "--folder", folder,
        ]  # fmt: skip
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        shard = json.loads((Path(folder) / "shards/p1.json").read_text())
        if process.returncode or not shard["train"]["sequences"]:
            raise SystemExit("the rule's command failed")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
