"""Confrontare una risposta con quella attesa, e dire in che cosa è diversa."""

import re
from dataclasses import dataclass

import numpy as np

from attnkit.exercises.mostra import describe
from attnkit.exercises.valori import Opaque, as_numbers, simplify

_YES_NO = {"vero": True, "true": True, "si": True, "falso": False, "false": False, "no": False}


@dataclass(frozen=True)
class Difference:
    """La prima cosa che non torna.

    Args:
        kind: "tipo", "forma" o "valori".
        text: che cosa non torna, senza rivelare i valori attesi.
        where: in quale parte della risposta; vuoto se è una sola.
        expected: la parte attesa.
        got: la parte ottenuta.
    """

    kind: str
    text: str
    where: str = ""
    expected: object = None
    got: object = None


def compare(expected, got, rtol, atol, where=""):
    """La prima differenza fra due valori ridotti da `plain`, oppure None se dicono la stessa cosa."""
    if isinstance(got, Opaque):
        text = f"Mi aspettavo {describe(expected)}, ho trovato {got.what}. {got.hint}".strip()
        return Difference("tipo", text, where)
    if isinstance(expected, dict):
        return _compare_dicts(expected, got, rtol, atol, where)
    if isinstance(expected, list):
        return _compare_lists(expected, got, rtol, atol, where)
    if isinstance(expected, np.ndarray):
        return _compare_arrays(expected, got, rtol, atol, where)
    if isinstance(expected, str) and isinstance(got, str):
        right = simplify(expected) == simplify(got)
        return None if right else Difference("valori", "La risposta non è quella.", where, expected, got)
    if isinstance(expected, str) and simplify(expected) in _YES_NO and _is_flag(got):
        right = _YES_NO[simplify(expected)] == bool(got)
        return None if right else Difference("valori", "La risposta non è quella.", where, expected, got)
    return None if expected is got else _wrong_type(expected, got, where)


def _is_flag(value):
    return isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind == "b"


def _wrong_type(expected, got, where):
    hint = ""
    if got is None:
        hint = " Forse manca il `return`: senza, una funzione restituisce None."
    return Difference("tipo", f"Mi aspettavo {describe(expected)}, ho trovato {describe(got)}.{hint}", where)


def _join(where, part):
    return f"{where}, {part}" if where else part


def _compare_dicts(expected, got, rtol, atol, where):
    if not isinstance(got, dict):
        return _wrong_type(expected, got, where)
    ours = {simplify(key): key for key in expected}
    theirs = {simplify(key): key for key in got}
    missing = [key for simple, key in ours.items() if simple not in theirs]
    extra = [key for simple, key in theirs.items() if simple not in ours]
    if missing or extra:
        absent = "manca la voce" if len(missing) == 1 else "mancano le voci"
        parts = [f"{absent} {_quoted(missing)}"] if missing else []
        parts += [f"non conosco {_quoted(extra)}"] if extra else []
        return Difference("tipo", f"Nel dizionario {' e '.join(parts)}.", where)
    wrong = {}
    for simple, key in ours.items():
        part = _join(where, f"alla voce «{key}»")
        difference = compare(expected[key], got[theirs[simple]], rtol, atol, part)
        if difference:
            wrong[key] = difference
    if not wrong:
        return None
    first = next(iter(wrong.values()))
    if len(expected) == 1:
        return first
    right = [key for key in expected if key not in wrong]
    summary = f"Da rivedere: {_quoted(wrong)}. " + (f"Giuste: {_quoted(right)}. " if right else "")
    return Difference(first.kind, summary + first.text, first.where, first.expected, first.got)


def count_right(expected, got, rtol, atol):
    """Quante voci di un dizionario sono giuste: dirlo non rivela quali."""
    theirs = {simplify(key): value for key, value in got.items()}
    return sum(compare(value, theirs[simplify(key)], rtol, atol) is None for key, value in expected.items())


def _quoted(keys):
    return ", ".join(f"«{key[:40]}»" for key in list(keys)[:12])


