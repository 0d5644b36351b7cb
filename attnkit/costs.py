"""Quanto costa un modello: parametri e byte, interi esatti calcolati dalle sue misure."""

from attnkit.shapes import positive_int


def parameters(config):
    """Quanti parametri ha un modello.

    Per layer: le quattro proiezioni dell'attenzione, le tre matrici della feed-forward SwiGLU, due norme. Poi gli
    embedding, la matrice dei logit (se non è la stessa) e la norma finale. Nessun bias.

    Args:
        config: una `LlamaConfig`.

    Returns:
        Un intero.

    Fonte:
        Llama Team 2024, arXiv 2407.21783; le forme da llama-models, models/llama3/model.py. Si costruisce nei capitoli
        7 e 10.
    """
    D, Dh = config.d_model, config.head_dim
    attention = 2 * D * config.n_heads * Dh + 2 * D * config.n_kv_heads * Dh           # Wq e Wo; Wk e Wv
    layer = attention + 3 * D * config.d_ff + 2 * D
    embeddings = (1 if config.tied else 2) * config.vocabulary * D
    return config.n_layers * layer + embeddings + D


def kv_cache_bytes(config, tokens, *, batch=1, bytes_per_value=2):
    """Quanti byte occupano le key e i value di tutti i token già letti.

    Args:
        config: una `LlamaConfig`.
        tokens: quanti token, per ogni sequenza.
        batch: quante sequenze insieme.
        bytes_per_value: i byte di un numero; 2 in bfloat16.

    Returns:
        Un intero: 2 · L · Hkv · Dh · tokens · batch · bytes_per_value.

    Raises:
        ValueError: se un argomento non è un intero positivo.

    Fonte:
        Shazeer 2019, arXiv 1911.02150, §2.4. Si costruisce nel capitolo 7.
    """
    tokens, batch = positive_int("tokens", tokens), positive_int("batch", batch)
    bytes_per_value = positive_int("bytes_per_value", bytes_per_value)
    return 2 * config.n_layers * config.n_kv_heads * config.head_dim * tokens * batch * bytes_per_value
