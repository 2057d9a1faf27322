"""Protein chains of PDB and mmCIF files: the whole sequence, and where each residue is.

Files are read by Biopython. The sequence is the one that was in the crystal (SEQRES,
``_entity_poly_seq``), because that is what a network sees; residues without coordinates stay in it.
mmCIF numbers residues by that sequence. PDB files do not: their numbers may jump, repeat with
insertion codes or run backwards, so stretches between chain breaks are placed on the sequence.
"""

from __future__ import annotations

import io
import re
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from Bio.Data.PDBData import protein_letters_3to1_extended
from Bio.PDB import MMCIFParser, PDBParser
from Bio.PDB.PDBExceptions import PDBConstructionWarning
from Bio.PDB.Residue import Residue
from Bio.PDB.Structure import Structure

from pfamformer.errors import InputError
from pfamformer.sequences.text import read_lines

# A peptide bond is 1.33 Å long; Cα atoms of neighbours are at most 3.9 Å apart.
_LONGEST_BOND, _LONGEST_STEP = 2.0, 4.5
# Placing a stretch: numbering decides only between places that match equally well.
_NUMBERING_WEIGHT, _NUMBERING_MOST = 1e-3, 100
# A residue that differs from the sequence (mutation, naming) costs 1; more of them than this share
# of a chain say that the two do not belong together.
_MOST_MISMATCHES = 0.1

_ATOM = re.compile(r"(ATOM|HETATM)\s+\d+\s")


@dataclass(frozen=True)
class Chain:
    """One protein chain.

    Args:
        id: entry and chain, such as ``3TGI_E``.
        sequence: one letter per residue, X where there is none.
        positions: Cβ (Cα of glycine), Å, shape (length, 3); NaN where it was not seen.
    """

    id: str
    sequence: str
    positions: np.ndarray

    @property
    def resolved(self) -> np.ndarray:
        """Which residues have a position, shape (length,)."""
        return ~np.isnan(self.positions[:, 0])


@dataclass(frozen=True)
class Reject:
    """A record that was left out: line (0: unknown) and reason."""

    line: int
    reason: str


def read_structure(path: str | Path) -> tuple[list[Chain], list[Reject]]:
    """The protein chains of the first model, in file order, and records that were left out.

    Of alternative locations the one with the highest occupancy counts. The format is told from the
    name: ``.cif`` or ``.mmcif`` against anything else, with or without ``.gz``.

    Raises:
        InputError: missing, damaged or unreadable file, or one without a protein chain.
    """
    lines = [line for _, line in read_lines(path, "utf-8")]
    name = re.sub(r"\.gz$", "", Path(path).name)
    entry, _, suffix = name.rpartition(".")
    cif = suffix.lower() in ("cif", "mmcif")
    structure, dictionary, rejects = _parse(path, lines, cif)
    model = next(iter(structure), None)
    chains = []
    for chain in model or ():
        residues = [_chosen(residue) for residue in chain]
        residues = [residue for residue in residues if _is_amino_acid(residue)]
        if residues:
            entire = _cif_sequence(dictionary, chain.id) if cif else _seqres(lines, chain.id)
            where = f"line {_first_line(lines, chain.id, cif)}, chain {chain.id}"
            numbers = (
                np.array([residue.id[1] for residue in residues])
                if cif and entire
                else _place(path, where, residues, entire)
            )
            chains.append(_chain(path, where, f"{entry}_{chain.id}", residues, entire, numbers))
    if not chains:
        raise InputError(
            path, "holds no protein chain", record=f"after line {len(lines)}",
            remedy="Is it a PDB or mmCIF file?",
        )  # fmt: skip
    return chains, rejects


