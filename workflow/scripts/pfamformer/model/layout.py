"""How the tokens of a batch lie in memory: padded rows, or packed without any padding.

Everything outside attention works on rows of shape (T, …): T = B·L positions of a padded batch, or
the N real tokens of a packed one. Axes: B sequences, L positions, T rows, H heads, D dimensions.

oneDNN, which multiplies bfloat16 matrices on CPUs, makes a kernel for each new number of rows, some
3 ms for each matrix. Packed batches there end in a sequence of nothing, so that numbers come again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pfamformer.sequences.alphabet import PAD


@dataclass(frozen=True)
class Layout:
    """The shape of a batch and where its tokens are.

    Attributes:
        present_BL: true at tokens; None when no position is padding.
        rows_T: for a packed batch, the position in the padded batch (b·L + l) of each row; of the
            sequence of nothing some position.
        offsets: for a packed batch, the first row of each sequence and the end, (B + 1,) int32.
        lengths: for a packed batch on a CPU, the tokens of each sequence, that of nothing included.
        spare: rows of the sequence of nothing.
    """

    sequences: int
    length: int
    present_BL: Tensor | None
    rows_T: Tensor | None = None
    offsets: Tensor | None = None
    lengths: tuple[int, ...] | None = None
    spare: int = 0

    @classmethod
    def of(
        cls,
        tokens_BL: Tensor,
        packed: bool,
        device: torch.device | None = None,
        round_up: bool = False,
    ) -> Layout:
        """The layout of padded tokens, for a network on ``device`` (that of the tokens).

        From tokens on the CPU it is found without waiting for a GPU.

        Args:
            round_up: add a sequence of nothing, where a packed batch on a CPU needs one.
        """
        device = tokens_BL.device if device is None else device
        present_BL = tokens_BL != PAD
        counts_B = present_BL.sum(1)
        shape = tokens_BL.shape
        # Without padding the mask-free kernel is faster and exact.
        found = None if bool(present_BL.all()) else present_BL.to(device, non_blocking=True)
        if not packed:
            return cls(*shape, found)
        offsets = torch.nn.functional.pad(counts_B.cumsum(0), (1, 0)).to(torch.int32)
        rows_T = present_BL.flatten().nonzero().squeeze(1)
        if device.type == "cpu":
            spare = -len(rows_T) % _step(len(rows_T)) if round_up else 0
            lengths = (*counts_B.tolist(), *([spare] if spare else []))
            rows_T = torch.nn.functional.pad(rows_T, (0, spare))
            return cls(*shape, found, rows_T, offsets, lengths, spare)
        moved = (x.to(device, non_blocking=True) for x in (rows_T, offsets))
        return cls(*shape, found, *moved)

    def pack(self, x_BL: Tensor) -> Tensor:
        """The rows (T, …) of a padded tensor (B, L, …)."""
        flat = x_BL.reshape(self.sequences * self.length, *x_BL.shape[2:])
        return flat if self.rows_T is None else flat[self.rows_T]

    def unpack(self, x_T: Tensor) -> Tensor:
        """The padded tensor (B, L, …) of rows (T, …); zero at padding of a packed batch."""
        if self.rows_T is not None:
            flat = x_T.new_zeros(self.sequences * self.length, *x_T.shape[1:])
            real = len(x_T) - self.spare
            x_T = flat.index_copy(0, self.rows_T[:real], x_T[:real])
        return x_T.view(self.sequences, self.length, *x_T.shape[1:])

    def positions(self, device: torch.device) -> Tensor:
        """Position of each row in its sequence, (T,)."""
        if self.rows_T is not None:
            return self.rows_T % self.length
        return torch.arange(self.length, device=device).repeat(self.sequences)


def _step(rows: int) -> int:
    """Numbers of rows are rounded up to a multiple of it: by a 64th on average, at most a 32nd."""
    return max(16, 2 ** (rows.bit_length() - 6))
