"""La tela: carattere, colori, e i pezzi con cui ogni figura del corso è fatta.

Una sola lingua visiva. Query, key, value, pesi e uscita hanno sempre lo stesso colore, e chi non vede i
colori legge le etichette. I vettori sono file di quadratini: l'area dice la grandezza, pieno è positivo,
vuoto è negativo.
"""

import io

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
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


# Pezzi comuni ------------------------------------------------------------------------------------

def canvas(width, height, alt):
    """Una figura e un solo asse, misurato in pollici, con l'origine in alto a sinistra."""
    with rc_context(STYLE):
        figure = CourseFigure(figsize=(width, height))
        figure.alt = alt
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
    return figure, axes


def write(axes, x, y, text, *, size=10, color=INK, ha="center", va="center", weight="normal", **options):
    with rc_context(STYLE):
        return axes.text(x, y, text, fontsize=size, color=color, ha=ha, va=va, fontweight=weight, **options)


def box(axes, x, y, width, height, *, edge=SOFT, face=PAPER, line=1.2, radius=0.06):
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=f"round,pad=0,rounding_size={radius}",
                                  edgecolor=edge, facecolor=face, linewidth=line))


def arrow(axes, start, end, *, color=SOFT, line=1.3, bend=0.0, head=8):
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=head, color=color, linewidth=line,
                                   connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0))


def squares(axes, x, y, values, *, cell, color, largest=None):
    """Una matrice come quadratini: area = grandezza, pieno = positivo, vuoto = negativo."""
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


def tint(color, amount):
    """Il colore steso sul foglio: 0 è il bianco della carta, 1 il colore pieno."""
    pure = np.array([int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)])
    return tuple(1 - amount * (1 - pure))


def plot_axes(figure, rectangle, **settings):
    """Un asse per un grafico, senza le cornici che non servono; il rettangolo è in frazioni della figura."""
    with rc_context(STYLE):
        axes = figure.add_axes(rectangle)
        axes.set(**settings)
        axes.spines[["top", "right"]].set_visible(False)
    return axes


def number(value, digits=2):
    """Un numero come si scrive in italiano: virgola decimale e segno meno vero, mai davanti a uno zero."""
    text = f"{value:z.{digits}f}"
    return text.replace(".", ",").replace("-", "−")


def italian_ticks(*axes):
    """Le tacche di uno o più assi, con la virgola decimale."""
    for axis in axes:
        axis.set_major_formatter(lambda value, _: f"{value:g}".replace(".", ","))


def percent(value):
    """Una frazione come percentuale intera; dove l'arrotondamento direbbe zero o cento, lo si dice."""
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < value < 1 else f"{100 * value:.0f} %"
