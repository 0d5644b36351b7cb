"""La sequenza piegata in una griglia: una riga per blocco. Da qui passano i pattern fatti a blocchi e a colonne.

    token 0 1 2 3 4 5 6 7 8 …, blocchi lunghi 4:        0  1  2  3
                                                        4  5  6  7
                                                        8  …

Guardare nel proprio blocco è guardare lungo una riga; guardare un token ogni quattro è guardare lungo una colonna, cioè
la stessa cosa sulla griglia trasposta. Ogni *parte* è un'attenzione densa fra pezzi uguali, calcolata dal kernel fuso in
una chiamata; le parti di una stessa query si uniscono poi per log-sum-exp.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from attnkit.attention.fuso import fused_backward, fused_with_lse, has_lse
from attnkit.attention.parziale import merge, partial_attention


ROWS = 512                    # quante query per volta guardano i riassunti: la maschera resta piccola, il matmul grande


class Part(NamedTuple):
    """Una parte: le query di ogni blocco guardano key che stanno almeno `shift` blocchi più indietro."""

    shift: int                # 0 = il proprio blocco
    columns: bool = False     # False: un blocco solo, `shift` più indietro. True: lungo le colonne, da lì fino all'inizio
    mask: torch.Tensor = None     # booleani, True = visibile; None = causale, dentro il blocco o lungo la colonna
    summary: int = 0          # se non è zero, le ultime `summary` key di ogni blocco precedente

    def pieces(self, n, block, device):
        """I pezzi che si calcolano con una chiamata sola, su una griglia di n blocchi.

        Yields:
            Terne (righe, key, maschera). Le prime due sono funzioni: da un tensore sulla griglia, (B, H, n, block, …), danno la
            vista delle query, (B, H, pezzi, righe, …), o delle key di quel pezzo.
        """
        if not self.summary:
            turn = (lambda t: t.transpose(2, 3)) if self.columns else (lambda t: t)
            yield lambda t: turn(t[:, :, self.shift:]), lambda t: turn(t[:, :, :n - self.shift]), self.mask
            return
        step = max(1, ROWS // block)
        for first in range(1, n, step):
            stop = min(first + step, n)
            mask = torch.ones(stop - first, stop - 1, dtype=torch.bool, device=device).tril(first - 1)      # il blocco first + r vede quelli prima
            mask = mask.repeat_interleave(block, 0).repeat_interleave(self.summary, 1)
            yield (lambda t, a=first, b=stop: t[:, :, a:b].view(*t.shape[:2], 1, -1, *t.shape[4:]),
                   lambda t, b=stop: t[:, :, :b - 1, -self.summary:], mask)


def grid_attention(q, k, v, block, parts, scale):
    """L'attenzione fatta di parti su una griglia, esatta nei valori e nei gradienti.

    Args:
        q: query, shape (B, Hq, T, Dh).
        k, v: key e value, shape (B, Hkv, T, Dh).
        block: quanti token per riga. Se T non è un multiplo, l'ultima riga si riempie di zeri che nessuno vede.
        parts: le `Part`; quella con shift 0 vede almeno sé stessa, e nelle altre nessuna riga è vuota.
        scale: il fattore dei punteggi; None = 1/√Dh.

    Returns:
        Shape (B, Hq, T, Dh).
    """
    T = q.shape[2]
    if T % block:                                              # anche riempire di nulla costerebbe una copia
        q, k, v = (F.pad(t, (0, 0, 0, -T % block)) for t in (q, k, v))
    q, k, v = (t.unflatten(2, (-1, block)) for t in (q, k, v))             # (B, H, n, block, Dh)
    parts = [part for part in parts if part.shift < q.shape[2]]
    output = _Fused.apply(q, k, v, parts, scale) if has_lse(q) else _plain(q, k, v, parts, scale)
    return output.flatten(2, 3)[:, :, :T]


class _Fused(torch.autograd.Function):
    """Il kernel fuso su ogni pezzo, e un passo all'indietro che usa il log-sum-exp di tutti insieme."""

    @staticmethod
    def forward(ctx, q, k, v, parts, scale):
        q = q.contiguous()
        output, lse = q.new_zeros(q.shape, dtype=torch.promote_types(q.dtype, torch.float32)), q.new_full(q.shape[:-1], -torch.inf, dtype=torch.promote_types(q.dtype, torch.float32))
        for rows, keys, mask, heads in _calls(parts, q, k):
            pq, pk, pv = _inputs(rows, keys, q[:, heads], k, v)
            o, s = (t.unflatten(0, (q.shape[0], -1)) for t in fused_with_lse(pq, pk, pv, mask, mask is None, scale))
            total, before = rows(output)[:, heads], rows(lse)[:, heads]
            total.lerp_(o.to(s.dtype), torch.sigmoid(s - before).unsqueeze(-1))            # è merge, sul posto
            before.copy_(torch.logaddexp(before, s))
        output = output.to(q.dtype)
        ctx.save_for_backward(q, k, v, output, lse)
        ctx.parts, ctx.scale = parts, scale
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        q, k, v, output, lse = ctx.saved_tensors
        gradient = gradient.contiguous()
        dq, dk, dv = (torch.zeros_like(t, memory_format=torch.contiguous_format) for t in (q, k, v))
        for rows, keys, mask, heads in _calls(ctx.parts, q, k):
            inputs = _inputs(rows, keys, q[:, heads], k, v)
            g, o, s = (rows(t)[:, heads].flatten(0, 1).contiguous() for t in (gradient, output, lse))
            gradients = fused_backward(g, *inputs, o, s, mask, mask is None, ctx.scale)
            for target, given in zip((rows(dq)[:, heads], keys(dk), keys(dv)), gradients):
                target += given.reshape(target.shape)
        return dq, dk, dv, None, None


