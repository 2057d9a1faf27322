"""Functions compiled by Numba, kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compile a function on its first call; it then runs without the interpreter's lock.

    The machine code is kept beside the module, else in the user's cache folder. Where neither can
    be written (a container without a home), it is compiled anew in each process: about a second.
    """
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)
