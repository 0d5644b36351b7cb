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
        """L'attenzione a blocchi di query: ogni blocco ignora le key del proprio futuro e maschera le altre."""
        Tq, Tk = q.shape[2], k.shape[2]
        outputs = []
        for start in range(0, Tq, QUERY_BLOCK):
            stop = min(start + QUERY_BLOCK, Tq)
            n_keys = Tk - Tq + stop                                        # fino all'ultima posizione del blocco
            mask = self.mask(stop - start, n_keys, device=q.device)[None, None]
            outputs.append(_fused(q[:, :, start:stop], k[:, :, :n_keys], v[:, :, :n_keys], scale, attn_mask=mask))
        return torch.cat(outputs, dim=2)                                   # (B, Hq, Tq, Dh)


@dataclass(frozen=True)
class Full(Pattern):
    """Ogni query vede ogni key, futuro compreso. È l'attenzione di un encoder.

    Fonte: Vaswani et al. 2017, arXiv 1706.03762, §3.2.3. Si costruisce nel capitolo 3.
    """

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
            return Full().attend(q, k, v, scale)
        if Tq == Tk:                      # con Tq < Tk is_causal conterebbe le query dalla prima posizione
            return _fused(q, k, v, scale, is_causal=True)
        return super().attend(q, k, v, scale)


def _fused(q, k, v, scale, **options):
    """Il kernel fuso. Se l'ultimo asse non è contiguo torna in silenzio alla via lenta: lo si copia prima."""
    q, k, v = (t if t.stride(-1) == 1 else t.contiguous() for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=q.shape[1] != k.shape[1], **options)
