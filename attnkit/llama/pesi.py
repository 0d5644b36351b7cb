"""I pesi pubblicati: da una cartella di Hugging Face al modello, senza averne mai due copie."""

import json
import re
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
HUB = ["config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json"]       # ciò che si scarica
REAL = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}                        # i tipi che si leggono


def from_pretrained(cls, folder, *, dtype=None):
    """Un modello con i pesi pubblicati per questa architettura.

    Args:
        folder: una cartella con `config.json` e uno o più file safetensors, con i nomi di `transformers`; o, se non c'è e
            il pacchetto `huggingface_hub` sì, il nome di un modello del suo Hub, che si scarica.
        dtype: il tipo dei pesi; None = quello dei file, così restano mappati dal disco e non se ne fa una copia.

    Returns:
        Un `Llama`, pronto per generare.

    Raises:
        FileNotFoundError: se manca la cartella, `config.json` o un file di pesi.
        ValueError: se l'architettura non è questa, RoPE è di un tipo sconosciuto, un file non si legge, o i tensori mancano,
            avanzano, hanno un'altra shape o non sono numeri reali.

    Si costruisce nel capitolo 10.
    """
    if dtype is not None and dtype not in REAL.values():
        raise ValueError(f"dtype: mi aspettavo {', '.join(map(str, REAL.values()))} o None, ho trovato {dtype!r}")
    folder = find(folder)
    config = read_config(folder)
    with torch.device("meta"):                                             # le shape, senza la memoria
        model = cls(config)
    tensors = _read(folder, names(config), {name: tuple(p.shape) for name, p in model.named_parameters()}, dtype)
    if config.tied:
        tensors["output.weight"] = tensors["embedding.weight"]
    model.load_state_dict(tensors, assign=True)
    if config.tied:
        model.output.weight = model.embedding.weight
    return model.eval().requires_grad_(False)


def find(folder):
    """La cartella di un modello: quella che c'è, o quella in cui si scarica un nome come "autore/modello"."""
    if Path(folder).is_dir():
        return Path(folder)
    missing = f"Non c'è la cartella {folder}"
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", str(folder)):
        raise FileNotFoundError(missing)
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise FileNotFoundError(f"{missing}; se è un modello di Hugging Face, per scaricarlo serve un pacchetto: pip install huggingface_hub") from None
    try:
        return Path(snapshot_download(str(folder), allow_patterns=HUB))
    except Exception as error:                                             # rete, permessi, nome: ogni versione ha i suoi errori
        raise FileNotFoundError(f"{missing}, e da Hugging Face non si scarica: {error}") from error


def names(config):
    """Per ogni tensore pubblicato, il nome del parametro che gli corrisponde qui."""
    elsewhere = {theirs: ours for ours, theirs in ELSEWHERE.items() if not (config.tied and ours == "output.weight")}
    return elsewhere | {f"model.layers.{n}.{theirs}": f"blocks.{n}.{ours}" for n in range(config.n_layers) for ours, theirs in LAYER.items()}


# La configurazione ------------------------------------------------------------------------------------

def read_config(folder):
    """La `LlamaConfig` di un `config.json`; ValueError se descrive un modello che qui non c'è."""
    raw = _json(Path(folder) / "config.json")
    for name, good in {"model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "partial_rotary_factor": 1.0, "rope_interleaved": False,
                       "quantization_config": None}.items():
        found = raw.get(name, None if name in ("model_type", "hidden_act") else good)        # queste due voci devono esserci
        if found != good:
            raise ValueError(f"config.json: {name} = {found!r}, e qui si legge solo {good!r}")
    return LlamaConfig(
        d_model=_need(raw, "hidden_size"), n_layers=_need(raw, "num_hidden_layers"), n_heads=_need(raw, "num_attention_heads"),
        n_kv_heads=_need(raw, "num_key_value_heads", raw.get("num_attention_heads")), d_ff=_need(raw, "intermediate_size"),
        vocabulary=_need(raw, "vocab_size"), context=_need(raw, "max_position_embeddings"), head_dim=raw.get("head_dim"),
        tied=_need(raw, "tie_word_embeddings", False), norm_eps=_need(raw, "rms_norm_eps"), stop=_stop(folder, raw), **_rope(raw))


def _json(path):
    """L'oggetto scritto in un file JSON."""
    if not path.exists():
        raise FileNotFoundError(f"Manca {path}: la cartella di un modello contiene config.json e i suoi pesi")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:                                            # JSON o UTF-8 rotti
        raise ValueError(f"{path.name} non si legge: {error}") from error
    if not isinstance(raw, dict):
        raise ValueError(f"{path.name}: mi aspettavo un oggetto JSON, ho trovato {type(raw).__name__}")
    return raw


def _need(raw, name, default=None):
    """Il valore di una voce, o `default` se manca o è nulla; senza, la voce dev'esserci."""
    value = raw.get(name)
    if value is None and default is None:
        raise ValueError(f"config.json: manca {name}")
    return default if value is None else value


