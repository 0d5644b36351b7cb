"""Chi vede chi, e la strada più corta per calcolarlo.

Un pattern è un predicato sulle posizioni. Da quello vengono la maschera e, senza altro codice, un calcolo
esatto a blocchi; i pattern che conoscono una strada migliore la dicono in `attend`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from attnkit.shapes import positive_int

QUERY_BLOCK = 256             # righe per volta quando serve una maschera: piccola in memoria, grande per il kernel


@dataclass(frozen=True)
class Pattern:
    """Chi vede chi. Un pattern nuovo deve dire soltanto `sees` ed `edges`, e non vedere il futuro.

    Un pattern che conosce una strada più corta della maschera riscrive anche `attend`.
    """

    causal = True             # nessuno vede il futuro: i token nuovi non cambiano le uscite dei vecchi
    reach = None              # quante key, sé stessa compresa, può vedere una query; None = senza limite. Con un limite,
                              # chi vede chi deve dipendere solo dalla distanza

    def sees(self, i, j):
        """True dove la query in posizione `i` vede la key in posizione `j`; interi o tensori di interi."""
        raise NotImplementedError(f"{type(self).__name__} non dice chi vede chi: manca il metodo sees")

    def edges(self, T):
        """Quante coppie visibili ci sono fra T query e T key: il lavoro da fare."""
        raise NotImplementedError(f"{type(self).__name__} non conta le coppie visibili: manca il metodo edges")

    def mask(self, Tq, Tk=None, *, device=None):
        """Il pattern come maschera, True = visibile.

        Args:
            Tq: quante query.
            Tk: quante key; None = Tq. Se sono di più, le query sono le ultime Tq posizioni.
            device: dove costruirla.

        Returns:
            Booleani torch, shape (Tq, Tk).

        Raises:
            ValueError: se Tq o Tk non sono interi positivi, o se Tq supera Tk.
        """
        Tq = positive_int("Tq", Tq)
        Tk = Tq if Tk is None else positive_int("Tk", Tk)
        self.check_lengths(Tq, Tk)
        i = torch.arange(Tk - Tq, Tk, device=device)[:, None]              # (Tq, 1)
        j = torch.arange(Tk, device=device)                                # (Tk,)
        return self.sees(i, j)

    def check_lengths(self, Tq, Tk):
        """Ogni query dev'essere anche una key: ValueError se Tq supera Tk."""
        if Tq > Tk:
            raise ValueError(f"Tq={Tq} supera Tk={Tk}: con {self} le query sono le ultime Tq delle Tk posizioni")

    def attend(self, q, k, v, scale):
        """L'attenzione a blocchi di query: di ciascuno si leggono solo le key che qualcuna può vedere, mascherate."""
        Tq, Tk = q.shape[2], k.shape[2]
        outputs = []
        for start in range(0, Tq, QUERY_BLOCK):
            stop = min(start + QUERY_BLOCK, Tq)
            last = Tk - Tq + stop                                          # una oltre l'ultima posizione del blocco
            first = 0 if self.reach is None else max(0, last - (stop - start) - self.reach + 1)
            mask = self.mask(stop - start, last - first, device=q.device)[None, None]
            outputs.append(_fused(q[:, :, start:stop], k[:, :, first:last], v[:, :, first:last], scale, attn_mask=mask))
        return torch.cat(outputs, dim=2)                                   # (B, Hq, Tq, Dh)


@dataclass(frozen=True)
class Full(Pattern):
    """Ogni query vede ogni key, futuro compreso. È l'attenzione di un encoder.

    Fonte: Vaswani et al. 2017, arXiv 1706.03762, §3.2.3. Si costruisce nel capitolo 3.
    """

    causal = False

    def sees(self, i, j):
        return (i == i) & (j == j)                                         # sempre, con la shape giusta

    def edges(self, T):
        return positive_int("T", T) ** 2

    def check_lengths(self, Tq, Tk):
        """Qui le posizioni non contano: ogni lunghezza va bene."""

    def attend(self, q, k, v, scale):
        """Senza maschera le query head di un gruppo sono solo altre query: le key si leggono una volta."""
        B, Hq, Tq, Dh = q.shape
        Hkv = k.shape[1]
        output = _fused(q.reshape(B, Hkv, -1, Dh), k, v, scale)            # (B, Hkv, G·Tq, Dh)
        return output.reshape(B, Hq, Tq, Dh)


