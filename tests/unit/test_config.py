import json
import shutil
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, run_script
from pfamformer.config import Project, Settings, resolve, schema
from pfamformer.errors import InputError

BASE = {
    "sources": {"provider": "embedded", "embedded": {"families": ["PF00001", "PF00002"]}},
    "defaults": {
        "pretrain": {
            "corpus": "uniparc",
            "network": {"layers": 2, "width": 32, "heads": 2, "feed_forward": 64},
            "steps": 10,
            "tokens_per_batch": 512,
            "learning_rate": 0.001,
        },
        "finetune": {
            "start_from": "small", "epochs": 1, "tokens_per_batch": 512, "learning_rate": 0.001,
        },
    },
    "runs": {"small": {"kind": "pretrain"}, "classic": {"kind": "finetune", "head": "classic"}},
}  # fmt: skip


def changed(path, value):
    raw = json.loads(json.dumps(BASE))
    *parents, last = path.split(".")
    section = raw
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value
    return raw


def problems(raw):
    with pytest.raises(InputError) as error:
        resolve(raw)
    return str(error.value)


def test_runs_are_laid_over_their_defaults():
    raw = changed("runs.small.network", {"width": 64})
    project = resolve(raw)
    expected = {"layers": 2, "width": 64, "heads": 2, "feed_forward": 64, "dropout": 0.0}
    assert expected.items() <= project.runs["small"].network.model_dump().items()
    assert project.runs["classic"].weights == "pretrained"
    assert resolve(changed("seed", 9)).runs["classic"].seed == 9
    assert list(resolve(changed("runs.other", None)).runs) == ["small", "classic"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("runs.small.learning_rate", -1, "runs.small.learning_rate: must be > 0 (got -1)"),
        ("runs.small.learnig_rate", 1, "runs.small.learnig_rate: unknown key; did you mean "
         "'learning_rate'?"),
        ("defaults.pretrain.steps", -1, "defaults.pretrain.steps: must be >= 0 (got -1)"),
        ("runs.small.steps", 0, "runs.small.steps: must be >= 1 without esm2 (got 0)"),
        ("runs.small.network.heads", 5, "runs.small.network.heads: must divide width / 2"),
        ("runs.classic.start_from", "large", "runs.classic.start_from: must be one of the "
         "pretraining runs small (got 'large')"),
        ("runs.classic.kind", "tune", "runs.classic.kind: must be one of pretrain, finetune"),
        ("runs.clasic", {"epochs": 5}, "runs.clasic.kind: is required, one of pretrain, finetune, "
         "tagger, terms, fold, task; did you mean 'classic'?"),
        ("runs.classic.head", "cls", "runs.classic.head: must be one of 'classic', 'dropout', "
         "'predeach_mean'"),
        ("splits.min_identity", 25, "splits.min_identity: must be <= 1 (got 25)"),
        ("split", {}, "split: unknown key; did you mean 'splits'?"),
        ("sources.embedded.families", ["PF1", "PF00002"], "sources.embedded.families.0: "),
        ("sources.provider", "files", "sources.files: is required by sources.provider"),
        ("project", "My Project", "project: "),
        ("runs", "{small: {steps: 5}", "runs: must be a section of settings (got '{small"),
        ("defaults", 3, "defaults: must be a section of settings (got 3)"),
        ("defaults.pretrain", [1], "defaults.pretrain: must be a section of settings (got [1])"),
        ("runs", {}, "runs: at least one run is required"),
        ("defaults.finetune.epochs", None, "runs.classic.epochs: is required"),
        ("resources.pretrain.gpus", "two", "resources.pretrain.gpus: "),
    ],
)  # fmt: skip
def test_each_problem_names_its_path(path, value, message):
    assert message in problems(changed(path, value))


def test_all_problems_at_once_and_defaults_blamed_once():
    raw = changed("defaults.finetune.learning_rate", -1)
    raw["runs"]["dropout"] = {"kind": "finetune", "head": "dropout", "epochs": 0}
    raw["sources"]["uniparc_chunks"] = 0
    text = problems(raw)
    assert text.count("defaults.finetune.learning_rate: must be > 0 (got -1)") == 1
    assert "runs.dropout.epochs: must be >= 1 (got 0)" in text
    assert "sources.uniparc_chunks: must be >= 1 (got 0)" in text
    assert "3 problems" in text


