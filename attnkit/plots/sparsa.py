"""Le figure del capitolo 8: chi vede chi, quando non tutti vedono tutti."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Rectangle

from attnkit.plots.memoria import LOOKS
from attnkit.plots.tela import FAINT, INK, PAPER, SOFT, STYLE, CourseFigure, canvas, italian_ticks, plot_axes, write

NEAR, FAR = "#5B7083", "#E3AF4A"                              # vicini e lontani: uno scuro e uno chiaro, anche in grigio


def grids(panels, *, across=None, legend=(), rows=None, columns=None, cell=None,
          what="Una riga per chi guarda, una colonna per chi è guardato; le caselle piene sono le coppie visibili."):
    """Una griglia per riquadro: una riga per chi guarda, una colonna per chi è guardato.

    Args:
        panels: coppie (titolo, tabella): interi (righe, colonne) con 0 = non visto, 1 e 2 = visto, in due colori.
        across: quanti riquadri per fila; None = tutti.
        legend: che cosa vogliono dire il colore 1 e, se c'è, il colore 2.
        rows, columns: le etichette di righe e colonne, uguali per tutti i riquadri; None = nessuna.
        cell: il lato di una casella, in pollici; None = quanto ci sta.
        what: che cosa sono righe, colonne e caselle piene, per il testo alternativo.

    Returns:
        Una figura. Capitolo 8.
    """
    across = across or len(panels)
    wide, tall = max(t.shape[1] for _, t in panels), max(t.shape[0] for _, t in panels)
    left = 0.3 + 0.085 * max((len(label) for label in rows or ()), default=0)
    panel = (7.2 - 0.1) / across
    cell = cell or min(0.3, (panel - left - 0.15) / wide)
    high = tall * cell + (0.75 if columns else 0.42)
    lines = -(-len(panels) // across)
    said = "; ".join(f"{title}, {int((t > 0).sum())} caselle piene su {t.size}, {int((t[-1] > 0).sum())} nell'ultima riga" for title, t in panels)
    figure, axes = canvas(7.2, lines * high + (0.38 if legend else 0.08), f"{what} {said}.")
    for p, (title, table) in enumerate(panels):
        x, y = (p % across) * panel + left, (p // across) * high + 0.36
        width = table.shape[1] * cell
        write(axes, x + width / 2, y - 0.17, title, size=10, weight="bold")
        for i, j in np.ndindex(table.shape):
            face = (PAPER, NEAR, FAR)[table[i, j]]
            axes.add_patch(Rectangle((x + j * cell, y + i * cell), cell, cell, facecolor=face, edgecolor=FAINT, linewidth=0.7))
            if table[i, j] == 2:
                axes.plot(x + (j + 0.5) * cell, y + (i + 0.5) * cell, ".", color=INK, markersize=max(1.5, 14 * cell))
        axes.add_patch(Rectangle((x, y), width, table.shape[0] * cell, facecolor="none", edgecolor=SOFT, linewidth=1))
        for i, label in enumerate((rows or ())[:table.shape[0]]):
            write(axes, x - 0.07, y + (i + 0.5) * cell, label, size=9, ha="right")
        for j, label in enumerate((columns or ())[:table.shape[1]]):
            write(axes, x + (j + 0.62) * cell, y + table.shape[0] * cell + 0.06, label, size=9, ha="right", va="top", rotation=35, rotation_mode="anchor")
    x, y = 0.3, lines * high + 0.16
    for face, text in zip((NEAR, FAR), legend):
        axes.add_patch(Rectangle((x, y - 0.075), 0.15, 0.15, facecolor=face, edgecolor=SOFT, linewidth=0.7))
        if face == FAR:
            axes.plot(x + 0.075, y, ".", color=INK, markersize=3)
        write(axes, x + 0.22, y, text, size=9, ha="left")
        x += 0.55 + 0.078 * len(text)
    return figure


def stack(tokens, layers, target):
    """Un layer sopra l'altro, e da dove può arrivare ciò che sa l'ultimo token.

    Args:
        tokens: i token, come testo, T.
        layers: coppie (nome, maschera booleana (T, T)), dal primo layer.
        target: la posizione da cui si parte, in alto.

    Returns:
        Una figura. Capitolo 8.
    """
    T, L, step, rise = len(tokens), len(layers), 0.78, 0.62
    reached = [{target}]
    for _, mask in reversed(layers):
        reached.append({j for i in reached[-1] for j in range(T) if mask[i, j]})
    reached = reached[::-1]                                                # dal basso
    said = "; ".join(f"sotto il layer {n + 1}, {name}, " + ("arriva fino all'inizio" if min(reached[n]) == 0 else f"arriva fino a {tokens[min(reached[n])]}") for n, (name, _) in enumerate(layers))
    figure, axes = canvas(7.2, L * rise + 0.8, f"Una fila di token per ogni layer, e le linee di chi guarda chi. Partendo da {tokens[target]} in alto e scendendo: {said}.")
    place = lambda n, j: (1.75 + j * step, 0.3 + (L - n) * rise)
    for n, (name, mask) in enumerate(layers):
        for i, j in np.argwhere(mask):
            live = i in reached[n + 1]
            (x0, y0), (x1, y1) = place(n, j), place(n + 1, i)
            axes.plot([x0, x1], [y0, y1], color=NEAR if live else FAINT, linewidth=1.5 if live else 0.8, zorder=2 if live else 1)
        write(axes, 0.15, 0.3 + (L - n - 0.5) * rise, f"{n + 1}. {name}", size=9.5, ha="left")
    for n in range(L + 1):
        for j in range(T):
            live = j in reached[n]
            axes.plot(*place(n, j), "o", color=INK if live else PAPER, markeredgecolor=INK if live else SOFT, markersize=8, zorder=3)
    for j, token in enumerate(tokens):
        write(axes, place(0, j)[0], 0.3 + L * rise + 0.27, token, size=9.5)
    return figure


def growth(lengths, series, ylabel):
    """Come cresce una grandezza con la lunghezza, in scala logaritmica sui due assi.

    Args:
        lengths: le lunghezze, crescenti.
        series: un dizionario, dal nome ai valori positivi; al più quattro.
        ylabel: che cosa si misura.

    Returns:
        Una figura. Capitolo 8.
    """
    figure = CourseFigure(figsize=(7.2, 3.4))
    figure.alt = (f"In orizzontale i token, da {lengths[0]} a {lengths[-1]}, in verticale {ylabel}, in scala logaritmica. "
                  + "; ".join(f"{name}, cresce di {values[-1] / values[0]:.0f} volte" for name, values in series.items()) + ".")
    axes = plot_axes(figure, (0.1, 0.15, 0.88, 0.80), xscale="log", yscale="log")
    for (name, values), (color, marker, line) in zip(series.items(), LOOKS):
        axes.plot(lengths, values, marker, linestyle=line, color=color, markersize=5.5, linewidth=1.9, label=name)
    with rc_context(STYLE):
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        italian_ticks(axes.yaxis)
        axes.set_xlabel("token", fontsize=9)
        axes.set_ylabel(ylabel, fontsize=9)
        axes.tick_params(labelsize=8.5)
        axes.legend(fontsize=9, frameon=False, loc="upper left")
    return figure
