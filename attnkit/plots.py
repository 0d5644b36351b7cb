"""Le figure del corso: entrano array, esce una figura di matplotlib.

Una sola lingua visiva. Query, key, value, pesi e uscita hanno sempre lo stesso colore, e chi non vede i
colori legge le etichette. I vettori sono file di quadratini: il lato dice la grandezza, pieno è positivo,
vuoto è negativo. Ogni figura porta con sé un testo alternativo che dice che cosa mostra.
"""

import io

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch, Rectangle
from PIL import Image

QUERY, KEY, VALUE, WEIGHT, OUTPUT = "#1B4F8F", "#B4500B", "#0B7A5B", "#6A2C91", "#A3195B"
INK, SOFT, FAINT, PAPER = "#222222", "#5F6368", "#D9DCE0", "#FFFFFF"

STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": SOFT, "axes.linewidth": 0.8,
    "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "figure.facecolor": PAPER, "axes.facecolor": PAPER, "mathtext.fontset": "dejavusans", "hatch.linewidth": 0.5,
}
DPI = 200
CSS_PIXELS_PER_INCH = 100


class CourseFigure(Figure):
    """Una figura che porta con sé il proprio testo alternativo, ovunque venga mostrata."""

    alt = ""

    def png(self):
        """I byte del PNG, uguali a ogni esecuzione."""
        buffer = io.BytesIO()
        with rc_context(STYLE):
            FigureCanvasAgg(self)
            self.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        light = io.BytesIO()                                  # pochi colori bastano, e il file pesa un terzo
        Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(light, format="png", optimize=True)
        return light.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        width = round(self.get_figwidth() * CSS_PIXELS_PER_INCH)
        return ({"image/png": self.png(), "text/plain": f"<Figura: {self.alt}>"},
                {"image/png": {"alt": self.alt, "width": width}})

    def _repr_png_(self):
        return None                                           # ci pensa _repr_mimebundle_, con il testo


# Pezzi comuni --------------------------------------------------------------------------------------

def _canvas(width, height, alt):
    """Una figura e un solo asse, misurato in pollici, con l'origine in alto a sinistra."""
    with rc_context(STYLE):
        figure = CourseFigure(figsize=(width, height))
        figure.alt = alt
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
    return figure, axes


def _text(axes, x, y, text, *, size=10, color=INK, ha="center", va="center", weight="normal", **options):
    with rc_context(STYLE):
        return axes.text(x, y, text, fontsize=size, color=color, ha=ha, va=va, fontweight=weight, **options)


def _box(axes, x, y, width, height, *, edge=SOFT, face=PAPER, line=1.2, radius=0.06):
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=f"round,pad=0,rounding_size={radius}",
                                  edgecolor=edge, facecolor=face, linewidth=line))


def _arrow(axes, start, end, *, color=SOFT, line=1.3, bend=0.0, head=8):
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=head, color=color, linewidth=line,
                                   connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0))


def _squares(axes, x, y, values, *, cell, color, largest=None):
    """Una matrice come quadratini: lato = grandezza, pieno = positivo, vuoto = negativo."""
    values = np.atleast_2d(values)
    largest = np.abs(values).max() if largest is None else largest
    rows, columns = values.shape
    for i in range(rows):
        for j in range(columns):
            axes.add_patch(Rectangle((x + j * cell, y + i * cell), cell, cell, facecolor=PAPER, edgecolor=FAINT, linewidth=0.5))
            side = 0.86 * cell * np.sqrt(min(1, abs(values[i, j]) / largest))
            middle = x + (j + 0.5) * cell - side / 2, y + (i + 0.5) * cell - side / 2
            filled = values[i, j] > 0
            axes.add_patch(Rectangle(middle, side, side, facecolor=color if filled else PAPER, edgecolor=color,
                                     linewidth=1.0 if side > 0.07 else 0.5))
    axes.add_patch(Rectangle((x, y), columns * cell, rows * cell, facecolor="none", edgecolor=color, linewidth=1.2))


