"""The ``metrics`` table of a run, its progress lines, and calibration of predictions."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pfamformer.command import log
from pfamformer.tables import SCHEMAS
from pfamformer.training.distributed import Team
from pfamformer.training.events import Events
from pfamformer.training.objectives import Outcome

# Bins of equal width for the expected calibration error, as in Guo et al. 2017.
BINS = 15


class Metrics:
    """Rows of the ``metrics`` table, and sums since the last one.

    Args:
        device: where sums are kept, so that a GPU is waited for only when a line is due.
        saved: what :meth:`content` gave, where a run resumes.
        events: where rows go too.
    """

    def __init__(
        self,
        device: torch.device,
        team: Team,
        saved: Mapping[str, Any] | None,
        events: Events | None = None,
    ) -> None:
        self.team = team
        self._events = events
        self.rows: list[dict[str, Any]] = list(saved["rows"]) if saved else []
        self.tokens: int = saved["tokens"] if saved else 0
        # Loss, targets, right predictions. They are added over processes: one holds what was saved.
        start = saved["sums"] if saved and team.leads else [0.0, 0.0, 0.0]
        self._sums = torch.tensor(start, dtype=torch.float64, device=device)
        self._device = device
        self._since = (time.monotonic(), self.tokens)
        self._start = time.monotonic()

    def add(self, found: Outcome, counts: float) -> None:
        """Count, with this weight, what a process found in its share of a batch."""
        sums = (found.loss, found.targets, found.right)
        parts = [x.detach().to(self._device, torch.float64) for x in sums]
        self._sums += counts * torch.stack(parts)

    @property
    def steps(self) -> int:
        """The step of the last row."""
        return self.rows[-1]["step"]

    def content(self) -> dict[str, Any]:
        """What a saved state needs; the processes' sums are joined in the leading one."""
        sums = self._join().tolist()
        return {"rows": self.rows, "tokens": self.tokens, "sums": sums}

    def _join(self) -> Tensor:
        total = self.team.total(self._sums).clone()
        self._sums = total.clone() if self.team.leads else torch.zeros_like(total)
        return total.cpu()

    def line(self, step: int, steps: int, first: int) -> None:
        """Write a row and a progress line; ``step`` of ``steps`` are done, from ``first`` on here.

        Raises:
            FloatingPointError: the loss is no longer finite.
        """
        loss_sum, targets, right = self._join().tolist()
        self._sums.zero_()
        loss, accuracy = loss_sum / max(1, targets), right / max(1, targets)
        now, (then, tokens) = time.monotonic(), self._since
        rate = (self.tokens - tokens) / (now - then)
        self._since = (now, self.tokens)
        self._add_row(step, "train", loss, accuracy, rate=rate)
        log.info(
            "step %d/%d  loss %.4f  accuracy %.3f  %s residues/s  %s left",
            step, steps, loss, accuracy, f"{rate:,.0f}",
            clock((now - self._start) / (step - first) * (steps - step)),
        )  # fmt: skip
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {step}")

    def validated(self, step: int, found: Mapping[str, float]) -> None:
        """Write a row of the validation part."""
        self._add_row(step, "valid", found["loss"], found["accuracy"], error=found["ece"])
        log.info(
            "step %d  validation loss %.4f  perplexity %.3f  accuracy %.3f  calibration error %.3f",
            step, found["loss"], math.exp(min(found["loss"], 50)), found["accuracy"], found["ece"],
        )  # fmt: skip

    def table(self) -> pd.DataFrame:
        """The ``metrics`` table."""
        return pd.DataFrame(self.rows, columns=SCHEMAS["metrics"].names)

    def _add_row(
        self, step: int, part: str, loss: float, accuracy: float,
        rate: float = math.nan, error: float = math.nan,
    ) -> None:  # fmt: skip
        if self._device.type == "cuda":
            memory = torch.cuda.max_memory_allocated() / 2**20
        else:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row = {
            "step": step, "part": part, "tokens": self.tokens, "loss": loss,
            "accuracy": accuracy, "calibration_error": error,
            "tokens_per_second": rate, "memory_mb": memory,
        }  # fmt: skip
        self.rows.append(row)
        if self._events:
            self._events.add(row)


class Calibration:
    """Expected calibration error: how far confidence is from accuracy, in bins of confidence."""

    def __init__(self) -> None:
        self._sums = np.zeros((3, BINS))  # predictions, confidence, hits

    def add(self, confidence_N: Tensor, hit_N: Tensor) -> None:
        """Count predictions: their probabilities, and whether they were right."""
        confidence, hit = confidence_N.double().cpu().numpy(), hit_N.cpu().numpy()
        place = np.minimum((confidence * BINS).astype(int), BINS - 1)
        for row, weight in zip(
            self._sums, (np.ones_like(confidence), confidence, hit), strict=True
        ):
            row += np.bincount(place, weight, BINS)

    def error(self) -> float:
        """Mean distance of confidence and accuracy over predictions, 0…1; NaN without any."""
        count, confidence, hits = self._sums
        return float(np.abs(confidence - hits).sum() / count.sum()) if count.sum() else math.nan


def clock(seconds: float) -> str:
    """Time left as minutes or hours."""
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"
