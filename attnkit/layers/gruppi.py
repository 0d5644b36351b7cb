"""Da molte head di key e value a poche: ogni gruppo si fonde nella sua media."""

from attnkit.layers.multi_head import MultiHeadAttention
from attnkit.shapes import divides, positive_int


def group_kv_heads(layer, n_kv_heads):
    """Un layer con meno head di key e value, ottenute facendo la media di quelle di ogni gruppo.

    Le query head non cambiano. Il layer nuovo non fa ciò che faceva il vecchio: è un buon punto di partenza, da
    addestrare ancora un poco.

    Args:
        layer: un `MultiHeadAttention`.
        n_kv_heads: quante head di key e value avrà; deve dividere quelle di `layer`.

    Returns:
        Un `MultiHeadAttention` nuovo: il vecchio resta com'era.

    Raises:
        ValueError: se `layer` non è un MultiHeadAttention, o i gruppi non vengono uguali.

    Fonte:
        Ainslie et al. 2023, arXiv 2305.13245, §2.1. Si usa nel capitolo 7.
    """
    if not isinstance(layer, MultiHeadAttention):
        raise ValueError(f"layer: mi aspettavo un MultiHeadAttention, ho trovato {type(layer).__name__}")
    n_kv_heads = positive_int("n_kv_heads", n_kv_heads)
    divides("n_kv_heads", n_kv_heads, "le head di key e value del layer", layer.n_kv_heads)
    bias = layer.Wq.bias is not None
    grouped = MultiHeadAttention(layer.d_model, layer.n_heads, n_kv_heads, head_dim=layer.head_dim, bias=bias, pattern=layer.pattern, rope=layer.rope)
    state = dict(layer.state_dict())
    for name in ("Wk.weight", "Wv.weight", *(("Wk.bias", "Wv.bias") if bias else ())):
        heads = state[name].unflatten(0, (n_kv_heads, -1, layer.head_dim))             # (gruppi, head del gruppo, Dh, …)
        state[name] = heads.mean(1).flatten(0, 1)
    grouped.to(layer.Wq.weight).load_state_dict(state)
    return grouped.train(layer.training)
