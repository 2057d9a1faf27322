"""Training and inference: ours against transformers' ESM-2 of the same size on the same sequences.

GOMP_SPINCOUNT=5000 python benchmarks/train_throughput.py --results results/demo
python benchmarks/train_throughput.py --gpu

Only residues count, never padding. Each way is timed on a few batches of its own epoch over all
sequences, spread evenly from the shortest to the longest, so that it has the padding and the
lengths that it would have; on others in each pass, because a batch that comes again finds kernels
made for its shape. The peer's two loops are bare: model, AdamW, gradient clipping and the
batches of the library's Trainer, without the Trainer's own overhead. "default" is what
Trainer does when nothing is set (8 sequences in random order, float32); "grouped" sorts by length
within 50 batches (its group_by_length), has our number of tokens per batch, and bfloat16 autocast.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from common import compare, in_turn, parser, processor_seconds, write
from pfamformer.config import FinetuneSettings, NetworkSettings, PretrainSettings
from pfamformer.model.classifier import Classifier
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.model.side_by_side import answers
from pfamformer.sequences.alphabet import encode
from pfamformer.tables import read_table
from pfamformer.training.batches import Batch, BatchPlan, InMemory, collate
from pfamformer.training.device import autocast, keep_freed_memory, number_format
from pfamformer.training.loop import train
from pfamformer.training.objectives import Classification, MaskedLanguageModelling, Objective
from pfamformer.training.optimizers import make_optimizer
from pfamformer.training.reading import of_one_core
from pfamformer.training.state import StateFolder
from throughput.gpu import measure_gpu
from throughput.peer import Peer

#: Parameters → shape. 8 M and 35 M are ESM-2's own; 1 M keeps their proportions.
SIZES = {
    "1M": NetworkSettings(layers=6, width=128, heads=8, feed_forward=512),
    "8M": NetworkSettings(layers=6, width=320, heads=20, feed_forward=1280),
    "35M": NetworkSettings(layers=12, width=480, heads=20, feed_forward=1920),
}
# Batches of one pass of each way: ten seconds for the fastest way, a minute for the slowest.
BATCHES = {"1M": 8, "8M": 4, "35M": 2}
# Sequences of an epoch where no project is at hand.
RANDOM = 5_000
TOKENS_PER_BATCH = 4096
MAX_LENGTH = 1022  # ESM-2's
CLASSES = 100
TASKS = ["pretraining", "fine-tuning", "inference"]
# Log-normal lengths (median, spread of the logarithm), fitted to human Pfam domains and proteins of
# the demo: what is used where its tables are absent.
LENGTHS = {"domains": (105.0, 0.62), "proteins": (430.0, 0.71)}


def sequences_of(kind: str, results: Path) -> InMemory:
    """All sequences of the finished project, or random ones of like lengths."""
    path = results / "domains" / f"{kind}.parquet"
    if path.exists():
        return InMemory([encode(s)[:MAX_LENGTH] for s in read_table(kind, path)["sequence"]])
    stream = np.random.default_rng(1)
    median, spread = LENGTHS[kind]
    drawn = np.exp(stream.normal(np.log(median), spread, RANDOM)).astype(int)
    lengths = np.clip(drawn, 20, MAX_LENGTH)
    return InMemory([stream.integers(4, 24, n).astype(np.uint8) for n in lengths])


def spread_out(
    batches: list[np.ndarray], lengths: np.ndarray, count: int, turn: int
) -> list[np.ndarray]:
    """``count`` batches (arrays of rows), evenly from the shortest sequences to the longest.

    Those of each turn lie elsewhere, by the golden section.
    """
    ordered = sorted(batches, key=lambda rows: (lengths[rows].max(), lengths[rows].sum()))
    places = (np.arange(count) + (0.5 + turn * (5**0.5 - 1) / 2) % 1) / count * len(ordered)
    return [ordered[int(place)] for place in places]


class FewBatches(BatchPlan):
    """Our own plan, of which a few batches are read.

    Attributes:
        turn: which.
    """

    def __init__(self, lengths: np.ndarray, count: int, budget: int = TOKENS_PER_BATCH) -> None:
        super().__init__(lengths, budget, MAX_LENGTH, seed=1)
        self.lengths, self.count, self.turn = lengths, count, 0
        self._all = super().epoch(0)

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The chosen batches."""
        return spread_out(self._all, self.lengths, self.count, self.turn)

    def residues(self) -> int:
        """Of the chosen batches."""
        return int(self.lengths[np.concatenate(self.epoch(0))].sum())


class Passes:
    """One way, called pass after pass, and the residues of each.

    Args:
        way: takes the number of the pass and returns its residues.
        first: number of the first pass.
    """

    def __init__(self, way: Callable[[int], int], first: int) -> None:
        self.way, self.first, self.residues = way, first, []

    def __call__(self) -> None:
        """The next pass."""
        self.residues.append(self.way(self.first + len(self.residues)))


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
    sequences: InMemory, plan: FewBatches,
) -> Callable[[int], int]:  # fmt: skip
    """A few steps of our own loop."""

    def run(turn: int) -> int:
        plan.turn = turn
        keep_freed_memory()
        with tempfile.TemporaryDirectory() as folder:
            train(
                model, objective, sequences, settings, steps=plan.count, plan=plan,
                optimizer=make_optimizer([(model, 1.0)], settings),
                state=StateFolder(folder, {}),
            )  # fmt: skip
        return plan.residues()

    return run


