"""Motifs in order: a convolution that tiles each family's profile, and the best chain through it.

Each family's profile is cut into consecutive windows of a few positions; a filter holds the
position-specific scores of one window. A family's score for a sequence is that of the best chain of
its windows in their order along the sequence, found by dynamic programming over windows: it pays
for residues between two windows or lost ones, and for windows left out, and may begin and end
anywhere. That is a local Viterbi alignment whose gaps lie between windows only; or, seen as a
network, a convolution and a recurrence over motifs as in deformable part models (Girshick et al.
2015). Everything in it is differentiable: after the profiles have set the start, filters, costs and
what a family's lengths say are trained against the families that fit next best. Responses of all
windows are held at once: bytes are 4 × tokens of a batch × windows of all families.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pfamformer.config import ChainSettings
from pfamformer.sequences.alphabet import INDEX, PAD, STANDARD, TOKENS

# Scores (bits) below this tell a network nothing more: one odd residue does not rule a family out.
LOWEST_SCORE = -3.0
# Costs at the start, bits: a shift of up to `near` residues between two windows, of up to `far`,
# and a window left out.
NEAR, FAR, SKIP = 4.0, 8.0, 4.0
# Far below every score, and finite so that gradients stay so.
NEVER = -1e4


class Chain(nn.Module):
    """One filter for each window of each class's profile.

    Args:
        windows: windows of each class.

    Attributes:
        width: windows of all classes; filters lie by place in the chain, then by class, classes
            with most windows first, so that one place of all classes is a slice.
    """

    def __init__(self, settings: ChainSettings, windows: Sequence[int]) -> None:
        super().__init__()
        self.kernel, self.windows = settings.kernel, list(windows)
        self.width = sum(self.windows)
        #: Classes by falling number of windows.
        self.order = sorted(range(len(windows)), key=lambda c: (-self.windows[c], c))
        self.filters = nn.Conv1d(
            len(STANDARD), self.width, settings.kernel, padding="same", bias=False
        )
        hot = torch.zeros(len(TOKENS), len(STANDARD))
        hot[[INDEX[letter] for letter in STANDARD], range(len(STANDARD))] = 1
        # An open residue (X, B, Z, …) and padding score 0 everywhere.
        self.register_buffer("one_hot", hot, persistent=False)
        #: Column of a token's residue in ``one_hot``; their number for all that scores 0.
        letter = torch.where(hot.any(1), hot.argmax(1), len(STANDARD))
        self.register_buffer("letter", letter, persistent=False)
        count = np.bincount(self.windows, minlength=max(self.windows) + 1)
        #: Classes that have a first, a second, … window.
        self.places = (len(windows) - count.cumsum())[:-1].tolist()
        #: The filter of each place of each class (C, places); −1 beyond its last one.
        self.register_buffer("table", self._table(), persistent=False)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        """How well each window fits around each position, bits: (B, L, width)."""
        x_BLA = F.embedding(tokens_BL, self.one_hot)
        found_BWL = self.filters.weight.flatten(1) @ self._windows_of(x_BLA)
        # Without this a chain could end beyond the sequence as far as its batch is padded.
        return found_BWL.masked_fill((tokens_BL == PAD)[:, None], NEVER).transpose(1, 2)

    def responses(self, tokens_BL: Tensor, classes_BK: Tensor) -> tuple[list[Tensor], Tensor]:
        """The same for the windows of a few classes of each sequence.

        Returns:
            For each place in the chain the responses of all (sequence, class) pairs that have it,
            (1, pairs, L), pairs with most windows first; and the row of each of the B × K pairs.
        """
        x_BLA = F.embedding(tokens_BL, self.one_hot)
        index_BKP = self.table[classes_BK]
        longest = int((index_BKP >= 0).sum(-1).max())
        index_BKP = index_BKP[..., :longest]
        B, K, P = index_BKP.shape
        # As an embedding: its gradient is several times as fast as that of an index.
        chosen = F.embedding(index_BKP.clamp(min=0).view(B, -1), self.filters.weight.flatten(1))
        found_BXL = torch.bmm(chosen, self._windows_of(x_BLA))
        found_BXL = found_BXL.masked_fill((tokens_BL == PAD)[:, None], NEVER)
        count_N = (index_BKP >= 0).sum(-1).flatten()
        order_N = count_N.argsort(descending=True, stable=True)
        found_NPL = found_BXL.view(B * K, P, -1)[order_N]
        pairs = [int((count_N > place).sum()) for place in range(P)]
        places = [x_NL[None, :n] for x_NL, n in zip(found_NPL.unbind(1), pairs, strict=True)]
        return places, order_N.argsort()

    def letters(self, tokens_BL: Tensor) -> list[np.ndarray]:
        """Each sequence as rows of the filters, without padding, for compiled chains on a CPU."""
        letters, present = self.letter[tokens_BL].numpy(), (tokens_BL != PAD).numpy()
        return [row[there] for row, there in zip(letters, present, strict=True)]

    def compiled(
        self, reach: tuple[int, int], costs: Tensor
    ) -> tuple[np.ndarray, np.ndarray, int, int, np.ndarray]:
        """What compiled chains read besides sequences: filters, classes of each place, costs."""
        filters, costs = self.filters.weight.detach(), costs.detach()
        return filters.numpy(), np.array(self.places), *reach, costs.numpy()

    def _table(self) -> Tensor:
        table = np.full((len(self.windows), max(self.windows)), -1)
        number = 0
        for place, classes in enumerate(self.places):
            table[self.order[:classes], place] = np.arange(number, number + classes)
            number += classes
        return torch.from_numpy(table)

    def _windows_of(self, x_BLA: Tensor) -> Tensor:
        """Residues around each position (B, 20 × kernel, L): a convolution as one product.

        For one-hot residues and short filters several times as fast as torch's on a CPU.
        """
        before = (self.kernel - 1) // 2
        padded = F.pad(x_BLA, (0, 0, before, self.kernel - 1 - before))
        return padded.unfold(1, self.kernel, 1).flatten(2).transpose(1, 2)

    @torch.no_grad()
    def start_from(self, scores: Mapping[str, np.ndarray], families: Sequence[str]) -> None:
        """Set the filters to the windows of each family's position-specific scores.

        Args:
            scores: by family, log-odds (bits), shape (positions, 20), residues in token order.
            families: the classes in order.
        """
        table_CP = self.table.cpu()
        for label, family in enumerate(families):
            whole = np.full((self.windows[label] * self.kernel, len(STANDARD)), 0.0)
            whole[: len(scores[family])] = np.maximum(scores[family], LOWEST_SCORE)
            tiles = whole.reshape(-1, self.kernel, len(STANDARD)).transpose(0, 2, 1)
            rows = table_CP[label, : len(tiles)]
            self.filters.weight[rows] = torch.from_numpy(tiles.copy()).float()


def windows_of(positions: Mapping[str, int], families: Sequence[str], kernel: int) -> list[int]:
    """Windows that tile a profile of so many positions, for each family."""
    return [-(-positions[family] // kernel) for family in families]


def best_chains(
    places: Iterable[Tensor], kernel: int, near: int, far: int, costs: Tensor
) -> Tensor:
    """The score of the best chain of each class, (B, C).

    Args:
        places: responses of each place in the chain, (B, C, L); later ones may have fewer classes,
            always the first of those before.
        kernel: positions of a window: the distance of two windows without a gap.
        near, far: residues by which that distance may differ at the two costs.
        costs: of near, of far, of a window left out, (3,).
    """
    best: Tensor | None = None
    for response in places:
        here = response.float()
        if best is None:
            chain, best = here, here.amax(-1)
            continue
        classes, L = here.shape[-2:]
        before = chain[:, :classes]
        # Ends of the chain so far, moved to where the next window would follow without a gap.
        straight = F.pad(before, (kernel, 0), value=NEVER)[..., :L]
        nearby = _running_max(F.pad(before, (kernel - near, 0), value=NEVER)[..., :L], 2 * near)
        reached = torch.maximum(straight, nearby - costs[0])
        if far > near:
            reached = torch.maximum(reached, _running_max(nearby, far - near) - costs[1])
        ends = here + reached.relu()
        chain = torch.maximum(ends, straight - costs[2])
        best = torch.cat([torch.maximum(best[:, :classes], ends.amax(-1)), best[:, classes:]], 1)
    return best


def _running_max(x: Tensor, reach: int) -> Tensor:
    """Maximum over each position and the ``reach`` before it, by doubling."""
    have = 1
    while have <= reach:
        step = min(have, reach + 1 - have)
        moved = torch.maximum(x[..., step:], x[..., :-step])
        x, have = torch.cat([x[..., :step], moved], -1), have + step
    return x
