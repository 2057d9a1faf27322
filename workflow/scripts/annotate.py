"""Join the calls of all methods on a query: TSVs, GFF3 and a page with tracks."""

import argparse
from pathlib import Path

from pfamformer.annotation.join import join
from pfamformer.annotation.model import Model
from pfamformer.annotation.names import read_names
from pfamformer.annotation.output import Gff3, TermTsv, Tsv
from pfamformer.command import atomic_path, run
from pfamformer.report.annotation import Gathered, make_page
from pfamformer.tables import read_json


def main() -> None:
    """Parse, join, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proteins", required=True, help="query.parquet")
    parser.add_argument("--summary", required=True, type=Path, help="query.json")
    parser.add_argument("--calls", required=True, nargs="+", help="calls or hits, one per method")
    parser.add_argument("--terms", help="calls of GO terms by a network, if any")
    parser.add_argument("--model", required=True, type=Path, help="the model folder")
    parser.add_argument("--least-probability", type=float, required=True, help="of a GO term")
    parser.add_argument("--shown", type=int, required=True, help="proteins on the page")
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True, help="command that makes the page again")
    parser.add_argument("--template", required=True, type=Path)
    parser.add_argument("--table", required=True, help="output: domains.tsv")
    parser.add_argument("--term-table", required=True, help="output: terms.tsv")
    parser.add_argument("--gff3", required=True, help="output: domains.gff3")
    parser.add_argument("--page", required=True, help="output: annotation.html")
    arguments = parser.parse_args()
    model = Model.read(arguments.model)
    families, terms, family_terms = read_names(model)
    gathered = Gathered(arguments.shown)
    with (
        atomic_path(arguments.table) as table,
        atomic_path(arguments.gff3) as gff3,
        atomic_path(arguments.term_table) as term_table,
        open(table, "w", encoding="utf-8") as table_out,
        open(gff3, "w", encoding="utf-8") as gff3_out,
        open(term_table, "w", encoding="utf-8") as terms_out,
    ):
        writers = [
            Tsv(table_out, families),
            Gff3(gff3_out, families),
            TermTsv(terms_out, terms, arguments.least_probability),
        ]
        for protein in join(arguments.proteins, arguments.calls, arguments.terms, family_terms):
            gathered.add(protein)
            for writer in writers:
                writer.write(protein)
    page = make_page(
        gathered,
        families,
        terms,
        model.about,
        read_json(arguments.summary),
        arguments.title,
        arguments.command,
        arguments.template,
    )
    with atomic_path(arguments.page) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)
