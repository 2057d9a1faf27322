"""Training and inference: ours against transformers' ESM-2 of the same size on the same sequences.

python benchmarks/train_throughput.py --results results/demo
python benchmarks/train_throughput.py --gpu

Only residues count, never padding. The peer's two loops are bare: model, AdamW, gradient clipping
and the batches of the library's Trainer, without the Trainer's own overhead. "default" is what
Trainer does when nothing is set (8 sequences in random order, float32); "grouped" sorts by length
within 50 batches (its group_by_length), has our number of tokens per batch, and bfloat16 autocast.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from common import compare, in_turn, parser, write
from pfamformer.config import FinetuneSettings, NetworkSettings, PretrainSettings
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.sequences.alphabet import encode
from pfamformer.tables import read_table
from pfamformer.training.batches import Batch, BatchPlan, InMemory, collate, read_in_order
from pfamformer.training.device import autocast, number_format
from pfamformer.training.loop import train
from pfamformer.training.objectives import Classification, MaskedLanguageModelling, Objective
from pfamformer.training.optimizers import make_optimizer
from pfamformer.training.state import StateFolder
from throughput.gpu import measure_gpu
from throughput.peer import Peer

#: Parameters → shape. 8 M and 35 M are ESM-2's own; 1 M keeps their proportions.
SIZES = {
    "1M": NetworkSettings(layers=6, width=128, heads=8, feed_forward=512),
    "8M": NetworkSettings(layers=6, width=320, heads=20, feed_forward=1280),
    "35M": NetworkSettings(layers=12, width=480, heads=20, feed_forward=1920),
}
# Residues of one pass: some seconds for the fastest way, ten times that for the slowest.
RESIDUES = {"1M": 40_000, "8M": 16_000, "35M": 8_000}
TOKENS_PER_BATCH = 4096
MAX_LENGTH = 1022  # ESM-2's
CLASSES = 100
# Log-normal lengths (median, spread of the logarithm), fitted to human Pfam domains and proteins of
# the demo: what is used where its tables are absent.
LENGTHS = {"domains": (105.0, 0.62), "proteins": (430.0, 0.71)}


def sequences_of(kind: str, results: Path, residues: int) -> InMemory:
    """Sequences of about this many residues: of the finished project, or random of like lengths."""
    stream = np.random.default_rng(1)
    path = results / "domains" / f"{kind}.parquet"
    if path.exists():
        found = read_table(kind, path)["sequence"].sample(frac=1, random_state=1)
        arrays = (encode(s)[:MAX_LENGTH] for s in found)
    else:
        median, spread = LENGTHS[kind]
        drawn = np.exp(stream.normal(np.log(median), spread, residues)).astype(int)
        arrays = (
            stream.integers(4, 24, n).astype(np.uint8) for n in np.clip(drawn, 20, MAX_LENGTH)
        )
    chosen, total = [], 0
    for array in arrays:
        chosen.append(array)
        total += len(array)
        if total >= residues:
            break
    return InMemory(chosen)


def settings_of(kind: str, network: NetworkSettings) -> PretrainSettings | FinetuneSettings:
    """Settings of our run; one line of metrics at its end."""
    common = {
        "tokens_per_batch": TOKENS_PER_BATCH, "max_length": MAX_LENGTH, "learning_rate": 1e-4,
        "log_every": 100_000, "kind": kind,
    }  # fmt: skip
    if kind == "pretrain":
        given = common | {"corpus": "uniparc", "network": network.model_dump(), "steps": 1}
        return PretrainSettings.model_validate(given)
    return FinetuneSettings.model_validate(
        common | {"start_from": "x", "head": "classic", "epochs": 1}
    )


def our_training(
    model: torch.nn.Module, objective: Objective, settings: PretrainSettings | FinetuneSettings,
    sequences: InMemory,
) -> Callable[[], None]:  # fmt: skip
    """One epoch of our own loop."""
    plan = BatchPlan(sequences.lengths, TOKENS_PER_BATCH, MAX_LENGTH, seed=1)
    steps = len(plan.epoch(0))

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            train(
                model, objective, sequences, settings, steps=steps, plan=plan,
                optimizer=make_optimizer([(model, 1.0)], settings),
                state=StateFolder(folder, {}),
            )  # fmt: skip

    return run


def our_inference(model: MaskedLanguageModel, sequences: InMemory) -> Callable[[], None]:
    """Final embeddings of every sequence."""

    def run() -> None:
        model.eval()
        with torch.inference_mode(), autocast("auto", torch.device("cpu")):
            for batch in read_in_order(sequences, TOKENS_PER_BATCH, MAX_LENGTH):
                model.encoder(batch.tokens)

    return run


def batches_of(sequences: InMemory, grouped: bool) -> list[Batch]:
    """The Trainer's batches of one epoch."""
    size = 8
    if grouped:
        size = max(1, round(TOKENS_PER_BATCH / (sequences.lengths.mean() + 2)))
    order = np.random.default_rng(2).permutation(len(sequences))
    if grouped:
        pools = [order[i : i + 50 * size] for i in range(0, len(order), 50 * size)]
        order = np.concatenate([p[np.argsort(-sequences.lengths[p])] for p in pools])
    rows = [order[i : i + size] for i in range(0, len(order), size)]
    return [collate([sequences[i] for i in chosen], chosen) for chosen in rows]


