"""La KV cache: le key e i value dei token già visti, perché nessuno li ricalcoli."""

import weakref

import torch

from attnkit.attention.controlli import same_kind
from attnkit.shapes import positive_int, same_size

SMALLEST = 16                 # token a cui si fa posto la prima volta


class KVCache:
    """Le key e i value che un layer ha già calcolato, in una memoria che si riempie da sinistra.

    Si passa a `forward`, che vi aggiunge quelli dei token nuovi:

        cache = KVCache()
        layer(frase, cache)              # prefill: tutta la frase in un colpo
        layer(prossimo, cache)           # decode: un token, che vede anche quelli di prima

    Ogni layer ne vuole una sua. La memoria si prenota in anticipo e raddoppia quando finisce, fino a `max_tokens`;
    con una finestra si tengono solo i token che una query può ancora vedere. Con i gradienti accesi non si scrive mai sul
    posto, perché chi torna indietro vuole i valori di allora: la cache cresce per concatenazione. Per generare in fretta, si
    chiama il layer sotto `torch.no_grad()`.

    Args:
        max_tokens: quanti token può tenere insieme; None = senza limite.

    Raises:
        ValueError: se `max_tokens` non è un intero positivo.

    Fonte:
        Shazeer 2019, arXiv 1911.02150, §2.4 e §3. Si costruisce nel capitolo 7.
    """

    def __init__(self, *, max_tokens=None):
        self.max_tokens = None if max_tokens is None else positive_int("max_tokens", max_tokens)
        self.length = 0                                        # token visti da quando è nata
        self._k = self._v = self._owner = None
        self._start = self._stop = 0                           # la parte piena della memoria
        self._places = None                                    # le posizioni che tiene; None = le ultime, di fila
        self._in_a_graph = False                               # la memoria serve a un grafo dei gradienti: non si tocca

    @property
    def kept(self):
        """Quanti token tiene: con una finestra meno di quelli visti."""
        return self._stop - self._start

    @property
    def positions(self):
        """Le posizioni, nella sequenza, dei token che tiene: interi torch crescenti, shape (kept,)."""
        return torch.arange(self.length - self.kept, self.length) if self._places is None else self._places

    @property
    def nbytes(self):
        """I byte di key e value dei token che tiene."""
        return 0 if self._k is None else 2 * self._k[:, :, self._start:self._stop].numel() * self._k.element_size()

    def append(self, k, v, *, owner=None, reach=None, needed=None):
        """Aggiunge key e value di token nuovi.

        Args:
            k, v: shape (B, Hkv, Tq, Dh).
            owner: il layer che li ha calcolati: una cache serve un layer solo.
            reach: quante key, sé stessa compresa, può vedere una query; None = tutte.
            needed: una funzione che dai token visti dice quali servono ancora, booleani (T,); None = tutti. Gli altri si
                dimenticano quando manca il posto.

        Returns:
            La coppia (k, v) di ciò che le query nuove possono vedere, shape (B, Hkv, Tk, Dh): viste sulla memoria, valide
            fino alla prossima chiamata.

        Raises:
            ValueError: se batch, head, larghezza, dtype o device non sono quelli di prima, se la cache è di un altro layer, o
                se i token non ci stanno in `max_tokens`.
        """
        self._check(k, v, owner)
        Tq = k.shape[2]
        if needed is not None and self._k is not None and self._stop + Tq > self._k.shape[2]:
            self._forget(needed(self.length)[self.positions])
        start = self._start if reach is None else max(self._start, self._stop - (reach - 1))
        if self.max_tokens is not None and self._stop - start + Tq > self.max_tokens:
            raise ValueError(f"La cache tiene al più max_tokens={self.max_tokens} token: ne ha {self._stop - start}, e ne arrivano {Tq}")
        self._start = start                                    # ciò che è uscito dalla finestra non serve più
        if torch.is_grad_enabled():                            # anche se k e v non ne hanno: le query possono averne
            self._concatenate(k, v)
        else:
            if self._k is not None and self._k.is_inference() and not torch.is_inference_mode_enabled():
                self._in_a_graph = True                        # nata sotto inference_mode: fuori di lì non si tocca
            self._make_room(k, Tq)
            self._k[:, :, self._stop:self._stop + Tq] = k
            self._v[:, :, self._stop:self._stop + Tq] = v
            self._stop += Tq
        if owner is not None:
            self._owner = weakref.ref(owner)
        if self._places is not None:
            self._places = torch.cat([self._places, torch.arange(self.length, self.length + Tq)])
        self.length += Tq
        return self._k[:, :, self._start:self._stop], self._v[:, :, self._start:self._stop]

    def _check(self, k, v, owner):
        if k.shape != v.shape or k.dim() != 4:
            raise ValueError(f"cache: mi aspettavo k e v di shape (B, Hkv, T, Dh), ho trovato {tuple(k.shape)} e {tuple(v.shape)}")
        same_kind("k e v", k, v)
        if self._owner is not None and self._owner() is not owner:
            raise ValueError("cache: questa è la cache di un altro layer; ogni layer ne vuole una sua")
        if self._k is None:
            return
        for name, theirs, axis in (("Il batch", "quello", 0), ("Le head di key", "quelle", 1), ("La larghezza delle key", "quella", 3)):
            same_size(f"{name} dei token nuovi", k.shape[axis], f"{theirs} nella cache", self._k.shape[axis])
        same_kind("i token nuovi e la cache", k, self._k)

    def _forget(self, keep):
        """Butta i token che non servono più, in mezzo alla memoria."""
        if bool(keep.all()):
            return
        self._places = self.positions[keep]
        full, keep = slice(self._start, self._stop), keep.to(self._k.device)
        self._k, self._v = self._k[:, :, full][:, :, keep], self._v[:, :, full][:, :, keep]
        self._start, self._stop = 0, len(self._places)

    def _make_room(self, k, Tq):
        """Fa posto a Tq token: spostando a sinistra quelli rimasti, o in una memoria più grande."""
        B, Hkv, _, Dh = k.shape
        kept, needed = self.kept, self.kept + Tq
        capacity = 0 if self._k is None else self._k.shape[2]
        if self._stop + Tq <= capacity and not self._in_a_graph:
            return
        full = slice(self._start, self._stop)
        fresh = 2 * needed > capacity or self._in_a_graph
        if fresh:
            capacity = max(SMALLEST, 2 * capacity, needed)
            if self.max_tokens is not None:
                capacity = min(capacity, self.max_tokens)
        for name in ("_k", "_v"):                              # una per volta: la vecchia si libera prima di prenotare l'altra
            old = getattr(self, name)
            new = k.new_empty(B, Hkv, capacity, Dh) if fresh else old
            if kept:                                           # nella stessa memoria: la parte piena sta tutta oltre questa
                new[:, :, :kept] = old[:, :, full]
            setattr(self, name, new)
        self._start, self._stop, self._in_a_graph = 0, kept, False

    def _concatenate(self, k, v):
        """La strada dei gradienti: nessuna scrittura sul posto."""
        if self._k is not None:
            k = torch.cat([self._k[:, :, self._start:self._stop], k], dim=2)
            v = torch.cat([self._v[:, :, self._start:self._stop], v], dim=2)
        self._k, self._v = k, v
        self._start, self._stop, self._in_a_graph = 0, k.shape[2], True

    def __repr__(self):
        return f"KVCache(length={self.length}, kept={self.kept}, max_tokens={self.max_tokens})"