def models():
    found = [Settings]
    for model in found:
        found += model.__subclasses__()
    return found[1:]


def test_every_field_is_described_with_unit_and_bounds():
    for model in models():
        assert model.__doc__
        for name, field in model.model_fields.items():
            place = f"{model.__name__}.{name}"
            assert field.description, place
            assert field.json_schema_extra["unit"], place
            if field.annotation in (int, float):
                bounds = {type(m).__name__ for m in field.metadata}
                assert bounds & {"Ge", "Gt"}, f"{place} has no lower bound"
                assert bounds & {"Le", "Lt"}, f"{place} has no upper bound"


def merged(*names):
    def merge(below, above):
        if isinstance(below, dict) and isinstance(above, dict):
            return {**below, **{k: merge(below.get(k), v) for k, v in above.items()}}
        return above

    total: dict = {}
    for name in names:
        total = merge(total, yaml.safe_load((ROOT / "config" / name).read_text()))
    return total


# An overlay that lies over another one than the default alone.
OVER = {
    "cafa3.yaml": ["full.yaml"], "tape.yaml": ["full.yaml"], "scope.yaml": ["remote_homology.yaml"],
}  # fmt: skip


@pytest.mark.parametrize("overlay", sorted(p.name for p in (ROOT / "config").glob("*.yaml")))
def test_shipped_configurations_are_valid(overlay):
    project = resolve(merged("config.yaml", *OVER.get(overlay, []), overlay))
    assert isinstance(project, Project) and project.runs


def test_parts_of_the_ontology_task_need_dates_or_the_files_of_cafa3():
    with pytest.raises(InputError, match=r"tasks\.go\.data: 'cafa3' needs files that provider"):
        resolve(merged("config.yaml", "cafa3.yaml"))
    raw = merged("config.yaml")
    raw["tasks"]["go"]["test_from"] = None
    with pytest.raises(InputError, match=r"tasks\.go\.test_from: 'dates' needs dev_from and"):
        resolve(raw)


def test_written_schema_is_current_and_accepts_the_shipped_files(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    written = json.loads((ROOT / "config" / "schema.json").read_text())
    assert written == json.loads(json.dumps(schema()))
    for path in (ROOT / "config").glob("*.yaml"):
        jsonschema.validate(yaml.safe_load(path.read_text()), written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"splits": {"min_identity": 2}}, written)
    shutil.copy(ROOT / "config" / "schema.json", tmp_path)
    assert run_script("write_schema", "--check", tmp_path / "schema.json").returncode == 1
    stale = tmp_path / "schema.json"
    stale.write_text("{}")
    assert run_script("write_schema", "--check", stale).returncode == 1
    assert run_script("write_schema", "--check", Path(ROOT, "config/schema.json")).returncode == 0


def test_the_page_of_settings_names_each_with_its_bounds_and_choices():
    page = (ROOT / "config" / "README.md").read_text()
    for model in models():
        for name in model.model_fields:
            assert f"| `{name}` |" in page, f"{model.__name__}.{name}"
    assert "| `min_identity` | Aligned identity" in page and "> 0, ≤ 1 | `0.25` |" in page
    assert "`clustered`, `random`" in page and "list of text" in page


@pytest.mark.parametrize("kind", ["fold", "terms", "task"])
def test_runs_without_families_have_no_profiles(kind):
    run = {"kind": kind, "head": "pool_mean", "epochs": 1, "tokens_per_batch": 512,
           "learning_rate": 0.001, "encoder": {"kind": "motif"}}  # fmt: skip
    run |= {"task": "other"} if kind == "task" else {}
    said = problems(changed("runs.x", run))
    assert f"runs.x: profiles are those of families, which a run of kind '{kind}'" in said
    assert ("runs.x.task: 'other' is no task" in said) == (kind == "task")
