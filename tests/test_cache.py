"""La KV cache: generare un pezzo alla volta dà ciò che darebbe la frase intera, e nulla si copia due volte."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnkit.attention import Causal, Fixed, Full, Strided, Window
from attnkit.layers import KVCache, MultiHeadAttention, group_kv_heads

TIGHT = {"rtol": 1e-12, "atol": 1e-12}


def layer_of(n_kv_heads, pattern=Causal(), dtype=torch.float64, **options):
    torch.manual_seed(n_kv_heads)
    return MultiHeadAttention(10, 6, n_kv_heads, head_dim=5, pattern=pattern, **options).to(dtype)


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def in_pieces(layer, x, sizes, cache):
    """La frase, un pezzo alla volta."""
    assert sum(sizes) == x.shape[1]
    return torch.cat([layer(piece, cache) for piece in x.split(sizes, dim=1)], dim=1)


# Un pezzo alla volta, come tutto insieme ------------------------------------------------------------

@pytest.mark.parametrize("n_kv_heads", [1, 2, 3, 6])
@pytest.mark.parametrize("sizes", [[1] * 23, [23], [7, 1, 1, 1, 13], [1, 22], [5, 5, 5, 5, 3]])
@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("bias", [False, True])
@torch.no_grad()
def test_pieces_are_the_whole(n_kv_heads, sizes, B, bias):
    layer, x, cache = layer_of(n_kv_heads, bias=bias), random(B, 23, 10), KVCache()
    torch.testing.assert_close(in_pieces(layer, x, sizes, cache), layer(x), **TIGHT)
    assert cache.length == cache.kept == 23


@pytest.mark.parametrize("n_kv_heads", [1, 2, 6])
@torch.no_grad()
def test_in_float32_within_one_in_a_hundred_thousand(n_kv_heads):
    layer, x = layer_of(n_kv_heads, dtype=torch.float32), random(2, 200, 10, dtype=torch.float32)
    torch.testing.assert_close(in_pieces(layer, x, [60, *[1] * 140], KVCache()), layer(x), rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(st.sampled_from([1, 2, 6]), st.lists(st.integers(1, 9), min_size=1, max_size=8), st.sampled_from([None, 1, 3, 8]), st.booleans())
def test_any_pieces_any_window_with_and_without_gradients(n_kv_heads, sizes, window, grad):
    pattern = Causal() if window is None else Window(window)
    layer, x = layer_of(n_kv_heads, pattern), random(2, sum(sizes), 10)
    with torch.set_grad_enabled(grad):
        pieces, whole = in_pieces(layer, x, sizes, KVCache()), layer(x)
        torch.testing.assert_close(pieces, whole, **TIGHT)
        if grad:
            parameters = list(layer.parameters())
            for ours, theirs in zip(torch.autograd.grad(pieces.pow(2).sum(), parameters), torch.autograd.grad(whole.pow(2).sum(), parameters)):
                torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_a_cache_filled_with_gradients_can_go_on_without():
    layer, x, cache = layer_of(2), random(1, 9, 10), KVCache()
    first = layer(x[:, :6], cache)
    with torch.no_grad():
        rest = in_pieces(layer, x[:, 6:], [1, 1, 1], cache)
    torch.testing.assert_close(rest, layer(x)[:, 6:].detach(), **TIGHT)
    torch.autograd.grad(first.sum(), layer.Wk.weight)                      # il grafo di prima è ancora intero


@pytest.mark.parametrize("pattern", [Causal(), Window(3), Window(2, sinks=2), Fixed(3), Strided(2)], ids=str)
def test_frozen_keys_leave_gradients_to_the_queries(pattern):
    """Con Wk e Wv congelati key e value non hanno gradiente, ma le query sì: nulla si scrive sopra ciò che hanno visto."""
    layer, x = layer_of(2, pattern), random(2, 40, 10)
    layer.Wk.requires_grad_(False), layer.Wv.requires_grad_(False)
    trained = [layer.Wq.weight, layer.Wo.weight]
    cache, expected = KVCache(), layer(x)
    pieces = in_pieces(layer, x[:, :38], [5] + [1] * 33, cache)
    with torch.no_grad():
        rest = in_pieces(layer, x[:, 38:], [1, 1], cache)                  # nemmeno dopo, senza gradienti
    torch.testing.assert_close(torch.cat([pieces, rest], 1), expected, **TIGHT)
    for ours, theirs in zip(torch.autograd.grad(pieces.pow(2).sum(), trained), torch.autograd.grad(expected[:, :38].pow(2).sum(), trained)):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_a_cut_head_is_cut_with_a_cache_too():
    layer, x = layer_of(3), random(1, 7, 10)
    with layer.cut(heads=[1, 4]):
        torch.testing.assert_close(in_pieces(layer, x, [3, 1, 1, 1, 1], KVCache()), layer(x), **TIGHT)


@torch.no_grad()
def test_what_was_read_is_really_the_cache():
    layer, x, cache = layer_of(2), random(1, 6, 10), KVCache()
    layer(x[:, :5], cache)
    right = layer(x[:, 5:], cache)
    cache._k.zero_()
    assert not torch.allclose(layer(x[:, 5:], cache), right)


# La memoria -----------------------------------------------------------------------------------------

@torch.no_grad()
def test_the_memory_doubles_and_keeps_what_it_holds():
    cache, capacities, k = KVCache(), [], random(1, 2, 100, 3)
    for t in range(100):
        keys, values = cache.append(k[:, :, t:t + 1], 2 * k[:, :, t:t + 1])
        capacities.append(cache._k.shape[2])
        assert torch.equal(keys, k[:, :, :t + 1]) and torch.equal(values, 2 * k[:, :, :t + 1])
    assert sorted(set(capacities)) == [16, 32, 64, 128]
    assert cache.nbytes == 2 * 1 * 2 * 100 * 3 * 8


@torch.no_grad()
def test_a_step_writes_in_place():
    cache, k = KVCache(), random(1, 2, 40, 3)
    cache.append(k[:, :, :20], k[:, :, :20])
    cache.append(k[:, :, :1], k[:, :, :1])                                 # qui raddoppia
    where = cache._k.data_ptr()
    for _ in range(15):
        keys, _ = cache.append(k[:, :, :1], k[:, :, :1])
    assert cache._k.data_ptr() == where == keys.data_ptr()


@pytest.mark.parametrize("window", [1, 2, 7])
@torch.no_grad()
def test_a_window_keeps_only_itself(window):
    layer, x, cache = layer_of(2, Window(window)), random(1, 400, 10), KVCache()
    whole, biggest = layer(x), 0
    for t in range(400):
        torch.testing.assert_close(layer(x[:, t:t + 1], cache), whole[:, t:t + 1], **TIGHT)
        biggest = max(biggest, cache._k.shape[2])
        assert cache.kept == min(t + 1, window)
    assert cache.length == 400 and biggest <= max(16, 4 * window)


@torch.no_grad()
def test_a_window_fits_in_a_small_maximum():
    layer, x, cache = layer_of(2, Window(5)), random(1, 60, 10), KVCache(max_tokens=5)
    torch.testing.assert_close(in_pieces(layer, x, [1] * 60, cache), layer(x), **TIGHT)
    assert cache._k.shape[2] == 5


@torch.no_grad()
def test_the_maximum_is_a_maximum():
    cache, k = KVCache(max_tokens=20), random(1, 2, 30, 3)
    cache.append(k[:, :, :17], k[:, :, :17])
    cache.append(k[:, :, :3], k[:, :, :3])
    assert cache._k.shape[2] == 20
    with pytest.raises(ValueError, match="al più max_tokens=20 token: ne ha 20, e ne arrivano 1"):
        cache.append(k[:, :, :1], k[:, :, :1])
    assert cache.length == cache.kept == 20                                # il rifiuto non ha toccato nulla


# Errori ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change, message", [
    (lambda k: torch.cat([k, k]), "Il batch dei token nuovi e quello nella cache devono essere uguali: ho trovato 4 e 2"),
    (lambda k: k[:, :1], "Le head di key .* ho trovato 1 e 3"), (lambda k: k[..., :4], "La larghezza delle key .* ho trovato 4 e 5"),
    (lambda k: k.float(), "stesso dtype: ho trovato torch.float32 e torch.float64"), (lambda k: k.to("meta"), "stesso device: ho trovato meta e cpu"),
    (lambda k: k[0], r"shape \(B, Hkv, T, Dh\), ho trovato \(3, 2, 5\)"),
])
def test_what_does_not_belong_is_refused(change, message):
    cache, k = KVCache(), random(2, 3, 2, 5)
    cache.append(k, k)
    with pytest.raises(ValueError, match=message):
        cache.append(change(k), change(k))
    assert cache.length == 2


def test_a_value_of_another_kind_is_not_cast():
    cache, k = KVCache(), random(1, 2, 3, 5)
    with pytest.raises(ValueError, match="k e v devono avere lo stesso dtype: ho trovato torch.float64 e torch.float32"):
        cache.append(k, k.float())
    assert cache.length == 0


@torch.no_grad()
def test_a_refusal_does_not_move_the_window():
    cache, k = KVCache(max_tokens=6), random(1, 2, 9, 5)
    cache.append(k[:, :, :5], k[:, :, :5], reach=3)
    with pytest.raises(ValueError, match="ne ha 2, e ne arrivano 5"):
        cache.append(k[:, :, :5], k[:, :, :5], reach=3)
    assert cache.kept == cache.length == 5


def test_a_cache_serves_one_layer():
    first, second, cache, x = layer_of(2), layer_of(2), KVCache(), random(1, 3, 10)
    first(x, cache)
    with pytest.raises(ValueError, match="la cache di un altro layer"):
        second(x, cache)
    first(x, cache)


def test_uses_that_make_no_sense():
    x = random(1, 3, 10)
    with pytest.raises(ValueError, match=r"con Full\(\) ogni token nuovo cambierebbe"):
        layer_of(2, Full())(x, KVCache())
    layer = layer_of(2)
    with layer.cut(edges=[(0, 2, 1)]), pytest.raises(ValueError, match="si tagliano su frasi intere, e ne hai tagliati 1"):
        layer(x, KVCache())
    with pytest.raises(ValueError, match="mi aspettavo una KVCache, ho trovato list"):
        layer(x, [])
    with pytest.raises(ValueError, match="max_tokens: mi aspettavo un intero maggiore di zero, ho trovato 0"):
        KVCache(max_tokens=0)
    assert "length=0, kept=0, max_tokens=None" in repr(KVCache()) and KVCache().nbytes == 0


# Da molte head a poche ------------------------------------------------------------------------------

@pytest.mark.parametrize("before, after", [(6, 6), (6, 3), (6, 1), (3, 1), (6, 2)])
@pytest.mark.parametrize("bias", [False, True])
def test_grouped_heads_are_the_averages(before, after, bias):
    layer, x = layer_of(before, bias=bias), random(2, 7, 10)
    grouped, size = group_kv_heads(layer, after), before // after
    assert (grouped.n_heads, grouped.n_kv_heads, grouped.head_dim) == (6, after, 5) and grouped.Wk.weight.dtype == torch.float64
    for name, h in itertools.product(("Wk", "Wv"), range(after)):
        rows = [layer.get_parameter(f"{name}.weight")[5 * j:5 * j + 5] for j in range(h * size, (h + 1) * size)]
        torch.testing.assert_close(grouped.get_parameter(f"{name}.weight")[5 * h:5 * h + 5], sum(rows) / size, **TIGHT)
    assert torch.equal(grouped.Wq.weight, layer.Wq.weight) and torch.equal(grouped.Wo.weight, layer.Wo.weight)
    assert torch.allclose(grouped(x), layer(x)) == (before == after)


def test_equal_heads_may_be_grouped_without_a_change():
    layer, x = layer_of(6), random(2, 7, 10)
    with torch.no_grad():
        for weight in (layer.Wk.weight, layer.Wv.weight):
            weight.copy_(weight.unflatten(0, (2, 3, 5))[:, :1].expand(2, 3, 5, 10).reshape(30, 10))
    torch.testing.assert_close(group_kv_heads(layer, 2)(x), layer(x), **TIGHT)
    assert not torch.allclose(group_kv_heads(layer, 3)(x), layer(x))       # gruppi che mescolano head diverse


@pytest.mark.parametrize("layer, n, message", [
    (layer_of(6), 4, "le head di key e value del layer=6 non è divisibile per n_kv_heads=4"), (layer_of(2), 6, "=2 non è divisibile per n_kv_heads=6"),
    (layer_of(6), 0, "ho trovato 0"), (torch.nn.Linear(2, 2), 1, "ho trovato Linear"),
])
def test_wrong_groups(layer, n, message):
    with pytest.raises(ValueError, match=message):
        group_kv_heads(layer, n)


def test_a_cache_born_under_inference_mode_goes_on_outside():
    torch.manual_seed(0)
    layer, x = MultiHeadAttention(8, 2), torch.randn(1, 9, 8)
    cache = KVCache()
    with torch.inference_mode():
        first = layer(x[:, :5], cache)
    with torch.no_grad():
        rest = [layer(x[:, t:t + 1], cache) for t in range(5, 9)]
        torch.testing.assert_close(torch.cat([first, *rest], dim=1), layer(x))
