"""Chi può guardare chi: maschere booleane (T, T), con True = visibile.

Una maschera è un predicato con un nome: l'elemento (i, j) dice se la query in posizione i vede la key
in posizione j. Tutte le maschere di questo modulo sono causali: nessuno vede il futuro, e ognuno vede
almeno sé stesso. Il numero di coppie visibili, `edges`, misura il lavoro da fare.

Si costruiscono nei capitoli 3 (causale) e 8 (tutte le altre).
"""

import numpy as np

from attnkit.shapes import positive_int


def causal(T):
    """Ogni token vede sé stesso e tutti quelli che lo precedono.

    Args:
        T: quanti token.

    Returns:
        Booleani (T, T): T·(T + 1)/2 coppie visibili.

    Raises:
        ValueError: se T non è un intero positivo.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, §3.2.3. Si costruisce nel capitolo 3.
    """
    i, j = _positions(T)
    return j <= i


def sliding_window(T, window):
    """Ogni token vede esattamente gli ultimi `window` token, sé stesso compreso.

    Args:
        T: quanti token.
        window: quante key vede ciascuno; i primi token ne hanno meno. Se è T o più, è la causale.

    Returns:
        Booleani (T, T).

    Raises:
        ValueError: se T o `window` non sono interi positivi.

    Fonte:
        Beltagy et al. 2020, arXiv 2004.05150, §3.1. Si costruisce nel capitolo 8.
    """
    i, j = _positions(T)
    return (j <= i) & (i - j < positive_int("window", window))


def block_local(T, block):
    """La sequenza è tagliata in blocchi: ogni token vede il passato del proprio blocco, e basta.

    Args:
        T: quanti token.
        block: la lunghezza di un blocco; l'ultimo può essere più corto.

    Returns:
        Booleani (T, T).

    Raises:
        ValueError: se T o `block` non sono interi positivi.

    Fonte:
        Child et al. 2019, arXiv 1904.10509, §4.3, il primo insieme dello schema fixed. Si costruisce nel capitolo 8.
    """
    i, j = _positions(T)
    block = min(positive_int("block", block), T)               # più lungo della frase è la frase
    return (j <= i) & (j // block == i // block)


def strided(T, stride):
    """Gli ultimi `stride` token, sé stesso compreso, più un token ogni `stride` fino all'inizio.

    Args:
        T: quanti token.
        stride: il passo; le distanze 0, stride, 2·stride… si contano da chi guarda.

    Returns:
        Booleani (T, T).

    Raises:
        ValueError: se T o `stride` non sono interi positivi.

    Fonte:
        Child et al. 2019, arXiv 1904.10509, §4.3. Si costruisce nel capitolo 8.
    """
    i, j = _positions(T)
    stride = min(positive_int("stride", stride), T)
    return (j <= i) & ((i - j < stride) | ((i - j) % stride == 0))


def fixed(T, stride, summary=1):
    """Il proprio blocco, più le ultime `summary` colonne di ogni blocco precedente, che lo riassumono.

    Args:
        T: quanti token.
        stride: la lunghezza di un blocco.
        summary: quante colonne riassumono un blocco, da 1 a `stride`.

    Returns:
        Booleani (T, T).

    Raises:
        ValueError: se T, `stride` o `summary` non sono interi positivi, o se `summary` supera `stride`.

    Fonte:
        Child et al. 2019, arXiv 1904.10509, §4.3. Si costruisce nel capitolo 8.
    """
    i, j = _positions(T)
    stride, summary = positive_int("stride", stride), positive_int("summary", summary)
    if summary > stride:
        raise ValueError(f"summary={summary} supera stride={stride}: un blocco non ha tante colonne")
    stride, summary = min(stride, T), min(summary, T)
    return (j <= i) & ((j // stride == i // stride) | (j % stride >= stride - summary))


def edges(mask):
    """Conta le coppie visibili di una maschera.

    Args:
        mask: booleani, shape qualsiasi.

    Returns:
        Un intero.

    Raises:
        ValueError: se la maschera non è booleana.
    """
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise ValueError(f"mask: mi aspettavo booleani, ho trovato elementi di tipo {mask.dtype}")
    return int(np.count_nonzero(mask))


def _positions(T):
    """Le posizioni di chi guarda, in colonna, e di chi è guardato, in riga."""
    positions = np.arange(positive_int("T", T))
    return positions[:, None], positions[None, :]
