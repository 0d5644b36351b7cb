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

from attnkit.attention.fuso import add_part, derived_once, no_parts, part_gradients


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
        Shape (B, Hq, T, Dh), derivabile una volta: le derivate seconde danno un errore.
    """
    T = q.shape[2]
    block = min(block, T)                                      # un blocco più lungo della frase è la frase
    if T % block:                                              # anche riempire di nulla costerebbe una copia
        q, k, v = (F.pad(t, (0, 0, 0, -T % block)) for t in (q, k, v))
    q, k, v = (t.unflatten(2, (-1, block)) for t in (q, k, v))             # (B, H, n, block, Dh)
    parts = [part for part in parts if part.shift < q.shape[2]]
    return _Grid.apply(q, k, v, parts, scale).flatten(2, 3)[:, :, :T]


class _Grid(torch.autograd.Function):
    """Un pezzo dopo l'altro, e un passo all'indietro che usa il log-sum-exp di tutti insieme."""

    @staticmethod
    def forward(ctx, q, k, v, parts, scale):
        q = q.contiguous()
        output, lse = no_parts(q)
        for rows, keys, mask, heads in _calls(parts, q, k):
            add_part(rows(output)[:, heads], rows(lse)[:, heads], *_inputs(rows, keys, q[:, heads], k, v), mask=mask, causal=mask is None, scale=scale)
        output = output.to(q.dtype)
        ctx.save_for_backward(q, k, v, output, lse)
        ctx.parts, ctx.scale = parts, scale
        return output

    @staticmethod
    def backward(ctx, gradient):
        derived_once()
        q, k, v, output, lse = ctx.saved_tensors
        gradient = gradient.contiguous()
        dq, dk, dv = (torch.zeros_like(t, memory_format=torch.contiguous_format) for t in (q, k, v))
        for rows, keys, mask, heads in _calls(ctx.parts, q, k):
            inputs = _inputs(rows, keys, q[:, heads], k, v)
            g, o, s = (rows(t)[:, heads].flatten(0, 1).contiguous() for t in (gradient, output, lse))
            gradients = part_gradients(g, *inputs, o, s, mask=mask, causal=mask is None, scale=ctx.scale)
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
