"""Il modello intero: uguale a transformers sui pesi salvati da lui, rifiuta ciò che non è suo, genera come si deve."""

import gc
import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from attnkit.config import LLAMA_3_1_8B, LlamaConfig, RopeScaling
from attnkit.costs import parameters
from attnkit.llama import Llama, read_config
from attnkit.llama import __main__ as command
from attnkit.llama.generazione import choose

SCALED = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
CHAPTER = Path(__file__).resolve().parent.parent / "chapters" / "10-llama-3-1.ipynb"
KINDS = {
    "mha": {},
    "gqa": {"num_key_value_heads": 2},
    "mqa": {"num_key_value_heads": 1},
    "tied": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "riscalata": {"num_key_value_heads": 2, "rope_scaling": dict(SCALED), "rope_theta": 500000.0},
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


@pytest.fixture
def shards(published, tmp_path):
    """Una copia in molti file, da rovinare."""
    return shutil.copytree(published["gqa"][1], tmp_path / "copia")


def change(folder, file="config.json", without=(), **values):
    """Cambia le voci di un file JSON, e toglie quelle di `without`."""
    path = folder / file
    raw = (json.loads(path.read_text()) if path.exists() else {}) | values
    path.write_text(json.dumps({name: value for name, value in raw.items() if name not in without}))


def rewrite(folder, change, file="model.safetensors"):
    """Riscrive i pesi, cambiati da una funzione."""
    path = folder / file
    save_file(change(load_file(path)), path)


@pytest.mark.parametrize("values, message", [
    ({"model_type": "gpt2"}, "model_type = 'gpt2', e qui si legge solo 'llama'"),
    ({"model_type": None}, "model_type = None"),
    ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
    ({"attention_bias": True}, "attention_bias = True"),
    ({"rope_interleaved": True}, "rope_interleaved = True"),
    ({"mlp_bias": True}, "mlp_bias = True, e qui si legge solo False"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantization_config = {'quant_method': 'gptq'"),
    ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}}, "rope_type = 'yarn', e qui si legge solo 'default' o 'llama3'"),
    ({"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_type = 'linear'"),
    ({"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_type = 'dynamic'"),
    ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "config.json: manca low_freq_factor"),
    ({"rope_parameters": SCALED | {"factor": 0}}, "factor: mi aspettavo un numero positivo, ho trovato 0"),
    ({"rope_parameters": "default"}, "di RoPE mi aspettavo un oggetto JSON, ho trovato 'default'"),
    ({"rope_parameters": {"rope_theta": "molto"}}, "theta: mi aspettavo un numero positivo, ho trovato 'molto'"),
    ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5"),
    ({"num_key_value_heads": 3}, "n_heads=8 non è divisibile per n_kv_heads=3"),
    ({"num_key_value_heads": 0}, "n_kv_heads: .* ho trovato 0"),
    ({"hidden_size": "64"}, "d_model: mi aspettavo un intero, ho trovato '64'"),
    ({"tie_word_embeddings": "no"}, "tied: mi aspettavo True o False, ho trovato 'no'"),
    ({"eos_token_id": "fine"}, "stop: mi aspettavo un intero, ho trovato 'fine'"),
    ({"vocab_size": 131}, r"model.embed_tokens.weight: mi aspettavo shape \(131, 64\), ho trovato \(130, 64\)|lm_head.weight: .* \(131, 64\)"),
    ({"num_hidden_layers": 4}, "9 tensori mancano: model.layers.3"),
    ({"num_hidden_layers": 2}, "9 tensori sono di troppo: model.layers.2"),
])
def test_what_is_not_supported_is_refused_by_name(copy, values, message):
    (copy / "generation_config.json").unlink(missing_ok=True)
    change(copy, **values)
    with pytest.raises(ValueError, match=message):
        Llama.from_pretrained(copy)


@pytest.mark.parametrize("name", ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size", "max_position_embeddings", "rms_norm_eps"])
def test_a_missing_entry_is_named(copy, name):
    change(copy, without=[name])
    with pytest.raises(ValueError, match=f"config.json: manca {name}"):
        read_config(copy)


@pytest.mark.parametrize("text, message", [
    ('{"model_type": "llama",', "config.json non si legge"), ("[1]", "mi aspettavo un oggetto JSON, ho trovato list"), (b"\xff\xfe", "config.json non si legge")])
def test_a_broken_config(copy, text, message):
    (copy / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        Llama.from_pretrained(copy)


@torch.no_grad()
def test_old_configs(published, copy):
    """Ieri rope_theta stava da solo, il resto in rope_scaling, e molte voci non c'erano."""
    tokens, expected = torch.randint(0, 130, (1, 90)), published["mqa"][0]
    change(copy, without=["rope_parameters", "mlp_bias", "attention_bias", "tie_word_embeddings"], rope_theta=10000.0, rope_scaling=None, head_dim=None)
    config = read_config(copy)
    assert (config.rope_theta, config.rope_scaling, config.head_dim, config.tied) == (10000.0, None, 8, False)
    torch.testing.assert_close(Llama.from_pretrained(copy)(tokens), expected(tokens).logits, rtol=1e-4, atol=1e-4)
    change(copy, rope_theta=500000.0, rope_scaling=SCALED)
    config = read_config(copy)
    assert (config.rope_theta, config.rope_scaling) == (500000.0, RopeScaling(original_context=64))
    change(copy, without=["num_key_value_heads", "rope_theta"])
    assert read_config(copy).n_kv_heads == 8 and read_config(copy).rope_theta == 10000.0


@pytest.mark.parametrize("config, generation, stop", [(7, None, (7,)), ([7, 9], None, (7, 9)), (None, None, ()), (7, [8, 9], (8, 9)), (7, 0, (0,)), (None, 3, (3,))])
def test_the_tokens_that_end_a_text(copy, config, generation, stop):
    change(copy, eos_token_id=config)
    change(copy, "generation_config.json", eos_token_id=generation)
    assert read_config(copy).stop == stop
    (copy / "generation_config.json").unlink()
    assert read_config(copy).stop == (() if config is None else tuple(config) if isinstance(config, list) else (config,))


@pytest.mark.parametrize("values, error, message", [
    ({"weight_map": {"lm_head.weight": "../model.safetensors"}}, ValueError, "file safetensors di questa cartella, ho trovato '../model.safetensors'"),
    ({"weight_map": {"lm_head.weight": "/tmp/model.safetensors"}}, ValueError, "ho trovato '/tmp/model.safetensors'"),
    ({"weight_map": {"lm_head.weight": "pytorch_model.bin"}}, ValueError, "ho trovato 'pytorch_model.bin'"),
    ({"weight_map": {"lm_head.weight": 3}}, ValueError, "ho trovato '3'"),
    ({"weight_map": {"lm_head.weight": "altro.safetensors"}}, FileNotFoundError, "Manca il file di pesi .*altro.safetensors"),
    ({"weight_map": {}}, ValueError, "weight_map il file di ogni tensore, ho trovato {}"),
    ({"weight_map": ["a"]}, ValueError, r"ho trovato \['a'\]"),
])
def test_a_broken_index(shards, values, error, message):
    change(shards, "model.safetensors.index.json", **values)
    with pytest.raises(error, match=message):
        Llama.from_pretrained(shards)


def test_a_tensor_in_two_files_is_refused(shards):
    """L'indice dice un file, e un altro ne contiene una copia diversa: nessuno dei due si sceglie da sé."""
    where = json.loads((shards / "model.safetensors.index.json").read_text())["weight_map"]
    name = "model.layers.1.mlp.up_proj.weight"
    other = shards / next(file for file in sorted(set(where.values())) if file != where[name])
    tensors = load_file(other)
    other.unlink()                                             # il file vero può essere un collegamento
    save_file(tensors | {name: torch.zeros_like(load_file(shards / where[name])[name])}, other)
    with pytest.raises(ValueError, match=f"{name} sta in più di un file"):
        Llama.from_pretrained(shards)


def test_an_index_and_its_files(shards):
    index = shards / "model.safetensors.index.json"
    where = json.loads(index.read_text())["weight_map"]
    file = where["model.layers.1.mlp.up_proj.weight"]
    gone = {name for name, place in where.items() if place == file}
    change(shards, index.name, weight_map={name: place for name, place in where.items() if place != file})
    with pytest.raises(ValueError, match=f"{len(gone)} tensori mancano: {min(gone)}"):
        Llama.from_pretrained(shards)
    change(shards, index.name, weight_map=where | {"model.layers.7.mlp.up_proj.weight": file})                      # nell'indice c'è, nel file no
    with pytest.raises(ValueError, match="non contiene model.layers.7.mlp.up_proj.weight, che l'indice gli attribuisce"):
        Llama.from_pretrained(shards)
    index.write_text("{")
    with pytest.raises(ValueError, match="index.json non si legge"):
        Llama.from_pretrained(shards)
    index.unlink()
    with pytest.raises(FileNotFoundError, match="Manca il file di pesi .*model.safetensors"):
        Llama.from_pretrained(shards)


@pytest.mark.parametrize("dtype, name", [(torch.int8, "I8"), (torch.float8_e4m3fn, "F8_E4M3"), (torch.int64, "I64")])
def test_numbers_that_are_not_weights(copy, dtype, name):
    rewrite(copy, lambda tensors: tensors | {"model.norm.weight": tensors["model.norm.weight"].to(dtype)})
    with pytest.raises(ValueError, match=f"model.norm.weight: mi aspettavo numeri di tipo F64, F32, F16, BF16, ho trovato {name}"):
        Llama.from_pretrained(copy, dtype=torch.float32)


@torch.no_grad()
def test_weights_of_different_kinds(published, copy):
    rewrite(copy, lambda tensors: tensors | {"model.norm.weight": tensors["model.norm.weight"].double()})
    with pytest.raises(ValueError, match="tipi diversi, torch.float32 e torch.float64: scegline uno con dtype"):
        Llama.from_pretrained(copy)
    tokens = torch.randint(0, 130, (1, 20))
    torch.testing.assert_close(Llama.from_pretrained(copy, dtype=torch.float32)(tokens), published["mqa"][0](tokens).logits, rtol=1e-4, atol=1e-4)
    for wrong in (torch.int8, "float32"):
        with pytest.raises(ValueError, match="dtype: mi aspettavo torch.float64, .* ho trovato"):
            Llama.from_pretrained(copy, dtype=wrong)


def test_extra_tensors_and_those_that_do_not_matter(copy):
    rewrite(copy, lambda tensors: tensors | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)})         # lo salvavano le vecchie versioni
    Llama.from_pretrained(copy)
    rewrite(copy, lambda tensors: tensors | {"model.layers.0.self_attn.q_proj.bias": torch.ones(64)})
    with pytest.raises(ValueError, match="1 tensori sono di troppo: model.layers.0.self_attn.q_proj.bias"):
        Llama.from_pretrained(copy)


def test_tied_weights_are_one(published):
    model = Llama.from_pretrained(published["tied"][1])
    assert model.output.weight is model.embedding.weight and not model.training and not any(p.requires_grad for p in model.parameters())


@pytest.mark.skipif(sys.platform != "linux", reason="la mappa della memoria si legge in /proc, che c'è solo su Linux")
def test_weights_stay_on_the_disk_unless_they_change_kind(copy):
    """Gli stessi byte del file, non una copia; e chi cambia tipo non tiene il file in memoria."""
    def mapped():
        return str(copy / "model.safetensors") in Path("/proc/self/maps").read_text()
    rewrite(copy, lambda tensors: {name: t.bfloat16() for name, t in tensors.items()})
    model = Llama.from_pretrained(copy)
    assert mapped()
    del model
    gc.collect()
    model = Llama.from_pretrained(copy, dtype=torch.float32)
    assert not mapped() and {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_name_of_the_hub_is_downloaded(published, monkeypatch, tmp_path):
    calls = []

    def snapshot_download(name, *, allow_patterns):
        calls.append((name, allow_patterns))
        if name == "nessuno/nulla":
            raise OSError("404")
        return str(published["mqa"][1])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    assert Llama.from_pretrained("meta-llama/Llama-3.1-8B").config.n_kv_heads == 1
    (name, patterns), = calls
    assert name == "meta-llama/Llama-3.1-8B" and not any(fnmatch("original/consolidated.00.pth", p) or fnmatch("pytorch_model.bin", p) for p in patterns)
    for file in ("config.json", "generation_config.json", "tokenizer.json", "model.safetensors", "model-00001-of-00004.safetensors", "model.safetensors.index.json"):
        assert any(fnmatch(file, p) for p in patterns)
    with pytest.raises(FileNotFoundError, match="Non c'è la cartella nessuno/nulla, e da Hugging Face non si scarica: 404"):
        Llama.from_pretrained("nessuno/nulla")
    for path in ("nulla", "/nessuno/nulla", "./nessuno/nulla", "a/b/c", tmp_path / "nulla"):
        with pytest.raises(FileNotFoundError, match=f"^Non c'è la cartella {re.escape(str(path)).removeprefix('./')}$|^Non c'è la cartella {re.escape(str(path))}$"):
            Llama.from_pretrained(path)
    assert len(calls) == 2
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)              # come se non fosse installato
    with pytest.raises(FileNotFoundError, match="per scaricarlo serve un pacchetto: pip install huggingface_hub"):
        Llama.from_pretrained("meta-llama/Llama-3.1-8B")


def test_damaged_folders(copy):
    file = copy / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-100])
    with pytest.raises(ValueError, match="model.safetensors non si legge, forse è incompleto"):
        Llama.from_pretrained(copy)
    file.write_bytes(data)
    rewrite(copy, lambda tensors: {name: t for name, t in tensors.items() if "layers.1.mlp.up" not in name})
    with pytest.raises(ValueError, match="1 tensori mancano: model.layers.1.mlp.up_proj.weight"):
        Llama.from_pretrained(copy)
    file.unlink()
    (copy / "pytorch_model.bin").write_bytes(b"")                         # un pickle non si apre mai
    with pytest.raises(FileNotFoundError, match="Manca il file di pesi .*model.safetensors: i .bin e i .pth sono pickle"):
        Llama.from_pretrained(copy)
    (copy / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="Manca .*config.json"):
        Llama.from_pretrained(copy)


