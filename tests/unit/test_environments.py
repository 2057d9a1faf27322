import subprocess
import sys
import tomllib

import pytest
import yaml

from conftest import ROOT
from pfamformer.families.similarity import mmseqs_binary

# Names that differ between PyPI and conda.
PYPI_NAME = {
    "pytorch": "torch",
    "huggingface_hub": "huggingface-hub",
    "matplotlib-base": "matplotlib",
    "python-isal": "isal",
    "python-lmdb": "lmdb",
}
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def pins():
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return dict(r.split("==") for group in groups for r in group if "==" in r)


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda p: p.name)
def test_conda_environments_have_the_versions_of_the_pins(path):
    content = yaml.safe_load(path.read_text())
    assert content["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    pinned = pins()
    compared = 0
    for requirement in content["dependencies"]:
        name, _, version = requirement.partition("=")
        if name == "mmseqs2":
            said = subprocess.run([mmseqs_binary(), "version"], capture_output=True, text=True)
            assert said.stdout.startswith(version.split(".")[1])
        elif name == "hmmer":
            assert pinned["hmmer"].startswith(version)
        elif name == "python":
            assert version in ("3.11", "3.12", "3.13")
        elif name == "pip":
            assert not version
        else:
            assert pinned[PYPI_NAME.get(name, name)] == version, requirement
            compared += 1
    assert compared >= 3


def test_every_dependency_is_pinned_exactly():
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    for group in [project["dependencies"], *project["optional-dependencies"].values()]:
        for requirement in group:
            assert "==" in requirement or requirement.startswith("pip"), requirement


def test_rules_import_only_what_their_environment_has():
    """A rule's script and its modules find their packages in the rule's conda file."""
    import ast
    import re

    from pfamformer.dependencies import code_of

    package_of = {
        "Bio": "biopython",
        "sklearn": "scikit-learn",
        "torch": "pytorch",
        "matplotlib": "matplotlib-base",
        "isal": "python-isal",
        "llvmlite": "numba",
        "lmdb": "python-lmdb",
    }
    for rules in (ROOT / "rules").glob("*.smk"):
        blocks = re.split(r"\n\s*rule (?=\w+:)", rules.read_text())[1:]
        for block in blocks:
            script = re.search(r'code=code\("(\w+)"\)', block)
            environment = re.search(r'"\.\./envs/(\w+)\.yaml"', block)
            if script is None:
                continue
            content = yaml.safe_load((ROOT / "envs" / f"{environment[1]}.yaml").read_text())
            available = {r.partition("=")[0] for r in content["dependencies"]}
            for path in code_of(ROOT / "workflow" / "scripts" / f"{script[1]}.py"):
                for node in ast.walk(ast.parse(path.read_text())):
                    names = []
                    if isinstance(node, ast.Import):
                        names = [a.name for a in node.names]
                    elif isinstance(node, ast.ImportFrom):
                        names = [node.module]
                    for top in {n.split(".")[0] for n in names}:
                        if top in sys.stdlib_module_names or top == "pfamformer":
                            continue
                        needed = package_of.get(top, top)
                        assert needed in available, (block.split(":")[0], path.name, needed)
