"""Le posizioni per rotazione: contro i numeri complessi, contro transformers, e le proprietà che le definiscono."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnkit.config import LLAMA_3_1_8B, RopeScaling
from attnkit.layers import KVCache, MultiHeadAttention
from attnkit.rope import Rope, rescaled, rotate

TIGHT = {"rtol": 1e-12, "atol": 1e-12}


def by_complex_numbers(x, positions, theta):
    """Ogni coppia (2p, 2p + 1) come un numero complesso, moltiplicato per e^(i t f)."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    f = torch.tensor([theta ** (-2 * p / x.shape[-1]) for p in range(x.shape[-1] // 2)], dtype=torch.float64)
    turned = pairs * torch.polar(torch.ones(()).double(), positions.double()[:, None] * f)
    return torch.view_as_real(turned).flatten(-2)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 20), st.integers(0, 200000), st.sampled_from([10.0, 10000.0, 500000.0]))
def test_interleaved_is_multiplication_by_a_complex_number(half, T, start, theta):
    x = torch.randn(2, 3, T, 2 * half, dtype=torch.float64)
    positions = torch.arange(start, start + T)
    torch.testing.assert_close(Rope(2 * half, theta=theta, layout="interleaved")(x, positions), by_complex_numbers(x, positions, theta), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_only_the_distance_matters(layout):
    rope, q, k = Rope(16, layout=layout), torch.randn(2, 40, 16, dtype=torch.float64), torch.randn(2, 40, 16, dtype=torch.float64)
    scores = [rope(q, torch.arange(s, s + 40)) @ rope(k, torch.arange(s, s + 40)).transpose(1, 2) for s in (0, 1, 1000)]
    for moved in scores[1:]:
        torch.testing.assert_close(moved, scores[0], rtol=1e-9, atol=1e-9)


def test_the_two_layouts_are_a_permutation_of_the_components():
    x, positions = torch.randn(3, 7, 12, dtype=torch.float64), torch.arange(7)
    order = torch.arange(12).view(2, 6).T.flatten()                        # 0 6 1 7 …: dove vanno le metà
    halves = Rope(12)(x, positions)
    torch.testing.assert_close(Rope(12, layout="interleaved")(x[..., order], positions), halves[..., order], **TIGHT)
    assert not torch.allclose(Rope(12, layout="interleaved")(x, positions), halves)


def test_cosines_are_right_far_away():
    """Con gli angoli in float32, a 131.072 l'errore è quasi un centesimo."""
    rope = Rope(128, theta=500000.0)
    positions = torch.tensor([0, 1, 8191, 100000, 131071])
    cos, sin = rope.angles(positions, torch.zeros((), dtype=torch.float32))
    for row, t in enumerate(positions.tolist()):
        for p in range(64):
            angle = t * 500000.0 ** (-2 * p / 128)
            assert abs(cos[row, p].item() - math.cos(angle)) < 1e-6 and abs(sin[row, p + 64].item() - math.sin(angle)) < 1e-6


def test_the_frequencies_of_llama_3_1():
    """facts: su 64 frequenze 29 intatte, 6 sfumate, 29 divise per 8."""
    before = Rope(128, theta=500000.0).frequencies
    after = Rope(128, theta=500000.0, scaling=LLAMA_3_1_8B.rope_scaling).frequencies
    same, eighth = torch.isclose(after, before, rtol=1e-12), torch.isclose(after, before / 8, rtol=1e-12)
    assert (int(same.sum()), int(eighth.sum()), int((~same & ~eighth).sum())) == (29, 29, 6)
    waves = 2 * math.pi / torch.stack([before[-1], after[-1]])
    assert [f"{wave:.3e}" for wave in waves.tolist()] == ["2.559e+06", "2.047e+07"]
    assert (after[1:] < after[:-1]).all()


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.bfloat16, 0.02), (torch.float16, 0.003)])
def test_half_precision_turns_in_float32(dtype, tolerance):
    x = torch.randn(2, 50, 8, dtype=torch.float64)
    output = Rope(8)(x.to(dtype), torch.arange(1000, 1050))
    assert output.dtype == dtype
    torch.testing.assert_close(output.double(), Rope(8)(x.to(dtype).double(), torch.arange(1000, 1050)), rtol=tolerance, atol=tolerance)


def test_a_span_is_a_view_of_one_table():
    rope, like = Rope(6), torch.zeros(1)
    cos, sin = rope.span(3, 8, like)
    expected = rope.angles(torch.arange(3, 8), like)
    assert torch.equal(cos, expected[0]) and torch.equal(sin, expected[1])
    table = rope._table[0]
    rope.span(0, 2, like)
    assert rope._table[0] is table                                         # non si ricalcola
    with torch.inference_mode():
        assert rope.span(0, 100, like)[0].shape == (100, 6)
    assert not rope.span(0, 100, like)[0].is_inference()                   # chi viene dopo può volere i gradienti