def test_bfloat16_is_kept(copy):
    rewrite(copy, lambda tensors: {name: t.bfloat16() for name, t in tensors.items()})
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


def test_without_a_stop_every_row_goes_on(small):
    tokens = torch.randint(0, 50, (3, 4))
    free = small.generate(tokens, max_new_tokens=6)
    assert torch.equal(small.generate(tokens, max_new_tokens=6, stop=[49 if 49 not in free else 50]), free)
    assert small.generate(tokens[0], max_new_tokens=6, stop=[int(free[0, 0])]).tolist() == [int(free[0, 0])]            # si ferma al primo
    assert torch.equal(small.generate(tokens.int(), max_new_tokens=6), free)


def test_choosing_by_hand():
    """Quattro probabilità, due uguali sul bordo: di quelle se ne tiene una sola, sempre la prima."""
    logits = torch.tensor([0.1, 0.3, 0.3, 0.2, 0.1]).log().repeat(3000, 1)
    generator = torch.Generator().manual_seed(0)

    def chosen(**options):
        return set(choose(logits, **{"temperature": 1.0, "generator": generator} | options).tolist())

    assert chosen(top_p=0.25) == {1} and chosen(top_p=0.55) == {1, 2} and chosen(top_p=0.75) == {1, 2, 3} and chosen(top_p=1.0) == {0, 1, 2, 3, 4}
    assert chosen(top_p=1.0, temperature=1e-20) == {1, 2}                  # quasi zero: solo i più probabili, e nessun NaN
    assert chosen(top_p=1.0, temperature=1e20) == {0, 1, 2, 3, 4}
    assert chosen(top_p=1.0, temperature=1e-50) == {1, 2} and chosen(top_p=1e-50) == {1}       # anche sotto ciò che un float32 contiene
    assert chosen(top_p=0.5, temperature=0) == {1}
    rows = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])                # ogni riga la sua
    assert choose(rows.bfloat16(), 1.0, 0.9).tolist() == [0, 2]


