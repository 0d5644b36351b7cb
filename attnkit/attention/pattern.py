"""Chi vede chi, e la strada più corta per calcolarlo.

Un pattern è un predicato sulle posizioni. Da quello vengono la maschera e, senza altro codice, un calcolo
esatto a blocchi; i pattern che conoscono una strada migliore la dicono in `attend`.
"""

from dataclasses import dataclass

import torch

from attnkit.attention.fuso import fused, one_query
from attnkit.shapes import positive_int

QUERY_BLOCK = 256             # righe per volta quando serve una maschera: piccola in memoria, grande per il kernel


@dataclass(frozen=True)
class Pattern:
    """Chi vede chi. Un pattern nuovo deve dire soltanto `sees` ed `edges`, e non vedere il futuro.

    Un pattern che conosce una strada più corta riscrive anche `attend`; uno che non ha bisogno di tutto il passato, `needed`.
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

    @property
    def forgets(self):
        """True se c'è un passato che nessuno potrà più vedere: allora la cache non lo tiene."""
        return type(self).needed is not Pattern.needed

    def flops(self, T, head_dim):
        """I FLOP di una head su T token: due prodotti, e in ciascuno una moltiplicazione e una somma per coppia e componente."""
        return 4 * self.edges(T) * positive_int("head_dim", head_dim)

    def needed(self, T):
        """Quali delle prime T key può ancora vedere chi verrà dopo: sono quelle da tenere nella cache.

        Returns:
            Booleani torch, shape (T,).
        """
        return torch.ones(positive_int("T", T), dtype=torch.bool)

    def attend(self, q, k, v, scale):
        """L'attenzione a blocchi di query: di ciascuno si leggono solo le key che qualcuna può vedere."""
        Tq, Tk = q.shape[2], k.shape[2]
        return self.attend_at(q, k, v, scale, torch.arange(Tk - Tq, Tk), torch.arange(Tk))

    def attend_at(self, q, k, v, scale, queries, keys):
        """La stessa cosa, dove le posizioni non sono tutte: una cache può aver dimenticato ciò che non serve più.

        Args:
            q, k, v, scale: come in `attention`.
            queries, keys: le posizioni crescenti di query e key, interi torch, shape (Tq,) e (Tk,).
        """
        queries, keys = queries.to(q.device), keys.to(q.device)
        if len(queries) == 1:                                              # un passo di generazione
            seen = self.sees(queries[0], keys)
            return one_query(q, *(self._only(t, seen) for t in (k, v)), scale) if seen.any() else torch.zeros_like(q)
        outputs = []
        for few, i in zip(q.split(QUERY_BLOCK, dim=2), queries.split(QUERY_BLOCK)):
            mask = self.sees(i[:, None], keys)                             # (righe, Tk)
            seen = mask.any(0)
            outputs.append(fused(few, *(self._only(t, seen) for t in (k, v)), scale, attn_mask=mask[None, None, :, seen]) if seen.any() else torch.zeros_like(few))
        return torch.cat(outputs, dim=2)                                   # (B, Hq, Tq, Dh)

    @staticmethod
    def _only(t, seen):
        """Le key viste: se sono una accanto all'altra una vista, altrimenti una copia."""
        places = seen.nonzero().squeeze(1)
        first, last = int(places[0]), int(places[-1]) + 1
        return t[:, :, first:last] if last - first == len(places) else t[:, :, places]


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
        output = fused(q.reshape(B, Hkv, -1, Dh), k, v, scale)            # (B, Hkv, G·Tq, Dh)
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
            return one_query(q, k, v, scale)
        if Tq == Tk:                      # con Tq < Tk is_causal conterebbe le query dalla prima posizione
            return fused(q, k, v, scale, is_causal=True)
        return super().attend(q, k, v, scale)
