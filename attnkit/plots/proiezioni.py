"""Le figure del capitolo 2: le tre proiezioni, il vettore arricchito, la strada di un token."""

import numpy as np
from matplotlib.patches import Ellipse, FancyArrowPatch, Rectangle

from attnkit.plots.tela import (FAINT, INK, KEY, OUTPUT, PAPER, QUERY, SOFT, VALUE, WEIGHT, arrow, box, canvas, percent, squares,
                                write)


def q_k_v(trace, projections):
    """Dagli ingressi a Q, K e V: una matrice imparata per ciascuna, una riga per token.

    Args:
        trace: la frase seguita dal modello, con `tokens`, `normed`, `Q`, `K`, `V`.
        projections: le tre matrici (Wq, Wk, Wv), ciascuna (D, Dh).

    Returns:
        Una figura. Capitolo 2.
    """
    T, D = trace.normed.shape
    figure, axes = canvas(7.2, 6.0, (
        f"A sinistra la matrice X, {T} righe, una per token, e {D} colonne. Tre frecce la moltiplicano per le matrici imparate di query, key e value, "
        f"{D} per {D}, che non hanno righe per i token. A destra i tre risultati Q, K e V: di nuovo {T} righe, una per token."))
    cell = 0.17
    height, side = T * cell, D * cell
    xs, ys = (0.95, 3.1, 5.6), (1.02, 2.7, 4.38)
    middle = ys[1] + height / 2
    squares(axes, xs[0], ys[1], trace.normed, cell=cell, color=INK)
    write(axes, xs[0] + side / 2, ys[1] - 0.36, "X", size=13, weight="bold")
    write(axes, xs[0] + side / 2, ys[1] - 0.14, f"{T} token × {D}", size=9, color=SOFT)
    parts = (("Q", QUERY, trace.Q, "che cosa cerco"), ("K", KEY, trace.K, "come mi trovano"), ("V", VALUE, trace.V, "che cosa porto"))
    for y, W, (name, color, result, question) in zip(ys, projections, parts):
        w_top = y + height / 2 - D * cell / 2
        squares(axes, xs[1], w_top, W, cell=cell, color=color)
        write(axes, xs[1] + W.shape[1] * cell / 2, w_top - 0.14, f"× $W_{name}$   {W.shape[0]} × {W.shape[1]}", size=9.5, color=color)
        squares(axes, xs[2], y, result, cell=cell, color=color)
        write(axes, xs[2] + side / 2, y - 0.14, f"$\\mathbf{{{name}}} = X\\,W_{name}$   {T} × {W.shape[1]}", size=9.5, color=color)
        write(axes, xs[2] + side / 2, y - 0.36, question, size=9, color=color, style="italic")
        arrow(axes, (xs[0] + side + 0.08, middle), (xs[1] - 0.1, y + height / 2), color=color)
        arrow(axes, (xs[1] + W.shape[1] * cell + 0.08, y + height / 2), (xs[2] - 0.78, y + height / 2), color=color)
        for i, token in enumerate(trace.tokens):
            write(axes, xs[2] - 0.06, y + (i + 0.5) * cell, token, size=8.5, ha="right")
    for i, token in enumerate(trace.tokens):
        write(axes, xs[0] - 0.06, ys[1] + (i + 0.5) * cell, token, size=8.5, ha="right")
    write(axes, xs[0] + side / 2, 0.3, "dal testo:\nuna riga per token", size=10, weight="bold")
    write(axes, 3.6, 5.87, "quadratino pieno = positivo, vuoto = negativo; ogni matrice ha la sua scala", size=8, color=SOFT)
    write(axes, xs[1] + side / 2, 0.3, "imparate:\nuguali per ogni frase", size=10, weight="bold")
    write(axes, xs[2] + side / 2, 0.3, "calcolate:\nuna riga per token", size=10, weight="bold")
    return figure


