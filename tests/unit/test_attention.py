"""Attention and the encoder against loops in float64: padded = packed = one query at a time."""

import math
import weakref
from functools import partial

import numpy as np
import pytest
import torch

from conftest import random_sequence
from pfamformer.config import NetworkSettings
from pfamformer.model import layout as layout_module
from pfamformer.model import sequence_attention
from pfamformer.model.attention import Pattern, attend, attention_weights
from pfamformer.model.encoder import Encoder
from pfamformer.model.layout import Layout
from pfamformer.sequences.alphabet import PAD, encode
from pfamformer.training.batches import BatchPlan, collate

NETWORK = NetworkSettings(layers=2, width=32, heads=2, feed_forward=64)


def tokens_of(lengths):
    tokens = torch.full((len(lengths), max(lengths)), PAD)
    for row, length in enumerate(lengths):
        tokens[row, :length] = 5
    return tokens


def loop_attention(q, k, v, allowed, bias):
    """One query at a time: (H, L, D) of one sequence."""
    out = []
    for h in range(q.shape[0]):
        rows = []
        for i in range(q.shape[1]):
            keys = allowed[i].nonzero().squeeze(1)
            scores = k[h, keys] @ q[h, i] / math.sqrt(q.shape[-1]) + bias[h, i, keys]
            rows.append(scores.softmax(0) @ v[h, keys])
        out.append(torch.stack(rows))
    return torch.stack(out)


def pattern_of(kind, length, heads, stream):
    """A pattern and, for the loop, where it allows (L, L) and what it adds (H, L, L)."""
    allowed = torch.ones(length, length, dtype=torch.bool)
    bias = torch.zeros(heads, length, length, dtype=torch.float64)
    if kind == "causal":
        return Pattern(causal=True), allowed.tril(), bias
    if kind == "mask":
        allowed = torch.rand(length, length, generator=stream) < 0.6
        allowed |= torch.eye(length, dtype=torch.bool)
        return Pattern(allowed_BLL=allowed[None]), allowed, bias
    if kind == "bias":
        bias = torch.randn(bias.shape, generator=stream, dtype=torch.float64)
        return Pattern(bias_HLL=bias), allowed, bias
    return Pattern(), allowed, bias


@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("kind", ["plain", "causal", "mask", "bias"])
def test_padded_packed_and_loop_agree(kind, block, monkeypatch):
    """200 random cases in all: values, gradients and weights, in float64."""
    for case in range(10 * block, 10 * block + 10):
        # All weights are kept for the backward pass, none, or those of some sequences.
        monkeypatch.setattr(sequence_attention, "KEPT", (128, 0, 2)[case % 3])
        # Every other time sequences of nearly one length are computed together.
        rounded = 4 if case % 2 else 1
        monkeypatch.setattr(
            sequence_attention, "_step", lambda near, _, rounded=rounded: rounded if near else 1
        )
        stream = torch.Generator().manual_seed(case)
        draw = partial(torch.randn, generator=stream, dtype=torch.float64)
        lengths = torch.randint(1, 7, (3,), generator=stream).tolist()
        heads, width = 1 + case % 2, 2 + case % 3
        tokens = tokens_of(lengths)
        q, k, v = (draw(sum(lengths), heads, width).requires_grad_() for _ in range(3))
        weight = draw(sum(lengths), heads, width)
        pattern, allowed, bias = pattern_of(kind, max(lengths), heads, stream)
        packed, padded = (Layout.of(tokens, packed=p) for p in (True, False))

        outs = [attend(q, k, v, packed, pattern)]
        widened = [packed.unpack(x).flatten(0, 1) for x in (q, k, v)]
        outs.append(packed.pack(padded.unpack(attend(*widened, padded, pattern))))
        explicit = attention_weights(q, k, packed, pattern) @ packed.unpack(v).transpose(1, 2)
        outs.append(packed.pack(explicit.transpose(1, 2)))
        loops, first = [], 0
        for n in lengths:
            part = slice(first, first + n)
            one = [x[part].transpose(0, 1) for x in (q, k, v)]
            loops.append(loop_attention(*one, allowed[:n, :n], bias[:, :n, :n]).transpose(0, 1))
            first += n
        expected = torch.cat(loops)
        gradients = torch.autograd.grad((expected * weight).sum(), (q, k, v))
        for out in outs:
            torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-9)
            found = torch.autograd.grad((out * weight).sum(), (q, k, v), retain_graph=True)
            for one, other in zip(found, gradients, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [1.0, 5.0])