@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_a_layer_turns_queries_and_keys_and_remembers_where_it_is(n_kv_heads):
    layer = MultiHeadAttention(12, 4, n_kv_heads, head_dim=6, rope=Rope(6)).double()
    x, cache = torch.randn(2, 11, 12, dtype=torch.float64), KVCache()
    q, k, v = (W(x).unflatten(-1, (-1, 6)).transpose(1, 2) for W in (layer.Wq, layer.Wk, layer.Wv))
    q, k = (by_complex_numbers_half(t) for t in (q, k))
    heads = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    expected = layer.Wo(heads.transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x), expected, **TIGHT)
    pieces = torch.cat([layer(piece, cache) for piece in x.split([4, 1, 1, 5], dim=1)], dim=1)
    torch.testing.assert_close(pieces, expected, **TIGHT)
    weights = layer.weights(x)
    torch.testing.assert_close(weights, (q @ k.repeat_interleave(4 // n_kv_heads, 1).transpose(2, 3) / 6 ** 0.5).masked_fill(~torch.ones(11, 11).tril().bool(), -math.inf).softmax(-1), **TIGHT)


def by_complex_numbers_half(x):
    order = torch.arange(x.shape[-1]).view(2, -1).T.flatten()
    turned = by_complex_numbers(x[..., order], torch.arange(x.shape[-2]), 10000.0)
    return turned[..., order.argsort()]


def test_gradients():
    rope = Rope(4, layout="interleaved")
    assert torch.autograd.gradcheck(lambda x: rope(x, torch.arange(3)), torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True))
    assert torch.autograd.gradcheck(lambda x: rotate(x, *Rope(4).angles(torch.arange(3), x)), torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("wrong, message", [
    (lambda: Rope(7), "head_dim: mi aspettavo un numero pari, ho trovato 7"),
    (lambda: Rope(8, theta=0), "theta: .* ho trovato 0"),
    (lambda: Rope(8, layout="tondo"), "half o interleaved, ho trovato 'tondo'"),
    (lambda: Rope(8, scaling=8), "scaling: mi aspettavo una RopeScaling o None, ho trovato 8"),
    (lambda: Rope(8)(torch.zeros(2, 6), torch.arange(2)), "largo 8, ho trovato shape"),
    (lambda: Rope(8)(torch.zeros(2, 8), torch.arange(3)), "per ognuno dei 2 token, ho trovato shape"),
    (lambda: Rope(8)(torch.zeros(2, 8), torch.zeros(2)), "interi torch, ho trovato torch.float32"),
    (lambda: RopeScaling(high_freq_factor=1.0), "high_freq_factor=1.0 deve superare low_freq_factor=1.0"),
    (lambda: MultiHeadAttention(8, 2, rope=Rope(8)), "un Rope largo 4, come una head"),
])
def test_bad_input(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_rescaling_by_hand():
    scaling = RopeScaling(factor=8, low_freq_factor=1, high_freq_factor=4, original_context=8192)
    waves = torch.tensor([100.0, 2048.0, 4096.0, 8192.0, 50000.0], dtype=torch.float64)
    factors = rescaled(2 * math.pi / waves, scaling) / (2 * math.pi / waves)
    torch.testing.assert_close(factors, torch.tensor([1, 1, (1 - 1 / 3) / 8 + 1 / 3, 1 / 8, 1 / 8], dtype=torch.float64), **TIGHT)


@pytest.mark.parametrize("x, positions, words", [
    (torch.arange(12).reshape(3, 4), torch.arange(3), "x: mi aspettavo un tensore torch di numeri reali"),
    (torch.randn(4), torch.arange(1), "una posizione per ognuno dei 1 token"),
    (torch.randn(3, 4), torch.zeros(5, 3, dtype=torch.int64), r"una shape estendibile a \(3,\), ho trovato \(5, 3\)"),
    (torch.randn(2, 2, 3, 4), torch.zeros(5, 3, dtype=torch.int64), r"una shape estendibile a \(2, 2, 3\)"),
    (torch.randn(3, 4), torch.zeros(3, dtype=torch.complex64), "positions: mi aspettavo interi torch"),
])
def test_rope_explains_what_it_cannot_turn(x, positions, words):
    with pytest.raises(ValueError, match=words):
        Rope(4)(x, positions)


def test_grouping_the_heads_keeps_the_positions():
    from attnkit.layers import group_kv_heads
    layer = MultiHeadAttention(16, 4, 4, rope=Rope(4))
    grouped = group_kv_heads(layer, 4)                         # quattro gruppi da una: nulla cambia
    x = torch.randn(1, 5, 16)
    torch.testing.assert_close(grouped(x), layer(x))
