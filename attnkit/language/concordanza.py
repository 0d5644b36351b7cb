"""La mini-lingua italiana del corso: una cinquantina di parole, una regola di concordanza.

Ogni frase ha sette token e un finale da indovinare:

    la gatta insegue il topo perché affamat- ‖ -a
    la gatta insegue il topo perché appetitos- ‖ -o

Ha fame chi insegue, fa gola chi è inseguito: `affamat-` concorda con il soggetto, `appetitos-` con
l'oggetto. Per scegliere il finale bisogna quindi guardare il nome giusto. Sette determinanti su dieci
nascondono il genere (`ogni`, `qualche`, `tre`, `dieci`), così è il nome a portare la risposta. Un quinto
delle coppie di nomi, compresa quella dell'esempio, è tenuto da parte per la prova.
"""

import collections
import functools
import itertools
import math
import random
import unicodedata

import numpy as np

NOUNS = {                                                     # forma = genere e numero
    "ms": ("gatto", "topo", "cane", "pesce", "lupo", "pollo"),
    "fs": ("gatta", "volpe", "lepre", "gallina", "rana", "trota"),
    "mp": ("gatti", "topi", "cani", "pesci", "lupi", "polli"),
    "fp": ("gatte", "volpi", "lepri", "galline", "rane", "trote"),
}
ENDINGS = {"ms": "-o", "fs": "-a", "mp": "-i", "fp": "-e"}
ARTICLES = {"ms": "il", "fs": "la", "mp": "i", "fp": "le"}    # dicono genere e numero
NEUTRAL = {"s": ("ogni", "qualche"), "p": ("tre", "dieci")}   # dicono solo il numero
VERBS = {"s": ("insegue", "cerca", "guarda", "annusa"), "p": ("inseguono", "cercano", "guardano", "annusano")}
STEMS = {1: ("affamat-", "golos-"), 4: ("appetitos-", "gustos-")}    # posizione del nome con cui concordano

VOCABULARY = tuple(sorted({"perché", *ENDINGS.values(), *ARTICLES.values(), *itertools.chain(
    *NOUNS.values(), *NEUTRAL.values(), *VERBS.values(), *STEMS.values())}))
EXAMPLE = "la gatta insegue il topo perché affamat-"

FORM = {noun: form for form, nouns in NOUNS.items() for noun in nouns}


@functools.cache
def _places(vocabulary):
    """Il numero di ogni token: si conta una volta sola per vocabolario."""
    return {word: i for i, word in enumerate(vocabulary)}


def split_words(sentence, vocabulary=VOCABULARY):
    """Spezza una frase nei token della mini-lingua: `affamata` diventa `affamat-` e `-a`.

    Args:
        sentence: parole separate da spazi; maiuscole e minuscole si equivalgono.
        vocabulary: i token che si conoscono.

    Returns:
        Una lista di token, tutti in `vocabulary`.

    Raises:
        ValueError: se la frase è vuota o contiene una parola che la mini-lingua non conosce.

    Si usa dal capitolo 1.
    """
    if not isinstance(sentence, str) or not sentence.split():
        raise ValueError(f"Mi aspettavo una frase di almeno una parola, ho trovato {sentence!r}")
    tokens = []
    for word in unicodedata.normalize("NFC", sentence.lower()).split():
        pieces = [word] if word in vocabulary else [word[:-1] + "-", "-" + word[-1]]
        if not all(piece in vocabulary for piece in pieces):
            raise ValueError(f"La mini-lingua non conosce la parola {word!r}; le parole che conosce sono in VOCABULARY")
        tokens += pieces
    return tokens


def encode(tokens, vocabulary=VOCABULARY):
    """Il numero di ciascun token nel vocabolario.

    Args:
        tokens: una lista di token, come la dà `split_words`.
        vocabulary: i token che si conoscono.

    Returns:
        Array di interi, shape (T,).

    Raises:
        ValueError: se un token non è nel vocabolario.

    Si usa dal capitolo 2.
    """
    places = _places(tuple(vocabulary))
    unknown = [token for token in tokens if token not in places]
    if unknown:
        raise ValueError(f"Token fuori dal vocabolario: {', '.join(map(repr, unknown))}")
    return np.array([places[token] for token in tokens], dtype=np.int64)


