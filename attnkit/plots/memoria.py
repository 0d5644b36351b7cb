"""Le figure del capitolo 7: key in comune, e i byte che costano."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Rectangle

from attnkit.plots.tela import (FAINT, INK, KEY, PAPER, QUERY, SOFT, STYLE, VALUE, CourseFigure, arrow, box, canvas, italian_ticks, number,
                                plot_axes, tint, write)

LOOKS = ((INK, "o", "-"), ("#8A5A00", "s", "--"), ("#5B7083", "^", "-."), ("#9A3B2E", "D", ":"))     # non sono i colori di query, key e value


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
        write(axes, middle, 0.47, f"{n_heads} query head", size=9, color=QUERY)
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
        write(axes, middle, 1.55 + 2 * side + 0.32, f"{n_kv_heads} head di key e value" if n_kv_heads > 1 else "una di key, una di value", size=9.5, color=KEY)
        write(axes, middle, 1.55 + 2 * side + 0.58, note, size=9.5, weight="bold")
    return figure


def step_times(contexts, measured, limits):
    """Il tempo di un passo al crescere della cache, e il minimo che la macchina permette.

    Args:
        contexts: quanti token nella cache, shape (N,).
        measured: un dizionario, dal nome ai millisecondi misurati, shape (N,).
        limits: lo stesso, con i millisecondi minimi.

    Returns:
        Una figura. Capitolo 7.
    """
    figure = CourseFigure(figsize=(7.2, 3.6))
    figure.alt = (f"Il tempo di un passo di generazione con {contexts[0]}–{contexts[-1]} token nella cache, in scala logaritmica, per {', '.join(measured)}: cresce con i token, e "
                  f"meno head di key ci sono più è basso. Una linea sottile per ciascuna, con lo stesso tratteggio, è il minimo che la macchina permette.")
    axes = plot_axes(figure, (0.1, 0.15, 0.88, 0.80), xscale="log", yscale="log")
    for (name, values), (color, marker, line) in zip(measured.items(), LOOKS):
        axes.plot(contexts, values, marker, linestyle=line, color=color, markersize=5.5, linewidth=2.1, label=name)
        axes.plot(contexts, limits[name], color=color, linewidth=0.8, linestyle=line, label=f"{name.split(',')[0]}, il minimo")
    with rc_context(STYLE):
        axes.set_xticks(contexts, [str(context) for context in contexts])
        axes.minorticks_off()
        italian_ticks(axes.yaxis)
        axes.set_xlabel("token nella cache", fontsize=9)
        axes.set_ylabel("millisecondi per passo", fontsize=9)
        axes.tick_params(labelsize=8.5)
        axes.legend(fontsize=8.5, frameon=False, loc="upper left", ncols=3, handlelength=3.4)
        axes.set_ylim(top=axes.get_ylim()[1] * 3.2)
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
    write(axes, ridge * 1.08, floor * 2.0, f"crinale: {number(ridge, 1)} FLOP per byte", ha="left", size=9, weight="bold")
    with rc_context(STYLE):
        italian_ticks(axes.xaxis, axes.yaxis)
        axes.minorticks_off()
        axes.set(xlim=(low, high), ylim=(floor, 2 * peak / 1e9))
        axes.set_xlabel("FLOP per byte letto", fontsize=9)
        axes.set_ylabel("miliardi di FLOP al secondo", fontsize=9)
        axes.tick_params(labelsize=8.5)
    return figure


def size_dots(groups, unit, title, digits=1):
    """Un punto per grandezza su una scala logaritmica: per numeri che vanno da poco a moltissimo.

    Args:
        groups: un dizionario, dal nome del gruppo a un dizionario (nome del punto, valore).
        unit: l'unità da scrivere accanto ai valori.
        title: che cosa misurano i punti.
        digits: quanti decimali.

    Returns:
        Una figura. Capitolo 7.
    """
    rows = [(group, name, value) for group, points in groups.items() for name, value in points.items()]
    first, last = (int(np.floor(np.log10(min(value for *_, value in rows)))), int(np.ceil(np.log10(max(value for *_, value in rows)))))

    def text(value):
        return f"{number(value, digits).removesuffix(',' + '0' * digits)} {unit}"

    def place(value):
        return 2.15 + 4.1 * (np.log10(value) - first) / (last - first)

    said = "; ".join(f"{group}: " + ", ".join(f"{name} {text(value)}" for name, value in points.items()) for group, points in groups.items())
    row, gap = 0.27, 0.16
    bottom = 0.62 + len(rows) * row + (len(groups) - 1) * gap
    figure, axes = canvas(7.2, bottom + 0.5, f"{title}, in scala logaritmica. {said}.")
    write(axes, 0.15, 0.24, title, ha="left", size=10.5, weight="bold")
    for power in range(first, last + 1):
        axes.plot([place(10.0 ** power)] * 2, [0.52, bottom], color=FAINT, linewidth=1, zorder=0)
        write(axes, place(10.0 ** power), bottom + 0.16, number(10.0 ** power, max(0, -power)), size=8.5, color=SOFT)
    write(axes, 7.05, bottom + 0.16, unit, ha="right", size=8.5, color=SOFT)
    looks = dict(zip(dict.fromkeys(name for _, name, _ in rows), LOOKS))
    y = 0.58
    for group, points in groups.items():
        write(axes, 0.15, y + len(points) * row / 2, group, ha="left", size=10, weight="bold")
        for name, value in points.items():
            color, marker, _ = looks[name]
            write(axes, 1.95, y + row / 2, name, ha="right", size=9.5)
            axes.plot(place(value), y + row / 2, marker, color=color, markersize=6.5)
            write(axes, place(value) + 0.13, y + row / 2, text(value), ha="left", size=9)
            y += row
        y += gap
    return figure


def latent(n_heads, compressed, positional):
    """Che cosa conserva la multi-head latent attention, e che cosa ne ricava ogni head.

    Args:
        n_heads: quante head.
        compressed: quanto è largo il vettore compresso.
        positional: quanto è larga la key che porta la posizione.

    Returns:
        Una figura. Capitolo 7.
    """
    figure, axes = canvas(7.2, 2.9, f"A sinistra il vettore di un token. Al centro ciò che va nella cache: un vettore compresso di {compressed} numeri e una key di posizione di {positional}. "
                          f"A destra le {n_heads} head: dal vettore compresso ciascuna ricava una key e un value suoi, e tutte usano la stessa key di posizione.")
    box(axes, 0.25, 1.2, 1.25, 0.62, edge=INK, face=PAPER, line=1.5)
    write(axes, 0.875, 1.51, "il vettore\ndel token", size=9.5)
    axes.add_patch(Rectangle((2.25, 0.5), 1.75, 2.05, facecolor="none", edgecolor=SOFT, linewidth=1.2, linestyle=(0, (4, 3))))
    write(axes, 3.125, 0.28, f"nella cache: {compressed + positional} numeri", size=9.5, weight="bold")
    box(axes, 2.42, 0.72, 1.41, 0.72, edge=INK, face=tint(SOFT, 0.14), line=1.5)
    write(axes, 3.125, 1.08, f"compresso\n{compressed}", size=9.5)
    box(axes, 2.42, 1.83, 1.41, 0.55, edge=KEY, face=tint(KEY, 0.14), line=1.5)
    write(axes, 3.125, 2.1, f"posizione, {positional}", size=9.5, color=KEY)
    for y in (1.08, 2.1):
        arrow(axes, (1.52, 1.51), (2.4, y))
    for name, y in (("head 1", 0.62), ("head 2", 1.22), (f"head {n_heads}", 2.12)):
        write(axes, 5.3, y + 0.18, name, ha="right", size=9.5, weight="bold")
        for x, color, letter in ((5.45, KEY, "key"), (6.3, VALUE, "value")):
            box(axes, x, y, 0.72, 0.36, edge=color, face=tint(color, 0.14), line=1.5)
            write(axes, x + 0.36, y + 0.18, letter, size=9, color=color, weight="bold")
        arrow(axes, (3.86, 1.08), (4.5, y + 0.18))
        axes.plot([3.86, 4.5], [2.1, y + 0.18], color=KEY, linewidth=0.9, linestyle=(0, (2, 2)))
    write(axes, 5.8, 1.85, "…", size=13)
    return figure