def our_inference(
    model: MaskedLanguageModel, sequences: InMemory, plan: FewBatches
) -> Callable[[int], int]:
    """Final embeddings, batches on cores of their own as :func:`reading.read` has them."""

    def run(turn: int) -> int:
        plan.turn = turn
        keep_freed_memory()
        model.eval()
        batches = (collate([sequences[i] for i in rows], rows) for rows in plan.epoch(0))
        with torch.inference_mode(), autocast("auto", torch.device("cpu")):
            for _ in answers(lambda batch: model.encoder(batch.tokens), batches):
                pass
        return plan.residues()

    return run


def their_batches(sequences: InMemory, grouped: bool, count: int) -> Callable[[int], list[Batch]]:
    """What gives a few of the Trainer's batches of one epoch, others in each pass."""
    size = 8
    if grouped:
        size = max(1, round(TOKENS_PER_BATCH / (sequences.lengths.mean() + 2)))
    order = np.random.default_rng(2).permutation(len(sequences))
    if grouped:
        pools = [order[i : i + 50 * size] for i in range(0, len(order), 50 * size)]
        order = np.concatenate([p[np.argsort(-sequences.lengths[p])] for p in pools])
    rows = [order[i : i + size] for i in range(0, len(order), size)]
    full = [r for r in rows if len(r) == size]

    def chosen(turn: int) -> list[Batch]:
        few = spread_out(full, sequences.lengths, count, turn)
        return [collate([sequences[i] for i in some], some) for some in few]

    return chosen


def their_passes(
    peer: Peer, batches: Callable[[int], list[Batch]], dtype: torch.dtype
) -> Callable[[int], int]:
    """Their loop over their batches."""

    def run(turn: int) -> int:
        few = batches(turn)
        peer.run(few, dtype)
        return sum(batch.residues for batch in few)

    return run


def measure(
    size: str, kind: str, tasks: list[str], results: Path, repeats: int, batches: int
) -> Iterator[dict]:
    """The tasks at one size on one kind of sequences."""
    network = SIZES[size]
    sequences = sequences_of(kind, results)
    plan = FewBatches(sequences.lengths, batches)
    budget = of_one_core(TOKENS_PER_BATCH)
    read = FewBatches(sequences.lengths, batches * TOKENS_PER_BATCH // budget, budget)
    default, grouped = (their_batches(sequences, g, batches) for g in (False, True))
    labels = torch.arange(len(sequences)) % CLASSES
    short = number_format("auto", torch.device("cpu"))
    facts = {
        "size": size, "sequences": kind, "count": len(sequences),
        "batches": batches, "threads": torch.get_num_threads(),
        "spin": os.environ.get("GOMP_SPINCOUNT"),
        "precision": str(short),
        "padding_default": padding(default(0)), "padding_grouped": padding(grouped(0)),
    }  # fmt: skip
    masked = MaskedLanguageModelling(0.15, 0.8, 0.1)
    model = MaskedLanguageModel(network)
    classifier = Classifier(network, CLASSES, settings_of("finetune", network))
    ways = {
        "pretraining": our_training(
            model, masked, settings_of("pretrain", network), sequences, plan
        ),
        "fine-tuning": our_training(
            classifier, Classification(labels), settings_of("finetune", network), sequences, plan
        ),
        "inference": our_inference(model, sequences, read),
    }
    for number, task in enumerate(tasks):
        peer, first = Peer(network, task, CLASSES, masked, labels), number * (repeats + 1)
        run = {
            "pfamformer": Passes(ways[task], first),
            "default": Passes(their_passes(peer, default, torch.float32), first),
            "grouped": Passes(their_passes(peer, grouped, short), first),
        }
        seconds = in_turn(repeats, **run)
        # Each way has read other sequences: seconds per 1,000 residues are compared.
        rates = {
            way: [1000 * s / n for s, n in zip(found, run[way].residues, strict=True)]
            for way, found in seconds.items()
        }
        used = {
            way: 1000 * processor_seconds(passes) / passes.residues[-1]
            for way, passes in run.items()
        }
        residues = {way: passes.residues for way, passes in run.items()}
        title = f"{task}, {size}, {kind}, 1,000 residues"
        row = compare(title, rates, **facts, residues=residues, processor_seconds=used)
        saved = used["grouped"] / used["pfamformer"]
        print(f"{title}, processor time: grouped {saved:.2f} times ours", flush=True)
        row["residues_per_second"] = 1000 / row["median_seconds"]["pfamformer"]
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
    arguments.add_argument("--share", type=float, default=1.0, help="of the batches of one pass")
    arguments.add_argument("--kinds", nargs="+", choices=LENGTHS, default=list(LENGTHS))
    arguments.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    arguments.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    arguments.add_argument("--gpu", action="store_true", help="35 M to 650 M parameters, 8 minutes")
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    packages = ("torch", "transformers")
    if arguments.gpu:
        rows = []
        for row in measure_gpu(toy=arguments.quick or not torch.cuda.is_available()):
            rows.append(row)
            if torch.cuda.is_available() and not arguments.quick:
                write("train_throughput_gpu", rows, packages)
        return
    sizes = arguments.sizes[:1] if arguments.quick else arguments.sizes
    share, repeats = (0.1, 1) if arguments.quick else (arguments.share, arguments.repeats)
    rows = [
        row
        for size in sizes
        for kind in arguments.kinds
        for row in measure(
            size,
            kind,
            arguments.tasks,
            Path(arguments.results),
            repeats,
            max(1, round(share * BATCHES[size])),
        )
    ]
    if not arguments.quick:
        # A part of the comparisons has a file of its own: all of them take half an hour.
        wholes = ((sizes, SIZES), (arguments.kinds, LENGTHS), (arguments.tasks, TASKS))
        part = [name for chosen, all_ in wholes if len(chosen) < len(all_) for name in chosen]
        write("_".join(["train_throughput", *part]), rows, packages)


if __name__ == "__main__":
    main()