def test_long_prompts_show_a_bar(small, capsys):
    tokens = torch.randint(0, 50, (1100,))
    small.generate(tokens, max_new_tokens=1)
    assert capsys.readouterr().err == ""
    small.generate(tokens[:500], max_new_tokens=1, progress=True)          # un pezzo solo: niente barra
    assert capsys.readouterr().err == ""
    small.generate(tokens, max_new_tokens=1, progress=True)
    captured = capsys.readouterr()
    assert "domanda" in captured.err and "3" in captured.err and captured.out == ""


def test_what_was_written_can_be_trained_on(small):
    """I token nuovi sono tensori qualsiasi, e nulla di ciò che serve ai gradienti resta congelato."""
    tokens = small.generate(torch.randint(0, 50, (2, 5)), max_new_tokens=4)
    assert not tokens.is_inference()
    small(tokens).sum().backward()
    small.zero_grad()


@pytest.mark.parametrize("wrong, message", [
    (lambda m: m(torch.zeros(1, 3)), "interi torch di shape .* ho trovato torch.float32"),
    (lambda m: m([[1, 2]]), "interi torch di shape .* ho trovato list"),
    (lambda m: m(torch.zeros(1, 0, dtype=torch.long)), r"ho trovato torch.int64, shape \(1, 0\)"),
    (lambda m: m(torch.tensor([[0, 50]])), "da 0 a 49, ho trovato 50"),
    (lambda m: m(torch.tensor([[0, -1]])), "da 0 a 49, ho trovato -1"),
    (lambda m: m(torch.zeros(1, 2, dtype=torch.long, device="meta")), "stesso device: ho trovato meta e cpu"),
    (lambda m: m(torch.zeros(1, 1201, dtype=torch.long)), "al più 1200 token, ne ho trovati 1201"),
    (lambda m: m(torch.zeros(1, 2, dtype=torch.long), m.new_caches()[:1]), "una cache per layer, 2, ne ho trovate 1"),
    (lambda m: m.generate([1, 2], max_new_tokens=2), r"shape \(T,\) o \(B, T\), ho trovato list"),
    (lambda m: m.generate(torch.zeros(3), max_new_tokens=2), "interi torch .* ho trovato torch.float32"),
    (lambda m: m.generate(torch.zeros(0, dtype=torch.long), max_new_tokens=2), r"shape \(1, 0\)"),
    (lambda m: m.generate(torch.zeros(1, 1, 1, dtype=torch.long), max_new_tokens=2), r"ho trovato torch.Size\(\[1, 1, 1\]\)"),
    (lambda m: m.generate(torch.zeros(1199, dtype=torch.long), max_new_tokens=2), "1199 e 2 nuovi sono troppi"),
    *((lambda m, o=options: m.generate(torch.zeros(3, dtype=torch.long), **{"max_new_tokens": 2} | o), f"{name}: .* ho trovato {found}") for options, name, found in (
        ({"temperature": -1}, "temperature", "-1"), ({"temperature": float("nan")}, "temperature", "nan"), ({"temperature": "caldo"}, "temperature", "'caldo'"),
        ({"top_p": 0}, "top_p", "0"), ({"top_p": 1.1}, "top_p", "1.1"), ({"max_new_tokens": 0}, "max_new_tokens", "0"), ({"max_new_tokens": 1.5}, "max_new_tokens", "1.5"),
        ({"seed": -1}, "seed", "-1"), ({"seed": "x"}, "seed", "'x'"), ({"stop": ["x"]}, "stop", "'x'"))),
])
def test_bad_input(small, wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(small)


# La riga di comando -----------------------------------------------------------------------------------

TEXT = "la gatta insegue il topo perché è affamata"


@pytest.fixture
def with_words(copy):
    """Una cartella con il suo tokenizer: poche parole italiane, e byte per le lettere accentate."""
    tokenizers = pytest.importorskip("tokenizers", reason="serve tokenizers: è fra le dipendenze delle prove")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False), tokenizers.decoders.ByteLevel()
    tokenizer.train_from_iterator([TEXT], tokenizers.trainers.BpeTrainer(vocab_size=130, show_progress=False))
    tokenizer.save(str(copy / "tokenizer.json"))
    change(copy, "generation_config.json", eos_token_id=None)
    change(copy, eos_token_id=None)
    return copy, tokenizer


