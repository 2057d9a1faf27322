"""Ask the networks of a model about the user's proteins; any size of file in the same memory."""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from pfamformer.annotation.join import Stream
from pfamformer.annotation.model import Model
from pfamformer.annotation.networks import (
    BLOCK_RESIDUES,
    FamilyReader,
    TaggerReader,
    TermReader,
    family_rows,
    tagger_rows,
)
from pfamformer.annotation.query import Query
from pfamformer.annotation.scan import blocks
from pfamformer.command import log, run
from pfamformer.tables import TableWriter, from_rows
from pfamformer.training.device import forget_shapes, prepare_device


def main() -> None:
    """Parse, stream, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--query", required=True, type=Path, help="FASTA, gzipped or not")
    parser.add_argument("--model", required=True, type=Path, help="a model folder")
    parser.add_argument("--hits", required=True, help="hits of the profile HMMs on the query")
    parser.add_argument("--least-probability", type=float, required=True, help="of a GO term")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tagger", required=True, help="output: calls of the tagger")
    parser.add_argument("--classifier", required=True, help="output: calls of the family network")
    parser.add_argument("--terms", required=True, help="output: calls of the GO network")
    arguments = parser.parse_args()
    forget_shapes()
    device, model = prepare_device(arguments.threads), Model.read(arguments.model)
    tagger = TaggerReader(model, device) if model.path("tagger") else None
    classifier = FamilyReader(model, device) if model.path("classifier") else None
    terms = TermReader(model, device) if model.path("term_network") else None
    started, residues, hits = time.monotonic(), 0, Stream(arguments.hits)
    with ExitStack() as stack:
        out = {
            name: stack.enter_context(TableWriter("calls", getattr(arguments, name)))
            for name in ("tagger", "classifier", "terms")
        }
        query = Query(arguments.query)
        for block in blocks(query, BLOCK_RESIDUES):
            found = tagger(block) if tagger else [[] for _ in block]
            places = [
                sorted({(h["start"], h["end"]) for h in hits.of(record.name)}
                       | {(call.start, call.end) for call in calls})
                for record, calls in zip(block, found, strict=True)
            ]  # fmt: skip
            if tagger:
                rows = tagger_rows(block, found, model.about["tagger"]["run"])
                out["tagger"].write(from_rows("calls", rows))
            if classifier:
                rows = family_rows(block, places, classifier, model.about["classifier"]["run"])
                out["classifier"].write(from_rows("calls", rows))
            if terms:
                calls = terms(block, arguments.least_probability)
                out["terms"].write(pa.Table.from_pandas(calls, preserve_index=False))
            residues += sum(len(record.sequence) for record in block)
            log.info("%d proteins, %.0f residues/s", query.kept,
                     residues / (time.monotonic() - started))  # fmt: skip
    hits.must_be_read()


if __name__ == "__main__":
    run(main)
