"""Build the localisation data set, with a split of proteins and its leakage certificate."""

import argparse
import json

import pandas as pd

from pfamformer.command import atomic_path, log, run
from pfamformer.families.leakage import certify, refuse_leaks
from pfamformer.families.localisation import protein_components, split_proteins
from pfamformer.families.localisation_data import write_localisation
from pfamformer.tables import read_table


def main() -> None:
    """Parse, split, certify, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--proteins", required=True, help="proteins.parquet")
    parser.add_argument("--split", required=True, help="split.parquet of the clustered split")
    parser.add_argument("--max-length", type=int, required=True, help="of a slice, residues")
    parser.add_argument("--shuffled-share", type=float, required=True)
    parser.add_argument("--dev-share", type=float, required=True)
    parser.add_argument("--test-share", type=float, required=True)
    parser.add_argument("--min-identity", type=float, required=True)
    parser.add_argument("--min-coverage", type=float, required=True)
    parser.add_argument("--min-bits", type=float, required=True)
    parser.add_argument("--prefilter", choices=["none", "family", "ungapped"], default="none")
    parser.add_argument("--alignments", help="Pfam-A.seed.gz: take identity from it; no search")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", required=True, help="output: localisation.parquet")
    parser.add_argument("--places", required=True, help="output: domains.parquet")
    parser.add_argument("--leakage", required=True, help="output: leakage.json")
    parser.add_argument("--summary", required=True, help="output: summary.json")
    a = parser.parse_args()
    domains = read_table("domains", a.domains)
    component = protein_components(domains, read_table("split", a.split))
    shares = {"dev": a.dev_share, "test": a.test_share}
    part = split_proteins(component, domains, seed=a.seed, **shares)
    log.info("%d components; proteins: %s", component.nunique(), part.value_counts().to_dict())
    of_domain = pd.DataFrame({"id": domains["id"], "part": domains["protein"].map(part)})
    limits = {key: getattr(a, key) for key in ("min_identity", "min_coverage", "min_bits")}
    how = {"prefilter": a.prefilter, "threads": a.threads, "seed": a.alignments}
    found = certify(domains, of_domain, **how, **limits)
    refuse_leaks(found, a.table)
    parts = pd.DataFrame({"component": component, "part": part})
    cut = {"max_length": a.max_length, "shuffled_share": a.shuffled_share, "seed": a.seed}
    summary = write_localisation(domains, a.proteins, parts, a.table, a.places, **cut)
    log.info("%s", summary)
    for path, content in ((a.leakage, found), (a.summary, summary)):
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
