"""L'attenzione veloce contro chi non le somiglia: l'oracolo in NumPy, SDPA con la maschera, la formula per esteso."""

import functools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import attnkit.attention.fuso as fuso
import attnkit.attention.pattern as module
from attnkit import masks, reference
from attnkit.attention import Causal, Full, Pattern, Window, attention, attention_weights, merge, partial_attention

TIGHT = {"rtol": 1e-12, "atol": 1e-12}
LOOSE = {"rtol": 1e-10, "atol": 1e-10}                        # per i gradienti

# (B, Hq, Hkv, Tq, Tk, Dh): dimensioni diverse fra loro, una head di key per tutte, per gruppo, per ciascuna
SQUARE = [(2, 6, 3, 7, 7, 5), (1, 6, 1, 9, 9, 7), (3, 4, 4, 5, 5, 1), (1, 1, 1, 1, 1, 3), (1, 2, 1, 300, 300, 3)]
SHORT = [(2, 6, 3, 4, 7, 5), (1, 6, 1, 8, 9, 7), (3, 4, 4, 1, 11, 5), (2, 6, 2, 1, 13, 1), (1, 2, 1, 300, 317, 3)]
LONG = [(2, 6, 3, 7, 4, 5), (1, 4, 4, 9, 1, 3)]


def qkv(seed, B, Hq, Hkv, Tq, Tk, Dh, *, grad=False):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=grad)
                 for shape in ((B, Hq, Tq, Dh), (B, Hkv, Tk, Dh), (B, Hkv, Tk, Dh)))


def visible(pattern, Tq, Tk):
    """La stessa maschera, costruita da `masks`, che non conosce i pattern."""
    return np.ones((Tq, Tk), bool) if pattern == Full() else masks.causal(Tk)[Tk - Tq:]


def by_hand(q, k, v, mask, scale=None):
    """L'attenzione per esteso, con le key ripetute: la via lenta, derivabile."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = q @ k.transpose(2, 3) * (q.shape[-1] ** -0.5 if scale is None else scale)
    return scores.masked_fill(~torch.from_numpy(mask), -math.inf).softmax(-1) @ v


CASES = [(pattern, shape) for pattern in (Full(), Causal()) for shape in SQUARE + SHORT] + [(Full(), shape) for shape in LONG]


# attention ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("pattern, shape", CASES)
@pytest.mark.parametrize("scale", [None, 0.3])
def test_like_the_reference(pattern, shape, scale):
    q, k, v = qkv(1, *shape)
    output = attention(q, k, v, pattern, scale=scale)
    mask, group = visible(pattern, *shape[3:5]), shape[1] // shape[2]
    for b in range(shape[0]):
        for h in range(shape[1]):
            expected, _ = reference.attention(q[b, h], k[b, h // group], v[b, h // group], mask=mask, scale=scale)
            np.testing.assert_allclose(output[b, h].numpy(), expected, **TIGHT)


@pytest.mark.parametrize("pattern, shape", CASES)
def test_like_sdpa_with_repeated_heads_gradients_included(pattern, shape):
    inputs = qkv(2, *shape, grad=True)
    q, k, v = inputs
    group, mask = shape[1] // shape[2], torch.from_numpy(visible(pattern, *shape[3:5]))
    expected = F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), attn_mask=mask)
    output = attention(q, k, v, pattern)
    torch.testing.assert_close(output, expected, **TIGHT)
    direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for ours, theirs in zip(torch.autograd.grad(output, inputs, direction), torch.autograd.grad(expected, inputs, direction)):
        torch.testing.assert_close(ours, theirs, **LOOSE)


def test_the_last_queries_are_the_end_of_the_whole():
    q, k, v = qkv(4, 2, 6, 2, 11, 11, 5)
    whole = attention(q, k, v)
    for Tq in range(1, 12):
        torch.testing.assert_close(attention(q[:, :, -Tq:], k, v), whole[:, :, -Tq:], **TIGHT)


@pytest.mark.parametrize("shape", SHORT)
def test_blocks_of_any_size_agree(shape, monkeypatch):
    q, k, v = qkv(5, *shape)
    expected = by_hand(q, k, v, visible(Causal(), *shape[3:5]))
    for size in (1, 3, 1000):
        monkeypatch.setattr(module, "QUERY_BLOCK", size)
        torch.testing.assert_close(attention(q, k, v), expected, **TIGHT)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 3e-2), (torch.float16, 3e-3)])
@pytest.mark.parametrize("shape", [SQUARE[0], SHORT[0], SHORT[3]])
def test_other_dtypes_stay_themselves(dtype, tolerance, shape):
    exact = qkv(6, *shape)
    output = attention(*(t.to(dtype) for t in exact))
    assert output.dtype == dtype
    torch.testing.assert_close(output.double(), attention(*exact), rtol=tolerance, atol=tolerance)


class Operations(TorchDispatchMode):
    """Ricorda i nomi delle operazioni eseguite."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def last_axis_first(tensor):
    """Gli stessi numeri, con l'ultimo asse non contiguo in memoria."""
    return tensor.transpose(2, 3).contiguous().transpose(2, 3)