def test_bfloat16_path_is_close_to_float64(size, causal, threads, monkeypatch):
    """Values and gradients, of small scores and of some that overflow, kept or computed again."""
    torch.manual_seed(0)
    monkeypatch.setattr(sequence_attention, "KEPT", 40)
    lengths = [70, 40, 31, 31, 12, 1]
    layout = Layout.of(tokens_of(lengths), packed=True)
    pattern = Pattern(causal=causal)
    q, k, v = (size ** (i < 2) * torch.randn(sum(lengths), 3, 24) for i in range(3))
    weight = torch.randn(sum(lengths), 3, 24).bfloat16()
    found = []
    before = torch.get_num_threads()
    for dtype in (torch.bfloat16, torch.float64):
        given = [x.bfloat16().to(dtype).requires_grad_() for x in (q, k, v)]
        torch.set_num_threads(threads if dtype == torch.bfloat16 else before)
        out = attend(*given, layout, pattern)
        found.append([out, *torch.autograd.grad(out, given, weight.to(dtype))])
    torch.set_num_threads(before)
    for short, full in zip(*found, strict=True):
        assert short.dtype == torch.bfloat16
        # Eight bits of mantissa; those of a large score leave an eighth to its power.
        assert (short - full).norm() / full.norm() < (0.01 if size == 1 else 0.12)


@pytest.mark.parametrize("spare", [0, 3])
def test_a_sequence_of_nothing_reaches_no_other(spare, monkeypatch):
    monkeypatch.setattr(layout_module, "_step", lambda rows: rows + spare)
    tokens = tokens_of([5, 3])
    layout = Layout.of(tokens, packed=True, round_up=True)
    assert layout.lengths == ((5, 3, 3) if spare else (5, 3))
    x = torch.randn(2, 5, 4, dtype=torch.float64).masked_fill((tokens == PAD)[..., None], 0)
    rows = layout.pack(x)
    assert len(rows) == 8 + spare
    assert torch.equal(layout.unpack(rows), x)
    rows[8:] = torch.nan
    assert torch.equal(layout.unpack(rows), x)
    given = [layout.pack(x).view(-1, 2, 2).requires_grad_() for _ in range(3)]
    out = layout.unpack(attend(*given, layout).flatten(1))
    alone = Layout.of(tokens, packed=True)
    plain = [alone.pack(x).view(-1, 2, 2).requires_grad_() for _ in range(3)]
    expected = alone.unpack(attend(*plain, alone).flatten(1))
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    gradients = torch.autograd.grad(out.square().sum(), given)
    for one, other in zip(
        gradients, torch.autograd.grad(expected.square().sum(), plain), strict=True
    ):
        torch.testing.assert_close(one[:8], other, rtol=1e-12, atol=1e-12)
        assert (one[8:] == 0).all()


def test_batches_of_random_lengths_have_few_shapes(stream):
    """oneDNN makes a kernel for each shape of a product."""
    rows, products = set(), set()
    residues = stream.integers(60, 180, 4000)
    batches = BatchPlan(residues, 4096, 200, seed=1).epoch(0)
    for batch in batches:
        lengths = (residues[batch] + 2).tolist()
        layout = Layout.of(tokens_of(lengths), packed=True, round_up=True)
        rows.add(sum(layout.lengths))
        products |= set(sequence_attention.order_of(layout.lengths, 4, 16).spans)
    assert len(batches) > 100
    assert len(rows) <= 12
    assert len(products) < 100


@pytest.mark.parametrize("step", [1, 16])
def test_every_row_is_laid_out_once(step, stream):
    lengths = tuple(stream.integers(1, 700, 20).tolist())
    order = sequence_attention.order_of(lengths, 3, step)
    for rows in (order.rows_R, order.padded_P):
        real = rows[rows < 3 * sum(lengths)]
        assert sorted(real) == list(range(3 * sum(lengths)))
    assert sum(span.matrices for span in order.spans) == 3 * len(lengths)
    assert len(order.rows_R) == sum(span.matrices * span.length for span in order.spans)
    assert all(span.length % step == 0 for span in order.spans)


