"""Le posizioni per rotazione: ogni coppia di componenti di query e key gira di un angolo che cresce con la posizione.

    coppia p, posizione t:   angolo = t · f_p,   f_p = theta^(−2p / Dh)

Ruotare q di t·f e k di s·f lascia nel loro prodotto scalare solo la differenza, (t − s)·f: conta quanto si è lontani, non dove
si è. I value non si ruotano.
"""

import math

import torch

from attnkit.config import RopeScaling
from attnkit.shapes import positive_int, positive_number

LAYOUTS = ("half", "interleaved")


def rescaled(frequencies, scaling):
    """Le frequenze di Llama 3.1: le onde corte restano, le lunghe si dividono per `scaling.factor`, in mezzo si sfuma.

    Args:
        frequencies: radianti per token, shape (Dh / 2,).
        scaling: una `config.RopeScaling`.

    Returns:
        Shape (Dh / 2,).

    Fonte:
        llama-models, models/llama3/model.py, apply_scaling. Si costruisce nel capitolo 10.
    """
    waves = 2 * math.pi / frequencies                                      # token per un giro intero
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    smooth = ((scaling.original_context / waves - low) / (high - low)).clamp(0, 1)         # 0 = onda lunga, 1 = onda corta
    return (1 - smooth) * frequencies / scaling.factor + smooth * frequencies


class Rope:
    """Ruota query o key secondo la loro posizione.

    Args:
        head_dim: la larghezza di una head, Dh: un numero pari.
        theta: la base delle frequenze.
        scaling: una `config.RopeScaling`; None = nessuna.
        layout: quali componenti formano una coppia. "half": p e p + Dh/2, come nei pesi pubblicati su Hugging Face;
            "interleaved": 2p e 2p + 1, come nei pesi pubblicati da Meta. Con gli stessi pesi le due non si scambiano.

    Raises:
        ValueError: se `head_dim` non è un intero pari, `theta` non è un numero positivo o la disposizione non c'è.

    Fonte:
        Su et al. 2021, arXiv 2104.09864, §3.4. Si costruisce nel capitolo 10.
    """

    def __init__(self, head_dim, *, theta=10000.0, scaling=None, layout="half"):
        self.head_dim, self.theta, self.scaling, self.layout = positive_int("head_dim", head_dim), positive_number("theta", theta), scaling, layout
        if self.head_dim % 2:
            raise ValueError(f"head_dim: mi aspettavo un numero pari, ho trovato {head_dim}")
        if scaling is not None and not isinstance(scaling, RopeScaling):
            raise ValueError(f"scaling: mi aspettavo una RopeScaling o None, ho trovato {scaling!r}")
        if layout not in LAYOUTS:
            raise ValueError(f"layout: mi aspettavo {' o '.join(LAYOUTS)}, ho trovato {layout!r}")
        frequencies = self.theta ** (-torch.arange(0, self.head_dim, 2, dtype=torch.float64, device="cpu") / self.head_dim)
        self.frequencies = frequencies if scaling is None else rescaled(frequencies, scaling)      # (Dh / 2,), float64
        self._table = None

    def __call__(self, x, positions):
        """x ruotato.

        Args:
            x: query o key, shape (…, T, Dh).
            positions: interi torch, shape (T,), o una shape estendibile a (…, T).

        Returns:
            La stessa shape e lo stesso dtype di x.

        Raises:
            ValueError: se `x` ha un'altra larghezza, o le posizioni non sono interi non negativi in quel numero.
        """
        if not isinstance(x, torch.Tensor) or not x.is_floating_point():
            raise ValueError(f"x: mi aspettavo un tensore torch di numeri reali, ho trovato {getattr(x, 'dtype', type(x).__name__)}")
        if x.shape[-1:] != (self.head_dim,):
            raise ValueError(f"x: mi aspettavo l'ultimo asse largo {self.head_dim}, ho trovato shape {tuple(x.shape)}")
        if not isinstance(positions, torch.Tensor) or positions.is_floating_point() or positions.is_complex() or positions.dtype == torch.bool:
            raise ValueError(f"positions: mi aspettavo interi torch, ho trovato {getattr(positions, 'dtype', type(positions).__name__)}")
        if x.dim() < 2 or positions.dim() == 0 or positions.shape[-1] != x.shape[-2]:
            raise ValueError(f"positions: mi aspettavo una posizione per ognuno dei {x.shape[-2:-1].numel()} token, ho trovato shape {tuple(positions.shape)}")
        try:
            positions.expand(x.shape[:-1])
        except RuntimeError:
            raise ValueError(f"positions: mi aspettavo una shape estendibile a {tuple(x.shape[:-1])}, ho trovato {tuple(positions.shape)}") from None
        return rotate(x, *self.angles(positions, x), self.layout)

    def angles(self, positions, like):
        """Coseni e seni di quelle posizioni, (…, T, Dh), almeno in float32, sul device di `like`; si calcolano in float64.

        Ogni angolo c'è due volte, per le due componenti di una coppia; il primo seno ha il segno meno, perché
        `rotate` sia due prodotti e una somma.
        """
        angles = positions.to("cpu", torch.float64).unsqueeze(-1) * self.frequencies                 # (…, T, Dh / 2)
        wide = torch.promote_types(like.dtype, torch.float32)
        cos, sin = (t.to(like.device, wide) for t in (angles.cos(), angles.sin()))
        if self.layout == "half":
            return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
        return torch.stack([cos, cos], -1).flatten(-2), torch.stack([-sin, sin], -1).flatten(-2)

    def span(self, start, stop, like):
        """Coseni e seni delle posizioni da `start` a `stop` escluso, (T, Dh): una vista di una tabella che si calcola una volta."""
        wide = torch.promote_types(like.dtype, torch.float32)
        if self._table is None or self._table[0].shape[0] < stop or self._table[0].dtype != wide or self._table[0].device != like.device:
            with torch.inference_mode(False):                              # chi la userà può volere i gradienti
                self._table = self.angles(torch.arange(1 << (stop - 1).bit_length(), device="cpu"), like)    # la potenza di due che basta
        cos, sin = self._table
        return cos[start:stop], sin[start:stop]

    def __repr__(self):
        return f"Rope({self.head_dim}, theta={self.theta}, scaling={self.scaling}, layout={self.layout!r})"


def rotate(x, cos, sin, layout="half"):
    """x ruotato, da coseni e seni già pronti: (a, b) diventa (a cos − b sin, b cos + a sin)."""
    if layout == "half":
        swapped = x.roll(x.shape[-1] // 2, -1)                             # (b, a)
    else:
        swapped = x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
    return torch.addcmul(x * cos, swapped, sin).to(x.dtype)
