"""Quanto costa un modello: parametri, FLOP e byte, interi esatti calcolati dalle sue misure.

Ogni funzione accetta una `LlamaConfig` o una `ModelConfig`. Le convenzioni:

- un FLOP è una somma o un prodotto; un prodotto fra una matrice (n, k) e una (k, m) ne costa 2nkm;
- si contano solo i prodotti fra matrici: norme, softmax, attivazioni e l'embedding d'ingresso, che è una lettura, no;
- di ogni query contano le key che vede davvero: con la maschera causale in media la metà;
- un passo di addestramento costa tre volte quello in avanti: una per l'uscita, due per i gradienti.
"""

from attnkit.config import LlamaConfig, ModelConfig
from attnkit.shapes import positive_int


def parameters(config, *, active=False):
    """Quanti parametri ha un modello.

    Per layer: le proiezioni dell'attenzione, le matrici della feed-forward, le norme, i bias dove ci sono. Poi gli embedding, la
    matrice dei logit (se non è la stessa) e la norma finale.

    Args:
        config: una `LlamaConfig` o una `ModelConfig`.
        active: se contare solo ciò che usa un token: gli esperti scelti, e nessun embedding d'ingresso.

    Returns:
        Un intero.

    Fonte:
        Llama Team 2024, arXiv 2407.21783; le forme da llama-models, models/llama3/model.py. Si costruisce nei capitoli
        7 e 10.
    """
    config = _model(config)
    inputs = 0 if config.tied or active else config.vocabulary * config.d_model
    return _matrices(config, active) + _vectors(config, active) + inputs


def forward_flops(config, tokens, *, batch=1):
    """I FLOP per leggere una sequenza, con la maschera causale.

    Args:
        config: una `LlamaConfig` o una `ModelConfig`.
        tokens: quanti token, per ogni sequenza.
        batch: quante sequenze insieme.

    Returns:
        Un intero: 2 per parametro delle matrici e per token, e per ogni coppia visibile 2 per la larghezza delle key e 2 per
        quella dei value, in ogni query head.

    Raises:
        ValueError: se un argomento non è un intero positivo.

    Fonte:
        Kaplan et al. 2020, arXiv 2001.08361, §2.1; qui le coppie si contano esatte. Si costruisce nel capitolo 10.
    """
    config, T, batch = _model(config), positive_int("tokens", tokens), positive_int("batch", batch)
    mla = config.mla
    width = mla.nope_dim + mla.rope_dim + mla.v_dim if mla else 2 * config.head_dim
    local = config.local_layers
    pairs = (config.n_layers - local) * _pairs(T, T) + local * _pairs(T, min(T, config.window or T))
    return batch * (2 * T * _matrices(config, active=True) + 2 * config.n_heads * width * pairs)


def training_flops(config, tokens, *, batch=1):
    """I FLOP per addestrarsi su una sequenza: tre volte quelli di `forward_flops`."""
    return 3 * forward_flops(config, tokens, batch=batch)


def kv_cache_bytes(config, tokens, *, batch=1, bytes_per_value=2):
    """Quanti byte occupano le key e i value di tutti i token che servono ancora.

    Args:
        config: una `LlamaConfig` o una `ModelConfig`.
        tokens: quanti token, per ogni sequenza.
        batch: quante sequenze insieme.
        bytes_per_value: i byte di un numero; 2 in bfloat16.

    Returns:
        Un intero: 2 · L · Hkv · Dh · tokens · batch · bytes_per_value; un layer locale tiene al più la sua finestra, e con la MLA un
        token tiene il vettore compresso e la key di posizione.

    Raises:
        ValueError: se un argomento non è un intero positivo.

    Fonte:
        Shazeer 2019, arXiv 1911.02150, §2.4; DeepSeek-AI 2024, arXiv 2405.04434, Tab. 1. Si costruisce nel capitolo 7.
    """
    tokens, batch = positive_int("tokens", tokens), positive_int("batch", batch)
    bytes_per_value = positive_int("bytes_per_value", bytes_per_value)
    config = _model(config)
    per_token = config.mla.kv_rank + config.mla.rope_dim if config.mla else 2 * config.n_kv_heads * config.head_dim
    local = config.local_layers
    kept = (config.n_layers - local) * tokens + local * min(tokens, config.window or tokens)
    return per_token * kept * batch * bytes_per_value


def weight_bytes(config, *, bytes_per_value=2):
    """Quanti byte occupano i pesi; `bytes_per_value` è 2 in bfloat16."""
    return parameters(config) * positive_int("bytes_per_value", bytes_per_value)


def _model(config):
    """Una `LlamaConfig` come `ModelConfig`, che dice anche ciò che in Llama non c'è."""
    if isinstance(config, ModelConfig):
        return config
    if not isinstance(config, LlamaConfig):
        raise ValueError(f"config: mi aspettavo una LlamaConfig o una ModelConfig, ho trovato {type(config).__name__}")
    return ModelConfig("", config.n_layers, config.d_model, config.n_heads, config.n_kv_heads, config.head_dim, config.d_ff, config.vocabulary, config.tied)


def _matrices(config, active):
    """I numeri delle matrici per cui si moltiplica un vettore; con `active`, solo quelle per cui si moltiplica ogni token.

    Gli embedding d'ingresso non ci sono: si leggono, non si moltiplicano.
    """
    D, H, L, mla, e = config.d_model, config.n_heads, config.n_layers, config.mla, config.experts
    if mla:
        q = D * mla.q_rank + mla.q_rank * H * (mla.nope_dim + mla.rope_dim)                        # compressa, poi una per head
        kv = D * (mla.kv_rank + mla.rope_dim) + mla.kv_rank * H * (mla.nope_dim + mla.v_dim)
        attention = q + kv + H * mla.v_dim * D
    else:
        attention = 2 * D * (H + config.n_kv_heads) * config.head_dim      # Wq e Wo, Wk e Wv
    dense = _dense_layers(config)
    feed_forward = dense * 3 * D * (config.d_ff or 0)
    if e:
        feed_forward += (L - dense) * (D * e.total + _experts(e, active) * 3 * D * e.d_ff)         # chi sceglie, e gli esperti
    return L * attention + feed_forward + config.vocabulary * D


def _vectors(config, active):
    """Gli altri parametri: norme, bias, e i numeri in più nella softmax."""
    D, H, L, mla, e = config.d_model, config.n_heads, config.n_layers, config.mla, config.experts
    if mla:
        attention = mla.q_rank + mla.kv_rank                               # una norma su ciò che è compresso
    else:
        q, kv = H * config.head_dim, config.n_kv_heads * config.head_dim
        attention = {None: 0, "head": 2 * config.head_dim, "all": q + kv}[config.qk_norm] + config.qkv_bias * (q + 2 * kv)
    attention += config.output_bias * D + config.sinks * H
    dense = _dense_layers(config)
    feed_forward = dense * config.ffn_bias * (2 * (config.d_ff or 0) + D)
    if e:
        feed_forward += (L - dense) * (e.router_bias * e.total + _experts(e, active) * config.ffn_bias * (2 * e.d_ff + D))
    return L * (attention + config.norms * D) + feed_forward + D           # l'ultimo D è la norma finale


def _dense_layers(config):
    """Quanti layer hanno una feed-forward sola."""
    return config.experts.dense_layers if config.experts else config.n_layers


def _experts(experts, active):
    """Quanti esperti contare in un layer."""
    return (experts.active if active else experts.total) + experts.shared


def _pairs(T, window):
    """Le coppie visibili fra T token, con una finestra di `window`: T = tutta la causale."""
    return window * (window + 1) // 2 + (T - window) * window
