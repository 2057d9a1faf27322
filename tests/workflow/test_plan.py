"""What Snakemake plans: targets, configurations, and what is refused."""

import re
from pathlib import Path

import pytest

from conftest import ROOT, snakemake, working_copy

TARGETS = [
    "all", "sources", "domains", "localisation_data", "localisation", "splits", "corpora",
    "pretraining", "finetuning", "baselines", "table_3", "family_analysis", "figure_6", "report",
    "tasks", "table_4", "table_6", "table_7", "go_baselines", "go", "table_2", "model",
]  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return working_copy(tmp_path_factory.mktemp("copy"))


def pretend_sources(folder: Path, chunks: int) -> None:
    data = folder / "data" / "pfam"
    data.mkdir(parents=True, exist_ok=True)
    names = ["Pfam-A.seed.gz", "pfamseq.gz"]
    names += [f"uniparc_active_p{i}.fasta.gz" for i in range(1, chunks + 1)]
    for name in names:
        (data / name).touch()


@pytest.mark.parametrize("configuration", ["config", "tiny", "full", "own_families"])
def test_every_target_can_be_planned(copy, configuration):
    (copy / "data").mkdir(exist_ok=True)
    (copy / "data" / "domains.tsv.gz").touch()  # what own_families.yaml reads
    files = [] if configuration == "config" else ["--configfile", f"config/{configuration}.yaml"]
    # Together: one name that is unknown or cannot be made fails the whole plan, and says which.
    planned = snakemake(copy, *TARGETS, "-n", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]


OVERLAYS = sorted(path.stem for path in (ROOT / "config" / "ablations").glob("*.yaml"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_ablation_can_be_planned(copy, overlay):
    files = ("--configfile", f"config/ablations/{overlay}.yaml")
    planned = snakemake(copy, "ablation", "-n", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]
    assert f"results/demo/ablations/{overlay}.tsv" in planned.stdout + planned.stderr


@pytest.mark.parametrize(
    ("overlays", "target", "source"),
    [(["remote_homology"], "table_4", "tape_partial.tsv.gz"),
     (["remote_homology", "scope"], "table_4", "scope_2.08_35.tsv.gz"),
     (["secondary_structure"], "tape", "secondary_structure")],
)  # fmt: skip
def test_tasks_of_overlays_can_be_planned(copy, overlays, target, source):
    (copy / "data" / source).mkdir(parents=True, exist_ok=True)
    files = [f"config/{overlay}.yaml" for overlay in overlays]
    planned = snakemake(copy, target, "-n", "--configfile", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]
    table = f"results/{overlays[-1]}/tables/{target}.tsv"
    assert table in planned.stdout + planned.stderr


def test_all_tasks_of_tape_are_learnt_from_its_archives(copy):
    files = ("--configfile", "config/full.yaml", "config/tape.yaml")
    planned = snakemake(copy, "table_4", "tape", "-n", *files)
    assert planned.returncode == 0, planned.stderr[-2000:]
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", planned.stdout + planned.stderr, re.M))
    assert (jobs["task_file"], jobs["task_network"], jobs["fold_network"]) == ("5", "4", "12")


def test_full_plan_is_short(copy):
    planned = snakemake(copy, "-n", "--configfile", "config/full.yaml")
    total, *_ = re.findall(r"^total\s+(\d+)$", planned.stdout + planned.stderr, re.M)
    assert 200 < int(total) < 1000


def test_a_folder_of_files_is_used_as_it_lies(copy):
    pretend_sources(copy, 3)
    (copy / "data/pfam/Pfam-A.clans.tsv.gz").touch()
    (copy / "data/pfam/scope").mkdir()
    (copy / "data/pfam/scope/astral-40.fa").touch()
    (copy / "data/pfam/notes").mkdir()
    (copy / "data/pfam/notes/mine.txt").touch()
    settings = "sources={provider: files, files: {folder: data/pfam}, uniparc_chunks: 3}"
    ended = snakemake(copy, "sources", "--cores", 1, "--config", "project=folder", settings)
    assert ended.returncode == 0, ended.stderr[-2000:]
    linked = copy / "results/folder/sources"
    assert {str(p.relative_to(linked)) for p in linked.rglob("*") if p.is_file()} == {
        "Pfam-A.seed.gz", "pfamseq.gz", "Pfam-A.clans.tsv.gz", "scope/astral-40.fa",
        *(f"uniparc/uniparc_active_p{i}.fasta.gz" for i in (1, 2, 3)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("runs={small: {learning_rate: -1}}", "runs.small.learning_rate: must be > 0 (got -1)"),
        ("evalution={}", "evalution: unknown key; did you mean 'evaluation'?"),
        ("runs={small: {steps: 5}", "runs: must be a section of settings (got '{small"),
        ("query=tests", "query: tests: no file but a folder"),
    ],
)
def test_bad_configuration_stops_before_any_job(tmp_path, setting, message):
    folder = working_copy(tmp_path)
    ended = snakemake(folder, "--cores", 1, "--config", setting)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (folder / "results").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("annotate", "annotate needs a FASTA file: --config query=my.fasta"),
        ("ablation", "ablation needs comparisons: --configfile config/ablations/heads.yaml"),
        ("tabel_3", "no target 'tabel_3'; did you mean 'table_3'?"),
        ("table-3", "no target 'table-3'; did you mean 'table_3'?"),
    ],
)
def test_a_target_that_cannot_be_made_gets_one_sentence(tmp_path, target, message):
    ended = snakemake(working_copy(tmp_path), target, "-n")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1 and message in said
    assert "Exception" not in said and "Traceback" not in said