def _rope(raw):
    """La base e il riscalamento di RoPE: nei file vecchi sono due voci, nei nuovi una sola, `rope_parameters`."""
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise ValueError(f"config.json: di RoPE mi aspettavo un oggetto JSON, ho trovato {rope!r}")
    theta = _need(rope, "rope_theta", _need(raw, "rope_theta", 10000.0))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "llama3"):
        raise ValueError(f"config.json: rope_type = {kind!r}, e qui si legge solo 'default' o 'llama3'")
    if kind == "default":
        return {"rope_theta": theta}
    fields = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    return {"rope_theta": theta, "rope_scaling": RopeScaling(*(_need(rope, name) for name in fields))}


def _stop(folder, raw):
    """I token che chiudono un testo: nessuno, uno o molti; `generation_config.json`, se c'è, ha l'ultima parola."""
    path = Path(folder) / "generation_config.json"
    ends = (_json(path) if path.exists() else {}).get("eos_token_id")
    ends = raw.get("eos_token_id") if ends is None else ends
    return tuple(ends) if isinstance(ends, list) else () if ends is None else (ends,)


# I tensori --------------------------------------------------------------------------------------------

def _read(folder, ours_of, shapes, dtype):
    """I tensori dei file, con i nostri nomi; ognuno resta mappato dal disco, se non cambia tipo."""
    tensors, extra = {}, []
    for file, promised in _files(folder).items():
        try:
            with safe_open(file, framework="pt") as opened:
                absent = sorted(set(promised) - set(opened.keys()))
                if absent:
                    raise ValueError(f"{file.name} non contiene {absent[0]}, che l'indice gli attribuisce")
                for theirs in opened.keys():
                    if theirs in ours_of:
                        ours = ours_of[theirs]
                        if ours in tensors:
                            raise ValueError(f"{theirs} sta in più di un file, anche in {file.name}: non so quale leggere")
                        _check(f"{file.name}, {theirs}", opened.get_slice(theirs), shapes[ours])
                        tensor = opened.get_tensor(theirs)                 # mappato: nulla si legge ancora
                        tensors[ours] = tensor if dtype in (None, tensor.dtype) else _converted(file, theirs, dtype)
                    elif not (theirs.endswith("rotary_emb.inv_freq") or theirs == "lm_head.weight"):     # si ricalcola; con tied è una copia
                        extra.append(theirs)
        except SafetensorError as error:
            raise ValueError(f"{file.name} non si legge, forse è incompleto: {error}") from error
    missing = [theirs for theirs, ours in ours_of.items() if ours not in tensors]
    for what, which in (("mancano", missing), ("sono di troppo", extra)):
        if which:
            raise ValueError(f"{len(which)} tensori {what}: {', '.join(sorted(which)[:3])}{', …' if len(which) > 3 else ''}")
    kinds = sorted({str(tensor.dtype) for tensor in tensors.values()})
    if len(kinds) > 1:
        raise ValueError(f"I pesi sono di tipi diversi, {' e '.join(kinds)}: scegline uno con dtype")
    return tensors


def _check(where, found, shape):
    """Shape e tipo di un tensore, prima di leggerlo."""
    if tuple(found.get_shape()) != shape:
        raise ValueError(f"{where}: mi aspettavo shape {shape}, ho trovato {tuple(found.get_shape())}")
    if found.get_dtype() not in REAL:
        raise ValueError(f"{where}: mi aspettavo numeri di tipo {', '.join(REAL)}, ho trovato {found.get_dtype()}")


def _converted(file, name, dtype):
    """Un tensore in un altro tipo. Il file si riapre: le sue pagine già lette si lasciano subito, e non fanno una seconda copia."""
    with safe_open(file, framework="pt") as opened:
        return opened.get_tensor(name).to(dtype)


def _files(folder):
    """I file dei pesi, e per ognuno i tensori che l'indice gli attribuisce: senza indice il file è uno."""
    index, content = folder / "model.safetensors.index.json", {"model.safetensors": []}
    if not (folder / "model.safetensors").exists() and index.exists():
        where = _json(index).get("weight_map")
        if not isinstance(where, dict) or not where:
            raise ValueError(f"{index.name}: mi aspettavo in weight_map il file di ogni tensore, ho trovato {where!r}")
        content = {str(name): [] for name in where.values()}
        for tensor, name in where.items():
            content[str(name)].append(tensor)
    for name in content:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ValueError(f"{index.name}: mi aspettavo file safetensors di questa cartella, ho trovato {name!r}")
        if not (folder / name).exists():
            pickles = any(folder.glob("*.bin")) or any(folder.glob("*.pth"))
            raise FileNotFoundError(f"Manca il file di pesi {folder / name}" + (": i .bin e i .pth sono pickle, e qui non si aprono" if pickles else ""))
    return {folder / name: tensors for name, tensors in content.items()}