def test_what_is_no_number_stays_none():
    layout = Layout.of(tokens_of([5, 3]), packed=True)
    q, k, v = torch.randn(3, 8, 2, 16).bfloat16()
    q[1, 0, 3] = torch.nan
    found = attend(q, k, v, layout).isnan().all(-1)
    assert found.nonzero().tolist() == [[1, 0]]


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [0.1, 3.0, 300.0])
def test_scores_of_any_size_agree_with_torch(size, causal, learns):
    """Also where powers of scores would overflow, or all of a row's would vanish."""
    torch.manual_seed(7)
    lengths = [23, 23, 9]
    layout = Layout.of(tokens_of(lengths), packed=True)
    q, k, v = torch.randn(3, sum(lengths), 2, 8, dtype=torch.float64)
    # The first sequence's scores lie around -size, its rows' largest far below zero.
    q[:23, :, 0], k[:23, :, 0] = size, -size
    given = [x.requires_grad_(learns) for x in (q * size, k, v)]
    found = attend(*given, layout, Pattern(causal=causal))
    parts = zip(*(x.split(lengths) for x in given), strict=True)
    expected = torch.cat(
        [
            torch.nn.functional.scaled_dot_product_attention(
                *(x.transpose(0, 1) for x in part), is_causal=causal
            ).transpose(0, 1)
            for part in parts
        ]
    )
    # Scores of millions are known to some 1e-9.
    close = {"rtol": 1e-6, "atol": 1e-7}
    torch.testing.assert_close(found, expected, **close)
    if learns:
        weight = torch.randn_like(found)
        one, other = (torch.autograd.grad((x * weight).sum(), given) for x in (found, expected))
        torch.testing.assert_close(one, other, **close)


def test_inference_in_bfloat16_is_close_to_float32(stream):
    torch.manual_seed(3)
    encoder = Encoder(NetworkSettings(layers=6, width=64, heads=4, feed_forward=256)).eval()
    arrays = [encode(random_sequence(stream, n)) for n in (150, 90, 90, 31)]
    tokens = collate(arrays, np.arange(4)).tokens
    with torch.inference_mode():
        full = encoder(tokens)
        with torch.autocast("cpu", torch.bfloat16):
            short = encoder(tokens)
    present = tokens != PAD
    error = (full - short)[present].norm(dim=-1) / full[present].norm(dim=-1)
    # Eight bits of mantissa, and errors of twelve sublayers that add up as random ones do.
    assert error.max() < 2**-8 * 12**0.5
    assert error.mean() < 2**-8 * 3


def test_weights_of_tokens_sum_to_one_and_padding_gets_nothing():
    torch.manual_seed(0)
    layout = Layout.of(tokens_of([9, 4]), packed=True)
    q, k = torch.randn(2, 13, 2, 8)
    found = attention_weights(q, k, layout)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 2, 9))
    assert (found[1, :, :, 4:] == 0).all()


VARIANTS = {
    "esm2": {"token_dropout": True},
    "learned": {"positions": "learned", "max_positions": 40},
    "sinusoidal": {"positions": "sinusoidal"},
    "relative": {"positions": "relative"},
    "swiglu": {"activation": "swiglu", "norm": "rmsnorm", "biases": False},
    "albert": {"shared_layers": True, "embedding_width": 8, "layers": 3},
    "sparse": {"attention_window": 4, "attention_stride": 5},
    "local": {"attention_window": 3},
}


def variant(name):
    return NetworkSettings(**(NETWORK.model_dump() | VARIANTS[name]))


