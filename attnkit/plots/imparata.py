"""Le figure del capitolo 6: un modello che impara, e che cosa ha imparato."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Rectangle

from attnkit.plots.tela import (FAINT, INK, KEY, OUTPUT, PAPER, QUERY, SOFT, STYLE, WEIGHT, CourseFigure, box, canvas, italian_ticks,
                                number, percent, plot_axes, tint, write)


def loss_curve(losses, floor, chance):
    """La loss passo per passo, fra chi tira a caso e il meglio che si possa fare.

    Args:
        losses: la loss a ogni passo.
        floor: la più bassa che un modello onesto possa avere, in media.
        chance: quella di chi dà a ogni parola la stessa probabilità.

    Returns:
        Una figura. Capitolo 6.
    """
    losses = np.asarray(losses)
    smooth = np.convolve(losses, np.ones(25) / 25, mode="valid")
    figure = CourseFigure(figsize=(7.2, 3.0))
    figure.alt = (f"La loss passo per passo. Parte da chi tira a caso, {number(chance)}, scende in fretta all'inizio e poi si appiattisce poco sopra il "
                  f"pavimento, {number(floor)}, la linea che nessun modello onesto può passare.")
    axes = plot_axes(figure, (0.085, 0.17, 0.88, 0.77))
    axes.plot(losses, color=tint(WEIGHT, 0.3), linewidth=0.8)
    axes.plot(np.arange(12, 12 + len(smooth)), smooth, color=WEIGHT, linewidth=2)
    for value, color in ((chance, SOFT), (floor, OUTPUT)):
        axes.axhline(value, color=color, linewidth=1.1, linestyle=(0, (5, 3)))
    write(axes, len(losses), chance - 0.1, f"chi tira a caso: {number(chance)}", ha="right", va="top", color=SOFT, size=9.5)
    write(axes, len(losses), floor - 0.1, f"il pavimento: {number(floor)}", ha="right", va="top", color=OUTPUT, size=9.5)
    write(axes, 0.3 * len(losses), floor + 0.55, "la loss, media mobile", ha="left", color=WEIGHT, size=9.5, weight="bold")
    with rc_context(STYLE):
        axes.set(xlim=(0, len(losses)), ylim=(0, chance * 1.06))
        italian_ticks(axes.yaxis)
        axes.set_xlabel("passo", fontsize=9)
        axes.tick_params(labelsize=8.5)
    return figure


def moments(tokens, rows, steps, target):
    """La riga di pesi dell'ultimo token in più momenti dell'addestramento.

    Args:
        tokens: i T token.
        rows: i pesi a ogni momento, shape (N, T).
        steps: i passi a cui si riferiscono.
        target: la posizione del token da guardare.

    Returns:
        Una figura. Capitolo 6.
    """
    figure, axes = canvas(7.2, 2.95, (
        f"Le barre dei pesi con cui «{tokens[-1]}» guarda i token, in {len(steps)} momenti dell'addestramento, dal passo {steps[0]} al passo {steps[-1]}: all'inizio "
        f"sono quasi uguali fra loro, alla fine quasi tutto il peso va a «{tokens[target]}»."))
    height, y0, step = 0.28, 0.82, 1.58
    write(axes, 0.2, 0.22, f"i pesi con cui guarda «{tokens[-1]}»", ha="left", size=9.5, color=WEIGHT)
    for k, (row, when) in enumerate(zip(rows, steps)):
        x = 0.98 + k * step
        write(axes, x, 0.56, f"passo {when}", ha="left", weight="bold", size=10.5)
        for j, token in enumerate(tokens):
            y, bold = y0 + (j + 0.5) * height, "bold" if j == target else "normal"
            if k == 0:
                write(axes, x - 0.1, y, token, ha="right", weight=bold)
            axes.add_patch(Rectangle((x, y - 0.09), max(0.012, 0.95 * row[j]), 0.18, facecolor=WEIGHT if j == target else tint(WEIGHT, 0.5)))
            write(axes, x + 0.06 + 0.95 * row[j], y, percent(row[j]), ha="left", size=8.5, weight=bold)
    return figure


def weight_and_effect(weights, effects, flipped):
    """Un punto per arco: quanto pesava, e di quanto cambia la risposta se lo si taglia.

    Args:
        weights: i pesi degli archi, shape (N,).
        effects: di quanto scende, tagliandolo, il vantaggio della risposta giusta, shape (N,).
        flipped: se la risposta diventa sbagliata, booleani (N,).

    Returns:
        Una figura. Capitolo 6.
    """
    weights, effects, flipped = np.asarray(weights), np.asarray(effects), np.asarray(flipped)
    light, heavy = flipped[weights < 0.5], flipped[weights >= 0.5]
    figure = CourseFigure(figsize=(7.2, 3.5))
    figure.alt = (f"Un punto per arco: in orizzontale il peso, in verticale di quanto scende il vantaggio della risposta giusta quando lo si taglia. Sotto il 50 % di peso si ribaltano "
                  f"{light.sum()} risposte su {light.size}; sopra, {heavy.sum()} su {heavy.size}: a parità di peso, alcuni tagli contano e altri no.")
    axes = plot_axes(figure, (0.09, 0.15, 0.87, 0.78))
    axes.axhline(0, color=FAINT, linewidth=1)
    for which, marker, color, face, label in ((~flipped, "o", SOFT, PAPER, "la risposta resta"), (flipped, "D", OUTPUT, OUTPUT, "la risposta si ribalta")):
        axes.plot(100 * weights[which], effects[which], marker, color=color, markersize=4.2, markerfacecolor=face, markeredgewidth=0.9, label=label, alpha=0.85)
    with rc_context(STYLE):
        axes.legend(fontsize=9, frameon=False, loc="upper left", bbox_to_anchor=(0.03, 1.0))
        axes.set_xlabel("peso dell’arco, %", fontsize=9)
        axes.set_ylabel("vantaggio perso tagliandolo (logit)", fontsize=9)
        italian_ticks(axes.yaxis)
        axes.tick_params(labelsize=8.5)
    return figure


def composition(tokens, first, second, path):
    """Due layer, uno sopra l'altro: chi guarda chi in una head del primo e in una del secondo.

    Args:
        tokens: i T token.
        first, second: i pesi di una head del primo layer e di una del secondo, shape (T, T).
        path: tre posizioni (a, b, c): b guarda a nel primo layer, c guarda b nel secondo.

    Returns:
        Una figura. Capitolo 6.
    """
    T = len(tokens)
    a, b, c = path
    figure, axes = canvas(7.2, 3.75, (
        f"Tre file con gli stessi token: sotto l'ingresso, in mezzo dopo il primo layer, in alto dopo il secondo. Le linee dicono chi guarda chi, più spesse dove il peso è più grande; sotto il 15 % non ci sono. "
        f"In evidenza: nel primo layer «{tokens[b]}» guarda «{tokens[a]}», {percent(first[b, a])}; nel secondo «{tokens[c]}» guarda «{tokens[b]}», {percent(second[c, b])}."))
    sizes = np.array([0.2 + 0.072 * len(token) for token in tokens])
    gap = (7.2 - 1.0 - 0.12 - sizes.sum()) / (T - 1)
    left = 1.0 + np.concatenate([[0], np.cumsum(sizes + gap)[:-1]])
    middle, levels, tall = left + sizes / 2, (3.15, 1.78, 0.42), 0.3
    for y, label in zip(levels, ("ingresso", "dopo il\nlayer 1", "dopo il\nlayer 2")):
        write(axes, 0.1, y + tall / 2, label, ha="left", size=9.5, weight="bold", color=SOFT)
    for lower, upper, weights, marked in ((levels[0], levels[1], first, (b, a)), (levels[1], levels[2], second, (c, b))):
        for i in range(T):
            axes.plot([middle[i]] * 2, [lower, upper + tall], color=FAINT, linewidth=1, linestyle=(0, (2, 2)), zorder=0)
            for j in range(i + 1):
                if weights[i, j] >= 0.15 and (i, j) != marked:
                    axes.plot([middle[j], middle[i]], [lower, upper + tall], color=tint(WEIGHT, 0.30), linewidth=0.4 + 2.2 * weights[i, j], zorder=1, solid_capstyle="butt")
        i, j = marked
        axes.plot([middle[j], middle[i]], [lower, upper + tall], color=OUTPUT, linewidth=0.8 + 3.2 * weights[i, j], zorder=3, solid_capstyle="butt")
        write(axes, (middle[i] + middle[j]) / 2 - 0.14, (lower + upper + tall) / 2 - 0.08, percent(weights[i, j]), size=9, weight="bold", color=OUTPUT, ha="right", zorder=4,
              bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1})
    on_path = {(0, a), (0, b), (1, b), (1, c), (2, c)}
    for level, y in enumerate(levels):
        for j, token in enumerate(tokens):
            marked = (level, j) in on_path and not (level == 0 and j == b) and not (level == 1 and j == c)
            box(axes, left[j], y, sizes[j], tall, edge=OUTPUT if marked else FAINT, line=2 if marked else 1)
            write(axes, middle[j], y + tall / 2, token, size=9, weight="bold" if marked else "normal", color=INK if marked else SOFT, zorder=5)
    write(axes, 3.9, 3.62, "la head 1 dei due layer, senza i pesi sotto il 15 %; tratteggio: il residual stream, che porta ogni token al layer dopo", size=8, color=SOFT)
    return figure


def lengths(adverbs, groups, trained):
    """Le risposte giuste al crescere degli avverbi, per più modelli.

    Args:
        adverbs: quanti avverbi nella frase, shape (N,).
        groups: un dizionario, dal nome del modello alle sue accuratezze, shape (N,).
        trained: il massimo numero di avverbi visto in addestramento.

    Returns:
        Una figura. Capitolo 6.
    """
    adverbs = np.asarray(adverbs)
    ends = "; ".join(f"{name}, da {percent(values[0])} a {percent(values[-1])}" for name, values in groups.items())
    figure = CourseFigure(figsize=(7.2, 3.0))
    figure.alt = (f"Risposte giuste con un numero di avverbi da {adverbs[0]} a {adverbs[-1]}: {ends}. Una fascia segna le frasi lunghe quanto quelle dell'addestramento, "
                  f"fino a {trained} avverbi.")
    axes = plot_axes(figure, (0.085, 0.17, 0.88, 0.78))
    axes.axvspan(adverbs[0] - 0.3, trained + 0.3, color="#ECEEF0", linewidth=0)
    write(axes, (adverbs[0] + trained) / 2, 8, "lunghezze viste\nin addestramento", size=9, color=SOFT)
    for (name, values), (marker, color, line) in zip(groups.items(), (("o", WEIGHT, "-"), ("s", KEY, "--"), ("^", SOFT, ":"))):
        axes.plot(adverbs, 100 * np.asarray(values), marker, linestyle=line, color=color, markersize=5, linewidth=1.8, label=name)
    with rc_context(STYLE):
        axes.set(ylim=(0, 106), xticks=adverbs, xlim=(adverbs[0] - 0.3, adverbs[-1] + 0.3))
        axes.set_xlabel("avverbi nella frase", fontsize=9)
        axes.set_ylabel("risposte giuste, %", fontsize=9)
        axes.legend(fontsize=9, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.05))
        axes.tick_params(labelsize=8.5)
    return figure


def cheating(positions, whole, prefix, floor):
    """La loss di ogni posto, letta in due modi: con il futuro in vista e senza.

    Args:
        positions: il nome di ogni posto da indovinare, N testi.
        whole: la loss di chi ha davanti tutta la frase, shape (N,).
        prefix: la loss dello stesso modello quando ha davanti solo l'inizio, shape (N,).
        floor: la più bassa che un modello onesto possa avere, shape (N,).

    Returns:
        Una figura. Capitolo 6.
    """
    whole, prefix, floor = (np.asarray(values) for values in (whole, prefix, floor))
    figure = CourseFigure(figsize=(7.2, 3.3))
    figure.alt = (f"Per ognuno dei {len(whole)} posti da indovinare, tre segni: la loss con tutta la frase in vista, quasi sempre vicina a zero; il pavimento, più in alto; e la loss dello stesso modello "
                  f"quando vede solo l'inizio, fino a {number(prefix.max(), 1)}.")
    axes = plot_axes(figure, (0.085, 0.14, 0.90, 0.80))
    places = np.arange(len(whole))
    axes.bar(places - 0.2, whole, 0.36, color=WEIGHT, label="vede tutta la frase")
    axes.bar(places + 0.2, prefix, 0.36, color=PAPER, edgecolor=KEY, linewidth=1.4, hatch="///", label="vede solo ciò che precede")
    for place, value in zip(places, floor):
        axes.plot([place - 0.42, place + 0.42], [value] * 2, color=INK, linewidth=2, label="il pavimento" if place == 0 else None)
    for place, value in zip(places - 0.2, whole):
        write(axes, place, value + 0.12, number(value), size=8, va="bottom")
    with rc_context(STYLE):
        axes.set_xticks(places, positions, fontsize=9)
        axes.set_ylabel("loss", fontsize=9)
        axes.set_ylim(0, prefix.max() * 1.22)
        axes.legend(fontsize=9, frameon=False, loc="upper right", ncols=3, handlelength=1.6, columnspacing=1.4)
        axes.tick_params(labelsize=8.5)
    return figure
