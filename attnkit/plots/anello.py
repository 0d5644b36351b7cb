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
        said.append(f"passo {n + 1}: " + ", ".join(f"il dispositivo {s.rank} lavora con key e value del dispositivo {s.holds}" for s in works) + (f"; chi aspetta: {', '.join(map(str, waits))}" if waits else ""))
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
    """Quanto lavora ogni dispositivo, nel tempo, per più disposizioni: in ogni passo tutti aspettano il più lento.

    Args:
        runs: un dizionario, dal nome alla `Simulation`; tutte della stessa sequenza, con gli stessi dispositivi.

    Returns:
        Una figura. Capitolo 9.
    """
    row, left, gap = 0.135, 1.45, 0.34
    lasts = {name: [max(s.pairs for s in run.steps if s.step == n) for n in range(run.ranks)] for name, run in runs.items()}      # quanto dura ogni passo
    unit = 5.6 / max(map(sum, lasts.values()))
    high = [run.ranks * row for run in runs.values()]
    said = "; ".join(f"{name}, efficienza {percent(run.efficiency)}, in tutto i dispositivi calcolano da {min(_pairs(run))} a {max(_pairs(run))} coppie, e il tempo è {percent(sum(lasts[name]) * unit / 5.6)} del più lungo"
                     for name, run in runs.items())
    figure, axes = canvas(7.2, sum(high) + gap * len(runs) + 0.55, f"Una riga per dispositivo, il tempo da sinistra a destra: scuro dove lavora, bianco dove aspetta. {said}.")
    y = 0.15
    for (name, run), tall in zip(runs.items(), high):
        write(axes, left - 0.12, y + tall / 2 - 0.12, name, size=10.5, weight="bold", ha="right")
        write(axes, left - 0.12, y + tall / 2 + 0.12, f"efficienza {percent(run.efficiency)}", size=9, ha="right")
        x = left
        for n, last in enumerate(lasts[name]):
            for s in (s for s in run.steps if s.step == n and s.pairs):
                axes.add_patch(Rectangle((x, y + s.rank * row + 0.02), unit * s.pairs, row - 0.04, facecolor=WORK, edgecolor="none"))
            axes.add_patch(Rectangle((x, y), unit * last, tall, facecolor="none", edgecolor=SOFT, linewidth=0.8))
            x += unit * last
        y += tall + gap
    for face, text, at in ((WORK, "lavora", left), (PAPER, "aspetta chi è più lento", left + 1.1)):
        axes.add_patch(Rectangle((at, y), 0.3, 0.13, facecolor=face, edgecolor=SOFT, linewidth=0.7))
        write(axes, at + 0.38, y + 0.065, text, size=9, ha="left")
    arrow(axes, (5.9, y + 0.065), (7.05, y + 0.065))
    write(axes, 5.82, y + 0.065, "tempo", size=9, ha="right")
    return figure


def _pairs(run):
    """Quante coppie calcola ogni dispositivo, in tutto."""
    return [sum(s.pairs for s in run.steps if s.rank == r) for r in range(run.ranks)]
