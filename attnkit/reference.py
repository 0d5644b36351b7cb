"""L'attenzione in NumPy, riga per riga: la versione da leggere.

Le due fasi del corso sono due funzioni. `attention_weights` risponde alla prima domanda, quanto conta
ogni token (relevance scoring); `combine` risponde alla seconda, che cosa ne prendo (combining
information). Qui la chiarezza viene prima della velocità: tutto è in float64, e gli ingressi sono
controllati fino ai singoli valori. Con questo oracolo si confronta ogni altra versione.

Fonte: Vaswani et al. 2017, arXiv 1706.03762, Eq. 1 e §3.2.
"""

import math

import numpy as np

from attnkit.shapes import as_array, divides, finite_number, positive_int, same_size


def softmax(scores, axis=-1):
    """Trasforma punteggi con segno in pesi positivi che sommano a uno.

    Prima di calcolare gli esponenziali si sottrae il massimo: il risultato non cambia, perché la
    softmax ignora una costante comune, e nessun esponenziale può andare in overflow.

    Args:
        scores: numeri reali, shape qualsiasi; -inf vuol dire "invisibile" e riceve peso 0.
        axis: l'asse lungo il quale i pesi sommano a uno. Per l'attenzione è quello delle key, l'ultimo.

    Returns:
        Array float64 con la shape di `scores`. Dove tutto è -inf i pesi sono tutti zero.

    Raises:
        ValueError: se `scores` è vuoto, contiene NaN o +inf, o se l'asse non esiste.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, Eq. 1. Si costruisce nel capitolo 3.
    """
    scores = as_array("scores", scores, min_ndim=1, finite=False)
    if not -scores.ndim <= axis < scores.ndim:
        raise ValueError(f"axis={axis} non esiste: scores ha {scores.ndim} assi (shape {scores.shape})")
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise ValueError("scores: mi aspettavo numeri finiti o -inf, ho trovato NaN o +inf")

    largest = scores.max(axis=axis, keepdims=True)
    with np.errstate(over="ignore"):                        # una differenza enorme vale -inf: peso 0
        exponentials = np.exp(scores - np.where(np.isneginf(largest), 0.0, largest))       # al più 1
    total = exponentials.sum(axis=axis, keepdims=True)
    return np.divide(exponentials, total, out=np.zeros_like(scores), where=total > 0)


def attention_scores(Q, K, *, mask=None, scale=None):
    """Confronta ogni query con ogni key: un punteggio per ogni coppia ordinata.

    Args:
        Q: query, shape (…, Tq, Dh).
        K: key, shape (…, Tk, Dh).
        mask: booleani, True = visibile, estendibile a (…, Tq, Tk); None = tutto visibile.
        scale: il fattore che moltiplica i prodotti scalari; None = 1/√Dh.

    Returns:
        Punteggi già scalati, shape (…, Tq, Tk), con -inf dove la maschera nasconde.

    Raises:
        ValueError: se le shape non si accordano, la maschera non è booleana o ci sono NaN.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, Eq. 1 e §3.2.3 per la maschera. Si costruisce nel capitolo 3.
    """
    Q = as_array("Q", Q, min_ndim=2)
    K = as_array("K", K, min_ndim=2)
    same_size("La larghezza di Q", Q.shape[-1], "quella di K", K.shape[-1])
    _same_batch("Q", Q, "K", K)
    if scale is None:
        scale = 1 / math.sqrt(Q.shape[-1])
    else:
        scale = finite_number("scale", scale)

    scores = Q @ np.swapaxes(K, -1, -2) * scale          # (…, Tq, Tk): riga = query, colonna = key
    if mask is None:
        return scores
    return np.where(_as_mask(mask, scores.shape), scores, -np.inf)


def attention_weights(Q, K, *, mask=None, scale=None):
    """Prima fase, relevance scoring: quanto conta ogni token per ogni altro.

    Args:
        Q, K, mask, scale: come in `attention_scores`.

    Returns:
        Pesi, shape (…, Tq, Tk). Ogni riga somma a uno; una riga tutta nascosta è fatta di zeri.

    Raises:
        ValueError: come in `attention_scores`.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, Eq. 1. Si costruisce nel capitolo 3.
    """
    return softmax(attention_scores(Q, K, mask=mask, scale=scale), axis=-1)


def combine(weights, V):
    """Seconda fase, combining information: la somma dei value, ciascuno per il proprio peso.

    Args:
        weights: pesi, shape (…, Tq, Tk).
        V: value, shape (…, Tk, Dv).

    Returns:
        Un vettore per ogni query, shape (…, Tq, Dv).

    Raises:
        ValueError: se il numero di pesi per riga non è il numero di value, o se ci sono NaN.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, Eq. 1. Si costruisce nel capitolo 4.
    """
    weights = as_array("weights", weights, min_ndim=2)
    V = as_array("V", V, min_ndim=2)
    same_size("I pesi di una riga", weights.shape[-1], "i value", V.shape[-2])
    _same_batch("weights", weights, "V", V)
    return weights @ V


