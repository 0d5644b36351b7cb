"""I pattern sparsi contro la maschera densa: stessi valori, stessi gradienti, e nessun tensore T × T."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import attnkit.attention.fuso as fuso
from attnkit import masks
from attnkit.attention import BlockLocal, Fixed, Strided, Window, attention
from attnkit.attention.sparsi import by_predicate
from attnkit.layers import KVCache, MultiHeadAttention

TIGHT = {"rtol": 1e-11, "atol": 1e-11}


def dense_mask(pattern, T):
    """La stessa maschera da `masks`, che i pattern non li conosce."""
    match pattern:
        case Window():
            return masks.sliding_window(T, pattern.window) | masks.causal(T) & (np.arange(T) < pattern.sinks)
        case BlockLocal():
            return masks.block_local(T, pattern.block)
        case Strided():
            return masks.strided(T, pattern.stride)
        case Fixed():
            return masks.fixed(T, pattern.stride, pattern.summary)


def qkv(B, Hq, Hkv, Tq, Tk, Dh, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = (B, Hq, Tq, Dh), (B, Hkv, Tk, Dh), (B, Hkv, Tk, Dh)
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for shape in shapes)


def masked(q, k, v, mask, scale=None):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = q @ k.transpose(2, 3) * (q.shape[-1] ** -0.5 if scale is None else scale)
    return scores.masked_fill(~torch.from_numpy(mask), -torch.inf).softmax(-1) @ v


def agree(pattern, B, Hq, Hkv, Tq, Tk, Dh, dtype=torch.float64, scale=None, tolerance=TIGHT):
    """Valori e gradienti uguali a quelli della maschera densa."""
    inputs, mask = qkv(B, Hq, Hkv, Tq, Tk, Dh, dtype), dense_mask(pattern, Tk)[Tk - Tq:]
    output, expected = attention(*inputs, pattern, scale=scale), masked(*inputs, mask, scale)
    torch.testing.assert_close(output, expected, **tolerance)
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
    for ours, theirs in zip(torch.autograd.grad(output, inputs, direction), torch.autograd.grad(expected, inputs, direction)):
        torch.testing.assert_close(ours, theirs, **tolerance)


PATTERNS = [Window(1), Window(2), Window(5), Window(64), Window(65), Window(1000), Window(5, sinks=1), Window(3, sinks=4), Window(70, sinks=9),
            BlockLocal(1), BlockLocal(3), BlockLocal(64), BlockLocal(500), Strided(1), Strided(2), Strided(7), Strided(16), Strided(400),
            Fixed(1), Fixed(4), Fixed(5, 2), Fixed(6, 6), Fixed(16, 3), Fixed(500, 7)]


# La stessa attenzione -------------------------------------------------------------------------------

@pytest.mark.parametrize("pattern", PATTERNS, ids=repr)
@pytest.mark.parametrize("Hq, Hkv", [(6, 1), (6, 2), (4, 4)])
def test_like_the_dense_mask(pattern, Hq, Hkv):
    for T in (1, 2, 5, 64, 65, 129, 300):
        agree(pattern, 2, Hq, Hkv, T, T, 5)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_length_any_parameter(data):
    T = data.draw(st.integers(1, 300))
    size = data.draw(st.integers(1, T + 3))
    pattern = data.draw(st.sampled_from([Window(size), Window(size, sinks=data.draw(st.integers(0, 5))), BlockLocal(size), Strided(size),
                                         Fixed(size, data.draw(st.integers(1, size)))]))
    Hq, Hkv = data.draw(st.sampled_from([(4, 1), (4, 2), (3, 3)]))
    Tq = data.draw(st.one_of(st.just(T), st.integers(1, T)))
    agree(pattern, data.draw(st.integers(1, 2)), Hq, Hkv, Tq, T, data.draw(st.integers(1, 9)), scale=data.draw(st.sampled_from([None, 0.7])))


@pytest.mark.parametrize("pattern", PATTERNS, ids=repr)
def test_in_float32_within_two_in_a_hundred_thousand(pattern):
    for T in (1, 100, 257, 300):
        agree(pattern, 1, 4, 2, T, T, 16, torch.float32, tolerance={"rtol": 2e-5, "atol": 2e-5})


@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 0.04), (torch.float16, 0.005)])
@pytest.mark.parametrize("pattern", [Window(20), Strided(8), Fixed(8), Fixed(8, 2), BlockLocal(16), Window(9, sinks=2)], ids=repr)
def test_in_half_precision_like_the_same_numbers_in_full(pattern, dtype, tolerance):
    inputs = qkv(1, 4, 2, 150, 150, 16, dtype)
    output, expected = attention(*inputs, pattern), masked(*(t.double() for t in inputs), dense_mask(pattern, 150))
    assert output.dtype == dtype
    torch.testing.assert_close(output.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("pattern", [Strided(7), Fixed(6), Fixed(6, 2), BlockLocal(5)], ids=repr)
def test_without_the_fused_kernel_the_same(pattern, monkeypatch):
    monkeypatch.setattr(fuso, "has_lse", lambda q: False)
    for Hq, Hkv, T in ((6, 2, 40), (3, 3, 33), (2, 1, 4)):
        agree(pattern, 2, Hq, Hkv, T, T, 3)


def test_the_fused_kernel_is_there():
    """Se una versione nuova di torch lo toglie o gli cambia nome, i pattern restano giusti ma lenti: qui si viene a sapere."""
    assert fuso.has_lse(torch.zeros(1))


@pytest.mark.parametrize("pattern", [Strided(5), Fixed(6, 2)], ids=repr)
def test_gradients_by_finite_differences(pattern):
    assert torch.autograd.gradcheck(lambda *inputs: attention(*inputs, pattern), qkv(1, 2, 1, 17, 17, 2), atol=1e-6)


@pytest.mark.parametrize("pattern", [Strided(5), Fixed(6, 2), Window(20), BlockLocal(4)], ids=repr)
def test_tensors_as_a_layer_makes_them(pattern):
    x = torch.randn(2, 90, 6, 4, dtype=torch.float64)                      # (B, T, H, Dh): la trasposta non è contigua
    q, k, v = (x + n for n in range(3))
    expected = masked(*(t.transpose(1, 2) for t in (q, k, v)), dense_mask(pattern, 90))
    torch.testing.assert_close(attention(*(t.transpose(1, 2) for t in (q, k, v)), pattern), expected, **TIGHT)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("pattern", [Window(20), Strided(8), Fixed(8, 2), BlockLocal(16), Window(9, sinks=2)], ids=repr)
def test_flexattention_from_the_same_predicate(pattern):
    """Sulla CPU si può provare solo senza compilarla: è la strada delle GPU, con gli stessi numeri."""
    torch._dynamo.reset()                    # ogni pattern da capo: se no le misure diverse diventano simboliche, e torch 2.5 non le vuole
    q, k, v = (t.detach() for t in qkv(1, 4, 2, 150, 150, 16, torch.float32))
    torch.testing.assert_close(by_predicate(pattern, q, k, v, None), masked(q, k, v, dense_mask(pattern, 150)), rtol=2e-5, atol=2e-5)


# Il lavoro fatto è quello disegnato -----------------------------------------------------------------

@pytest.mark.parametrize("pattern", PATTERNS, ids=repr)
def test_mask_edges_and_flops(pattern):
    for T in (1, 2, 7, 16, 130):
        mask = dense_mask(pattern, T)
        assert np.array_equal(pattern.mask(T).numpy(), mask)
        assert np.array_equal(pattern.mask(1, T).numpy(), mask[-1:])
        assert pattern.edges(T) == mask.sum() and pattern.flops(T, 8) == 32 * mask.sum()


class Largest(TorchDispatchMode):
    """Quanti elementi ha il tensore più grande che un calcolo ha creato."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **kwargs or {})
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor) and not tensor._is_view():
                self.elements = max(self.elements, tensor.untyped_storage().size() // tensor.element_size())
        return result


@pytest.mark.parametrize("pattern", [Window(64), Strided(32), Fixed(32), BlockLocal(64)], ids=repr)
@pytest.mark.parametrize("back", [False, True])
def test_the_largest_tensor_grows_as_the_length(pattern, back):
    sizes = []
    for T in (1024, 2048):
        inputs = qkv(1, 2, 2, T, T, 8, torch.float32)
        with Largest() as largest:
            output = attention(*inputs, pattern)
            if back:
                output.sum().backward()
        sizes.append(largest.elements)
    assert sizes[1] <= 2.1 * sizes[0] and sizes[1] < 1024 * 1024 / 4


@pytest.mark.parametrize("B", [1, 2])
@pytest.mark.parametrize("Hkv", [1, 4])
@torch.no_grad()
def test_a_window_never_copies_its_overlapping_keys(B, Hkv):
    """Anche come li fa un layer, (B, T, H, Dh) trasposti: i pezzi sono viste, e nulla supera q."""
    q, k, v = (torch.randn(B, 1024, H, 64).transpose(1, 2) for H in (4, Hkv, Hkv))
    with Largest() as largest:
        attention(q, k, v, Window(320))
    assert largest.elements <= q.numel()


@pytest.mark.parametrize("pattern", [Window(5), Strided(4), Fixed(4), BlockLocal(6), Window(3, sinks=2)], ids=repr)
def test_no_gradient_from_where_nobody_looks(pattern):
    q, k, v = qkv(1, 1, 1, 40, 40, 3)
    output, mask = attention(q, k, v, pattern), dense_mask(pattern, 40)
    for i in (0, 1, 17, 39):
        gk, gv = torch.autograd.grad(output[0, 0, i].sum(), (k, v), retain_graph=True)
        assert np.array_equal((gv[0, 0].abs().sum(-1) > 0).numpy(), mask[i]) and not gk[0, 0][~torch.from_numpy(mask[i])].any()


# La cache -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("pattern", PATTERNS, ids=repr)
def test_needed_is_what_someone_will_still_see(pattern):
    for T in (1, 4, 12, 30):
        later = dense_mask(pattern, T + 700)[T:, :T]
        assert np.array_equal(pattern.needed(T).numpy(), later.any(0))


@pytest.mark.parametrize("pattern", [Window(5, sinks=2), Fixed(4), Fixed(6, 2), Strided(5), BlockLocal(7), Window(6)], ids=repr)
@pytest.mark.parametrize("sizes", [[1] * 90, [40, *[1] * 50], [3, 30, 1, 1, 20, 1, 34], [90]])
@pytest.mark.parametrize("grad", [False, True])
def test_pieces_with_a_cache_are_the_whole(pattern, sizes, grad):
    torch.manual_seed(0)
    layer, x = MultiHeadAttention(8, 4, 2, pattern=pattern).double(), torch.randn(2, 90, 8, dtype=torch.float64)
    with torch.set_grad_enabled(grad):
        cache = KVCache()
        pieces, whole = torch.cat([layer(piece, cache) for piece in x.split(sizes, dim=1)], dim=1), layer(x)
        torch.testing.assert_close(pieces, whole, **TIGHT)
        if grad:
            for ours, theirs in zip(torch.autograd.grad(pieces.sum(), layer.parameters()), torch.autograd.grad(whole.sum(), layer.parameters())):
                torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pattern, most", [(Window(5, sinks=2), 24), (BlockLocal(8), 24), (Fixed(16), 90), (Strided(16), 600)], ids=repr)
@torch.no_grad()
def test_the_cache_forgets_what_nobody_will_see(pattern, most):
    layer, cache = MultiHeadAttention(8, 4, 2, pattern=pattern), KVCache()
    for piece in torch.randn(1, 600, 8).split(1, dim=1):
        layer(piece, cache)
        assert cache.kept <= most and bool(torch.isin(pattern.needed(cache.length).nonzero().squeeze(1), cache.positions).all())
    assert cache.length == 600 and cache.nbytes == 2 * 2 * cache.kept * 2 * 4


@torch.no_grad()
def test_a_cache_as_large_as_its_window_is_enough():
    layer, x = MultiHeadAttention(8, 4, 2, pattern=Window(5, sinks=2)), torch.randn(1, 60, 8)
    cache = KVCache(max_tokens=7)
    pieces = torch.cat([layer(piece, cache) for piece in x.split(1, dim=1)], dim=1)
    torch.testing.assert_close(pieces, layer(x), rtol=1e-5, atol=1e-5)


# Gli errori -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("make, message", [
    (lambda: Window(0), "window: mi aspettavo un intero maggiore di zero, ho trovato 0"), (lambda: Window(-3), "ho trovato -3"),
    (lambda: Window(2.5), "mi aspettavo un intero, ho trovato 2.5"), (lambda: Window(4, sinks=-1), "sinks: mi aspettavo zero o un intero maggiore, ho trovato -1"),
    (lambda: Window(4, sinks=None), "sinks: .* ho trovato None"), (lambda: Window(4, sinks=False), "sinks: .* ho trovato False"), (lambda: Window(4, sinks=0.0), "sinks: .* ho trovato 0.0"),
    (lambda: Window(4, sinks=1.5), "sinks: .* ho trovato 1.5"), (lambda: BlockLocal(0), "block: "), (lambda: Strided(0), "stride: "),
    (lambda: Fixed(4, 0), "summary: "), (lambda: Fixed(4, 5), "summary=5 supera stride=4"), (lambda: Strided(True), "stride: ")])
