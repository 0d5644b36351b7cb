"""Giudicare una risposta: giusta, da completare, oppure sbagliata e perché."""

import textwrap
import zlib

import numpy as np

from attnkit.exercises.confronto import clue, compare, count_right, low_precision
from attnkit.exercises.esecuzione import TIME_LIMIT, quiet, run
from attnkit.exercises.mostra import describe, show
from attnkit.exercises.riscontro import Result, code_block
from attnkit.exercises.risposta import agrees, argument_names, interrogate, without_addresses
from attnkit.exercises.valori import plain, unwritten

MAX_PRINTED_LINES = 6


def judge(exercise, answer, *, seed=0, seconds=TIME_LIMIT):
    """Giudica una risposta a un esercizio.

    Args:
        exercise: l'`Exercise`.
        answer: una funzione, oppure il valore di una domanda senza argomenti.
        seed: il seme degli ingressi; con lo stesso seme il messaggio è sempre lo stesso.
        seconds: il tempo massimo per tutte le chiamate insieme.

    Returns:
        Un `Result`. Nessuna risposta, per quanto sbagliata, solleva un'eccezione.
    """
    if answer is None or answer is Ellipsis:
        return _unwritten(exercise)
    inputs = make_inputs(exercise, seed)
    if _wants_arguments(inputs) and not callable(answer):
        found = describe(run(lambda: plain(answer)).result)
        return _wrong(exercise, [
            f"Mi aspettavo una funzione, ho trovato {found}. "
            "Passa il nome della funzione, senza parentesi: sarà `check` a chiamarla."
        ])
    outcomes = []
    ran = run(lambda: interrogate(answer, inputs, outcomes), seconds=seconds)
    if not ran.finished:
        reached = inputs[min(len(outcomes), len(inputs) - 1)]
        return _wrong(exercise, [
            f"La risposta non ha finito entro {seconds:g} secondi e l'ho fermata: forse c'è un ciclo che non "
            "termina mai. Controlla la condizione che lo ferma, e che a ogni giro qualcosa cambi.",
            *_input_part(exercise, reached),
        ], ran)
    if _is_unwritten(outcomes):
        return _unwritten(exercise)
    return _verdict(exercise, inputs, outcomes, ran)


def make_inputs(exercise, seed=0):
    """Gli ingressi di un esercizio, sempre gli stessi a parità di seme."""
    return list(exercise.inputs(np.random.default_rng([zlib.crc32(exercise.id.encode()), seed])))


def expected_outcomes(exercise, function, inputs):
    """Gli esiti di una funzione nostra (riferimento o errore tipico), calcolati senza sorveglianza."""
    with quiet():
        return interrogate(function, inputs)


def diagnose(exercise, inputs, outcomes, reference):
    """Il primo errore tipico che spiega tutti gli esiti, oppure None."""
    for misconception in exercise.misconceptions:
        wrong = expected_outcomes(exercise, misconception.wrong, inputs)
        if agrees(wrong, outcomes, _matcher(exercise)) and not agrees(reference, wrong, _matcher(exercise)):
            return misconception
    return None


def _matcher(exercise):
    return lambda expected, got: compare(expected, got, exercise.rtol, exercise.atol) is None


def _wants_arguments(inputs):
    return any(len(args) for args in inputs)


def _is_unwritten(outcomes):
    first = outcomes[0]
    if first.failure:
        return first.failure.unwritten
    return unwritten(first.value) or (isinstance(first.value, str) and not first.value.strip())


def _unwritten(exercise):
    minutes = "un minuto" if exercise.minutes == 1 else f"{exercise.minutes} minuti"
    text = f"Qui manca ancora la tua risposta. Quando vuoi: bastano circa {minutes}."
    return _result(exercise, "da completare", [text])


def _verdict(exercise, inputs, outcomes, ran):
    reference = expected_outcomes(exercise, exercise.reference, inputs)
    matches = _matcher(exercise)
    failing = [number for number, (right, theirs) in enumerate(zip(reference, outcomes, strict=True))
               if theirs.failure or not matches(right.value, theirs.value)]
    changed = _changed_part(exercise, outcomes)
    if not failing and not changed:
        return _result(exercise, "giusto", [_right(inputs), exercise.praise], ran)
    if not failing:
        first = "I valori sono giusti, ma c'è un effetto che chi chiama non si aspetta."
        return _wrong(exercise, [first, *changed], ran)
    misconception = diagnose(exercise, inputs, outcomes, reference)
    if misconception:
        parts = [f"Riconosco l'errore: {misconception.name}.", misconception.explanation, *changed]
        return _wrong(exercise, parts, ran, misconception.name)
    parts = _unknown_mistake(exercise, inputs, outcomes, reference, failing)
    return _wrong(exercise, [*parts, *changed], ran)


def _right(inputs):
    if not _wants_arguments(inputs):
        return "Sì, è così."
    several = f" su {len(inputs)} ingressi diversi" if len(inputs) > 1 else ""
    return f"La tua funzione dà il risultato del riferimento{several}."