@dataclass(frozen=True)
class Causal(Pattern):
    """Ogni query vede sé stessa e ciò che la precede. È l'attenzione di un decoder.

    Fonte: Vaswani et al. 2017, arXiv 1706.03762, §3.2.3. Si costruisce nel capitolo 3.
    """

    def sees(self, i, j):
        return j <= i

    def edges(self, T):
        T = positive_int("T", T)
        return T * (T + 1) // 2

    def attend(self, q, k, v, scale):
        """Tre casi: una query sola vede tutto; il quadrato ha un kernel suo; il resto va a blocchi."""
        Tq, Tk = q.shape[2], k.shape[2]
        if Tq == 1:
            return _one_query(q, k, v, scale)
        if Tq == Tk:                      # con Tq < Tk is_causal conterebbe le query dalla prima posizione
            return _fused(q, k, v, scale, is_causal=True)
        return super().attend(q, k, v, scale)


@dataclass(frozen=True)
class Window(Pattern):
    """Ogni query vede le ultime `window` key, sé stessa compresa. Il calcolo tocca solo quelle.

    Fonte: Beltagy et al. 2020, arXiv 2004.05150, §3.1; Jiang et al. 2023, arXiv 2310.06825, §2. Si costruisce nel
    capitolo 8.
    """

    window: int

    def __post_init__(self):
        object.__setattr__(self, "window", positive_int("window", self.window))

    reach = property(lambda self: self.window)

    def sees(self, i, j):
        return (j <= i) & (j > i - self.window)

    def edges(self, T):
        T = positive_int("T", T)
        short = min(T, self.window)                                        # le prime righe sono più corte della finestra
        return short * (short + 1) // 2 + (T - short) * self.window

    def attend(self, q, k, v, scale):
        """Una query sola vede tutta la sua finestra; il resto va a blocchi."""
        if q.shape[2] == 1:
            return _one_query(q, k[:, :, -self.window:], v[:, :, -self.window:], scale)
        return super().attend(q, k, v, scale)


def _one_query(q, k, v, scale):
    """Una query per head: un passo di generazione. Conta solo leggere key e value una volta, e in fretta.

    Le G query di un gruppo diventano colonne, e ogni key si legge una volta sola per tutte. Sulla CPU, con più
    head di key, il prodotto K·q legge la memoria più in fretta del kernel fuso, che qui non ha lavoro da dividere.
    """
    B, Hq, _, Dh = q.shape
    Hkv = k.shape[1]
    adjacent = all(t.stride(0) == Hkv * t.stride(1) and t.stride(3) == 1 for t in (k, v))
    if Hkv == 1 or not adjacent or q.device.type != "cpu" or q.dtype not in (torch.float32, torch.float64):
        return Full().attend(q, k, v, scale)
    columns = (q * (Dh ** -0.5 if scale is None else scale)).reshape(B * Hkv, -1, Dh).transpose(1, 2)      # (B·Hkv, Dh, G)
    weights = (k.flatten(0, 1) @ columns).transpose(1, 2).softmax(-1)      # (B·Hkv, G, Tk)
    return (weights @ v.flatten(0, 1)).reshape(B, Hq, 1, Dh)


def _fused(q, k, v, scale, **options):
    """Il kernel fuso. Se l'ultimo asse non è contiguo torna in silenzio alla via lenta: lo si copia prima."""
    q, k, v = (t if t.stride(-1) == 1 else t.contiguous() for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=q.shape[1] != k.shape[1], **options)
