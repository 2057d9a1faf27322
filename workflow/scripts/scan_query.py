"""Search the user's proteins with the profile HMMs; any size of file in the same memory."""

import argparse
import json
import time
from pathlib import Path

from pfamformer.annotation.problems import PROBLEMS
from pfamformer.annotation.query import Query
from pfamformer.annotation.scan import scan
from pfamformer.command import atomic_path, log, run
from pfamformer.methods.profile_hmm import read_profiles
from pfamformer.tables import TableWriter, from_rows

METHOD = "profile HMM"


def main() -> None:
    """Parse, stream, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--query", required=True, type=Path, help="FASTA, gzipped or not")
    parser.add_argument("--profiles", required=True, help="profiles.hmm")
    parser.add_argument("--evalue", type=float, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hits", required=True, help="output: hits.parquet")
    parser.add_argument("--proteins", required=True, help="output: query.parquet")
    parser.add_argument("--problems", required=True, help="output: problems.tsv")
    parser.add_argument("--summary", required=True, help="output: query.json")
    arguments = parser.parse_args()
    hmms = read_profiles(arguments.profiles)
    started, domains, logged = time.monotonic(), 0, 0.0
    with (
        atomic_path(arguments.problems) as temporary,
        open(temporary, "w", encoding="utf-8") as problems,
        TableWriter("hits", arguments.hits) as hits,
        TableWriter("query", arguments.proteins) as proteins,
    ):
        problems.write("record\tname\tproblem\twhat was done\n")
        query = Query(
            arguments.query,
            lambda number, name, key: problems.write(f"{number}\t{name}\t{key}\t{PROBLEMS[key]}\n"),
        )
        for piece in scan(hmms, query, arguments.evalue, arguments.threads):
            named = [(r.name, len(r.sequence), r.description) for r, _ in piece]
            proteins.write(from_rows("query", named))
            rows = [
                (r.name, d.start, d.end, d.family, d.score, METHOD, "profile_hmm", d.evalue,
                 d.model_start, d.model_end, d.model_length)
                for r, found in piece for d in found
            ]  # fmt: skip
            hits.write(from_rows("hits", rows))
            domains += len(rows)
            if (now := time.monotonic() - started) - logged > 10:
                logged = now
                log.info("%d proteins, %d domains, %.0f residues/s", query.kept, domains,
                         query.residues / now)  # fmt: skip
    summary = {"read": query.read, "kept": query.kept, "residues": query.residues,
               "domains": domains, "problems": dict(query.problems), "profiles": len(hmms),
               "evalue": arguments.evalue}  # fmt: skip
    log.info("%s", summary)
    with atomic_path(arguments.summary) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
