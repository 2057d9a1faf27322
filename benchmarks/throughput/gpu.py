"""The GPU's part of train_throughput.py: rates, peak memory and model FLOP utilisation.

Model FLOPs are those of the real tokens alone: 6 per parameter and token, and for attention
12·layers·width·length (Chowdhery et al. 2022, appendix B). Each way runs for a fixed time, so that
the whole takes about 8 minutes whatever the GPU; on a CPU the same code runs at toy size.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from pfamformer.config import NetworkSettings, PretrainSettings
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.training.batches import Batch, BatchPlan, InMemory, collate
from pfamformer.training.device import autocast
from pfamformer.training.objectives import MaskedLanguageModelling
from pfamformer.training.optimizers import make_optimizer
from throughput.peer import Peer

SIZES = {
    "35M": NetworkSettings(layers=12, width=480, heads=20, feed_forward=1920),
    "150M": NetworkSettings(layers=30, width=640, heads=20, feed_forward=2560),
    "650M": NetworkSettings(layers=33, width=1280, heads=20, feed_forward=5120),
}
TOY = {"toy": NetworkSettings(layers=2, width=32, heads=2, feed_forward=64)}
#: Dense bfloat16 peak by device, FLOP/s, from the makers' data sheets; others are measured.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}
# Four ways at three sizes: with starting, compiling and warming up 40 s each, 8 minutes in all.
SECONDS = 20.0
# No size is begun later than this, seconds: the largest takes two minutes.
LAST_START = 360.0
WARM_UP = 5  # steps: kernels are chosen, memory is reserved
TOKENS = 32_768  # per batch: fits 650 M parameters with all activations into 80 GB
MAX_LENGTH = 1022
OUT_OF_MEMORY = "out of memory"


@dataclass
class Timed:
    """What one way did in its time."""

    residues: int
    seconds: float
    attention: float  # sum over sequences of length²
    memory_mb: float

    @property
    def rate(self) -> float:
        """Residues per second."""
        return self.residues / self.seconds


def lengths_like_proteins(tokens: int, stream: np.random.Generator) -> np.ndarray:
    """Log-normal lengths with the median and spread of human proteins."""
    drawn = np.exp(stream.normal(np.log(430), 0.71, max(4, tokens // 300))).astype(int)
    return np.clip(drawn, 20, MAX_LENGTH)


def timed(step: Callable[[Batch], None], batches: list[Batch], seconds: float) -> Timed:
    """Run over the batches, again and again, for this long."""
    cuda = torch.cuda.is_available()
    wait = torch.cuda.synchronize if cuda else lambda: None
    for batch in batches[:WARM_UP]:
        step(batch)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    wait()
    started, residues, squares, index = time.perf_counter(), 0, 0.0, 0
    while True:
        batch = batches[index % len(batches)]
        step(batch)
        lengths = (batch.tokens != 1).sum(1) - 2
        residues += batch.residues
        squares += float((lengths.double() ** 2).sum())
        index += 1
        if index % 4 == 0 or not cuda:  # waiting after every step would cost the GPU its queue
            wait()
            if time.perf_counter() - started > seconds:
                break
    memory = torch.cuda.max_memory_allocated() / 2**20 if cuda else 0.0
    return Timed(residues, time.perf_counter() - started, squares, memory)


def peak_flops() -> float:
    """The device's bfloat16 peak: by name, or of a large matrix product."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        for known, peak in PEAKS.items():
            if known in name.replace("-", " ").split():
                return peak
    device = "cuda" if torch.cuda.is_available() else "cpu"
    n = 8192 if device == "cuda" else 512
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * n**3 / best


def utilisation(found: Timed, network: NetworkSettings, parameters: int, peak: float) -> float:
    """Model FLOPs of the real tokens per second, as a share of the peak."""
    flops = model_flops(network, parameters, found.residues, found.attention)
    return flops / found.seconds / peak


def model_flops(
    network: NetworkSettings, parameters: int, residues: int, attention: float
) -> float:
    """Of a training step on so many residues; ``attention`` is the sum of their lengths²."""
    return 6 * parameters * residues + 12 * network.layers * network.width * attention