def test_the_command_writes_what_generate_writes(with_words, capsys):
    folder, tokenizer = with_words
    asked = tokenizer.encode(TEXT).ids
    for options in ({}, {"temperature": 2.0, "top_p": 0.9, "seed": 3}):
        new = Llama.from_pretrained(folder).generate(torch.tensor(asked), max_new_tokens=12, **options).tolist()
        command.main([str(folder), TEXT, "--token", "12", *(word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value)))])
        expected = TEXT + tokenizer.decode(asked + new)[len(tokenizer.decode(asked)):]
        assert capsys.readouterr().out.rstrip("\ufffd\n") == expected.rstrip("\ufffd\n")


def test_the_command_stops_where_the_model_says(with_words, capsys):
    folder, tokenizer = with_words
    asked = torch.tensor(tokenizer.encode(TEXT).ids)
    new = Llama.from_pretrained(folder).generate(asked, max_new_tokens=12).tolist()
    change(folder, eos_token_id=new[0])
    command.main([str(folder), TEXT, "--token", "12"])
    short = capsys.readouterr().out
    assert len(short) <= len(TEXT + tokenizer.decode(new[:1])) + 1


def test_letters_written_in_pieces(capsys):
    """Una lettera di due byte arriva in due token: si scrive quando è intera."""
    class Bytes:
        def encode(self, text):
            return SimpleNamespace(ids=list(text.encode()))

        def decode(self, ids):
            return bytes(ids).decode(errors="replace")

    def generate(tokens, *, stream, **options):
        for byte in "è già".encode():
            stream(torch.tensor([byte]))
            shown.append(capsys.readouterr().out)

    shown = []
    model = SimpleNamespace(generate=generate, config=SimpleNamespace(stop=()))
    command.write(model, Bytes(), SimpleNamespace(domanda="perché ", token=9, temperature=0.0, top_p=1.0, seed=None))
    assert shown == ["perché ", "è", " ", "g", "i", "", "à"]


