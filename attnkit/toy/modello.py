"""Il modello del corso in torch: embedding, posizioni, uno o più layer di attenzione, logit."""

import math

import torch

from attnkit.attention import Causal
from attnkit.language import VOCABULARY
from attnkit.layers import MultiHeadAttention, RMSNorm
from attnkit.shapes import positive_int


class ToyLayer(torch.nn.Module):
    """RMSNorm, attenzione, residuo: un layer senza feed-forward."""

    def __init__(self, d_model, norm, **attention):
        super().__init__()
        self.norm = _norm(d_model, norm)
        self.attention = MultiHeadAttention(d_model, **attention)

    def forward(self, x):
        """Da (B, T, D) a (B, T, D)."""
        return x + self.attention(self.norm(x))


class ToyTransformer(torch.nn.Module):
    """Embedding e posizioni, uno o più layer di attenzione, RMSNorm finale, logit.

    Il modello del corso ha un layer e una head. I suoi pesi si leggono con i nomi delle formule, e si usano
    come nelle formule: `model.norm`, e `x @ model.Wq` (Wk, Wv, Wo). Con più layer stanno in `model.layers`.
    Per tagliare un arco o una head: `with model.layers[0].attention.cut(edges=[(0, 6, 1)]): …`.

    Args:
        d_model: larghezza dei vettori, D.
        max_tokens: la frase più lunga che sa leggere; senza posizioni non c'è limite.
        words: quante parole ha il vocabolario.
        n_heads: quante head per layer.
        n_kv_heads: quante head di key e value; None = quante le query head.
        head_dim: la larghezza di una head; None = D / n_heads.
        n_layers: quanti layer.
        pattern: chi vede chi; oppure uno per layer, in una lista.
        positions: se sommare a ogni token un vettore che dice in che posto sta.
        norm: se usare le RMSNorm.
        embedding_std: la deviazione standard degli embedding, all'inizio.
        seed: da dove parte il caso.

    Raises:
        ValueError: se d_model non è divisibile per n_heads, o i pattern non sono tanti quanti i layer.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762; la norma prima della head come in Llama, arXiv
        2302.13971. Si addestra nel capitolo 6.
    """

    def __init__(self, d_model=8, max_tokens=7, *, words=len(VOCABULARY), n_heads=1, n_kv_heads=None, head_dim=None, n_layers=1,
                 pattern=Causal(), positions=True, norm=True, embedding_std=0.1, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def small(*shape):                    # embedding piccoli: si impara a guardare, non a ricordare
            return torch.nn.Parameter(embedding_std * torch.randn(shape, generator=generator, dtype=torch.float64))

        def uniform(*shape):
            values = torch.rand(shape, generator=generator, dtype=torch.float64)
            return torch.nn.Parameter((2 * values - 1) / math.sqrt(d_model))

        self.embedding = small(words, d_model)                # (parole, D)
        self.position = small(max_tokens, d_model) if positions else None             # (T, D)
        patterns = list(pattern) if isinstance(pattern, (list, tuple)) else [pattern] * positive_int("n_layers", n_layers)
        if len(patterns) != n_layers:
            raise ValueError(f"Mi aspettavo un pattern per ciascuno degli n_layers={n_layers}, ne ho trovati {len(patterns)}")
        self.layers = torch.nn.ModuleList(
            ToyLayer(d_model, norm, n_heads=n_heads, n_kv_heads=n_kv_heads, head_dim=head_dim, pattern=of_layer) for of_layer in patterns)
        for layer in self.layers:
            for linear in (layer.attention.Wq, layer.attention.Wk, layer.attention.Wv, layer.attention.Wo):
                linear.weight = torch.nn.Parameter(uniform(*linear.weight.T.shape).detach().T)      # nn.Linear tiene la trasposta
        self.last_norm = _norm(d_model, norm)
        self.Wout = uniform(d_model, words)                   # (D, parole)
        self.double()

    def forward(self, tokens):
        """Da token (B, T) a logit (B, T, parole)."""
        x = self._embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.last_norm(x) @ self.Wout

    def weights(self, tokens):
        """I pesi dell'attenzione di un modello con un layer e una head, da token (B, T) a (B, T, T)."""
        every = self.all_weights(tokens)
        if len(every) > 1 or every[0].shape[1] > 1:
            raise ValueError(f"Il modello ha {len(every)} layer e {every[0].shape[1]} head: i loro pesi li dà all_weights")
        return every[0][:, 0]

    def all_weights(self, tokens):
        """I pesi di ogni head di ogni layer: da token (B, T) a una lista di (B, H, T, T)."""
        x, every = self._embed(tokens), []
        for layer in self.layers:
            every.append(layer.attention.weights(layer.norm(x)))
            x = layer(x)
        return every

    def arrays(self):
        """I pesi in NumPy, orientati per x @ W.

        Returns:
            Un dizionario. Con un layer: `embedding` (parole, D), `position` (T, D), `norm` (D,), `Wq`, `Wk`, `Wv`, `Wo`
            (D, D), `final_norm` (D,), `Wout` (D, parole). Con più layer i pesi del primo si chiamano `layers.0.norm`,
            `layers.0.Wq`, e così via. Manca ciò che il modello non ha.
        """
        return {name: parameter.detach().numpy().copy() for name, parameter in self._named().items()}

    def copy_from(self, arrays):
        """Riceve i pesi che `arrays` dà.

        Args:
            arrays: un dizionario con gli stessi nomi e le stesse shape.

        Returns:
            Il modello.

        Raises:
            ValueError: se i nomi o le shape non sono quelli del modello.
        """
        own = self._named()
        if own.keys() != arrays.keys():
            raise ValueError(f"Mi aspettavo i pesi {', '.join(own)}, ho trovato {', '.join(arrays)}")
        with torch.no_grad():
            for name, parameter in own.items():
                if parameter.shape != arrays[name].shape:
                    raise ValueError(f"{name}: mi aspettavo shape {tuple(parameter.shape)}, ho trovato {tuple(arrays[name].shape)}")
                parameter.copy_(torch.as_tensor(arrays[name]))                        # si scrive attraverso la vista
        return self

    def _named(self):
        """Ogni parametro con il nome e l'orientamento delle formule."""
        named = {"embedding": self.embedding, "position": self.position}
        for i, layer in enumerate(self.layers):
            prefix = f"layers.{i}." if len(self.layers) > 1 else ""
            named[f"{prefix}norm"] = getattr(layer.norm, "weight", None)
            named |= {f"{prefix}{name}": getattr(layer.attention, name).weight.T for name in ("Wq", "Wk", "Wv", "Wo")}
        named |= {"final_norm": getattr(self.last_norm, "weight", None), "Wout": self.Wout}
        return {name: parameter for name, parameter in named.items() if parameter is not None}

    def _embed(self, tokens):
        """Da token (B, T) a vettori (B, T, D): la parola più il posto."""
        most = math.inf if self.position is None else len(self.position)
        if not isinstance(tokens, torch.Tensor) or tokens.dtype not in (torch.int32, torch.int64):
            raise ValueError(f"tokens: mi aspettavo interi torch, ho trovato {getattr(tokens, 'dtype', type(tokens).__name__)}")
        if tokens.dim() != 2 or len(tokens) == 0 or not 1 <= tokens.shape[1] <= most:
            limit = "almeno 1" if self.position is None else f"da 1 a {most}"
            raise ValueError(f"tokens: mi aspettavo shape (B, T) con T {limit}, ho trovato {tuple(tokens.shape)}")
        low, high = (int(t) for t in tokens.aminmax())
        if low < 0 or high >= len(self.embedding):
            raise ValueError(f"tokens: mi aspettavo numeri da 0 a {len(self.embedding) - 1}, ho trovato {low if low < 0 else high}")
        x = self.embedding[tokens]
        return x if self.position is None else x + self.position[:tokens.shape[1]]

    def _only_layer(self):
        if len(self.layers) > 1:
            raise ValueError(f"Il modello ha {len(self.layers)} layer: i pesi di ciascuno stanno in model.layers")
        return self.layers[0]

    # I nomi delle formule: viste sui parametri, orientate per x @ W.
    norm = property(lambda self: self._only_layer().norm.weight)                      # (D,)
    Wq = property(lambda self: self._only_layer().attention.Wq.weight.T)              # (D, D)
    Wk = property(lambda self: self._only_layer().attention.Wk.weight.T)
    Wv = property(lambda self: self._only_layer().attention.Wv.weight.T)
    Wo = property(lambda self: self._only_layer().attention.Wo.weight.T)
    final_norm = property(lambda self: self.last_norm.weight)                         # (D,)


def _norm(d_model, wanted):
    return RMSNorm(d_model) if wanted else torch.nn.Identity()
