"""I layer contro chi non somiglia loro: nn.MultiheadAttention, l'oracolo in NumPy, le formule per esteso."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from attnkit import masks, reference
from attnkit.attention import Causal, Full
from attnkit.layers import MultiHeadAttention, RMSNorm

TIGHT = {"rtol": 1e-12, "atol": 1e-12}
LOOSE = {"rtol": 1e-10, "atol": 1e-10}                        # per i gradienti


def random(seed, *shape, **options):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, **options)


def layer_of(seed, *arguments, **options):
    """Un layer in float64 con pesi che dipendono solo dal seme, bias compresi."""
    layer = MultiHeadAttention(*arguments, **options).double()
    with torch.no_grad():
        for i, parameter in enumerate(layer.parameters()):
            parameter.copy_(random(1000 * seed + i, *parameter.shape) / math.sqrt(layer.d_model))
    return layer


# RMSNorm --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 5, 7)])
@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_rms_norm_like_the_formula(shape, eps):
    x, norm = random(1, *shape, requires_grad=True), RMSNorm(7, eps=eps).double()
    assert norm.weight.tolist() == [1] * 7
    norm.weight.data = random(2, 7)
    expected = x / (x.pow(2).sum(-1, keepdim=True) / 7 + eps).sqrt() * norm.weight
    torch.testing.assert_close(norm(x), expected, **TIGHT)
    for ours, theirs in zip(torch.autograd.grad(norm(x).pow(2).sum(), (x, norm.weight)),
                            torch.autograd.grad(expected.pow(2).sum(), (x, norm.weight))):
        torch.testing.assert_close(ours, theirs, **LOOSE)


def test_rms_norm_of_nothing_and_of_the_wrong_width():
    assert (RMSNorm(5)(torch.zeros(2, 5)) == 0).all()
    for shape in ((2, 6), ()):
        with pytest.raises(ValueError, match="l'ultimo asse largo 5, ho trovato shape"):
            RMSNorm(5)(torch.zeros(shape))


# MultiHeadAttention ---------------------------------------------------------------------------------

@pytest.mark.parametrize("n_kv_heads", [1, 2, 3, 6])
@pytest.mark.parametrize("pattern", [Full(), Causal()])
@pytest.mark.parametrize("B, T", [(2, 7), (1, 1), (3, 1), (1, 5)])
def test_like_the_reference(n_kv_heads, pattern, B, T):
    D, Hq, Dh = 11, 6, 5                                                   # head_dim non è D / Hq
    layer, x = layer_of(3, D, Hq, n_kv_heads, head_dim=Dh, pattern=pattern), random(4, B, T, D)
    W = [getattr(layer, name).weight.detach().numpy().T for name in ("Wq", "Wk", "Wv", "Wo")]
    output, weights = layer(x), layer.weights(x)
    assert output.shape == (B, T, D) and weights.shape == (B, Hq, T, T)
    mask = masks.causal(T) if pattern == Causal() else None
    for b in range(B):
        expected, expected_weights = reference.multi_head_attention(x[b].numpy(), *W, n_heads=Hq, n_kv_heads=n_kv_heads, mask=mask)
        np.testing.assert_allclose(output[b].detach().numpy(), expected, **TIGHT)
        np.testing.assert_allclose(weights[b].detach().numpy(), expected_weights, **TIGHT)


@pytest.mark.parametrize("n_kv_heads", [1, 2, 6])
def test_with_biases_like_the_formulas(n_kv_heads):
    layer, x = layer_of(5, 11, 6, n_kv_heads, head_dim=5, bias=True), random(6, 2, 7, 11)
    q, k, v = (F.linear(x, m.weight, m.bias).view(2, 7, -1, 5).transpose(1, 2) for m in (layer.Wq, layer.Wk, layer.Wv))
    group = 6 // n_kv_heads
    heads = F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), is_causal=True)
    expected = heads.transpose(1, 2).reshape(2, 7, 30) @ layer.Wo.weight.T + layer.Wo.bias
    torch.testing.assert_close(layer(x), expected, **TIGHT)
    parameters = list(layer.parameters())
    assert len(parameters) == 8
    for ours, theirs in zip(torch.autograd.grad(layer(x).pow(2).sum(), parameters), torch.autograd.grad(expected.pow(2).sum(), parameters)):
        torch.testing.assert_close(ours, theirs, **LOOSE)


@pytest.mark.parametrize("D, n_heads", [(12, 3), (7, 1), (10, 10)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_from_torch_like_torch(D, n_heads, bias, batch_first, causal):
    module = torch.nn.MultiheadAttention(D, n_heads, bias=bias, batch_first=batch_first, dtype=torch.float64)
    for i, parameter in enumerate(module.parameters()):
        parameter.data = random(7 + i, *parameter.shape)                   # anche i bias, che nascono a zero
    B, T = 2, 5
    x = random(20, B, T, D, requires_grad=True)
    t = x if batch_first else x.transpose(0, 1)
    hidden = torch.from_numpy(~masks.causal(T)) if causal else None        # per questo modulo True = nascosto
    expected, expected_weights = module(t, t, t, attn_mask=hidden, average_attn_weights=False)
    expected = expected if batch_first else expected.transpose(0, 1)
    layer = MultiHeadAttention.from_torch(module, pattern=Causal()) if causal else MultiHeadAttention.from_torch(module)
    torch.testing.assert_close(layer(x), expected, **TIGHT)
    torch.testing.assert_close(layer.weights(x), expected_weights, **TIGHT)

    direction = random(21, B, T, D)
    grad = lambda output, *inputs: torch.autograd.grad(output, inputs, direction, retain_graph=True)
    torch.testing.assert_close(grad(layer(x), x), grad(expected, x), **LOOSE)
    ours = grad(layer(x), layer.Wq.weight, layer.Wk.weight, layer.Wv.weight, layer.Wo.weight)
    in_proj, out_proj = grad(expected, module.in_proj_weight, module.out_proj.weight)
    torch.testing.assert_close(torch.cat(ours[:3]), in_proj, **LOOSE)
    torch.testing.assert_close(ours[3], out_proj, **LOOSE)
    if bias:
        ours = grad(layer(x), layer.Wq.bias, layer.Wk.bias, layer.Wv.bias, layer.Wo.bias)
        in_proj, out_proj = grad(expected, module.in_proj_bias, module.out_proj.bias)
        torch.testing.assert_close(torch.cat(ours[:3]), in_proj, **LOOSE)
        torch.testing.assert_close(ours[3], out_proj, **LOOSE)


def test_from_torch_copies():
    module = torch.nn.MultiheadAttention(6, 2).eval()
    layer = MultiHeadAttention.from_torch(module)
    before = layer.Wq.weight.clone()
    module.in_proj_weight.data.zero_()
    assert torch.equal(layer.Wq.weight, before) and before.abs().sum() > 0
    assert layer.Wo.weight.dtype == torch.float32 and not layer.training and layer.Wo.weight.requires_grad


@pytest.mark.parametrize("options, message", [
    (dict(dropout=0.1), "dropout=0.1"), (dict(add_bias_kv=True), "add_bias_kv=True"), (dict(add_zero_attn=True), "add_zero_attn=True"),
    (dict(kdim=5), "key e value larghi 6, ho trovato kdim=5 e vdim=6"),
])
def test_from_torch_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention.from_torch(torch.nn.MultiheadAttention(6, 2, **options))
    with pytest.raises(ValueError, match="ho trovato Linear"):
        MultiHeadAttention.from_torch(torch.nn.Linear(6, 6))


@settings(deadline=None)
@given(st.integers(1, 8), st.sampled_from([1, 2, 4]), st.integers(0, 2 ** 31))
def test_no_gradient_reaches_the_future(T, n_kv_heads, seed):
    layer, x = layer_of(8, 8, 4, n_kv_heads), random(seed, 2, T, 8, requires_grad=True)
    output = layer(x)
    for i in range(T):
        gradient, = torch.autograd.grad(output[:, i].pow(2).sum(), x, retain_graph=True)
        assert (gradient[:, i + 1:] == 0).all() and (gradient[:, :i + 1].abs().sum(-1) > 0).all()


@settings(deadline=None)
@given(st.permutations(range(6)), st.integers(1, 7), st.integers(0, 2 ** 31))
def test_tokens_without_a_mask_do_not_know_their_order(order, T, seed):
    layer, x = layer_of(9, 6, 3, pattern=Full()), random(seed, 2, 6, 6)
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order], **TIGHT)
    torch.testing.assert_close(layer(x[:1]), layer(x)[:1], **TIGHT)        # né le frasi sanno l'una dell'altra


@settings(deadline=None)
@given(st.permutations(range(4)), st.integers(1, 9), st.integers(0, 2 ** 31))
def test_heads_may_be_shuffled_with_their_rows_of_wo(order, T, seed):
    layer, shuffled, x = layer_of(30, 10, 4, head_dim=3), layer_of(31, 10, 4, head_dim=3), random(seed, 2, T, 10)
    with torch.no_grad():
        for name in ("Wq", "Wk", "Wv"):
            rows = getattr(layer, name).weight.unflatten(0, (4, 3))        # (Hq, Dh, D)
            getattr(shuffled, name).weight.copy_(rows[list(order)].flatten(0, 1))
        columns = layer.Wo.weight.unflatten(1, (4, 3))                     # (D, Hq, Dh)
        shuffled.Wo.weight.copy_(columns[:, list(order)].flatten(1))
    torch.testing.assert_close(shuffled(x), layer(x), **TIGHT)
    torch.testing.assert_close(shuffled.weights(x), layer.weights(x)[:, list(order)], **TIGHT)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 8), st.sampled_from([1, 2, 4]), st.integers(0, 2 ** 31))
def test_sentences_of_a_batch_do_not_see_each_other(B, T, n_kv_heads, seed):
    layer, x = layer_of(32, 8, 4, n_kv_heads), random(seed, B, T, 8, requires_grad=True)
    output = layer(x)
    for b in range(B):
        torch.testing.assert_close(output[b:b + 1], layer(x[b:b + 1]), **TIGHT)
        gradient, = torch.autograd.grad(output[b].pow(2).sum(), x, retain_graph=True)
        assert all((gradient[other] == 0).all() for other in range(B) if other != b)


# tagli ----------------------------------------------------------------------------------------------

def with_a_mask(layer, x, mask):
    """L'uscita del layer con una maschera per head, per esteso."""
    q, k, v = (m(x).unflatten(-1, (-1, layer.head_dim)).transpose(1, 2) for m in (layer.Wq, layer.Wk, layer.Wv))
    group = layer.n_heads // layer.n_kv_heads
    heads = F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), attn_mask=mask)
    return heads, layer.Wo(heads.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("pattern", [Full(), Causal()])
def test_cut_edges(pattern):
    layer, x = layer_of(10, 12, 6, 3, bias=True, pattern=pattern), random(11, 2, 5, 12)
    mask = pattern.mask(5).repeat(6, 1, 1)
    before = layer(x)
    edges = [(0, 4, 1), (5, 3, 3), (5, 3, 0)]
    for head, i, j in edges:
        mask[head, i, j] = False
    with layer.cut(edges=edges):
        output, weights = layer(x), layer.weights(x)
    torch.testing.assert_close(output, with_a_mask(layer, x, mask)[1], **TIGHT)
    assert all((weights[:, h, i, j] == 0).all() for h, i, j in edges)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6, 5, dtype=torch.float64), **TIGHT)
    changed = (output != before).any(-1).any(0)
    assert changed[[3, 4]].all() and torch.allclose(output[:, :3], before[:, :3], rtol=1e-12, atol=1e-12)
    assert torch.equal(layer(x), before)


