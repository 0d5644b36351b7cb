"""Dire e mostrare un valore già ridotto, in poche righe."""

import textwrap

import numpy as np

from attnkit.exercises.valori import Opaque, as_numbers


def describe(value):
    """Dice in italiano che cos'è un valore già ridotto, senza mostrarlo."""
    if value is None:
        return "None"
    if value is Ellipsis:
        return "i puntini `...`"
    if isinstance(value, Opaque):
        return value.what
    if isinstance(value, str):
        return "un testo"
    if isinstance(value, dict):
        return "un dizionario"
    if isinstance(value, list):
        return f"una sequenza di {len(value)} element{'o' if len(value) == 1 else 'i'}"
    if value.ndim == 0:
        return "un valore vero o falso" if value.dtype.kind == "b" else "un numero"
    return f"un array di shape {shape_text(value.shape)}"


def shape_text(shape):
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def show(expected, got=None, *, label_shape=True):
    """Mostra un valore in poche righe, o due con le stesse cifre: quante ne servono a distinguerli."""
    digits = 3
    pair = [item for item in (expected, got) if isinstance(item, np.ndarray) and item.dtype.kind in "fc"]
    if len(pair) == 2 and np.array_equal(*(np.round(item, digits) for item in pair), equal_nan=True):
        digits = 8      # con tre cifre sembrerebbero uguali
    if got is None:
        return _show_one(expected, digits, label_shape)
    return _show_one(expected, digits, label_shape), _show_one(got, digits, label_shape)


def _show_one(value, digits, label_shape):
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            item = value.item()
            return f"{item + 0:.{digits}f}" if isinstance(item, (float, complex)) else str(item)
        if value.size > 60:
            return f"array di shape {shape_text(value.shape)}"
        shown = np.round(value, digits) + 0.0 if value.dtype.kind in "fc" else value     # + 0.0: mai «-0.»
        body = np.array2string(
            shown, precision=digits, suppress_small=True, floatmode="fixed", max_line_width=76
        )
        if not label_shape:
            return body
        return f"array di shape {shape_text(value.shape)}\n" + textwrap.indent(body, "  ")
    if isinstance(value, str):
        return f"«{' '.join(value.split())[:60]}»"
    if isinstance(value, list):
        numbers = as_numbers(value)
        if numbers is not None and numbers.ndim == 1 and numbers.size <= 12:
            return "(" + ", ".join(_show_one(np.asarray(item), digits, False) for item in numbers) + ")"
    return describe(value)
