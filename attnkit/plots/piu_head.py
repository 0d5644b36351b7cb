"""Le figure del capitolo 5: più head in parallelo, divise e riunite."""

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import Rectangle

from attnkit.plots.tela import (FAINT, INK, OUTPUT, PAPER, QUERY, SOFT, STYLE, VALUE, WEIGHT, CourseFigure, arrow, canvas, italian_ticks,
                                number, percent, plot_axes, squares, tint, write)


def _numbered(axes, x, y, source, *, cell, height, n_tokens):
    """Una matrice in cui ogni casella porta il numero del token da cui viene."""
    for i, row in enumerate(source):
        for j, token in enumerate(row):
            shade = 0.06 + 0.84 * token / max(1, n_tokens - 1)
            axes.add_patch(Rectangle((x + j * cell, y + i * height), cell, height, facecolor=tint(QUERY, shade), edgecolor=PAPER, linewidth=0.8))
            write(axes, x + (j + 0.5) * cell, y + (i + 0.5) * height, str(token + 1), size=8, color=PAPER if shade > 0.45 else INK)


def split_heads(tokens, source, right, wrong):
    """Dividere in head: ogni casella porta il numero del token da cui viene, nel modo giusto e con un reshape diretto.

    Args:
        tokens: i T token.
        source: per ogni casella di X il numero del suo token, da 0, shape (T, D).
        right: le stesse caselle divise bene, shape (H, T, Dh).
        wrong: divise senza trasporre, shape (H, T, Dh).

    Returns:
        Una figura. Capitolo 5.
    """
    T, D = source.shape
    H, _, Dh = right.shape
    mixed = sum(len(set(row.tolist())) > 1 for head in wrong for row in head)
    moved = sum(set(row.tolist()) != {t} for head in wrong for t, row in enumerate(head))
    cell, height, left, gap = 0.27, 0.225, 1.15, 0.14
    block = H * Dh * cell + (H - 1) * gap
    top, bottom = 0.62, 0.62 + T * height + 0.92
    figure, axes = canvas(7.2, bottom + T * height + 0.32, (
        f"In alto una matrice di {T} righe per {D} colonne: ogni casella porta il numero del suo token. Sotto a sinistra le {H} head divise bene: ogni riga "
        f"contiene un token solo, il suo. A destra un reshape diretto: {moved} righe su {H * T} contengono altri token" + (f", e {mixed} ne mescolano più d'uno." if mixed else ".")))
    middle = left + (7.2 - left - D * cell) / 2 - 0.3
    write(axes, middle + D * cell / 2, 0.2, f"X: {T} token × {D} colonne", size=10.5, weight="bold")
    write(axes, middle + D * cell / 2, 0.42, "il numero dice da quale token viene la casella", size=8.5, color=SOFT)
    _numbered(axes, middle, top, source, cell=cell, height=height, n_tokens=T)
    for h in range(1, H):
        axes.plot([middle + h * Dh * cell] * 2, [top - 0.06, top + T * height + 0.06], color=OUTPUT, linewidth=1.6, linestyle=(0, (3, 2)))
    panels = ((left, right, "spezza le colonne, poi scambia gli assi", "reshape(T, H, Dh).transpose(1, 0, 2)", QUERY),
              (7.2 - 0.4 - block, wrong, "reshape diretto: token mescolati", "reshape(H, T, Dh)", OUTPUT))
    for x, heads, title, code, color in panels:
        write(axes, x + block / 2, bottom - 0.6, title, size=9.5, weight="bold", color=color)
        write(axes, x + block / 2, bottom - 0.4, code, size=8.5, color=INK, family="DejaVu Sans Mono")
        for h, head in enumerate(heads):
            at = x + h * (Dh * cell + gap)
            write(axes, at + Dh * cell / 2, bottom - 0.16, f"head {h + 1}", size=8.5, color=SOFT)
            _numbered(axes, at, bottom, head, cell=cell, height=height, n_tokens=T)
    for i, token in enumerate(tokens):
        write(axes, middle - 0.08, top + (i + 0.5) * height, token, size=9, ha="right")
        write(axes, left - 0.08, bottom + (i + 0.5) * height, token, size=9, ha="right")
    arrow(axes, (middle - 0.75, top + T * height / 2), (left + block / 2 - 0.6, bottom - 0.72), color=QUERY, bend=0.25)
    arrow(axes, (middle + D * cell + 0.12, top + T * height / 2), (7.2 - block / 2 + 0.3, bottom - 0.72), color=OUTPUT, bend=-0.25)
    return figure