def test_cut_heads():
    layer, x = layer_of(12, 12, 6, 2, bias=True), random(13, 2, 5, 12)
    heads, _ = with_a_mask(layer, x, Causal().mask(5))
    with layer.cut(heads=[1, 4]):
        output = layer(x)
    contributions = [heads[:, h] @ layer.Wo.weight[:, 2 * h:2 * h + 2].T for h in range(6)]      # (B, T, D) ciascuno
    torch.testing.assert_close(output, sum(contributions[h] for h in (0, 2, 3, 5)) + layer.Wo.bias, **TIGHT)
    with layer.cut(heads=range(6)):
        assert torch.equal(layer(x), layer.Wo.bias.expand(2, 5, 12))


def test_a_row_with_every_edge_cut_takes_nothing():
    layer, x = layer_of(14, 6, 2), random(15, 1, 3, 6, requires_grad=True)
    with layer.cut(edges=[(0, 0, 0), (1, 0, 0)]):
        output = layer(x)
    assert (output[:, 0] == 0).all() and (output[:, 1:] != 0).all()
    assert torch.autograd.grad(output.sum(), x)[0].isfinite().all()


def test_cuts_add_up_and_end_even_after_an_error():
    layer, x = layer_of(16, 6, 3), random(17, 2, 5, 6)
    before = layer(x)
    with layer.cut(edges=[(0, 4, 1)]):
        one = layer(x)
        with layer.cut(edges=[(0, 4, 1), (1, 4, 2)], heads=[2]):
            both = layer(x)
        assert torch.equal(layer(x), one)
    with layer.cut(edges=[(1, 4, 2), (0, 4, 1)], heads=[2]):
        assert torch.equal(layer(x), both)
    assert not torch.equal(one, both) and not torch.equal(one, before)
    with pytest.raises(RuntimeError, match="a metà"), layer.cut(heads=[0]):
        raise RuntimeError("a metà")
    assert torch.equal(layer(x), before)