def test_bad_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("pattern", [Window(3), Strided(3), Fixed(3), BlockLocal(3)], ids=repr)
def test_more_queries_than_keys(pattern):
    q, k, v = (torch.zeros(1, 1, T, 2) for T in (5, 4, 4))
    with pytest.raises(ValueError, match="Tq=5 supera Tk=4"):
        attention(q, k, v, pattern)


def test_patterns_are_values():
    assert Window(4) == Window(4, sinks=0) != Window(4, sinks=1) and hash(Fixed(4)) == hash(Fixed(4, 1))
    for a, b in itertools.combinations([Window(4), BlockLocal(4), Strided(4), Fixed(4)], 2):
        assert a != b
    with pytest.raises(AttributeError):
        Window(4).window = 5


# I casi ai bordi ---------------------------------------------------------------------------------------------------

def strided_tensors(B, H, T, Dh, seed=0):
    """Query, key e value con l'ultimo asse non contiguo: trasposti, e presi un numero sì e uno no."""
    g = torch.Generator().manual_seed(seed)
    yield tuple(torch.randn(B, H, Dh, T, generator=g, dtype=torch.float64).transpose(2, 3) for _ in range(3))
    yield tuple(torch.randn(B, H, T, 2 * Dh, generator=g, dtype=torch.float64)[..., ::2] for _ in range(3))


