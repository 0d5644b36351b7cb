"""Ridurre qualunque risposta a poche forme semplici, che si confrontano senza sorprese.

Una risposta può essere un array, un tensor di torch su un altro dispositivo, una lista, un oggetto che
solleva un'eccezione appena lo si guarda. `plain` la riduce a: array di numeri o di booleani, testo, lista,
dizionario, None, Ellipsis; oppure `Opaque`, che dice a parole che cos'era.
"""

import numbers
import sys
import types
import unicodedata
from dataclasses import dataclass

import numpy as np

from attnkit.exercises.esecuzione import Stopped

MAX_DEPTH = 12              # le liste che contengono sé stesse si fermano qui
MAX_ITEMS = 100_000         # elementi di una lista, in tutto
MAX_ELEMENTS = 5_000_000    # di un array più grande si conserva solo la forma


@dataclass(frozen=True)
class Opaque:
    """Qualcosa che non si può confrontare: che cos'è, e forse come rimediare."""

    what: str
    hint: str = ""


def plain(value):
    """Riduce `value` a una forma semplice; i dati sono copiati.

    Returns:
        Un array di NumPy (numeri o booleani, anche senza assi), str, list, dict, None, Ellipsis o `Opaque`.
    """
    try:
        return _plain(value, 0, [MAX_ITEMS])
    except Stopped:
        raise
    except MemoryError:
        return Opaque("un oggetto troppo grande per la memoria")
    except BaseException:       # un oggetto ostile può sollevare qualunque cosa, anche SystemExit
        return Opaque(f"un oggetto di tipo {type_name(value)} che non si lascia leggere")


def type_name(value):
    return str(type.__getattribute__(type(value), "__name__"))


def _plain(value, depth, budget):
    budget[0] -= len(value) if isinstance(value, (list, tuple, range, dict)) else 1
    if budget[0] < 0:
        return Opaque(f"una raccolta con più di {MAX_ITEMS} elementi")
    if depth > MAX_DEPTH:
        return Opaque("una struttura annidata senza fine")
    if value is None or value is Ellipsis:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bool, np.generic, np.ndarray)):
        return _from_array(np.asarray(value), depth, budget)
    if isinstance(value, numbers.Number):
        return _from_number(value)
    if _is_tensor(value):
        return _from_tensor(value, depth, budget)
    if isinstance(value, (list, tuple, range)):
        return [_plain(item, depth + 1, budget) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1, budget) for key, item in value.items()}
    return _from_object(value, depth, budget)


def _from_number(value):
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":         # interi enormi, frazioni, decimali
        try:
            array = np.asarray(float(value))
        except OverflowError:
            return Opaque("un intero con troppe cifre")
    return array


def _from_array(array, depth, budget):
    if array.dtype.kind in "biufc":
        if array.size > MAX_ELEMENTS:
            return np.broadcast_to(np.nan, array.shape)
        return np.array(array, order="C", subok=False)
    if array.dtype.kind in "USO" and array.size <= MAX_ITEMS:
        return _plain(array.tolist(), depth + 1, budget)
    return Opaque(f"un array con elementi di tipo {array.dtype}")


def _is_tensor(value):
    torch = sys.modules.get("torch")
    tensor = getattr(torch, "Tensor", None)     # assente se torch si sta ancora caricando
    return tensor is not None and isinstance(value, tensor)


def _from_tensor(tensor, depth, budget):
    if tensor.numel() > MAX_ELEMENTS:
        return np.broadcast_to(np.nan, tuple(tensor.shape))
    tensor = tensor.detach()
    if tensor.layout is not sys.modules["torch"].strided:
        tensor = tensor.to_dense()
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if str(tensor.dtype) == "torch.bfloat16":   # NumPy non lo conosce
        tensor = tensor.float()
    return _from_array(tensor.numpy(), depth, budget)


def _from_object(value, depth, budget):
    hint = ""
    if isinstance(value, (types.GeneratorType, map, zip, filter, enumerate)):
        hint = "Produce un elemento per volta: restituisci una lista o un array. " \
               "Se hai scritto `yield`, qui serve `return`."
    elif isinstance(value, type) or callable(value):
        hint = "Forse mancano le parentesi che la chiamano."
    elif isinstance(value, (set, frozenset)):
        hint = "Un insieme non ha un ordine, e qui l'ordine (o il nome di ogni voce) conta."
    elif isinstance(value, types.CoroutineType):
        value.close()
    elif hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind != "O":
            return _from_array(array, depth, budget)
    return Opaque(_describe_object(value), hint)


_ITALIAN = {"generator": "un generatore", "map": "un map", "zip": "uno zip", "function": "una funzione",
            "builtin_function_or_method": "una funzione", "method": "un metodo", "set": "un insieme",
            "frozenset": "un insieme", "type": "una classe", "coroutine": "una coroutine"}


def _describe_object(value):
    name = type_name(value)
    return _ITALIAN.get(name, f"un oggetto di tipo {name}")


def as_numbers(value):
    """L'array che una lista (anche annidata) di numeri rappresenta; None se non è un array regolare."""
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, list):
        return None
    rows = [as_numbers(item) for item in value]
    if any(row is None for row in rows) or len({row.shape for row in rows}) > 1:
        return None
    return np.stack(rows) if rows else np.empty(0)


def simplify(text):
    """Un testo senza differenze che non contano: maiuscole, accenti, spazi, punteggiatura ai bordi."""
    letters = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(bare.casefold().split()).strip(" .,;:!?\"'`«»“”‘’()[]-")


def unwritten(value):
    """Vero se nella risposta (già ridotta) resta un posto vuoto: i puntini, o una voce senza valore."""
    if isinstance(value, dict):
        return any(item is None or item == "" or unwritten(item) for item in value.values()
                   if not isinstance(item, np.ndarray))
    if isinstance(value, list):
        return any(map(unwritten, value))
    return value is Ellipsis


def same(left, right):
    """Uguaglianza esatta fra due valori già ridotti."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        equal_nan = left.dtype.kind in "fc" and right.dtype.kind in "fc"
        return left.shape == right.shape and np.array_equal(left, right, equal_nan=equal_nan)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right