@pytest.mark.parametrize("cut, message", [
    (dict(edges=[(3, 1, 0)]), r"head da 0 a 2, ho trovato \(3, 1, 0\)"), (dict(edges=[(0, -1, 0)]), r"ho trovato \(0, -1, 0\)"),
    (dict(edges=[(4, 1)]), r"terne \(head, i, j\) .* ho trovato \(4, 1\)"), (dict(heads=[3]), "indici da 0 a 2, ho trovato 3"),
    (dict(heads=[-1]), "ho trovato -1"), (dict(edges=[(0, 1, 2)]), r"l'arco \(head=0, i=1, j=2\) non c'è, con Causal\(\) e T=5"),
    (dict(edges=[(0, 5, 2)]), r"l'arco \(head=0, i=5, j=2\) non c'è"),
])
def test_wrong_cuts(cut, message):
    layer = layer_of(18, 6, 3)
    with pytest.raises(ValueError, match=message):
        with layer.cut(**cut):
            layer(random(19, 1, 5, 6))


# errori ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, options, message", [
    ((7, 3), {}, "d_model=7 non è divisibile per n_heads=3"), ((12, 6, 4), {}, "n_heads=6 non è divisibile per n_kv_heads=4"),
    ((0, 1), {}, "d_model: mi aspettavo un intero maggiore di zero, ho trovato 0"), ((4, 2, 0), {}, "n_kv_heads: .* ho trovato 0"),
    ((4, 2), dict(head_dim=1.5), "head_dim: mi aspettavo un intero, ho trovato 1.5"), ((4, 2), dict(pattern="causal"), "ho trovato 'causal'"),
])
def test_wrong_layers(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(*arguments, **options)


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 5), (1, 1, 3, 4), (1, 0, 4), (0, 3, 4)])
def test_wrong_inputs(shape):
    with pytest.raises(ValueError, match=r"x: mi aspettavo shape \(B, T, 4\) senza assi vuoti, ho trovato \("):
        MultiHeadAttention(4, 2)(torch.zeros(shape))


