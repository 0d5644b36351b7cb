"""Gli esercizi del corso e il loro riscontro.

    from attnkit.exercises import check
    check("2.2", la_mia_funzione)

Gli esercizi stanno in un modulo per capitolo, il motore che li giudica negli altri:

============  ===================================================================
esercizio     che cos'è un esercizio
esecuzione    far girare una risposta senza che possa fare danni
risposta      chiamarla su ogni ingresso e annotare che cosa fa
valori        ridurre qualunque uscita a poche forme semplici
mostra        dire e mostrare un valore in poche righe
confronto     confrontarlo con quello atteso
spiegazioni   le eccezioni più comuni, in italiano
motore        il giudizio
riscontro     il messaggio, come testo e come HTML
prova         la prova che un esercizio mantiene ciò che promette
============  ===================================================================
"""

from importlib import import_module

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.exercises.motore import judge
from attnkit.exercises.prova import autoverifica
from attnkit.exercises.riscontro import Result

# `EXERCISES` manca di proposito dai nomi già presenti: si raccoglie alla prima richiesta (vedi in fondo).
__all__ = ["EXERCISES", "Exercise", "Misconception", "Result", "autoverifica", "check", "judge"]

CHAPTERS = ("capitolo01", "capitolo02", "capitolo03", "capitolo04", "capitolo05", "capitolo06", "capitolo07",
            "capitolo08", "capitolo09", "capitolo10", "capitolo11")


def check(exercise_id, answer):
    """Controlla la risposta a un esercizio.

    Args:
        exercise_id: il numero dell'esercizio, per esempio "2.2".
        answer: la tua funzione, oppure il valore che hai trovato se la domanda non ha ingressi.

    Returns:
        Un `Result`: vero se la risposta è giusta, e con il riscontro da leggere.

    Raises:
        ValueError: se l'esercizio non esiste.
    """
    exercises = _exercises()
    if not isinstance(exercise_id, str) or exercise_id not in exercises:
        raise ValueError(f"l'esercizio {exercise_id!r} non esiste; ci sono: {', '.join(exercises)}")
    return judge(exercises[exercise_id], answer)


def collect(chapters):
    """Riunisce gli esercizi dei capitoli in un dizionario, dal numero all'esercizio.

    Args:
        chapters: le tuple di `Exercise`, una per capitolo.

    Raises:
        ValueError: se due esercizi hanno lo stesso numero.
    """
    found = {}
    for exercise in (exercise for chapter in chapters for exercise in chapter):
        if exercise.id in found:
            raise ValueError(
                f"due esercizi con il numero {exercise.id}: «{found[exercise.id].title}» e «{exercise.title}»"
            )
        found[exercise.id] = exercise
    return found


def _exercises():
    if "EXERCISES" not in globals():
        globals()["EXERCISES"] = collect(import_module(f"{__name__}.{name}").EXERCISES for name in CHAPTERS)
    return globals()["EXERCISES"]


def __getattr__(name):
    # I capitoli possono aver bisogno di torch: chi usa solo il motore non li aspetta.
    if name == "EXERCISES":
        return _exercises()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