@pytest.mark.parametrize("name", VARIANTS)
def test_padding_and_packing_change_nothing(stream, name):
    torch.manual_seed(1)
    encoder = Encoder(variant(name)).double().eval()
    if name == "relative":
        torch.nn.init.normal_(encoder.distance.bias.weight)
    arrays = [encode(random_sequence(stream, n)) for n in (9, 30, 17)]
    together = collate(arrays, np.arange(3)).tokens
    gradients = []
    for encoder.packed in (False, True):
        encoder.zero_grad()
        out = encoder(together)
        for i, array in enumerate(arrays):
            alone = encoder(collate([array], np.arange(1)).tokens)
            torch.testing.assert_close(out[i, : len(array) + 2], alone[0], rtol=1e-9, atol=1e-9)
        (out[together != PAD] ** 2).sum().backward()
        gradients.append([p.grad.clone() for p in encoder.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)
    # Every switch does something: every parameter it brings is learnt, and the output changes.
    assert all(g.abs().sum() > 0 for g in gradients[0])
    torch.manual_seed(1)
    assert not torch.allclose(Encoder(NETWORK).double().eval()(together), out)


def test_shared_layers_and_factorised_embedding_save_parameters():
    count = lambda n: sum(p.numel() for p in Encoder(n).parameters())  # noqa: E731
    three = NetworkSettings(**(NETWORK.model_dump() | {"layers": 3}))
    blocks = (count(three) - count(NETWORK)) * 2  # two of three blocks
    embedding = 33 * 32 - (33 * 8 + 8 * 32)
    assert count(three) - count(variant("albert")) == blocks + embedding


def test_recomputed_activations_give_the_same_gradients(stream):
    tokens = collate([encode(random_sequence(stream, 20))], np.arange(1)).tokens
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(4)
        encoder = Encoder(NETWORK).train()
        encoder.checkpointing = checkpointing
        encoder(tokens).square().sum().backward()
        gradients.append([p.grad for p in encoder.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_recomputed_activations_leave_no_score_matrices(stream, monkeypatch, checkpointing):
    """They are the largest of a layer's activations; the backward pass needs them once."""
    tokens = collate([encode(random_sequence(stream, 20))], np.arange(1)).tokens
    encoder = Encoder(NETWORK).train()
    encoder.checkpointing = checkpointing
    compute, made = sequence_attention._powers, []

    def watched(*given):
        powers = compute(*given)
        made.append(weakref.ref(powers))
        return powers

    monkeypatch.setattr(sequence_attention, "_powers", watched)
    out = encoder(tokens)
    left = [reference() is not None for reference in made]
    assert left == [not checkpointing] * NETWORK.layers
    out.sum().backward()


@pytest.mark.parametrize("length", [10, 100, 300, 600])
def test_powers_that_are_kept_depend_on_tokens_alone(length):
    saved = []
    count = 1200 // length
    q, k, v = (torch.randn(1200, 2, 4).requires_grad_() for _ in range(3))
    layout = Layout.of(tokens_of([length] * count), packed=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x.numel()) or x, id):
        attend(q, k, v, layout)
    vectors = 4 * 1200 * 2 * 4 + 1200 * 2  # q scaled, k, v and their mixture; the sums of powers
    assert sum(saved) <= vectors + sequence_attention.KEPT * 1200 * 2


@pytest.mark.parametrize("length", [3, 16, 29])
@pytest.mark.parametrize(("window", "stride"), [(4, None), (4, 3), (1, 7), (40, None)])
def test_sparse_attention_is_the_dense_one_with_a_mask(length, window, stride):
    torch.manual_seed(length)
    tokens = tokens_of([length, max(1, length - 7)])
    layout = Layout.of(tokens, packed=True)
    rows = int((tokens != PAD).sum())
    q, k, v = (torch.randn(rows, 2, 4, dtype=torch.float64).requires_grad_() for _ in range(3))
    pattern = Pattern(window=window, stride=stride)
    found = attend(q, k, v, layout, pattern)
    dense = attention_weights(q, k, layout, pattern) @ layout.unpack(v).transpose(1, 2)
    expected = layout.pack(dense.transpose(1, 2))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    weight = torch.randn_like(found)
    one, other = (torch.autograd.grad((x * weight).sum(), (q, k, v), retain_graph=True)
                  for x in (found, expected))  # fmt: skip
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


def test_layers_yield_what_the_encoder_computes(stream):
    torch.manual_seed(3)
    encoder = Encoder(NETWORK).double().eval()
    tokens = collate([encode(random_sequence(stream, n)) for n in (9, 14)], np.arange(2)).tokens
    states = list(encoder.hidden_states(tokens))
    assert len(states) == 3
    assert torch.equal(states[-1], encoder(tokens))
    layers = list(encoder.attention_layers(tokens))
    assert [layer.shape for layer in layers] == [(2, 2, 16, 16)] * 2


def test_order_matters():
    torch.manual_seed(2)
    encoder = Encoder(NETWORK).double().eval()
    tokens = collate([encode("MKTAYIAKQR")], np.arange(1)).tokens
    swapped = tokens.clone()
    swapped[0, [3, 7]] = swapped[0, [7, 3]]
    assert not torch.allclose(encoder(tokens)[0, 1], encoder(swapped)[0, 1])
