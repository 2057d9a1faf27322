"""Peak memory of a training step by size of network and length of sequences, at one token budget.

python benchmarks/train_memory.py
"""

from __future__ import annotations

import multiprocessing
import resource

import numpy as np
import torch

from common import parser, write
from pfamformer.config import PretrainSettings
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.training.batches import collate
from pfamformer.training.device import autocast
from pfamformer.training.objectives import MaskedLanguageModelling
from pfamformer.training.optimizers import make_optimizer
from train_throughput import SIZES

LENGTHS = (30, 120, 480, 1020)
TOKENS = 4096


def step(size: str, length: int, checkpointing: bool) -> float:
    """Peak resident memory of this process after a step, in MB."""
    torch.set_num_threads(1)
    settings = PretrainSettings.model_validate(
        {"kind": "pretrain", "corpus": "uniparc", "network": SIZES[size].model_dump(), "steps": 1,
         "tokens_per_batch": TOKENS, "learning_rate": 1e-4}
    )  # fmt: skip
    model = MaskedLanguageModel(SIZES[size]).train()
    model.encoder.checkpointing = checkpointing
    optimizer = make_optimizer([(model, 1.0)], settings)
    count = TOKENS // (length + 2)
    arrays = list(np.random.default_rng(1).integers(4, 24, (count, length)).astype(np.uint8))
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1)
    stream = torch.Generator().manual_seed(1)
    for _ in range(2):
        batch = objective.prepare(collate(arrays, np.arange(count)), stream)
        with autocast("auto", torch.device("cpu")):
            outcome = objective(model, batch)
        outcome.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """One process per measurement: a peak is that of a whole process."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    arguments = arguments.parse_args()
    # Forked, so that torch is imported once. This process computes nothing that a fork would lose.
    processes = multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1)
    rows = []
    for size in arguments.sizes[:1] if arguments.quick else arguments.sizes:
        for checkpointing in (False, True):
            found = {}
            for length in LENGTHS:
                found[length] = round(processes.apply(step, (size, length, checkpointing)))
            ratio = max(found.values()) / min(found.values())
            how = "recomputed" if checkpointing else "kept"
            print(f"{size}, activations {how}: MB by length {found}, ratio={ratio:.2f}", flush=True)
            rows.append({"size": size, "activations": how, "tokens": TOKENS, "peak_mb": found})
            if not arguments.quick:
                write("train_memory", rows, ("torch",))


if __name__ == "__main__":
    main()
