"""Far girare il codice di chi studia senza che possa fare danni.

Una risposta può non finire mai, stampare all'infinito, chiamare `sys.exit`, avvisare di un overflow a ogni
riga. Qui gira in un thread a parte, con un tempo massimo: le sue stampe finiscono in un quaderno di poche
pagine, gli avvisi tacciono, i generatori di numeri casuali di chi legge restano dov'erano.

Nessun sistema sa uccidere un thread dall'esterno. Python però sa farvi comparire un'eccezione
(`PyThreadState_SetAsyncExc`), e la nostra rinasce ogni volta che qualcuno la cattura: un `except:` nudo
dentro un ciclo infinito la rimanda di un istante, non di più.
"""

import _thread
import contextlib
import contextvars
import ctypes
import functools
import random
import sys
import threading
import time
import warnings
from dataclasses import dataclass

import numpy as np

TIME_LIMIT = 4.0        # secondi per tutte le chiamate insieme: con l'attesa finale si resta sotto i cinque
LAST_WORDS = 0.5        # secondi concessi al thread fermato per sparire
PRINT_LIMIT = 4_000     # caratteri stampati che si conservano: il resto si conta soltanto

# Un prototipo nostro: cambiare quello condiviso di ctypes.pythonapi disturberebbe altre librerie.
_raise_in_thread = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class Stopped(SystemExit):
    """L'eccezione che ferma una risposta. È una SystemExit perché così il thread muore in silenzio."""


@dataclass(frozen=True)
class Run:
    """Che cosa è successo: il risultato (None se fermata), se ha finito, che cosa ha stampato."""

    result: object
    finished: bool
    printed: str
    printed_lines: int


class _Notebook:
    """Raccoglie le stampe, fino a un limite."""

    def __init__(self):
        self.text = ""
        self.lines = 0

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.text += text[: PRINT_LIMIT - len(self.text)]
        self.lines += text.count("\n")
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass

    def isatty(self):
        return False


_current = threading.local()    # .notebook esiste solo nei thread delle risposte


class _Switch:
    """Sta al posto di sys.stdout: ai thread delle risposte dà il loro quaderno, agli altri l'originale."""

    def __init__(self, original):
        self.original = original

    def __getattr__(self, name):
        return getattr(getattr(_current, "notebook", self.original), name)


_abandoned = []     # i lucchetti dei thread fermati ma ancora chiusi in una chiamata esterna, come time.sleep


@contextlib.contextmanager
def _diverted_streams():
    """Devia stdout e stderr; li rimette a posto appena nessuna risposta abbandonata può più scriverci."""
    for name in ("stdout", "stderr"):
        if not isinstance(getattr(sys, name), _Switch):
            setattr(sys, name, _Switch(getattr(sys, name)))
    try:
        yield
    finally:
        _abandoned[:] = [ended for ended in _abandoned if not ended.acquire(blocking=False)]
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, _Switch) and not _abandoned:
                setattr(sys, name, stream.original)


@contextlib.contextmanager
def _kept_randomness():
    """Fissa il caso per la risposta, così il messaggio non cambia, e restituisce a chi legge il proprio."""
    torch = sys.modules.get("torch")
    generator = getattr(torch, "default_generator", None)     # assente se torch si sta ancora caricando
    python, numpy = random.getstate(), np.random.get_state()
    theirs = generator.get_state() if generator is not None else None
    try:
        random.seed(0)
        with contextlib.suppress(TypeError, ValueError):       # generatore globale sostituito: pazienza
            np.random.seed(0)
        if generator is not None:
            generator.manual_seed(0)
        yield
    finally:
        random.setstate(python)
        with contextlib.suppress(TypeError, ValueError):
            np.random.set_state(numpy)
        if generator is not None:
            generator.set_state(theirs)


@contextlib.contextmanager
def quiet():
    """Nessun avviso, né di Python né di NumPy."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _stop(thread_id):
    """Solleva nel thread un'eccezione che rinasce ogni volta che viene catturata."""
    exception = type("Stopped", (Stopped,), {})
    again = functools.partial(_raise_in_thread, ctypes.c_ulong(thread_id), ctypes.py_object(exception))
    # Chi cattura l'eccezione deve prima costruirla: in quel momento se ne mette in coda un'altra uguale.
    # È tutto codice C: un __init__ scritto in Python verrebbe interrotto a sua volta, senza fine.
    exception.__init__ = staticmethod(again)
    again()


def run(work, *, seconds=TIME_LIMIT):
    """Esegue `work()` in un thread a parte, per al massimo `seconds` secondi.

    Args:
        work: funzione senza argomenti. Le sue eccezioni deve gestirle da sé, lasciando passare `Stopped`.
        seconds: il tempo massimo.

    Returns:
        Un `Run`.

    Raises:
        KeyboardInterrupt: se a interrompere è chi legge; la risposta viene fermata.
    """
    notebook = _Notebook()
    ended = _thread.allocate_lock()
    ended.acquire()
    results = []
    context = contextvars.copy_context()

    def body():
        try:
            _current.notebook = notebook
            with np.errstate(all="ignore"):
                results.append(context.run(work))
        finally:
            ended.release()

    with quiet(), _kept_randomness(), _diverted_streams():
        # Un thread grezzo: quelli di `threading` hanno codice Python proprio, e l'eccezione lo romperebbe.
        thread_id = _thread.start_new_thread(body, ())
        finished = False
        try:
            finished = _wait(ended, seconds)
        finally:
            if not finished:
                _stop(thread_id)
                if not _wait(ended, LAST_WORDS):
                    _abandoned.append(ended)
    result = results[0] if finished and results else None
    return Run(result, finished and bool(results), notebook.text, notebook.lines)


def _wait(ended, seconds):
    """Aspetta a piccoli passi: su Windows un'attesa intera non si lascia interrompere da Ctrl-C."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if ended.acquire(timeout=min(left, 0.05)):
            return True
    return False
