"""Le configurazioni dei modelli: le misure da cui si calcola tutto il resto."""

from dataclasses import dataclass

from attnkit.shapes import divides, positive_int, positive_number


@dataclass(frozen=True)
class RopeScaling:
    """Come si allungano le frequenze di RoPE in LLaMA 3.1; il conto è in `attnkit.rope.rescaled`.

    Args:
        factor: per quanto si dividono le frequenze delle onde lunghe.
        low_freq_factor, high_freq_factor: è lunga un'onda oltre `original_context / low_freq_factor` token, corta una sotto
            `original_context / high_freq_factor`; in mezzo si sfuma.
        original_context: quanti token leggeva il modello prima di essere allungato.

    Raises:
        ValueError: se un fattore non è un numero positivo, o `high_freq_factor` non supera `low_freq_factor`.

    Fonte:
        llama-models, models/llama3/model.py. Si costruisce nel capitolo 10.
    """

    factor: float = 8.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context: int = 8192

    def __post_init__(self):
        for name in ("factor", "low_freq_factor", "high_freq_factor"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))
        object.__setattr__(self, "original_context", positive_int("original_context", self.original_context))
        if self.high_freq_factor <= self.low_freq_factor:
            raise ValueError(f"high_freq_factor={self.high_freq_factor} deve superare low_freq_factor={self.low_freq_factor}")


@dataclass(frozen=True)
class LlamaConfig:
    """Le misure di un modello della famiglia Llama.

    Args:
        d_model: la larghezza dei vettori, D.
        n_layers: quanti layer, L.
        n_heads: quante query head per layer, Hq.
        n_kv_heads: quante head di key e value per layer, Hkv.
        d_ff: la larghezza interna della feed-forward, F.
        vocabulary: quanti token conosce.
        context: quanti token legge al più.
        head_dim: la larghezza di una head, Dh; None = D / Hq.
        tied: se la matrice dei logit è quella degli embedding.
        rope_theta: la base delle frequenze di RoPE.
        rope_scaling: una `RopeScaling`; None = nessuna.
        norm_eps: ciò che RMSNorm somma alla media dei quadrati.

    Raises:
        ValueError: se una misura non è un intero positivo, o le head non si dividono in parti uguali.

    Fonte:
        Llama Team 2024, arXiv 2407.21783, Tab. 3. Si usa nei capitoli 7 e 10.
    """

    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_ff: int
    vocabulary: int
    context: int
    head_dim: int | None = None
    tied: bool = False
    rope_theta: float = 10000.0
    rope_scaling: RopeScaling | None = None
    norm_eps: float = 1e-5

    def __post_init__(self):
        for name in ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_ff", "vocabulary", "context"):
            object.__setattr__(self, name, positive_int(name, getattr(self, name)))
        divides("n_kv_heads", self.n_kv_heads, "n_heads", self.n_heads)
        head_dim = divides("n_heads", self.n_heads, "d_model", self.d_model) if self.head_dim is None else self.head_dim
        object.__setattr__(self, "head_dim", positive_int("head_dim", head_dim))
        if not isinstance(self.tied, bool):
            raise ValueError(f"tied: mi aspettavo True o False, ho trovato {self.tied!r}")
        for name in ("rope_theta", "norm_eps"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))
        if self.rope_scaling is not None and not isinstance(self.rope_scaling, RopeScaling):
            raise ValueError(f"rope_scaling: mi aspettavo una RopeScaling o None, ho trovato {self.rope_scaling!r}")


# Llama Team 2024, arXiv 2407.21783, Tab. 3; vocabolario, contesto e RoPE da llama-models, sku_list.py e model.py.
_LLAMA_3_1 = {"vocabulary": 128256, "context": 131072, "rope_theta": 500000.0, "rope_scaling": RopeScaling()}
LLAMA_3_1_8B = LlamaConfig(d_model=4096, n_layers=32, n_heads=32, n_kv_heads=8, d_ff=14336, **_LLAMA_3_1)
LLAMA_3_1_70B = LlamaConfig(d_model=8192, n_layers=80, n_heads=64, n_kv_heads=8, d_ff=28672, **_LLAMA_3_1)
LLAMA_3_1_405B = LlamaConfig(d_model=16384, n_layers=126, n_heads=128, n_kv_heads=8, d_ff=53248, **_LLAMA_3_1)
