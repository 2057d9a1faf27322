"""Scan one test domain with all single substitutions, beside conservation of its seed alignment."""

import argparse
from pathlib import Path

import torch

from pfamformer.analysis.mutations import agreement, choose, conservation, scan
from pfamformer.command import atomic_path, run
from pfamformer.errors import InputError
from pfamformer.families.domains import domain_id, domains_of
from pfamformer.methods.network import load_classifier
from pfamformer.report import mutation_scan
from pfamformer.report.figures import save_svg
from pfamformer.report.items import write_item
from pfamformer.sequences.stockholm import read_stockholm
from pfamformer.tables import read_table


def main() -> None:
    """Parse, choose a domain, scan, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="name of the fine-tuning run")
    parser.add_argument("--weights", required=True, help="its weights.safetensors")
    parser.add_argument("--predictions", required=True, help="its predictions.parquet")
    parser.add_argument("--domains", required=True, help="domains.parquet")
    parser.add_argument("--split", required=True, help="split.parquet")
    parser.add_argument("--seed-alignments", required=True, help="Pfam-A.seed.gz")
    parser.add_argument("--min-length", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path, help="folder")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    domains = read_table("domains", arguments.domains)
    predictions = read_table("predictions", arguments.predictions)
    chosen = choose(predictions, read_table("split", arguments.split), domains)
    if chosen is None:
        raise InputError(arguments.predictions, "no test domain")
    family, sequence = domains.set_index("id").loc[chosen, ["family", "sequence"]]
    model, settings, _ = load_classifier(arguments.weights, torch.device("cpu"))
    change = scan(model, settings, sequence)
    aligned, row = rows_of(arguments.seed_alignments, family, chosen, arguments.min_length)
    table = mutation_scan.make_table(sequence, change, conservation(aligned, row))
    rho, p = agreement(change, table["conservation"].to_numpy())
    figure = mutation_scan.draw(table)
    save_svg(figure, arguments.output / "mutation_scan.svg", mutation_scan.hovers(figure, table))
    with atomic_path(arguments.output / "mutation_scan.tsv") as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    item = mutation_scan.describe(chosen, family, arguments.run, rho, p, table)
    write_item(item, arguments.output / "mutation_scan.json")


def rows_of(path: str, family: str, chosen: str, minimum: int) -> tuple[list[str], int]:
    """Aligned rows of a family, and which of them is the chosen domain."""
    for entry in read_stockholm(path):
        if entry.accession != family:
            continue
        found = {
            domain_id(family, domain.protein, domain.start, domain.end): domain.aligned
            for _, domain, _ in domains_of(entry, minimum)
            if domain is not None
        }
        return list(found.values()), list(found).index(chosen)
    raise InputError(path, f"no alignment of {family}")


if __name__ == "__main__":
    run(main)