@pytest.mark.parametrize("x, message", [
    (torch.zeros(1, 3, 4, dtype=torch.float64), "stesso dtype: ho trovato torch.float64 e torch.float32"),
    (torch.zeros(1, 3, 4, dtype=torch.long), "ho trovato torch.int64 e torch.float32"),
    (torch.zeros(1, 3, 4, device="meta"), "stesso device: ho trovato meta e cpu"), ([[[0.0] * 4]], "un tensore torch, ho trovato list"),
])
def test_inputs_of_another_kind(x, message):
    for call in (MultiHeadAttention(4, 2), MultiHeadAttention(4, 2).weights):
        with pytest.raises(ValueError, match=message):
            call(x)


def test_the_layer_says_its_shape():
    assert "8, n_heads=4, n_kv_heads=2, head_dim=2, pattern=Causal()" in repr(MultiHeadAttention(8, 4, 2))
    assert "8, eps=1e-05" in repr(RMSNorm(8))


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool])
def test_rms_norm_refuses_what_it_would_truncate(dtype):
    with pytest.raises(ValueError, match=f"x: mi aspettavo numeri reali, ho trovato elementi {dtype}"):
        RMSNorm(4)(torch.tensor([1, 2, 3, 4]).to(dtype))


@pytest.mark.parametrize("eps", [-1, float("nan"), "a", True])
def test_rms_norm_wants_a_positive_eps(eps):
    with pytest.raises(ValueError, match="eps: mi aspettavo un numero positivo"):
        RMSNorm(4, eps)


@pytest.mark.parametrize("cut", [{"edges": (0, 3, 1)}, {"heads": 1}, {"heads": [0.5]}, {"edges": [(0, 1.5, 1)]}])
def test_a_cut_written_badly_is_explained(cut):
    layer = MultiHeadAttention(8, 2)
    with pytest.raises(ValueError, match=r"Mi aspettavo edges come \[\(head, i, j\), …\]"), layer.cut(**cut):
        pass