def _unknown_mistake(exercise, inputs, outcomes, reference, failing):
    """Che cosa non torna, quando nessun errore tipico lo spiega: dal difetto più grossolano ai valori."""
    smallest = failing[0]
    failure = outcomes[smallest].failure
    if failure:
        shown = [] if failure.bad_call else _input_part(exercise, inputs[smallest])
        return [*_failure_part(exercise, failure), *shown]
    expected, got = reference[smallest].value, outcomes[smallest].value
    difference = compare(expected, got, exercise.rtol, exercise.atol)
    shown = _input_part(exercise, inputs[smallest])
    if difference.kind == "valori" and not inputs[smallest] and _only_flags(expected):
        right = count_right(expected, got, exercise.rtol, exercise.atol)     # dire quali darebbe la risposta
        return [f"Voci giuste: {right} su {len(expected)}. Ripensale una per una."]
    if difference.kind == "valori" and not inputs[smallest] and _only_two_numbers(expected):
        right = [compare(one, other, exercise.rtol, exercise.atol) is None
                 for one, other in zip(expected, got, strict=True)]
        halves = {(True, False): "Il primo numero è giusto, il secondo no.",
                  (False, True): "Il secondo numero è giusto, il primo no."}
        return [halves.get(tuple(right), "I valori non tornano, né il primo né il secondo.")]
    if difference.kind != "valori":
        return [_located(difference), *shown]
    if all(outcomes[number].failure is None and low_precision(reference[number].value, outcomes[number].value)
           for number in failing):
        return ["L'idea è giusta, la precisione no: i tuoi numeri sono float16, che tiene circa tre cifre. "
                "Fai i conti in float32 o in float64."]
    broken = _broken_property(exercise, inputs, outcomes, failing)
    if broken:
        number, text = broken
        values = _values_part(inputs[number], reference[number].value, outcomes[number].value)
        return [text, *_input_part(exercise, inputs[number]), *values]
    first = " ".join(filter(None, [_located(difference), _clue(inputs[smallest], difference)]))
    return [first, *shown, *_values_part(inputs[smallest], difference.expected, difference.got)]


def _only_flags(expected):
    """Vero per un dizionario di sì e no."""
    return isinstance(expected, dict) and all(np.asarray(value).dtype.kind == "b" for value in expected.values())


def _only_two_numbers(expected):
    return isinstance(expected, list) and len(expected) == 2 and all(
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iuf" for value in expected)


def _clue(args, difference):
    return clue(difference) if args else ""     # per una domanda l'indizio direbbe la risposta


def _located(difference):
    return f"{difference.text} Succede {difference.where}." if difference.where else difference.text


def _broken_property(exercise, inputs, outcomes, failing):
    for _, holds in exercise.properties:
        for number in failing:
            if outcomes[number].failure:
                continue
            try:
                with quiet():
                    text = holds(inputs[number], outcomes[number].value)
            except Exception:       # la proprietà non sa leggere un'uscita così: parleranno i valori
                continue
            if text:
                return number, text
    return None


def _values_part(args, expected, got):
    if not args:        # è una domanda: mostrare la risposta attesa la guasterebbe
        if isinstance(got, np.ndarray) and got.ndim == 0 and got.dtype.kind == "f":
            return [f"Hai risposto {f'{got:.10g}'.replace('.', ',')}."]     # la virgola: 4.700 si leggerebbe come un migliaio
        alone = isinstance(got, str) or (isinstance(got, np.ndarray) and got.ndim == 0)
        return [f"Hai risposto {show(got, label_shape=False)}."] if alone else []
    expected, got = show(expected, got, label_shape=False)
    return ["Atteso:", code_block(expected), "Ottenuto:", code_block(got)]


def _input_part(exercise, args):
    if not args:
        return []
    lines = []
    names = argument_names(exercise.reference)
    for number, arg in enumerate(args):
        lines.append(f"{_name(names, number)} = {show(plain(arg))}")
    return ["L'ingresso più piccolo su cui succede:", code_block("\n".join(lines))]


def _name(names, number):
    return names[number] if number < len(names) else f"argomento {number + 1}"


def _failure_part(exercise, failure):
    if failure.bad_call:
        names = argument_names(exercise.reference)
        wanted = f"accettare, in quest'ordine: {', '.join(names)}" if names else "potersi chiamare senza argomenti"
        return [f"La funzione deve {wanted}. La tua non si lascia chiamare così:",
                code_block(f"{failure.type}: {failure.message}")]
    place = f" alla riga {failure.line}" if failure.line else ""
    error = textwrap.fill(f"{failure.type}: {failure.message}".rstrip(": "), 80, subsequent_indent="  ")
    return [f"La tua funzione si interrompe{place} con un errore:", code_block(f"{failure.code}\n{error}"),
            failure.explanation]


def _changed_part(exercise, outcomes):
    changed = sorted({number for outcome in outcomes for number in outcome.changed})
    if not changed:
        return []
    names = argument_names(exercise.reference)
    named = ", ".join(f"`{_name(names, number)}`" for number in changed)
    return [f"La funzione modifica i suoi ingressi ({named}): chi chiama si ritrova dati diversi. "
            "Lavora su una copia, per esempio con `.copy()`, ed evita modifiche sul posto come `x[…] = …` o `x /= …`."]


def _printed_part(ran):
    text = without_addresses(ran.printed.strip("\n"))
    if not text.strip():
        return []
    lines = text.splitlines()
    shown = lines[:MAX_PRINTED_LINES]
    count = max(ran.printed_lines, len(lines))
    if count <= len(shown):
        return ["Ha anche stampato:", code_block("\n".join(shown))]
    many = f"{count} righe" if ran.finished else "molte righe"
    return [f"Ha anche stampato {many}; ecco l'inizio:", code_block("\n".join(shown))]


def _wrong(exercise, parts, ran=None, misconception=None):
    return _result(exercise, "sbagliato", parts, ran, misconception)


def _result(exercise, status, parts, ran=None, misconception=None):
    parts = [*parts, *(_printed_part(ran) if ran else [])]
    return Result(status, status == "giusto", "\n\n".join(filter(None, parts)), misconception, exercise.id)
