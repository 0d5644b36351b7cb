"""La ring attention su processi veri: ogni rank tiene le sue query, e key e value girano.

Le head non si parlano: girano una alla volta, così in viaggio c'è sempre poca memoria. A ogni passo un rank affida a chi
segue il blocco che ha in mano, prenota quello di chi precede, e intanto calcola. Un blocco si ferma dove non serve più a
nessuno: con `contiguous` e la maschera causale, per esempio, non torna mai all'inizio della fila.
"""

import torch
import torch.distributed as dist

from attnkit.attention.controlli import check_inputs
from attnkit.attention.fuso import add_part, derived_once, no_parts, part_gradients
from attnkit.ring.disposizione import LAYOUTS
from attnkit.ring.vicini import Ring


def ring_attention(q, k, v, *, causal=True, layout="zigzag", group=None, watch=None):
    """L'attenzione esatta di una sequenza divisa fra più processi. La chiamano tutti, ognuno con la sua parte.

    Le query restano dove sono; key e value passano di vicino in vicino, e ogni blocco viaggia mentre si calcola quello
    di prima. È derivabile: all'indietro girano anche i gradienti di key e value.

    Args:
        q: le query di questo rank, shape (B, Hq, T/P, Dh).
        k, v: le sue key e i suoi value, shape (B, Hkv, T/P, Dh), con Hkv che divide Hq.
        causal: se nessuno vede il futuro.
        layout: come i token sono divisi: "contiguous", "zigzag" o "striped"; vedi `shard`.
        group: il gruppo di processi, con qualunque backend; None = tutti.
        watch: una funzione chiamata prima di ogni calcolo e prima di ogni attesa, con i byte appena affidati agli altri.

    Returns:
        L'uscita per le query di questo rank, shape (B, Hq, T/P, Dh).

    Raises:
        ValueError: se shape, dtype o device non si accordano, qui o fra un rank e l'altro, o la disposizione non c'è. Si
            fermano tutti i rank, prima che parta un blocco.
        RuntimeError: se il gruppo non c'è, o un altro rank non risponde entro il limite del gruppo, quello di
            `init_process_group(timeout=…)`; il messaggio dice quale.

    Fonte:
        Liu et al. 2023, arXiv 2310.01889. Si costruisce nel capitolo 9.
    """
    if not dist.is_initialized():
        raise RuntimeError("Non c'è un gruppo di processi: prima serve torch.distributed.init_process_group, o attnkit.ring.launch")
    if dist.get_rank(group) < 0:
        raise RuntimeError("Questo processo non fa parte del gruppo: ring_attention la chiamano solo i suoi rank")
    _agree(q, k, v, causal, layout, group)
    return _Attention.apply(q, k, v, Ring(q.shape[2], causal, layout, group, watch))


def _agree(q, k, v, causal, layout, group):
    """Un piccolo scambio prima che parta qualunque blocco. Chi ha ingressi sbagliati lo dice a tutti, e tutti si fermano."""
    try:
        mine = _measures(q, k, v, causal, layout)
    except ValueError as error:
        mine = str(error)
    everyone = [None] * dist.get_world_size(group)
    try:
        dist.all_gather_object(everyone, mine, group)
    except RuntimeError as error:
        raise RuntimeError(f"Il rank {dist.get_rank(group)} aspettava le misure degli altri: {error}") from error
    if isinstance(mine, str):
        raise ValueError(mine)
    for rank, theirs in enumerate(everyone):
        if isinstance(theirs, str):
            raise ValueError(f"Il rank {rank} si è fermato. {theirs}")
    for rank, theirs in enumerate(everyone):
        for name, value in everyone[0].items():
            if theirs[name] != value:
                raise ValueError(f"{name}: tutti i rank devono avere lo stesso valore, ma il rank 0 ha {value} e il rank {rank} ha {theirs[name]}")


