"""What a weights file says about the network in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open


def description(path: str | Path) -> dict[str, Any]:
    """The description that was saved beside the weights.

    Raises:
        OSError, SafetensorError: missing, or not safetensors.
        KeyError: saved without a description.
    """
    with safe_open(path, "pt") as file:
        return json.loads((file.metadata() or {})["about"])