def measure(size: str, kind: str, results: Path, repeats: int, share: float) -> Iterator[dict]:
    """Pretraining, fine-tuning and inference at one size on one kind of sequences."""
    network = SIZES[size]
    sequences = sequences_of(kind, results, int(RESIDUES[size] * share))
    default, grouped = (batches_of(sequences, grouped=g) for g in (False, True))
    labels = torch.arange(len(sequences)) % CLASSES
    short = number_format("auto", torch.device("cpu"))
    facts = {
        "size": size, "sequences": kind, "count": len(sequences),
        "residues": int(sequences.lengths.sum()), "threads": torch.get_num_threads(),
        "precision": str(short),
        "padding_default": padding(default), "padding_grouped": padding(grouped),
    }  # fmt: skip
    masked = MaskedLanguageModelling(0.15, 0.8, 0.1)
    model = MaskedLanguageModel(network)
    classifier = Classifier(network, CLASSES, settings_of("finetune", network))
    ways = {
        "pretraining": our_training(model, masked, settings_of("pretrain", network), sequences),
        "fine-tuning": our_training(
            classifier, Classification(labels), settings_of("finetune", network), sequences
        ),
        "inference": our_inference(model, sequences),
    }
    for task, ours in ways.items():
        peer = Peer(network, task, CLASSES, masked, labels)
        seconds = in_turn(
            repeats,
            pfamformer=ours,
            default=lambda peer=peer: peer.run(default, torch.float32),
            grouped=lambda peer=peer: peer.run(grouped, short),
        )
        row = compare(f"{task}, {size}, {kind}", seconds, **facts)
        best = row["median_seconds"]["pfamformer"]
        row["residues_per_second"] = facts["residues"] / best
        yield row


def padding(batches: list[Batch]) -> float:
    """Share of positions that are padding."""
    real = sum(batch.residues + 2 * len(batch.rows) for batch in batches)
    return 1 - real / sum(batch.tokens.numel() for batch in batches)


def main() -> None:
    """All sizes and kinds of sequences on the CPU, or the GPU's comparison."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--results", default="results/demo", help="folder of a finished project")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--share", type=float, default=1.0, help="of the residues of one pass")
    arguments.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    arguments.add_argument("--gpu", action="store_true", help="35 M to 650 M parameters, 8 minutes")
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    packages = ("torch", "transformers")
    if arguments.gpu:
        rows = measure_gpu(toy=arguments.quick or not torch.cuda.is_available())
        if torch.cuda.is_available() and not arguments.quick:
            write("train_throughput_gpu", rows, packages)
        return
    sizes = arguments.sizes[:1] if arguments.quick else arguments.sizes
    share, repeats = (0.1, 1) if arguments.quick else (arguments.share, arguments.repeats)
    rows = [
        row
        for size in sizes
        for kind in LENGTHS
        for row in measure(size, kind, Path(arguments.results), repeats, share)
    ]
    if not arguments.quick:
        write("train_throughput", rows, packages)


if __name__ == "__main__":
    main()
