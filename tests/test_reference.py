"""L'oracolo in NumPy contro chi non gli somiglia: SDPA di torch, nn.MultiheadAttention, un ciclo lento."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from attnkit.masks import causal, fixed, strided
from attnkit.reference import (attention, attention_scores, attention_weights, combine, multi_head_attention, softmax)

TIGHT = {"rtol": 1e-12, "atol": 1e-12}


def rng(*key):
    return np.random.default_rng(key)


# softmax -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape, axis", [((5,), -1), ((5,), 0), ((3, 5), -1), ((3, 5), 0), ((2, 3, 5), 1), ((1, 1), -2)])
def test_softmax_like_torch(shape, axis):
    scores = rng(1).normal(size=shape) * 10
    np.testing.assert_allclose(softmax(scores, axis=axis), torch.softmax(torch.from_numpy(scores), axis).numpy(), **TIGHT)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6), elements=st.floats(-1e300, 1e300)),
       st.floats(-100, 100))
def test_softmax_is_a_distribution_and_ignores_a_constant(scores, constant):
    weights = softmax(scores)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-12)
    small = np.clip(scores, -100, 100)
    np.testing.assert_allclose(softmax(small + constant), softmax(small), rtol=1e-10, atol=1e-15)


def test_softmax_of_hidden_scores():
    assert softmax([[-np.inf, -np.inf], [-np.inf, 3.0]]).tolist() == [[0, 0], [0, 1]]


def test_softmax_never_overflows():
    assert softmax([1e308, 1e308]).tolist() == [0.5, 0.5]
    assert softmax([-1e308, 1e308]).tolist() == [0, 1]


@pytest.mark.parametrize("scores", [[np.nan, 1], [np.inf, 1], [], 3.0, ["a"]])
def test_softmax_refuses(scores):
    with pytest.raises(ValueError, match="scores"):
        softmax(scores)


def test_softmax_refuses_a_missing_axis():
    with pytest.raises(ValueError, match="axis=2 non esiste: scores ha 2 assi"):
        softmax(np.ones((2, 3)), axis=2)


# una head ----------------------------------------------------------------------------------------

def qkv(seed, batch=(), Tq=5, Tk=5, Dh=3, Dv=4):
    r = rng(seed, Tq, Tk, Dh, Dv)
    return r.normal(size=(*batch, Tq, Dh)), r.normal(size=(*batch, Tk, Dh)), r.normal(size=(*batch, Tk, Dv))


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("Tq, Tk, Dh, Dv", [(1, 1, 1, 1), (5, 5, 3, 4), (1, 7, 8, 8), (7, 2, 4, 1), (6, 6, 16, 3)])
@pytest.mark.parametrize("scale", [None, 0.3, 0, -1.0])
def test_attention_like_sdpa(batch, Tq, Tk, Dh, Dv, scale):
    Q, K, V = qkv(2, batch, Tq, Tk, Dh, Dv)
    mask = rng(3).random((Tq, Tk)) < 0.7
    mask[:, 0] = True
    output, weights = attention(Q, K, V, mask=mask, scale=scale)
    expected = F.scaled_dot_product_attention(*map(torch.from_numpy, (Q, K, V)), attn_mask=torch.from_numpy(mask), scale=scale)
    np.testing.assert_allclose(output, expected.numpy(), **TIGHT)
    np.testing.assert_allclose(weights.sum(-1), 1, **TIGHT)
    assert (weights[..., ~mask] == 0).all()


def test_causal_attention_like_sdpa_and_like_a_slow_loop():
    Q, K, V = qkv(4)
    output, weights = attention(Q, K, V, mask=causal(5))
    sdpa = F.scaled_dot_product_attention(*(torch.from_numpy(t) for t in (Q, K, V)), is_causal=True)
    np.testing.assert_allclose(output, sdpa.numpy(), **TIGHT)
    for i in range(5):
        exponentials = [math.exp(sum(Q[i, d] * K[j, d] for d in range(3)) / math.sqrt(3)) for j in range(i + 1)]
        for j in range(i + 1):
            assert math.isclose(weights[i, j], exponentials[j] / sum(exponentials), rel_tol=1e-12)


def test_scores_come_before_the_softmax_and_weights_after():
    Q, K, _ = qkv(5)
    scores = attention_scores(Q, K, mask=causal(5))
    assert np.isneginf(scores[~causal(5)]).all()
    np.testing.assert_allclose(scores[causal(5)], (Q @ K.T / math.sqrt(3))[causal(5)], **TIGHT)
    np.testing.assert_allclose(attention_weights(Q, K, mask=causal(5)), softmax(scores), **TIGHT)


def test_a_fully_masked_row_gives_zeros():
    Q, K, V = qkv(6)
    mask = causal(5)
    mask[2] = False
    output, weights = attention(Q, K, V, mask=mask)
    assert (output[2] == 0).all() and (weights[2] == 0).all()
    assert np.isfinite(output).all()


def test_a_key_shared_by_the_batch():
    Q, K, V = qkv(7, (3,))
    output, _ = attention(Q, K[0], V[0])
    np.testing.assert_allclose(output[1], attention(Q[1], K[0], V[0])[0], **TIGHT)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2 ** 32 - 1))
def test_the_future_does_not_leak(T, Dh, seed):
    Q, K, V = qkv(seed, Tq=T, Tk=T, Dh=Dh)
    before, _ = attention(Q, K, V, mask=causal(T))
    K[-1], V[-1] = 1e3, -1e3
    after, _ = attention(Q, K, V, mask=causal(T))
    np.testing.assert_array_equal(before[:-1], after[:-1])


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 2 ** 32 - 1))
def test_outputs_stay_between_the_values(T, seed):
    Q, K, V = qkv(seed, Tq=T, Tk=T)
    output, _ = attention(Q, K, V)
    assert (output <= V.max(0) + 1e-12).all() and (output >= V.min(0) - 1e-12).all()


@pytest.mark.parametrize("change, message", [
    (dict(K=np.ones((5, 4))), "La larghezza di Q e quella di K devono essere uguali: ho trovato 3 e 4"),
    (dict(V=np.ones((4, 4))), "I pesi di una riga e i value devono essere uguali: ho trovato 5 e 4"),
    (dict(Q=np.full((5, 3), np.nan)), "Q: .*nan in posizione \\(0, 0\\)"),
    (dict(Q=np.ones(3)), "Q: mi aspettavo almeno 2 assi, ne ho trovati 1"),
    (dict(K=np.ones((0, 3)), V=np.ones((0, 4))), "K: .*shape \\(0, 3\\)"),
    (dict(Q=np.ones((2, 5, 3)), K=np.ones((3, 5, 3))), "Q e K non si accordano"),
    (dict(mask=np.tril(np.ones((5, 5)))), "mask: mi aspettavo booleani \\(True = visibile\\), ho trovato elementi di tipo float64"),
    (dict(mask=np.ones((4, 5), bool)), "estendibile a \\(5, 5\\), ho trovato \\(4, 5\\)"),
    (dict(mask=np.ones((2, 5, 5), bool)), "estendibile a \\(5, 5\\), ho trovato \\(2, 5, 5\\)"),
    (dict(scale=np.nan), "scale: mi aspettavo un numero finito, ho trovato nan"),
    (dict(scale="1"), "scale: mi aspettavo un numero finito, ho trovato '1'"),
])
def test_attention_refuses(change, message):
    Q, K, V = qkv(8)
    arguments = {"Q": Q, "K": K, "V": V} | change
    with pytest.raises(ValueError, match=message):
        attention(**arguments)


def test_combine_takes_any_weights():
    assert combine([[0.5, 0.5], [0.0, 0.0]], [[1.0], [3.0]]).tolist() == [[2], [0]]


# più head ----------------------------------------------------------------------------------------

def weights_for(seed, D, Hq, Hkv, Dh):
    r = rng(seed, D, Hq, Hkv, Dh)
    return [r.normal(size=s) for s in ((D, Hq * Dh), (D, Hkv * Dh), (D, Hkv * Dh), (Hq * Dh, D))]


@pytest.mark.parametrize("T, D, n_heads", [(1, 4, 2), (6, 12, 3), (5, 8, 1), (7, 8, 8)])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_like_torch(T, D, n_heads, masked):
    x = rng(9).normal(size=(T, D))
    Wq, Wk, Wv, Wo = weights_for(10, D, n_heads, n_heads, D // n_heads)
    module = torch.nn.MultiheadAttention(D, n_heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.from_numpy(np.concatenate([Wq, Wk, Wv], axis=1).T))
        module.out_proj.weight.copy_(torch.from_numpy(Wo.T))
        t = torch.from_numpy(x)[None]
        hidden = torch.from_numpy(~causal(T)) if masked else None      # per questo modulo True = nascosto
        expected, expected_weights = module(t, t, t, attn_mask=hidden, average_attn_weights=False)
    output, weights = multi_head_attention(x, Wq, Wk, Wv, Wo, n_heads=n_heads, mask=causal(T) if masked else None)
    np.testing.assert_allclose(output, expected[0].numpy(), **TIGHT)
    np.testing.assert_allclose(weights, expected_weights[0].numpy(), **TIGHT)


@pytest.mark.parametrize("n_kv_heads", [1, 2, 3, 6])
@pytest.mark.parametrize("pattern", [causal, lambda T: strided(T, 3), lambda T: fixed(T, 3)])
def test_grouped_heads_like_sdpa(n_kv_heads, pattern):
    T, D, Hq, Dh = 7, 10, 6, 4
    x = rng(11).normal(size=(T, D))
    Wq, Wk, Wv, Wo = weights_for(12, D, Hq, n_kv_heads, Dh)
    output, weights = multi_head_attention(x, Wq, Wk, Wv, Wo, n_heads=Hq, n_kv_heads=n_kv_heads, mask=pattern(T))
    split = [torch.from_numpy(x @ W).view(1, T, -1, Dh).transpose(1, 2) for W in (Wq, Wk, Wv)]
    heads = F.scaled_dot_product_attention(*split, attn_mask=torch.from_numpy(pattern(T)), enable_gqa=True)
    expected = heads.transpose(1, 2).reshape(T, Hq * Dh).numpy() @ Wo
    np.testing.assert_allclose(output, expected, **TIGHT)
    assert weights.shape == (Hq, T, T)


def test_a_mask_for_each_head():
    x = rng(13).normal(size=(4, 6))
    W = weights_for(14, 6, 2, 2, 3)
    masks = np.stack([causal(4), np.eye(4, dtype=bool)])
    _, weights = multi_head_attention(x, *W, n_heads=2, mask=masks)
    assert (weights[~masks] == 0).all()
    np.testing.assert_array_equal(weights[1], np.eye(4))


@pytest.mark.parametrize("change, message", [
    (dict(n_heads=5), "le colonne di Wq=6 non è divisibile per n_heads=5"),
    (dict(n_kv_heads=4, n_heads=6), "n_heads=6 non è divisibile per n_kv_heads=4"),
    (dict(n_heads=0), "n_heads: mi aspettavo un intero maggiore di zero, ho trovato 0"),
    (dict(n_kv_heads=1), "Le colonne di Wk e n_kv_heads·head_dim devono essere uguali: ho trovato 6 e 3"),
    (dict(x=np.ones((4, 5))), "La larghezza di x e le righe di Wq devono essere uguali: ho trovato 5 e 6"),
    (dict(x=np.ones((1, 4, 6))), "x: mi aspettavo 2 assi, ne ho trovati 3"),
    (dict(Wo=np.ones((5, 6))), "Le righe di Wo e n_heads·head_dim devono essere uguali: ho trovato 5 e 6"),
    (dict(mask=np.ones((3, 4, 4), bool)), "estendibile a \\(2, 4, 4\\), ho trovato \\(3, 4, 4\\)"),
])
def test_multi_head_refuses(change, message):
    Wq, Wk, Wv, Wo = weights_for(15, 6, 2, 2, 3)
    arguments = dict(x=rng(16).normal(size=(4, 6)), Wq=Wq, Wk=Wk, Wv=Wv, Wo=Wo, n_heads=2) | change
    with pytest.raises(ValueError, match=message):
        multi_head_attention(**arguments)
