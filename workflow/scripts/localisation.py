"""How well taggers and profile HMMs place domains on held-out proteins: table, figure, text."""

import argparse

import pandas as pd

from pfamformer.command import atomic_path, run
from pfamformer.config import EvaluationSettings
from pfamformer.methods import FITTED, GATHERING, PROFILES, TAGGER
from pfamformer.report.figures import save_svg
from pfamformer.report.items import write_item
from pfamformer.report.localisation import describe, draw_tracks, make_table
from pfamformer.tables import read_table


def main() -> None:
    """Parse, judge, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--taggers", required=True, nargs="*", help="calls.parquet of every tagger")
    parser.add_argument("--runs", required=True, nargs="*", help="their names")
    parser.add_argument("--profiles", required=True, help="calls.parquet of the profile HMMs")
    parser.add_argument("--sequences", required=True, help="localisation/sequences.parquet")
    parser.add_argument("--domains", required=True, help="localisation/domains.parquet")
    parser.add_argument("--families", required=True, help="families.tsv")
    parser.add_argument("--regions", help="Pfam-A.regions.tsv.gz, with all known domains")
    parser.add_argument("--bootstrap", type=int, required=True)
    parser.add_argument("--confidence", type=float, required=True)
    parser.add_argument("--false-discovery-rate", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--table", required=True, help="output: localisation.tsv")
    parser.add_argument("--figure", required=True, help="output: localisation.svg")
    parser.add_argument("--item", required=True, help="output: localisation.json")
    arguments = parser.parse_args()
    settings = EvaluationSettings(
        bootstrap=arguments.bootstrap,
        confidence=arguments.confidence,
        false_discovery_rate=arguments.false_discovery_rate,
    )
    profiles = read_table("calls", arguments.profiles)
    taggers = zip(arguments.runs, arguments.taggers, strict=True)
    calls = [(TAGGER, name, read_table("calls", path)) for name, path in taggers]
    calls += [(PROFILES, run, profiles[profiles["run"] == run]) for run in (GATHERING, FITTED)]
    slices = read_table("localisation", arguments.sequences)
    domains = read_table("localisation_domains", arguments.domains)
    regions = pd.read_csv(arguments.regions, sep="\t") if arguments.regions else None
    names = pd.read_csv(arguments.families, sep="\t").set_index("family")["name"].to_dict()
    table, kept = make_table(calls, slices, domains, settings, arguments.seed, regions)
    with atomic_path(arguments.table) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    figure, hovers = draw_tracks(kept, slices, domains, names)
    save_svg(figure, arguments.figure, hovers)
    write_item(describe(table, slices, domains, settings), arguments.item)


if __name__ == "__main__":
    run(main)
