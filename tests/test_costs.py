"""I conti contro i numeri pubblicati, e contro modelli costruiti davvero."""

from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from attnkit.config import LLAMA_3_1_8B, LLAMA_3_1_70B, LLAMA_3_1_405B, LlamaConfig
from attnkit.costs import kv_cache_bytes, parameters
from attnkit.layers import KVCache, MultiHeadAttention

ALL = {"8B": LLAMA_3_1_8B, "70B": LLAMA_3_1_70B, "405B": LLAMA_3_1_405B}


@pytest.mark.parametrize("name, published", [("8B", 8_030_261_248), ("70B", 70_553_706_496), ("405B", 405_853_388_800)])
def test_the_parameters_are_the_published_ones(name, published):
    assert parameters(ALL[name]) == published


@pytest.mark.parametrize("name, n_kv_heads, expected", [
    ("8B", 32, 8_835_567_616), ("8B", 1, 7_795_380_224), ("70B", 64, 79_948_947_456), ("405B", 128, 469_271_265_280)])
def test_the_parameters_of_what_was_not_built(name, n_kv_heads, expected):
    assert parameters(replace(ALL[name], n_kv_heads=n_kv_heads)) == expected


def test_tied_embeddings_are_counted_once():
    assert parameters(replace(LLAMA_3_1_8B, tied=True)) == 7_504_924_672


def test_the_attention_part_is_the_layer():
    config = LlamaConfig(d_model=24, n_layers=1, n_heads=6, n_kv_heads=2, d_ff=1, vocabulary=1, context=1, head_dim=5)
    layer = MultiHeadAttention(24, 6, 2, head_dim=5)
    others = 3 * 24 + 2 * 24 + 2 * 24 + 24                                 # feed-forward larga 1, norme, embedding e logit di un token
    assert parameters(config) - others == sum(p.numel() for p in layer.parameters())


@pytest.mark.parametrize("name, n_kv_heads, per_token", [
    ("8B", 32, 512), ("8B", 8, 128), ("8B", 1, 16), ("70B", 64, 2560), ("70B", 8, 320), ("70B", 1, 40), ("405B", 128, 8064), ("405B", 8, 504), ("405B", 1, 63)])
def test_the_cache_of_a_token_in_kib(name, n_kv_heads, per_token):
    config = replace(ALL[name], n_kv_heads=n_kv_heads)
    assert kv_cache_bytes(config, 1) == per_token * 1024
    assert kv_cache_bytes(config, config.context) == per_token * 1024 * 131_072


def test_sixteen_gib_at_full_context():
    assert kv_cache_bytes(LLAMA_3_1_8B, 131_072) == 16 * 2 ** 30 and kv_cache_bytes(LLAMA_3_1_8B, 131_072, batch=3, bytes_per_value=4) == 96 * 2 ** 30


@torch.no_grad()
def test_the_cache_counted_is_the_cache_filled():
    config = LlamaConfig(d_model=12, n_layers=3, n_heads=6, n_kv_heads=2, d_ff=7, vocabulary=9, context=50)
    caches = [KVCache() for _ in range(config.n_layers)]
    for cache in caches:
        layer = MultiHeadAttention(12, 6, 2)
        for piece in torch.randn(5, 17, 12).split([4, 12, 1], dim=1):
            layer(piece, cache)
    assert sum(cache.nbytes for cache in caches) == kv_cache_bytes(config, 17, batch=5, bytes_per_value=4)


@pytest.mark.parametrize("change, message", [
    (dict(n_heads=7), "d_model=4096 non è divisibile per n_heads=7|n_heads=7 non è divisibile per n_kv_heads=8"), (dict(n_kv_heads=5), "n_heads=32 non è divisibile per n_kv_heads=5"),
    (dict(d_ff=0), "d_ff: .* ho trovato 0"), (dict(vocabulary=1.5), "vocabulary: .* ho trovato 1.5"), (dict(head_dim=0), "head_dim: .* ho trovato 0"), (dict(tied=1), "tied: .* ho trovato 1"),
])
def test_wrong_configurations(change, message):
    with pytest.raises(ValueError, match=message):
        replace(LLAMA_3_1_8B, **change)


def test_a_configuration_does_not_change():
    with pytest.raises(FrozenInstanceError):
        LLAMA_3_1_8B.d_model = 1
    assert LLAMA_3_1_8B.head_dim == 128 and replace(LLAMA_3_1_8B, head_dim=64).head_dim == 64


@pytest.mark.parametrize("arguments, options, message", [((0,), {}, "tokens"), ((1,), dict(batch=0), "batch"), ((1,), dict(bytes_per_value=0.5), "bytes_per_value")])
def test_wrong_counts(arguments, options, message):
    with pytest.raises(ValueError, match=f"{message}: mi aspettavo un intero"):
        kv_cache_bytes(LLAMA_3_1_8B, *arguments, **options)
