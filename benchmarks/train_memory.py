"""Peak memory of a training step by size of network and length of sequences, at one token budget.

python benchmarks/train_memory.py
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

from common import parser, write

LENGTHS = (30, 120, 480, 1020)
TOKENS = 4096


def step(size: str, length: int, checkpointing: bool) -> float:
    """Peak resident memory of this process after a step, in MB."""
    import numpy as np
    import torch

    from pfamformer.config import PretrainSettings
    from pfamformer.model.encoder import MaskedLanguageModel
    from pfamformer.training.batches import collate
    from pfamformer.training.device import autocast
    from pfamformer.training.objectives import MaskedLanguageModelling
    from pfamformer.training.optimizers import make_optimizer
    from train_throughput import SIZES

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
    """One process per measurement."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--one", nargs=3, help="size, length, checkpointing (0 or 1)")
    arguments = arguments.parse_args()
    if arguments.one:
        size, length, checkpointing = arguments.one
        print(json.dumps(step(size, int(length), checkpointing == "1")))
        return
    rows = []
    for size in ("1M",) if arguments.quick else ("1M", "8M", "35M"):
        for checkpointing in (False, True):
            found = {}
            for length in LENGTHS:
                words = [sys.executable, __file__, "--one", size, length, int(checkpointing)]
                words = [str(word) for word in words]
                out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
                found[length] = round(json.loads(out))
            ratio = max(found.values()) / min(found.values())
            how = "recomputed" if checkpointing else "kept"
            print(f"{size}, activations {how}: MB by length {found}, ratio={ratio:.2f}", flush=True)
            rows.append({"size": size, "activations": how, "tokens": TOKENS, "peak_mb": found})
    if not arguments.quick:
        write("train_memory", rows, ("torch",))


if __name__ == "__main__":
    main()
