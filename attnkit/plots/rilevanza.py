"""Le figure del capitolo 3: dai punteggi ai pesi."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Rectangle

from attnkit.plots.tela import (FAINT, INK, KEY, OUTPUT, PAPER, QUERY, SOFT, STYLE, WEIGHT, CourseFigure, arrow, canvas, italian_ticks,
                                number, percent, plot_axes, squares, tint, write)


def relevance(trace):
    """La query dell'ultimo token contro tutte le key: prodotti scalari, punteggi, pesi.

    Args:
        trace: la frase seguita dal modello, con `tokens`, `Q`, `K`, `scores`, `weights`.

    Returns:
        Una figura. Capitolo 3.
    """
    tokens, query, K, scores, weights = trace.tokens, trace.Q[-1], trace.K, trace.scores[-1], trace.weights[-1]
    T, D = K.shape
    top = int(weights.argmax())
    figure, axes = canvas(7.2, 4.35, (
        f"In alto la query di «{tokens[-1]}», una fila di {D} quadratini. Sotto, incolonnate con lei, le {T} key. Accanto a ogni key il prodotto "
        f"scalare, il punteggio diviso per la radice di {D} e il peso: il più grande, {percent(weights[top])}, è quello di «{tokens[top]}»."))
    cell, x0, y0 = 0.29, 1.2, 1.52
    largest = max(np.abs(query).max(), np.abs(K).max())
    write(axes, 0.1, 0.88, f"query di\n{tokens[-1]}", ha="left", color=QUERY, weight="bold")
    squares(axes, x0, 0.88 - cell / 2, query, cell=cell, color=QUERY, largest=largest)
    for d in range(D):
        axes.plot([x0 + (d + 0.5) * cell] * 2, [0.88 + cell / 2 + 0.05, y0 - 0.05], color=FAINT, linewidth=1.2)
    write(axes, x0 + D * cell + 0.14, 1.21, "componente per componente:\nmoltiplica, poi somma la riga", size=8.5, color=SOFT, ha="left")
    squares(axes, x0, y0, K, cell=cell, color=KEY, largest=largest)
    columns = (x0 + D * cell + 0.62, x0 + D * cell + 1.62, x0 + D * cell + 2.12)
    for x, name, color, ha in ((columns[0], "$q\\cdot k$", INK, "right"), (columns[1], "punteggio", INK, "right"),
                               (columns[2], "peso", WEIGHT, "left")):
        write(axes, x, 0.32, name, ha=ha, color=color, weight="bold")
    write(axes, columns[0], 0.56, "prodotto", ha="right", size=8.5, color=SOFT)
    write(axes, columns[1], 0.56, f"diviso $\\sqrt{{{D}}}$", ha="right", size=8.5, color=SOFT)
    write(axes, columns[2], 0.56, "softmax", ha="left", size=8.5, color=SOFT)
    arrow(axes, (columns[1] + 0.1, 0.32), (columns[2] - 0.08, 0.32), color=SOFT)
    for j, token in enumerate(tokens):
        y, bold = y0 + (j + 0.5) * cell, "bold" if j == top else "normal"
        write(axes, x0 - 0.1, y, token, ha="right", weight=bold)
        write(axes, columns[0], y, number(query @ K[j]), ha="right", weight=bold)
        write(axes, columns[1], y, number(scores[j]), ha="right", weight=bold)
        axes.add_patch(Rectangle((columns[2], y - 0.09), max(0.012, 0.85 * weights[j]), 0.18, facecolor=WEIGHT))
        write(axes, columns[2] + 0.07 + 0.85 * weights[j], y, percent(weights[j]), ha="left", size=9, weight=bold)
    below = y0 + T * cell
    write(axes, x0 + D * cell / 2, below + 0.18, f"le {T} key: una riga per token", size=9.5, color=KEY, weight="bold")
    axes.plot([columns[2], columns[2] + 1.25], [below + 0.05] * 2, color=INK, linewidth=1)
    write(axes, columns[2] + 0.62, below + 0.2, "in tutto 100 %", size=9, color=WEIGHT)
    write(axes, 3.6, 4.17, "quadratino pieno = positivo, vuoto = negativo; query e key hanno la stessa scala", size=8, color=SOFT)
    return figure


def _table(axes, x, y, tokens, values, *, cw, ch, texts, faces, colors, bold):
    """Una tabella T × T di numeri: nome delle righe a sinistra, delle colonne in alto."""
    T = len(tokens)
    for i in range(T):
        write(axes, x - 0.07, y + (i + 0.5) * ch, tokens[i], size=8.5, ha="right")
        write(axes, x + (i + 0.62) * cw, y - 0.06, tokens[i], size=8.5, ha="left", va="bottom", rotation=40, rotation_mode="anchor")
        for j in range(T):
            hidden = values is not None and j > i
            axes.add_patch(Rectangle((x + j * cw, y + i * ch), cw, ch, facecolor=faces[i][j], linewidth=0.8,
                                     edgecolor="#B4B9BF" if hidden else FAINT, hatch="////" if texts[i][j] is None else None))
            if texts[i][j] is not None:
                write(axes, x + (j + 0.5) * cw, y + (i + 0.5) * ch, texts[i][j], size=8.5, color=colors[i][j],
                      weight="bold" if bold[i][j] else "normal")


def scores_to_weights(tokens, scores, weights):
    """La tabella dei punteggi, prima della maschera, e quella dei pesi che ne esce.

    Args:
        tokens: i T token.
        scores: punteggi di tutte le coppie, shape (T, T), senza maschera.
        weights: pesi con la maschera causale, shape (T, T).

    Returns:
        Una figura. Capitolo 3.
    """
    T = len(tokens)
    future = np.triu(np.ones((T, T), dtype=bool), 1)
    i, j = np.unravel_index(np.where(future, scores, -np.inf).argmax(), scores.shape)
    figure, axes = canvas(7.2, 3.75, (
        f"Due tabelle {T} per {T}. A sinistra i punteggi di tutte le coppie, con segno; quelli sopra la diagonale sono futuro, in grigio, e il più "
        f"alto fra loro vale {number(scores[i, j], 1)}. A destra i pesi: sopra la diagonale le caselle sono tratteggiate, e ogni riga somma a uno."))
    cw, ch, y = 0.36, 0.34, 1.12
    left, right = 0.74, 4.28
    height = T * ch
    _table(axes, left, y, tokens, scores, cw=cw, ch=ch,
           texts=[[number(value, 1) for value in row] for row in scores],
           faces=[["#ECEEF0" if future[a, b] else PAPER for b in range(T)] for a in range(T)],
           colors=[[SOFT if future[a, b] else INK for b in range(T)] for a in range(T)],
           bold=[[scores[a, b] == scores.max() for b in range(T)] for a in range(T)])
    _table(axes, right, y, tokens, weights, cw=cw, ch=ch,
           texts=[[None if future[a, b] else number(weights[a, b]) for b in range(T)] for a in range(T)],
           faces=[[PAPER if future[a, b] else tint(WEIGHT, weights[a, b]) for b in range(T)] for a in range(T)],
           colors=[[PAPER if weights[a, b] > 0.45 else INK for b in range(T)] for a in range(T)],
           bold=[[False] * T for _ in range(T)])
    a, b = np.unravel_index(scores.argmax(), scores.shape)
    axes.add_patch(Rectangle((left + b * cw, y + a * ch), cw, ch, facecolor="none", edgecolor=OUTPUT, linewidth=1.8))
    write(axes, left + T * cw / 2, 0.16, "punteggi", size=11, weight="bold")
    write(axes, right + T * cw / 2, 0.16, "pesi", size=11, weight="bold", color=WEIGHT)
    arrow(axes, (left + T * cw + 0.1, y + height / 2), (right - 0.68, y + height / 2), color=SOFT, head=10)
    write(axes, left + T * cw / 2, y + height + 0.16, "in grigio il futuro; incorniciato il più alto di tutti", size=8, color=SOFT)
    write(axes, right + T * cw / 2, y + height + 0.16, "maschera, poi softmax riga per riga", size=8, color=SOFT)
    return figure


def imitations(tables, labels, notes):
    """La maschera giusta e le sue imitazioni: che cosa resta nella tabella dei pesi.

    Args:
        tables: tabelle di pesi, shape (T, T), la giusta per prima; NaN dove il calcolo si rompe.
        labels: il nome di ciascuna.
        notes: per ciascuna, che cosa la tradisce.

    Returns:
        Una figura. Capitolo 3.
    """
    columns, cell = 3, 0.215
    T = len(tables[0])
    side = T * cell
    rows = -(-len(tables) // columns)
    broken = [label for label, table in zip(labels, tables) if np.isnan(table).any()]
    uneven = [label for label, table in zip(labels, tables) if not np.isnan(table).any() and not np.allclose(table.sum(axis=1), 1)] or ["nessuna"]
    leaks = [label for label, table in zip(labels, tables) if np.nansum(np.triu(table, 1)) > 1e-9]
    figure, axes = canvas(7.2, rows * (side + 0.98) + 0.22, (
        f"Tabelle di pesi: una giusta e {len(tables) - 1} imitazioni; più scuro è il quadretto, più grande è il peso. Danno peso al futuro, sopra la "
        f"diagonale: {', '.join(leaks)}. Non sommano a uno tutte le righe di: {', '.join(uneven)}. Ha una riga senza numeri: {', '.join(broken)}."))
    for k, (table, label, note) in enumerate(zip(tables, labels, notes)):
        x = 0.3 + (k % columns) * 2.38
        y = 0.42 + (k // columns) * (side + 0.98)
        write(axes, x, y - 0.18, label, ha="left", size=9.5, weight="bold")
        for i in range(T):
            for j in range(T):
                value = table[i, j]
                leak = j > i and value > 1e-9
                axes.add_patch(Rectangle((x + j * cell, y + i * cell), cell, cell, linewidth=0.5, edgecolor=FAINT,
                                         facecolor=PAPER if np.isnan(value) else tint(WEIGHT, min(1, value))))
                if np.isnan(value):
                    axes.plot([x + j * cell + 0.06, x + (j + 1) * cell - 0.06], [y + (i + 0.5) * cell] * 2, color=OUTPUT, linewidth=1.2)
                if leak:
                    axes.add_patch(Rectangle((x + j * cell + 0.02, y + i * cell + 0.02), cell - 0.04, cell - 0.04, linewidth=1.1,
                                             facecolor="none", edgecolor=OUTPUT))
        stairs = np.repeat(np.arange(T + 1), 2) * cell
        axes.plot(x + stairs[2:], y + stairs[1:-1], color=INK, linewidth=1)
        write(axes, x, y + side + 0.2, note, ha="left", size=8.5, color=INK if k == 0 else OUTPUT)
    write(axes, 3.6, rows * (side + 0.98) + 0.08, "riga: chi guarda; colonna: chi è guardato; sopra la scaletta c’è il futuro, ed è incorniciato ogni peso che gli arriva", size=8, color=SOFT)
    return figure


def scale(widths, spread, sensitivity):
    """Perché si divide per la radice della larghezza: dispersione dei punteggi e reattività della softmax.

    Args:
        widths: le larghezze d_k provate, shape (N,).
        spread: deviazione standard dei punteggi, shape (2, N): senza e con la scala.
        sensitivity: norma tipica della matrice delle derivate della softmax, shape (2, N).

    Returns:
        Una figura. Capitolo 3.
    """
    widths, spread, sensitivity = np.asarray(widths), np.asarray(spread), np.asarray(sensitivity)
    figure = CourseFigure(figsize=(7.2, 3.05))
    figure.alt = (f"Due grafici, con la larghezza della head da {widths[0]} a {widths[-1]}. A sinistra la dispersione dei punteggi: senza scala cresce da "
                  f"{number(spread[0, 0], 1)} a {number(spread[0, -1], 1)}, con la scala resta vicina a uno. A destra la reattività tipica dei pesi: senza scala cade da "
                  f"{number(sensitivity[0, 0])} quasi a zero, con la scala resta intorno a {number(np.median(sensitivity[1]))}.")
    panels = ((0.085, "deviazione standard dei punteggi", spread), (0.575, "reattività della riga tipica", sensitivity))
    for left, title, (without, scaled) in panels:
        axes = plot_axes(figure, (left, 0.18, 0.40, 0.66), xscale="log")
        axes.plot(widths, without, "s--", color=KEY, markersize=5, linewidth=1.5, markerfacecolor=PAPER)
        axes.plot(widths, scaled, "o-", color=WEIGHT, markersize=5, linewidth=1.8)
        with rc_context(STYLE):
            axes.set_title(title, fontsize=10.5, loc="left", fontweight="bold")
            axes.set_xticks(widths, [str(width) for width in widths])
            axes.minorticks_off()
            axes.tick_params(labelsize=8.5)
            italian_ticks(axes.yaxis)
            axes.set_ylim(0, 1.08 * max(without.max(), scaled.max()))
            axes.set_xlabel("larghezza della head, $d_k$ (scala logaritmica)", fontsize=9)
    first, second = figure.axes
    write(first, widths[-3], spread[0, -3] + 3.2, "senza scala", color=KEY, ha="right", size=9.5)
    write(first, widths[-2], spread[1, -2] + 2.2, "diviso $\\sqrt{d_k}$", color=WEIGHT, size=9.5)
    write(second, widths[1] * 1.5, sensitivity[0, 1], "senza scala", color=KEY, ha="left", size=9.5)
    write(second, widths[-2], sensitivity[1, -2] + 0.03, "diviso $\\sqrt{d_k}$", color=WEIGHT, size=9.5)
    return figure


def temperature(tokens, rows, temperatures):
    """La stessa riga di punteggi a temperature diverse.

    Args:
        tokens: i T token.
        rows: per ogni temperatura, i pesi, shape (T,).
        temperatures: le temperature, dalla più fredda.

    Returns:
        Una figura. Capitolo 3.
    """
    figure, axes = canvas(7.2, 3.0, (
        f"Gli stessi punteggi di «{tokens[-1]}» a {len(rows)} temperature, come barre di pesi. " + "; ".join(
            f"a {number(value, 2).rstrip('0').rstrip(',')} «{tokens[int(row.argmax())]}» ha {percent(row.max())}"
            for value, row in zip(temperatures, rows)).capitalize() + "."))
    row_height, y0 = 0.28, 0.82
    write(axes, 0.2, 0.22, f"i pesi con cui guarda «{tokens[-1]}»", ha="left", size=9.5, color=WEIGHT)
    for k, (row, value) in enumerate(zip(rows, temperatures)):
        x = 0.98 + k * 2.1
        write(axes, x, 0.58, f"temperatura {number(value, 2).rstrip('0').rstrip(',')}", ha="left", weight="bold", size=10.5)
        for j, token in enumerate(tokens):
            y = y0 + (j + 0.5) * row_height
            if k == 0:
                write(axes, x - 0.1, y, token, ha="right")
            axes.add_patch(Rectangle((x, y - 0.09), max(0.012, 1.35 * row[j]), 0.18, facecolor=WEIGHT))
            write(axes, x + 0.07 + 1.35 * row[j], y, percent(row[j]), ha="left", size=9)
    return figure