def _parse(
    path: str | Path, lines: Sequence[str], cif: bool
) -> tuple[Structure, dict, list[Reject]]:
    parser = (
        MMCIFParser(auth_chains=True, auth_residues=False) if cif else PDBParser(PERMISSIVE=True)
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            structure = parser.get_structure("entry", io.StringIO("\n".join(lines) + "\n"))
        # Biopython has no error of its own for most of what can be wrong.
        except Exception as error:
            line, problem = _first_broken(lines, cif)
            raise InputError(
                path, f"{problem or error}", record=f"line {line}", remedy="Fetch it again"
            ) from error
    dictionary = getattr(parser, "_mmcif_dict", {})
    if cif:
        _check_loops(path, lines, dictionary)
    rejects = [
        Reject(int(line[1]) if (line := re.search(r"line (\d+)", str(w.message))) else 0, text)
        for w in said
        if issubclass(w.category, PDBConstructionWarning)
        # Ligands and water have no number in the polymer, and a break in a chain is no fault.
        and not re.search(r"Non-existing residue ID|discontinuous", text := str(w.message))
    ]
    return structure, dictionary, rejects + ([] if cif else list(_behind_end(lines)))


def _behind_end(lines: Sequence[str]) -> Iterator[Reject]:
    """Atoms of a PDB file behind its end, where Biopython reads no further."""
    begun = ended = False
    for number, line in enumerate(lines, 1):
        begun |= line.startswith(("ATOM  ", "HETATM", "MODEL "))
        ended |= begun and line[:6] in ("END   ", "CONECT")
        if ended and line.startswith(("ATOM  ", "HETATM")):
            yield Reject(number, "an atom behind END or CONECT")


def _check_loops(path: str | Path, lines: Sequence[str], dictionary: dict) -> None:
    """Refuse loops in which values are missing or moved: Biopython reads as far as they fit."""
    first = next((n for n, line in enumerate(lines) if line.startswith("_atom_site.")), len(lines))
    atoms = sum(bool(_ATOM.match(line)) for line in lines[first:])
    for category in ("_atom_site.", "_entity_poly_seq."):
        sizes = {len(column) for key, column in dictionary.items() if key.startswith(category)}
        if len(sizes) > 1 or (category == "_atom_site." and max(sizes, default=0) < atoms):
            line, problem = _first_broken(lines, True)
            raise InputError(
                path, problem or f"values are missing in the loop {category[:-1]}",
                record=f"line {line}", remedy="Fetch it again",
            )  # fmt: skip


def _first_broken(lines: Sequence[str], cif: bool) -> tuple[int, str]:
    """The first atom record that does not parse, 1-based, with its problem; else the last line."""
    for number, problem in _broken_cif(lines) if cif else _broken_pdb(lines):
        return number, problem
    return len(lines), ""


def _broken_pdb(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        if line.startswith(("ATOM  ", "HETATM")):
            cells = [line[22:26], *(line[start : start + 8] for start in (30, 38, 46))]
            if not all(_is_number(cell) for cell in cells):
                yield number, f"no atom: {line[:66].rstrip()!r}"


def _broken_cif(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    columns: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("_atom_site."):
            columns.append(line.split()[0].partition(".")[2])
        elif line.startswith(("#", "loop_", "_")):
            columns = []
        elif columns:
            try:
                cells = shlex.split(line)
            except ValueError:
                cells = []
            row = dict(zip(columns, cells, strict=False))
            numbers = [row.get(f"Cartn_{axis}", "") for axis in "xyz"]
            if len(cells) != len(columns) or not all(map(_is_number, numbers)):
                yield number, f"no atom: {line[:66].rstrip()!r}"


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _chosen(residue: Residue) -> Residue:
    """Of several amino acids at one place the one with the highest occupancy, then by name."""
    if residue.is_disordered() != 2:  # 2: Biopython's mark of a point mutation
        return residue
    inside = residue.disordered_get_list()
    occupancy = lambda r: max((a.get_occupancy() or 0.0 for a in r), default=0.0)  # noqa: E731
    return min(inside, key=lambda r: (-occupancy(r), r.resname))


def _letter(name: str) -> str:
    return protein_letters_3to1_extended.get(name.strip().upper().ljust(3), "X")


def _is_amino_acid(residue: Residue) -> bool:
    """Polymer residues with Cα; modified ones (HETATM, such as MSE) too, ligands not."""
    return "CA" in residue and (residue.id[0] == " " or _letter(residue.resname) != "X")


def _first_line(lines: Sequence[str], chain: str, cif: bool) -> int:
    """The line of a chain's first atom, 1-based; in mmCIF of the first atom that names it."""
    for number, line in enumerate(lines, 1):
        if line.startswith(("ATOM", "HETATM")) and (
            chain in line.split() if cif else line[21:22] == chain
        ):
            return number
    return len(lines)


def _seqres(lines: Sequence[str], chain: str) -> str:
    found = []
    for line in lines:
        if line.startswith("SEQRES") and line[11:12] == chain:
            found += line[19:70].split()
    return "".join(map(_letter, found))


def _cif_sequence(dictionary: dict, chain: str) -> str:
    """The sequence of the entity that a chain (author's letter) is made of; empty if not given."""
    of_entity: dict[str, dict[int, str]] = {}
    names = ("entity_id", "num", "mon_id")
    columns = [dictionary.get(f"_entity_poly_seq.{name}", []) for name in names]
    for entity, number, residue in zip(*columns, strict=False):
        if number.isdigit():
            of_entity.setdefault(entity, {}).setdefault(int(number), residue)
    names = ("auth_asym_id", "label_entity_id", "label_seq_id")
    columns = [dictionary.get(f"_atom_site.{name}", []) for name in names]
    entity = next((e for c, e, n in zip(*columns, strict=False) if c == chain and n != "."), "")
    residues = of_entity.get(entity, {})
    if sorted(residues) != list(range(1, len(residues) + 1)):
        return ""
    return "".join(_letter(residues[i]) for i in range(1, len(residues) + 1))


def _place(path: str | Path, where: str, residues: Sequence[Residue], entire: str) -> np.ndarray:
    """Place observed residues on the whole sequence; 1-based numbers, shape (residues,).

    Stretches without a chain break keep together; they follow each other, match as well as possible
    and, between equally good places, leave the gaps that the residue numbers leave.
    """
    if not entire:
        return np.arange(1, len(residues) + 1)
    letters = np.array([_letter(r.resname) for r in residues])
    target = np.array(list(entire))
    spans = list(pairwise([*_stretches(residues), len(residues)]))
    total = _mismatches(letters[slice(*spans[0])], target)
    steps: list[np.ndarray] = []
    for (start, middle), (_, stop) in pairwise(spans):
        jump = residues[middle].id[1] - residues[middle - 1].id[1] - 1
        cost = _mismatches(letters[middle:stop], target)
        total, came_from = _follow(total, middle - start, cost, jump)
        steps.append(came_from)
    if not len(total) or total.min() > _MOST_MISMATCHES * len(residues) + 1:
        raise InputError(
            path, "the atoms of this chain do not fit on its SEQRES records", record=where,
            remedy="Repair SEQRES or remove it",
        )  # fmt: skip
    at = [int(total.argmin())]
    for came_from in reversed(steps):
        at.append(int(came_from[at[-1]]))
    return np.concatenate(
        [np.arange(stop - start) + o + 1 for o, (start, stop) in zip(at[::-1], spans, strict=True)]
    )


def _stretches(residues: Sequence[Residue]) -> list[int]:
    """Where stretches without a chain break begin."""
    starts = [0]
    for i in range(1, len(residues)):
        one, other = residues[i - 1], residues[i]
        if "C" in one and "N" in other:
            broken = one["C"] - other["N"] > _LONGEST_BOND
        else:
            broken = one["CA"] - other["CA"] > _LONGEST_STEP
        if broken:
            starts.append(i)
    return starts


def _mismatches(letters: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Different letters at each offset, shape (offsets,); empty where it does not fit at all."""
    if len(letters) > len(target):
        return np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(target, len(letters))
    return (windows != letters).sum(axis=1).astype(float)


def _follow(
    before: np.ndarray, length: int, cost: np.ndarray, jump: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cheapest way to each offset behind a stretch of this length, and the offset it came from."""
    if not len(before) or not len(cost):
        return np.empty(0), np.empty(0, dtype=int)
    gap = np.arange(len(cost))[:, None] - (np.arange(len(before))[None, :] + length)
    away = np.minimum(np.abs(gap - jump), _NUMBERING_MOST) * _NUMBERING_WEIGHT
    way = np.where(gap >= 0, before[None, :] + away, np.inf)
    return way.min(axis=1) + cost, way.argmin(axis=1)


def _chain(
    path: str | Path,
    where: str,
    name: str,
    residues: Sequence[Residue],
    entire: str,
    numbers: np.ndarray,
) -> Chain:
    sequence = entire or "".join(_letter(r.resname) for r in residues)
    if len(numbers) and not (numbers.min() >= 1 and numbers.max() <= len(sequence)):
        raise InputError(
            path, f"residue {numbers.max()} lies outside the sequence of {len(sequence)}",
            record=where,
        )  # fmt: skip
    positions = np.full((len(sequence), 3), np.nan)
    for number, residue in zip(numbers, residues, strict=True):
        atom = "CA" if residue.resname.strip() == "GLY" else "CB"
        if atom in residue:
            positions[number - 1] = residue[atom].coord
    return Chain(name, sequence, positions)
