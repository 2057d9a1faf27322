"""What attention does to vectors and scores on a CPU, in a fraction of torch's time.

Compiled for bfloat16, whose numbers are the upper halves of float32's; results are rounded to the
nearest, halves up. Of other formats torch computes the same. All tensors are contiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pfamformer.compiled import compiled
from pfamformer.model.side_by_side import side_by_side

# Added to a float32 below 2^22, it leaves the nearest whole number in the lowest bits.
_WHOLE = np.float32(1.5 * 2**23)
_HALF_UP, _SIXTEEN, _EXPONENT = np.int32(0x8000), np.uint32(16), np.int32(23)
# Of 2^x between -½ and ½, the cubic of least squared relative error, which is 8·10⁻⁵ at most.
_CUBIC, _SQUARE, _LINE, _POINT = map(np.float32, (0.05508868, 0.24260405, 0.69327624, 0.99992894))
# Results below are zero: the smallest normal numbers.
_LEAST = np.float32(-126)
# Rows that are worth a thread: a tenth of a millisecond.
_CHUNK = 20_000
_fused = partial(compiled, contract=True)


def exp2_(x: Tensor) -> Tensor:
    """2^x in place, of numbers below 127."""
    if x.dtype != torch.bfloat16:
        return x.exp2_()
    _exp2(_array(x))
    return x


def multiply_(x: Tensor, factor: Tensor) -> Tensor:
    """Multiply in place; both of one shape."""
    if x.dtype != torch.bfloat16:
        return x.mul_(factor)
    _multiply(_array(x), _array(factor))
    return x


def gather(x_RD: Tensor, index_P: np.ndarray, columns: int) -> Tensor:
    """Rows of x, (P, columns): its first columns, or all with ones behind.

    An index past the end gives zeros.
    """
    found = x_RD.new_empty(len(index_P), columns)
    short = x_RD.dtype == torch.bfloat16
    x, filled = (_array(t) if short else t.numpy() for t in (x_RD, found))
    _in_chunks(lambda rows: _gather(x, index_P[rows], filled[rows], 0x3F80 if short else 1), found)
    return found


def quotients(x_RW: Tensor, width: int) -> Tensor:
    """The first ``width`` columns of each row over the next one."""
    if x_RW.dtype != torch.bfloat16:
        return x_RW[:, :width] / x_RW[:, width : width + 1]
    found_RD = x_RW.new_empty(len(x_RW), width)
    x, found = _array(x_RW), _array(found_RD)
    _in_chunks(lambda rows: _quotients(x[rows], found[rows]), found)
    return found_RD


def changes(gradient_RD: Tensor, out_RD: Tensor, sums_R1: Tensor, columns: int) -> Tensor:
    """(R, columns): the gradient over the sums, -Σ of its products with ``out`` in two, zeros.

    Of the two, the second is what the first one's rounding left.
    """
    if out_RD.dtype != torch.bfloat16:
        change_RD = gradient_RD / sums_R1
        mean_R1 = -(change_RD * out_RD).sum(-1, keepdim=True)
        zeros = mean_R1.new_zeros(1).expand(len(mean_R1), columns - out_RD.shape[1] - 1)
        return torch.cat([change_RD, mean_R1, zeros], -1)
    found = out_RD.new_empty(len(out_RD), columns)
    arrays = [_array(x) for x in (gradient_RD, out_RD, sums_R1, found)]
    _in_chunks(lambda rows: _changes(*(x[rows] for x in arrays)), found)
    return found


def largest_norms(x_THD: Tensor) -> Tensor:
    """Of each head the largest Euclidean norm of its rows, (H,), at least in float32.

    What is no number counts as infinite in bfloat16, and stays none in other formats.
    """
    if x_THD.dtype != torch.bfloat16:
        return torch.linalg.vector_norm(x_THD, dim=-1).amax(0)
    x, found = _array(x_THD), []
    _in_chunks(lambda rows: found.append(_largest_squares(x[rows])), x_THD)
    return torch.from_numpy(np.sqrt(np.max(found, axis=0)))


def _in_chunks(work: Callable[[slice], None], rows: Sized) -> None:
    """Call with parts of the rows, one for each of torch's threads, if there are many."""
    parts = max(1, min(torch.get_num_threads(), len(rows) // _CHUNK))
    ends = [len(rows) * i // parts for i in range(parts + 1)]
    side_by_side(work, [slice(*pair) for pair in pairwise(ends)])


def _array(x: Tensor) -> np.ndarray:
    return x.detach().view(torch.uint16).numpy()


@_fused
def _float(bits):
    return np.uint32(np.uint32(bits) << _SIXTEEN).view(np.float32)


@_fused
def _rounded(number):
    return np.uint32(np.float32(number).view(np.int32) + _HALF_UP) >> _SIXTEEN


@_fused
def _exp2(array):
    numbers = array.reshape(-1)
    for i in range(len(numbers)):
        x = _float(numbers[i])
        shifted = np.float32(x + _WHOLE)
        rest = np.float32(x - np.float32(shifted - _WHOLE))
        power = np.float32(_CUBIC * rest + _SQUARE)
        power = np.float32(power * rest + _LINE)
        power = np.float32(power * rest + _POINT)
        exponent = np.int32(shifted.view(np.int32) << _EXPONENT)
        bits = np.int32(power.view(np.int32) + exponent + _HALF_UP)
        numbers[i] = np.uint32(bits) >> _SIXTEEN if x > _LEAST else np.uint32(0)


@_fused
def _multiply(array, factor):
    numbers, factors = array.reshape(-1), factor.reshape(-1)
    for i in range(len(numbers)):
        product = np.float32(_float(numbers[i]) * _float(factors[i]))
        numbers[i] = _rounded(product)


# Indices are unsigned, so that none can count from the end: a fifth of the time.
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@compiled
def _gather(x, index, found, one):
    columns, nothing = np.uint64(found.shape[1]), len(x)
    width = min(np.uint64(x.shape[1]), columns)
    for row in range(np.uint64(len(index))):
        if index[row] >= nothing:
            for column in range(columns):
                found[row, column] = 0
            continue
        source = np.uint64(index[row])
        for column in range(width):
            found[row, column] = x[source, column]
        for column in range(width, columns):
            found[row, column] = one


@_fused
def _quotients(rows, found):
    width = np.uint64(found.shape[1])
    for row in range(np.uint64(len(rows))):
        factor = np.float32(np.float32(1) / _float(rows[row, width]))
        for column in range(width):
            found[row, column] = _rounded(_float(rows[row, column]) * factor)


@_fused
def _changes(gradient, out, sums, found):
    width, columns = np.uint64(out.shape[1]), np.uint64(found.shape[1])
    for row in range(np.uint64(len(out))):
        factor = np.float32(np.float32(1) / _float(sums[row, _ZERO]))
        mean = np.float32(0)
        for column in range(width):
            change = np.float32(_float(gradient[row, column]) * factor)
            mean -= np.float32(change * _float(out[row, column]))
            found[row, column] = _rounded(change)
        found[row, width] = _rounded(mean)
        found[row, width + _ONE] = _rounded(mean - _float(found[row, width]))
        for column in range(width + _ONE + _ONE, columns):
            found[row, column] = _ZERO


@_fused
def _largest_squares(rows):
    largest = np.zeros(rows.shape[1], np.float32)
    for row in range(rows.shape[0]):
        for head in range(rows.shape[1]):
            square = np.float32(0)
            for column in range(rows.shape[2]):
                number = _float(rows[row, head, column])
                square += np.float32(number * number)
            if not square <= largest[head]:
                largest[head] = square if square == square else np.float32(np.inf)
    return largest
