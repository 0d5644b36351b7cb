"""RMSNorm: la norma dei modelli di oggi."""

import torch
from torch import nn

from attnkit.shapes import positive_int, positive_number


class RMSNorm(nn.Module):
    """Porta a uno la media dei quadrati di ogni vettore, poi lo scala componente per componente.

    Args:
        d: la larghezza dei vettori.
        eps: si somma alla media dei quadrati, perché un vettore nullo resti nullo.

    Fonte:
        Zhang e Sennrich 2019, arXiv 1910.07467. Si costruisce nel capitolo 10.
    """

    def __init__(self, d, eps=1e-5):
        super().__init__()
        self.d, self.eps = positive_int("d", d), positive_number("eps", eps)
        self.weight = nn.Parameter(torch.ones(self.d))

    def forward(self, x):
        """x / √(media(x²) + eps) · weight, sull'ultimo asse: da (…, d) a (…, d)."""
        if x.shape[-1:] != (self.d,):
            raise ValueError(f"x: mi aspettavo l'ultimo asse largo {self.d}, ho trovato shape {tuple(x.shape)}")
        if not x.is_floating_point():
            raise ValueError(f"x: mi aspettavo numeri reali, ho trovato elementi {x.dtype}")
        if x.dtype.itemsize < 4:                               # in mezza precisione la media dei quadrati perderebbe cifre
            return self(x.float()).to(x.dtype)
        return x * ((x * x).mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight

    def extra_repr(self):
        return f"{self.d}, eps={self.eps}"
