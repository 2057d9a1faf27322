"""Find the connected components of similar domains within each family."""

import argparse
import json

from pfamformer.command import atomic_path, log, run
from pfamformer.families.linkage import link_by_search
from pfamformer.families.seed_identity import link_by_alignment
from pfamformer.tables import read_table, write_table


def main() -> None:
    """Parse, link, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--alignments", help="Pfam-A.seed.gz: take identity from it; no search")
    parser.add_argument("--min-identity", type=float, required=True)
    parser.add_argument("--min-coverage", type=float, required=True)
    parser.add_argument("--min-bits", type=float, required=True)
    parser.add_argument("--exhaustive-up-to", type=int, required=True, help="domains of a family")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, help="components.parquet")
    parser.add_argument("--about", required=True, help="output: components.json")
    arguments = parser.parse_args()
    domains = read_table("domains", arguments.domains)
    if arguments.alignments:
        found = link_by_alignment(domains, arguments.alignments, arguments.min_identity)
    else:
        found = link_by_search(
            domains,
            min_identity=arguments.min_identity,
            min_coverage=arguments.min_coverage,
            min_bits=arguments.min_bits,
            exhaustive_up_to=arguments.exhaustive_up_to,
            threads=arguments.threads,
            seed=arguments.seed,
        )
    table = domains[["id", "family"]].assign(component=found.components.astype("int32"))
    log.info("%d components of %d domains", found.components.max() + 1, len(table))
    about = {
        "alignments": found.alignments,
        "alignments_of_all_pairs": found.all_pairs,
        "families_beyond_exhaustive_up_to": found.beyond,
    }
    write_table(table, "components", arguments.output)
    with atomic_path(arguments.about) as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
