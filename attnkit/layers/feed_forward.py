"""SwiGLU: la feed-forward dei modelli di oggi."""

import torch.nn.functional as F
from torch import nn

from attnkit.shapes import positive_int


class SwiGLU(nn.Module):
    """Una feed-forward in cui una proiezione apre e chiude l'altra: W2 (silu(W1 x) · W3 x).

    Args:
        d_model: la larghezza dei vettori, D.
        d_ff: la larghezza interna, F.

    Fonte:
        Shazeer 2020, arXiv 2002.05202, Eq. 6; i nomi W1, W2 e W3 sono quelli di llama-models. Si costruisce nel capitolo 10.
    """

    def __init__(self, d_model, d_ff):
        super().__init__()
        d_model, d_ff = positive_int("d_model", d_model), positive_int("d_ff", d_ff)
        self.W1 = nn.Linear(d_model, d_ff, bias=False)         # la porta
        self.W3 = nn.Linear(d_model, d_ff, bias=False)         # ciò che passa
        self.W2 = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x):
        """Da (…, D) a (…, D)."""
        if x.shape[-1] != self.W1.in_features:
            raise ValueError(f"x: mi aspettavo l'ultimo asse largo {self.W1.in_features}, ho trovato shape {tuple(x.shape)}")
        return self.W2(F.silu(self.W1(x)) * self.W3(x))