def _calls(parts, q, k):
    """Le chiamate da fare: per ogni pezzo di ogni parte, le query head che stanno di fronte a tutte le head di key."""
    group = q.shape[1] // k.shape[1]
    for part in parts:
        for rows, keys, mask in part.pieces(*q.shape[2:4], q.device):
            for g in range(group):
                yield rows, keys, mask, slice(g, None, group)


def _inputs(rows, keys, q, k, v):
    """Query, key e value di un pezzo, come li vuole il kernel: (B·H, pezzi, righe, Dh)."""
    q = rows(q)
    return (q.flatten(0, 1), *(keys(t).reshape(*q.shape[:3], -1, t.shape[-1]).flatten(0, 1) for t in (k, v)))


def _plain(q, k, v, parts, scale):
    """Le stesse parti senza kernel fuso, dove non c'è: punteggi per esteso, un pezzo per volta, e gradienti automatici."""
    B, Hq, n, block, Dh = q.shape
    k, v = (t.repeat_interleave(Hq // t.shape[1], 1) for t in (k, v))
    places, total = torch.arange(n * block, device=q.device).view(1, 1, n, block), None
    for part in parts:
        for rows, keys, mask in part.pieces(n, block, q.device):
            inputs = _inputs(rows, keys, q, k, v)
            if mask is None:
                mask = torch.ones(inputs[0].shape[2], inputs[1].shape[2], dtype=torch.bool, device=q.device).tril()
            o, s = (t.unflatten(0, (B, Hq)) for t in partial_attention(*inputs, mask=mask, scale=scale))
            where = rows(places).flatten()                                 # il posto di ogni riga, nella sequenza
            o = q.new_zeros(B, Hq, n * block, Dh).index_copy(2, where, o.flatten(2, 3))
            s = s.new_full((B, Hq, n * block), -torch.inf).index_copy(2, where, s.flatten(2, 3))
            total = (o, s) if total is None else merge(total, (o, s))
    return total[0].unflatten(2, (n, block))
