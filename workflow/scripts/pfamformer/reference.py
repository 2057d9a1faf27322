"""``config/README.md``: every setting in words, from the models that define them."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pfamformer.config import KINDS, Project

HEAD = """\
# Configuration

`config/config.yaml` is the demo. Other experiments are overlays that name only what differs:

```
snakemake --cores 2 --configfile config/full.yaml
snakemake --cores 2 ablation --configfile config/ablations/heads.yaml
snakemake --cores 2 --config 'runs={small: {steps: 500}}'
```

`--configfile` takes several files, so a target stands before it. Each run under `runs:` is laid
over `defaults:` of its kind; a section or run set to `null` is taken out. All problems are reported
at once, before any job starts, each with its path. This page and `schema.json` are made from
`workflow/scripts/pfamformer/config.py` by `workflow/scripts/write_schema.py`.

Editors that know `schema.json` complete and check keys: put
`# yaml-language-server: $schema=schema.json` on the first line of an overlay in this folder.
"""
_SIGNS = {Gt: ("gt", ">"), Ge: ("ge", "≥"), Lt: ("lt", "<"), Le: ("le", "≤"),
          MultipleOf: ("multiple_of", "multiple of")}  # fmt: skip


def readme() -> str:
    """The page as Markdown."""
    parts = [HEAD, *_section("Top level", Project, "")]
    for kind, model in KINDS.items():
        place = f"`defaults.{kind}`, and `runs.<run>` with `kind: {kind}`"
        parts += _section(f"defaults.{kind}", model, place)
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel], place: str) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield f"{' '.join((model.__doc__ or '').split())}" + (f" At {place}.\n" if place else "\n")
    yield "| key | what it is | unit | values | default |\n|---|---|---|---|---|"
    inner: list[tuple[str, type[BaseModel]]] = []
    prefix = "" if model is Project else f"{title}."
    for key, field in model.model_fields.items():
        models = list(_models(field.annotation))
        runs = set(KINDS.values()) & set(models)
        if models and not runs:
            named = "" if get_origin(field.annotation) is not dict else "<name>."
            inner += [(f"{prefix}{key}.{named}".rstrip("."), m) for m in models]
        unit = (field.json_schema_extra or {}).get("unit", "none")  # type: ignore[union-attr]
        cells = [f"`{key}`", field.description, "" if unit == "none" else unit,
                 "see the runs below" if runs else _values(field), _default(field)]  # fmt: skip
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
    for name, found in inner:
        yield from _section(name, found, "")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models inside an annotation, in order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _values(field: FieldInfo) -> str:
    if list(_models(field.annotation)):
        return "a section"
    bounds = [
        f"{sign} {getattr(found, key):,}"
        for found in field.metadata
        for kind, (key, sign) in _SIGNS.items()
        if isinstance(found, kind)
    ]
    return ", ".join([_type(field.annotation), *bounds])


def _type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        known = [_type(found) for found in inner if found is not type(None)]
        return " or ".join([*known, *(["null"] if type(None) in inner else [])])
    if origin is list:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"{_type(inner[1])} by name"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.is_required() else ""
    if isinstance(field.default, BaseModel) or field.default is None:
        return "" if field.default is not None else "null"
    return f"`{field.default}`"
