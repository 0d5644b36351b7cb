"""Le configurazioni dei modelli: le misure da cui si calcola tutto il resto."""

from dataclasses import dataclass, fields

from attnkit.shapes import divides, natural_int, positive_int, positive_number


@dataclass(frozen=True)
class RopeScaling:
    """Come si allungano le frequenze di RoPE in Llama 3.1; il conto è in `attnkit.rope.rescaled`.

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
        stop: i token che chiudono un testo.

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
    stop: tuple[int, ...] = ()

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
        object.__setattr__(self, "stop", tuple(natural_int("stop", token) for token in self.stop))
        if self.rope_scaling is not None and not isinstance(self.rope_scaling, RopeScaling):
            raise ValueError(f"rope_scaling: mi aspettavo una RopeScaling o None, ho trovato {self.rope_scaling!r}")


# Llama Team 2024, arXiv 2407.21783, Tab. 3; vocabolario, contesto e RoPE da llama-models, sku_list.py e model.py.
_LLAMA_3_1 = {"vocabulary": 128256, "context": 131072, "rope_theta": 500000.0, "rope_scaling": RopeScaling()}
LLAMA_3_1_8B = LlamaConfig(d_model=4096, n_layers=32, n_heads=32, n_kv_heads=8, d_ff=14336, **_LLAMA_3_1)
LLAMA_3_1_70B = LlamaConfig(d_model=8192, n_layers=80, n_heads=64, n_kv_heads=8, d_ff=28672, **_LLAMA_3_1)
LLAMA_3_1_405B = LlamaConfig(d_model=16384, n_layers=126, n_heads=128, n_kv_heads=8, d_ff=53248, **_LLAMA_3_1)


@dataclass(frozen=True)
class MLA:
    """Le misure della multi-head latent attention: che cosa si conserva, e quanto sono larghe le sue head.

    Args:
        q_rank: quanto è compressa la query.
        kv_rank: il vettore che va nella cache, da cui ogni head ricava key e value.
        nope_dim, rope_dim: la parte di key senza posizione e quella con, comune a tutte le head.
        v_dim: la larghezza di un value.

    Fonte:
        DeepSeek-AI 2024, arXiv 2405.04434, §2.1. Si incontra nei capitoli 7 e 11.
    """

    q_rank: int
    kv_rank: int
    nope_dim: int
    rope_dim: int
    v_dim: int

    def __post_init__(self):
        for field in fields(self):
            positive_int(field.name, getattr(self, field.name))


@dataclass(frozen=True)
class Experts:
    """Una feed-forward fatta di esperti: ogni token ne usa pochi.

    Args:
        total, active: quanti esperti ci sono, e quanti ne usa un token.
        d_ff: la larghezza interna di uno.
        shared: quanti esperti usano tutti i token, oltre agli altri.
        dense_layers: quanti layer, i primi, hanno invece una feed-forward sola.
        router_bias: se chi sceglie ha un numero in più per esperto.

    Fonte:
        DeepSeek-AI 2024, arXiv 2412.19437, §2.1.2. Si incontra nel capitolo 11.
    """

    total: int
    active: int
    d_ff: int
    shared: int = 0
    dense_layers: int = 0
    router_bias: bool = False

    def __post_init__(self):
        for name in ("total", "active", "d_ff"):
            positive_int(name, getattr(self, name))
        for name in ("shared", "dense_layers"):
            natural_int(name, getattr(self, name))
        if self.active > self.total:
            raise ValueError(f"active={self.active} supera total={self.total}")


@dataclass(frozen=True)
class ModelConfig:
    """Le misure di un modello aperto, quelle che servono a leggerne la tabella e a rifarne i conti.

    Args:
        source: da dove vengono le misure.
        n_layers, d_model, n_heads, n_kv_heads, head_dim, d_ff, vocabulary, tied: come in `LlamaConfig`. None dove non servono:
            `n_kv_heads` e `head_dim` con `mla`, `d_ff` se ogni layer ha gli esperti.
        context: quanti token legge; None = non detto.
        window: quante key vede un layer locale; None = non ce ne sono.
        cycle: l'ordine dei layer, che si ripete: "L" locale, "G" globale.
        qkv_bias, output_bias, ffn_bias: dove c'è un bias.
        qk_norm: None, "head" = una norma per head, di query e di key; "all" = una su tutte le head insieme.
        norms: quante norme larghe D ha un layer.
        sinks: se ogni head ha un numero in più nella softmax.
        mla: una `MLA`, o None.
        experts: gli `Experts`, o None.

    Raises:
        ValueError: se una misura non è un intero positivo, le head non si dividono, o `cycle`, `qk_norm`, `mla` ed `experts` non
            sono ciò che si dice qui.

    Si usa nel capitolo 11.
    """

    source: str
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int | None
    head_dim: int | None
    d_ff: int | None
    vocabulary: int
    tied: bool = False
    context: int | None = None
    window: int | None = None
    cycle: str = "G"
    qkv_bias: bool = False
    output_bias: bool = False
    ffn_bias: bool = False
    qk_norm: str | None = None
    norms: int = 2
    sinks: bool = False
    mla: MLA | None = None
    experts: Experts | None = None

    def __post_init__(self):
        for name, kind in (("mla", MLA), ("experts", Experts)):
            if not isinstance(getattr(self, name), kind | None):
                raise ValueError(f"{name}: mi aspettavo {kind.__name__} o None, ho trovato {getattr(self, name)!r}")
        if self.qk_norm not in (None, "head", "all"):
            raise ValueError(f"qk_norm: mi aspettavo None, 'head' o 'all', ho trovato {self.qk_norm!r}")
        needed = ["n_layers", "d_model", "n_heads", "vocabulary", "norms"]
        needed += [] if self.mla else ["n_kv_heads", "head_dim"]
        needed += ["d_ff"] if self.experts is None or self.experts.dense_layers else []
        needed += [name for name in ("context", "window") if getattr(self, name) is not None]
        for name in needed:
            positive_int(name, getattr(self, name))
        for name in ("tied", "qkv_bias", "output_bias", "ffn_bias", "sinks"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}: mi aspettavo True o False, ho trovato {getattr(self, name)!r}")
        if self.experts and self.experts.dense_layers > self.n_layers:
            raise ValueError(f"dense_layers={self.experts.dense_layers} supera n_layers={self.n_layers}")
        if self.mla is None:
            divides("n_kv_heads", self.n_kv_heads, "n_heads", self.n_heads)
        if not self.cycle or set(self.cycle) - set("LG") or ("L" in self.cycle) != (self.window is not None):
            raise ValueError(f"cycle: mi aspettavo L e G, con L solo se c'è una finestra; ho trovato {self.cycle!r} con window={self.window}")

    @property
    def attention(self):
        """MHA, GQA, MQA o MLA."""
        if self.mla:
            return "MLA"
        return {1: "MQA", self.n_heads: "MHA"}.get(self.n_kv_heads, "GQA")

    @property
    def local_layers(self):
        """Quanti layer vedono solo la finestra."""
        return sum(self.cycle[n % len(self.cycle)] == "L" for n in range(self.n_layers))


_MAXTEXT = "MaxText, configs/models"
MODELS = {
    "Llama 2 7B": ModelConfig(_MAXTEXT, 32, 4096, 32, 32, 128, 11008, 32000),
    "Llama 3.1 8B": ModelConfig("arXiv 2407.21783, Tab. 3", 32, 4096, 32, 8, 128, 14336, 128256, context=131072),
    "Llama 3.1 70B": ModelConfig("arXiv 2407.21783, Tab. 3", 80, 8192, 64, 8, 128, 28672, 128256, context=131072),
    "Llama 3.1 405B": ModelConfig("arXiv 2407.21783, Tab. 3", 126, 16384, 128, 8, 128, 53248, 128256, context=131072),
    "Mistral 7B v0.1": ModelConfig("arXiv 2310.06825, Tab. 1", 32, 4096, 32, 8, 128, 14336, 32000, context=8192, window=4096, cycle="L"),
    "Gemma 2B": ModelConfig("google/gemma_pytorch, gemma/config.py", 18, 2048, 8, 1, 256, 16384, 256000, tied=True, context=8192),
    "Gemma 2 27B": ModelConfig("arXiv 2408.00118, Tab. 1", 46, 4608, 32, 16, 128, 36864, 256128, tied=True, context=8192, window=4096, cycle="LG", norms=4),
    "Gemma 3 27B": ModelConfig(_MAXTEXT, 62, 5376, 32, 16, 128, 21504, 262144, tied=True, context=131072, window=1024, cycle="LLLLLG", qk_norm="head", norms=4),
    "Qwen2.5 7B": ModelConfig(_MAXTEXT, 28, 3584, 28, 4, 128, 18944, 152064, qkv_bias=True),
    "Qwen3 8B": ModelConfig(_MAXTEXT, 36, 4096, 32, 8, 128, 12288, 151936, qk_norm="head"),
    "Qwen3 32B": ModelConfig(_MAXTEXT, 64, 5120, 64, 8, 128, 25600, 151936, qk_norm="head"),
    "Olmo 3 32B": ModelConfig(_MAXTEXT, 64, 5120, 40, 8, 128, 27648, 100278, context=65536, window=4096, cycle="LLLG", qk_norm="all"),
    "gpt-oss 20B": ModelConfig("arXiv 2508.10925", 24, 2880, 64, 8, 64, None, 201088, context=131072, window=128, cycle="LG", qkv_bias=True, output_bias=True,
                               ffn_bias=True, sinks=True, experts=Experts(32, 4, 2880, router_bias=True)),
    "gpt-oss 120B": ModelConfig("arXiv 2508.10925", 36, 2880, 64, 8, 64, None, 201088, context=131072, window=128, cycle="LG", qkv_bias=True, output_bias=True,
                                ffn_bias=True, sinks=True, experts=Experts(128, 4, 2880, router_bias=True)),
    "DeepSeek-V3": ModelConfig("deepseek-ai/DeepSeek-V3, inference/configs/config_671B.json", 61, 7168, 128, None, None, 18432, 129280, mla=MLA(1536, 512, 128, 64, 128),
                               experts=Experts(256, 8, 2048, shared=1, dense_layers=3, router_bias=True)),
}
