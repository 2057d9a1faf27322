"""Elementwise kernels against torch in float64."""

import numpy as np
import pytest
import torch

from pfamformer.model import attention_kernels as kernels


def numbers(*shape, spread=1.0, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=stream) * spread).bfloat16()


def every_number():
    """All bfloat16 numbers."""
    return torch.arange(2**16).to(torch.uint16).view(torch.bfloat16)


def test_powers_of_two_are_right_to_the_last_bit_or_the_next():
    x = every_number()
    x = x[(x > -126) & (x < 127)]
    expected = x.double().exp2()
    found = kernels.exp2_(x.clone()).double()
    assert ((found - expected).abs() / expected).max() < 2**-8 * 1.05


@pytest.mark.parametrize("x", [-126.0, -1e6, -torch.inf])
def test_powers_that_are_not_normal_are_zero(x):
    assert kernels.exp2_(torch.full((40,), x).bfloat16()).tolist() == [0.0] * 40


def test_products_are_torch_s_but_for_halves():
    x, factor = numbers(7, 33, spread=9), numbers(7, 33, seed=1)
    exact = x.double() * factor.double()
    found = kernels.multiply_(x, factor)
    assert ((found.double() - exact).abs() <= exact.abs() * 2**-8).all()
    assert found is x


@pytest.fixture(autouse=True, params=[1, 2])
def threads(request, monkeypatch):
    """With rows shared between threads, too."""
    monkeypatch.setattr(kernels, "_CHUNK", 5)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_rows_are_gathered_with_ones_behind_and_zeros_for_padding(dtype):
    x, index = numbers(20, 6).to(dtype), np.array([3, 20, 0, 19, 3, 20, 7, 8, 9, 10, 11])
    found = kernels.gather(x, index, 8)
    expected = torch.cat([torch.cat([x, torch.ones(20, 2)], 1), torch.zeros(1, 8)]).to(dtype)
    assert torch.equal(found, expected[torch.from_numpy(index)])
    assert torch.equal(kernels.gather(x, index, 4), found[:, :4])


def test_quotients():
    x = numbers(50, 10).abs() + 1
    exact = x[:, :6].double() / x[:, 6:7].double()
    found = kernels.quotients(x, 6)
    assert found.shape == (50, 6)
    assert ((found - exact).abs() <= exact * 2**-8 * 1.01).all()
    assert kernels.quotients(torch.zeros(1, 3).bfloat16(), 2).isnan().all()


def test_changes_and_their_mean_in_two_parts():
    gradient, out, sums = numbers(27, 24), numbers(27, 24, seed=1), numbers(27, 1).abs() + 1
    found = kernels.changes(gradient, out, sums, 32)
    exact = gradient.double() / sums.double()
    assert ((found[:, :24] - exact).abs() <= exact.abs() * 2**-8 * 1.01).all()
    mean = -(exact * out.double()).sum(-1)
    parts = found[:, 24:26].double()
    assert ((parts.sum(-1) - mean).abs() <= parts[:, 0].abs() * 2**-15 + 1e-6).all()
    assert (found[:, 26:] == 0).all()


def test_largest_norms():
    x = numbers(50, 3, 20)
    expected = x.double().norm(dim=-1).amax(0)
    torch.testing.assert_close(kernels.largest_norms(x).double(), expected, rtol=1e-5, atol=0)
    x[7, 1, 2] = torch.nan
    assert kernels.largest_norms(x).isinf().tolist() == [False, True, False]
