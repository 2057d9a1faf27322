"""Secondary structure of the residues of PDB files, from their HELIX and SHEET records."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from Bio.Data.PDBData import protein_letters_3to1_extended
from Bio.PDB import PDBParser

#: Three states: helix, strand, and everything else.
STATES = "HEC"
#: Columns (from 0) of chain, first and last residue number with insertion code, per record.
_PLACES = {"HELIX ": ("H", 19, (21, 26), (33, 38)), "SHEET ": ("E", 21, (22, 27), (33, 38))}


def spans(lines: Sequence[str]) -> list[tuple[str, str, tuple[int, str], tuple[int, str]]]:
    """State, chain, first and last residue (number, insertion code) of each record."""
    found = []
    for line in lines:
        if line[:6] in _PLACES:
            state, chain, *ends = _PLACES[line[:6]]
            first, last = ((int(line[a : b - 1]), line[b - 1 : b].strip()) for a, b in ends)
            found.append((state, line[chain], first, last))
    return found


def secondary_structure(paths: Sequence[str | Path], min_length: int) -> pd.DataFrame:
    """The ``task`` table of the chains of these files: ``label`` has one state per residue.

    Residues are those with a Cα atom; of chains with the same sequence the first is kept.
    """
    rows, known = [], set()
    for path in map(Path, paths):
        records = spans(path.read_text(encoding="utf-8").splitlines())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = next(iter(PDBParser(QUIET=True).get_structure("entry", path)))
        for chain in model:
            residues = [r for r in chain if r.id[0] == " " and "CA" in r]
            sequence = "".join(
                protein_letters_3to1_extended.get(r.resname.ljust(3), "X") for r in residues
            )
            if len(sequence) < min_length or sequence in known:
                continue
            known.add(sequence)
            # Records name residues in file order, which insertion codes do not break.
            order = {(r.id[1], r.id[2].strip()): i for i, r in enumerate(residues)}
            label = ["C"] * len(sequence)
            for state, name, first, last in records:
                if name == chain.id and first in order and last in order:
                    span = range(order[first], order[last] + 1)
                    for i in span:
                        label[i] = state
            rows.append((f"{path.stem}_{chain.id}", sequence, "".join(label), float("nan"), "test"))
    return pd.DataFrame(rows, columns=["id", "sequence", "label", "value", "part"])