def determiners(noun):
    """I determinanti che un nome può avere: l'articolo, che dice il genere, poi i neutri."""
    form = FORM[noun]
    return ARTICLES[form], *NEUTRAL[form[1]]


def noun_pairs():
    """Le coppie (soggetto, oggetto), divise fra addestramento e prova.

    Returns:
        Due liste di coppie di nomi. Alla prova va una coppia su cinque, mai vista in addestramento;
        fra queste c'è ("gatta", "topo").

    Si usa nel capitolo 6.
    """
    example = ("gatta", "topo")
    others = [pair for pair in itertools.permutations(FORM, 2) if pair != example]
    random.Random(0).shuffle(others)
    n_test = (len(others) + 1) // 5
    return others[n_test - 1:], [example, *others[:n_test - 1]]


def sample(pairs, rng, *, neutral=0.7):
    """Compone una frase a caso.

    Args:
        pairs: le coppie di nomi fra cui scegliere.
        rng: un `random.Random`.
        neutral: la probabilità che un determinante nasconda il genere.

    Returns:
        La coppia (token, posizione): gli otto token, finale compreso, e il posto del nome con cui il
        finale concorda, 1 o 4.

    Si usa nel capitolo 6.
    """
    subject, object_ = rng.choice(pairs)
    forms = {1: FORM[subject], 4: FORM[object_]}
    determiner = {i: rng.choice(NEUTRAL[form[1]]) if rng.random() < neutral else ARTICLES[form]
                  for i, form in forms.items()}
    agrees = rng.choice((1, 4))
    return [determiner[1], subject, rng.choice(VERBS[forms[1][1]]), determiner[4], object_, "perché",
            rng.choice(STEMS[agrees]), ENDINGS[forms[agrees]]], agrees


def batch(n, pairs, rng):
    """Un blocco di frasi a caso.

    Args:
        n: quante frasi.
        pairs, rng: come in `sample`.

    Returns:
        La coppia (tokens, agrees), array di interi: shape (n, 8) e (n,).
    """
    sentences = [sample(pairs, rng) for _ in range(n)]
    return np.stack([encode(tokens) for tokens, _ in sentences]), np.array([agrees for _, agrees in sentences])


def surprise_floor(pairs, *, neutral=0.7):
    """Quanto resta imprevedibile ogni token, anche per chi conosce la lingua alla perfezione.

    È l'entropia di ogni token dato ciò che lo precede, calcolata su tutte le frasi possibili con le loro
    probabilità: nessun modello onesto può avere una cross-entropy media più bassa.

    Args:
        pairs, neutral: come in `sample`.

    Returns:
        Array (7,), in nat: dal secondo token al finale.

    Fonte:
        Shannon 1948, A Mathematical Theory of Communication. Si usa nel capitolo 6.
    """
    shares = 1 - neutral, neutral / 2, neutral / 2            # l'articolo, e i due neutri
    prefixes = [collections.Counter() for _ in range(8)]      # la probabilità di ogni inizio di frase, per lunghezza
    for subject, object_ in pairs:
        forms = {1: FORM[subject], 4: FORM[object_]}
        endings = [(stem, ENDINGS[forms[place]]) for place, stems in STEMS.items() for stem in stems]
        first_words, second_words = (list(zip(determiners(noun), shares)) for noun in (subject, object_))
        choices = itertools.product(first_words, VERBS[forms[1][1]], second_words, endings)
        for (first, p), verb, (second, q), (stem, ending) in choices:
            sentence = first, subject, verb, second, object_, "perché", stem, ending
            for length in range(8):
                prefixes[length][sentence[:length + 1]] += p * q / (len(pairs) * 4 * len(endings))
    entropies = [-sum(p * math.log(p) for p in prefix.values() if p) for prefix in prefixes]
    return np.diff(entropies)
