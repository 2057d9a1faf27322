"""The metrics of a run as TensorBoard event files, where its settings name a folder for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pfamformer.errors import InputError


class Events:
    """Event files of one run.

    Args:
        folder: of this run; a run that resumes goes on in it.
        first: step at which it starts or resumes. TensorBoard drops what a start that was killed
            wrote of later steps.

    Raises:
        InputError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, first: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                folder,
                "TensorBoard is not installed",
                remedy="pip install '.[tensorboard]', or leave the setting tensorboard out",
            ) from error
        # The row of step ``first`` was there when the state was saved: it is not written again.
        self._writer = SummaryWriter(str(folder), purge_step=first + 1 if first else 0)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write the finite numbers of a row of the ``metrics`` table: ``loss/train`` and so on."""
        for name, value in row.items():
            if name not in ("step", "part") and math.isfinite(value):
                self._writer.add_scalar(f"{name}/{row['part']}", value, row["step"])
        self._writer.flush()


def events_of(folder: str | None, state: Path, first: int) -> Events | None:
    """Events below ``folder`` of the run whose states lie in ``state``, …/kind/run."""
    if folder is None:
        return None
    return Events(Path(folder, state.parent.name, state.name), first)
