"""Le frasi lunghe: la stessa concordanza, con degli avverbi in mezzo.

    oggi la gatta insegue piano il topo perché affamat- ‖ -a

Gli avverbi si mettono prima del soggetto, dopo il verbo o dopo l'oggetto. Così il posto di un token non dice
più che cosa è: per trovare il soggetto bisogna capire la frase.
"""

import numpy as np

from attnkit.language.concordanza import VOCABULARY, encode, sample

ADVERBS = ("ancora", "intanto", "oggi", "ora", "piano", "qui", "sempre", "spesso")
LONG_VOCABULARY = tuple(sorted({*VOCABULARY, *ADVERBS}))
_SLOTS = (0, 3, 5)                                            # prima del soggetto, dopo il verbo, dopo l'oggetto


def long_batch(n, pairs, rng, *, adverbs):
    """Un blocco di frasi con lo stesso numero di avverbi.

    Args:
        n: quante frasi.
        pairs, rng: come in `sample`.
        adverbs: quanti avverbi in ogni frase.

    Returns:
        La coppia (tokens, agrees), array di interi con i numeri di `LONG_VOCABULARY`: shape (n, 8 + adverbs)
        e (n,), la posizione del nome con cui il finale concorda.

    Si usa nel capitolo 6.
    """
    sentences, places = [], []
    for _ in range(n):
        words, agrees = sample(pairs, rng)
        slots = sorted((rng.choice(_SLOTS) for _ in range(adverbs)), reverse=True)
        for slot in slots:                                    # dal fondo, così i posti prima non si spostano
            words.insert(slot, rng.choice(ADVERBS))
        sentences.append(encode(words, LONG_VOCABULARY))
        places.append(agrees + sum(slot <= agrees for slot in slots))
    return np.stack(sentences), np.array(places)
