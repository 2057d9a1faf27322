"""Functions compiled by Numba, kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable

import numba


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
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)
