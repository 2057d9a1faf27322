"""Which rows form which batch, and how a batch is shared."""

import numpy as np

from pfamformer.training.batches import BatchPlan, collate, cut_into_batches


def test_batches_fit_the_budget_and_hold_every_row(stream):
    lengths = stream.integers(1, 300, 500)
    plan = BatchPlan(lengths, budget=1024, max_length=200, seed=4)
    tokens = np.minimum(lengths, 200) + 2
    for epoch in range(3):
        batches = plan.epoch(epoch)
        assert sorted(np.concatenate(batches)) == list(range(500))
        assert all(tokens[rows].max() * len(rows) <= 1024 for rows in batches)
    padded = sum(tokens[rows].max() * len(rows) for rows in plan.epoch(0))
    assert tokens.sum() / padded > 0.9
    assert not np.array_equal(np.concatenate(plan.epoch(0)), np.concatenate(plan.epoch(1)))


def test_too_long_a_row_gets_its_own_batch():
    batches = cut_into_batches(np.arange(3), np.array([5, 50, 5]), budget=20)
    assert [b.tolist() for b in batches] == [[0], [1], [2]]


def test_steps_are_the_same_wherever_training_starts_again(stream):
    plan = BatchPlan(stream.integers(1, 90, 40), budget=256, max_length=64, seed=5)

    def listed(first, last, accumulate=1):
        return [
            (step, [(epoch, rows.tolist()) for epoch, rows in parts])
            for step, parts in plan.steps(first, last, accumulate)
        ]

    whole = listed(0, 50)
    assert [step for step, _ in whole] == list(range(50))
    assert whole[-1][1][0][0] >= 1  # several epochs
    for first in (1, 17, 49):
        assert listed(first, 50) == whole[first:]
    pairs = listed(0, 20, accumulate=2)
    assert [part for _, parts in pairs for part in parts] == [p for _, (p,) in whole[:40]]
    assert listed(7, 20, accumulate=2) == pairs[7:]


def test_windows_move_but_stay_inside(stream):
    plan = BatchPlan(np.array([500, 10]), budget=256, max_length=64, seed=5)
    starts = {plan.window(0, epoch).start for epoch in range(20)}
    assert len(starts) > 10 and max(starts) <= 436
    assert plan.window(1, 3) == slice(None)


def test_shares_are_the_batch():
    arrays = [np.full(n, 5 + n, dtype=np.uint8) for n in (3, 1, 2)]
    batch = collate(arrays, np.array([7, 8, 9]))
    shares = [batch.share(rank, 4) for rank in range(4)]
    assert [share.rows.tolist() for share in shares] == [[7], [8], [9], []]
    assert sum(share.residues for share in shares[:3]) == batch.residues == 6
