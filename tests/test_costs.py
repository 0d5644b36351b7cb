"""I conti contro i numeri pubblicati, e contro modelli costruiti davvero."""

from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from torch.utils.flop_counter import FlopCounterMode

from attnkit.attention import fuso
from attnkit.config import LLAMA_3_1_8B, LLAMA_3_1_70B, LLAMA_3_1_405B, MLA, MODELS, Experts, LlamaConfig, ModelConfig
from attnkit.costs import forward_flops, kv_cache_bytes, parameters, training_flops, weight_bytes
from attnkit.layers import KVCache, MultiHeadAttention
from attnkit.llama import Llama

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


# I modelli aperti -------------------------------------------------------------------------------------

ARCHITECTURES = {                                             # il modello, la configurazione e la classe di transformers
    "Llama": ("LlamaConfig", "LlamaForCausalLM"), "Mistral": ("MistralConfig", "MistralForCausalLM"), "Gemma": ("GemmaConfig", "GemmaForCausalLM"),
    "Gemma 2 27B": ("Gemma2Config", "Gemma2ForCausalLM"), "Gemma 3 27B": ("Gemma3TextConfig", "Gemma3ForCausalLM"), "Qwen2.5": ("Qwen2Config", "Qwen2ForCausalLM"),
    "Qwen3": ("Qwen3Config", "Qwen3ForCausalLM"), "Olmo": ("Olmo3Config", "Olmo3ForCausalLM"), "gpt-oss": ("GptOssConfig", "GptOssForCausalLM"),
    "DeepSeek-V3": ("DeepseekV3Config", "DeepseekV3ForCausalLM")}


def published(name):
    """La configurazione di `transformers` con le misure di `MODELS`, e la classe del modello."""
    transformers = pytest.importorskip("transformers", reason="serve transformers: è fra le dipendenze delle prove")
    config, mla, e = MODELS[name], MODELS[name].mla, MODELS[name].experts
    options = {"hidden_size": config.d_model, "num_hidden_layers": config.n_layers, "num_attention_heads": config.n_heads, "vocab_size": config.vocabulary,
               "num_key_value_heads": config.n_kv_heads or config.n_heads, "intermediate_size": config.d_ff or e.d_ff, "tie_word_embeddings": config.tied}
    if mla:
        options |= {"q_lora_rank": mla.q_rank, "kv_lora_rank": mla.kv_rank, "qk_nope_head_dim": mla.nope_dim, "qk_rope_head_dim": mla.rope_dim, "v_head_dim": mla.v_dim,
                    "moe_intermediate_size": e.d_ff, "n_routed_experts": e.total, "num_experts_per_tok": e.active, "n_shared_experts": e.shared, "first_k_dense_replace": e.dense_layers}
    else:
        options["head_dim"] = config.head_dim
        options |= {"num_local_experts": e.total, "num_experts_per_tok": e.active} if e else {}
    kind = ARCHITECTURES[max((prefix for prefix in ARCHITECTURES if name.startswith(prefix)), key=len)]
    return getattr(transformers, kind[0])(**options), getattr(transformers, kind[1])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_the_parameters_of_transformers(name):
    config, kind = published(name)
    with torch.device("meta"):
        model = kind(config)
    found = sum(p.numel() for p in model.parameters())
    found += sum(b.numel() for where, b in model.named_buffers() if where.endswith("e_score_correction_bias"))       # il bias di chi sceglie
    assert parameters(MODELS[name]) == found


@pytest.mark.parametrize("name, total", [
    ("Mistral 7B v0.1", 7_241_732_096), ("Qwen3 8B", 8_190_735_360), ("Qwen3 32B", 32_762_123_264), ("Qwen2.5 7B", 7_615_616_512), ("Llama 2 7B", 6_738_415_616),
    ("Gemma 2 27B", 26_047_480_320 + 1_180_237_824)])
def test_the_published_totals(name, total):
    assert parameters(MODELS[name]) == total


@pytest.mark.parametrize("name, total, active", [("gpt-oss 20B", 20.91, 3.61), ("gpt-oss 120B", 116.83, 5.13), ("DeepSeek-V3", 671.03, 36.63)])
def test_a_token_uses_few_experts(name, total, active):
    assert (round(parameters(MODELS[name]) / 1e9, 2), round(parameters(MODELS[name], active=True) / 1e9, 2)) == (total, active)


def test_active_parameters_leave_out_the_input_embeddings():
    assert parameters(LLAMA_3_1_8B) - parameters(LLAMA_3_1_8B, active=True) == 128256 * 4096
    assert parameters(MODELS["Gemma 2B"]) == parameters(MODELS["Gemma 2B"], active=True)           # lì sono anche la matrice dei logit


