"""I pesi pubblicati: da una cartella di Hugging Face al modello, senza averne mai due copie."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from attnkit.config import LlamaConfig, RopeScaling

LAYER = {                                                     # i nomi nostri, e quelli pubblicati
    "attention_norm.weight": "input_layernorm.weight",
    "attention.Wq.weight": "self_attn.q_proj.weight",
    "attention.Wk.weight": "self_attn.k_proj.weight",
    "attention.Wv.weight": "self_attn.v_proj.weight",
    "attention.Wo.weight": "self_attn.o_proj.weight",
    "feed_forward_norm.weight": "post_attention_layernorm.weight",
    "feed_forward.W1.weight": "mlp.gate_proj.weight",
    "feed_forward.W3.weight": "mlp.up_proj.weight",
    "feed_forward.W2.weight": "mlp.down_proj.weight",
}
ELSEWHERE = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}


def from_pretrained(cls, folder, *, dtype=None):
    """Un modello con i pesi pubblicati per questa architettura.

    Args:
        folder: una cartella con `config.json` e uno o più file safetensors, con i nomi di `transformers`.
        dtype: il tipo dei pesi; None = quello dei file, così restano mappati dal disco e non se ne fa una copia.

    Returns:
        Un `Llama`, pronto per generare.

    Raises:
        FileNotFoundError: se manca la cartella, `config.json` o un file di pesi.
        ValueError: se l'architettura non è questa, RoPE è di un tipo sconosciuto, o i tensori mancano, avanzano o hanno un'altra shape.

    Si costruisce nel capitolo 10.
    """
    folder = Path(folder)
    config = read_config(folder)
    names = {ours: theirs for ours, theirs in ELSEWHERE.items() if not (config.tied and ours == "output.weight")}
    names |= {f"blocks.{n}.{ours}": f"model.layers.{n}.{theirs}" for n in range(config.n_layers) for ours, theirs in LAYER.items()}
    with torch.device("meta"):
        model = cls(config)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    tensors = _read(folder, {theirs: ours for ours, theirs in names.items()}, shapes, dtype, config.tied)
    model.load_state_dict(tensors | ({"output.weight": tensors["embedding.weight"]} if config.tied else {}), assign=True)
    if config.tied:
        model.output.weight = model.embedding.weight
    return model.eval().requires_grad_(False)


def read_config(folder):
    """La `LlamaConfig` di un `config.json`; ValueError se descrive un modello che qui non c'è."""
    path = Path(folder) / "config.json"
    if not path.exists():
        raise FileNotFoundError(f"Manca {path}: la cartella di un modello contiene config.json e i suoi pesi")
    raw = json.loads(path.read_text(encoding="utf-8"))
    _expect(raw, "model_type", ("llama",))
    _expect(raw, "hidden_act", ("silu",))
    for name in ("attention_bias", "mlp_bias"):
        _expect(raw, name, (False,), default=False)
    ends = raw.get("eos_token_id")
    return LlamaConfig(
        d_model=raw["hidden_size"], n_layers=raw["num_hidden_layers"], n_heads=raw["num_attention_heads"],
        n_kv_heads=raw.get("num_key_value_heads") or raw["num_attention_heads"], d_ff=raw["intermediate_size"], vocabulary=raw["vocab_size"],
        context=raw["max_position_embeddings"], head_dim=raw.get("head_dim"), tied=raw.get("tie_word_embeddings", False),
        norm_eps=raw["rms_norm_eps"],
        stop=ends if isinstance(ends, list) else () if ends is None else (ends,), **_rope(raw))


def _rope(raw):
    """La base e il riscalamento di RoPE: nei file vecchi sono due voci, nei nuovi una sola, `rope_parameters`."""
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    theta = rope.get("rope_theta", raw.get("rope_theta", 10000.0))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return {"rope_theta": theta}
    if kind != "llama3":
        raise ValueError(f"rope_type: mi aspettavo default o llama3, ho trovato {kind!r}")
    return {"rope_theta": theta, "rope_scaling": RopeScaling(rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"])}


def _expect(raw, name, good, **missing):
    found = raw.get(name, missing.get("default"))
    if found not in good:
        raise ValueError(f"config.json: {name} = {found!r}, e qui si legge solo {' o '.join(map(repr, good))}")


def _read(folder, ours_of, shapes, dtype, tied):
    """I tensori dei file, con i nostri nomi; ognuno resta mappato dal disco, se non cambia tipo."""
    tensors, extra = {}, []
    for file in _files(folder):
        try:
            with safe_open(file, framework="pt") as opened:
                for theirs in opened.keys():
                    ours = ours_of.get(theirs)
                    if ours is None:
                        if not (theirs.endswith("rotary_emb.inv_freq") or (tied and theirs == "lm_head.weight")):
                            extra.append(theirs)
                        continue
                    tensor = opened.get_tensor(theirs)
                    if tuple(tensor.shape) != shapes[ours]:
                        raise ValueError(f"{file.name}, {theirs}: mi aspettavo shape {shapes[ours]}, ho trovato {tuple(tensor.shape)}")
                    tensors[ours] = tensor if dtype is None else tensor.to(dtype)
        except SafetensorError as error:
            raise ValueError(f"{file.name} non si legge, forse è incompleto: {error}") from error
    missing = sorted(theirs for theirs, ours in ours_of.items() if ours not in tensors)
    for what, names in (("mancano", missing), ("sono di troppo", sorted(extra))):
        if names:
            raise ValueError(f"{len(names)} tensori {what}: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}")
    return tensors


def _files(folder):
    """I file dei pesi: quello unico, o quelli dell'indice."""
    index = folder / "model.safetensors.index.json"
    names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())) if index.exists() else ["model.safetensors"]
    files = [folder / name for name in names]
    for file in files:
        if not file.exists():
            raise FileNotFoundError(f"Manca il file di pesi {file}")
    return files
