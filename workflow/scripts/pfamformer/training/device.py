"""Where training runs and in which number format, and the seeds of its random choices."""

from __future__ import annotations

import ctypes
import os

import torch
from llvmlite import binding

# Parameters of glibc's mallopt (malloc.h) and what they are set to, bytes.
_KEEP = {
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD: freed memory that is not handed back; the largest int
    -2: 64 << 20,  # M_TOP_PAD: memory is fetched by that much
    -3: 32 << 20,  # M_MMAP_THRESHOLD: larger blocks are handed back at once; the most it accepts
}


def prepare_device(threads: int) -> torch.device:
    """The GPU if there is one, else the CPU with this many threads."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def forget_shapes() -> None:
    """Keep few of the kernels that oneDNN makes on CPUs for each new shape of a batch.

    PyTorch keeps a thousand by default: reading a long stream of sequences of all lengths, memory
    grows by hundreds of MB, and hardly a shape comes again. To be called before a network first
    runs; the user's own settings of these variables count.
    """
    # Layers of one forward pass share shapes, hence not zero.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "1")


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees: the next one needs as much.

    By default it hands memory back and fetches it again page by page, a tenth of a step on a CPU.
    Peak memory stays what it was. Other C libraries than glibc are left alone.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        for parameter, value in _KEEP.items():
            change(parameter, value)


def number_format(precision: str, device: torch.device) -> torch.dtype:
    """The format of matrix products; ``auto`` is bfloat16 where the processor is faster in it."""
    if precision == "auto":
        faster = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_fast_bf16()
        precision = "bfloat16" if faster else "float32"
    return getattr(torch, precision)


def _cpu_has_fast_bf16() -> bool:
    """Against float32: AMX four times the rate, Intel's AVX-512 half of it, AMD's twice by design.

    The first two are measured (``torch.mm`` of 4096 × 128 × 512, one thread).
    """
    zen = binding.get_host_cpu_name().startswith("znver")
    return torch.cpu._is_amx_tile_supported() or (zen and torch.cpu._is_avx512_bf16_supported())


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Matrix products in :func:`number_format`, weights in float32."""
    dtype = number_format(precision, device)
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def hash_of(seed: int, step: int) -> int:
    """A 63-bit seed for one step (SplitMix64's finaliser): neighbouring steps are unrelated."""
    value = (seed * 0x9E3779B97F4A7C15 + (step + 1) * 0xBF58476D1CE4E5B9) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return (value ^ (value >> 31)) >> 1