def _compare_lists(expected, got, rtol, atol, where):
    if _holds_only_numbers(expected):       # una shape: lista, tupla, torch.Size o array fa lo stesso
        numbers = as_numbers(expected)
        got = _read_numbers(got, expected)
        several = isinstance(got, list) or (isinstance(got, np.ndarray) and got.ndim)
        if numbers is not None and several and not _holds_text(got):
            return _compare_arrays(numbers, got, rtol, atol, where)
    if isinstance(got, np.ndarray) and got.ndim:
        got = list(got)
    if not isinstance(got, list):
        return _wrong_type(expected, got, where)
    if len(got) != len(expected):
        return Difference("forma", f"Mi aspettavo {describe(expected)}, ho trovato {describe(got)}.", where)
    for number, (left, right) in enumerate(zip(expected, got, strict=True), start=1):
        difference = compare(left, right, rtol, atol, _join(where, f"nell'elemento {number}"))
        if difference:
            return difference
    return None


def _holds_only_numbers(value):
    if isinstance(value, list):
        return all(map(_holds_only_numbers, value))
    return isinstance(value, np.ndarray) and value.ndim == 0


def _compare_arrays(expected, got, rtol, atol, where):
    got = _read_numbers(got, expected)
    if isinstance(got, list):
        numbers = as_numbers(got)
        if numbers is None:
            text = f"Mi aspettavo {describe(expected)}, ho trovato {describe(got)} che non formano un array."
            return Difference("tipo", text, where)
        got = numbers
    if not isinstance(got, np.ndarray):
        return _wrong_type(expected, got, where)
    if got.shape != expected.shape:
        return Difference("forma", _shape_text(expected, got), where, expected, got)
    if got.dtype.kind == "c" and expected.dtype.kind != "c":
        if np.abs(got.imag).max(initial=0) > atol:
            return Difference("tipo", "Mi aspettavo numeri reali, ho trovato numeri complessi.", where)
        got = got.real
    if close(expected, got, rtol, atol).all():
        return None
    return Difference("valori", "I valori non tornano.", where, expected, got)


def _holds_text(value):
    """Vero se dentro una lista, o una lista di liste, c'è un testo."""
    return isinstance(value, list) and any(isinstance(item, str) or _holds_text(item) for item in value)


def _read_numbers(got, expected):
    """La risposta, in cui ogni testo che dice un numero, dove se ne aspettava uno, è diventato quel numero."""
    single = not isinstance(expected, list) and expected.ndim == 0
    if isinstance(got, str) and single:
        return _read_number(got, expected)
    if single or not _holds_text(got) or len(got) != len(expected):
        return got
    return [_read_numbers(item, part) for item, part in zip(got, expected, strict=True)]


def _read_number(text, expected):
    """Il numero (o il vero e falso) che un testo dice, alla maniera italiana o a quella inglese."""
    simple = simplify(text).removesuffix("%").rstrip()      # «57 %» è 57
    if expected.dtype.kind == "b":
        return np.asarray(_YES_NO[simple]) if simple in _YES_NO else text
    try:
        if expected.dtype.kind in "iu":         # 8.030.261.248, con i punti delle migliaia
            return np.asarray(int(re.sub(r"[.\s]", "", simple)), dtype=np.int64)
        return np.asarray(float(simple.replace(",", ".")))
    except (ValueError, OverflowError):
        return text


def _shape_text(expected, got):
    if expected.ndim == got.ndim == 1:
        return f"Mi aspettavo {expected.size} numeri, ne ho trovati {got.size}."
    text = f"Mi aspettavo {describe(expected)}, ho trovato {describe(got)}."
    if got.ndim == expected.ndim > 1 and got.shape == expected.shape[::-1]:
        return text + " Gli assi sono in ordine inverso: forse manca una trasposta, o ce n'è una di troppo."
    if got.size == expected.size and [n for n in got.shape if n > 1] == [n for n in expected.shape if n > 1]:
        return text + " C'è un asse lungo 1 di troppo, o di meno."
    if got.size == expected.size:
        return text + " Gli elementi sono tanti quanti ne servono: è l'ordine degli assi a essere diverso."
    return text


