"""Disegna _static/anteprima.png: ciò che si vede quando qualcuno condivide un indirizzo del corso.

    make immagini                                                    # la ridisegna, con le figure di images/
    python3 strumenti/ambiente.py strumenti/anteprima.py --verifica  # dice se è aggiornata

È la frase d'esempio con i pesi veri dell'ultimo token. La misura, 1200 × 630, è quella che i siti si aspettano.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from attnkit.plots import percent, tela
from attnkit.toy import trace
from immagini import differenza

ANTEPRIMA = Path(__file__).resolve().parent.parent / "_static" / "anteprima.png"
TITOLO, SOTTOTITOLO = "Self-attention nei transformer", "Un corso in italiano, da leggere e da eseguire"
# Le stesse tinte del sito: la carta, il titolo, il testo in secondo piano.
CARTA, SCURO, TENUE = "#FDFCF9", "#14272C", "#566067"


def figura():
    """La frase in un riquadro per token, il finale previsto, e gli archi dell'ultimo token."""
    esempio = trace()
    token, pesi = esempio.tokens, esempio.weights[-1]
    primo, ultimo = int(pesi.argmax()), len(token) - 1
    larghezza, altezza = 6.0, 3.15  # a 200 punti per pollice, 1200 × 630
    disegno = tela.CourseFigure(figsize=(larghezza, altezza), facecolor=CARTA)
    disegno.alt = (f"{TITOLO}. La frase «{' '.join(token)}», un riquadro per token: dall'ultimo partono archi verso gli altri, "
                   f"e il più spesso, {percent(pesi[primo])}, arriva a «{token[primo]}». Il finale previsto è «{esempio.prediction}».")
    assi = disegno.add_axes((0, 0, 1, 1))
    assi.set(xlim=(0, larghezza), ylim=(altezza, 0))
    assi.axis("off")

    def scrivi(x, y, testo, grandezza, colore=tela.INK, spessore="normal", ha="center"):
        assi.text(x, y, testo, fontsize=grandezza, color=colore, fontweight=spessore, ha=ha, va="center",
                  fontfamily="DejaVu Sans")

    scrivi(0.3, 0.46, TITOLO, 22, SCURO, "bold", "left")
    scrivi(0.3, 0.85, SOTTOTITOLO, 13, TENUE, ha="left")

    lati = np.array([0.2 + 0.091 * len(parola) for parola in token])
    spazio = (larghezza - 0.6 - 0.36 - lati.sum()) / ultimo
    sinistra = 0.3 + np.concatenate([[0], np.cumsum(lati + spazio)[:-1]])
    centro, alto = sinistra + lati / 2, 2.3
    for j, parola in enumerate(token):
        assi.add_patch(FancyBboxPatch((sinistra[j], alto), lati[j], 0.38, boxstyle="round,pad=0,rounding_size=0.06",
                                      facecolor=tela.PAPER, edgecolor=tela.QUERY if j == ultimo else tela.KEY,
                                      linewidth=2.4 if j == ultimo else 1.4))
        scrivi(centro[j], alto + 0.19, parola, 11, spessore="bold" if j in (primo, ultimo) else "normal")
        if j != ultimo:
            lontano = (centro[-1] - centro[j]) / larghezza
            assi.add_patch(FancyArrowPatch((centro[-1], alto - 0.04), (centro[j], alto - 0.04), arrowstyle="-|>",
                                           connectionstyle=f"arc3,rad={0.36 * min(1, 0.65 + lontano)}",
                                           mutation_scale=7 + 18 * pesi[j], linewidth=0.8 + 5 * pesi[j], color=tela.WEIGHT,
                                           alpha=1 if j == primo else 0.55, shrinkA=0, shrinkB=0))
    scrivi(sinistra[-1] + lati[-1] + 0.08, alto + 0.19, esempio.prediction, 15, tela.OUTPUT, "bold", "left")
    scrivi(centro[primo], alto + 0.58, percent(pesi[primo]), 13, tela.WEIGHT, "bold")
    scrivi(centro[-1], alto + 0.58, "dove guarda?", 11, TENUE)
    return disegno


def aggiornata() -> bool:
    return ANTEPRIMA.exists() and differenza(ANTEPRIMA.read_bytes(), figura().png()) < 1e-3


def main(argomenti=None) -> int:
    opzioni = argparse.ArgumentParser(description="Disegna l'immagine che accompagna un indirizzo condiviso.")
    opzioni.add_argument("--verifica", action="store_true", help="non scrive nulla: dice se è aggiornata")
    if opzioni.parse_args(argomenti).verifica:
        va_bene = aggiornata()
        print("L'anteprima è aggiornata." if va_bene else "L'anteprima è da rifare con «make immagini».")
        return not va_bene
    ANTEPRIMA.write_bytes(figura().png())
    print("_static/anteprima.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
