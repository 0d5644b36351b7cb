"""Le figure del capitolo 1: la frase intera, le righe dei pesi, la tabella."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import FancyArrowPatch, Rectangle

from attnkit.plots.tela import (FAINT, INK, KEY, OUTPUT, PAPER, QUERY, SOFT, STYLE, VALUE, WEIGHT, CourseFigure, arrow, box,
                                canvas, number, percent, squares, tint, write)


def self_attention(trace, endings=("-a", "-o", "-e", "-i")):
    """Panoramica: dall'ultimo token gli archi verso i precedenti, poi le due fasi con i numeri veri.

    Args:
        trace: la frase seguita dal modello, con `tokens`, `weights`, `V`, `output`, `probability`.
        endings: i finali di cui mostrare la probabilità.

    Returns:
        Una figura. Capitolo 1.
    """
    tokens, weights, V, output = trace.tokens, trace.weights[-1], trace.V, trace.output[-1]
    T, width = len(tokens), 7.2
    first = int(weights.argmax())
    chances = {ending: trace.probability(ending) for ending in endings}
    best = max(chances, key=chances.get)
    figure, axes = canvas(width, 5.5, (
        f"In alto la frase «{' '.join(tokens)}», un riquadro per token; dall'ultimo partono archi verso i token precedenti, "
        f"spessi quanto il loro peso: il più spesso, {percent(weights[first])}, arriva a «{tokens[first]}». Sotto, le due fasi: "
        f"a sinistra i pesi come barre, a destra i value moltiplicati per i pesi e la loro somma, da cui esce il finale «{best}»."))

    # la frase e gli archi
    sizes = np.array([0.34 + 0.092 * len(token) for token in tokens])
    gap = (width - 0.4 - sizes.sum()) / (T - 1)
    left = 0.2 + np.concatenate([[0], np.cumsum(sizes + gap)[:-1]])
    middle, top = left + sizes / 2, 1.14
    for j, token in enumerate(tokens):
        current = j == T - 1
        box(axes, left[j], top, sizes[j], 0.36, edge=QUERY if current else KEY, line=2.2 if current else 1.3)
        write(axes, middle[j], top + 0.18, token, size=11, weight="bold" if j in (first, T - 1) else "normal")
        write(axes, middle[j], top + 0.52, percent(weights[j]), size=9, color=WEIGHT, weight="bold" if j == first else "normal")
        if not current:
            distance = middle[-1] - middle[j]
            axes.add_patch(FancyArrowPatch((middle[-1], top - 0.03), (middle[j], top - 0.03), arrowstyle="-|>",
                                           connectionstyle=f"arc3,rad={0.30 * min(1, 0.6 + distance / width)}",
                                           mutation_scale=6 + 8 * weights[j], color=WEIGHT, alpha=1 if j == first else 0.6,
                                           linewidth=0.6 + 5.5 * weights[j], shrinkA=0, shrinkB=0))

    # prima fase: i pesi
    row, start = 0.26, 2.62
    write(axes, 0.2, 2.1, "1  Relevance scoring", size=11, weight="bold", color=WEIGHT, ha="left")
    write(axes, 0.2, 2.36, "quanto conta ogni token?", size=9.5, color=SOFT, ha="left")
    for j, token in enumerate(tokens):
        y = start + j * row
        write(axes, 1.18, y + row / 2, token, ha="right", weight="bold" if j == first else "normal")
        axes.add_patch(Rectangle((1.28, y + 0.05), max(0.012, 1.05 * weights[j]), row - 0.1, facecolor=WEIGHT))
        write(axes, 1.36 + 1.05 * weights[j], y + row / 2, percent(weights[j]), size=9, ha="left")

    # seconda fase: i value pesati e la loro somma
    at, D = 3.3, V.shape[1]
    largest = max(np.abs(V).max(), np.abs(output).max())
    write(axes, at, 2.1, "2  Combining information", size=11, weight="bold", color=VALUE, ha="left")
    write(axes, at, 2.36, "che cosa ne prendo?  peso × value", size=9.5, color=SOFT, ha="left")
    for j in range(T):
        squares(axes, at, start + j * row, weights[j] * V[j], cell=row, color=VALUE, largest=largest)
        write(axes, at - 0.1, start + (j + 0.5) * row, "+" if j else "", ha="right", color=SOFT)
    total = start + T * row + 0.2
    axes.plot([at - 0.25, at + D * row], [total - 0.1] * 2, color=INK, linewidth=1)
    squares(axes, at, total, output, cell=row, color=OUTPUT, largest=largest)
    write(axes, at - 0.1, total + row / 2, "somma", ha="right", weight="bold", color=OUTPUT)

    # il finale: la somma porta alle quattro probabilità insieme, e una parentesi lo dice
    right = at + D * row
    base = total + row
    bracket, top_row = right + 0.4, base - len(chances) * row
    arrow(axes, (right + 0.06, total + row / 2), (bracket - 0.03, total + row / 2), color=OUTPUT, head=12)
    axes.plot([bracket + 0.07, bracket, bracket, bracket + 0.07], [top_row + 0.04, top_row + 0.04, base - 0.02, base - 0.02],
              color=OUTPUT, linewidth=1.3)
    write(axes, right + 0.4, top_row - 0.17, "quale finale?", size=9.5, color=SOFT, ha="left")
    for k, (ending, chance) in enumerate(chances.items()):
        y = base - (len(chances) - k) * row
        write(axes, right + 0.82, y + row / 2, ending, ha="right", weight="bold" if ending == best else "normal")
        axes.add_patch(Rectangle((right + 0.88, y + 0.05), max(0.012, 0.4 * chance), row - 0.1, facecolor=OUTPUT))
        write(axes, right + 0.93 + 0.4 * chance, y + row / 2, percent(chance), size=8.5, ha="left")
    write(axes, 3.6, 5.22, "quadratino pieno = positivo, vuoto = negativo; i numeri vicini a zero non si vedono", size=8, color=SOFT)
    return figure


def compare_rows(tokens, rows, labels, targets):
    """Le righe dei pesi di più frasi che differiscono per un token, una accanto all'altra.

    Args:
        tokens: per ogni frase, la lista dei token.
        rows: per ogni frase, i pesi dell'ultimo token, shape (T,).
        labels: per ogni frase, il titolo.
        targets: per ogni frase, la posizione del nome con cui concorda il finale.

    Returns:
        Una figura. Capitolo 1.
    """
    with rc_context(STYLE):
        figure = CourseFigure(figsize=(7.2, 2.75))
        winners = [f"«{words[-1]}» dà {percent(row.max())} a «{words[int(row.argmax())]}»" for words, row in zip(tokens, rows)]
        figure.alt = f"Barre con i pesi dell'ultimo token, una frase per riquadro: {'; '.join(winners)}."
        for k, (words, row, label, target) in enumerate(zip(tokens, rows, labels, targets)):
            axes = figure.add_axes((0.12 + 0.5 * k, 0.06, 0.31, 0.78))
            bars = axes.barh(range(len(words)), row, color=[WEIGHT if j == target else "#B79BC9" for j in range(len(words))], height=0.7)
            axes.bar_label(bars, [percent(value) for value in row], padding=3, fontsize=9)
            axes.set(yticks=range(len(words)), yticklabels=words, xlim=(0, 1.2), xticks=[])
            axes.get_yticklabels()[target].set_fontweight("bold")
            axes.invert_yaxis()
            axes.spines[["top", "right", "bottom"]].set_visible(False)
            axes.tick_params(axis="y", length=0)
            axes.set_title(label, fontsize=10.5, loc="left", x=-0.35)
    return figure


def weight_table(tokens, weights):
    """La tabella dei pesi: una riga per chi guarda, una colonna per chi è guardato.

    Args:
        tokens: i T token.
        weights: pesi, shape (T, T), con gli zeri dove non si può guardare.

    Returns:
        Una figura. Capitolo 1.
    """
    T = len(tokens)
    last = int(weights[-1].argmax())
    figure, axes = canvas(7.2, 4.55, (
        f"Tabella {T} per {T} dei pesi. Riga: il token che guarda; colonna: il token guardato. Sopra la diagonale le caselle sono "
        f"tratteggiate, perché il futuro non si vede. È incorniciata l'ultima riga: «{tokens[-1]}» dà {percent(weights[-1, last])} a «{tokens[last]}»."))
    x0, y0, cw, ch = 1.5, 0.95, 0.78, 0.46
    write(axes, x0 + T * cw / 2, 0.22, "key: il token guardato", color=KEY, weight="bold")
    write(axes, 0.17, y0 + T * ch / 2, "query: il token che guarda", color=QUERY, weight="bold", rotation=90)
    for i in range(T):
        write(axes, x0 - 0.1, y0 + (i + 0.5) * ch, tokens[i], ha="right")
        write(axes, x0 + (i + 0.5) * cw, y0 - 0.2, tokens[i], size=9.5)
        for j in range(T):
            hidden = j > i
            axes.add_patch(Rectangle((x0 + j * cw, y0 + i * ch), cw, ch, facecolor=PAPER if hidden else tint(WEIGHT, weights[i, j]),
                                     edgecolor="#B4B9BF" if hidden else FAINT, hatch="////" if hidden else None, linewidth=0.8))
            if not hidden:
                write(axes, x0 + (j + 0.5) * cw, y0 + (i + 0.5) * ch, number(weights[i, j]), size=9.5,
                      color=PAPER if weights[i, j] > 0.45 else INK)
    axes.add_patch(Rectangle((x0, y0 + (T - 1) * ch), T * cw, ch, facecolor="none", edgecolor=INK, linewidth=1.6))
    return figure
