"""Write the leakage certificate of a corpus, or fail: what was left out, what is in the rest."""

import argparse
import json
from pathlib import Path

from pfamformer.command import atomic_path, run
from pfamformer.config import HomologueSettings
from pfamformer.families.homologues import join_certificates, refuse_homologues
from pfamformer.tables import read_table


def main() -> None:
    """Parse, join, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", required=True, help="index.json of the training part")
    parser.add_argument("--held-out", required=True, help="held_out.parquet")
    parser.add_argument("--found", nargs="*", default=[], help="files of corpus_certificate.py")
    parser.add_argument("--definition", help="corpora.exclude_test_homologues, JSON")
    parser.add_argument("--output", required=True, help="leakage.json")
    arguments = parser.parse_args()
    settings = (
        HomologueSettings.model_validate_json(arguments.definition)
        if arguments.definition
        else None
    )
    content = join_certificates(
        [json.loads(Path(path).read_text(encoding="utf-8")) for path in arguments.found],
        settings,
        len(read_table("domains", arguments.held_out)),
        json.loads(Path(arguments.index).read_text(encoding="utf-8"))["selection"],
    )
    refuse_homologues(content, arguments.index)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