def enriched(trace):
    """Il vettore dell'ultimo token prima e dopo: che cosa si aggiunge, e da chi viene.

    Args:
        trace: la frase seguita dal modello, con `tokens`, `weights`, `x`, `update`, `y`.

    Returns:
        Una figura. Capitoli 2 e 3.
    """
    tokens, weights = trace.tokens, trace.weights[-1]
    top = int(weights.argmax())
    figure, axes = canvas(7.2, 3.5, (
        f"In alto una striscia divisa fra i token secondo i pesi: {percent(weights[top])} va a «{tokens[top]}». Sotto, incolonnati come in "
        f"un'addizione: il vettore di «{tokens[-1]}», l'aggiunta dell'attenzione e la loro somma, il vettore arricchito."))
    largest = max(np.abs(v).max() for v in (trace.x[-1], trace.update[-1], trace.y[-1]))
    x0, cell = 3.0, 0.36
    rows = ((1.35, trace.x[-1], INK, f"il vettore di «{tokens[-1]}»", "x"),
            (1.9, trace.update[-1], VALUE, "l’aggiunta, dopo $W_O$", "+"),
            (2.6, trace.y[-1], OUTPUT, "il vettore arricchito", "="))
    for y, values, color, label, sign in rows:
        squares(axes, x0, y, values, cell=cell, color=color, largest=largest)
        write(axes, 2.55, y + cell / 2, label, ha="right", color=color, weight="bold")
        write(axes, 2.8, y + cell / 2, "" if sign == "x" else sign, size=14, weight="bold")
    # la striscia delle quote: larga quanto il peso di ciascun token
    band, left, y = 6.8, 0.2, 0.4
    write(axes, left, y - 0.16, "i pesi: quanto si prende del value di ogni token", size=9.5, color=WEIGHT, ha="left")
    for j, token in enumerate(tokens):
        share = band * weights[j]
        axes.add_patch(Rectangle((left, y), share, 0.42, facecolor=WEIGHT if j == top else "#D9C8E5", edgecolor=PAPER, linewidth=1))
        if weights[j] >= 0.12:
            write(axes, left + share / 2, y + 0.21, f"{token}  {percent(weights[j])}", color=PAPER if j == top else INK, weight="bold")
        left += share
    others = sum(weights[j] for j in range(len(tokens)) if weights[j] < 0.12)
    write(axes, 7.0, y + 0.56, f"gli altri token insieme: {percent(others)}", size=9, ha="right", color=SOFT)
    axes.plot([2.7, x0 + 8 * cell + 0.05], [2.43] * 2, color=INK, linewidth=1)
    write(axes, 3.6, 3.22, "quadratino pieno = positivo, vuoto = negativo; la scala è la stessa nelle tre righe", size=8, color=SOFT)
    return figure


def path(trace):
    """La strada di un token nel modello: dove stanno la head, il blocco e il residual stream.

    Args:
        trace: la frase seguita dal modello; se ne usano le dimensioni.

    Returns:
        Una figura. Capitolo 2.
    """
    T, D = trace.x.shape
    words = trace.logits.shape[1]
    figure, axes = canvas(7.2, 2.32, (
        "Schema da sinistra a destra: token, embedding più posizione, poi una linea orizzontale, il residual stream. Dal flusso si stacca un ramo che passa "
        "per la norma, la head e la sua matrice di uscita, e torna a sommarsi. Infine norma e matrice di uscita danno un logit per ogni token del vocabolario e il finale."))
    y = 1.75
    box(axes, 1.95, 0.15, 3.15, 2.02, edge=FAINT, face="#F6F7F9")
    write(axes, 2.05, 0.33, "un blocco (qui, la sola attenzione)", size=9, color=SOFT, ha="left")

    def stop(x, width, top, text, color, face=PAPER):
        box(axes, x, top - 0.24, width, 0.48, edge=color, face=face)
        write(axes, x + width / 2, top, text, size=9, color=color)

    stop(0.12, 0.68, y, "token", INK)
    arrow(axes, (0.82, y), (0.95, y))
    stop(0.97, 0.88, y, "embedding\n+ posizione", INK)
    arrow(axes, (1.87, y), (5.3, y), line=2.4, head=12)
    write(axes, 3.25, y + 0.2, f"residual stream: {T} × {D}", size=9, color=SOFT)
    arrow(axes, (2.39, y), (2.39, 1.05), color=SOFT)
    stop(2.08, 0.62, 0.8, "norma", SOFT)
    arrow(axes, (2.72, 0.8), (2.86, 0.8))
    stop(2.88, 1.12, 0.8, "head\nQ, K, V", QUERY, face="#EDF3FA")
    arrow(axes, (4.02, 0.8), (4.16, 0.8))
    stop(4.18, 0.5, 0.8, "$W_O$", VALUE)
    axes.add_patch(FancyArrowPatch((4.68, 0.8), (4.88, y - 0.14), arrowstyle="-|>", mutation_scale=8, color=SOFT, linewidth=1.3,
                                   connectionstyle="angle,angleA=0,angleB=90,rad=4", shrinkA=0, shrinkB=0))
    axes.add_patch(Ellipse((4.88, y), 0.26, 0.26, facecolor=PAPER, edgecolor=INK, linewidth=1.2, zorder=3))
    write(axes, 4.88, y, "+", size=11, weight="bold", zorder=4)
    stop(5.32, 0.62, y, "norma", SOFT)
    arrow(axes, (5.96, y), (6.06, y))
    stop(6.08, 0.46, y, "$W_{out}$", INK)
    arrow(axes, (6.56, y), (6.68, y))
    write(axes, 6.94, y, "logit", size=9, weight="bold")
    write(axes, 6.9, y + 0.22, f"{words} token", size=7.5, color=SOFT)
    arrow(axes, (6.94, y - 0.14), (6.94, 1.12), color=OUTPUT)
    write(axes, 6.86, 1.36, "softmax", size=8, color=OUTPUT, ha="right")
    write(axes, 6.94, 0.96, trace.prediction, size=13, weight="bold", color=OUTPUT)
    return figure