def test_the_command_says_what_is_missing(copy, monkeypatch, capsys):
    pytest.importorskip("tokenizers", reason="serve tokenizers: è fra le dipendenze delle prove")
    for folder, message in ((copy / "nulla", "Non c'è la cartella"), (copy, "Manca .*tokenizer.json: senza")):
        with pytest.raises(SystemExit, match=f"python -m attnkit.llama: {message}"):
            command.main([str(folder), "ciao"])
    (copy / "tokenizer.json").write_text("{")
    with pytest.raises(SystemExit, match="tokenizer.json non si legge"):
        command.main([str(copy), "ciao"])


def test_the_command_without_tokenizers_says_so_in_one_line(tmp_path):
    (tmp_path / "tokenizers.py").write_text("raise ImportError")          # come se non fosse installato
    path = os.pathsep.join([str(tmp_path), str(Path(command.__file__).parents[2])])
    done = subprocess.run([sys.executable, "-m", "attnkit.llama", str(tmp_path), "ciao"], capture_output=True, text=True, encoding="utf-8",
                          env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines() == ["Serve il pacchetto tokenizers, per passare dal testo ai token: pip install tokenizers"]


def test_the_cells_of_chapter_10_that_read_a_real_model(with_words, monkeypatch, capsys):
    folder, tokenizer = with_words
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]}
    monkeypatch.setenv("ATTNKIT_LLAMA", str(folder))
    shown = []
    names = {"display": shown.append}
    for cell in ("importa", "modello-vero", "attenzione-vera"):
        exec(cells[cell], names)
    written = capsys.readouterr().out
    assert "gatta insegue il topo perch" in written and "Nessun modello" not in written
    assert names["ids"] == tokenizer.encode("La gatta insegue il topo perché").ids and len(names["scritti"]) == 20
    assert names["pesi"].shape == (names["grande"].config.n_heads, *[len(names["ids"])] * 2)
    (figure,) = shown
    assert "head 3" in figure.alt and "perch" in figure.alt and "Ã" not in figure.alt


def test_caches_of_no_tokens_are_refused():
    config = LlamaConfig(d_model=8, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=4, d_ff=8, vocabulary=5, context=16)
    with pytest.raises(ValueError, match="max_tokens"):
        Llama(config).new_caches(0)