@pytest.mark.parametrize("size, config", [("8B", LLAMA_3_1_8B), ("70B", LLAMA_3_1_70B), ("405B", LLAMA_3_1_405B)])
def test_both_configurations_of_llama_count_the_same(size, config):
    for count in (parameters, lambda c: forward_flops(c, 1000, batch=2), lambda c: kv_cache_bytes(c, 1000), weight_bytes):
        assert count(config) == count(MODELS[f"Llama 3.1 {size}"])
    assert weight_bytes(config) == 2 * parameters(config)


@pytest.mark.parametrize("name, kib, whole, gib", [
    ("Gemma 3 27B", 496, 62, 10.41), ("gpt-oss 120B", 72, 9, 4.50), ("gpt-oss 20B", 48, 6, 3.00), ("Gemma 2 27B", 368, 46, 23.72), ("Olmo 3 32B", 256, 32, 8.75),
    ("Mistral 7B v0.1", 128, 16, 0.5), ("Gemma 2B", 18, 2.25, 2.25), ("Llama 2 7B", 512, 64, 64), ("Qwen3 8B", 144, 18, 18), ("Qwen3 32B", 256, 32, 32),
    ("Qwen2.5 7B", 56, 7, 7), ("DeepSeek-V3", 68.625, 8.578125, 8.58)])
def test_the_cache_with_and_without_windows(name, kib, whole, gib):
    """Byte di un token; cache di 131.072 token se ogni layer vedesse tutto, e com'è."""
    config = MODELS[name]
    assert kv_cache_bytes(config, 1) == kib * 1024
    assert kv_cache_bytes(replace(config, cycle="G", window=None), 131_072) == whole * 2 ** 30
    assert round(kv_cache_bytes(config, 131_072) / 2 ** 30, 2) == gib


def test_the_layers_and_the_kind_of_attention():
    assert {name: c.attention for name, c in MODELS.items() if c.attention != "GQA"} == {"Llama 2 7B": "MHA", "Gemma 2B": "MQA", "DeepSeek-V3": "MLA"}
    assert {name: c.local_layers for name, c in MODELS.items() if c.local_layers} == {
        "Mistral 7B v0.1": 32, "Gemma 2 27B": 23, "Gemma 3 27B": 52, "Olmo 3 32B": 48, "gpt-oss 20B": 12, "gpt-oss 120B": 18}


# I FLOP -----------------------------------------------------------------------------------------------

TINY = LlamaConfig(d_model=24, n_layers=3, n_heads=6, n_kv_heads=2, d_ff=20, vocabulary=17, context=64, head_dim=6)


@torch.no_grad()
def test_the_flops_of_a_real_model_one_token_at_a_time(monkeypatch):
    """Così ogni query incontra solo le key che vede, e il contatore di torch conta quelle."""
    monkeypatch.setattr(fuso, "SMALL", 0)                                  # due prodotti fra matrici: il kernel fuso non si conta
    model, tokens = Llama(TINY), torch.randint(0, 17, (2, 23))
    caches = model.new_caches()
    with FlopCounterMode(display=False) as counter:
        for token in tokens.split(1, dim=1):
            model(token, caches)
    assert counter.get_total_flops() == forward_flops(TINY, 23, batch=2)


