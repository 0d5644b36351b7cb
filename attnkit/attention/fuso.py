"""I kernel fusi di torch: l'attenzione senza mai scrivere i punteggi.

Tre porte. `fused` è quella di sempre, derivabile. `one_query` è un passo di generazione. `add_part` e `part_gradients`
servono a chi calcola l'attenzione a parti, sulla griglia o nell'anello: ogni parte dà anche il log-sum-exp delle sue righe,
e con quello si unisce alle altre. A quel numero torch non dà gradiente: all'indietro ogni parte vuole il log-sum-exp
*di tutte insieme*, e da quello sa quanto pesava.
"""

import math

import torch
import torch.nn.functional as F

_FORWARD = "_scaled_dot_product_flash_attention_for_cpu"
GROUPS = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 9)     # da qui il kernel della CPU sa che più query head hanno le stesse key
SMALL = 2 ** 21               # numeri in tutte le key: fin qui stanno nelle memorie del processore, e leggerle non è il limite


def fused(q, k, v, scale, **options):
    """Il kernel fuso. Davanti a ciò che non sa fare torch torna in silenzio alla via lenta: qui si evita.

    Un ultimo asse non contiguo lo si copia prima; dove i gruppi non sono previsti, si copiano le head di key e di value.
    """
    q, k, v = map(_readable, (q, k, v))
    if not GROUPS and q.device.type == "cpu" and q.shape[1] != k.shape[1]:
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=q.shape[1] != k.shape[1], **options)


def _readable(t):
    """Il tensore come lo leggono i kernel: con l'ultimo asse contiguo."""
    return t if t.stride(-1) == 1 else t.contiguous()


def derived_once():
    """Da chiamare all'inizio di un `backward` scritto a mano: con `create_graph=True` la sua derivata mancherebbe, in silenzio."""
    if torch.is_grad_enabled():
        raise RuntimeError("Qui si deriva una volta sola: le derivate seconde non ci sono")


def has_lse(q):
    """True se qui c'è un kernel che dà anche il log-sum-exp: nelle versioni provate di torch, sulla CPU."""
    return q.device.type == "cpu" and hasattr(torch.ops.aten, _FORWARD) and hasattr(torch.ops.aten, _FORWARD + "_backward")


def no_parts(q):
    """L'uscita e il log-sum-exp prima di ogni parte, (…, Tq, Dh) e (…, Tq): zeri e -inf, almeno in float32."""
    wide = torch.promote_types(q.dtype, torch.float32)
    return q.new_zeros(q.shape, dtype=wide), q.new_full(q.shape[:-1], -math.inf, dtype=wide)


def add_part(output, lse, q, k, v, *, mask=None, causal=False, scale=None):
    """Calcola una parte, e la unisce sul posto a quelle che `output` e `lse` contengono già: è `merge`, senza copie.

    Args:
        output, lse: ciò che c'è finora; la stessa shape di q, a meno di come sono divisi i primi assi.
        q, k, v: query, key e value di questa parte, shape (B, H, Tq, Dh) e (B, H, Tk, Dh). Nessuna riga dev'essere vuota.
        mask: booleani (Tq, Tk), True = visibile; None = tutto, o il triangolo se `causal`.
    """
    q, k, v = map(_readable, (q, k, v))                        # il kernel non controlla, e leggerebbe altri numeri
    o, s = (_fused_part if has_lse(q) else _plain_part)(q, k, v, mask, causal, scale)
    o, s = o.reshape(output.shape).to(output.dtype), s.reshape(lse.shape)
    output.lerp_(o, torch.sigmoid(s - lse).unsqueeze(-1))      # il peso di questa parte fra le due
    lse.copy_(torch.logaddexp(lse, s))


def part_gradients(gradient, q, k, v, output, lse, *, mask=None, causal=False, scale=None):
    """La quota di una parte nei gradienti di q, k e v; `output` e `lse` sono quelli di tutte le parti insieme."""
    q, k, v = map(_readable, (q, k, v))
    return (_fused_gradients if has_lse(q) else _plain_gradients)(gradient, q, k, v, output, lse, mask, causal, scale)


def one_query(q, k, v, scale):
    """Una query per head: un passo di generazione. Conta solo leggere key e value una volta, e in fretta.

    Le G query di un gruppo diventano colonne, e ogni key si legge una volta sola per tutte. Sulla CPU, con più
    head di key, il prodotto K·q legge la memoria più in fretta del kernel fuso, che qui non ha lavoro da dividere. Se però le
    key sono poche contano i passi, e il kernel fuso è uno solo.
    """
    B, Hq, _, Dh = q.shape
    Hkv = k.shape[1]
    if Hkv == 1 or k.numel() < SMALL or not _fast_here(q, k, v):
        return fused(q.reshape(B, Hkv, -1, Dh), k, v, scale).reshape(q.shape)          # i gruppi come altre query
    columns = (q * (Dh ** -0.5 if scale is None else scale)).reshape(B * Hkv, -1, Dh).transpose(1, 2)      # (B·Hkv, Dh, G)
    weights = (k.flatten(0, 1) @ columns).transpose(1, 2).softmax(-1)      # (B·Hkv, G, Tk)
    return (weights @ v.flatten(0, 1)).reshape(B, Hq, 1, Dh)


def _fast_here(q, k, v):
    """Se il prodotto K·q conviene e non copia nulla: sulla CPU, con le key di ogni head una accanto all'altra."""
    adjacent = all(t.stride(0) == k.shape[1] * t.stride(1) and t.stride(3) == 1 for t in (k, v))
    return adjacent and q.device.type == "cpu" and q.dtype in (torch.float32, torch.float64)


def _fused_part(q, k, v, mask, causal, scale):
    return getattr(torch.ops.aten, _FORWARD)(q, k, v, 0.0, causal, attn_mask=_additive(mask, q), scale=scale)


def _fused_gradients(gradient, q, k, v, output, lse, mask, causal, scale):
    return getattr(torch.ops.aten, _FORWARD + "_backward")(gradient, q, k, v, output, lse, 0.0, causal, attn_mask=_additive(mask, q), scale=scale)


def _additive(mask, q):
    """La maschera come la vuole il kernel: 0 dove si vede, -inf altrove."""
    return None if mask is None else torch.zeros(mask.shape, dtype=q.dtype, device=q.device).masked_fill(~mask, -math.inf)


def _plain_part(q, k, v, mask, causal, scale):
    """La stessa parte per esteso, dove il kernel non c'è."""
    scores = _plain_scores(q, k, mask, causal, scale)
    lse = scores.logsumexp(-1)
    return (scores - lse.unsqueeze(-1)).exp() @ v.to(scores.dtype), lse


def _plain_gradients(gradient, q, k, v, output, lse, mask, causal, scale):
    scores = _plain_scores(q, k, mask, causal, scale)
    wide = scores.dtype
    weights, gradient, output = (scores - lse.unsqueeze(-1)).exp(), gradient.to(wide), output.to(wide)
    of_weights = gradient @ v.to(wide).transpose(2, 3)
    of_scores = weights * (of_weights - (gradient * output).sum(-1, keepdim=True)) * (q.shape[-1] ** -0.5 if scale is None else scale)
    return tuple(t.to(q.dtype) for t in (of_scores @ k.to(wide), of_scores.transpose(2, 3) @ q.to(wide), weights.transpose(2, 3) @ gradient))


def _plain_scores(q, k, mask, causal, scale):
    wide = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(wide) @ k.to(wide).transpose(2, 3) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    return scores if mask is None else scores.masked_fill(~mask, -math.inf)
