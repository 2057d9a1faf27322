"""Write one shard of a pretraining corpus: its tokens, and what was left out."""

import argparse
import json
from pathlib import Path

from pfamformer.command import atomic_path, log, run
from pfamformer.families.corpora import HeldOut, Selection, is_validation
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sequences.shards import write_shard
from pfamformer.tables import read_table


def main() -> None:
    """Parse, select, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument(
        "--split", required=True, help="split.parquet whose held-out parts are kept away"
    )
    parser.add_argument("--proteins", help="proteins.parquet: read proteins instead of domains")
    parser.add_argument("--fasta", help="FASTA file: read it instead of domains")
    parser.add_argument("--min-length", type=int, required=True)
    parser.add_argument("--valid-share", type=float, required=True)
    parser.add_argument("--name", required=True, help="name of the shard")
    parser.add_argument("--folder", required=True, help="folder of the corpus")
    arguments = parser.parse_args()
    domains = read_table("domains", arguments.domains)
    split = read_table("split", arguments.split)
    select = Selection(HeldOut(domains, split), arguments.min_length)
    if arguments.fasta or arguments.proteins:
        source = (
            (sequence.upper() for _, sequence in read_fasta(arguments.fasta))
            if arguments.fasta
            else read_table("proteins", arguments.proteins)["sequence"]
        )
        kept = list(select(source))
        valid = [s for s in kept if is_validation(s, arguments.valid_share)]
        train = [s for s in kept if not is_validation(s, arguments.valid_share)]
    else:
        part = domains["id"].map(split.set_index("id")["part"])
        train = list(select(domains.loc[part == "train", "sequence"]))
        valid = sorted(set(domains.loc[part == "dev", "sequence"]))
    folder = Path(arguments.folder)
    entries = {
        "counts": select.counts,
        "train": write_shard(folder / "train", arguments.name, train),
        "valid": write_shard(folder / "valid", arguments.name, valid),
    }
    log.info("%s", select.counts)
    with atomic_path(folder / "shards" / f"{arguments.name}.json") as temporary:
        temporary.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
