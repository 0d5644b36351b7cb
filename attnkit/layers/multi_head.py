"""Il layer di attenzione: proiezioni, head in parallelo, Wo; e un modo di tagliarne archi e head.

Con `n_kv_heads` lo stesso layer è multi-head attention (tante head di key quante di query), grouped-query
(meno) o multi-query (una sola). Il calcolo è quello di `attnkit.attention`; qui ci sono le proiezioni, e
un modo di tagliare archi e head per vedere a che cosa servono.
"""

from contextlib import contextmanager
from operator import index

import torch
from torch import nn

from attnkit.attention import Causal, Full, Pattern, attention_weights, partial_attention
from attnkit.attention.controlli import same_kind
from attnkit.layers.cache import KVCache
from attnkit.rope import rotate
from attnkit.shapes import divides, positive_int


class MultiHeadAttention(nn.Module):
    """Più head in parallelo: proiezioni, attenzione, concatenazione e Wo.

    I pesi sono `nn.Linear`: `Wq.weight` ha shape (Hq·Dh, D), la trasposta della Wq delle formule.

    Args:
        d_model: la larghezza dei vettori, D.
        n_heads: quante query head, Hq.
        n_kv_heads: quante head di key e value, Hkv; None = quante le query head.
        head_dim: la larghezza di una head, Dh; None = D / Hq.
        bias: se le quattro proiezioni hanno un bias.
        pattern: chi vede chi.
        rope: un `Rope`, che ruota query e key secondo la posizione; None = nessuna posizione.

    Raises:
        ValueError: se le head non si dividono in parti uguali, `pattern` non è un pattern, o `rope` non è un `Rope` largo
            quanto una head.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, §3.2.2; Shazeer 2019, arXiv 1911.02150; Ainslie et al.
        2023, arXiv 2305.13245. Si costruisce nei capitoli 5 e 7.
    """

    def __init__(self, d_model, n_heads, n_kv_heads=None, *, head_dim=None, bias=False, pattern=Causal(), rope=None):
        super().__init__()
        if not isinstance(pattern, Pattern):
            raise ValueError(f"pattern: mi aspettavo un pattern, per esempio Causal(), ho trovato {pattern!r}")
        self.d_model = positive_int("d_model", d_model)
        self.n_heads = positive_int("n_heads", n_heads)
        self.n_kv_heads = self.n_heads if n_kv_heads is None else positive_int("n_kv_heads", n_kv_heads)
        divides("n_kv_heads", self.n_kv_heads, "n_heads", self.n_heads)
        if head_dim is None:
            head_dim = divides("n_heads", self.n_heads, "d_model", self.d_model)
        self.head_dim = positive_int("head_dim", head_dim)
        if rope is not None and getattr(rope, "head_dim", None) != self.head_dim:
            raise ValueError(f"rope: mi aspettavo un Rope largo {self.head_dim}, come una head, ho trovato {rope!r}")
        self.pattern, self.rope = pattern, rope
        self.Wq = nn.Linear(self.d_model, self.n_heads * self.head_dim, bias)
        self.Wk = nn.Linear(self.d_model, self.n_kv_heads * self.head_dim, bias)
        self.Wv = nn.Linear(self.d_model, self.n_kv_heads * self.head_dim, bias)
        self.Wo = nn.Linear(self.n_heads * self.head_dim, self.d_model, bias)
        self._cut_edges, self._cut_heads = (), ()

    def forward(self, x, cache=None):
        """Da un vettore per token a un vettore per token.

        Args:
            x: shape (B, T, D).
            cache: una `KVCache` con key e value dei token già visti, a cui si aggiungono quelli di `x`; None se `x`
                è la frase intera.

        Returns:
            Shape (B, T, D).

        Raises:
            ValueError: se `x` ha un'altra shape, un altro dtype o un altro device, un taglio non sta in T token, o
                la cache non si può usare (un pattern che vede il futuro, un arco tagliato, un'altra cache).
        """
        if cache is not None and not isinstance(cache, KVCache):
            raise ValueError(f"cache: mi aspettavo una KVCache, ho trovato {type(cache).__name__}")
        q, k, v = self._project(x, 0 if cache is None else cache.length)
        if cache is not None:
            k, v = self._remember(cache, k, v)
        if cache is not None and self.pattern.reach is None and cache.kept < cache.length:     # ha dimenticato qualcosa
            queries = torch.arange(cache.length - x.shape[1], cache.length)
            heads = self.pattern.attend_at(q, k, v, None, queries, cache.positions)
        elif self._cut_edges:
            heads, _ = partial_attention(q, k, v, mask=self._visible(x.shape[1], x.device))
        else:
            heads = self.pattern.attend(q, k, v, None)                     # (B, Hq, T, Dh): shape e dtype sono già quelli giusti
        if self._cut_heads:
            heads = heads.index_fill(1, torch.tensor(self._cut_heads, device=x.device), 0.0)
        return self.Wo(heads.transpose(1, 2).flatten(2))                   # (B, T, Hq·Dh) e poi (B, T, D)

    def weights(self, x):
        """I pesi di ogni head, scritti per esteso: chi guarda chi, e quanto.

        Args:
            x: shape (B, T, D).

        Returns:
            Shape (B, Hq, T, T). Gli archi tagliati valgono zero; una head tagliata ha i suoi pesi, ma non li usa.

        Raises:
            ValueError: come in `forward`.
        """
        q, k, _ = self._project(x)
        return attention_weights(q, k, mask=self._visible(x.shape[1], x.device))

    @contextmanager
    def cut(self, *, edges=(), heads=()):
        """Taglia archi e head finché dura il blocco `with`, per vedere che cosa cambia.

        Un arco tagliato vale -inf prima della softmax: il suo peso va agli altri. Una head tagliata porta
        zero a Wo. I tagli annidati si sommano.

            with layer.cut(edges=[(0, 6, 1)], heads=[2]):      # head 0: la query 6 non vede più la key 1
                output = model(tokens)

        Args:
            edges: terne (head, i, j), con `i` la posizione della query e `j` quella della key.
            heads: indici di query head.

        Raises:
            ValueError: se una head non esiste o una posizione è negativa. Durante il blocco, se l'arco non
                c'è: fuori dalla frase, o già invisibile per il pattern.
        """
        try:
            edges, heads = tuple(tuple(map(index, edge)) for edge in edges), tuple(map(index, heads))
        except TypeError:
            raise ValueError(f"Mi aspettavo edges come [(head, i, j), …] e heads come [head, …], con numeri interi; ho trovato {edges!r} e {heads!r}") from None
        for edge in edges:
            if len(edge) != 3 or min(edge) < 0 or edge[0] >= self.n_heads:
                raise ValueError(f"edges: mi aspettavo terne (head, i, j) con head da 0 a {self.n_heads - 1}, ho trovato {edge}")
        for head in heads:
            if not 0 <= head < self.n_heads:
                raise ValueError(f"heads: mi aspettavo indici da 0 a {self.n_heads - 1}, ho trovato {head}")
        before = self._cut_edges, self._cut_heads
        self._cut_edges, self._cut_heads = self._cut_edges + edges, self._cut_heads + heads
        try:
            yield self
        finally:
            self._cut_edges, self._cut_heads = before

    @classmethod
    def from_torch(cls, module, *, pattern=Full()):
        """Lo stesso layer di un `nn.MultiheadAttention`, con una copia dei suoi pesi.

        Args:
            module: un `nn.MultiheadAttention`. Con `batch_first=False` vuole (T, B, D): qui è sempre (B, T, D).
            pattern: chi vede chi. `Full()` perché quel modulo, senza `attn_mask`, vede tutto.

        Returns:
            Un `MultiHeadAttention` con le stesse uscite e gli stessi gradienti.

        Raises:
            ValueError: se il modulo usa dropout, key e value di altra larghezza o key aggiunte (`add_bias_kv`,
                `add_zero_attn`).
        """
        if not isinstance(module, nn.MultiheadAttention):
            raise ValueError(f"module: mi aspettavo un nn.MultiheadAttention, ho trovato {type(module).__name__}")
        if module.in_proj_weight is None:
            raise ValueError(f"module: mi aspettavo key e value larghi {module.embed_dim}, ho trovato kdim={module.kdim} e vdim={module.vdim}")
        if module.bias_k is not None or module.add_zero_attn or module.dropout:
            raise ValueError(f"module: non so imitare add_bias_kv={module.bias_k is not None}, "
                             f"add_zero_attn={module.add_zero_attn}, dropout={module.dropout}")
        bias = module.in_proj_bias is not None
        layer = cls(module.embed_dim, module.num_heads, bias=bias, pattern=pattern).to(module.in_proj_weight)
        weights = dict(zip("qkv", module.in_proj_weight.chunk(3)), o=module.out_proj.weight)           # quattro (D, D)
        biases = dict(zip("qkv", module.in_proj_bias.chunk(3)), o=module.out_proj.bias) if bias else {}
        layer.load_state_dict({f"W{name}.weight": weight for name, weight in weights.items()}
                              | {f"W{name}.bias": value for name, value in biases.items()})
        return layer.train(module.training)

    def _project(self, x, start=0):
        """Le proiezioni, divise in head: q (B, Hq, T, Dh), k e v (B, Hkv, T, Dh). `start` è la posizione del primo token."""
        if not isinstance(x, torch.Tensor):
            raise ValueError(f"x: mi aspettavo un tensore torch, ho trovato {type(x).__name__}")
        if x.dim() != 3 or x.shape[-1] != self.d_model or 0 in x.shape:
            raise ValueError(f"x: mi aspettavo shape (B, T, {self.d_model}) senza assi vuoti, ho trovato {tuple(x.shape)}")
        same_kind("x e i parametri del layer", x, self.Wq.weight)
        B, T, _ = x.shape
        heads = (B, T, -1, self.head_dim)
        v = self.Wv(x).view(heads).transpose(1, 2)
        if self.rope is None:
            return self.Wq(x).view(heads).transpose(1, 2), self.Wk(x).view(heads).transpose(1, 2), v
        both = torch.cat([self.Wq(x), self.Wk(x)], dim=-1)                 # query e key si ruotano insieme, i value no
        both = rotate(both.view(heads).transpose(1, 2), *self.rope.span(start, start + T, x), self.rope.layout)
        return both[:, :self.n_heads], both[:, self.n_heads:], v

    def _remember(self, cache, k, v):
        """Aggiunge key e value alla cache, e restituisce tutti quelli che le query possono vedere."""
        if not self.pattern.causal:
            raise ValueError(f"cache: con {self.pattern} ogni token nuovo cambierebbe l'uscita dei vecchi; serve un pattern causale")
        if self._cut_edges:
            raise ValueError(f"cache: gli archi si tagliano su frasi intere, e ne hai tagliati {len(self._cut_edges)}")
        needed = self.pattern.needed if self.pattern.forgets and self.pattern.reach is None else None
        return cache.append(k, v, owner=self, reach=self.pattern.reach, needed=needed)

    def _visible(self, T, device):
        """La maschera di ogni head, meno gli archi tagliati: (Hq, T, T)."""
        pattern = self.pattern.mask(T, device=device)
        mask = pattern.repeat(self.n_heads, 1, 1)
        for head, i, j in self._cut_edges:
            if i >= T or j >= T or not pattern[i, j]:
                raise ValueError(f"edges: l'arco (head={head}, i={i}, j={j}) non c'è, con {self.pattern} e T={T}")
            mask[head, i, j] = False
        return mask

    def extra_repr(self):
        return f"{self.d_model}, n_heads={self.n_heads}, n_kv_heads={self.n_kv_heads}, head_dim={self.head_dim}, pattern={self.pattern}"