def _measures(q, k, v, causal, layout):
    """Ciò che dev'essere uguale in tutti i rank."""
    check_inputs(q, k, v, None)
    if layout not in LAYOUTS:
        raise ValueError(f"layout: mi aspettavo uno fra {', '.join(LAYOUTS)}, ho trovato {layout!r}")
    if q.shape[2] != k.shape[2]:
        raise ValueError(f"Mi aspettavo tante query quante key, ho trovato {q.shape[2]} e {k.shape[2]}")
    if causal and layout == "zigzag" and q.shape[2] % 2:
        raise ValueError(f"layout='zigzag': mi aspettavo un numero pari di token per rank, ne ho trovati {q.shape[2]}")
    gradients = torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, v))
    return {"shape di q": tuple(q.shape), "shape di k": tuple(k.shape), "dtype": str(q.dtype), "device": q.device.type,
            "causal": bool(causal), "layout": layout, "requires_grad": gradients}


def _pair(k, dtype):
    """Lo spazio per una head di key e una di value."""
    return tuple(torch.empty(k.shape[0], 1, *k.shape[2:], dtype=dtype, device=k.device) for _ in range(2))


def _turns(q, k, v):
    """I giri, uno per head di key e value: (quale, le sue query head come fette lunghe uno, il suo blocco)."""
    group = q.shape[1] // k.shape[1]
    for head in range(k.shape[1]):
        yield head, [slice(h, h + 1) for h in range(head * group, (head + 1) * group)], tuple(t[:, head:head + 1].contiguous() for t in (k, v))


class _Attention(torch.autograd.Function):

    @staticmethod
    def forward(ctx, q, k, v, ring):
        output, lse = no_parts(q)
        buffers = [_pair(k, k.dtype) for _ in range(2)]        # in uno il blocco in mano, nell'altro quello in arrivo
        for _, queries, block in _turns(q, k, v):
            for step in range(ring.ranks):
                into = buffers[step % 2]
                wait = ring.pass_block(step, block, into)
                ring.tell()
                for i, j, triangle in ring.tiles(ring.rank, (ring.rank - step) % ring.ranks):
                    for h in queries:
                        add_part(output[:, h, i], lse[:, h, i], q[:, h, i], *(t[:, :, j] for t in block), causal=triangle)
                ring.tell()
                wait()
                block = into
        output = output.to(q.dtype)
        ctx.save_for_backward(q, k, v, output, lse)
        ctx.ring = ring
        return output

    @staticmethod
    def backward(ctx, gradient):
        derived_once()
        q, k, v, output, lse = ctx.saved_tensors
        ring, wide = ctx.ring, lse.dtype
        B, Hkv, n, Dh = k.shape
        dq = torch.zeros(q.shape, dtype=wide, device=q.device)
        dk, dv = lse.new_empty(2, Hkv, B, 1, n, Dh)            # prima le head: ognuna arriva in memoria contigua
        buffers, shares, earlier = [_pair(k, k.dtype) for _ in range(2)], [_pair(k, wide) for _ in range(2)], _pair(k, wide)
        for head, queries, block in _turns(q, k, v):
            wait_gradients = lambda: None
            for step in range(ring.ranks):
                source, into, share = (ring.rank - step) % ring.ranks, buffers[step % 2], shares[step % 2]
                wait = ring.pass_block(step, block, into)
                ring.tell()
                for t in share:
                    t.zero_()
                for i, j, triangle in ring.tiles(ring.rank, source):
                    for h in queries:
                        g, o, s = (t[:, h, i].contiguous() for t in (gradient, output, lse))
                        pieces = part_gradients(g, q[:, h, i], *(t[:, :, j] for t in block), o, s, causal=triangle)
                        for total, piece in zip((dq[:, h, i], share[0][:, :, j], share[1][:, :, j]), pieces):
                            total += piece
                ring.tell()
                wait()
                wait_gradients()
                if 0 < step <= ring.hops[source]:              # le quote di chi ha già avuto questo blocco
                    for total, piece in zip(share, earlier):
                        total += piece
                wait_gradients = ring.pass_gradients(step, share, earlier, (dk[head], dv[head]))
                block = into
            ring.tell()
            wait_gradients()
        return dq.to(q.dtype), *(t.squeeze(2).transpose(0, 1).to(q.dtype) for t in (dk, dv)), None
