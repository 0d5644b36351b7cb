"""Le configurazioni dei modelli: le misure da cui si calcola tutto il resto."""

from dataclasses import dataclass

from attnkit.shapes import divides, positive_int


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

    def __post_init__(self):
        for name in ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_ff", "vocabulary", "context"):
            object.__setattr__(self, name, positive_int(name, getattr(self, name)))
        divides("n_kv_heads", self.n_kv_heads, "n_heads", self.n_heads)
        head_dim = divides("n_heads", self.n_heads, "d_model", self.d_model) if self.head_dim is None else self.head_dim
        object.__setattr__(self, "head_dim", positive_int("head_dim", head_dim))
        if not isinstance(self.tied, bool):
            raise ValueError(f"tied: mi aspettavo True o False, ho trovato {self.tied!r}")


# Llama Team 2024, arXiv 2407.21783, Tab. 3; il vocabolario e il contesto da llama-models, sku_list.py.
LLAMA_3_1_8B = LlamaConfig(d_model=4096, n_layers=32, n_heads=32, n_kv_heads=8, d_ff=14336, vocabulary=128256, context=131072)
LLAMA_3_1_70B = LlamaConfig(d_model=8192, n_layers=80, n_heads=64, n_kv_heads=8, d_ff=28672, vocabulary=128256, context=131072)
LLAMA_3_1_405B = LlamaConfig(d_model=16384, n_layers=126, n_heads=128, n_kv_heads=8, d_ff=53248, vocabulary=128256, context=131072)