def test_the_flops_of_a_real_step_of_training():
    """Dei prodotti con i pesi: quelli dell'attenzione, nel kernel fuso, il contatore non li vede o li conta pieni."""
    model, tokens = Llama(TINY), torch.randint(0, 17, (2, 23))
    with FlopCounterMode(display=False) as counter:
        model(tokens).sum().backward()
    attention = 3 * 2 * TINY.n_layers * TINY.n_heads * 4 * TINY.head_dim * (23 * 24 // 2)
    assert counter.get_flop_counts()["Global"][torch.ops.aten.mm] == training_flops(TINY, 23, batch=2) - attention


def last_token(config, n):
    """I FLOP di una query in più dopo n − 1 token, e quelli di loro che sono attenzione."""
    step = forward_flops(config, n) - forward_flops(config, n - 1)
    return step, 4 * config.n_layers * config.n_heads * config.head_dim * n


@pytest.mark.parametrize("n, share, average", [(1024, 3.5, 1.8), (8192, 22.2, 12.5), (32768, 53.4, 36.4), (131072, 82.1, 69.6)])
def test_the_share_of_attention_in_the_8b(n, share, average):
    step, attention = last_token(LLAMA_3_1_8B, n)
    assert attention == 524_288 * n and round(100 * attention / step, 1) == share
    assert round(100 - 100 * (step - attention) * n / forward_flops(LLAMA_3_1_8B, n), 1) == average


@pytest.mark.parametrize("config, gigaflops", [(LLAMA_3_1_8B, 15.01), (LLAMA_3_1_70B, 139.0), (LLAMA_3_1_405B, 807.5)])
def test_the_linear_part(config, gigaflops):
    step, attention = last_token(config, 1000)
    assert step - attention == pytest.approx(gigaflops * 1e9, rel=5e-4)


def test_training_the_405b():
    """Il paper dice 3,8e25 FLOP per 15,6e12 token: 6·N·T, e l'attenzione fa poco di più."""
    tokens = 15.6e12
    assert 6 * parameters(LLAMA_3_1_405B) * tokens == pytest.approx(3.8e25, rel=0.01)
    assert training_flops(LLAMA_3_1_405B, 8192) / 8192 * tokens == pytest.approx(3.94e25, rel=0.01)
    assert training_flops(LLAMA_3_1_405B, 100, batch=3) == 9 * forward_flops(LLAMA_3_1_405B, 100)


def test_a_window_pays_for_what_it_sees():
    config = ModelConfig("prova", 5, 24, 6, 2, 5, 20, 17, window=4, cycle="LLG")
    assert config.local_layers == 4
    pairs = 11 * 12 // 2 + 4 * sum(min(t + 1, 4) for t in range(11))
    whole = replace(config, cycle="G", window=None)
    assert forward_flops(whole, 11) - forward_flops(config, 11) == 4 * 6 * 5 * (5 * 11 * 12 // 2 - pairs)


@pytest.mark.parametrize("wrong, message", [
    (lambda: replace(MODELS["Gemma 2 27B"], cycle="LX"), "cycle: mi aspettavo L e G, .* ho trovato 'LX'"), (lambda: replace(MODELS["Qwen3 8B"], window=5), "window=5"),
    (lambda: replace(MODELS["Qwen3 8B"], qk_norm="tutte"), "qk_norm: .* ho trovato 'tutte'"), (lambda: replace(MODELS["Qwen3 8B"], mla=(1, 2)), "mla: mi aspettavo MLA o None"),
    (lambda: replace(MODELS["Qwen3 8B"], experts=8), "experts: mi aspettavo Experts o None, ho trovato 8"), (lambda: replace(MODELS["Qwen3 8B"], n_kv_heads=5), "n_heads=32 non è divisibile per n_kv_heads=5"),
    (lambda: replace(MODELS["Qwen3 8B"], d_ff=None), "d_ff: .* ho trovato None"), (lambda: Experts(4, 5, 1), "active=5 supera total=4"), (lambda: MLA(1, 2, 0, 4, 5), "nope_dim: .* ho trovato 0"),
    (lambda: parameters("8B"), "una LlamaConfig o una ModelConfig, ho trovato str"), (lambda: forward_flops(LLAMA_3_1_8B, 0), "tokens: .* ho trovato 0"),
])
def test_wrong_models(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.parametrize("config, attention, feed_forward, norms, layer, embeddings", [
    (LLAMA_3_1_8B, 41_943_040, 176_160_768, 8_192, 218_112_000, 1_050_673_152),
    (LLAMA_3_1_70B, 150_994_944, 704_643_072, 16_384, 855_654_400, 2_101_346_304),
    (LLAMA_3_1_405B, 570_425_344, 2_617_245_696, 32_768, 3_187_703_808, 4_202_692_608)])
def test_the_parts_of_a_llama_one_matrix_at_a_time(config, attention, feed_forward, norms, layer, embeddings):
    with torch.device("meta"):                                 # intero, senza occupare memoria
        block = Llama(replace(config, n_layers=1)).blocks[0]

    def numbers(*parts):
        return sum(p.numel() for part in parts for p in part.parameters())

    assert (numbers(block.attention), numbers(block.feed_forward)) == (attention, feed_forward)
    assert numbers(block.attention_norm, block.feed_forward_norm) == norms and numbers(block) == layer
    assert config.n_layers * layer + embeddings + config.d_model == parameters(config)


def test_the_405b_with_its_key_heads_published_twice():
    assert parameters(replace(LLAMA_3_1_405B, n_kv_heads=16)) == 410_081_247_232


@pytest.mark.parametrize("changes, words", [
    ({"qkv_bias": 2}, "qkv_bias: mi aspettavo True o False, ho trovato 2"),
    ({"tied": "sì"}, "tied: mi aspettavo True o False, ho trovato 'sì'"),
    ({"sinks": 1}, "sinks: mi aspettavo True o False, ho trovato 1"),
    ({"experts": Experts(4, 2, 8, dense_layers=99)}, "dense_layers=99 supera n_layers="),
])
def test_measures_without_sense_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(MODELS["Llama 3.1 8B"], **changes)
