"""Il ricordo: un elenco di animali con il loro colore, poi una domanda su uno di loro.

    gatta:rossa topo:nero volpe:bianca … topo? ‖ nero

Serve a una cosa sola: sapere quante key diverse un layer riesce a distinguere. Ogni token dell'elenco nomina insieme
un animale e un colore; per rispondere bisogna ritrovare l'animale e prenderne il colore.
"""

import itertools

import numpy as np

from attnkit.language.concordanza import NOUNS

REMEMBERED = tuple(itertools.chain(*NOUNS.values()))          # ventiquattro
COLORS = ("bianco", "giallo", "grigio", "nero", "rosso", "verde")
RECALL_VOCABULARY = (*(f"{animal}:{color}" for animal, color in itertools.product(REMEMBERED, COLORS)),
                     *(f"{animal}?" for animal in REMEMBERED), *COLORS)


def recall_batch(n, rng, *, animals=24, items=8):
    """Un blocco di elenchi, ciascuno con animali tutti diversi, e una domanda.

    Args:
        n: quanti elenchi.
        rng: un generatore di NumPy.
        animals: fra quanti animali si sceglie, al più 24.
        items: quanti animali in ogni elenco.

    Returns:
        Interi, shape (n, items + 2), con i numeri di `RECALL_VOCABULARY`: l'elenco, la domanda, la risposta.

    Raises:
        ValueError: se gli animali non bastano.

    Si usa nel capitolo 7.
    """
    if not 1 <= items <= animals <= len(REMEMBERED):
        raise ValueError(f"Mi aspettavo items ≤ animals ≤ {len(REMEMBERED)}, ho trovato items={items} e animals={animals}")
    chosen = rng.permuted(np.tile(np.arange(animals), (n, 1)), axis=1)[:, :items]
    colors, asked, rows = rng.integers(len(COLORS), size=(n, items)), rng.integers(items, size=n), np.arange(n)
    question = len(REMEMBERED) * len(COLORS) + chosen[rows, asked]
    answer = len(REMEMBERED) * (len(COLORS) + 1) + colors[rows, asked]
    return np.column_stack([chosen * len(COLORS) + colors, question, answer])
