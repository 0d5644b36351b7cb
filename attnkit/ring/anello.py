"""La ring attention su processi veri: ogni rank tiene le sue query, e key e value girano."""

import torch
import torch.distributed as dist

from attnkit.attention.controlli import check_inputs
from attnkit.attention.fuso import add_part, no_parts, one_per_group, part_gradients
from attnkit.ring.disposizione import LAYOUTS


def ring_attention(q, k, v, *, causal=True, layout="zigzag", group=None):
    """L'attenzione esatta di una sequenza divisa fra più processi. La chiamano tutti, ognuno con la sua parte.

    Le query restano dove sono; key e value passano di vicino in vicino, e ogni blocco viaggia mentre si calcola quello
    di prima. È derivabile: all'indietro girano anche i gradienti di key e value.

    Args:
        q: le query di questo rank, shape (B, Hq, T/P, Dh).
        k, v: le sue key e i suoi value, shape (B, Hkv, T/P, Dh), con Hkv che divide Hq.
        causal: se nessuno vede il futuro.
        layout: come i token sono divisi: "contiguous", "zigzag" o "striped"; vedi `shard`.
        group: il gruppo di processi; None = tutti.

    Returns:
        L'uscita per le query di questo rank, shape (B, Hq, T/P, Dh).

    Raises:
        ValueError: se shape, dtype o device non si accordano, qui o fra un rank e l'altro, o la disposizione non c'è.

    Fonte:
        Liu et al. 2023, arXiv 2310.01889. Si costruisce nel capitolo 9.
    """
    check_inputs(q, k, v, None)
    if layout not in LAYOUTS:
        raise ValueError(f"layout: mi aspettavo uno fra {', '.join(LAYOUTS)}, ho trovato {layout!r}")
    if q.shape[2] != k.shape[2]:
        raise ValueError(f"Mi aspettavo tante query quante key, ho trovato {q.shape[2]} e {k.shape[2]}")
    if causal and layout == "zigzag" and q.shape[2] % 2:
        raise ValueError(f"layout='zigzag': mi aspettavo un numero pari di token per rank, ne ho trovati {q.shape[2]}")
    _agree(q, k, causal, layout, group)
    return _Ring.apply(q, k.contiguous(), v.contiguous(), causal, layout, group)


def _agree(q, k, causal, layout, group):
    """Un piccolo scambio prima di far partire qualunque blocco: tutti devono avere le stesse misure."""
    mine = (tuple(q.shape), tuple(k.shape), str(q.dtype), q.device.type, causal, layout)
    everyone = [None] * dist.get_world_size(group)
    dist.all_gather_object(everyone, mine, group)
    for rank, theirs in enumerate(everyone):
        if theirs != everyone[0]:
            raise ValueError(f"I rank devono avere le stesse misure: il rank 0 ha {everyone[0]}, il rank {rank} ha {theirs}")


def _tiles(layout, causal, rank, source, n):
    """I rettangoli da calcolare fra le query di un rank e le key di un altro: (query, key, causale).

    Le posizioni di un rank crescono: con sé stesso ognuno è causale. Con gli altri, ogni disposizione ha un caso solo: tutto,
    metà, un triangolo, o niente.
    """
    every, half = slice(None), n // 2
    if not causal or source == rank:
        return [(every, every, causal)]
    if layout == "contiguous":
        return [(every, every, False)] if source < rank else []
    if layout == "zigzag":
        return [(every, slice(half), False)] if source < rank else [(slice(half, None), every, False)]
    return [(every, every, True)] if source < rank else [(slice(1, None), slice(-1), True)] if n > 1 else []


class _Ring(torch.autograd.Function):

    @staticmethod
    def forward(ctx, q, k, v, causal, layout, group):
        rank, ranks = dist.get_rank(group), dist.get_world_size(group)
        output, lse = no_parts(q)
        block = (k, v)
        for step in range(ranks):
            coming = _pass(block, group) if step < ranks - 1 else None
            for i, j, triangle in _tiles(layout, causal, rank, (rank - step) % ranks, q.shape[2]):
                for heads in one_per_group(q, k):
                    add_part(output[:, heads, i], lse[:, heads, i], q[:, heads, i], block[0][:, :, j], block[1][:, :, j], causal=triangle)
            if coming:
                block = coming()
        output = output.to(q.dtype)
        ctx.save_for_backward(q, k, v, output, lse)
        ctx.ring = causal, layout, group
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        q, k, v, output, lse = ctx.saved_tensors
        causal, layout, group = ctx.ring
        rank, ranks = dist.get_rank(group), dist.get_world_size(group)
        gradient = gradient.contiguous()
        dq, block, given = torch.zeros_like(q, memory_format=torch.contiguous_format), (k, v), (torch.zeros_like(k), torch.zeros_like(v))
        for step in range(ranks):
            coming = _pass(block, group) if step < ranks - 1 else None
            for i, j, triangle in _tiles(layout, causal, rank, (rank - step) % ranks, q.shape[2]):
                for heads in one_per_group(q, k):
                    g, o, s = (t[:, heads, i].contiguous() for t in (gradient, output, lse))
                    pieces = part_gradients(g, q[:, heads, i], block[0][:, :, j], block[1][:, :, j], o, s, causal=triangle)
                    for target, piece in zip((dq[:, heads, i], given[0][:, :, j], given[1][:, :, j]), pieces):
                        target += piece
            given = _pass(given, group)() if ranks > 1 else given          # dopo P passaggi i gradienti sono a casa
            if coming:
                block = coming()
        return dq, *given, None, None, None


def _pass(tensors, group):
    """Manda dei tensori al vicino e prenota quelli dell'altro vicino; chiamando il risultato si aspetta che arrivino."""
    rank, ranks = dist.get_rank(group), dist.get_world_size(group)
    after, before = ((dist.get_global_rank(group, r % ranks) if group is not None else r % ranks) for r in (rank + 1, rank - 1))
    arriving = [torch.empty_like(t) for t in tensors]
    operations = [dist.P2POp(dist.isend, t, after, group, tag=n) for n, t in enumerate(tensors)]
    operations += [dist.P2POp(dist.irecv, t, before, group, tag=n) for n, t in enumerate(arriving)]
    requests = dist.batch_isend_irecv(operations)

    def wait():
        for request in requests:
            request.wait()
        return tuple(arriving)
    return wait