def combining(tokens, weights, heads, updates, current=-1):
    """Più head in parallelo: i pesi di ciascuna, le uscite affiancate, W_O e la somma.

    Args:
        tokens: i T token.
        weights: i pesi con cui ogni head guarda dall'ultimo token, shape (H, T).
        heads: le uscite, shape (H, Dh).
        updates: ciò che ogni head porta nel flusso, cioè la sua uscita per le sue righe di W_O, shape (H, D).
        current: il token che guarda.

    Returns:
        Una figura. Capitolo 5.
    """
    H, T = weights.shape
    Dh, D = heads.shape[1], updates.shape[1]
    tops = [int(row.argmax()) for row in weights]
    seen = "; ".join(f"la {h + 1} dà {percent(row[top])} a «{tokens[top]}»" for h, (row, top) in enumerate(zip(weights, tops)))
    figure, axes = canvas(7.2, 5.3, (
        f"In alto le {H} head, ciascuna con la propria riga di pesi da «{tokens[current]}»: {seen}. Sotto ogni head la sua uscita, {Dh} numeri; poi le uscite affiancate "
        f"in una riga di {H * Dh}, che la matrice di uscita trasforma in {D} numeri: sono la somma di ciò che porta ogni head."))
    row, y0, bar, cell = 0.25, 0.72, 1.15, 0.25
    step = 2.9
    below = y0 + T * row
    concat_x, concat_y = 1.35 + step / 2, below + 0.98
    largest = np.abs(heads).max()
    for h in range(H):
        x = 1.35 + h * step
        write(axes, x, 0.26, f"head {h + 1}", ha="left", size=11, weight="bold", color=WEIGHT)
        write(axes, x, 0.52, f"quanto «{tokens[current]}» guarda ciascun token", ha="left", size=9, color=SOFT)
        for j, token in enumerate(tokens):
            y, bold = y0 + (j + 0.5) * row, "bold" if j == tops[h] else "normal"
            write(axes, x - 0.1, y, token, ha="right", weight=bold)
            axes.add_patch(Rectangle((x, y - 0.085), max(0.012, bar * weights[h, j]), 0.17, facecolor=WEIGHT))
            write(axes, x + 0.07 + bar * weights[h, j], y, percent(weights[h, j]), ha="left", size=9, weight=bold)
        squares(axes, x, below + 0.22, heads[h], cell=cell, color=VALUE, largest=largest)
        write(axes, x + Dh * cell + 0.12, below + 0.22 + cell / 2, f"uscita: {Dh} numeri", ha="left", size=9, color=SOFT)
        arrow(axes, (x + Dh * cell / 2, below + 0.22 + cell + 0.03), (concat_x + (h + 0.5) * Dh * cell, concat_y - 0.05), color=VALUE)
    squares(axes, concat_x, concat_y, heads.reshape(-1), cell=cell, color=VALUE, largest=largest)
    for h in range(1, H):
        axes.plot([concat_x + h * Dh * cell] * 2, [concat_y - 0.05, concat_y + cell + 0.05], color=INK, linewidth=1.6)
    write(axes, concat_x - 0.12, concat_y + cell / 2, "affiancate", ha="right", weight="bold", color=VALUE)
    axes.text(concat_x + H * Dh * cell + 0.14, concat_y + cell / 2, "poi $W_O$: ogni head ne usa\nle proprie righe", fontsize=8.5, color=SOFT, va="center")
    start, largest = concat_y + cell + 0.36, np.abs(np.vstack([updates, updates.sum(0)])).max()
    for h in range(H):
        y = start + h * (cell + 0.05)
        squares(axes, concat_x, y, updates[h], cell=cell, color=OUTPUT, largest=largest)
        write(axes, concat_x - 0.12, y + cell / 2, ("+  " if h else "") + f"l’aggiunta della head {h + 1}", ha="right", size=9.5)
    total = start + H * (cell + 0.05) + 0.1
    axes.plot([concat_x - 0.35, concat_x + D * cell + 0.05], [total - 0.07] * 2, color=INK, linewidth=1.2)
    squares(axes, concat_x, total, updates.sum(0), cell=cell, color=OUTPUT, largest=largest)
    write(axes, concat_x - 0.12, total + cell / 2, "ciò che si somma a x", ha="right", weight="bold", color=OUTPUT)
    write(axes, 3.6, 5.14, "quadratino pieno = positivo, vuoto = negativo", size=8, color=SOFT)
    return figure