def close(expected, got, rtol, atol):
    """Dove due array della stessa shape coincidono, entro la tolleranza; gli interi devono essere uguali."""
    if expected.dtype.kind in "biu":
        if got.dtype.kind in "biu":
            return np.asarray(expected == got)
        rtol = atol = 1e-6 if got.dtype.itemsize <= 4 else 1e-12
    wide = np.complex128 if "c" in (expected.dtype.kind, got.dtype.kind) else np.float64
    with np.errstate(all="ignore"):
        return np.isclose(got.astype(wide), expected.astype(wide), rtol=rtol, atol=atol, equal_nan=True)


def clue(difference):
    """Un indizio su come i valori differiscono; testo vuoto se non ce n'è uno chiaro."""
    expected, got = difference.expected, difference.got
    if not (isinstance(expected, np.ndarray) and isinstance(got, np.ndarray)) or expected.shape != got.shape:
        return ""
    if expected.dtype.kind not in "fiu" or got.dtype.kind not in "fiu":
        return ""
    expected, got = expected.astype(float), got.astype(float)
    if (np.isnan(got) & ~np.isnan(expected)).any():
        return "Ci sono dei NaN: di solito vengono da 0/0, da ∞ − ∞ o dalla radice di un numero negativo."
    if (np.isinf(got) & ~np.isinf(expected)).any():
        return "Ci sono degli infiniti: di solito li fa un esponenziale troppo grande, o una divisione per 0."
    finite = np.isfinite(expected)
    if (np.isinf(expected) & ~np.isinf(got)).any():
        return "Dove mi aspettavo un infinito c'è un numero finito."
    left, right = expected[finite], got[finite]
    if left.size < 3 or np.ptp(left) < 1e-6:
        return ""
    return _clue_from_numbers(expected, got, left, right)


_NEARLY = "Ci sei quasi, ma non del tutto: cerca una costante appena diversa, o una precisione troppo bassa."


def _italian(number):
    return f"{number:.4g}".replace(".", ",")


def _clue_from_numbers(expected, got, left, right):
    scale = np.abs(left).max()
    if expected.ndim == 2 and expected.shape == expected.T.shape and np.allclose(got, expected.T, rtol=1e-4):
        return "È la trasposta di quello atteso: righe e colonne sono scambiate."
    factor = right @ left / (left @ left)
    if np.allclose(right, factor * left, rtol=1e-4, atol=1e-6 * scale) and abs(factor) > 1e-6:
        if abs(factor - 1) < 0.02:
            return _NEARLY
        return f"Ogni numero è quello atteso moltiplicato per {_italian(factor)}."
    shift = (right - left).mean()
    if np.allclose(right, left + shift, rtol=1e-4, atol=1e-6 * scale):
        return f"Ogni numero è quello atteso più {_italian(shift)}."
    if np.allclose(np.sort(left), np.sort(right), rtol=1e-4, atol=1e-6 * scale):
        return "I numeri sono quelli giusti, ma in un altro ordine."
    if np.allclose(right, left, rtol=0.02, atol=1e-6 * scale):
        return _NEARLY
    return ""


def low_precision(expected, got):
    """Vero se `got` sarebbe giusto, a parte la precisione dei suoi float16."""
    if isinstance(expected, dict) and isinstance(got, dict):
        got = [got.get(key) for key in expected]
        expected = list(expected.values())
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        halves = [low_precision(left, right) for left, right in zip(expected, got, strict=True)]
        rest = [compare(left, right, 1e-2, 1e-2) is None for left, right in zip(expected, got, strict=True)]
        return any(halves) and all(rest)
    if not isinstance(got, np.ndarray) or got.dtype != np.float16:
        return False
    return compare(expected, got, 1e-2, 1e-2) is None
