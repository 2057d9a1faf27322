"""TAPE's archives, remote homology TSV, SCOPe, FLIP and CAFA3's layout."""

import json
import os
import pickle
import tarfile
from pathlib import Path

import lmdb
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform
from test_tasks import OBO

from conftest import random_sequence, run_script
from pfamformer.errors import InputError
from pfamformer.report import table_6
from pfamformer.tables import read_table, write_table
from pfamformer.tasks.cafa import copies, read_benchmark, read_training
from pfamformer.tasks.go import read_task
from pfamformer.tasks.ontology import read_obo
from pfamformer.tasks.tabular import (
    read_astral,
    read_flip,
    read_scope_tsv,
    read_tape_tsv,
    superfamily_split,
)
from pfamformer.tasks.tape import read_tape


def records(stream, task, count):
    out = []
    for i in range(count):
        sequence = random_sequence(stream, int(stream.integers(15, 40)))
        length = len(sequence)
        record = {"primary": sequence, "protein_length": length, "id": f"d{i}".encode()}
        if task == "remote_homology":
            record["fold_label"] = int(stream.integers(5))
        elif task == "secondary_structure":
            record["ss3"] = stream.integers(3, size=length)
            record["valid_mask"] = stream.random(length) < 0.9
        elif task == "proteinnet":
            steps = stream.normal(size=(length, 3))
            record["tertiary"] = np.cumsum(2 * steps, axis=0)
            record["valid_mask"] = stream.random(length) < 0.9
        else:
            key = {"fluorescence": "log_fluorescence", "stability": "stability_score"}[task]
            record[key] = [float(stream.normal())]
        out.append(record)
    return out


def write_lmdb(path, rows):
    with lmdb.open(str(path), map_size=2**24) as database, database.begin(write=True) as out:
        for i, value in enumerate(rows):
            out.put(str(i).encode(), pickle.dumps(value))
        out.put(b"num_examples", pickle.dumps(len(rows)))


def archive(folder, task, name="archive.tar.gz"):
    with tarfile.open(folder / name, "w:gz") as out:
        out.add(folder / task, arcname=task)
    return folder / name


def plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.decode() if isinstance(value, bytes) else value


TASKS = ["remote_homology", "secondary_structure", "proteinnet", "fluorescence", "stability"]


@pytest.mark.parametrize("task", TASKS)
def test_lmdb_and_json_give_the_same_task(stream, tmp_path, task):
    splits = {"train": records(stream, task, 6), "valid": records(stream, task, 3)}
    found = {}
    for form in ("lmdb", "json"):
        folder = tmp_path / form / task
        folder.mkdir(parents=True)
        for split, rows in splits.items():
            if form == "lmdb":
                write_lmdb(folder / f"{task}_{split}.lmdb", rows)
            else:
                as_json = [{key: plain(value) for key, value in row.items()} for row in rows]
                (folder / f"{task}_{split}.json").write_text(json.dumps(as_json))
        found[form] = read_tape(archive(tmp_path / form, task), task)
    pd.testing.assert_frame_equal(found["lmdb"].task, found["json"].task)
    pd.testing.assert_frame_equal(found["lmdb"].contacts, found["json"].contacts)
    table = found["lmdb"].task
    assert table["part"].tolist() == ["train"] * 6 + ["dev"] * 3
    assert table["id"][0] == "train/d0"
    everything = splits["train"] + splits["valid"]
    assert table["sequence"].tolist() == [row["primary"] for row in everything]
    for row, given in zip(table.itertuples(), everything, strict=True):
        if task == "remote_homology":
            assert row.label == str(given["fold_label"])
        elif task == "secondary_structure":
            said = zip(given["ss3"], given["valid_mask"], strict=True)
            assert row.label == "".join("HEC"[s] if v else "-" for s, v in said)
        elif task == "proteinnet":
            # As TAPE computes them: pdist below 8 Å where both residues are valid.
            valid = given["valid_mask"]
            near = squareform(pdist(given["tertiary"])) < 8
            near &= valid[:, None] & valid[None, :]
            mine = found["lmdb"].contacts.query("id == @row.id")
            expected = np.argwhere(np.triu(near, 1)) + 1
            assert mine[["first", "second"]].to_numpy().tolist() == expected.tolist()
        else:
            assert row.value == given.get("log_fluorescence", given.get("stability_score"))[0]
    write_table(table, "task", tmp_path / "task.parquet")
    again = read_table("task", tmp_path / "task.parquet")
    pd.testing.assert_frame_equal(again, table, check_dtype=False)