def head_tables(tokens, tables, titles, *, marked=(), columns=2):
    """Le tabelle di pesi di più head, una accanto all'altra; i numeri sono percentuali.

    Args:
        tokens: i T token.
        tables: i pesi, una tabella (T, T) per head, con gli zeri nel futuro.
        titles: un titolo per tabella.
        marked: le caselle da incorniciare, terne (tabella, i, j).
        columns: quante tabelle per riga.

    Returns:
        Una figura. Capitoli 5 e 6.
    """
    T = len(tokens)
    cw = min(0.38, 2.3 / T)
    ch = min(0.30, 0.85 * cw)
    rows = -(-len(tables) // columns)
    block = T * ch + 1.22
    last = "; ".join(f"{title}: «{tokens[-1]}» dà {percent(table[-1].max())} a «{tokens[int(table[-1].argmax())]}»" for title, table in zip(titles, tables))
    figure, axes = canvas(7.2, rows * block + 0.16, (
        f"Tabelle di pesi di {len(tables)} head, {T} per {T}, più scure dove il peso è più grande. {last}."
        + (" Sono incorniciate: " + "; ".join(f"«{tokens[i]}» che guarda «{tokens[j]}», {percent(tables[k][i, j])}" for k, i, j in marked) + "." if len(marked) else "")))
    for k, (table, title) in enumerate(zip(tables, titles)):
        x, y = 0.92 + (k % columns) * (7.2 / columns), (k // columns) * block + 1.06
        write(axes, x + T * cw / 2, y - 0.9, title, size=10.5, weight="bold", color=WEIGHT)
        for i in range(T):
            write(axes, x - 0.07, y + (i + 0.5) * ch, tokens[i], size=8.5, ha="right")
            write(axes, x + (i + 0.55) * cw, y - 0.05, tokens[i], size=8.5, ha="left", va="bottom", rotation=45, rotation_mode="anchor")
            for j in range(T):
                hidden = j > i
                axes.add_patch(Rectangle((x + j * cw, y + i * ch), cw, ch, facecolor=PAPER if hidden else tint(WEIGHT, table[i, j]), linewidth=0.7,
                                         edgecolor="#C4C8CD" if hidden else FAINT, hatch="////" if hidden else None))
                if not hidden and table[i, j] >= 0.095:
                    write(axes, x + (j + 0.5) * cw, y + (i + 0.5) * ch, f"{100 * table[i, j]:.0f}", size=7.5 if cw < 0.3 else 8.5,
                          color=PAPER if table[i, j] > 0.45 else INK)
    write(axes, 3.6, rows * block + 0.02, "pesi in %; sotto il 10 % non sono scritti; tratteggiato = futuro", size=8, color=SOFT)
    for k, i, j in marked:
        x, y = 0.92 + (k % columns) * (7.2 / columns), (k // columns) * block + 1.06
        # Un filo chiaro fra casella e cornice: senza, in scala di grigi, la cornice sparirebbe nella casella scura.
        for out, color in ((0.018, PAPER), (0.046, OUTPUT)):
            axes.add_patch(Rectangle((x + j * cw - out, y + i * ch - out), cw + 2 * out, ch + 2 * out, facecolor="none", edgecolor=color, linewidth=2))
    return figure


def seeds(groups, title):
    """Un puntino per ogni modello, uno per seme: quanto rispondono bene i gruppi, e quanto variano.

    Args:
        groups: un dizionario, dal nome del gruppo alle sue accuratezze.
        title: che cosa si misura.

    Returns:
        Una figura. Capitoli 5 e 7.
    """
    names = list(groups)
    ranges = "; ".join(f"{name}, da {100 * min(values):.0f} a {100 * max(values):.0f} %" for name, values in groups.items())
    figure = CourseFigure(figsize=(7.2, 0.8 * len(names) + 0.75))
    figure.alt = f"Un puntino per seme, in orizzontale la percentuale di risposte giuste: {ranges}. Una tacca segna la mediana di ciascun gruppo."
    low = min(min(values) for values in groups.values())
    axes = plot_axes(figure, (0.17, 0.46 / figure.get_figheight(), 0.80, 1 - 0.54 / figure.get_figheight()))
    for k, values in enumerate(groups.values()):
        places = np.round(np.sort(values) / (1.02 - low) * 75)
        stacks = [int((places[:i] == place).sum()) for i, place in enumerate(places)]      # i puntini che coinciderebbero si impilano
        rise = min(0.085, 0.62 / (1 + max(stacks)))
        axes.plot(100 * np.sort(values), -k - 0.07 + rise * np.array(stacks), "o", color=(SOFT, WEIGHT)[k % 2] if len(groups) == 2 else SOFT, markersize=4.6, markeredgecolor=PAPER,
                  markeredgewidth=0.5)
        axes.plot([100 * np.median(values)] * 2, [-k - 0.32, -k - 0.16], color=INK, linewidth=2)
        text = number(100 * np.median(values), 1).removesuffix(",0")
        if max(stacks) > 8:                                   # una pila alta non si conta a occhio
            write(axes, 100 * np.median(values) - 0.012 * 100 * (1.02 - low), -k + 0.25, f"{max(stacks) + 1} modelli", size=8.5, ha="right")
        write(axes, 100 * np.median(values) - 0.008 * 100 * (1.02 - low), -k - 0.24, f"mediana {text} %", size=8.5, ha="right")
    with rc_context(STYLE):
        axes.set(yticks=[-k for k in range(len(names))], ylim=(-len(names) + 0.5, 0.66), xlim=(100 * low - 2, 102))
        axes.set_yticklabels(names, fontsize=10, fontweight="bold")
        axes.set_xlabel(title, fontsize=9)
        axes.tick_params(axis="y", length=0)
        italian_ticks(axes.xaxis)
        axes.spines["left"].set_visible(False)
    return figure
