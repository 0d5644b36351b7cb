"""Interrogare una risposta: chiamarla su ogni ingresso e annotare che cosa fa.

Tutto ciò che tocca gli oggetti di chi risponde sta qui, e gira nel thread di `esecuzione.run`: chi confronta
vede soltanto valori già ridotti e testi.
"""

import copy
import dis
import inspect
import linecache
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnkit.exercises.esecuzione import Stopped
from attnkit.exercises.spiegazioni import explain
from attnkit.exercises.valori import Opaque, plain, same, type_name

# Le istruzioni di una funzione in cui non c'è ancora scritto niente: una docstring, `...`, `pass`, `return`.
_EMPTY_BODY = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "COPY_FREE_VARS", "MAKE_CELL",
               "LOAD_COMMON_CONSTANT"}
_MESSAGE_LIMIT = 300


@dataclass(frozen=True)
class Failure:
    """Un'eccezione sollevata dalla risposta.

    Args:
        type: il nome dell'eccezione.
        message: il suo testo, accorciato e senza indirizzi di memoria.
        line: il numero di riga nel codice di chi risponde, oppure None.
        code: il testo di quella riga.
        explanation: che cosa vuol dire di solito; vuoto se non lo sappiamo.
        unwritten: vero se la risposta è ancora lo scheletro da completare.
        bad_call: vero se la funzione non accetta gli argomenti dell'esercizio.
    """

    type: str
    message: str
    line: int | None = None
    code: str = ""
    explanation: str = ""
    unwritten: bool = False
    bad_call: bool = False


@dataclass(frozen=True)
class Outcome:
    """Che cosa fa la risposta su un ingresso: un valore ridotto o un'eccezione, e gli argomenti cambiati."""

    value: object = None
    failure: Failure | None = None
    changed: tuple[int, ...] = ()


def interrogate(answer, inputs, seen=None):
    """Chiama la risposta su ogni ingresso.

    Args:
        answer: una funzione, oppure il valore di una domanda senza argomenti.
        inputs: la lista delle tuple di argomenti; la risposta ne riceve una copia.
        seen: lista a cui aggiungere gli esiti via via, perché si sappia dove una risposta si è fermata.

    Returns:
        La lista degli esiti, uno per ingresso.
    """
    outcomes = [] if seen is None else seen
    for args in inputs:
        outcomes.append(_call(answer, args) if callable(answer) else Outcome(plain(answer)))
    return outcomes


def _call(answer, args):
    before = [plain(arg) for arg in args]
    theirs = copy.deepcopy(args)
    try:
        with np.errstate(all="ignore"):
            value = answer(*theirs)
    except Stopped:
        raise
    except BaseException as error:      # anche SystemExit e KeyboardInterrupt: sono la sua risposta
        failure = _failure(error, answer)
        del error
        return Outcome(failure=failure)
    value = plain(value)
    if value is None and _is_empty(answer):
        return Outcome(failure=Failure("NotImplementedError", "", unwritten=True))
    changed = [number for number, arg in enumerate(theirs) if not same(before[number], plain(arg))]
    return Outcome(value, changed=tuple(changed))


def _is_empty(answer):
    code = getattr(answer, "__code__", None)
    return inspect.iscode(code) and all(step.opname in _EMPTY_BODY for step in dis.get_instructions(code))


def _failure(error, answer):
    name = type_name(error)
    try:
        message = " ".join(str(error).split())
    except Stopped:
        raise
    except BaseException:
        message = "(il suo messaggio non si lascia leggere)"
    message = without_addresses(message)
    frames = list(_frames(error.__traceback__))
    if len(message) > _MESSAGE_LIMIT:
        message = message[:_MESSAGE_LIMIT] + "…"
    line, code = _where(frames, answer)
    return Failure(
        type=name,
        message=message,
        line=line,
        code=code,
        explanation=explain([kind.__name__ for kind in type(error).__mro__], message),
        unwritten=isinstance(error, NotImplementedError) and _raised_on_purpose(frames),
        bad_call=isinstance(error, TypeError) and len(frames) == 0 and _refuses_arguments(message),
    )


def _frames(traceback):
    traceback = traceback.tb_next       # il primo è il nostro, quello che chiama la risposta
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _raised_on_purpose(frames):
    """Distingue lo scheletro (`raise NotImplementedError`) da un'operazione che torch non sa fare."""
    if not frames or _is_library(frames[-1].tb_frame.f_code.co_filename):
        return False
    last = frames[-1]
    return dis.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] == "RAISE_VARARGS"


def _refuses_arguments(message):
    return bool(re.search(r"positional argument|(?:required|takes|keyword) .*argument", message))


_LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(module.__file__).parent) for module in (np,)}
    | {str(Path(__file__).parent.parent)}
)


def _is_library(filename):
    return filename.startswith(("<frozen", "<__array_")) or str(Path(filename)).startswith(_LIBRARIES)


def _where(frames, answer):
    """La riga di chi risponde da cui l'eccezione è passata per ultima."""
    own = getattr(getattr(answer, "__code__", None), "co_filename", None)
    for frame in reversed(frames):
        filename = frame.tb_frame.f_code.co_filename
        if filename == own or not _is_library(filename):
            text = linecache.getline(filename, frame.tb_lineno, frame.tb_frame.f_globals).strip()
            return frame.tb_lineno, text
    return None, ""


def without_addresses(text):
    """Toglie gli indirizzi di memoria, che cambiano a ogni esecuzione."""
    return re.sub(r"0x[0-9a-fA-F]+", "0x…", text)


def argument_names(reference):
    """I nomi degli argomenti del riferimento."""
    return list(inspect.signature(reference).parameters)


def agrees(left, right, matches):
    """Vero se due liste di esiti raccontano la stessa cosa, con `matches` a confrontare i valori."""
    return all(_same_outcome(one, other, matches) for one, other in zip(left, right, strict=True))


def _same_outcome(one, other, matches):
    if one.failure or other.failure:
        return bool(one.failure and other.failure) and (
            (one.failure.type, one.failure.message) == (other.failure.type, other.failure.message)
        )
    return not isinstance(other.value, Opaque) and matches(one.value, other.value)