def number(value, digits=2):
    """Un numero come si scrive in italiano: virgola decimale e segno meno vero."""
    return f"{value:.{digits}f}".replace(".", ",").replace("-", "−")


def percent(value):
    """Una frazione come percentuale intera; dove l'arrotondamento direbbe zero o cento, lo si dice."""
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < value < 1 else f"{100 * value:.0f} %"


# Figure --------------------------------------------------------------------------------------------

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
    figure, axes = _canvas(width, 5.5, (
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
        _box(axes, left[j], top, sizes[j], 0.36, edge=QUERY if current else KEY, line=2.2 if current else 1.3)
        _text(axes, middle[j], top + 0.18, token, size=11, weight="bold" if j in (first, T - 1) else "normal")
        _text(axes, middle[j], top + 0.52, percent(weights[j]), size=9, color=WEIGHT, weight="bold" if j == first else "normal")
        if not current:
            distance = middle[-1] - middle[j]
            axes.add_patch(FancyArrowPatch((middle[-1], top - 0.03), (middle[j], top - 0.03), arrowstyle="-|>",
                                           connectionstyle=f"arc3,rad={0.30 * min(1, 0.6 + distance / width)}",
                                           mutation_scale=6 + 8 * weights[j], color=WEIGHT, alpha=1 if j == first else 0.6,
                                           linewidth=0.6 + 5.5 * weights[j], shrinkA=0, shrinkB=0))

    # prima fase: i pesi
    row, start = 0.26, 2.62
    _text(axes, 0.2, 2.1, "1  Relevance scoring", size=11, weight="bold", color=WEIGHT, ha="left")
    _text(axes, 0.2, 2.36, "quanto conta ogni token?", size=9.5, color=SOFT, ha="left")
    for j, token in enumerate(tokens):
        y = start + j * row
        _text(axes, 1.18, y + row / 2, token, ha="right", weight="bold" if j == first else "normal")
        axes.add_patch(Rectangle((1.28, y + 0.05), max(0.012, 1.05 * weights[j]), row - 0.1, facecolor=WEIGHT))
        _text(axes, 1.36 + 1.05 * weights[j], y + row / 2, percent(weights[j]), size=9, ha="left")

    # seconda fase: i value pesati e la loro somma
    at, D = 3.3, V.shape[1]
    largest = max(np.abs(V).max(), np.abs(output).max())
    _text(axes, at, 2.1, "2  Combining information", size=11, weight="bold", color=VALUE, ha="left")
    _text(axes, at, 2.36, "che cosa ne prendo?  peso × value", size=9.5, color=SOFT, ha="left")
    for j in range(T):
        _squares(axes, at, start + j * row, weights[j] * V[j], cell=row, color=VALUE, largest=largest)
        _text(axes, at - 0.1, start + (j + 0.5) * row, "+" if j else "", ha="right", color=SOFT)
    total = start + T * row + 0.2
    axes.plot([at - 0.25, at + D * row], [total - 0.1] * 2, color=INK, linewidth=1)
    _squares(axes, at, total, output, cell=row, color=OUTPUT, largest=largest)
    _text(axes, at - 0.1, total + row / 2, "somma", ha="right", weight="bold", color=OUTPUT)

    # il finale: la somma porta alle quattro probabilità insieme, e una parentesi lo dice
    right = at + D * row
    base = total + row
    bracket, top_row = right + 0.4, base - len(chances) * row
    _arrow(axes, (right + 0.06, total + row / 2), (bracket - 0.03, total + row / 2), color=OUTPUT, head=12)
    axes.plot([bracket + 0.07, bracket, bracket, bracket + 0.07], [top_row + 0.04, top_row + 0.04, base - 0.02, base - 0.02],
              color=OUTPUT, linewidth=1.3)
    _text(axes, right + 0.4, top_row - 0.17, "quale finale?", size=9.5, color=SOFT, ha="left")
    for k, (ending, chance) in enumerate(chances.items()):
        y = base - (len(chances) - k) * row
        _text(axes, right + 0.82, y + row / 2, ending, ha="right", weight="bold" if ending == best else "normal")
        axes.add_patch(Rectangle((right + 0.88, y + 0.05), max(0.012, 0.4 * chance), row - 0.1, facecolor=OUTPUT))
        _text(axes, right + 0.93 + 0.4 * chance, y + row / 2, percent(chance), size=8.5, ha="left")
    _text(axes, 3.6, 5.22, "quadratino pieno = positivo, vuoto = negativo; i numeri vicini a zero non si vedono", size=8, color=SOFT)
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
        Una figura. Capitoli 1 e 3.
    """
    T = len(tokens)
    last = int(weights[-1].argmax())
    figure, axes = _canvas(7.2, 4.55, (
        f"Tabella {T} per {T} dei pesi. Riga: il token che guarda; colonna: il token guardato. Sopra la diagonale le caselle sono "
        f"tratteggiate, perché il futuro non si vede. È incorniciata l'ultima riga: «{tokens[-1]}» dà {percent(weights[-1, last])} a «{tokens[last]}»."))
    x0, y0, cw, ch = 1.5, 0.95, 0.78, 0.46
    _text(axes, x0 + T * cw / 2, 0.22, "key: il token guardato", color=KEY, weight="bold")
    _text(axes, 0.17, y0 + T * ch / 2, "query: il token che guarda", color=QUERY, weight="bold", rotation=90)
    for i in range(T):
        _text(axes, x0 - 0.1, y0 + (i + 0.5) * ch, tokens[i], ha="right")
        _text(axes, x0 + (i + 0.5) * cw, y0 - 0.2, tokens[i], size=9.5)
        for j in range(T):
            hidden = j > i
            shade = tuple(1 - weights[i, j] * (1 - np.array(WEIGHT_RGB)))
            axes.add_patch(Rectangle((x0 + j * cw, y0 + i * ch), cw, ch, facecolor=PAPER if hidden else shade,
                                     edgecolor="#B4B9BF" if hidden else FAINT, hatch="////" if hidden else None, linewidth=0.8))
            if not hidden:
                _text(axes, x0 + (j + 0.5) * cw, y0 + (i + 0.5) * ch, number(weights[i, j]), size=9.5,
                      color=PAPER if weights[i, j] > 0.45 else INK)
    axes.add_patch(Rectangle((x0, y0 + (T - 1) * ch), T * cw, ch, facecolor="none", edgecolor=INK, linewidth=1.6))
    return figure


WEIGHT_RGB = tuple(int(WEIGHT[i:i + 2], 16) / 255 for i in (1, 3, 5))


def q_k_v(trace, projections):
    """Dagli ingressi a Q, K e V: una matrice imparata per ciascuna, una riga per token.

    Args:
        trace: la frase seguita dal modello, con `tokens`, `normed`, `Q`, `K`, `V`.
        projections: le tre matrici (Wq, Wk, Wv), ciascuna (D, Dh).

    Returns:
        Una figura. Capitolo 2.
    """
    T, D = trace.normed.shape
    figure, axes = _canvas(7.2, 6.0, (
        f"A sinistra la matrice X, {T} righe, una per token, e {D} colonne. Tre frecce la moltiplicano per le matrici imparate di query, key e value, "
        f"{D} per {D}, che non hanno righe per i token. A destra i tre risultati Q, K e V: di nuovo {T} righe, una per token."))
    cell = 0.17
    height, side = T * cell, D * cell
    xs, ys = (0.95, 3.1, 5.6), (1.02, 2.7, 4.38)
    middle = ys[1] + height / 2
    _squares(axes, xs[0], ys[1], trace.normed, cell=cell, color=INK)
    _text(axes, xs[0] + side / 2, ys[1] - 0.36, "X", size=13, weight="bold")
    _text(axes, xs[0] + side / 2, ys[1] - 0.14, f"{T} token × {D}", size=9, color=SOFT)
    parts = (("Q", QUERY, trace.Q, "che cosa cerco"), ("K", KEY, trace.K, "come mi trovano"), ("V", VALUE, trace.V, "che cosa porto"))
    for y, W, (name, color, result, question) in zip(ys, projections, parts):
        w_top = y + height / 2 - D * cell / 2
        _squares(axes, xs[1], w_top, W, cell=cell, color=color)
        _text(axes, xs[1] + W.shape[1] * cell / 2, w_top - 0.14, f"× $W_{name}$   {W.shape[0]} × {W.shape[1]}", size=9.5, color=color)
        _squares(axes, xs[2], y, result, cell=cell, color=color)
        _text(axes, xs[2] + side / 2, y - 0.14, f"$\\mathbf{{{name}}} = X\\,W_{name}$   {T} × {W.shape[1]}", size=9.5, color=color)
        _text(axes, xs[2] + side / 2, y - 0.36, question, size=9, color=color, style="italic")
        _arrow(axes, (xs[0] + side + 0.08, middle), (xs[1] - 0.1, y + height / 2), color=color)
        _arrow(axes, (xs[1] + W.shape[1] * cell + 0.08, y + height / 2), (xs[2] - 0.78, y + height / 2), color=color)
        for i, token in enumerate(trace.tokens):
            _text(axes, xs[2] - 0.06, y + (i + 0.5) * cell, token, size=8.5, ha="right")
    for i, token in enumerate(trace.tokens):
        _text(axes, xs[0] - 0.06, ys[1] + (i + 0.5) * cell, token, size=8.5, ha="right")
    _text(axes, xs[0] + side / 2, 0.3, "dal testo:\nuna riga per token", size=10, weight="bold")
    _text(axes, 3.6, 5.87, "quadratino pieno = positivo, vuoto = negativo; ogni matrice ha la sua scala", size=8, color=SOFT)
    _text(axes, xs[1] + side / 2, 0.3, "imparate:\nuguali per ogni frase", size=10, weight="bold")
    _text(axes, xs[2] + side / 2, 0.3, "calcolate:\nuna riga per token", size=10, weight="bold")
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
    figure, axes = _canvas(7.2, 3.5, (
        f"In alto una striscia divisa fra i token secondo i pesi: {percent(weights[top])} va a «{tokens[top]}». Sotto, incolonnati come in "
        f"un'addizione: il vettore di «{tokens[-1]}», l'aggiunta dell'attenzione e la loro somma, il vettore arricchito."))
    largest = max(np.abs(v).max() for v in (trace.x[-1], trace.update[-1], trace.y[-1]))
    x0, cell = 3.0, 0.36
    rows = ((1.35, trace.x[-1], INK, f"il vettore di «{tokens[-1]}»", "x"),
            (1.9, trace.update[-1], VALUE, "l'aggiunta, dopo $W_O$", "+"),
            (2.6, trace.y[-1], OUTPUT, "il vettore arricchito", "="))
    for y, values, color, label, sign in rows:
        _squares(axes, x0, y, values, cell=cell, color=color, largest=largest)
        _text(axes, 2.55, y + cell / 2, label, ha="right", color=color, weight="bold")
        _text(axes, 2.8, y + cell / 2, "" if sign == "x" else sign, size=14, weight="bold")
    # la striscia delle quote: larga quanto il peso di ciascun token
    band, left, y = 6.8, 0.2, 0.4
    _text(axes, left, y - 0.16, "i pesi: quanto si prende del value di ogni token", size=9.5, color=WEIGHT, ha="left")
    for j, token in enumerate(tokens):
        share = band * weights[j]
        axes.add_patch(Rectangle((left, y), share, 0.42, facecolor=WEIGHT if j == top else "#D9C8E5", edgecolor=PAPER, linewidth=1))
        if weights[j] >= 0.12:
            _text(axes, left + share / 2, y + 0.21, f"{token}  {percent(weights[j])}", color=PAPER if j == top else INK, weight="bold")
        left += share
    others = sum(weights[j] for j in range(len(tokens)) if weights[j] < 0.12)
    _text(axes, 7.0, y + 0.56, f"gli altri token insieme: {percent(others)}", size=9, ha="right", color=SOFT)
    axes.plot([2.7, x0 + 8 * cell + 0.05], [2.43] * 2, color=INK, linewidth=1)
    _text(axes, 3.6, 3.22, "quadratino pieno = positivo, vuoto = negativo; la scala è la stessa nelle tre righe", size=8, color=SOFT)
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
    figure, axes = _canvas(7.2, 2.32, (
        "Schema da sinistra a destra: token, embedding più posizione, poi una linea orizzontale, il residual stream. Dal flusso si stacca un ramo che passa "
        "per la norma, la head e la sua matrice di uscita, e torna a sommarsi. Infine norma e matrice di uscita danno un logit per ogni token del vocabolario e il finale."))
    y = 1.75
    _box(axes, 1.95, 0.15, 3.15, 2.02, edge=FAINT, face="#F6F7F9")
    _text(axes, 2.05, 0.33, "un blocco (qui, la sola attenzione)", size=9, color=SOFT, ha="left")

    def stop(x, width, top, text, color, face=PAPER):
        _box(axes, x, top - 0.24, width, 0.48, edge=color, face=face)
        _text(axes, x + width / 2, top, text, size=9, color=color)

    stop(0.12, 0.68, y, "token", INK)
    _arrow(axes, (0.82, y), (0.95, y))
    stop(0.97, 0.88, y, "embedding\n+ posizione", INK)
    _arrow(axes, (1.87, y), (5.3, y), line=2.4, head=12)
    _text(axes, 3.25, y + 0.2, f"residual stream: {T} × {D}", size=9, color=SOFT)
    _arrow(axes, (2.39, y), (2.39, 1.05), color=SOFT)
    stop(2.08, 0.62, 0.8, "norma", SOFT)
    _arrow(axes, (2.72, 0.8), (2.86, 0.8))
    stop(2.88, 1.12, 0.8, "head\nQ, K, V", QUERY, face="#EDF3FA")
    _arrow(axes, (4.02, 0.8), (4.16, 0.8))
    stop(4.18, 0.5, 0.8, "$W_O$", VALUE)
    axes.add_patch(FancyArrowPatch((4.68, 0.8), (4.88, y - 0.14), arrowstyle="-|>", mutation_scale=8, color=SOFT, linewidth=1.3,
                                   connectionstyle="angle,angleA=0,angleB=90,rad=4", shrinkA=0, shrinkB=0))
    axes.add_patch(Ellipse((4.88, y), 0.26, 0.26, facecolor=PAPER, edgecolor=INK, linewidth=1.2, zorder=3))
    _text(axes, 4.88, y, "+", size=11, weight="bold", zorder=4)
    stop(5.32, 0.62, y, "norma", SOFT)
    _arrow(axes, (5.96, y), (6.06, y))
    stop(6.08, 0.46, y, "$W_{out}$", INK)
    _arrow(axes, (6.56, y), (6.68, y))
    _text(axes, 6.94, y, "logit", size=9, weight="bold")
    _text(axes, 6.9, y + 0.22, f"{words} token", size=7.5, color=SOFT)
    _arrow(axes, (6.94, y - 0.14), (6.94, 1.12), color=OUTPUT)
    _text(axes, 6.86, 1.36, "softmax", size=8, color=OUTPUT, ha="right")
    _text(axes, 6.94, 0.96, trace.prediction, size=13, weight="bold", color=OUTPUT)
    return figure
