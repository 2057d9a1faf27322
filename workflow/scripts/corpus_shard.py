"""Write one shard of a pretraining corpus: its tokens, and what was left out."""

import argparse
import json
from pathlib import Path

from pfamformer.command import atomic_path, log, run
from pfamformer.families.corpora import Limits, Selection
from pfamformer.families.corpus_shard import write_domain_shard, write_protein_shard
from pfamformer.families.held_out import HeldOut
from pfamformer.sequences.blocks import blocks_of
from pfamformer.sequences.fasta_blocks import fasta_blocks
from pfamformer.tables import read_table


def main() -> None:
    """Parse, select, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held-out", required=True, help="held_out.parquet: domains kept away")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--fasta", help="FASTA file")
    source.add_argument("--proteins", help="proteins.parquet")
    source.add_argument("--domains", help="domains.parquet")
    parser.add_argument("--split", help="split.parquet, for domains")
    parser.add_argument("--min-length", type=int, required=True)
    parser.add_argument("--max-length", type=int, required=True)
    parser.add_argument("--max-ambiguous", type=float, required=True)
    parser.add_argument("--fraction", type=float, required=True)
    parser.add_argument("--valid-share", type=float, required=True)
    parser.add_argument("--name", required=True, help="name of the shard")
    parser.add_argument("--folder", required=True, help="folder of the corpus")
    arguments = parser.parse_args()
    held_out = HeldOut(read_table("domains", arguments.held_out)["sequence"])
    limits = Limits(
        arguments.min_length, arguments.max_length, arguments.max_ambiguous, arguments.fraction
    )
    select, folder = Selection(held_out, limits), Path(arguments.folder)
    if arguments.domains:
        domains, split = read_table("domains", arguments.domains), arguments.split
        part = domains["id"].map(read_table("split", split).set_index("id")["part"])
        entries = write_domain_shard(folder, arguments.name, domains["sequence"], part, select)
    else:
        blocks = (
            fasta_blocks(arguments.fasta)
            if arguments.fasta
            else blocks_of(read_table("proteins", arguments.proteins)["sequence"])
        )
        entries = write_protein_shard(folder, arguments.name, blocks, select, arguments.valid_share)
    log.info("%s", select.counts)
    with atomic_path(folder / "shards" / f"{arguments.name}.json") as temporary:
        temporary.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
