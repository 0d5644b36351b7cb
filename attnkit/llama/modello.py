"""Il modello: embedding, una pila di blocchi, una norma, i logit."""

import torch
import torch.nn.functional as F
from torch import nn

from attnkit.layers import KVCache, MultiHeadAttention, RMSNorm, SwiGLU
from attnkit.llama.generazione import generate
from attnkit.llama.pesi import from_pretrained
from attnkit.rope import Rope


class Block(nn.Module):
    """Un blocco: ogni parte legge il vettore normalizzato, e somma al vettore ciò che ha trovato.

    Args:
        config: una `LlamaConfig`.
        rope: il `Rope` di tutto il modello.

    Fonte:
        Llama Team 2024, arXiv 2407.21783, §3.2. Si costruisce nel capitolo 10.
    """

    def __init__(self, config, rope):
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model, config.norm_eps)
        self.attention = MultiHeadAttention(config.d_model, config.n_heads, config.n_kv_heads, head_dim=config.head_dim, rope=rope)
        self.feed_forward_norm = RMSNorm(config.d_model, config.norm_eps)
        self.feed_forward = SwiGLU(config.d_model, config.d_ff)

    def forward(self, x, cache=None):
        """Da (B, T, D) a (B, T, D)."""
        x = x + self.attention(self.attention_norm(x), cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """Un modello della famiglia Llama, intero.

        model = Llama(config)                          # pesi a caso
        model = Llama.from_pretrained("cartella")      # pesi pubblicati
        logits = model(tokens)

    Args:
        config: una `LlamaConfig`.

    Fonte:
        Llama Team 2024, arXiv 2407.21783, §3.2; llama-models, models/llama3/model.py. Si costruisce nel capitolo 10.
    """

    generate = generate
    from_pretrained = classmethod(from_pretrained)

    def __init__(self, config):
        super().__init__()
        self.config = config
        rope = Rope(config.head_dim, theta=config.rope_theta, scaling=config.rope_scaling)
        small = torch.empty(config.vocabulary, config.d_model).uniform_(-0.03, 0.03)       # all'inizio nessun logit prevale
        self.embedding = nn.Embedding.from_pretrained(small, freeze=False)
        self.blocks = nn.ModuleList(Block(config, rope) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.output = nn.Linear(config.d_model, config.vocabulary, bias=False)
        if config.tied:
            self.output.weight = self.embedding.weight

    def forward(self, tokens, caches=None, *, last=False):
        """I logit della parola che viene dopo ogni token.

        Args:
            tokens: interi torch, shape (B, T).
            caches: una lista di `KVCache`, una per layer (vedi `new_caches`); None se `tokens` è la sequenza intera.
            last: se bastano i logit dell'ultimo token.

        Returns:
            Shape (B, T, vocabulary), o (B, 1, vocabulary) se `last`.

        Raises:
            ValueError: se `tokens` non sono interi (B, T) del vocabolario, o con la cache superano il contesto.
        """
        self._check(tokens, caches)
        x = self.embedding(tokens)                                         # (B, T, D)
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks)):
            x = block(x, cache)
        return self.output(self.norm(x[:, -1:] if last else x))

    def new_caches(self, max_tokens=None):
        """Una `KVCache` vuota per ogni layer, al più `max_tokens` token; None = quanti ne legge il modello."""
        return [KVCache(max_tokens=self.config.context if max_tokens is None else max_tokens) for _ in self.blocks]

    def _check(self, tokens, caches):
        if not isinstance(tokens, torch.Tensor) or tokens.dim() != 2 or tokens.dtype not in (torch.int32, torch.int64) or 0 in tokens.shape:
            found = f"{tokens.dtype}, shape {tuple(tokens.shape)}" if isinstance(tokens, torch.Tensor) else type(tokens).__name__
            raise ValueError(f"tokens: mi aspettavo interi torch di shape (B, T), ho trovato {found}")
        if tokens.device != self.embedding.weight.device:
            raise ValueError(f"tokens e il modello devono stare sullo stesso device: ho trovato {tokens.device} e {self.embedding.weight.device}")
        low, high = (int(t) for t in tokens.aminmax())
        if low < 0 or high >= self.config.vocabulary:
            raise ValueError(f"tokens: mi aspettavo numeri da 0 a {self.config.vocabulary - 1}, ho trovato {low if low < 0 else high}")
        if caches is not None and len(caches) != len(self.blocks):
            raise ValueError(f"caches: mi aspettavo una cache per layer, {len(self.blocks)}, ne ho trovate {len(caches)}")
        length = tokens.shape[1] + (caches[0].length if caches else 0)
        if length > self.config.context:
            raise ValueError(f"Il modello legge al più {self.config.context} token, ne ho trovati {length}")
