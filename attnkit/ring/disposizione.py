"""Quali token tiene ogni rank, e come si distribuisce un tensore.

contiguous    rank r tiene la r-esima fetta della sequenza
zigzag        la sequenza è tagliata in 2P fette; rank r tiene la r-esima e la r-esima dal fondo
striped       rank r tiene un token ogni P, a partire da r
"""

import torch

from attnkit.shapes import natural_int, positive_int

LAYOUTS = ("contiguous", "zigzag", "striped")


def places(T, ranks, layout="zigzag"):
    """Le posizioni che tiene ogni rank, crescenti.

    Args:
        T: quanti token.
        ranks: quanti rank, P.
        layout: una di `LAYOUTS`.

    Returns:
        Una lista di P tensori di interi. Se T non si divide, le parti differiscono di poco.

    Raises:
        ValueError: se T o `ranks` non sono interi positivi, o la disposizione non c'è.

    Fonte:
        Liu et al. 2023, arXiv 2310.01889, contiguous; Brandon et al. 2023, arXiv 2311.09431, striped; Llama Team 2024, arXiv
        2407.21783, §3.3.2, zigzag. Si costruisce nel capitolo 9.
    """
    positions, P = torch.arange(positive_int("T", T)), positive_int("ranks", ranks)
    if layout == "contiguous":
        return list(positions.tensor_split(P))
    if layout == "zigzag":
        slices = positions.tensor_split(2 * P)
        return [torch.cat([slices[r], slices[2 * P - 1 - r]]) for r in range(P)]
    if layout == "striped":
        return [positions[r::P] for r in range(P)]
    raise ValueError(f"layout: mi aspettavo uno fra {', '.join(LAYOUTS)}, ho trovato {layout!r}")


def shard(x, rank, ranks, layout="zigzag"):
    """La parte di un tensore che tocca a un rank.

    Args:
        x: shape (B, H, T, Dh).
        rank: quale, da 0.
        ranks, layout: come in `places`.

    Returns:
        Shape (B, H, T del rank, Dh).

    Raises:
        ValueError: se il rank non c'è, o come in `places`.
    """
    if x.dim() != 4:
        raise ValueError(f"x: mi aspettavo 4 assi (B, H, T, Dh), ne ho trovati {x.dim()} (shape {tuple(x.shape)})")
    if not natural_int("rank", rank) < positive_int("ranks", ranks):
        raise ValueError(f"rank: mi aspettavo un numero da 0 a {ranks - 1}, ho trovato {rank}")
    return x.index_select(2, places(x.shape[2], ranks, layout)[rank].to(x.device))


def unshard(shards, layout="zigzag"):
    """Il tensore intero, dalle parti di tutti i rank, in ordine.

    Args:
        shards: una lista di tensori (B, H, T del rank, Dh).
        layout: come in `places`.

    Returns:
        Shape (B, H, T, Dh).

    Raises:
        ValueError: se le parti non sono lunghe quanto dovrebbero.
    """
    order = places(sum(s.shape[2] for s in shards), len(shards), layout)
    if [len(positions) for positions in order] != [s.shape[2] for s in shards]:
        raise ValueError(f"shards: mi aspettavo parti lunghe {[len(p) for p in order]}, ho trovato {[s.shape[2] for s in shards]}")
    return torch.cat(list(shards), dim=2).index_select(2, torch.cat(order).argsort().to(shards[0].device))
