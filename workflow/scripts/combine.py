"""Combine finished methods into one; weights, where they are fitted, come from the dev part."""

import argparse
from pathlib import Path

from pfamformer.command import log, run
from pfamformer.methods.combination import (
    Member,
    average,
    fit,
    method_name,
    weighted,
    write_about,
)
from pfamformer.methods.outputs import SCORED, parts_of, write_outputs
from pfamformer.tables import read_table


def main() -> None:
    """Parse, combine, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--members", required=True, nargs="+", help="names")
    parser.add_argument("--scores", required=True, nargs="+", help="their scores.parquet")
    parser.add_argument("--units", required=True, nargs="+", help="nats, bits or cosine, of each")
    parser.add_argument("--rule", choices=["probability", "log_probability", "fitted"])
    parser.add_argument("--run", required=True)
    parser.add_argument("--candidates", type=int, required=True, help="families kept per domain")
    parser.add_argument("--output", required=True, type=Path, help="folder")
    arguments = parser.parse_args()
    parts = parts_of(read_table("domains", arguments.domains), read_table("split", arguments.split))
    members = [
        Member(name, read_table("scores", path), unit)
        for name, path, unit in zip(
            arguments.members, arguments.scores, arguments.units, strict=True
        )
    ]
    about = {"rule": arguments.rule, "members": arguments.members}
    if arguments.rule == "fitted":
        found = fit(members, dict(zip(parts["dev"]["id"], parts["dev"]["family"], strict=True)))
        log.info("weights %s", found.weights)
        about |= vars(found)
        scores = {part: weighted(members, found.weights, part) for part in SCORED}
    else:
        logarithmic = arguments.rule == "log_probability"
        scores = {part: average(members, part, logarithmic) for part in SCORED}
    write_outputs(
        scores,
        parts,
        arguments.output,
        method=method_name(arguments.rule, arguments.members),
        run=arguments.run,
        limit=arguments.candidates,
        logarithmic=True,
    )
    write_about(arguments.output, about)


if __name__ == "__main__":
    run(main)
