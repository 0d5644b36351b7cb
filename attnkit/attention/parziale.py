"""L'attenzione a pezzi: una parte delle key per volta, poi l'unione per log-sum-exp.

Qui il kernel fuso non basta, perché al suo log-sum-exp non dà gradiente: i punteggi si scrivono per esteso,
ma poche query per volta, così restano nella memoria vicina al processore.
"""

import math

import torch

from attnkit.attention.controlli import check_inputs, same_kind

FEW_QUERIES = 256             # di più, e i punteggi escono dalla cache; di meno, e il matmul rallenta


def partial_attention(q, k, v, *, mask=None, scale=None):
    """L'attenzione su una parte delle key, con ciò che serve per unirla alle altre.

    Args:
        q: query, shape (B, Hq, Tq, Dh).
        k, v: key e value di questa parte, shape (B, Hkv, Tk, Dh), con Hkv che divide Hq.
        mask: booleani, True = visibile, estendibile a (B, Hq, Tq, Tk); None = tutto visibile.
        scale: il fattore che moltiplica i prodotti scalari; None = 1/√Dh.

    Returns:
        La coppia (output, lse). `output`, shape (B, Hq, Tq, Dh), è l'attenzione su queste sole key. `lse`,
        shape (B, Hq, Tq), è il logaritmo naturale della somma degli esponenziali dei punteggi scalati.
        Una riga senza key visibili dà 0 e -inf. Entrambe sono derivabili.

    Raises:
        ValueError: se shape, dtype o device non si accordano, la maschera non è booleana o `scale` non è
            un numero finito.

    Fonte:
        Milakov e Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135. Si costruisce nel
        capitolo 9.
    """
    check_inputs(q, k, v, scale)
    queries = q.split(FEW_QUERIES, dim=2)
    masks = [None] * len(queries) if mask is None else _extended(mask, q, k).split(FEW_QUERIES, dim=2)
    outputs, lses = zip(*(_for_few(few, k, v, visible, scale) for few, visible in zip(queries, masks)))
    return torch.cat(outputs, dim=2), torch.cat(lses, dim=2)               # (B, Hq, Tq, Dh), (B, Hq, Tq)


def merge(first, second):
    """Unisce l'attenzione su due gruppi di key: il risultato è quello di tutte le key insieme.

    È ancora attenzione, su due sole "key": i punteggi sono i due lse, i value le due uscite. L'ordine
    non conta, e nemmeno come si associano più unioni.

    Args:
        first, second: coppie (output, lse), shape (…, Dh) e (…), come quelle di `partial_attention`.

    Returns:
        La coppia (output, lse), con le stesse shape. Due gruppi vuoti danno 0 e -inf.

    Raises:
        ValueError: se shape, dtype o device dei due gruppi non si accordano.

    Fonte:
        Milakov e Gimelshein 2018, arXiv 1805.02867. Si costruisce nel capitolo 9.
    """
    (output_a, lse_a), (output_b, lse_b) = first, second
    same_kind("i due output", output_a, output_b)
    same_kind("i due lse", lse_a, lse_b)
    if not (output_a.is_floating_point() and lse_a.is_floating_point()):
        raise ValueError(f"merge: mi aspettavo numeri reali, ho trovato output {output_a.dtype} e lse {lse_a.dtype}")
    if output_a.shape != output_b.shape or lse_a.shape != lse_b.shape or output_a.shape[:-1] != lse_a.shape:
        raise ValueError("merge: mi aspettavo due coppie di shape (…, Dh) e (…), ho trovato "
                         + " e ".join(f"({tuple(o.shape)}, {tuple(l.shape)})" for o, l in (first, second)))
    exponentials, total, lse = _exponentials(torch.stack([lse_a, lse_b], dim=-1))          # (…, 2), (…, 1), (…)
    weight_a, weight_b = (exponentials / total).unsqueeze(-1).unbind(-2)                   # (…, 1), (…, 1)
    return (weight_a * output_a + weight_b * output_b).to(output_a.dtype), lse


