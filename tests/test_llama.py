"""Il modello intero: uguale a transformers sui pesi salvati da lui, rifiuta ciò che non è suo, genera come si deve."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from attnkit.config import LLAMA_3_1_8B, LlamaConfig, RopeScaling
from attnkit.costs import parameters
from attnkit.llama import Llama, read_config

SCALED = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
KINDS = {
    "mha": {},
    "gqa": {"num_key_value_heads": 2},
    "mqa": {"num_key_value_heads": 1},
    "tied": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "riscalata": {"num_key_value_heads": 2, "rope_scaling": SCALED, "rope_theta": 500000.0},
    "head larghe": {"num_key_value_heads": 4, "head_dim": 32},
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Per ogni tipo, il modello di transformers e la cartella in cui l'ha salvato."""
    transformers = pytest.importorskip("transformers", reason="serve transformers: è fra le dipendenze delle prove")
    models = {}
    for name, options in KINDS.items():
        torch.manual_seed(len(name))
        config = transformers.LlamaConfig(**{"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 8, "intermediate_size": 96,
                                             "vocab_size": 130, "max_position_embeddings": 512} | options)
        model = transformers.LlamaForCausalLM(config).eval()
        folder = tmp_path_factory.mktemp("modelli") / name.replace(" ", "-")
        model.save_pretrained(folder, max_shard_size="100KB" if name == "gqa" else "5GB")
        models[name] = model, folder
    return models


def test_the_shards_are_many(published):
    assert len(list(published["gqa"][1].glob("*.safetensors"))) > 3


@pytest.mark.parametrize("name", KINDS)
@torch.no_grad()
def test_same_logits_and_same_text(published, name):
    theirs, folder = published[name]
    ours, tokens = Llama.from_pretrained(folder), torch.randint(0, 130, (2, 200))
    torch.testing.assert_close(ours(tokens), theirs(tokens).logits, rtol=1e-4, atol=1e-4)
    text = theirs.generate(tokens[:1, :40], max_new_tokens=30, do_sample=False, pad_token_id=0, eos_token_id=None)[0, 40:]
    assert ours.generate(tokens[0, :40], max_new_tokens=30).tolist() == text.tolist()


@torch.no_grad()
def test_cached_decoding_is_full_recomputation(published):
    model = Llama.from_pretrained(published["riscalata"][1])
    tokens, caches = torch.randint(0, 130, (2, 150)), model.new_caches()
    pieces = torch.cat([model(piece, caches) for piece in tokens.split([70, 1, 1, 77, 1], dim=1)], dim=1)
    torch.testing.assert_close(pieces, model(tokens), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(tokens, last=True), model(tokens)[:, -1:])


def test_gradients_like_transformers(published):
    theirs, folder = published["riscalata"]
    ours, tokens = Llama.from_pretrained(folder).requires_grad_(), torch.randint(0, 130, (2, 30))
    loss = theirs(tokens, labels=tokens).loss
    loss.backward()
    expected = {name: p.grad for name, p in theirs.named_parameters()}
    torch.nn.functional.cross_entropy(ours(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    torch.testing.assert_close(ours.blocks[1].attention.Wk.weight.grad, expected["model.layers.1.self_attn.k_proj.weight"], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(ours.blocks[0].feed_forward.W1.weight.grad, expected["model.layers.0.mlp.gate_proj.weight"], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(ours.embedding.weight.grad, expected["model.embed_tokens.weight"], rtol=1e-3, atol=1e-6)


# I pesi pubblicati ------------------------------------------------------------------------------------

@pytest.fixture
def copy(published, tmp_path):
    """Una copia da rovinare."""
    return shutil.copytree(published["mqa"][1], tmp_path / "copia")


def change(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("values, message", [
    ({"model_type": "gpt2"}, "model_type = 'gpt2', e qui si legge solo 'llama'"),
    ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
    ({"attention_bias": True}, "attention_bias = True"),
    ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}}, "rope_type: mi aspettavo default o llama3, ho trovato 'yarn'"),
    ({"num_key_value_heads": 3}, "n_heads=8 non è divisibile per n_kv_heads=3"),
    ({"vocab_size": 131}, r"mi aspettavo shape \(131, 64\), ho trovato \(130, 64\)"),
    ({"num_hidden_layers": 4}, "9 tensori mancano: model.layers.3"),
    ({"num_hidden_layers": 2}, "9 tensori sono di troppo: model.layers.2"),
])
def test_what_is_not_supported_is_refused_by_name(copy, values, message):
    change(copy, **values)
    with pytest.raises(ValueError, match=message):
        Llama.from_pretrained(copy)


def test_damaged_folders(copy):
    file = copy / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-100])
    with pytest.raises(ValueError, match="model.safetensors non si legge, forse è incompleto"):
        Llama.from_pretrained(copy)
    tensors = {}
    file.write_bytes(data)
    tensors = load_file(file)
    save_file({name: t for name, t in tensors.items() if "layers.1.mlp.up" not in name}, file)
    with pytest.raises(ValueError, match="1 tensori mancano: model.layers.1.mlp.up_proj.weight"):
        Llama.from_pretrained(copy)
    file.unlink()
    (copy / "pytorch_model.bin").write_bytes(b"")                         # un pickle non si apre mai
    with pytest.raises(FileNotFoundError, match="Manca il file di pesi .*model.safetensors"):
        Llama.from_pretrained(copy)
    (copy / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="Manca .*config.json"):
        Llama.from_pretrained(copy)


