"""I pattern sparsi: chi vede solo una parte del passato, calcolato facendo solo quella parte del lavoro.

=============  =====================================================  ==========================================
pattern        ogni token vede, oltre a sé                            chi resta nella cache
=============  =====================================================  ==========================================
Window         gli ultimi; con i sink, anche i primissimi             la finestra, e i sink
BlockLocal     il passato del proprio blocco                          il proprio blocco
Strided        gli ultimi, e uno ogni `stride` fino all'inizio        tutti
Fixed          il passato del proprio blocco, e i riassunti           il proprio blocco, e i riassunti
=============  =====================================================  ==========================================

Su una GPU passano da FlexAttention, a cui basta il predicato `sees`.
"""

import functools
from dataclasses import dataclass, field

import torch

from attnkit.attention.fuso import fused
from attnkit.attention.griglia import Part, grid_attention
from attnkit.attention.pattern import Pattern
from attnkit.shapes import natural_int, positive_int

ROWS = 64                     # righe per pezzo di una finestra: meno, e il matmul rallenta; di più, e si calcola troppo


class Sparse(Pattern):
    """Ciò che i pattern sparsi hanno in comune: la strada corta vale per una sequenza intera."""

    def attend(self, q, k, v, scale):
        """Una sequenza intera per la strada corta; un suo pezzo, o un passo solo, per quella di ogni pattern."""
        if q.shape[2] != k.shape[2] or q.shape[2] == 1:
            return super().attend(q, k, v, scale)
        return by_predicate(self, q, k, v, scale) if q.is_cuda else self.attend_all(q, k, v, scale)

    def attend_all(self, q, k, v, scale):
        """La strada corta, se c'è; altrimenti a blocchi di query, leggendo solo le key che qualcuna vede."""
        return Pattern.attend(self, q, k, v, scale)