def test_holdouts_keep_their_names_and_bad_sequences_are_rejected(stream, tmp_path):
    folder = tmp_path / "remote_homology"
    folder.mkdir()
    for split in ("train", "valid", "test_fold_holdout", "test_superfamily_holdout"):
        rows = records(stream, "remote_homology", 2)
        rows[1]["primary"] += "*"
        write_lmdb(folder / f"remote_homology_{split}.lmdb", rows)
    found = read_tape(archive(tmp_path, "remote_homology"), "remote_homology")
    assert found.task["part"].tolist() == ["train", "dev", "test_fold", "test_superfamily"]
    assert len(found.rejects) == 4 and "'*' at residue" in found.rejects["reason"][0]


class Evil:
    def __reduce__(self):
        return os.system, ("touch should_not_exist",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "stability"
    folder.mkdir()
    write_lmdb(folder / "stability_train.lmdb", [{"primary": Evil()}])
    with pytest.raises(InputError, match=r"stability_train\.lmdb.*system is not plain data"):
        read_tape(archive(tmp_path, "stability"), "stability")
    assert not (tmp_path / "should_not_exist").exists()


def test_damaged_and_foreign_archives_are_refused(stream, tmp_path):
    folder = tmp_path / "stability"
    folder.mkdir()
    write_lmdb(folder / "stability_train.lmdb", records(stream, "fluorescence", 2))
    path = archive(tmp_path, "stability")
    with pytest.raises(InputError, match=r"stability_train\.lmdb, record 0: .*stability_score"):
        read_tape(path, "stability")
    with pytest.raises(InputError, match=r"holds no fluorescence_<split>\.lmdb"):
        read_tape(path, "fluorescence")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"archive\.tar\.gz: truncated or damaged"):
        read_tape(path, "stability")
    with pytest.raises(InputError, match="no such file"):
        read_tape(tmp_path / "absent.tar.gz", "stability")


@pytest.mark.parametrize("name", ["../stability_train.json", "/tmp/stability_train.json"])
def test_an_archive_writes_nothing_outside_of_its_folder(tmp_path, name):
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.addfile(tarfile.TarInfo(name))
    with pytest.raises(InputError, match="would lie outside"):
        read_tape(path, "stability")


def test_superfamilies_are_not_shared_between_parts(stream):
    table = pd.DataFrame(
        [(f"f{f}", f"f{f}.{stream.integers(1 + f % 6)}") for f in range(30) for _ in range(20)],
        columns=["fold", "superfamily"],
    )
    part = superfamily_split(table, seed=3, test_share=0.25)
    table["part"] = table["superfamily"].map(part)
    assert set(table["part"]) == {"train", "dev", "test"}
    assert (table.groupby("superfamily")["part"].nunique() == 1).all()
    by_fold = table.groupby("fold")
    assert (by_fold["part"].agg(lambda parts: "train" in set(parts))).all()
    assert (by_fold["part"].agg(lambda parts: (parts == "test").mean()) <= 0.25).all()
    single = by_fold["superfamily"].transform("nunique") == 1
    assert set(table.loc[single, "part"]) == {"train"}
    assert part == superfamily_split(table, seed=3, test_share=0.25)
    assert part != superfamily_split(table, seed=4, test_share=0.25)


