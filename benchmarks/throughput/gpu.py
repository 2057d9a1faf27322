"""The GPU's part of train_throughput.py: rates, peak memory and model FLOP utilisation.

Model FLOPs are those of the real tokens alone: 6 per parameter and token, and for attention
12·layers·width·length (Chowdhery et al. 2022, appendix B). Each way runs for a fixed time, so that
the whole takes about 8 minutes whatever the GPU; on a CPU the same code runs at toy size.
"""

from __future__ import annotations

import time
from collections.abc import Callable
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
WARM_UP = 5  # steps: kernels are chosen, memory is reserved
TOKENS = 32_768  # per batch: fits 650 M parameters with all activations into 80 GB
MAX_LENGTH = 1022


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
    flops = 6 * parameters * found.residues
    flops += 12 * network.layers * network.width * found.attention
    return flops / found.seconds / peak


def our_step(
    network: NetworkSettings, device: str, compiled: bool
) -> tuple[Callable[[Batch], None], int]:
    """A step as the loop does it, and the number of parameters."""
    settings = PretrainSettings.model_validate(
        {"kind": "pretrain", "corpus": "uniparc", "network": network.model_dump(), "steps": 1,
         "tokens_per_batch": TOKENS, "learning_rate": 1e-4}
    )  # fmt: skip
    model = MaskedLanguageModel(network).to(device)
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

    return step, sum(p.numel() for p in model.parameters())


def peer_step(network: NetworkSettings, device: str) -> Callable[[Batch], None]:
    """A step of EsmForMaskedLM with SDPA in bfloat16."""
    masked = MaskedLanguageModelling(0.15, 0.8, 0.1)
    peer = Peer(network, "pretraining", 0, masked, None, device)
    stream = torch.Generator().manual_seed(1)
    return lambda batch: peer.step(peer.prepare(batch, stream), torch.bfloat16)


def measure_gpu(toy: bool) -> list[dict]:
    """Ours, the peer with padded batches in random order, the peer with batches by length."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens, seconds = (512, 0.3) if toy else (TOKENS, SECONDS)
    stream = np.random.default_rng(1)
    lengths = lengths_like_proteins(32 * tokens, stream)
    if toy:
        lengths = np.minimum(lengths, 100)
    sequences = InMemory([stream.integers(4, 24, n).astype(np.uint8) for n in lengths])
    ours = [
        _collated(sequences, rows) for rows in BatchPlan(lengths, tokens, MAX_LENGTH, 1).epoch(0)
    ]
    size = max(1, round(tokens / (lengths.mean() + 2)))
    order = stream.permutation(len(lengths))
    random = [_collated(sequences, order[i : i + size]) for i in range(0, len(order), size)]
    peak, rows = peak_flops(), []
    for name, network in (TOY if toy else SIZES).items():
        found = {}
        for way, compiled in (("compiled", True), ("pfamformer", False)):
            step, parameters = our_step(network, device, compiled)
            found[way] = timed(step, ours, seconds)
            del step
        step = peer_step(network, device)
        found["random"] = timed(step, random, seconds)
        found["grouped"] = timed(step, ours, seconds)
        del step
        if device == "cuda":
            torch.cuda.empty_cache()
        mfu = {w: utilisation(t, network, parameters, peak) for w, t in found.items()}
        for mine in ("pfamformer", "compiled"):
            for way in ("random", "grouped"):
                ratio = found[mine].rate / found[way].rate
                print(
                    f"pretraining, {name}, {device}: {mine} {found[mine].rate:,.0f} residues/s "
                    f"(MFU {mfu[mine]:.1%}), EsmForMaskedLM {way} {found[way].rate:,.0f} "
                    f"(MFU {mfu[way]:.1%}), ratio={ratio:.2f}",
                    flush=True,
                )
        rows.append(
            {"size": name, "parameters": parameters, "device": _device_name(), "peak_flops": peak,
             "residues_per_second": {w: t.rate for w, t in found.items()}, "mfu": mfu,
             "memory_mb": {w: t.memory_mb for w, t in found.items()}}
        )  # fmt: skip
    return rows


def _collated(sequences: InMemory, rows: np.ndarray) -> Batch:
    return collate([sequences[i] for i in rows], rows)


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