@pytest.mark.parametrize("pattern, shape", CASES)
@pytest.mark.parametrize("layout", [torch.Tensor.contiguous, last_axis_first, lambda t: t.transpose(1, 2).contiguous().transpose(1, 2)])
def test_the_fused_kernel_does_the_work(pattern, shape, layout):
    inputs = tuple(map(layout, qkv(7, *shape)))
    with Operations() as operations:
        output = attention(*inputs, pattern)
    if not (pattern == Causal() and shape[3] == 1 and shape[2] > 1):       # una query sola legge le key senza di lui
        assert "_scaled_dot_product_flash_attention_for_cpu" in operations.names
        assert not operations.names & {"_softmax", "_safe_softmax", "bmm", "repeat_interleave"}
    torch.testing.assert_close(output, by_hand(*inputs, visible(pattern, *shape[3:5])), **TIGHT)


@pytest.mark.parametrize("n_kv_heads", [2, 3, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("small, kernel", [(0, "bmm"), (fuso.SMALL, "_scaled_dot_product_flash_attention_for_cpu")], ids=["key tante", "key poche"])
def test_one_query_reads_the_keys_where_they_are(n_kv_heads, dtype, small, kernel, monkeypatch):
    monkeypatch.setattr(fuso, "SMALL", small)
    q, k, v = (t.to(dtype) for t in qkv(33, 2, 6, n_kv_heads, 1, 40, 5))
    memory_k, memory_v = k[:, :, :29], v[:, :, :29]                        # la parte piena di una memoria più grande
    with Operations() as operations:
        output = attention(q, memory_k, memory_v)
    assert kernel in operations.names
    assert not operations.names & {"repeat_interleave", "clone", "copy_", "cat"}
    torch.testing.assert_close(output, by_hand(q, memory_k, memory_v, visible(Causal(), 1, 29)))


@pytest.mark.parametrize("small", [0, fuso.SMALL], ids=["key tante", "key poche"])
def test_one_query_gradients(small, monkeypatch):
    monkeypatch.setattr(fuso, "SMALL", small)
    ours, theirs = qkv(35, 2, 6, 2, 1, 9, 5, grad=True), qkv(35, 2, 6, 2, 1, 9, 5, grad=True)
    output, expected = attention(*ours), by_hand(*theirs, visible(Causal(), 1, 9))
    torch.testing.assert_close(torch.autograd.grad(output.pow(2).sum(), ours), torch.autograd.grad(expected.pow(2).sum(), theirs), **LOOSE)


@pytest.mark.parametrize("window", [1, 2, 5, 13, 40])
@pytest.mark.parametrize("shape", [*SQUARE, *SHORT])
def test_a_window_like_its_mask_gradients_included(window, shape, monkeypatch):
    monkeypatch.setattr(module, "QUERY_BLOCK", 4)
    ours, theirs = qkv(34, *shape, grad=True), qkv(34, *shape, grad=True)
    mask = masks.sliding_window(shape[4], window)[shape[4] - shape[3]:]
    output, expected = attention(*ours, Window(window)), by_hand(*theirs, mask)
    torch.testing.assert_close(output, expected, **TIGHT)
    torch.testing.assert_close(torch.autograd.grad(output.pow(2).sum(), ours), torch.autograd.grad(expected.pow(2).sum(), theirs), **LOOSE)
    assert np.array_equal(Window(window).mask(*shape[3:5]).numpy(), mask)
    assert Window(window).edges(shape[4]) == masks.sliding_window(shape[4], window).sum()


@pytest.mark.parametrize("window, message", [(0, "maggiore di zero, ho trovato 0"), (2.5, "un intero, ho trovato 2.5")])
def test_wrong_windows(window, message):
    with pytest.raises(ValueError, match=f"window: mi aspettavo un intero {message}" if window == 0 else message):
        Window(window)


def test_the_operations_are_really_seen():
    q, k, v = qkv(8, *SQUARE[0])
    with Operations() as operations:
        by_hand(q, k, v, visible(Causal(), 7, 7))
    assert {"_softmax", "bmm"} <= operations.names


# pattern --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("T", [1, 2, 7, 13])
@pytest.mark.parametrize("pattern", [Full(), Causal()])
def test_masks_and_edges_like_numpy(pattern, T):
    mask = pattern.mask(T)
    assert mask.dtype == torch.bool
    np.testing.assert_array_equal(mask.numpy(), visible(pattern, T, T))
    assert type(pattern.edges(T)) is int and pattern.edges(T) == masks.edges(mask.numpy())
    for Tq in range(1, T + 1):
        np.testing.assert_array_equal(pattern.mask(Tq, T).numpy(), visible(pattern, Tq, T))


def test_patterns_are_values():
    assert Full() == Full() != Causal() and len({Full(), Causal(), Causal()}) == 2
    assert Full().mask(5, 3).shape == (5, 3) and Full().mask(5, 3).all()
    with pytest.raises(AttributeError):
        Causal().window = 3


def test_a_new_pattern_only_says_who_sees_whom():
    class Even(Pattern):
        def sees(self, i, j):
            return (j <= i) & (j % 2 == 0)

    q, k, v = qkv(9, 2, 6, 3, 4, 7, 5)
    i, j = np.arange(3, 7)[:, None], np.arange(7)
    torch.testing.assert_close(attention(q, k, v, Even()), by_hand(q, k, v, (j <= i) & (j % 2 == 0)), **TIGHT)
    with pytest.raises(NotImplementedError, match="Even non conta le coppie visibili"):
        Even().edges(3)


# proprietà ------------------------------------------------------------------------------------------

sizes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(0, 5), st.integers(1, 5))


def drawn(seed, size, *, grad=False):
    B, Hkv, group, Tq, before, Dh = size
    return qkv(seed, B, Hkv * group, Hkv, Tq, Tq + before, Dh, grad=grad)


@settings(deadline=None)
@given(sizes, st.integers(0, 2 ** 31), st.sampled_from([Full(), Causal()]), st.randoms(use_true_random=False))
def test_heads_do_not_know_their_order(size, seed, pattern, random):
    q, k, v = drawn(seed, size)
    Hkv, group = size[1:3]
    order = random.sample(range(Hkv), Hkv)
    queries = [h * group + g for h in order for g in random.sample(range(group), group)]      # i gruppi restano insieme
    shuffled = attention(q[:, queries], k[:, order], v[:, order], pattern)
    torch.testing.assert_close(shuffled, attention(q, k, v, pattern)[:, queries], **TIGHT)


@settings(deadline=None)
@given(sizes, st.integers(0, 2 ** 31), st.data())
def test_no_gradient_reaches_the_future(size, seed, data):
    q, k, v = drawn(seed, size, grad=True)
    Tq, before = size[3:5]
    row = data.draw(st.integers(0, Tq - 1))
    dq, dk, dv = torch.autograd.grad(attention(q, k, v)[:, :, row].pow(2).sum(), (q, k, v))
    assert (dk[:, :, before + row + 1:] == 0).all() and (dv[:, :, before + row + 1:] == 0).all()
    assert (dv[:, :, :before + row + 1] != 0).all()                        # ma il passato lo raggiunge tutto
    assert (dq[:, :, :row] == 0).all() and (dq[:, :, row + 1:] == 0).all()


@settings(deadline=None)
@given(sizes, st.integers(0, 2 ** 31), st.sampled_from([Full(), Causal()]))
def test_sentences_do_not_know_each_other(size, seed, pattern):
    q, k, v = drawn(seed, size)
    whole = attention(q, k, v, pattern)
    for b in range(len(q)):
        torch.testing.assert_close(attention(q[b:b + 1], k[b:b + 1], v[b:b + 1], pattern), whole[b:b + 1], **TIGHT)


@settings(deadline=None)
@given(sizes, st.integers(0, 2 ** 31), st.lists(st.integers(0, 3), min_size=14, max_size=14), st.randoms(use_true_random=False))
def test_parts_merged_in_any_order_are_the_whole(size, seed, owners, random):
    q, k, v = drawn(seed, size)
    Tq, Tk = q.shape[2], k.shape[2]
    mask, owner = Causal().mask(Tq, Tk), torch.tensor(owners[:Tk])
    parts = [partial_attention(q, k[:, :, owner == p], v[:, :, owner == p], mask=mask[:, owner == p]) for p in range(4)]
    random.shuffle(parts)                                                  # qualcuna è anche vuota
    whole = partial_attention(q, k, v, mask=mask)
    torch.testing.assert_close(whole[0], attention(q, k, v), **TIGHT)
    torch.testing.assert_close(functools.reduce(merge, parts), whole, **TIGHT)
    torch.testing.assert_close(merge(merge(*parts[:2]), merge(*parts[2:])), whole, **TIGHT)


# partial_attention e merge --------------------------------------------------------------------------

@pytest.mark.parametrize("shape", SQUARE[:4] + SHORT[:4] + LONG)
@pytest.mark.parametrize("scale", [None, -0.7])
def test_partial_attention_like_torch(shape, scale):
    B, Hq, Hkv, Tq, Tk, Dh = shape
    inputs = qkv(10, *shape, grad=True)
    q, k, v = inputs
    mask = torch.rand((B, Hq, Tq, Tk), generator=torch.Generator().manual_seed(11)) < 0.6
    mask[..., 0] = True                                                    # nessuna riga vuota: softmax di torch basta
    output, lse = partial_attention(q, k, v, mask=mask, scale=scale)
    keys = k.repeat_interleave(Hq // Hkv, 1)
    scores = (q @ keys.transpose(2, 3) * (Dh ** -0.5 if scale is None else scale)).masked_fill(~mask, -math.inf)
    assert lse.shape == (B, Hq, Tq)
    torch.testing.assert_close(lse, torch.logsumexp(scores, -1), **TIGHT)
    torch.testing.assert_close(output, by_hand(q, k, v, mask.numpy(), scale), **TIGHT)
    loss = lambda output, lse: (output.pow(2).sum() + (3 * lse).sin().sum())
    expected = loss(by_hand(q, k, v, mask.numpy(), scale), torch.logsumexp(scores, -1))
    for ours, theirs in zip(torch.autograd.grad(loss(output, lse), inputs), torch.autograd.grad(expected, inputs)):
        torch.testing.assert_close(ours, theirs, **LOOSE)


def test_many_queries_are_taken_a_few_at_a_time():
    inputs = qkv(24, 2, 4, 2, 300, 37, 5, grad=True)
    mask = torch.rand(2, 1, 300, 37, generator=torch.Generator().manual_seed(25)) < 0.6
    mask[..., 0] = True
    output, lse = partial_attention(*inputs, mask=mask)
    expected = by_hand(*inputs, mask.numpy())
    assert lse.shape == (2, 4, 300)
    torch.testing.assert_close(output, expected, **TIGHT)
    for ours, theirs in zip(torch.autograd.grad(output.pow(2).sum(), inputs), torch.autograd.grad(expected.pow(2).sum(), inputs)):
        torch.testing.assert_close(ours, theirs, **LOOSE)


@pytest.mark.parametrize("mask_shape", [(4, 7), (1, 7), (2, 1, 4, 7), (6, 1, 7), (1,)])
def test_a_mask_is_extended(mask_shape):
    q, k, v = qkv(12, 2, 6, 3, 4, 7, 5)
    mask = torch.rand(mask_shape, generator=torch.Generator().manual_seed(13)) < 0.7
    mask[..., 0] = True
    output, _ = partial_attention(q, k, v, mask=mask)
    torch.testing.assert_close(output, by_hand(q, k, v, mask.expand(2, 6, 4, 7).numpy()), **TIGHT)
    torch.testing.assert_close(attention_weights(q, k, mask=mask) @ v.repeat_interleave(2, 1), output, **TIGHT)


def test_huge_scores_do_not_overflow():
    q, k, v = qkv(14, 1, 2, 1, 3, 5, 4)
    output, lse = partial_attention(1e4 * q, 1e4 * k, v)
    assert output.isfinite().all() and lse.isfinite().all() and lse.abs().max() > 1e6
    torch.testing.assert_close(merge((output, lse), (output, lse))[0], output, **TIGHT)


def test_empty_rows_and_their_gradients():
    q, k, v = qkv(15, 2, 4, 2, 3, 5, 7, grad=True)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[1] = False
    output, lse = partial_attention(q, k, v, mask=mask)
    assert (output[:, :, 1] == 0).all() and torch.isneginf(lse[:, :, 1]).all() and lse[:, :, [0, 2]].isfinite().all()
    assert (attention_weights(q, k, mask=mask)[:, :, 1] == 0).all()
    gradients = torch.autograd.grad((output, lse), (q, k, v), (torch.ones_like(output), torch.ones_like(lse)))
    assert all(g.isfinite().all() for g in gradients) and (gradients[0][:, :, 1] == 0).all()
    without = [0, 2]
    rows = partial_attention(q[:, :, without], k, v)
    expected = torch.autograd.grad(rows, (q, k, v), tuple(torch.ones_like(t) for t in rows))
    for ours, theirs in zip(gradients, expected):
        torch.testing.assert_close(ours, theirs, **LOOSE)


def test_no_keys_at_all():
    q, k, v = qkv(16, 2, 4, 2, 3, 0, 5, grad=True)
    empty = partial_attention(q, k, v)
    assert (empty[0] == 0).all() and torch.isneginf(empty[1]).all()
    q, k, v = q, *qkv(17, 2, 4, 2, 3, 5, 5, grad=True)[1:]
    some = partial_attention(q, k, v)
    for pair in ((empty, some), (some, empty)):
        torch.testing.assert_close(merge(*pair), some, **TIGHT)
    assert all(g.isfinite().all() for g in torch.autograd.grad(merge(empty, some)[0].sum(), (q, k, v)))


def test_two_empties_merge_to_nothing():
    output = torch.zeros(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    lse = torch.full((2, 3, 5), -math.inf, dtype=torch.float64, requires_grad=True)
    merged = merge((output, lse), (output, lse))
    assert (merged[0] == 0).all() and torch.isneginf(merged[1]).all()
    gradients = torch.autograd.grad(merged, (output, lse), tuple(torch.ones_like(t) for t in merged))
    assert all(g.isfinite().all() for g in gradients)


def test_gradcheck_of_partial_attention():
    inputs = qkv(18, 2, 4, 2, 3, 5, 3, grad=True)
    mask = torch.rand(2, 4, 3, 5, generator=torch.Generator().manual_seed(19)) < 0.6
    mask[:, :, 1] = False
    mask[:, :, [0, 2], 0] = True

    def function(q, k, v):
        output, lse = partial_attention(q, k, v, mask=mask)
        return output, lse[:, :, [0, 2]]                                   # il lse di una riga vuota non si muove

    assert torch.autograd.gradcheck(function, inputs)


def test_gradcheck_of_merge():
    generator = torch.Generator().manual_seed(20)
    a, b = (torch.randn(2, 3, 5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    s, t = (torch.randn(2, 3, 5, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, s, b, t: merge((a, s), (b, t)), (a, s, b, t))


def test_training_through_a_merge_is_training_on_the_whole():
    inputs = qkv(21, 2, 4, 2, 5, 9, 3, grad=True)
    q, k, v = inputs
    mask = Causal().mask(5, 9)
    parts = merge(partial_attention(q, k[:, :, :4], v[:, :, :4], mask=mask[:, :4]),
                  partial_attention(q, k[:, :, 4:], v[:, :, 4:], mask=mask[:, 4:]))[0]
    for ours, theirs in zip(torch.autograd.grad(parts.pow(2).sum(), inputs),
                            torch.autograd.grad(attention(q, k, v).pow(2).sum(), inputs)):
        torch.testing.assert_close(ours, theirs, **LOOSE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_lse_is_never_narrower_than_float32(dtype):
    exact = qkv(22, 1, 2, 1, 3, 5, 4)
    narrow = [t.to(dtype) for t in exact]
    output, lse = merge(partial_attention(*narrow), partial_attention(*narrow))
    assert output.dtype == dtype and lse.dtype == torch.float32
    _, expected = partial_attention(*(t.double() for t in narrow))
    torch.testing.assert_close(lse.double(), expected + math.log(2), rtol=1e-6, atol=1e-6)


# errori ---------------------------------------------------------------------------------------------

def q_of(*shape, dtype=torch.float32, device=None):
    return torch.zeros(shape, dtype=dtype, device=device)


REFUSED = [
    (dict(q=q_of(6, 4, 5)), r"q: mi aspettavo 4 assi \(B, H, T, Dh\), ne ho trovati 3 \(shape \(6, 4, 5\)\)"),
    (dict(k=q_of(3, 3, 4, 5)), "Il batch di q e quello di k devono essere uguali: ho trovato 2 e 3"),
    (dict(k=q_of(2, 3, 4, 7)), "La larghezza di q e quella di k devono essere uguali: ho trovato 5 e 7"),
    (dict(v=q_of(2, 3, 4, 7)), r"stessa shape: ho trovato \(2, 3, 4, 5\) e \(2, 3, 4, 7\)"),
    (dict(v=q_of(2, 3, 6, 5)), r"stessa shape: ho trovato \(2, 3, 4, 5\) e \(2, 3, 6, 5\)"),
    (dict(v=q_of(2, 1, 4, 5)), r"stessa shape: ho trovato \(2, 3, 4, 5\) e \(2, 1, 4, 5\)"),
    (dict(k=q_of(2, 4, 4, 5), v=q_of(2, 4, 4, 5)), "Hq=6 non è divisibile per Hkv=4"),
    (dict(q=q_of(2, 6, 0, 5)), r"assi non vuoti, ho trovato q \(2, 6, 0, 5\)"),
    (dict(k=q_of(2, 0, 4, 5), v=q_of(2, 0, 4, 5)), r"assi non vuoti, .* k \(2, 0, 4, 5\)"),
    (dict(k=q_of(2, 3, 4, 5, dtype=torch.float64)), "q e k devono avere lo stesso dtype: ho trovato torch.float32 e torch.float64"),
    (dict(v=q_of(2, 3, 4, 5, dtype=torch.bfloat16)), "k e v devono avere lo stesso dtype: ho trovato torch.float32 e torch.bfloat16"),
    (dict(k=q_of(2, 3, 4, 5, device="meta")), "q e k devono stare sullo stesso device: ho trovato cpu e meta"),
    (dict(q=q_of(2, 6, 4, 5, dtype=torch.long)), "q: mi aspettavo un tensore torch di numeri reali, ho trovato elementi torch.int64"),
    (dict(v=np.zeros((2, 3, 4, 5))), "v: mi aspettavo un tensore torch di numeri reali, ho trovato ndarray"),
    (dict(scale=math.nan), "scale: mi aspettavo un numero finito, ho trovato nan"),
    (dict(scale=-math.inf), "scale: mi aspettavo un numero finito, ho trovato -inf"),
    (dict(scale=True), "scale: mi aspettavo un numero finito, ho trovato True"),
    (dict(scale="1"), "scale: mi aspettavo un numero finito, ho trovato '1'"),
]


@pytest.mark.parametrize("function", [attention, partial_attention])
@pytest.mark.parametrize("change, message", REFUSED)
def test_wrong_inputs(function, change, message):
    arguments = dict(q=q_of(2, 6, 4, 5), k=q_of(2, 3, 4, 5), v=q_of(2, 3, 4, 5))
    function(**arguments)
    with pytest.raises(ValueError, match=message):
        function(**arguments | change)


@pytest.mark.parametrize("change, message", [
    (dict(q=q_of(2, 6, 7, 5)), r"Tq=7 supera Tk=4: con Causal\(\) le query sono le ultime"),
    (dict(k=q_of(2, 3, 0, 5), v=q_of(2, 3, 0, 5), pattern=Full()), "almeno una key, ne ho trovate 0"),
    (dict(pattern=Causal), "pattern: mi aspettavo un pattern, per esempio Causal"),
    (dict(pattern=Pattern()), "Pattern non dice chi vede chi"),
])
def test_wrong_patterns(change, message):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        attention(**dict(q=q_of(2, 6, 4, 5), k=q_of(2, 3, 4, 5), v=q_of(2, 3, 4, 5)) | change)


@pytest.mark.parametrize("Tq, Tk, message", [
    (0, None, "Tq: mi aspettavo un intero maggiore di zero, ho trovato 0"), (2, 1.5, "Tk: mi aspettavo un intero, ho trovato 1.5"),
    (3, 2, "Tq=3 supera Tk=2"),
])
def test_wrong_lengths_of_a_mask(Tq, Tk, message):
    with pytest.raises(ValueError, match=message):
        Causal().mask(Tq, Tk)


@pytest.mark.parametrize("mask, message", [
    (np.ones((4, 4), bool), r"mask: mi aspettavo booleani torch \(True = visibile\), ho trovato ndarray"),
    (torch.ones(4, 4), "ho trovato torch.float32"),
    (torch.ones(4, 7, dtype=torch.bool), r"estendibile a \(2, 6, 4, 4\), ho trovato \(4, 7\)"),
    (torch.ones(1, 1, 1, 4, 4, dtype=torch.bool), r"estendibile a \(2, 6, 4, 4\), ho trovato \(1, 1, 1, 4, 4\)"),
    (torch.ones(4, 4, dtype=torch.bool, device="meta"), "mask: mi aspettavo il device cpu, ho trovato meta"),
])
def test_wrong_masks(mask, message):
    with pytest.raises(ValueError, match=message):
        partial_attention(q_of(2, 6, 4, 5), q_of(2, 3, 4, 5), q_of(2, 3, 4, 5), mask=mask)


@pytest.mark.parametrize("second, message", [
    ((q_of(2, 3, 5), q_of(2, 4)), r"ho trovato \(\(2, 3, 5\), \(2, 3\)\) e \(\(2, 3, 5\), \(2, 4\)\)"),
    ((q_of(2, 4, 5), q_of(2, 3)), r"mi aspettavo due coppie di shape"),
    ((q_of(2, 3, 5, dtype=torch.float64), q_of(2, 3)), "i due output devono avere lo stesso dtype: ho trovato torch.float32 e torch.float64"),
    ((q_of(2, 3, 5), q_of(2, 3, device="meta")), "i due lse devono stare sullo stesso device: ho trovato cpu e meta"),
])
def test_wrong_merges(second, message):
    with pytest.raises(ValueError, match=message):
        merge((q_of(2, 3, 5), q_of(2, 3)), second)


class Behind(Pattern):
    """Ogni query vede solo ciò che sta almeno `gap` posti prima: le prime righe sono vuote."""

    def __init__(self, gap):
        self.gap = gap

    def sees(self, i, j):
        return j <= i - self.gap

    def edges(self, T):
        return sum(max(0, i - self.gap + 1) for i in range(T))


@pytest.mark.parametrize("gap, T", [(1, 1), (1, 5), (3, 5), (300, 280), (300, 310)])
def test_a_row_that_sees_nothing_is_zero(gap, T):
    q, k, v = torch.randn(3, 1, 2, T, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    output = attention(q, k, v, Behind(gap))
    assert (output[:, :, :gap] == 0).all()
    mask = torch.from_numpy(np.tri(T, k=-gap, dtype=bool))
    if T > gap:
        torch.testing.assert_close(output[:, :, gap:], F.scaled_dot_product_attention(q, k, v, attn_mask=mask)[:, :, gap:])


def test_merge_refuses_what_it_would_truncate():
    first, second = [(torch.full((1, 1, 2, 3), n), torch.zeros(1, 1, 2, dtype=torch.int64)) for n in (1, 2)]
    with pytest.raises(ValueError, match="merge: mi aspettavo numeri reali, ho trovato output torch.int64 e lse torch.int64"):
        merge(first, second)


@pytest.mark.parametrize("scale", [1j, "1", True, float("nan"), 10**400, np.complex64(1)])
def test_a_scale_that_is_not_a_number_is_refused_everywhere(scale):
    q = torch.randn(1, 1, 2, 4)
    for call in (lambda: attention(q, q, q, scale=scale), lambda: reference.attention_scores(np.ones((2, 4)), np.ones((2, 4)), scale=scale)):
        with pytest.raises(ValueError, match="scale: mi aspettavo un numero finito"):
            call()
