"""Il glossario delle dimensioni e i controlli sugli ingressi.

In tutto il corso ogni lettera ha un solo significato:

====  =============================================================
B     batch: quante sequenze insieme
T     token della sequenza (Tq quelli che guardano, Tk quelli guardati)
D     d_model: la larghezza del vettore che attraversa il modello
Hq    head delle query
Hkv   head di key e value
G     query head per ogni head di key e value: G = Hq / Hkv
Dh    head_dim: la larghezza di una head
Dv    la larghezza dei value
F     la larghezza interna della rete feed-forward
L     layer
W     finestra: quante key vede un token, sé stesso compreso
P     dispositivi dell'anello
====  =============================================================

I controlli leggono anche i valori (un NaN si scopre qui, non tre celle dopo): per questo li usa il
codice da leggere, e non quello veloce.
"""

import math
import operator

import numpy as np


def as_array(name, value, *, ndim=None, min_ndim=None, finite=True):
    """Restituisce `value` come array float64, dopo averlo controllato.

    Args:
        name: il nome da scrivere nel messaggio d'errore.
        value: array, lista o scalare di numeri reali.
        ndim: il numero esatto di assi, se importa.
        min_ndim: il numero minimo di assi, se importa.
        finite: se vero, NaN e infiniti sono un errore.

    Returns:
        Un array float64, mai più stretto di `value`.

    Raises:
        ValueError: se `value` non è fatto di numeri reali, ha un altro numero di assi, ha un asse
            vuoto o contiene NaN o infiniti.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: mi aspettavo un array di numeri, con righe tutte lunghe uguali") from error
    except (TypeError, RuntimeError) as error:                 # un tensore torch con i gradienti, o di un tipo che NumPy non ha
        raise ValueError(f"{name}: mi aspettavo numeri reali, ho trovato {type(value).__name__}, che NumPy non legge: {error}") from error
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{name}: mi aspettavo un array senza maschera")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: mi aspettavo numeri reali, ho trovato elementi di tipo {array.dtype}")
    if array.dtype.itemsize > 8:
        raise ValueError(f"{name}: {array.dtype} perderebbe cifre in float64; convertilo tu, se va bene")
    result = array.astype(np.float64)
    if array.dtype.kind in "iu" and not (result.astype(array.dtype) == array).all():
        raise ValueError(f"{name}: contiene interi che float64 non rappresenta esattamente (oltre 2**53)")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name}: mi aspettavo {ndim} assi, ne ho trovati {array.ndim} (shape {array.shape})")
    if min_ndim is not None and array.ndim < min_ndim:
        raise ValueError(f"{name}: mi aspettavo almeno {min_ndim} assi, ne ho trovati {array.ndim} (shape {array.shape})")
    if array.size == 0:
        raise ValueError(f"{name}: mi aspettavo almeno un elemento per asse, ho trovato shape {array.shape}")
    if finite and not np.isfinite(result).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(result))[0])
        raise ValueError(f"{name}: mi aspettavo numeri finiti, ho trovato {result[where]} in posizione {where}")
    return result


def same_size(first, first_size, second, second_size):
    """Pretende che due dimensioni siano uguali.

    Args:
        first, second: i nomi delle due dimensioni, per il messaggio.
        first_size, second_size: i due valori.

    Raises:
        ValueError: se i due valori sono diversi, con entrambi nel messaggio.
    """
    if first_size != second_size:
        raise ValueError(f"{first} e {second} devono essere uguali: ho trovato {first_size} e {second_size}")


def positive_int(name, value):
    """Restituisce `value` come intero, dopo aver controllato che sia almeno 1.

    Args:
        name: il nome da scrivere nel messaggio d'errore.
        value: un intero, anche di NumPy; i booleani non sono interi.

    Returns:
        Un `int` maggiore o uguale a 1.

    Raises:
        ValueError: se `value` non è un intero o è minore di 1.
    """
    integer = _integer(name, value)
    if integer < 1:
        raise ValueError(f"{name}: mi aspettavo un intero maggiore di zero, ho trovato {integer}")
    return integer


def natural_int(name, value):
    """Come `positive_int`, ma anche zero va bene.

    Raises:
        ValueError: se `value` non è un intero o è negativo.
    """
    integer = _integer(name, value)
    if integer < 0:
        raise ValueError(f"{name}: mi aspettavo zero o un intero maggiore, ho trovato {integer}")
    return integer


def finite_number(name, value):
    """Restituisce `value` come float, dopo aver controllato che sia un numero reale e finito.

    Raises:
        ValueError: se `value` non è un numero reale finito; i booleani non sono numeri.
    """
    number = _float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name}: mi aspettavo un numero finito, ho trovato {value!r}")
    return number


def positive_number(name, value):
    """Restituisce `value` come float, dopo aver controllato che sia finito e positivo.

    Raises:
        ValueError: se `value` non è un numero reale, o non è positivo e finito.
    """
    number = _float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name}: mi aspettavo un numero positivo, ho trovato {value!r}")
    return number


def _float(value):
    """Un numero reale come float; NaN se non lo è, o se un float non lo contiene."""
    if isinstance(value, (bool, np.bool_, np.longdouble)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _integer(name, value):
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: mi aspettavo un intero, ho trovato {value!r}") from None


def divides(part, part_size, whole, whole_size):
    """Pretende che `whole_size` sia un multiplo di `part_size`, e restituisce quante volte ci sta.

    Args:
        part, whole: i nomi delle due dimensioni, per il messaggio.
        part_size, whole_size: i due interi positivi.

    Returns:
        Il quoziente, intero.

    Raises:
        ValueError: se la divisione ha resto, con entrambi i valori nel messaggio.
    """
    if whole_size % part_size:
        raise ValueError(f"{whole}={whole_size} non è divisibile per {part}={part_size}")
    return whole_size // part_size
