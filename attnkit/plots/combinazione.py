"""Le figure del capitolo 4: dai pesi al vettore arricchito, e da lì al finale."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Polygon, Rectangle

from attnkit.plots.tela import (FAINT, INK, KEY, OUTPUT, PAPER, QUERY, SOFT, STYLE, VALUE, WEIGHT, CourseFigure, arrow, canvas,
                                number, percent, plot_axes, squares, tint, write)


def values(tokens, weights, V):
    """I value, una riga per token, con accanto il peso che li aspetta.

    Args:
        tokens: i T token.
        weights: i pesi di chi guarda, shape (T,).
        V: i value, shape (T, Dv).

    Returns:
        Una figura. Capitolo 4.
    """
    T, Dv = V.shape
    top = int(weights.argmax())
    figure, axes = canvas(7.2, 3.2, (
        f"A sinistra i pesi con cui «{tokens[-1]}» guarda i {T} token, come barre: il più grande, {percent(weights[top])}, va a «{tokens[top]}». "
        f"A destra, riga per riga, i value di quegli stessi token: {Dv} quadratini ciascuno."))
    cell, y0, bar = 0.31, 0.72, 1.5
    left, right = 1.15, 4.35
    write(axes, left, 0.24, "i pesi", ha="left", size=11, weight="bold", color=WEIGHT)
    write(axes, left, 0.48, "quanto conta ogni token", ha="left", size=9, color=SOFT)
    write(axes, right, 0.24, "i value", ha="left", size=11, weight="bold", color=VALUE)
    write(axes, right, 0.48, f"che cosa porta: {T} × {Dv}", ha="left", size=9, color=SOFT)
    for j, token in enumerate(tokens):
        y, bold = y0 + (j + 0.5) * cell, "bold" if j == top else "normal"
        write(axes, left - 0.1, y, token, ha="right", weight=bold)
        axes.add_patch(Rectangle((left, y - 0.1), max(0.012, bar * weights[j]), 0.2, facecolor=WEIGHT))
        write(axes, left + 0.07 + bar * weights[j], y, percent(weights[j]), ha="left", size=9, weight=bold)
        write(axes, 3.42, y, "×", color=SOFT)
        write(axes, right - 0.1, y, token, ha="right", weight=bold)
    squares(axes, right, y0, V, cell=cell, color=VALUE)
    write(axes, 3.6, 3.05, "quadratino pieno = positivo, vuoto = negativo", size=8, color=SOFT)
    return figure


def weighted(tokens, weights, V):
    """Ogni value per il proprio peso, poi la somma per colonne.

    Args:
        tokens: i T token.
        weights: i pesi di chi guarda, shape (T,).
        V: i value, shape (T, Dv).

    Returns:
        Una figura. Capitolo 4.
    """
    T, Dv = V.shape
    top = int(weights.argmax())
    figure, axes = canvas(7.2, 4.0, (
        f"A sinistra i {T} value, al centro i pesi, a destra i prodotti: la riga di «{tokens[top]}» resta quasi intera, le altre quasi scompaiono. "
        "Sotto una linea, come in un'addizione, la somma delle colonne: l'uscita."))
    cell, y0 = 0.3, 0.7
    left, right = 0.95, 4.45
    largest = np.abs(V).max()
    write(axes, left + Dv * cell / 2, 0.22, "value", size=11, weight="bold", color=VALUE)
    write(axes, 3.88, 0.22, "peso", size=11, weight="bold", color=WEIGHT)
    write(axes, right + Dv * cell / 2, 0.22, "peso × value", size=11, weight="bold", color=VALUE)
    write(axes, right + Dv * cell / 2, 0.47, "i weighted values", size=9, color=SOFT)
    squares(axes, left, y0, V, cell=cell, color=VALUE, largest=largest)
    squares(axes, right, y0, weights[:, None] * V, cell=cell, color=VALUE, largest=largest)
    for j, token in enumerate(tokens):
        y, bold = y0 + (j + 0.5) * cell, "bold" if j == top else "normal"
        write(axes, left - 0.1, y, token, ha="right", weight=bold)
        write(axes, left + Dv * cell + 0.16, y, "×", color=SOFT)
        axes.add_patch(Rectangle((3.62, y - 0.11), 0.52, 0.22, facecolor=tint(WEIGHT, weights[j]), edgecolor=FAINT, linewidth=0.8))
        write(axes, 3.88, y, number(weights[j]), size=9, color=PAPER if weights[j] > 0.45 else INK, weight=bold)
        write(axes, right - 0.14, y, "=", color=SOFT)
    total = y0 + T * cell + 0.24
    axes.plot([right - 0.3, right + Dv * cell + 0.05], [total - 0.12] * 2, color=INK, linewidth=1.2)
    squares(axes, right, total, weights @ V, cell=cell, color=OUTPUT, largest=largest)
    write(axes, right - 0.14, total + cell / 2, "somma delle colonne: l’uscita", ha="right", color=OUTPUT, weight="bold")
    write(axes, 3.6, 3.83, "quadratino pieno = positivo, vuoto = negativo; la scala è la stessa ovunque", size=8, color=SOFT)
    return figure


def _around(points):
    """I vertici del guscio convesso di punti nel piano, in senso antiorario (catena monotòna)."""
    def turns_left(a, b, c):
        return (b[0] - a[0]) * (c[1] - b[1]) > (b[1] - a[1]) * (c[0] - b[0])

    def half(sequence):
        chain = []
        for point in sequence:
            while len(chain) > 1 and not turns_left(chain[-2], chain[-1], point):
                chain.pop()
            chain.append(point)
        return chain[:-1]

    ordered = sorted(map(tuple, points))
    return half(ordered) + half(ordered[::-1])


def hull(tokens, V, outputs, components=(0, 1), current=-1):
    """Due componenti dei value, il loro guscio convesso, e le uscite: tutte dentro, o sul bordo.

    Args:
        tokens: i T token.
        V: i value, shape (T, Dv).
        outputs: le uscite della head, shape (T, Dv).
        components: quali due componenti disegnare.
        current: la posizione di chi guarda.

    Returns:
        Una figura. Capitolo 4.
    """
    points, inside = V[:, components], outputs[:, components]
    corners = _around(points)
    names = [tokens[j] for j in range(len(tokens)) if tuple(points[j]) in set(corners)]
    figure = CourseFigure(figsize=(7.2, 3.7))
    figure.alt = (f"Grafico con due delle {V.shape[1]} componenti. I {len(tokens)} value sono quadratini; un poligono unisce i più esterni: {', '.join(names)}. "
                  f"Le uscite sono cerchi, tutti dentro il poligono o sul bordo; quello di «{tokens[current]}» sta accanto al value che pesa di più.")
    axes = plot_axes(figure, (0.1, 0.14, 0.86, 0.82))
    axes.add_patch(Polygon(corners, closed=True, facecolor=tint(VALUE, 0.1), edgecolor=VALUE, linewidth=1.2))
    axes.plot(*inside.T, "o", color=OUTPUT, markersize=11, markerfacecolor="none", markeredgewidth=1.3, label="uscita di un altro token", zorder=5)
    axes.plot(*inside[current], "o", color=OUTPUT, markersize=8, zorder=6)
    axes.plot(*points.T, "s", color=VALUE, markersize=7, label="value")
    middle = points.mean(axis=0)
    span = np.ptp(points, axis=0)
    for token, point in zip(tokens, points):
        corner = tuple(point) in set(corners)
        right, high = point[0] >= middle[0] or not corner, point[1] >= middle[1] and corner
        write(axes, point[0] + (0.015 if right else -0.015) * span[0], point[1] + (0.03 if high else -0.03) * span[1], token,
              ha="left" if right else "right", va="bottom" if high else "top", color=VALUE, weight="bold")
    away = inside[current] + span * (0.2 * np.sign(middle[0] - inside[current][0]), 0.02)
    axes.annotate(f"uscita di {tokens[current]}", inside[current], xytext=away, color=OUTPUT, fontsize=10, va="center",
                  ha="left" if away[0] > inside[current][0] else "right", fontweight="bold",
                  arrowprops={"arrowstyle": "-", "color": OUTPUT, "linewidth": 1})
    for j, token in enumerate(tokens):
        distance = np.linalg.norm((inside[j] - points) / span, axis=1).min()
        if distance > 0.02 and tokens[j] != tokens[current]:       # più vicino, il nome del value basta per tutti e due
            # A sinistra il nome va in basso, a destra in alto; accanto a un value, che ha il nome in basso, alla stessa altezza.
            side = -1 if inside[j][0] < middle[0] else 1
            level = 0 if distance < 0.05 else side
            write(axes, inside[j][0] + 0.02 * side * span[0], inside[j][1] + 0.03 * level * span[1], token,
                  ha="right" if side < 0 else "left", va={-1: "top", 0: "center", 1: "bottom"}[level], color=OUTPUT, size=9)
    with rc_context(STYLE):
        axes.legend(fontsize=9, frameon=False, loc="upper right")
        axes.set_xlabel(f"componente {components[0] + 1}", fontsize=9)
        axes.set_ylabel(f"componente {components[1] + 1}", fontsize=9)
        axes.set_xlim(points[:, 0].min() - 0.16 * span[0], points[:, 0].max() + 0.16 * span[0])
        axes.set_ylim(points[:, 1].min() - 0.14 * span[1], points[:, 1].max() + 0.14 * span[1])
        axes.tick_params(labelsize=8.5)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: number(value, 1))
    return figure


def weight_and_contribution(tokens, weights, contributions, current):
    """Due classifiche degli stessi token: per peso, e per lunghezza di ciò che portano.

    Args:
        tokens: i token guardati.
        weights: i pesi, shape (T,).
        contributions: la lunghezza di peso × value, shape (T,).
        current: il token che guarda.

    Returns:
        Una figura. Capitolo 4.
    """
    figure, axes = canvas(7.2, 3.0, (
        f"Due serie di barre per il token «{current}». Il peso più grande è di «{tokens[int(weights.argmax())]}», il contributo più lungo è di "
        f"«{tokens[int(contributions.argmax())]}»."))
    y0, step = 0.98, 0.3
    write(axes, 0.2, 0.2, f"che cosa prende «{current}»", ha="left", size=10, weight="bold")
    panels = ((1.1, "peso", "quanto ne prende", weights, WEIGHT), (4.0, "lunghezza di peso × value", "quanto porta", contributions, VALUE))
    for x, title, question, row, color in panels:
        write(axes, x, 0.5, title, ha="left", size=11, weight="bold", color=color)
        write(axes, x, 0.74, question, ha="left", size=9, color=SOFT)
        top = int(row.argmax())
        for j, token in enumerate(tokens):
            y, bold = y0 + (j + 0.5) * step, "bold" if j == top else "normal"
            write(axes, x - 0.1, y, token, ha="right", weight=bold)
            axes.add_patch(Rectangle((x, y - 0.1), 1.6 * row[j] / row.max(), 0.2, facecolor=color if j == top else tint(color, 0.45)))
            write(axes, x + 0.07 + 1.6 * row[j] / row.max(), y, number(row[j], 3), ha="left", size=9, weight=bold)
    return figure


def _signed(value):
    text = number(value, 1)
    return text if text.startswith("−") or text == "0,0" else f"+{text}"


def push(labels, pushes, total, left="o", right="a"):
    """Le spinte verso un finale o l'altro, una dopo l'altra: l'ultima barra è la loro somma.

    Args:
        labels: il nome di ogni spinta.
        pushes: le spinte, shape (N,): positive verso `right`, negative verso `left`.
        total: la differenza fra i due logit.
        left, right: i nomi dei due finali.

    Returns:
        Una figura. Capitolo 4.
    """
    pushes = np.asarray(pushes, dtype=float)
    ends = np.cumsum(pushes)
    starts = ends - pushes
    strongest = int(np.abs(pushes).argmax())
    winner = right if total > 0 else left
    step, y0 = 0.31, 0.78
    figure, axes = canvas(7.2, y0 + (len(pushes) + 1) * step + 0.42, (
        f"Barre una dopo l'altra: ciascuna comincia dove finisce la precedente, l'ultima riparte da zero. A destra si va verso «{right}», a sinistra verso «{left}». La spinta più forte è "
        f"di «{labels[strongest]}», {number(pushes[strongest], 1)}; la somma è {number(total, 1)}, e vince «{winner}»."))
    low, high = min(0, ends.min(), starts.min(), total), max(0, ends.max(), starts.max(), total)
    x0, width = 2.75, 3.7

    def at(value):
        return x0 + width * (value - low) / (high - low)

    bottom = y0 + (len(pushes) + 1) * step + 0.1
    write(axes, 0.1, 0.28, "chi sposta la scelta, e di quanto", ha="left", size=9.5, color=SOFT)
    axes.plot([at(0)] * 2, [y0 - 0.08, bottom], color=INK, linewidth=1)
    write(axes, at(0) - 0.1, 0.28, f"← verso «{left}»", ha="right", color=KEY, weight="bold")
    write(axes, at(0) + 0.1, 0.28, f"verso «{right}» →", ha="left", color=QUERY, weight="bold")
    write(axes, at(0), 0.53, "0", size=8.5, color=SOFT)
    for k, (label, amount, start, end) in enumerate(zip(labels, pushes, starts, ends)):
        y = y0 + (k + 0.5) * step
        bold = "bold" if k == strongest else "normal"
        a, b = sorted((at(start), at(end)))
        color = QUERY if amount > 0 else KEY
        axes.add_patch(Rectangle((a, y - 0.1), max(0.015, b - a), 0.2, facecolor=QUERY if amount > 0 else PAPER, edgecolor=color, linewidth=1.2))
        if b - a > 0.3:
            tip = at(end)
            arrow(axes, (tip - 0.22 * np.sign(amount), y), (tip - 0.04 * np.sign(amount), y), color=PAPER if amount > 0 else KEY, head=9)
        axes.plot([at(end)] * 2, [y + 0.1, y + step - 0.1], color=SOFT, linewidth=0.7)
        write(axes, 2.1, y, label, ha="right", weight=bold)
        write(axes, *((b + 0.08, y) if amount > 0 or b - a < 0.3 else (a - 0.08, y)), _signed(amount), ha="left" if amount > 0 or b - a < 0.3 else "right", size=9, weight=bold)
    y = y0 + (len(pushes) + 0.5) * step + 0.06
    a, b = sorted((at(0), at(total)))
    axes.add_patch(Rectangle((a, y - 0.11), max(0.015, b - a), 0.22, facecolor=OUTPUT if total > 0 else PAPER, edgecolor=OUTPUT, linewidth=1.6))
    write(axes, 2.1, y, f"logit di {right} − logit di {left}", ha="right", weight="bold", color=OUTPUT)
    write(axes, b + 0.08 if total > 0 else a - 0.08, y, _signed(total), ha="left" if total > 0 else "right", size=9.5, weight="bold", color=OUTPUT)
    return figure


def cost(lengths, projections, phases, vectors, table, crossing):
    """Che cosa cresce con la lunghezza della frase: FLOP e byte, in scala logaritmica.

    Args:
        lengths: le lunghezze T, shape (N,).
        projections, phases: i FLOP delle proiezioni e delle due fasi insieme, shape (N,).
        vectors, table: i byte di Q, K e V e della tabella dei pesi, shape (N,).
        crossing: la lunghezza a cui i FLOP delle due fasi raggiungono quelli delle proiezioni.

    Returns:
        Una figura. Capitolo 4.
    """
    lengths = np.asarray(lengths)
    figure = CourseFigure(figsize=(7.2, 3.4))
    figure.alt = (f"Due grafici con la lunghezza della frase da {lengths[0]} a {lengths[-1]} token, in scala logaritmica. A sinistra i conti da fare: le proiezioni crescono come T, "
                  f"le due fasi come T al quadrato, e le superano a {crossing:.0f}. A destra la memoria: Q, K e V crescono come T, la tabella dei pesi come T al quadrato.")
    panels = ((0.085, "conti da fare (FLOP)", ("proiezioni", projections), ("le due fasi", phases)),
              (0.59, "memoria (byte)", ("Q, K e V", vectors), ("tabella dei pesi", table)))
    for left, title, (slow, slow_row), (fast, fast_row) in panels:
        axes = plot_axes(figure, (left, 0.17, 0.385, 0.71), xscale="log", yscale="log")
        axes.plot(lengths, slow_row, "^:", color=SOFT, markersize=4.5, linewidth=1.6, label=slow)
        axes.plot(lengths, fast_row, "o-", color=WEIGHT, markersize=4.5, linewidth=1.8, label=fast)
        with rc_context(STYLE):
            axes.set_title(title, fontsize=10.5, loc="left", fontweight="bold")
            axes.set_xticks(lengths[::2], [str(length) for length in lengths[::2]])
            axes.minorticks_off()
            axes.tick_params(labelsize=8.5)
            axes.set_xlabel("token nella frase, T", fontsize=9)
            axes.legend(fontsize=8.5, frameon=False, loc="upper left", handlelength=2.6, borderaxespad=0)
    first = figure.axes[0]
    first.axvline(crossing, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    write(first, crossing * 1.1, min(phases) * 2, f"T = {crossing:.0f}", size=8.5, ha="left")
    return figure