def test_tsv_problems_name_their_line(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("split\tdomain\tfold\tsequence\ntrain\td1\ta.1\tMK\nelse\td2\ta.1\tMK\n")
    found = read_tape_tsv(path)
    assert len(found.task) == 1
    assert found.rejects[["record", "reason"]].values.tolist() == [
        ["line 3", "unknown split 'else'"]
    ]
    path.write_text("split\tdomain\tfold\tsequence\ntrain\td1\ta.1\n")
    with pytest.raises(InputError, match=r"t\.tsv, line 2: 3 cells, the header has 4"):
        read_tape_tsv(path)
    path.write_text("split\tdomain\n")
    with pytest.raises(InputError, match=r"t\.tsv, line 1: has no column 'fold'"):
        read_tape_tsv(path)


def test_flip_masks_unresolved_residues(tmp_path):
    (tmp_path / "sequences.fasta").write_text(">a\nMKV\n>b\nMK\n>c\nMKV\n")
    (tmp_path / "mask.fasta").write_text(">a\n011\n>b\n11\n>c\n111\n")
    (tmp_path / "sampled.fasta").write_text(
        ">a SET=train VALIDATION=False\nCHE\n>b SET=train VALIDATION=True\nCC\n"
        ">c SET=test VALIDATION=False\nCHEE\n"
    )
    found = read_flip(tmp_path)
    assert found.task[["id", "label", "part"]].values.tolist() == [
        ["train/a", "-HE", "train"], ["dev/b", "CC", "dev"],
    ]  # fmt: skip
    assert found.rejects["reason"].tolist() == ["3 residues, 4 labels, 3 mask"]


def data(*parts):
    folder = os.environ.get("PFAMFORMER_TEST_DATA")
    if not folder or not Path(folder, *parts).exists():
        pytest.skip(f"PFAMFORMER_TEST_DATA names no folder with {'/'.join(parts)}")
    return Path(folder, *parts)


def test_real_remote_homology():
    found = read_tape_tsv(data("remote_homology", "tape_partial.tsv.gz"))
    assert len(found.task) + len(found.rejects) == 9431
    assert found.task["part"].value_counts().to_dict() == {
        "train": 6677, "test_superfamily": 973, "dev": 637, "test_family": 600, "test_fold": 544,
    }  # fmt: skip


def test_real_scope():
    found = read_scope_tsv(data("remote_homology", "scope_2.08_35.tsv.gz"), seed=1)
    assert len(found.task) + len(found.rejects) == 12346
    train = set(found.task.loc[found.task["part"] == "train", "label"])
    held_out = found.task[found.task["part"] == "test"]
    assert len(held_out) > 500 and set(held_out["label"]) <= train
    table = pd.read_csv(data("remote_homology", "scope_2.08_35.tsv.gz"), sep="\t").set_index("sid")
    names = found.task["id"].str.partition("/")[2]
    parts = found.task["part"].groupby(table.loc[names, "superfamily"].to_numpy()).nunique()
    assert len(parts) == 1997 and (parts == 1).all()


def test_astral_is_read_as_the_same_domains_in_a_table(tmp_path, stream):
    rows = [
        (f"d{fold}{number:03d}a_", f"{fold}.1", f"{fold}.1.{number % 10}",
         random_sequence(stream, 30))
        for fold in "abg"
        for number in range(40)
    ]  # fmt: skip
    (tmp_path / "scope.tsv").write_text(
        "\n".join("\t".join(row) for row in [("sid", "fold", "superfamily", "seq"), *rows]) + "\n"
    )
    (tmp_path / "astral.fa").write_text(
        "".join(
            f">{name} {superfamily}.7 (A:) Some protein {{Some species [TaxId: 1]}}\n"
            f"{sequence.lower()[:20]}\n{sequence.lower()[20:]}\n"
            for name, _, superfamily, sequence in rows
        )
        + ">d1aaaa_ h.1.1.1 (A:) coiled coil\nmkt\n>d1bbba_ (A:) nothing\nmkt\n"
    )
    found, expected = (
        read_astral(tmp_path / "astral.fa", 3),
        read_scope_tsv(tmp_path / "scope.tsv", 3),
    )
    assert found.task.equals(expected.task) and set(found.task["part"]) == {"train", "dev", "test"}
    assert found.rejects[["record", "reason"]].values.tolist() == [
        ["record 121", "class h is no class of folds"],
        ["record 122", "no SCOPe classification in 'd1bbba_ (A:) nothing'"],
    ]


def test_real_secondary_structure():
    found = read_flip(data("secondary_structure"))
    assert len(found.task) + len(found.rejects) == 11156
    assert (found.task["sequence"].str.len() == found.task["label"].str.len()).all()
    assert set("".join(found.task["label"])) == set("HEC-")


def test_cafa3_layout(tmp_path):
    (tmp_path / "go.obo").write_text(OBO)
    ontology = read_obo(tmp_path / "go.obo")
    training = tmp_path / "CAFA3_training_data"
    training.mkdir()
    (training / "uniprot_sprot_exp.fasta").write_text(">P1\nMK\n>P2\nMR\n")
    (training / "uniprot_sprot_exp.txt").write_text(
        "P1\tGO:0001948\tF\nP1\tGO:0000001\tP\nP2\tGO:7777777\tF\n"
    )
    rows, sequences = read_training(training, ontology)
    assert rows[["protein", "term", "ontology", "part"]].values.tolist() == [
        ["P1", "GO:0005515", "mfo", "train"], ["P1", "GO:0009987", "bpo", "train"],
    ]  # fmt: skip
    assert sequences == {"P1": "MK"}
    benchmark, targets = tmp_path / "benchmark20171115", tmp_path / "targets" / "Target files"
    targets.mkdir(parents=True)
    (targets / "target.9606.fasta").write_text(">T1 A_HUMAN\nMW\n>T2 B_HUMAN\nMY\n>T3 C\nMF\n")
    for folder in ("groundtruth", "lists"):
        (benchmark / folder).mkdir(parents=True)
    truth = {"mfo": "T1\tGO:0003824\nT2\tGO:0005515\n", "bpo": "T1\tGO:0009987\n", "cco": ""}
    for name, text in truth.items():
        (benchmark / "groundtruth" / f"leafonly_{name.upper()}.txt").write_text(text)
        (benchmark / "lists" / f"{name}_all_type1.txt").write_text("T1\n")
        (benchmark / "lists" / f"{name}_all_type2.txt").write_text("T2\n")
    test, found = read_benchmark(benchmark, tmp_path / "targets", ontology)
    assert test[["protein", "term"]].values.tolist() == [
        ["T1", "GO:0003824"], ["T1", "GO:0009987"],
    ]  # fmt: skip
    assert found == {"T1": "MW"}
    limited, _ = read_benchmark(benchmark, tmp_path / "targets", ontology, "limited")
    assert limited["protein"].tolist() == ["T2"]
    both, _ = read_benchmark(benchmark, tmp_path / "targets", ontology, "none or limited")
    assert both["protein"].tolist() == ["T1", "T2", "T1"]
    (targets / "target.9606.fasta").write_text(">T3 C\nMF\n")
    with pytest.raises(InputError, match="no sequence of T1"):
        read_benchmark(benchmark, tmp_path / "targets", ontology)
    (training / "uniprot_sprot_exp.txt").write_text("P1\tGO:0001948\tF\nP1\tGO:0000001\n")
    with pytest.raises(InputError, match=r"uniprot_sprot_exp\.txt, line 2: 2 columns, 3"):
        read_training(training, ontology)


def cafa3_archives(folder):
    """The three archives in their published layout: the truth is an archive in an archive."""
    texts = {
        "CAFA3_training_data/uniprot_sprot_exp.fasta": ">P1\nMK\n>P2\nMR\n>P3\nMA\n>P4\nMC\n",
        "CAFA3_training_data/uniprot_sprot_exp.txt": "P1\tGO:0001948\tF\nP2\tGO:0003824\tF\n"
        "P3\tGO:0009987\tP\nP4\tGO:0003824\tF\nP4\tGO:7777777\tF\nP4\tGO:0003674\tF\n",
        "CAFA3_targets/Target files/target.9606.fasta": ">T1 A_HUMAN\nMW\n>T2 B_HUMAN\nMY\n",
        "CAFA3_targets/Target files/._target.9606.fasta": "\0\5",
        "CAFA3_targets/Mapping files/mapping.9606.map": "T1\tA_HUMAN\n",
        **{
            f"benchmark20171115/{kind}/{name}": text
            for kind, files in {
                "groundtruth": {"leafonly_MFO.txt": "T1\tGO:0005515\n",
                                "leafonly_BPO.txt": "T1\tGO:0009987\n", "leafonly_CCO.txt": ""},
                "lists": {f"{o}_all_type{t}.txt": f"T{t}\n" for o in ("mfo", "bpo", "cco")
                          for t in (1, 2)},
            }.items()
            for name, text in files.items()
        },
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "supplementary_data/cafa3").mkdir(parents=True)
    for name in ("benchmark20170605", "benchmark20171115"):
        with tarfile.open(folder / f"supplementary_data/cafa3/{name}.tar", "w") as out:
            out.add(folder / "benchmark20171115", arcname=name)
        # The preliminary benchmark is read by nobody: only the final one has the truth.
        truth = folder / "benchmark20171115/groundtruth/leafonly_MFO.txt"
        truth.write_text("T1\tGO:0003824\nT2\tGO:0005515\n")
    names = {"training": "CAFA3_training_data", "targets": "CAFA3_targets",
             "truth": "supplementary_data"}  # fmt: skip
    return {key: archive(folder, name, f"{name}.tar.gz") for key, name in names.items()}


def test_cafa3_archives_become_the_tables_of_the_time_split(tmp_path):
    (tmp_path / "go.obo").write_text(OBO)
    archives = cafa3_archives(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    outputs = {name: out / f"{name}.parquet" for name in ("terms", "task-annotations", "proteins")}

    def make(knowledge):
        files = {"ontology": tmp_path / "go.obo", **archives, **outputs, "summary": out / "s.json"}
        words = [word for key, path in files.items() for word in (f"--{key}", path)]
        return run_script("cafa3_task", *words, "--knowledge", knowledge, "--dev-share", 0.25,
                          "--min-train-proteins", 1, "--seed", 1)  # fmt: skip

    ended = make("none")
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*(path.name for path in outputs.values()), "s.json"]
    )
    task = read_task(*outputs.values())
    direct = task.annotations[task.annotations["direct"]]
    part = direct.groupby("part")["protein"].agg(lambda names: sorted(set(names)))
    assert part["test"] == ["T1"] and len(part["dev"]) == 1
    assert sorted(part["train"] + part["dev"]) == ["P1", "P2", "P3", "P4"]
    assert set(direct.loc[direct["part"] == "test", "term"]) == {"GO:0003824", "GO:0009987"}
    assert dict(task.proteins.values.tolist())["T1"] == "MW"
    summary = json.loads((out / "s.json").read_text())
    counts = summary["annotation_file"]
    assert (
        "CAFA3's training set; here its"
        in table_6.describe(table_6.make_table(task.annotations, task.proteins), summary).published
    )
    assert counts == {"rows": 6, "kept": 4, "terms not in use": 1, "roots": 1}
    assert summary["ontologies"]["mfo"]["test"] == summary["ontologies"]["bpo"]["test"] == 1
    assert make("limited").returncode == 0
    assert set(read_table("annotations", outputs["task-annotations"]).query("part == 'test'")
               ["protein"]) == {"T2"}  # fmt: skip
    whole = archives["truth"].read_bytes()
    archives["truth"].write_bytes(whole[: len(whole) // 2])
    ended = make("none")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "supplementary_data.tar.gz" in ended.stderr and "damaged" in ended.stderr
    archives["truth"] = archives["training"]
    assert "hold no benchmark20171115/groundtruth/leafonly_MFO*.txt" in make("none").stderr


def test_copies_need_identity_and_coverage():
    hits = pd.DataFrame(
        [("T1", "P1", 0.99, 0.95, 9), ("T1", "P2", 0.99, 0.5, 9), ("T1", "P3", 0.9, 1.0, 9)],
        columns=["query", "target", "identity", "coverage", "bits"],
    )
    assert copies(hits) == {"P1"}
