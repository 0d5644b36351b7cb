"""Le figure del capitolo 10: il modello intero, RoPE, e dove stanno i parametri."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Circle, Rectangle

from attnkit.plots.memoria import LOOKS
from attnkit.plots.tela import (FAINT, INK, KEY, PAPER, QUERY, SOFT, STYLE, CourseFigure, arrow, box, canvas, number, plot_axes, tint, write)


def _count(n):
    """Un intero con i punti delle migliaia, da cinque cifre in su."""
    return f"{n:,}".replace(",", ".") if n >= 10000 else str(n)


def llama(config, parts):
    """Il modello intero, dai token ai logit: le misure sulle frecce, i parametri nei riquadri.

    Args:
        config: una `LlamaConfig`.
        parts: un dizionario con i parametri di "embedding", "attenzione", "feed-forward", "norma" e "logit".

    Returns:
        Una figura. Capitolo 10.
    """
    D, F, V, L = config.d_model, config.d_ff, config.vocabulary, config.n_layers
    Hq, Hkv, Dh = config.n_heads, config.n_kv_heads, config.head_dim
    figure, axes = canvas(7.2, 7.1, f"Dal basso verso l'alto: i token; l'embedding, {_count(parts['embedding'])} parametri; {L} blocchi uguali; una norma; i logit, {_count(parts['logit'])} parametri. In ogni "
                          f"blocco il vettore, largo {D}, sale diritto. Una sua copia normalizzata va all'attenzione, {Hq} query head e {Hkv} di key e value larghe {Dh}, {_count(parts['attenzione'])} parametri, e l'uscita si somma; poi "
                          f"un'altra copia va alla feed-forward, larga {_count(F)}, {_count(parts['feed-forward'])} parametri, e l'uscita si somma. RoPE ruota query e key; ogni norma ha {_count(parts['norma'])} parametri.")
    stream, left, wide = 0.95, 2.05, 3.1

    def stage(x, y, text, note, face=PAPER):
        box(axes, x, y, wide, 0.44, edge=INK, face=face, line=1.3)
        write(axes, x + wide / 2, y + 0.22, text, size=9.5, weight="bold")
        write(axes, x + wide + 0.12, y + 0.22, f"{_count(note)} parametri", size=8.5, ha="left")

    def size(y, text):
        write(axes, stream + 0.12, y, text, size=8.5, color=SOFT, ha="left")

    stage(0.3, 0.55, f"logit, {_count(V)} per token", parts["logit"], tint(SOFT, 0.12))
    stage(0.3, 1.25, "RMSNorm", parts["norma"])
    axes.add_patch(Rectangle((0.12, 1.98), 6.95, 3.72, facecolor=tint(SOFT, 0.05), edgecolor=SOFT, linewidth=1.2, linestyle=(0, (4, 3))))
    write(axes, 6.95, 2.16, f"un blocco, {L} volte", size=10, weight="bold", ha="right")
    stage(0.3, 5.98, f"embedding, {_count(V)} righe", parts["embedding"], tint(SOFT, 0.12))
    write(axes, stream, 6.83, "token: interi, (B, T)", size=9.5, ha="center")
    for norm, part, name, note in ((5.02, 4.34, f"attenzione, {Hq} query head e {Hkv} di key", parts["attenzione"]), (3.36, 2.68, f"SwiGLU, larga {_count(F)}", parts["feed-forward"])):
        stage(left, norm, "RMSNorm", parts["norma"])
        stage(left, part, name, note, tint(SOFT, 0.16))
        arrow(axes, (stream, norm + 0.22), (left - 0.02, norm + 0.22))
        arrow(axes, (left + wide / 2, norm), (left + wide / 2, part + 0.46))
        arrow(axes, (left, part + 0.22), (stream + 0.13, part + 0.22))
    for y, text, color in ((4.34 - 0.02, "RoPE ruota q e k", KEY), (4.34 + 0.42, f"q (B, {Hq}, T, {Dh})", SOFT), (4.34 + 0.62, f"k e v (B, {Hkv}, T, {Dh})", SOFT),
                           (2.68 + 0.42, f"dentro (B, T, {_count(F)})", SOFT)):
        write(axes, left + wide + 0.12, y, text, size=8.5, color=color, ha="left")
    for norm, part in ((5.02, 4.34), (3.36, 2.68)):
        write(axes, left + wide / 2 + 0.1, (norm + part + 0.46) / 2, f"(B, T, {_count(D)})", size=8.5, color=SOFT, ha="left")
        write(axes, (stream + left) / 2, part + 0.1, f"(B, T, {_count(D)})", size=8, color=SOFT)
    arrow(axes, (stream, 6.68), (stream, 6.44))
    axes.plot([stream, stream], [5.98, 1.75], color=INK, linewidth=2.6, zorder=1)
    arrow(axes, (stream, 1.85), (stream, 1.7), color=INK, line=2.4, head=13)
    arrow(axes, (stream, 1.25), (stream, 1.01))
    arrow(axes, (stream, 0.55), (stream, 0.2))
    for y in (4.34 + 0.22, 2.68 + 0.22):
        axes.add_patch(Circle((stream, y), 0.12, facecolor=PAPER, edgecolor=INK, linewidth=1.3, zorder=3))
        write(axes, stream, y, "+", size=11, zorder=4)
    for y, text in ((5.6, f"(B, T, {_count(D)})"), (4.05, f"(B, T, {_count(D)})"), (2.4, f"(B, T, {_count(D)})"), (1.13, f"(B, T, {_count(D)})"), (0.3, f"(B, T, {_count(V)})")):
        size(y, text)
    return figure


def turning(pair, frequencies, positions):
    """Coppie di componenti che girano con la posizione, ciascuna con la sua velocità.

    Args:
        pair: i due numeri di partenza, uguali per tutte.
        frequencies: i radianti per posizione, una coppia per riquadro.
        positions: le posizioni da disegnare.

    Returns:
        Una figura. Capitolo 10.
    """
    panel, length = 7.2 / len(frequencies), np.hypot(*pair)
    said = "; ".join(f"con f = {number(f, 2)} gira di {number(np.degrees(f), 0)} gradi per posizione" for f in frequencies)
    figure, axes = canvas(7.2, panel + 0.25, f"Un cerchio per coppia, e su di esso la stessa coppia alle posizioni {', '.join(map(str, positions))}: resta lunga uguale, e {said}.")
    for n, f in enumerate(frequencies):
        x0, y0, radius = (n + 0.5) * panel, 0.3 + panel / 2, 0.33 * panel
        write(axes, x0, 0.17, f"f = {number(f, 2)}", size=10.5, weight="bold")
        axes.add_patch(Circle((x0, y0), radius, facecolor="none", edgecolor=FAINT, linewidth=1.2))
        axes.plot([x0 - 1.15 * radius, x0 + 1.15 * radius], [y0, y0], color=FAINT, linewidth=0.8)
        axes.plot([x0, x0], [y0 - 1.15 * radius, y0 + 1.15 * radius], color=FAINT, linewidth=0.8)
        for t in reversed(positions):
            x, y = ((pair[0] * np.cos(t * f) - pair[1] * np.sin(t * f)) / length, (pair[1] * np.cos(t * f) + pair[0] * np.sin(t * f)) / length)
            arrow(axes, (x0, y0), (x0 + radius * x, y0 - radius * y), color=QUERY if t else INK, line=1.6, head=9)
            if t in (positions[0], positions[-1]) or f * (positions[1] - positions[0]) > 0.25:
                first = t == positions[0]
                write(axes, x0 + 1.2 * radius * x, y0 - 1.2 * radius * y, f"posto {t}" if first and n == 0 else str(t), size=9, weight="bold" if first else "normal",
                      ha="left" if first and n == 0 else "center")
    return figure


def waves(series, marks):
    """Quanto è lunga l'onda di ogni coppia: dopo quanti token torna al punto di partenza.

    Args:
        series: un dizionario, dal nome alle lunghezze d'onda in token, una per coppia.
        marks: un dizionario, dal nome a una lunghezza da segnare.

    Returns:
        Una figura. Capitolo 10.
    """
    figure = CourseFigure(figsize=(7.2, 3.5))
    figure.alt = ("In orizzontale le coppie di componenti, in verticale dopo quanti token ciascuna fa un giro intero, in scala logaritmica. "
                  + "; ".join(f"{name}: da {_count(round(values[0]))} a {_count(round(values[-1]))} token" for name, values in series.items()) + ". Linee orizzontali: " + ", ".join(f"{name}, {_count(v)}" for name, v in marks.items()) + ".")
    axes = plot_axes(figure, (0.12, 0.15, 0.86, 0.80), yscale="log")
    for (name, values), (color, marker, line) in zip(series.items(), LOOKS):
        axes.plot(range(len(values)), values, linestyle=line, color=color, linewidth=2.1, label=name)
    with rc_context(STYLE):
        for name, value in marks.items():
            axes.axhline(value, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
            axes.text(0, value * 1.15, f"{name}: {_count(value)} token", fontsize=8.5, color=SOFT, va="bottom")
        axes.set_xlabel("coppia di componenti", fontsize=9)
        axes.set_ylabel("token per un giro", fontsize=9)
        axes.tick_params(labelsize=8.5)
        axes.minorticks_off()
        axes.legend(fontsize=9, frameon=False, loc="lower right")
    return figure


def shares(groups):
    """Come si dividono i parametri di più modelli: una barra intera per modello.

    Args:
        groups: un dizionario, dal nome del modello a un dizionario (parte, quanti parametri); le parti sono le stesse, al più tre.

    Returns:
        Una figura. Capitolo 10.
    """
    parts = list(next(iter(groups.values())))
    colors = dict(zip(parts, (tint(INK, 0.8), tint("#5B7083", 0.55), tint("#E3AF4A", 0.75))))
    said = "; ".join(f"{name}: " + ", ".join(f"{part} {number(100 * n / sum(counts.values()), 1)} %" for part, n in counts.items()) for name, counts in groups.items())
    high = 0.5 + 0.62 * len(groups)
    figure, axes = canvas(7.2, high + 0.42, f"Una barra per modello, divisa in {', '.join(parts)}. {said}.")
    for row, (name, counts) in enumerate(groups.items()):
        y, x, total = 0.2 + 0.62 * row, 0.95, sum(counts.values())
        write(axes, 0.85, y + 0.2, name, size=10, weight="bold", ha="right")
        for part, n in counts.items():
            wide = 5.7 * n / total
            axes.add_patch(Rectangle((x, y), wide, 0.4, facecolor=colors[part], edgecolor=PAPER, linewidth=1))
            if wide > 0.5:
                dark = np.mean(colors[part]) < 0.5
                write(axes, x + wide / 2, y + 0.2, f"{number(100 * n / total, 1)} %", size=9.5, color=PAPER if dark else INK, weight="bold")
            else:
                write(axes, x + wide + 0.06, y + 0.2, f"{number(100 * n / total, 1)} %", size=8.5, ha="left")
            x += wide
    x = 0.95
    for part in parts:
        axes.add_patch(Rectangle((x, high - 0.02), 0.16, 0.16, facecolor=colors[part], edgecolor=SOFT, linewidth=0.6))
        write(axes, x + 0.24, high + 0.06, part, size=9, ha="left")
        x += 0.55 + 0.085 * len(part)
    return figure
