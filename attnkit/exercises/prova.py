"""La prova che un esercizio mantiene ciò che promette; la usano i test di ogni capitolo."""

from itertools import combinations

from attnkit.exercises.confronto import compare
from attnkit.exercises.motore import expected_outcomes, judge, make_inputs
from attnkit.exercises.risposta import agrees


def autoverifica(exercise, *, seeds=range(3)):
    """Controlla che il riferimento passi e che ogni errore tipico sia riconosciuto, con la sua spiegazione.

    Args:
        exercise: l'`Exercise`.
        seeds: i semi degli ingressi su cui provare.

    Raises:
        AssertionError: se qualcosa non torna; il messaggio dice che cosa e con quale seme.
    """
    for seed in seeds:
        where = f"esercizio {exercise.id}, seme {seed}"
        inputs = make_inputs(exercise, seed)
        _check(len(inputs) > 0, f"{where}: nessun ingresso")
        _check(all(isinstance(args, tuple) for args in inputs), f"{where}: un ingresso non è una tupla")
        _check_reference(exercise, inputs, seed, where)
        _check_misconceptions(exercise, inputs, seed, where)


def _check(condition, message):
    if not condition:       # non `assert`: deve valere anche con python -O
        raise AssertionError(message)


def _check_reference(exercise, inputs, seed, where):
    result = judge(exercise, exercise.reference, seed=seed)
    _check(result.passed, f"{where}: il riferimento non passa.\n{result}")
    reference = expected_outcomes(exercise, exercise.reference, inputs)
    for args, outcome in zip(inputs, reference, strict=True):
        for name, holds in exercise.properties:
            text = holds(args, outcome.value)
            _check(text is None, f"{where}: il riferimento viola la proprietà «{name}»: {text}")


def _check_misconceptions(exercise, inputs, seed, where):
    def matches(expected, got):
        return compare(expected, got, exercise.rtol, exercise.atol) is None

    for misconception in exercise.misconceptions:
        result = judge(exercise, misconception.wrong, seed=seed)
        named = f"{where}: l'errore «{misconception.name}»"
        _check(result.status == "sbagliato", f"{named} risulta {result.status}")
        found = f"«{result.misconception}»" if result.misconception else "nessun errore noto"
        _check(result.misconception == misconception.name, f"{named} viene riconosciuto come {found}")
        _check(misconception.explanation in result.message, f"{named} arriva senza la sua spiegazione")
    outcomes = [expected_outcomes(exercise, item.wrong, inputs) for item in exercise.misconceptions]
    for (one, left), (other, right) in combinations(zip(exercise.misconceptions, outcomes, strict=True), 2):
        _check(not agrees(left, right, matches), f"{where}: «{one.name}» e «{other.name}» non si distinguono")
