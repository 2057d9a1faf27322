"""The embedded sources of function: which Pfam family means which GO terms, and its profile."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection
from pathlib import Path

from pyhmmer.plan7 import HMMFile

from pfamformer.command import atomic_path
from pfamformer.errors import InputError
from pfamformer.sources.embedded import PROFILES
from pfamformer.sources.wheels import open_member

INTERPRO = "gecco/interpro/interpro.json"


def write_mapping(wheel: str | Path, output: str | Path) -> set[str]:
    """Write ``pfam2go`` from InterPro's entries, as InterPro itself does; returns the families.

    A family has the terms of the entry that it is a signature of.
    """
    lines, families = set(), set()
    try:
        with open_member(wheel, INTERPRO) as file:
            for entry in json.load(file):
                for family in (m for m in entry["members"] if m.startswith("PF")):
                    for term in entry["go_terms"]:
                        families.add(family)
                        words = (family, entry["name"], term["name"], term["accession"])
                        lines.add("Pfam:{} {} > GO:{} ; {}\n".format(*words))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(wheel, f"{INTERPRO} has another form ({error})") from error
    with atomic_path(output) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.write("!Mapping of Pfam families to GO terms through InterPro entries\n")
        out.writelines(sorted(lines))
    return families


def write_profiles(wheel: str | Path, families: Collection[str], output: str | Path) -> int:
    """Write the wheel's profiles of these families (accessions without version), gzipped."""
    count = 0
    with (
        open_member(wheel, PROFILES) as file,
        HMMFile(file) as profiles,
        atomic_path(output) as temporary,
        # mtime=0 and an empty name: equal profiles give equal bytes.
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as out,
    ):
        for hmm in profiles:
            if (hmm.accession or "").split(".")[0] in families:
                hmm.write(out)
                count += 1
    return count
