"""Le figure del capitolo 7: key in comune, e i byte che costano."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Rectangle

from attnkit.plots.tela import (FAINT, INK, KEY, OUTPUT, PAPER, QUERY, SOFT, STYLE, VALUE, WEIGHT, CourseFigure, box, canvas, italian_ticks,
                                number, plot_axes, tint, write)

LOOKS = ((QUERY, "o", "-"), (WEIGHT, "s", "--"), (OUTPUT, "^", "-."))


def sharing(n_heads, kinds):
    """Le query head in alto, le head di key e value in basso, e chi usa quali.

    Args:
        n_heads: quante query head.
        kinds: terne (nome, n_kv_heads, che cosa scrivere sotto), una per riquadro.

    Returns:
        Una figura. Capitolo 7.
    """
    said = "; ".join(f"{name}, {n} head di key e value, {note}" for name, n, note in kinds)
    panel = 7.2 / len(kinds)
    figure, axes = canvas(7.2, 2.95, f"{n_heads} query head in alto e, collegate sotto, le head di key e value che usano. {said}.".replace(f"{n_heads} query", f"In ogni riquadro {n_heads} query", 1))
    step = min(0.34, (panel - 0.35) / n_heads)
    side = 0.8 * step
    for p, (name, n_kv_heads, note) in enumerate(kinds):
        middle, group = (p + 0.5) * panel, n_heads // n_kv_heads
        left = middle - n_heads * step / 2
        write(axes, middle, 0.2, name, size=12, weight="bold")
        write(axes, middle, 0.47, f"{n_heads} query head" if p == 0 or len(kinds) < 3 else f"{n_heads}", size=9, color=QUERY)
        for kv in range(n_kv_heads):
            x = left + (kv + 0.5) * group * step
            for h in range(kv * group, (kv + 1) * group):
                axes.plot([left + (h + 0.5) * step, x], [0.72 + side, 1.55], color="#A9AFB6", linewidth=1.3, zorder=0)
            for y, color, letter in ((1.55, KEY, "k"), (1.55 + side + 0.1, VALUE, "v")):
                box(axes, x - side / 2, y, side, side, edge=color, face=tint(color, 0.14), line=1.5, radius=0.03)
                write(axes, x, y + side / 2, letter, size=8.5, color=color, weight="bold")
        for h in range(n_heads):
            x = left + (h + 0.5) * step
            box(axes, x - side / 2, 0.72, side, side, edge=QUERY, face=tint(QUERY, 0.14), line=1.5, radius=0.03)
            write(axes, x, 0.72 + side / 2, "q", size=8.5, color=QUERY, weight="bold")
        write(axes, middle, 1.55 + 2 * side + 0.32, f"{n_kv_heads} di key e value" if n_kv_heads > 1 else "una di key e value", size=9.5, color=KEY)
        write(axes, middle, 1.55 + 2 * side + 0.58, note, size=9.5, weight="bold")
    return figure


def step_times(contexts, measured, limits):
    """Il tempo di un passo al crescere della cache, e quello minimo che la memoria permette.

    Args:
        contexts: quanti token nella cache, shape (N,).
        measured: un dizionario, dal nome ai millisecondi misurati, shape (N,).
        limits: lo stesso, con i millisecondi che basterebbero a leggere la cache.

    Returns:
        Una figura. Capitolo 7.
    """
    figure = CourseFigure(figsize=(7.2, 3.6))
    figure.alt = (f"Il tempo di un passo di generazione con {contexts[0]}–{contexts[-1]} token nella cache, in scala logaritmica, per {', '.join(measured)}: cresce con i token, e "
                  f"meno head di key ci sono più è basso. Le linee sottili, sotto ciascuna curva, sono il tempo che basterebbe a leggere la cache.")
    axes = plot_axes(figure, (0.1, 0.15, 0.88, 0.80), xscale="log", yscale="log")
    for (name, values), (color, marker, line) in zip(measured.items(), LOOKS):
        axes.plot(contexts, values, marker, linestyle=line, color=color, markersize=5.5, linewidth=1.9, label=name)
        axes.plot(contexts, limits[name], color=color, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.plot([], [], color=INK, linewidth=0.9, linestyle=(0, (1, 2)), label="solo leggere la cache")
    with rc_context(STYLE):
        axes.set_xticks(contexts, [str(context) for context in contexts])
        axes.minorticks_off()
        italian_ticks(axes.yaxis)
        axes.set_xlabel("token nella cache", fontsize=9)
        axes.set_ylabel("millisecondi per passo", fontsize=9)
        axes.tick_params(labelsize=8.5)
        axes.legend(fontsize=9, frameon=False, loc="upper left")
    return figure


def roofline(points, bandwidth, peak):
    """Il tetto di una macchina: quanti FLOP al secondo permettono la memoria e i processori.

    Args:
        points: un dizionario, dal nome ai FLOP per byte.
        bandwidth: byte letti al secondo.
        peak: FLOP al secondo, al più.

    Returns:
        Una figura. Capitolo 7.
    """
    ridge = peak / bandwidth
    low, high = min(0.25, min(points.values()) / 2), max(4 * ridge, 2 * max(points.values()))
    figure = CourseFigure(figsize=(7.2, 3.3))
    figure.alt = ("In orizzontale i FLOP per byte, in verticale i miliardi di FLOP al secondo che la macchina permette, in scala logaritmica: una salita, dove comanda la memoria, poi un tetto "
                  f"piatto, dove comandano i processori. Sulla salita o sul tetto stanno {', '.join(points)}, con sempre più FLOP per byte.")
    axes = plot_axes(figure, (0.1, 0.16, 0.87, 0.78), xscale="log", yscale="log")
    axes.plot([low, ridge, high], [low * bandwidth / 1e9, peak / 1e9, peak / 1e9], color=INK, linewidth=2)
    axes.axvline(ridge, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
    for k, ((name, x), (color, marker, _)) in enumerate(zip(points.items(), LOOKS)):
        y = min(x * bandwidth, peak) / 1e9
        axes.plot(x, y, marker, color=color, markersize=9)
        axes.annotate(f"{name}: {x:g}".replace(".", ","), (x, y), xytext=(10, -14), textcoords="offset points", fontsize=9.5, color=color, fontweight="bold")
    floor = low * bandwidth / 1e9
    write(axes, ridge * 0.92, floor * 1.35, "comanda la memoria", ha="right", size=9, color=SOFT)
    write(axes, ridge * 1.08, floor * 1.35, "comandano i conti", ha="left", size=9, color=SOFT)
    with rc_context(STYLE):
        italian_ticks(axes.xaxis, axes.yaxis)
        axes.minorticks_off()
        axes.set(xlim=(low, high), ylim=(floor, 2 * peak / 1e9))
        axes.set_xlabel("FLOP per byte letto", fontsize=9)
        axes.set_ylabel("miliardi di FLOP al secondo", fontsize=9)
        axes.tick_params(labelsize=8.5)
    return figure


def size_bars(groups, unit, title, digits=1):
    """Barre in scala logaritmica, divise in gruppi: grandezze che vanno da poco a moltissimo.

    Args:
        groups: un dizionario, dal nome del gruppo a un dizionario (nome della barra, valore).
        unit: l'unità da scrivere accanto ai valori.
        title: che cosa misurano le barre.
        digits: quanti decimali.

    Returns:
        Una figura. Capitolo 7.
    """
    rows = [(group, name, value) for group, bars in groups.items() for name, value in bars.items()]
    values = np.array([value for *_, value in rows], dtype=float)
    low = values.min() / 2.2

    def text(value):
        return f"{number(value, digits).removesuffix(',' + '0' * digits)} {unit}"

    said = "; ".join(f"{group}: " + ", ".join(f"{name} {text(value)}" for name, value in bars.items()) for group, bars in groups.items())
    height, gap = 0.26, 0.16
    figure, axes = canvas(7.2, 0.55 + len(rows) * height + (len(groups) - 1) * gap + 0.35, f"{title}, come barre in scala logaritmica. {said}.")
    write(axes, 0.15, 0.22, title, ha="left", size=10.5, weight="bold")
    y, width = 0.5, 3.9
    looks = {name: color for name, (color, *_) in zip(dict.fromkeys(name for _, name, _ in rows), (*LOOKS, (VALUE,)))}
    for group, bars in groups.items():
        write(axes, 0.15, y + len(bars) * height / 2, group, ha="left", size=10, weight="bold")
        for name, value in bars.items():
            long = width * np.log(value / low) / np.log(values.max() / low)
            write(axes, 1.92, y + height / 2, name, ha="right", size=9.5)
            axes.add_patch(Rectangle((2.0, y + 0.045), long, height - 0.09, facecolor=tint(looks[name], 0.75), edgecolor=looks[name], linewidth=1))
            write(axes, 2.08 + long, y + height / 2, text(value), ha="left", size=9)
            y += height
        y += gap
    write(axes, 7.05, y + 0.06, "scala logaritmica: ogni passo in lunghezza moltiplica", ha="right", size=8, color=SOFT)
    return figure
