"""L'eco: un compito in cui l'ultimo token deve sapere due cose insieme, e non confonderle.

    la gatta insegue il topo avanti ‖ gatta·topo
    la gatta insegue il topo indietro ‖ topo·gatta

La risposta è un token solo, che ripete i due nomi nell'ordine chiesto. Le frasi possibili sono meno di
diecimila, e si provano tutte.
"""

import itertools

from attnkit.language.concordanza import ARTICLES, NEUTRAL, NOUNS, VERBS, determiners, encode

ANIMALS = NOUNS["ms"] + NOUNS["fs"]
ORDERS = ("avanti", "indietro")
ECHOES = tuple(f"{first}·{second}" for first, second in itertools.permutations(ANIMALS, 2))
ECHO_VOCABULARY = tuple(sorted({*ANIMALS, *VERBS["s"], *ORDERS, ARTICLES["ms"], ARTICLES["fs"], *NEUTRAL["s"]})) + ECHOES


def echo_sentences():
    """Tutte le frasi del compito, risposta compresa.

    Returns:
        Interi, shape (N, 7): sei token e la risposta, con i numeri di `ECHO_VOCABULARY`.

    Si usa nel capitolo 5.
    """
    words = []
    for (subject, object_), verb, order in itertools.product(itertools.permutations(ANIMALS, 2), VERBS["s"], ORDERS):
        answer = f"{subject}·{object_}" if order == "avanti" else f"{object_}·{subject}"
        for one, two in itertools.product(determiners(subject), determiners(object_)):
            words += [one, subject, verb, two, object_, order, answer]
    return encode(words, ECHO_VOCABULARY).reshape(-1, 7)