def test_bfloat16_is_kept(copy):
    file = copy / "model.safetensors"
    save_file({name: t.bfloat16() for name, t in load_file(file).items()}, file)
    model, tokens = Llama.from_pretrained(copy), torch.randint(0, 130, (1, 20))
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model(tokens).dtype == torch.bfloat16
    wide = Llama.from_pretrained(copy, dtype=torch.float32)
    torch.testing.assert_close(model(tokens).float(), wide(tokens), rtol=0.1, atol=0.05)


def test_the_config_of_every_kind(published):
    for name, (theirs, folder) in published.items():
        config = read_config(folder)
        assert parameters(config) == sum(p.numel() for p in theirs.parameters())
        assert config.tied == (name == "tied") and (config.rope_scaling is None) == (name != "riscalata")
    assert read_config(published["riscalata"][1]).rope_scaling == RopeScaling(original_context=64)


def test_the_whole_8b_on_the_meta_device():
    with torch.device("meta"):
        model = Llama(LLAMA_3_1_8B)
    assert sum(p.numel() for p in model.parameters()) == parameters(LLAMA_3_1_8B) == 8_030_261_248


# Scrivere ---------------------------------------------------------------------------------------------

SMALL = LlamaConfig(d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, d_ff=48, vocabulary=50, context=1200)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(3)
    return Llama(SMALL).eval()


def test_greedy_by_hand(small):
    tokens = torch.randint(0, 50, (3, 9))
    expected = tokens
    for _ in range(12):
        expected = torch.cat([expected, small(expected)[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(small.generate(tokens, max_new_tokens=12), expected[:, 9:])
    assert torch.equal(small.generate(tokens[1], max_new_tokens=12), expected[1, 9:])


def test_a_long_question_is_read_in_pieces(small):
    tokens = torch.randint(0, 50, (1, 1100))
    assert torch.equal(small.generate(tokens, max_new_tokens=1)[0], small(tokens)[:, -1].argmax(-1))


def test_sampling_is_seeded_and_follows_the_probabilities(small):
    tokens = torch.randint(0, 50, (5,))
    first, again, other = (small.generate(tokens, max_new_tokens=20, temperature=1.0, seed=s) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    many = small.generate(tokens.repeat(20000, 1), max_new_tokens=1, temperature=0.7, seed=0)[:, 0]
    found = torch.bincount(many, minlength=50) / 20000
    torch.testing.assert_close(found, (small(tokens[None])[0, -1] / 0.7).softmax(-1).detach(), rtol=0, atol=0.012)


def test_top_p_keeps_the_fewest_that_reach_it(small):
    tokens = torch.randint(0, 50, (5,))
    probabilities = small(tokens[None])[0, -1].softmax(-1).detach()
    ordered, places = probabilities.sort(descending=True)
    kept = int((ordered.cumsum(0) < 0.3).sum()) + 1
    many = small.generate(tokens.repeat(20000, 1), max_new_tokens=1, temperature=1.0, top_p=0.3, seed=0)[:, 0]
    assert set(many.tolist()) == set(places[:kept].tolist())
    found = torch.bincount(many, minlength=50)[places[:kept]] / 20000
    torch.testing.assert_close(found, ordered[:kept] / ordered[:kept].sum(), rtol=0, atol=0.015)
    assert torch.equal(small.generate(tokens, max_new_tokens=8, temperature=1.0, top_p=1e-9, seed=0), small.generate(tokens, max_new_tokens=8))


def test_stop_and_stream(small):
    tokens = torch.randint(0, 50, (2, 4))
    free = small.generate(tokens, max_new_tokens=15)
    end, seen = int(free[0, 3]), []
    stopped = small.generate(tokens, max_new_tokens=15, stop=[end], stream=lambda t: seen.append(t.clone()))
    at = [row.index(end) if end in row else 14 for row in free.tolist()]
    assert stopped.shape[1] == max(at) + 1 == len(seen)
    assert torch.equal(torch.stack(seen, 1), stopped)
    for row, expected, n in zip(stopped.tolist(), free.tolist(), at):
        assert row[:n + 1] == expected[:n + 1] and set(row[n + 1:]) <= {end}


@pytest.mark.parametrize("wrong, message", [
    (lambda m: m(torch.zeros(1, 3)), "interi torch di shape .* ho trovato torch.float32"),
    (lambda m: m(torch.tensor([[0, 50]])), "da 0 a 49, ho trovato 50"),
    (lambda m: m(torch.zeros(1, 1201, dtype=torch.long)), "al più 1200 token, ne ho trovati 1201"),
    (lambda m: m(torch.zeros(1, 2, dtype=torch.long), m.new_caches()[:1]), "una cache per layer, 2, ne ho trovate 1"),
    (lambda m: m.generate(torch.zeros(1199, dtype=torch.long), max_new_tokens=2), "1199 e 2 nuovi sono troppi"),
    (lambda m: m.generate(torch.zeros(3, dtype=torch.long), max_new_tokens=2, temperature=-1), "temperature: .* ho trovato -1"),
    (lambda m: m.generate(torch.zeros(3, dtype=torch.long), max_new_tokens=2, top_p=0), "top_p: .* ho trovato 0"),
    (lambda m: m.generate(torch.zeros(3, dtype=torch.long), max_new_tokens=0), "max_new_tokens: .* ho trovato 0"),
])
def test_bad_input(small, wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(small)