@pytest.mark.parametrize("pattern", [BlockLocal(4), Strided(4), Fixed(4), Window(5), Window(5, sinks=2)], ids=repr)
def test_tensors_that_are_not_contiguous_give_the_same_numbers(pattern):
    """Il kernel della CPU non lo controlla: leggerebbe numeri di altri, senza dire nulla."""
    for tensors in strided_tensors(2, 2, 8, 4):
        left = [t.detach().requires_grad_() for t in tensors]
        right = [t.detach().contiguous().requires_grad_() for t in tensors]
        assert left[0].stride(-1) != 1
        outputs = [attention(*some, pattern) for some in (left, right)]
        torch.testing.assert_close(*outputs, **TIGHT)
        weight = torch.linspace(-1, 1, outputs[0].numel(), dtype=torch.float64).view_as(outputs[0])
        gradients = [torch.autograd.grad((o * weight).sum(), some) for o, some in zip(outputs, (left, right), strict=True)]
        torch.testing.assert_close(*gradients, **TIGHT)


@pytest.mark.parametrize("pattern", [BlockLocal(10**6), Strided(10**6), Fixed(10**6), Window(10**6)], ids=repr)
def test_a_block_longer_than_the_sentence_costs_as_the_sentence(pattern):
    q, k, v = qkv(1, 2, 2, 10, 10, 4)
    largest = Largest()
    with largest:
        output = attention(q, k, v, pattern)
    torch.testing.assert_close(output, attention(q, k, v), **TIGHT)
    assert largest.elements <= 10 * 10 * 2 * 4


@pytest.mark.parametrize("pattern", [BlockLocal(3), Strided(3), Fixed(3)], ids=repr)
def test_a_second_derivative_is_refused_and_never_missing(pattern):
    q, k, v = qkv(1, 1, 1, 9, 9, 4)
    output = attention(q, k, v, pattern)
    with pytest.raises(RuntimeError, match="Qui si deriva una volta sola"):
        torch.autograd.grad(output.sum(), q, create_graph=True)
