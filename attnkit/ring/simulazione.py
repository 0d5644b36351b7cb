"""L'anello in un processo solo, un passo alla volta: chi tiene che cosa, chi lavora, chi aspetta."""

import math
from dataclasses import dataclass

import torch

from attnkit.attention.controlli import check_inputs
from attnkit.ring.disposizione import places


@dataclass(frozen=True, eq=False)
class Step:
    """Ciò che un rank fa in un passo."""

    step: int                 # quale passo, da 0
    rank: int                 # chi
    holds: int                # di quale rank sono le key e i value che ha in mano
    pairs: int                # quante coppie (query, key) calcola, per head
    maximum: torch.Tensor     # (B, Hq, T del rank) il punteggio più alto visto finora; -inf se nessuno
    total: torch.Tensor       # (B, Hq, T del rank) la somma degli esponenziali, rispetto a quel massimo


@dataclass(frozen=True, eq=False)
class Simulation:
    """Una corsa dell'anello, con il suo resoconto."""

    output: torch.Tensor      # (B, Hq, T, Dh) nell'ordine della sequenza
    steps: list               # gli Step, prima per passo e poi per rank
    ranks: int

    @property
    def efficiency(self):
        """Il lavoro fatto, diviso per quello che si sarebbe potuto fare: in ogni passo tutti aspettano il più carico."""
        rounds = [[s.pairs for s in self.steps if s.step == n] for n in range(self.ranks)]
        return sum(map(sum, rounds)) / (self.ranks * sum(map(max, rounds)))


def simulate(q, k, v, *, ranks, causal=True, layout="zigzag"):
    """La ring attention in un processo solo, per qualunque lunghezza.

    In ogni passo un rank confronta le sue query con le key che ha in mano, poi le passa al vicino. Di ogni query si
    tengono tre cose: il massimo dei punteggi visti, la somma degli esponenziali e la somma pesata dei value.

    Args:
        q: query, shape (B, Hq, T, Dh).
        k, v: key e value, shape (B, Hkv, T, Dh), con Hkv che divide Hq.
        ranks: quanti rank.
        causal: se nessuno vede il futuro.
        layout: "contiguous", "zigzag" o "striped".

    Returns:
        Una `Simulation`.

    Raises:
        ValueError: se shape, dtype o device non si accordano, le query non sono tante quante le key, o la disposizione non c'è.

    Fonte:
        Liu et al. 2023, arXiv 2310.01889; Milakov e Gimelshein 2018, arXiv 1805.02867. Si costruisce nel capitolo 9.
    """
    check_inputs(q, k, v, None)
    B, Hq, T, Dh = q.shape
    if k.shape[2] != T:
        raise ValueError(f"Mi aspettavo tante query quante key, ho trovato {T} e {k.shape[2]}")
    group = Hq // k.shape[1]
    dtype, wide = q.dtype, torch.promote_types(q.dtype, torch.float32)     # in mezza precisione la somma perderebbe cifre
    q, k, v = q.to(wide), *(t.to(wide).repeat_interleave(group, 1) for t in (k, v))        # (B, Hq, T, Dh)
    held = [p.to(q.device) for p in places(T, ranks, layout)]
    maximum = q.new_full((B, Hq, T), -math.inf)
    total, output = torch.zeros_like(maximum), torch.zeros_like(q)
    steps = []
    for step in range(ranks):
        for rank in range(ranks):
            source = (rank - step) % ranks
            i, j = held[rank], held[source]
            scores = q[:, :, i] @ k[:, :, j].transpose(2, 3) / math.sqrt(Dh)               # (B, Hq, Ti, Tj)
            visible = j <= i[:, None] if causal else torch.ones(len(i), len(j), dtype=torch.bool, device=q.device)
            scores = scores.masked_fill(~visible, -math.inf)
            before = maximum[:, :, i]
            now = torch.maximum(before, scores.amax(-1)) if len(j) else before
            safe = now.masked_fill(now == -math.inf, 0.0)                  # una riga ancora vuota
            exponentials, shrink = (scores - safe[..., None]).exp(), (before - safe).exp()
            total[:, :, i] = shrink * total[:, :, i] + exponentials.sum(-1)
            output[:, :, i] = shrink[..., None] * output[:, :, i] + exponentials @ v[:, :, j]
            maximum[:, :, i] = now
            steps.append(Step(step, rank, source, int(visible.sum()), now.clone(), total[:, :, i].clone()))
    return Simulation((output / total[..., None]).to(dtype), steps, ranks)