@dataclass(frozen=True)
class Window(Sparse):
    """Ogni query vede le ultime `window` key, sé stessa compresa; e, se ci sono, le prime `sinks` della sequenza.

    Fonte: Beltagy et al. 2020, arXiv 2004.05150, §3.1; Jiang et al. 2023, arXiv 2310.06825, §2; per i sink, Xiao et al.
    2023, arXiv 2309.17453. Si costruisce nel capitolo 8.
    """

    window: int
    sinks: int = field(default=0, kw_only=True)

    def __post_init__(self):
        object.__setattr__(self, "window", positive_int("window", self.window))
        object.__setattr__(self, "sinks", natural_int("sinks", self.sinks))

    reach = property(lambda self: None if self.sinks else self.window)     # con i sink non conta solo la distanza

    def sees(self, i, j):
        return (j <= i) & ((j > i - self.window) | (j < self.sinks))

    def edges(self, T):
        short = min(positive_int("T", T), self.window)                     # le prime righe sono più corte della finestra
        far = min(T - short, self.sinks)                                   # righe che non vedono ancora tutti i sink fuori dalla finestra
        return triangle(short) + (T - short) * self.window + triangle(far) + (T - short - far) * self.sinks

    def needed(self, T):
        j = torch.arange(positive_int("T", T))
        return (j > T - self.window) | (j < self.sinks)

    def attend_all(self, q, k, v, scale):
        """Le query a pezzi di 64, ciascuno con le sue key: viste che si sovrappongono, in una chiamata sola."""
        T, W = q.shape[2], self.window
        start = -(-(W - 1) // ROWS) * ROWS                                 # da qui ogni query ha la finestra piena
        pieces = (T - start) // ROWS
        if self.sinks or pieces < 1:
            return super().attend_all(q, k, v, scale)
        k, v = k.contiguous(), v.contiguous()                              # così anche con più frasi i pezzi restano viste
        stop, width = start + pieces * ROWS, W + ROWS - 1
        keys, values = (t[:, :, start - W + 1:stop].unfold(2, width, ROWS).transpose(3, 4) for t in (k, v))      # (B, Hkv, pezzi, width, Dh)
        queries = q[:, :, start:stop].unflatten(2, (pieces, ROWS))         # (B, Hq, pezzi, ROWS, Dh)
        i, j = torch.arange(W - 1, width, device=q.device)[:, None], torch.arange(width, device=q.device)
        mask, group = self.sees(i, j)[None, None], q.shape[1] // k.shape[1]
        full = [fused(queries[:, g::group].flatten(0, 1), keys.flatten(0, 1), values.flatten(0, 1), scale, attn_mask=mask) for g in range(group)]
        full = full[0] if group == 1 else torch.stack([t.unflatten(0, k.shape[:2]) for t in full], dim=2)        # una copia, solo se serve
        full = full.reshape(*q.shape[:2], stop - start, -1)                # (B, Hq, stop - start, Dh)
        head = [Pattern.attend(self, q[:, :, :start], k[:, :, :start], v[:, :, :start], scale)] if start else []
        tail = [Pattern.attend(self, q[:, :, stop:], k[:, :, stop - W + 1:], v[:, :, stop - W + 1:], scale)] if stop < T else []
        return torch.cat([*head, full, *tail], dim=2)


@dataclass(frozen=True)
class BlockLocal(Sparse):
    """La sequenza è tagliata in blocchi: ogni query vede il passato del proprio, e nient'altro.

    Fonte: Child et al. 2019, arXiv 1904.10509, §4.3, il primo insieme dello schema fixed. Si costruisce nel capitolo 8.
    """

    block: int

    def __post_init__(self):
        object.__setattr__(self, "block", positive_int("block", self.block))

    def sees(self, i, j):
        return (j <= i) & (j // self.block == i // self.block)

    def edges(self, T):
        blocks, rest = divmod(positive_int("T", T), self.block)
        return blocks * triangle(self.block) + triangle(rest)

    def needed(self, T):
        return torch.arange(positive_int("T", T)) >= T - T % self.block

    def attend_all(self, q, k, v, scale):
        """Ogni blocco per conto suo."""
        return grid_attention(q, k, v, self.block, [Part(0)], scale)


@dataclass(frozen=True)
class Strided(Sparse):
    """Ogni query vede le ultime `stride` key, sé stessa compresa, e una key ogni `stride` fino all'inizio.

    Fonte: Child et al. 2019, arXiv 1904.10509, §4.3. Si costruisce nel capitolo 8.
    """

    stride: int

    def __post_init__(self):
        object.__setattr__(self, "stride", positive_int("stride", self.stride))

    def sees(self, i, j):
        return (j <= i) & ((j > i - self.stride) | ((i - j) % self.stride == 0))

    def edges(self, T):
        rows, rest = divmod(positive_int("T", T), self.stride)
        short = min(T, self.stride)
        return triangle(short) + (T - short) * self.stride + self.stride * triangle(rows - 1) + rest * rows

    def attend_all(self, q, k, v, scale):
        """Il proprio blocco, la fine di quello prima, e le colonne della griglia da due blocchi più indietro."""
        stride = min(self.stride, q.shape[2])
        previous = torch.ones(stride, stride, dtype=torch.bool, device=q.device).triu()
        return grid_attention(q, k, v, self.stride, [Part(0), Part(1, mask=previous), Part(2, columns=True)], scale)


@dataclass(frozen=True)
class Fixed(Sparse):
    """Ogni query vede il passato del proprio blocco, e le ultime `summary` key di ogni blocco precedente, che lo riassumono.

    Fonte: Child et al. 2019, arXiv 1904.10509, §4.3. Si costruisce nel capitolo 8.
    """

    stride: int
    summary: int = 1

    def __post_init__(self):
        object.__setattr__(self, "stride", positive_int("stride", self.stride))
        object.__setattr__(self, "summary", positive_int("summary", self.summary))
        if self.summary > self.stride:
            raise ValueError(f"summary={self.summary} supera stride={self.stride}: un blocco non ha tante colonne")

    def sees(self, i, j):
        return (j <= i) & ((j // self.stride == i // self.stride) | (j % self.stride >= self.stride - self.summary))

    def edges(self, T):
        blocks, rest = divmod(positive_int("T", T), self.stride)
        summaries = self.stride * triangle(blocks - 1) + rest * blocks     # quanti blocchi precedenti ha ogni query, in tutto
        return blocks * triangle(self.stride) + triangle(rest) + self.summary * summaries

    def needed(self, T):
        j = torch.arange(positive_int("T", T))
        return (j >= T - T % self.stride) | (j % self.stride >= self.stride - self.summary)

    def attend_all(self, q, k, v, scale):
        """Il proprio blocco, e le ultime colonne di quelli prima."""
        return grid_attention(q, k, v, self.stride, [Part(0), Part(1, summary=self.summary)], scale)


def triangle(n):
    """1 + 2 + … + n, e zero se n non è positivo."""
    return n * (n + 1) // 2 if n > 0 else 0


def by_predicate(pattern, q, k, v, scale):
    """L'attenzione da FlexAttention, che dal predicato ricava quali blocchi saltare. Serve una GPU, o molta pazienza."""
    from torch.nn.attention.flex_attention import flex_attention
    kernel = _compiled() if q.is_cuda else flex_attention
    return kernel(q, k, v, block_mask=block_mask(pattern, q.shape[2], q.device), scale=scale, enable_gqa=q.shape[1] != k.shape[1])


@functools.cache
def _compiled():
    from torch.nn.attention.flex_attention import flex_attention
    return torch.compile(flex_attention, dynamic=False)


@functools.lru_cache(maxsize=16)
def block_mask(pattern, T, device):
    """Il pattern come lo vuole FlexAttention: quali blocchi di una sequenza di T token vanno calcolati."""
    from torch.nn.attention.flex_attention import create_block_mask
    return create_block_mask(lambda b, h, i, j: pattern.sees(i, j), None, None, T, T, device=device)
