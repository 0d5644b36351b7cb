"""Le figure del capitolo 9: chi tiene che cosa, chi lavora e chi aspetta."""

import numpy as np
from matplotlib.patches import Rectangle

from attnkit.plots.tela import FAINT, INK, KEY, PAPER, QUERY, SOFT, arrow, box, canvas, percent, tint, write

WORK = "#5B7083"


def ring(run):
    """L'anello, un riquadro per passo: ogni dispositivo con le sue query, e le key e i value che ha in mano.

    Dove la linea fra due vicini è grigia, e il posto di key e value è vuoto, il blocco non serve più a nessuno.

    Args:
        run: una `Simulation` con quattro dispositivi.

    Returns:
        Una figura. Capitolo 9.

    Raises:
        ValueError: se i dispositivi non sono quattro.
    """
    if run.ranks != 4:
        raise ValueError(f"ring: mi aspettavo una simulazione con 4 dispositivi, ne ho trovati {run.ranks}")
    panel, high = 3.6, 2.95
    useful = {s.holds: max(other.step for other in run.steps if other.holds == s.holds and other.pairs) for s in run.steps}      # fino a quando serve
    said = []
    for n in range(4):
        works = [s for s in run.steps if s.step == n and s.pairs]
        waits = sorted({*range(run.ranks)} - {s.rank for s in works})
        said.append(f"passo {n + 1}: " + ", ".join(f"il {s.rank} lavora con key e value del {s.holds}" for s in works) + (f"; chi aspetta: {', '.join(map(str, waits))}" if waits else ""))
    figure, axes = canvas(7.2, 2 * high, f"Quattro dispositivi in cerchio, numerati da 0. Le query restano dove sono, key e value passano al vicino. " + ". ".join(said) + ".")
    for n in range(4):
        middle, centre = (n % 2 + 0.5) * panel, (n // 2 + 0.5) * high
        write(axes, middle, centre - 0.1, f"passo {n + 1}", size=11.5, weight="bold")
        write(axes, middle, centre + 0.13, "e intanto si spedisce" if n < max(useful.values()) else "non si spedisce più", size=8.5, color=SOFT)
        places = [(middle + dx, centre + dy) for dx, dy in ((0.84, -0.84), (0.84, 0.84), (-0.84, 0.84), (-0.84, -0.84))]
        now = {s.rank: s for s in run.steps if s.step == n}
        for r, s in now.items():
            (x0, y0), (x1, y1) = places[r], places[(r + 1) % 4]
            along = np.array([x1 - x0, y1 - y0])
            edge = (0.6 if abs(along[0]) > abs(along[1]) else 0.43) / np.abs(along).max() * along
            if useful[s.holds] > n:
                arrow(axes, (x0 + edge[0], y0 + edge[1]), (x1 - edge[0], y1 - edge[1]), color=KEY, line=1.9, head=12)
            else:
                axes.plot([x0 + edge[0], x1 - edge[0]], [y0 + edge[1], y1 - edge[1]], color=FAINT, linewidth=1.9)
        for s in now.values():
            x, y = places[s.rank]
            works, here = s.pairs > 0, useful[s.holds] >= n
            box(axes, x - 0.55, y - 0.38, 1.1, 0.76, edge=INK if works else SOFT, face=PAPER, line=1.5 if works else 0.8)
            axes.add_patch(Rectangle((x - 0.47, y - 0.09), 0.32, 0.25, facecolor=tint(QUERY, 0.14), edgecolor=QUERY, linewidth=1.1))
            write(axes, x - 0.31, y + 0.035, f"Q{s.rank}", size=8.5, color=QUERY, weight="bold")
            if here:
                axes.add_patch(Rectangle((x - 0.09, y - 0.09), 0.56, 0.25, facecolor=tint(KEY, 0.06 + 0.4 * s.holds / 4), edgecolor=KEY, linewidth=1.1))
                write(axes, x + 0.19, y + 0.035, f"K{s.holds} V{s.holds}", size=8.5, weight="bold")
            else:
                axes.add_patch(Rectangle((x - 0.09, y - 0.09), 0.56, 0.25, facecolor=PAPER, edgecolor=SOFT, linewidth=0.9, linestyle=(0, (3, 2))))
            write(axes, x, y - 0.23, f"dispositivo {s.rank}", size=8.5)
            write(axes, x, y + 0.27, "lavora" if works else "aspetta", size=8.5, weight="bold" if works else "normal", color=INK if works else SOFT)
    return figure


def shifts(runs):
    """Quanto lavora ogni dispositivo in ogni passo, per più disposizioni.

    Args:
        runs: un dizionario, dal nome alla `Simulation`; tutte con gli stessi dispositivi.

    Returns:
        Una figura. Capitolo 9.
    """
    ranks = next(iter(runs.values())).ranks
    left, panel = 0.95, (7.2 - 0.95) / len(runs)
    cell = (panel - 0.2) / ranks
    row = min(cell, 0.26)
    bottom = 0.62 + ranks * row
    said = "; ".join(f"{name}, efficienza {percent(run.efficiency)}, in tutto i dispositivi calcolano da {min(_pairs(run))} a {max(_pairs(run))} coppie" for name, run in runs.items())
    figure, axes = canvas(7.2, bottom + 0.66, f"Una riga per dispositivo, una colonna per passo: la casella è piena quanto il lavoro di quel passo. {said}.")
    for p, (name, run) in enumerate(runs.items()):
        x, y = left + p * panel, 0.6
        biggest = max(s.pairs for other in runs.values() for s in other.steps)
        write(axes, x + ranks * cell / 2, 0.18, name, size=10.5, weight="bold")
        write(axes, x + ranks * cell / 2, 0.42, f"efficienza {percent(run.efficiency)}", size=9)
        for s in run.steps:
            at = x + s.step * cell, y + s.rank * row
            axes.add_patch(Rectangle(at, cell, row, facecolor=PAPER, edgecolor=FAINT, linewidth=0.7))
            if s.pairs:
                axes.add_patch(Rectangle((at[0], at[1] + 0.1 * row), cell * s.pairs / biggest, 0.8 * row, facecolor=WORK, edgecolor=WORK, linewidth=0.4))
        axes.add_patch(Rectangle((x, y), ranks * cell, ranks * row, facecolor="none", edgecolor=SOFT, linewidth=1))
        write(axes, x + ranks * cell / 2, bottom + 0.14, f"passi, da 1 a {ranks}", size=8.5)
    for r in range(ranks):
        write(axes, left - 0.08, 0.6 + (r + 0.5) * row, f"dispositivo {r}" if r == 0 else str(r), size=8.5, ha="right")
    axes.add_patch(Rectangle((left, bottom + 0.4), 0.3, 0.14, facecolor=WORK, edgecolor=SOFT, linewidth=0.7))
    write(axes, left + 0.38, bottom + 0.47, "tutto il blocco", size=8.5, ha="left")
    axes.add_patch(Rectangle((left + 1.7, bottom + 0.4), 0.3, 0.14, facecolor=PAPER, edgecolor=SOFT, linewidth=0.7))
    write(axes, left + 2.08, bottom + 0.47, "niente: si aspetta", size=8.5, ha="left")
    return figure


def _pairs(run):
    """Quante coppie calcola ogni dispositivo, in tutto."""
    return [sum(s.pairs for s in run.steps if s.rank == r) for r in range(run.ranks)]