def attention_weights(q, k, *, mask=None, scale=None):
    """I pesi, scritti per esteso: servono per guardare, non per calcolare in fretta.

    Args:
        q, k, mask, scale: come in `partial_attention`.

    Returns:
        Pesi, shape (B, Hq, Tq, Tk). Ogni riga somma a uno; una riga tutta nascosta è fatta di zeri.

    Raises:
        ValueError: come in `partial_attention`.
    """
    check_inputs(q, k, k, scale)
    mask = None if mask is None else _extended(mask, q, k)
    exponentials, total, _ = _exponentials(_scores(q, k, mask, scale))
    return (exponentials / total).to(q.dtype)


def _for_few(q, k, v, mask, scale):
    """`partial_attention` per le query di un blocco."""
    exponentials, total, lse = _exponentials(_scores(q, k, mask, scale))   # (B, Hq, Tq, Tk), (…, 1), (…)
    rows = exponentials.unflatten(1, (k.shape[1], -1)).flatten(2, 3)       # (B, Hkv, G·Tq, Tk)
    numerator = (rows @ v.to(rows.dtype)).reshape(q.shape)                 # (B, Hq, Tq, Dh)
    return (numerator / total).to(q.dtype), lse


def _scores(q, k, mask, scale):
    """I punteggi scalati, almeno in float32, con -inf dove la maschera nasconde: (B, Hq, Tq, Tk)."""
    B, Hq, Tq, Dh = q.shape
    Hkv, Tk = k.shape[1:3]
    wide = torch.promote_types(q.dtype, torch.float32)                     # in bfloat16 un lse avrebbe tre cifre
    q = q.to(wide) * (1 / math.sqrt(Dh) if scale is None else scale)
    scores = q.reshape(B, Hkv, -1, Dh) @ k.to(wide).transpose(2, 3)        # (B, Hkv, G·Tq, Tk): un gruppo per head
    scores = scores.reshape(B, Hq, Tq, Tk)
    return scores if mask is None else torch.where(mask, scores, -math.inf)


def _extended(mask, q, k):
    """La maschera estesa a (B, Hq, Tq, Tk), senza copiarla; un errore se non è booleana o non ci sta."""
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        found = mask.dtype if isinstance(mask, torch.Tensor) else type(mask).__name__
        raise ValueError(f"mask: mi aspettavo booleani torch (True = visibile), ho trovato {found}")
    if mask.device != q.device:
        raise ValueError(f"mask: mi aspettavo il device {q.device}, ho trovato {mask.device}")
    shape = (*q.shape[:3], k.shape[2])
    try:
        return mask.expand(shape)
    except RuntimeError:
        raise ValueError(f"mask: mi aspettavo una shape estendibile a {shape}, ho trovato {tuple(mask.shape)}") from None


def _exponentials(scores):
    """Il cuore della softmax, anche dove una riga è tutta -inf: esponenziali, loro somma e suo logaritmo.

    Dai punteggi si toglie il massimo, che poi il logaritmo restituisce. Dove la riga è vuota la somma diventa
    1: così le divisioni danno 0, e nessun gradiente è NaN.
    """
    if scores.shape[-1] == 0:
        shift = scores.new_zeros((*scores.shape[:-1], 1))                  # nessuna key: ogni riga è vuota
    else:
        shift = scores.detach().amax(-1, keepdim=True)                     # (…, 1)
        shift = shift.masked_fill(shift == -math.inf, 0.0)                 # -inf - -inf sarebbe NaN
    exponentials = (scores - shift).exp()                                  # (…, n), al più 1
    total = exponentials.sum(-1, keepdim=True)                             # (…, 1)
    empty = total == 0
    total = total.masked_fill(empty, 1.0)
    lse = (total.log() + shift).masked_fill(empty, -math.inf).squeeze(-1)  # (…)
    return exponentials, total, lse
