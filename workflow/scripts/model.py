"""Save what annotation needs as one folder: weights, labels, calibration, model card."""

import argparse
import json
from pathlib import Path

import pandas as pd

from pfamformer.annotation import building
from pfamformer.annotation.model import FORMAT
from pfamformer.command import run
from pfamformer.methods.term_domains import read_pfam2go
from pfamformer.tables import read_table


def main() -> None:
    """Parse, choose, calibrate, copy, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=Path, help="config.json of the project")
    for name in ("profiles", "families", "domains", "split"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--runs", nargs="*", default=[], help="fine-tuning runs to choose from")
    parser.add_argument("--weights", nargs="*", default=[], type=Path, help="theirs, in this order")
    parser.add_argument("--scores", nargs="*", default=[], help="theirs, in this order")
    for name in ("tagger", "term-network"):
        parser.add_argument(f"--{name}", type=Path, help="its weights.safetensors")
        parser.add_argument(f"--{name}-calls", help="its calls.parquet")
        parser.add_argument(f"--{name}-run", help="its name")
    parser.add_argument("--slices", help="localisation/sequences.parquet, for the tagger")
    parser.add_argument("--slice-domains", help="localisation/domains.parquet, for the tagger")
    parser.add_argument("--terms", help="terms.parquet")
    parser.add_argument("--annotations", help="annotations.parquet")
    parser.add_argument("--mapping", help="pfam2go")
    parser.add_argument("--mapping-calls", help="calls by that mapping on held-out proteins")
    parser.add_argument("--output", required=True, type=Path, help="the model folder")
    given = parser.parse_args()
    settings = json.loads(given.settings.read_text(encoding="utf-8"))
    # Where files lie on this machine is nobody else's business.
    settings["sources"] = {"provider": settings["sources"]["provider"]}
    parts = read_table("split", given.split)["part"].value_counts()
    names = pd.read_csv(given.families, sep="\t", keep_default_na=False)
    about = {"format": FORMAT, "families": len(names),
             **{key: settings[key] for key in ("project", "title", "seed")},
             "training_domains": int(parts.get("train", 0)), "settings": settings,
             **{f"{p}_domains": int(parts.get(p, 0)) for p in ("dev", "test")}}  # fmt: skip
    copied = {"profiles": given.profiles, "families": given.families}
    if given.runs:
        scores = {r: read_table("scores", p) for r, p in zip(given.runs, given.scores, strict=True)}
        truth = read_table("domains", given.domains).set_index("id")["family"]
        about["classifier"] = building.choose_classifier(scores, truth)
        chosen = given.runs.index(about["classifier"]["run"])
        copied["classifier"] = given.weights[chosen]
    if given.tagger:
        about["tagger"] = building.judge_tagger(
            given.tagger_run, read_table("calls", given.tagger_calls),
            read_table("localisation", given.slices),
            read_table("localisation_domains", given.slice_domains),
        )  # fmt: skip
        copied["tagger"] = given.tagger
    written = {}
    if given.terms:
        annotations = read_table("annotations", given.annotations)
        terms = read_table("terms", given.terms)
        written["terms"] = terms[["term", "ontology", "name", "information"]]
        if given.term_network:
            calls = read_table("calls", given.term_network_calls)
            about["term_network"] = building.judge_terms(given.term_network_run, calls, annotations)
            copied["term_network"] = given.term_network
        if given.mapping:
            written["family_terms"] = building.family_terms(
                read_pfam2go(given.mapping), names["family"].tolist(), set(terms["term"])
            )
            about["family_terms"] = building.judge_family_terms(
                read_table("calls", given.mapping_calls), annotations
            )
    building.save(given.output, about, copied, written)


if __name__ == "__main__":
    run(main)
