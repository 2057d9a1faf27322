"""Which library modules a script needs: what the workflow reruns when one of them is edited."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = "pfamformer"
# Statements that import the library, wherever they stand, one to a line or with parentheses.
_IMPORT = re.compile(rf"^[ \t]*((?:from|import) +{PACKAGE}\b[^\n(]*(?:\([^)]*\))?)", re.MULTILINE)


@cache
def code_of(script: Path, root: Path | None = None) -> tuple[Path, ...]:
    """The script, then all modules of the library that it imports, directly or not, sorted.

    Args:
        root: folder of the library; that of the script unless given.
    """
    root = root or script.parent
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path, root)
    return (script, *sorted(found - {script}))


@cache
def _imported(path: Path, root: Path) -> tuple[Path, ...]:
    paths: list[Path] = []
    # Whole modules are not parsed: every start of Snakemake would wait for it.
    statements = "\n".join(_IMPORT.findall(path.read_text(encoding="utf-8")))
    for node in ast.parse(statements, str(path)).body:
        if isinstance(node, ast.ImportFrom):
            # "from package import module" and "from module import name" look alike: try both.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE]
        for name in names:
            module = root.joinpath(*name.split("."))
            paths += [p for p in (module.with_suffix(".py"), module / "__init__.py") if p.exists()]
    return tuple(paths)


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, 16 hex digits: changes when any of them does."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def put_interpreter_first() -> None:
    """Let jobs find the running interpreter and its programs, activated environment or not.

    With ``--sdm conda`` the environment of the rule still comes before it.
    """
    folder = str(Path(sys.executable).parent)
    rest = [p for p in os.environ.get("PATH", "").split(os.pathsep) if p != folder]
    os.environ["PATH"] = os.pathsep.join([folder, *rest])