def attention(Q, K, V, *, mask=None, scale=None):
    """Le due fasi insieme: softmax(QKᵀ·scale, con la maschera) V.

    Args:
        Q: query, shape (…, Tq, Dh).
        K: key, shape (…, Tk, Dh).
        V: value, shape (…, Tk, Dv).
        mask, scale: come in `attention_scores`.

    Returns:
        La coppia (output, weights), shape (…, Tq, Dv) e (…, Tq, Tk).

    Raises:
        ValueError: se le shape non si accordano, la maschera non è booleana o ci sono NaN.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, Eq. 1. Si costruisce nei capitoli 3 e 4.
    """
    weights = attention_weights(Q, K, mask=mask, scale=scale)
    return combine(weights, V), weights


def multi_head_attention(x, Wq, Wk, Wv, Wo, *, n_heads, n_kv_heads=None, mask=None):
    """Più head in parallelo: ciascuna con le proprie colonne di Wq; poi concatenazione e Wo.

    Con `n_kv_heads` minore di `n_heads` più query head consecutive condividono la stessa head di
    key e value: è la grouped-query attention, e con una sola la multi-query attention.

    Args:
        x: un vettore per token, shape (T, D).
        Wq: shape (D, Hq·Dh).
        Wk, Wv: shape (D, Hkv·Dh).
        Wo: shape (Hq·Dh, D).
        n_heads: quante query head, Hq.
        n_kv_heads: quante head di key e value, Hkv; None = quante le query head.
        mask: booleani, True = visibile, estendibile a (Hq, T, T); None = tutto visibile.

    Returns:
        La coppia (output, weights), shape (T, D) e (Hq, T, T).

    Raises:
        ValueError: se le shape non si accordano o le head non si dividono in parti uguali.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, §3.2.2; Shazeer 2019, arXiv 1911.02150; Ainslie et al.
        2023, arXiv 2305.13245. Si costruisce nei capitoli 5 e 7.
    """
    x = as_array("x", x, ndim=2)
    Wq, Wk = as_array("Wq", Wq, ndim=2), as_array("Wk", Wk, ndim=2)
    Wv, Wo = as_array("Wv", Wv, ndim=2), as_array("Wo", Wo, ndim=2)
    n_heads = positive_int("n_heads", n_heads)
    n_kv_heads = n_heads if n_kv_heads is None else positive_int("n_kv_heads", n_kv_heads)
    group = divides("n_kv_heads", n_kv_heads, "n_heads", n_heads)
    head_dim = divides("n_heads", n_heads, "le colonne di Wq", Wq.shape[1])
    for name, W in (("Wq", Wq), ("Wk", Wk), ("Wv", Wv)):
        same_size("La larghezza di x", x.shape[1], f"le righe di {name}", W.shape[0])
    for name, W in (("Wk", Wk), ("Wv", Wv)):
        same_size(f"Le colonne di {name}", W.shape[1], "n_kv_heads·head_dim", n_kv_heads * head_dim)
    same_size("Le righe di Wo", Wo.shape[0], "n_heads·head_dim", n_heads * head_dim)

    Q, K, V = x @ Wq, x @ Wk, x @ Wv                          # (T, Hq·Dh), (T, Hkv·Dh), (T, Hkv·Dh)
    if mask is not None:
        mask = _as_mask(mask, (n_heads, len(x), len(x)))
    outputs, weights = [], []
    for h in range(n_heads):
        own = slice(h * head_dim, (h + 1) * head_dim)                          # le colonne di questa head
        shared = slice(h // group * head_dim, (h // group + 1) * head_dim)     # quelle del suo gruppo
        output, weight = attention(Q[:, own], K[:, shared], V[:, shared], mask=None if mask is None else mask[h])
        outputs.append(output)
        weights.append(weight)
    return np.concatenate(outputs, axis=-1) @ Wo, np.stack(weights)


def _as_mask(mask, shape):
    """La maschera come booleani di shape `shape`; un errore se non è booleana o non ci sta."""
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise ValueError(f"mask: mi aspettavo booleani (True = visibile), ho trovato elementi di tipo {mask.dtype}")
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(f"mask: mi aspettavo una shape estendibile a {shape}, ho trovato {mask.shape}") from None


def _same_batch(first, a, second, b):
    """Gli assi prima degli ultimi due devono essere compatibili."""
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(f"Gli assi iniziali di {first} e {second} non si accordano: {a.shape} e {b.shape}") from None
