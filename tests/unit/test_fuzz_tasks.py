"""2,000 mutated OBO, GAF, PDB and mmCIF files: each is read, or refused with file and line."""

import gzip
import io
import re

import numpy as np
import pytest
from Bio.PDB import MMCIFParser, PDBParser
from test_structures import cif_text, make_structure, pdb_text
from test_tasks import OBO, row

from pfamformer.errors import InputError
from pfamformer.sequences.text import read_lines
from pfamformer.tasks.annotations import read_gaf
from pfamformer.tasks.ontology import read_obo
from pfamformer.tasks.structures import read_structure

EACH = 500
ATOM = re.compile(r"^(?:ATOM|HETATM)[ \t]+\d", re.M)
SHORT = "MKGAYIAKQR"


def mutated(stream, content):
    """One to four random injuries of a text file's bytes."""
    for _ in range(stream.integers(1, 5)):
        kind = stream.integers(9)
        at = int(stream.integers(len(content))) if content else 0
        lines = content.split(b"\n")
        line = int(stream.integers(len(lines)))
        if kind == 0:
            content = content[:at]
        elif kind == 1:
            content = (
                content[:at] + bytes(stream.integers(0, 256, 3, dtype=np.uint8)) + content[at:]
            )
        elif kind == 2:
            content = content[:at] + content[at + int(stream.integers(1, 40)) :]
        elif kind == 3:
            del lines[line]
            content = b"\n".join(lines)
        elif kind == 4:
            content = b"\n".join([*lines[:line], lines[line], *lines[line:]])
        elif kind == 5:
            other = int(stream.integers(len(lines)))
            lines[line], lines[other] = lines[other], lines[line]
            content = b"\n".join(lines)
        elif kind == 6:
            cells = re.split(rb"([ \t]+)", lines[line])
            stream.shuffle(cells)
            content = b"\n".join([*lines[:line], b"".join(cells), *lines[line + 1 :]])
        elif kind == 7:
            wrong = [b"-", b"x", b"9" * 30, b"'", b'"'][stream.integers(5)]
            stretch = re.sub(rb"\d", wrong, content[at : at + 60])
            content = content[:at] + stretch + content[at + 60 :]
        else:
            content = content.replace(b"\n", [b"\r\n", b"\r", b"\0"][stream.integers(3)], 3)
    return content


def check_obo(path):
    ontology = read_obo(path)
    for term in ontology.terms.values():
        assert all(parent in ontology.terms for parent in term.parents)
    return len(ontology.terms)


def check_gaf(path, ontology):
    found = read_gaf(path, ontology, max_reject_share=1)
    counts = dict(found.counts)
    # Rows in = kept + rejected + counted under a reason.
    assert counts.pop("rows") == sum(counts.values())
    assert len(found.rejects) == counts["rejected"]
    assert (found.rejects["line"] > 0).all()
    return len(found.rows)


def check_structure(path):
    chains, rejects = read_structure(path)
    for chain in chains:
        assert len(chain.positions) == len(chain.sequence)
    if path.suffix != ".gz":
        text = "\n".join(line for _, line in read_lines(path, "utf-8"))
        # Records in = records out + rejects: no atom vanishes.
        assert atoms_in(text, path.suffix) + len(rejects) >= len(ATOM.findall(text)), rejects
    return len(chains)


def atoms_in(text, suffix):
    """Atoms that Biopython finds, all models and alternative locations."""
    parser = (
        MMCIFParser(auth_chains=True, auth_residues=False, QUIET=True)
        if suffix == ".cif"
        else PDBParser(QUIET=True)
    )
    return sum(
        len(atom.child_dict) if atom.is_disordered() else 1
        for chain in parser.get_structure("entry", io.StringIO(text)).get_chains()
        for residue in chain.get_unpacked_list()
        for atom in residue.child_list
    )


@pytest.mark.parametrize("kind", ["obo", "gaf", "pdb", "cif"])
def test_mutated_files_are_read_or_refused(kind, stream, tmp_path):
    (tmp_path / "whole.obo").write_text(OBO)
    ontology = read_obo(tmp_path / "whole.obo")
    structure = make_structure(stream, SHORT, missing={4})
    whole = {
        "obo": OBO,
        "gaf": "!gaf-version: 2.2\n" + "".join(
            row(f"P{i}", "GO:0005515", 20150101 + i, qualifier="NOT" if i % 3 == 0 else "") + "\n"
            for i in range(12)
        ),
        "pdb": pdb_text(structure, SHORT),
        "cif": cif_text(structure, SHORT),
    }[kind].encode()  # fmt: skip
    check = {"obo": check_obo, "gaf": lambda path: check_gaf(path, ontology)}.get(
        kind, check_structure
    )
    path = tmp_path / f"fuzz.{kind}"
    path.write_bytes(whole)
    assert check(path) > 0
    read = refused = 0
    for number in range(EACH):
        content = mutated(stream, whole)
        if number % 10 == 0:  # some arrive compressed, and damaged as such
            path = tmp_path / f"fuzz.{kind}.gz"
            packed = bytearray(gzip.compress(content, mtime=0))
            packed[int(stream.integers(len(packed)))] ^= 0x55
            path.write_bytes(packed)
        else:
            path = tmp_path / f"fuzz.{kind}"
            path.write_bytes(content)
        try:
            check(path)
            read += 1
        except InputError as error:
            refused += 1
            assert path.name in str(error), error
            assert re.search(r"\bline \d+", str(error)), error
    assert read + refused == EACH and min(read, refused) > EACH / 20, (read, refused)