def our_step(network: NetworkSettings, device: str, compiled: bool) -> Callable[[Batch], None]:
    """A step as the loop does it."""
    settings = PretrainSettings.model_validate(
        {"kind": "pretrain", "corpus": "uniparc", "network": network.model_dump(), "steps": 1,
         "tokens_per_batch": TOKENS, "learning_rate": 1e-4}
    )  # fmt: skip
    with torch.device(device):  # drawing 650 M weights on a CPU takes half a minute
        model = MaskedLanguageModel(network)
    if compiled:
        model.encoder.compile_layers()
    optimizer = make_optimizer([(model, 1.0)], settings)
    objective = MaskedLanguageModelling(0.15, 0.8, 0.1)
    stream = torch.Generator().manual_seed(1)

    def step(batch: Batch) -> None:
        model.train()
        prepared = objective.prepare(batch, stream)
        with autocast("auto", torch.device(device)):
            outcome = objective(model, prepared)
        (outcome.loss / max(1, prepared.total)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def peer_step(network: NetworkSettings, device: str) -> Callable[[Batch], None]:
    """A step of EsmForMaskedLM with SDPA in bfloat16."""
    masked = MaskedLanguageModelling(0.15, 0.8, 0.1)
    peer = Peer(network, "pretraining", 0, masked, None, device)
    stream = torch.Generator().manual_seed(1)
    return lambda batch: peer.step(peer.prepare(batch, stream), torch.bfloat16)


def measure_gpu(toy: bool) -> Iterator[dict]:
    """One row per size: ours, compiled and not; the peer with random and with grouped batches.

    A way that runs out of memory, or fails otherwise, is left out of its row, which says why. No
    size is begun after ``LAST_START``.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens, seconds = (512, 0.3) if toy else (TOKENS, SECONDS)
    ours, random = _batches(tokens, toy)
    peak, begun = peak_flops(), time.monotonic()
    for name, network in (TOY if toy else SIZES).items():
        if time.monotonic() - begun > LAST_START:
            print(f"{name}: no time left, left out", flush=True)
            continue
        with torch.device("meta"):
            parameters = sum(p.numel() for p in MaskedLanguageModel(network).parameters())
        ways: dict[str, tuple[Callable[[], Callable[[Batch], None]], list[Batch]]] = {
            "pfamformer": (lambda n=network: our_step(n, device, False), ours),
            "compiled": (lambda n=network: our_step(n, device, True), ours),
            "random": (lambda n=network: peer_step(n, device), random),
            "grouped": (lambda n=network: peer_step(n, device), ours),
        }
        found = {way: _attempt(way, *given, seconds) for way, given in ways.items()}
        done = {way: one for way, one in found.items() if isinstance(one, Timed)}
        failed = {way: one for way, one in found.items() if isinstance(one, str)}
        mfu = {w: utilisation(t, network, parameters, peak) for w, t in done.items()}
        _print_ratios(f"pretraining, {name}, {device}", done, mfu)
        yield {
            "size": name, "parameters": parameters, "device": _device_name(), "peak_flops": peak,
            "residues_per_second": {w: t.rate for w, t in done.items()}, "mfu": mfu,
            "memory_mb": {w: t.memory_mb for w, t in done.items()},
            "failed": failed,
        }  # fmt: skip


def _batches(tokens: int, toy: bool) -> tuple[list[Batch], list[Batch]]:
    """Our batches, and batches of as many sequences on average in random order."""
    stream = np.random.default_rng(1)
    lengths = lengths_like_proteins(32 * tokens, stream)
    if toy:
        lengths = np.minimum(lengths, 100)
    sequences = InMemory([stream.integers(4, 24, n).astype(np.uint8) for n in lengths])
    plan = BatchPlan(lengths, tokens, MAX_LENGTH, 1).epoch(0)
    size = max(1, round(tokens / (lengths.mean() + 2)))
    order = stream.permutation(len(lengths))
    random = [order[i : i + size] for i in range(0, len(order), size)]
    ours, theirs = ([_collated(sequences, rows) for rows in part] for part in (plan, random))
    return ours, theirs


def _attempt(
    way: str, make: Callable[[], Callable[[Batch], None]], batches: list[Batch], seconds: float
) -> Timed | str:
    """One way, or why it has no result: the others are measured all the same."""
    try:
        return timed(make(), batches, seconds)
    except RuntimeError as error:  # out of memory among them
        short = isinstance(error, torch.OutOfMemoryError)
        why = OUT_OF_MEMORY if short else f"{type(error).__name__}: {error}"
        print(f"{way}: {why}", flush=True)
        return why
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _print_ratios(title: str, done: dict[str, Timed], mfu: dict[str, float]) -> None:
    for mine in done.keys() & {"pfamformer", "compiled"}:
        for way in done.keys() & {"random", "grouped"}:
            print(
                f"{title}: {mine} {done[mine].rate:,.0f} residues/s (MFU {mfu[mine]:.1%}), "
                f"EsmForMaskedLM {way} {done[way].rate:,.0f} (MFU {mfu[way]:.1%}), "
                f"ratio={done[mine].rate / done[way].rate:.2f}",
                flush=True,
            )


def _collated(sequences: InMemory, rows: np.ndarray) -> Batch:
    return collate([sequences[i] for i in rows], rows)


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
