"""RMSNorm: la norma dei modelli di oggi."""

import torch
import torch.nn.functional as F
from torch import nn

from attnkit.shapes import positive_int


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
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(positive_int("d", d)))

    def forward(self, x):
        """x / √(media(x²) + eps) · weight, sull'ultimo asse: da (…, d) a (…, d)."""
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x: mi aspettavo l'ultimo asse largo {len(self.weight)}, ho trovato shape {tuple(x.shape)}")
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{len(self.weight)}, eps={self.eps}"
