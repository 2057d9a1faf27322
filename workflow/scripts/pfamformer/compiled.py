"""Functions compiled by Numba, kept on disk where that is possible.

What is kept is used as long as no module that the function's own imports has changed: Numba alone
would look at that one file and go on with code of helpers that were edited since.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numba

from pfamformer.dependencies import code_of, digest

_SCRIPTS = Path(__file__).parents[1]


def compiled(function: Callable, contract: bool = False) -> Callable:
    """Compile a function on its first call; it then runs without the interpreter's lock.

    Division by zero gives what IEEE 754 says. The machine code is kept beside the module, else in
    the user's cache folder. Where neither can be written (a container without a home), it is
    compiled anew in each process: about a second.

    Args:
        contract: a product may be added to in one step, without being rounded between, where the
            processor can.
    """
    options = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"contract"} if contract else False,
    }
    try:
        kept = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)
    # No public name for it; tests/unit/test_compiled.py notices if it goes.
    kept._cache._cache_file._source_stamp = _stamp(function.__code__.co_filename)
    return kept


@cache
def _stamp(module: str) -> str:
    """Of a module and all that it imports: once for all of its functions."""
    return digest(code_of(Path(module), _SCRIPTS))
