"""Il motore degli esercizi: che cosa accetta, che cosa riconosce, da che cosa si difende."""

import dataclasses
import math
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import attnkit.exercises as exercises
from attnkit.exercises import Exercise, Misconception, Result, autoverifica, check, collect, judge
from attnkit.exercises.confronto import compare
from attnkit.exercises.esecuzione import run
from attnkit.exercises.valori import Opaque, plain, simplify

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


# --- Quattro esercizi giocattolo ------------------------------------------------------------------


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def softmax_on_columns(scores):
    exponentials = np.exp(scores - scores.max(axis=0))
    return exponentials / exponentials.sum(axis=0)


def divide_by_max(scores):
    return np.exp(scores) / np.exp(scores).max(axis=-1, keepdims=True)


def rows_sum_to_one(args, output):
    total = output.sum(axis=-1)
    if not np.allclose(total, 1):
        return f"Una riga somma a {total[np.abs(total - 1).argmax()]:.3f}, e dovrebbe sommare a 1."


SOFTMAX = Exercise(
    id="3.1",
    title="La softmax",
    kind="scrivi",
    statement="Scrivi la softmax sulle righe.",
    stars=1,
    minutes=5,
    reference=softmax,
    inputs=lambda rng: [(rng.normal(size=shape),) for shape in ((2, 3), (3, 4), (5, 7))],
    misconceptions=(
        Misconception(
            "asse sbagliato", softmax_on_columns, "Hai normalizzato le colonne: qui si sommano le righe."
        ),
        Misconception("divide per il massimo", divide_by_max, "Il massimo non fa sommare la riga a 1."),
    ),
    properties=(("righe che sommano a 1", rows_sum_to_one),),
    praise="I pesi di una riga sono una media pesata.",
)

PROJECT = Exercise(
    id="2.2",
    title="Proiettare",
    kind="scrivi",
    statement="Calcola X W.",
    stars=1,
    minutes=1,
    reference=lambda x, W: x @ W,
    inputs=lambda rng: [
        (rng.normal(size=(T, D)), rng.normal(size=(D, H))) for T, D, H in ((2, 3, 4), (5, 7, 6))
    ],
    misconceptions=(
        Misconception("prodotto a rovescio", lambda x, W: W @ x, "L'ordine conta: prima x, poi W."),
        Misconception("W trasposta", lambda x, W: x @ W.T, "Qui W ha già gli assi giusti."),
        Misconception("risultato trasposto", lambda x, W: (x @ W).T, "Le righe sono i token."),
    ),
)

PREDICT = Exercise(
    id="1.1",
    title="Chi guarda",
    kind="prevedi",
    statement="Su quale nome va il peso?",
    stars=1,
    minutes=3,
    reference=lambda: "più la gatta",
    misconceptions=(Misconception("il più vicino", lambda: "il topo", "La distanza non c'entra."),),
)

SHAPES = Exercise(
    id="2.1",
    title="Le shape",
    kind="leggi la tabella",
    statement="Quanto misurano?",
    stars=2,
    minutes=4,
    reference=lambda: {"X": (7, 8), "W": (8, 4), "parametri": 8030261248},
    misconceptions=(
        Misconception(
            "W come nn.Linear", lambda: {"X": (7, 8), "W": (4, 8), "parametri": 8030261248}, "È trasposta."
        ),
    ),
)

TOYS = (SOFTMAX, PROJECT, PREDICT, SHAPES)


def toy(reference, inputs=None, **changes):
    given_inputs = {} if inputs is None else {"inputs": inputs}
    return dataclasses.replace(PREDICT, reference=reference, misconceptions=(), **given_inputs, **changes)


def assert_wrong(result, *words):
    assert result.status == "sbagliato" and not result.passed
    for word in words:
        assert word in result.message, f"manca «{word}» in:\n{result}"
    assert "Traceback" not in result.message


# --- Riferimenti ed errori tipici -----------------------------------------------------------------


@pytest.mark.parametrize("exercise", TOYS, ids=lambda exercise: exercise.id)
def test_toy_exercises_keep_their_promises(exercise):
    autoverifica(exercise, seeds=range(6))


def test_misconception_is_named_and_explained():
    result = judge(SOFTMAX, softmax_on_columns)
    assert_wrong(result, "Hai normalizzato le colonne")
    assert result.misconception == "asse sbagliato"


def test_misconception_written_in_another_style_is_recognised():
    def on_columns(scores):
        return torch.softmax(torch.from_numpy(scores).float(), dim=0)

    assert judge(SOFTMAX, on_columns).misconception == "asse sbagliato"


def test_misconception_that_raises_is_recognised_by_its_exception():
    assert judge(PROJECT, lambda a, b: np.matmul(b, a)).misconception == "prodotto a rovescio"


def test_exception_with_another_message_is_not_that_misconception():
    def other(x, W):
        raise ValueError("un'altra storia")

    assert judge(PROJECT, other).misconception is None


def test_misconception_must_agree_on_every_input():
    def sometimes(scores):
        return softmax_on_columns(scores) if scores.shape == (2, 3) else softmax(scores)

    result = judge(SOFTMAX, sometimes)
    assert result.misconception is None and not result.passed


def test_first_matching_misconception_wins():
    twice = (SOFTMAX.misconceptions[0], Misconception("doppione", softmax_on_columns, "Uguale al primo."))
    exercise = dataclasses.replace(SOFTMAX, misconceptions=twice)
    assert judge(exercise, softmax_on_columns).misconception == "asse sbagliato"
    with pytest.raises(AssertionError, match="doppione"):
        autoverifica(exercise)


def test_misconception_that_these_inputs_cannot_tell_from_the_reference_is_not_named():
    nearly = Misconception("quasi uguale", lambda scores: softmax(scores) * (1 + 0.9e-4), "Di un soffio.")
    exercise = dataclasses.replace(SOFTMAX, misconceptions=(nearly,))
    result = judge(exercise, lambda scores: softmax(scores) * (1 + 1.6e-4))
    assert not result.passed and result.misconception is None


def test_autoverifica_refuses_a_misconception_equal_to_the_reference():
    harmless = Misconception("innocuo", lambda scores: softmax(scores) + 0.0, "Non è un errore.")
    with pytest.raises(AssertionError, match="innocuo.*giusto"):
        autoverifica(dataclasses.replace(SOFTMAX, misconceptions=(harmless,)))


def test_autoverifica_refuses_a_property_that_the_reference_breaks():
    never = ("mai vera", lambda args, output: "Non va mai bene.")
    with pytest.raises(AssertionError, match="mai vera"):
        autoverifica(dataclasses.replace(SOFTMAX, properties=(never,)))


def test_autoverifica_refuses_a_reference_that_changes_its_inputs():
    def careless(scores):
        scores -= scores.max()
        return scores

    with pytest.raises(AssertionError, match="non passa"):
        autoverifica(dataclasses.replace(SOFTMAX, reference=careless, misconceptions=(), properties=()))


# --- Risposte giuste in un altro stile -------------------------------------------------------------


def with_loops(scores):
    rows = []
    for row in scores:
        exponentials = [float(np.exp(score)) for score in row]
        rows.append([value / sum(exponentials) for value in exponentials])
    return rows


RIGHT = {
    "cicli e liste": with_loops,
    "tupla di array": lambda s: tuple(softmax(s)),
    "torch": lambda s: torch.softmax(torch.from_numpy(s), -1),
    "torch con gradienti": lambda s: torch.from_numpy(s).requires_grad_().softmax(-1),
    "lista di tensor": lambda s: list(torch.from_numpy(s).softmax(-1)),
    "nn.Module": torch.nn.Sequential(torch.nn.Identity()).append(
        type("Soft", (torch.nn.Module,), {"forward": lambda self, s: torch.from_numpy(s).softmax(-1)})()
    ),
    "float32": lambda s: softmax(s.astype(np.float32)),
    "einsum": lambda s: np.einsum("ij,i->ij", np.exp(s), 1 / np.exp(s).sum(-1)),
    "array di oggetti": lambda s: softmax(s).astype(object),
    "complessi con parte immaginaria nulla": lambda s: softmax(s).astype(complex),
    "matrice non contigua": lambda s: np.asfortranarray(softmax(s)),
    "con argomenti in più": lambda s, axis=-1: softmax(s),
}


@pytest.mark.parametrize("answer", RIGHT.values(), ids=RIGHT.keys())
def test_right_answers_in_another_style(answer):
    result = judge(SOFTMAX, answer)
    assert result and result.status == "giusto" and result.misconception is None, result
    assert "I pesi di una riga sono una media pesata." in result.message


@pytest.mark.parametrize(
    "answer",
    [
        (7, 8),
        [7, 8],
        torch.Size([7, 8]),
        np.array([7, 8]),
        np.zeros((7, 8)).shape,
        (7.0, np.int32(8)),
        torch.tensor([7, 8]),
        range(7, 9),
        (torch.tensor(7), 8),
    ],
    ids=str,
)
def test_a_shape_is_a_shape_however_written(answer):
    assert judge(toy(lambda: (7, 8)), answer)
    assert judge(toy(lambda: (7, 8)), lambda: answer)


@pytest.mark.parametrize(
    "answer",
    [
        "più la gatta",
        "PIU' LA GATTA",
        "  Più   la\ngatta. ",
        "«piu la gatta»",
        np.str_("più la gatta"),
        "piu\u0300 la gatta",
    ],
)
def test_text_ignores_what_does_not_matter(answer):
    if "'" in answer:
        assert not judge(PREDICT, answer)  # l'apostrofo in mezzo non è un accento
    else:
        assert judge(PREDICT, answer)


@pytest.mark.parametrize("answer", [True, np.True_, "vero", "Sì", "True", lambda: True, torch.tensor(True)])
def test_true_in_many_ways(answer):
    assert judge(toy(lambda: True), answer)
    assert not judge(toy(lambda: False), answer)


@pytest.mark.parametrize(
    "reference, answer",
    [
        (0.5, "0,5"),
        (0.5, "0.5"),
        (57.0, "57 %"),
        (57, "57%"),
        (0.5, Fraction(1, 2)),
        (8030261248, "8.030.261.248"),
        (8030261248, 8030261248.0),
        (7, np.float32(7)),
        (7, "7"),
        ("sì", True),
        (np.inf, float("inf")),
        (-np.inf, torch.tensor(-torch.inf)),
        (np.nan, float("nan")),
        (1 + 2j, complex(1, 2)),
    ],
)
def test_numbers_in_many_ways(reference, answer):
    assert judge(toy(lambda: reference), answer)


@pytest.mark.parametrize(
    "reference, answer",
    [
        (8030261248, 8028164096),
        (8030261248, 8030261249),
        (8030261248, 8030261249.0),
        (7, 7.001),
        (7, "sette"),
        (0.5, 0.51),
        ("sì", False),
        (np.inf, -np.inf),
        (0.5, np.nan),
        (1.0, 1 + 1j),
        (0.5, [0.5]),
    ],
)
def test_numbers_that_differ(reference, answer):
    assert_wrong(judge(toy(lambda: reference), answer))


def test_dictionary_names_what_is_wrong_without_giving_the_answer_away():
    result = judge(SHAPES, {"x": [7, 8], "w": (8, 3), "Parametri": 8030261248})
    assert_wrong(result, "Da rivedere: «W»", "Giuste: «X», «parametri»")
    assert "(8, 4)" not in result.message


def test_dictionary_with_missing_and_unknown_names():
    assert_wrong(judge(SHAPES, {"X": (7, 8), "Y": 1}), "mancano le voci «W», «parametri»", "non conosco «Y»")


def test_tuple_of_arrays_says_which_part():
    exercise = toy(
        lambda x: (x, 2 * x, 3 * x), lambda rng: [(rng.normal(size=(2, 3)),), (rng.normal(size=(4, 5)),)]
    )
    assert judge(exercise, lambda x: [x.tolist(), torch.from_numpy(2 * x), 3 * x])
    assert judge(exercise, lambda x: np.stack([x, 2 * x, 3 * x]))
    assert_wrong(judge(exercise, lambda x: (x, 5 * x, 3 * x)), "nell'elemento 2")
    assert_wrong(judge(exercise, lambda x: (x, 2 * x)), "3 elementi", "2 elementi")


def test_numbers_written_as_text_inside_a_pair():
    exercise = toy(lambda: (8030261248, 0.5))
    assert judge(exercise, ("8.030.261.248", "0,5"))
    assert judge(exercise, [8030261248, "0.5"])
    assert judge(exercise, {"a": 1}).message.startswith("Mi aspettavo una sequenza di 2 elementi")
    assert_wrong(judge(exercise, ("8.030.261.248", "0,6")), "il secondo no")
    assert_wrong(judge(exercise, ("molti", 0.5)), "Mi aspettavo un numero, ho trovato un testo", "nell'elemento 1")
    assert_wrong(judge(exercise, "8.030.261.248 e 0,5"), "una sequenza di 2 elementi, ho trovato un testo")
    ragged = toy(lambda: [[1], [2, 3]])
    assert judge(ragged, [["1"], [2, "3"]])
    assert_wrong(judge(ragged, [["1"], ["2", "4"]]))
    assert judge(toy(lambda: np.array([[1.5, 2.0]])), [["1,5", "2"]])
    assert judge(toy(lambda: {"coppia": (1, 2)}), {"coppia": ("1", "2")})
    assert_wrong(judge(toy(lambda: (True, False)), ("vero", "vero")), "I valori non tornano")


def test_half_a_pair_of_numbers_is_told_which_half():
    exercise = toy(lambda: (2.5, 7))
    assert_wrong(judge(exercise, (2.5, 8)), "Il primo numero è giusto, il secondo no.")
    assert_wrong(judge(exercise, ("2,4", "7")), "Il secondo numero è giusto, il primo no.")
    assert_wrong(judge(exercise, [2.4, 8]), "né il primo né il secondo")
    assert_wrong(judge(exercise, 2.5), "Mi aspettavo una sequenza di 2 elementi, ho trovato un numero")
    text = judge(toy(lambda: ("rana", "a")), ("rana", "o"))     # dire quale darebbe la risposta
    assert_wrong(text)
    assert "primo" not in text.message


def test_float16_is_the_right_idea_with_too_little_precision():
    assert_wrong(judge(SOFTMAX, lambda s: softmax(s).astype(np.float16)), "L'idea è giusta", "float16")
    assert_wrong(judge(SOFTMAX, lambda s: torch.from_numpy(softmax(s)).half()), "float16")
    wrong = judge(SOFTMAX, lambda s: (softmax(s) * 2).astype(np.float16))
    assert_wrong(wrong)
    assert "L'idea è giusta" not in wrong.message


def test_bfloat16_is_read_and_found_imprecise():
    assert_wrong(judge(PROJECT, lambda x, W: torch.from_numpy(x @ W).bfloat16()), "precisione troppo bassa")


# --- Da completare --------------------------------------------------------------------------------


def stub(scores):
    """Softmax sulle righe."""
    raise NotImplementedError


def stub_with_message(scores):
    top = scores.max()
    raise NotImplementedError(f"da qui tocca a te: {top}")


def only_dots(scores):
    """Softmax."""
    ...


def only_pass(scores):
    pass


@pytest.mark.parametrize(
    "answer",
    [
        ...,
        None,
        stub,
        stub_with_message,
        only_dots,
        only_pass,
        lambda s: ...,
        lambda s: None,
    ],
    ids=lambda answer: getattr(answer, "__name__", str(answer)),      # senza indirizzi di memoria: cambiano
)
def test_unwritten_functions(answer):
    result = judge(SOFTMAX, answer)
    assert result.status == "da completare" and not result and result.misconception is None
    assert "circa 5 minuti" in result.message


@pytest.mark.parametrize(
    "answer",
    [
        ...,
        None,
        "",
        "  ",
        {"X": ..., "W": (8, 4), "parametri": 1},
        {"X": None, "W": (8, 4), "parametri": 1},
        {"X": (7, ...)},
        [...],
    ],
)
def test_unwritten_values(answer):
    assert judge(SHAPES, answer).status == "da completare"


def test_one_minute_is_singular():
    assert "circa un minuto" in judge(PROJECT, ...).message


def test_returning_none_after_some_code_mentions_return():
    def forgot(scores):
        softmax(scores)

    assert_wrong(judge(SOFTMAX, forgot), "None", "`return`")


def test_an_unsupported_operation_is_not_an_unwritten_answer():
    class Abstract(torch.nn.Module):
        pass

    assert_wrong(judge(SOFTMAX, Abstract()), "NotImplementedError")


# --- Che cosa non torna ---------------------------------------------------------------------------


def test_type_comes_before_shape_and_shape_before_values():
    assert_wrong(
        judge(SOFTMAX, lambda s: "ciao"), "Mi aspettavo un array di shape (2, 3), ho trovato un testo"
    )
    assert_wrong(judge(SOFTMAX, lambda s: s.sum(-1)), "Mi aspettavo un array di shape (2, 3)", "shape (2,)")
    assert_wrong(judge(SOFTMAX, lambda s: softmax(s).T), "ordine inverso")
    assert_wrong(judge(SOFTMAX, lambda s: softmax(s)[None]), "un asse lungo 1")
    assert_wrong(judge(SOFTMAX, lambda s: softmax(s) * 1j), "complessi")


def test_property_comes_before_values_and_shows_its_input():
    assert_wrong(
        judge(SOFTMAX, lambda s: softmax(s) * 3), "Una riga somma a 3.000", "scores = array di shape (2, 3)"
    )


def test_property_on_a_larger_input_is_found():
    """Sul primo ingresso le righe sommano a 1, ma i valori no: la proprietà si rompe sul secondo."""
    result = judge(SOFTMAX, lambda s: softmax(-s) * (1 if s.shape == (2, 3) else 2))
    assert_wrong(result, "Una riga somma a 2.000", "array di shape (3, 4)")


def test_a_property_that_raises_leaves_the_word_to_the_values():
    exercise = dataclasses.replace(SOFTMAX, properties=(("rotta", lambda args, output: 1 / 0),))
    assert_wrong(judge(exercise, lambda s: softmax(-s)), "I valori non tornano")


def test_values_show_the_smallest_failing_input_with_three_decimals():
    def wrong_when_large(x, W):
        return x @ W + (x.shape[0] > 2) * np.eye(x.shape[0], W.shape[1])

    result = judge(PROJECT, wrong_when_large)
    assert_wrong(result, "I valori non tornano", "x = array di shape (5, 7)", "Atteso:", "Ottenuto:")
    assert re.search(r"-?\d\.\d{3}[ \]]", result.message)


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda x, W: 2 * (x @ W), "moltiplicato per 2"),
        (lambda x, W: x @ W + 3, "più 3"),
        (lambda x, W: (x @ W)[::-1], "in un altro ordine"),
        (lambda x, W: x @ W * np.nan, "NaN"),
        (lambda x, W: x @ W / 0, "infiniti"),
        (lambda x, W: x @ W * 1.001, "Ci sei quasi"),
    ],
)
def test_clues(answer, words):
    assert_wrong(judge(PROJECT, answer), words)


def test_a_small_number_that_doubles_is_not_nearly_right():
    """Vicino vuol dire vicino numero per numero, anche accanto a numeri molto più grandi."""
    exercise = toy(lambda x: np.array([2048.0, 1024.0, 2.0 * x]), inputs=lambda rng: [(1.0,), (2.0,)])
    assert "Ci sei quasi" not in judge(exercise, lambda x: np.array([2048.0, 1024.0, 4.0 * x])).message
    assert "Ci sei quasi" in judge(exercise, lambda x: np.array([2048.0, 1024.0, 2.01 * x])).message


def test_close_values_are_shown_with_the_digits_that_tell_them_apart():
    result = judge(PROJECT, lambda x, W: x @ W * 1.0003 + 0)
    expected, got = result.message.split("Atteso:")[1].split("Ottenuto:")
    assert expected.strip() != got.strip()


def test_questions_never_give_the_answer_away():
    result = judge(PREDICT, "la sedia")
    assert_wrong(result, "Hai risposto «la sedia»")
    assert "gatta" not in str(result)
    number = judge(toy(lambda: 1.25), 2.5)
    assert "Hai risposto 2,5." in number.message and "1,25" not in number.message and "1.25" not in number.message and "moltiplicato" not in number.message


def test_an_answer_that_is_not_a_number_is_not_repeated():
    rule = ("somma", lambda args, got: None if sum(got["a"]) == 3 else "La somma dev'essere 3.")
    exercise = toy(lambda: {"a": [1.0, 2.0], "b": [[1], [2, 3]]}, properties=(rule,))
    result = judge(exercise, {"a": [2.0, 2.0], "b": [[1], [2, 3]]})
    assert_wrong(result, "La somma dev'essere 3.")
    assert "Hai risposto" not in result.message
    lists = toy(lambda: [[1], [2, 3]], properties=(("uno", lambda args, got: "No." if got[0][0] != 1 else None),))
    assert "Hai risposto" not in judge(lists, [[2], [2, 3]]).message


def test_a_value_where_a_function_is_needed():
    assert_wrong(
        judge(SOFTMAX, np.ones((2, 3))), "Mi aspettavo una funzione", "shape (2, 3)", "senza parentesi"
    )
    assert_wrong(judge(SOFTMAX, 3), "Mi aspettavo una funzione, ho trovato un numero")


# --- Risposte che sollevano -----------------------------------------------------------------------


def raises(error):
    def answer(scores):
        raise error

    return answer


ERRORS = {
    "argomenti": (lambda: 3, "in quest'ordine: scores"),
    "argomenti in più": (lambda a, b: 3, "in quest'ordine: scores"),
    "indice": (lambda s: s[0, 12], "l'indice 12 su un asse lungo 3"),
    "troppi indici": (lambda s: s[0, 0, 0], "3 indici su un array che ha 2 assi"),
    "lista corta": (lambda s: s.tolist()[9], "una posizione che non c'è"),
    "matmul": (lambda s: s @ s, "qui sono 3 e 2"),
    "dot": (lambda s: np.dot(s, s), "lunghi 3 e 2"),
    "matmul di torch": (lambda s: torch.from_numpy(s) @ torch.from_numpy(s), "lunghi 3 e 2"),
    "broadcast": (lambda s: s + s.sum(-1), "elemento per elemento"),
    "broadcast di torch": (lambda s: torch.from_numpy(s) + torch.ones(5), "lunghi 1: qui sono 3 e 5"),
    "in fila con un vettore": (lambda s: np.concatenate([s, s[0]]), "diventa una riga con `k[None]`"),
    "in fila sull'asse sbagliato": (lambda s: np.vstack([s, s[:, 0]]), "una riga o una colonna"),
    "tabelle di numero diverso": (lambda s: np.ones((4, 3, 3)) @ np.ones((2, 3, 3)), "quante tabelle"),
    "posto della shape sbagliata": (lambda s: np.zeros((2, 2)).__setitem__(0, s[0]), "(3,) in un posto di shape (2,)"),
    "reshape": (lambda s: s.reshape(4, 4), "La shape (4, 4) non contiene 6 elementi"),
    "view": (lambda s: torch.from_numpy(s).T.view(6), "usa `reshape`"),
    "view impossibile": (lambda s: torch.from_numpy(s).view(4, 4), "non contiene 6 elementi"),
    "asse": (lambda s: s.sum(axis=5), "l'asse 5 a un array che ha 2 assi"),
    "torch su NumPy": (lambda s: torch.softmax(s, -1), "torch.from_numpy"),
    "attributo di NumPy": (lambda s: s.softmax(-1), "non hanno `softmax`"),
    "attributo di lista": (lambda s: s.tolist().shape, "Una lista non ha `shape`"),
    "int chiamato": (lambda s: len(s)(s), "non è una funzione"),
    "None": (lambda s: None + s[0, 0], "ha dimenticato `return`"),
    "nome": (lambda s: sofmax(s), "Il nome `sofmax` non esiste"),  # noqa: F821
    "verità": (lambda s: 1 if s > 0 else 0, "np.where"),
    "ragged": (lambda s: np.array([[1.0], [1.0, 2.0]]), "non sono tutte lunghe uguali"),
    "spacchettamento": (lambda s: [a for a, b in s], "più nomi, o meno"),
    "chiave": (lambda s: {}["k"], "la chiave 'k'"),
    "zero": (lambda s: 1 // 0, "divisione per zero"),
    "massimo di nulla": (lambda s: s[2:].max(), "qui l'array è vuoto"),
    "massimo di una lista vuota": (lambda s: max([]), "qui l'array è vuoto"),
    "posto del massimo di nulla": (lambda s: s[:0].argmax(), "qui l'array è vuoto"),
    "massimo di nulla in torch": (lambda s: torch.from_numpy(s)[:0].max(), "qui l'array è vuoto"),
    "esponenziale": (lambda s: math.exp(900), "togli prima il massimo"),
    "potenza": (lambda s: 10.0**400, "togli prima il massimo"),
    "intero da infinito": (lambda s: int(np.inf), "Un infinito non può diventare un intero"),
    **({"intero fuori misura": (lambda s: np.uint8(300), "Quell'intero non ci sta")} if np.__version__ >= "2" else {}),   # prima ne restava 44
    "maschera": (lambda s: s[np.ones(5, bool)], "La maschera di booleani"),
    "maschera di torch": (lambda s: torch.from_numpy(s)[torch.ones(5) > 0], "La maschera di booleani"),
    "assert": (raises(AssertionError()), "AssertionError"),
    "uscita": (lambda s: sys.exit(3), "sys.exit"),
    "interruzione": (raises(KeyboardInterrupt()), "KeyboardInterrupt"),
    "memoria": (raises(MemoryError()), "memoria"),
    "memoria vera": (lambda s: np.ones((10**6, 10**8)), "memoria"),
    "gradienti": (lambda s: np.asarray(torch.ones(3, requires_grad=True)), "`.detach()`"),
    "tipi di torch": (lambda s: torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.float64), "tipi diversi"),
    "operatore": (lambda s: [1] @ [2], "non sa lavorare con list e list"),
    "generatore chiuso": (raises(GeneratorExit()), "GeneratorExit"),
    "gruppo": (raises(ExceptionGroup("tanti", [ValueError("a")])), "ExceptionGroup"),
}


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("answer, words", ERRORS.values(), ids=ERRORS.keys())
def test_errors_are_explained_in_italian(answer, words):
    result = judge(SOFTMAX, answer)
    assert_wrong(result, words)
    assert result.misconception is None


def test_error_shows_the_readers_line_even_inside_a_library():
    def answer(scores):
        scale = 1
        return np.einsum("ijk->i", scores) * scale

    line = answer.__code__.co_firstlineno + 2
    result = judge(SOFTMAX, answer)
    assert_wrong(result, f"alla riga {line}", 'return np.einsum("ijk->i", scores) * scale', "ValueError")
    assert "site-packages" not in result.message


def test_recursion_without_end():
    def forever(scores):
        return forever(scores)

    assert_wrong(judge(SOFTMAX, forever), "RecursionError", "senza fermarsi")


def test_unbound_local_variable():
    def answer(scores):
        total = total + scores.sum()  # noqa: F821
        return total

    assert_wrong(judge(SOFTMAX, answer), "prima di averle dato un valore")


def test_an_error_whose_text_cannot_be_read():
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert_wrong(judge(SOFTMAX, raises(Silent())), "Silent", "non si lascia leggere")


# --- Ingressi cambiati, stampe, avvisi, caso -------------------------------------------------------


def test_changing_the_inputs_is_reported_even_with_right_values():
    def in_place(x, W):
        result = x @ W
        x -= 1
        return result

    assert_wrong(judge(PROJECT, in_place), "I valori sono giusti", "modifica i suoi ingressi (`x`)")


def test_changing_the_inputs_is_added_to_a_misconception():
    def transposed(x, W):
        result = (x @ W).T
        W[0, 0] = np.nan
        return result

    result = judge(PROJECT, transposed)
    assert result.misconception == "risultato trasposto"
    assert_wrong(result, "modifica i suoi ingressi (`W`)")


def test_returning_the_input_itself_is_safe():
    same = toy(lambda x: x, lambda rng: [(np.ones((2, 3)),)])
    assert judge(same, lambda x: x)


def test_inputs_shared_by_the_exercise_survive_the_answer():
    shared = np.ones((2, 3))
    exercise = toy(lambda x: x.sum(), lambda rng: [(shared,)])

    def vandal(x):
        x[:] = 0
        return 6.0

    assert not judge(exercise, vandal)
    assert (shared == 1).all()


def test_printing_is_captured_limited_and_mentioned(capsys):
    def chatty(scores):
        for number in range(5000):
            print("riga", number)
        print("errore", file=sys.stderr)
        sys.stdout.write("senza a capo")
        return softmax(scores)

    result = judge(SOFTMAX, chatty)
    assert result.passed and "Ha anche stampato" in result.message and "riga 0" in result.message
    assert len(str(result)) < 1500
    assert capsys.readouterr() == ("", "")
    print("di nuovo qui")
    assert capsys.readouterr().out == "di nuovo qui\n"


def test_printed_addresses_are_hidden():
    result = judge(SOFTMAX, lambda s: (print(object()), softmax(s))[1])
    assert "0x…" in result.message and not re.search(r"0x[0-9a-f]", result.message)


def test_streams_are_restored(capsys):
    before = sys.stdout, sys.stderr
    judge(SOFTMAX, softmax)
    judge(SOFTMAX, raises(SystemExit()))
    assert (sys.stdout, sys.stderr) == before


def test_other_threads_keep_printing_while_an_answer_runs(capsys):
    started, printed = threading.Event(), threading.Event()

    def other():
        started.wait(5)
        print("dal thread di chi legge")
        printed.set()

    thread = threading.Thread(target=other)
    thread.start()

    def answer(scores):
        started.set()
        printed.wait(3)
        return softmax(scores)

    result = judge(SOFTMAX, answer)
    thread.join()
    assert result.passed and "dal thread" not in result.message
    assert capsys.readouterr().out == "dal thread di chi legge\n"


def test_warnings_do_not_leak(capsys):
    def noisy(scores):
        warnings.warn("attenzione", stacklevel=1)
        np.exp(np.array([1000.0])), np.array([1.0]) / 0
        return softmax(scores)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert judge(SOFTMAX, noisy)
    assert not seen and capsys.readouterr().err == ""


def test_the_readers_randomness_is_left_alone():
    import random

    def random_answer(scores):
        np.random.seed(3)
        random.seed(3)
        torch.manual_seed(3)
        return np.random.normal(size=scores.shape)

    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    expected = np.random.rand(), random.random(), torch.rand(1).item()
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    judge(SOFTMAX, random_answer)
    assert (np.random.rand(), random.random(), torch.rand(1).item()) == expected


def test_the_same_answer_gets_the_same_message():
    answers = [
        lambda s: np.random.rand(*s.shape),
        lambda s: torch.rand(s.shape),
        lambda s: object(),
        lambda s: judge,
        lambda s: {id(s)},
        raises(ValueError(object())),
    ]
    for answer in answers:
        first, second = judge(SOFTMAX, answer), judge(SOFTMAX, answer)
        assert first == second and first._repr_html_() == second._repr_html_()
        assert not re.search(r"0x[0-9a-f]", str(first))


# --- Uscite ostili --------------------------------------------------------------------------------


class Hostile:
    """Solleva appena lo si guarda."""

    def _refuse(self, *args, **kwargs):
        raise SystemExit("no")

    __eq__ = __repr__ = __str__ = __array__ = __iter__ = __len__ = __bool__ = __float__ = __hash__ = _refuse
    __getattribute__ = _refuse


def endless():
    items = [1.0]
    items.append(items)
    return items


def endless_dictionary():
    items = {}
    items["x"] = items
    return items


HOSTILE = {
    "oggetto che solleva": Hostile(),
    "lista di oggetti che sollevano": [Hostile(), Hostile()],
    "lista di sé stessa": endless(),
    "dizionario di sé stesso": endless_dictionary(),
    "array di oggetti": np.array([object(), None], dtype=object),
    "generatore": (n for n in range(3)),
    "funzione": simplify,
    "classe": int,
    "insieme": {1, 2},
    "byte": b"ciao",
    "date": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "strutturato": np.zeros(2, dtype=[("a", int)]),
    "testo lungo": "x" * 10**6,
    "intero enorme": 10**5000,
    "lista lunghissima": [0.0] * 300_000,
    "array enorme": np.broadcast_to(0.0, (10**6, 10**6)),
    "tensor enorme": torch.zeros(1).expand(10**6, 10**6),
    "tensor sparso": torch.eye(3).to_sparse(),
    "righe diverse": [[1.0], [1.0, 2.0]],
    "vuoto": [],
    "array vuoto": np.empty((0, 3)),
    "NaN": np.full((2, 3), np.nan),
    "scalare": np.float64(3),
    "chiavi strane": {Hostile: 1, 2.5: 3},
    "modulo": np,
    "eccezione": ValueError("a"),
}


@pytest.mark.parametrize("name", HOSTILE)  # il nome e non il valore: pytest non deve guardarlo
@pytest.mark.parametrize("exercise", [SOFTMAX, SHAPES, PREDICT], ids=lambda exercise: exercise.id)
def test_strange_outputs_never_raise(exercise, name):
    value = HOSTILE[name]
    answer = (lambda *args: value) if exercise is SOFTMAX else (lambda: value)
    result = judge(exercise, answer)
    assert_wrong(result)
    assert len(str(result)) < 4000
    bare = judge(exercise, value)  # la stessa cosa consegnata direttamente, senza funzione
    assert bare.status == "sbagliato" and "Traceback" not in str(bare)


def test_yield_gets_its_own_hint():
    def rows(scores):
        yield from softmax(scores)

    assert_wrong(judge(SOFTMAX, rows), "un generatore", "`yield`")


def test_coroutine_gets_no_warning():
    async def later(scores):
        return softmax(scores)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert_wrong(judge(SOFTMAX, later), "una coroutine")
    assert not seen


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.complex_numbers()
    | st.just(...)
    | st.binary(max_size=3)
    | hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(max_dims=3, max_side=3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(anything, anything)
def test_comparison_of_anything_with_anything(left, right):
    first, second = plain(left), plain(right)
    difference = compare(first, second, 1e-4, 1e-6)
    assert difference is None or (difference.text and difference.kind in ("tipo", "forma", "valori"))


def readable(value):
    if isinstance(value, list):
        return all(map(readable, value))
    if isinstance(value, dict):
        simple = [simplify(key) for key in value]
        return len(set(simple)) == len(simple) and all(map(readable, value.values()))
    return not isinstance(value, Opaque)


@settings(max_examples=150, deadline=None)
@given(anything)
def test_everything_readable_equals_itself(value):
    reduced = plain(value)
    if readable(reduced):
        assert compare(reduced, plain(value), 1e-4, 1e-6) is None


@settings(max_examples=25, deadline=None)
@given(anything)
def test_any_answer_to_a_question_gets_a_result(value):
    result = judge(SHAPES, value)
    assert result.status in ("sbagliato", "da completare") and str(result) and result._repr_html_()


# --- Risposte che non finiscono -------------------------------------------------------------------


def loop():
    while True:
        pass


def loop_that_catches():
    while True:
        try:
            try:
                while True:
                    pass
            except:  # noqa: E722
                pass
        except BaseException:
            continue


def loop_with_finally():
    while True:
        try:
            time.sleep(0.001)
        finally:
            continue  # noqa: B012


def loop_that_recurses():
    try:
        while True:
            pass
    except BaseException:
        loop_that_recurses()


def loop_that_prints():
    while True:
        print("ancora")


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize(
    "endless", [loop, loop_that_catches, loop_with_finally, loop_that_recurses, loop_that_prints]
)
def test_endless_loops_are_really_stopped(endless, capsys):
    threads = len(sys._current_frames())
    start = time.monotonic()
    ran = run(endless, seconds=0.3)
    assert not ran.finished and time.monotonic() - start < 2
    assert len(sys._current_frames()) == threads  # il thread non c'è più
    assert capsys.readouterr() == ("", "")
    assert len(ran.printed) < 5000


def test_a_loop_is_stopped_within_five_seconds_in_all():
    def forever(scores):
        print("comincio")
        if scores.shape == (3, 4):
            loop_that_catches()
        return softmax(scores)

    start = time.monotonic()
    result = judge(SOFTMAX, forever)
    assert time.monotonic() - start < 5
    assert_wrong(result, "non ha finito entro 4 secondi", "scores = array di shape (3, 4)", "comincio")


def test_a_blocked_call_is_abandoned_and_can_no_longer_print(capsys):
    def asleep(scores):
        try:
            time.sleep(1.5)
        except BaseException:
            print("mi sono svegliato")
        print("e parlo ancora")

    start = time.monotonic()
    assert_wrong(judge(SOFTMAX, asleep, seconds=0.2), "non ha finito")
    assert time.monotonic() - start < 1.4
    print("di chi legge")
    time.sleep(1.6)
    assert judge(SOFTMAX, softmax)  # ora che il thread è finito, i flussi tornano quelli di prima
    captured = capsys.readouterr()
    assert captured == ("di chi legge\n", "")
    assert type(sys.stdout).__name__ != "_Switch"


def test_slow_but_finite_answers_pass():
    def slow(scores):
        time.sleep(0.4)
        return softmax(scores)

    assert judge(SOFTMAX, slow)


def test_an_output_that_never_ends_being_read_is_stopped():
    class Endless:
        def __array__(self, *args, **kwargs):
            loop()

    assert_wrong(judge(SOFTMAX, lambda s: Endless(), seconds=0.3), "non ha finito")


INTERRUPT = """
import _thread, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)     # un processo lanciato in sottofondo lo eredita spento
from attnkit.exercises import judge
from attnkit.exercises import Exercise
def forever():
    while True:
        pass
exercise = Exercise("1.1", "t", "prevedi", "s", 1, 1, lambda: 1)
threading.Timer(0.5, _thread.interrupt_main).start()
start = time.monotonic()
try:
    print(judge(exercise, forever))
except KeyboardInterrupt:
    print("interrotto", time.monotonic() - start < 3)
"""


def test_the_reader_can_interrupt_a_check():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.split() == ["interrotto", "True"], (done.returncode, done.stdout, done.stderr)


def test_the_engine_needs_only_numpy_and_is_light():
    code = "import sys, attnkit.exercises; print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_a_trivial_check_is_fast():
    judge(PROJECT, PROJECT.reference)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        judge(PROJECT, PROJECT.reference)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


# --- Il riscontro ---------------------------------------------------------------------------------


def test_result_as_text():
    result = judge(PROJECT, lambda x, W: 2 * (x @ W))
    assert isinstance(result, Result) and repr(result) == str(result)
    assert str(result).splitlines()[0] == "Esercizio 2.2 · sbagliato"
    assert max(map(len, str(result).splitlines())) <= 88
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.passed = True


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
def test_lines_are_never_too_long(text):
    result = Result("sbagliato", False, text, None, "1.1")
    assert all(len(line) <= 88 for line in str(result).split("\n"))


def test_result_as_html_escapes_everything_and_says_the_state_in_words():
    result = judge(PREDICT, "<script>alert(1)</script>")
    html = result._repr_html_()
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "Esercizio 1.1 · sbagliato" in html and 'lang="it"' in html and "border-left" in html
    printed = judge(SOFTMAX, lambda s: print("<b onclick='x'>&</b>"))._repr_html_()
    assert "<b" not in printed and "&lt;b onclick=" in printed


def test_html_keeps_code_as_code():
    html = Result("giusto", True, "Usa `np.where`.\n\n    x = 1\n    y = 2", None, "1.1")._repr_html_()
    assert re.search(r"<code[^>]*>np\.where</code>", html)
    assert re.search(r"<pre[^>]*>x = 1\ny = 2</pre>", html)


def contrast(one, two):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("status", ["da completare", "giusto", "sbagliato"])
def test_border_is_visible_on_light_and_dark(status):
    html = Result(status, status == "giusto", "ciao")._repr_html_()
    border = re.search(r"solid (#[0-9a-f]{6})", html)[1]
    assert contrast(border, "#ffffff") >= 3 and contrast(border, "#14181e") >= 3


def test_result_refuses_contradictions():
    with pytest.raises(ValueError, match="boh"):
        Result("boh", False, "")
    with pytest.raises(ValueError, match="passed=True"):
        Result("sbagliato", True, "")


# --- Registro e validazione -----------------------------------------------------------------------


def test_check_uses_the_registry(monkeypatch):
    monkeypatch.setitem(exercises.__dict__, "EXERCISES", collect([TOYS]))
    assert exercises.EXERCISES["3.1"] is SOFTMAX
    assert check("3.1", softmax).status == "giusto"
    assert check("3.1", softmax_on_columns).misconception == "asse sbagliato"


@pytest.mark.parametrize("unknown", ["9.9", 3.1, None, ["3.1"]])
def test_unknown_exercise_lists_the_known_ones(monkeypatch, unknown):
    monkeypatch.setitem(exercises.__dict__, "EXERCISES", collect([TOYS]))
    with pytest.raises(ValueError, match=r"non esiste; ci sono: 3\.1, 2\.2, 1\.1, 2\.1"):
        check(unknown, softmax)


def test_duplicate_ids_are_refused():
    with pytest.raises(ValueError, match="due esercizi con il numero 3.1"):
        collect([TOYS, (dataclasses.replace(SOFTMAX, title="Un'altra"),)])


@pytest.mark.parametrize(
    "change, words",
    [
        ({"id": "3"}, "'3'"),
        ({"id": "3.0"}, "3.0"),
        ({"id": 3.1}, "3.1"),
        ({"title": " "}, "title"),
        ({"statement": ""}, "statement"),
        ({"statement": None}, "None"),
        ({"kind": "indovina"}, "indovina"),
        ({"stars": 0}, "da 1 a 3"),
        ({"stars": True}, "True"),
        ({"stars": 4}, "4"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 2.5}, "2.5"),
        ({"reference": 3}, "reference"),
        ({"inputs": []}, "inputs"),
        ({"misconceptions": [SOFTMAX.misconceptions[0]]}, "tupla"),
        ({"misconceptions": ("a",)}, "Misconception"),
        ({"misconceptions": SOFTMAX.misconceptions[:1] * 2}, "asse sbagliato"),
        ({"properties": (rows_sum_to_one,)}, "coppia"),
        ({"properties": [1]}, "tupla"),
        ({"properties": (("", rows_sum_to_one),)}, "testo"),
        ({"properties": (("a", 3),)}, "funzione"),
        ({"rtol": -1}, "rtol"),
        ({"atol": float("nan")}, "atol"),
        ({"praise": None}, "praise"),
    ],
)
def test_exercises_are_validated(change, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        dataclasses.replace(SOFTMAX, **change)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("", softmax, "perché"), "name"),
        (("nome", 3, "perché"), "wrong"),
        (("nome", softmax, "  "), "explanation"),
    ],
)
def test_misconceptions_are_validated(arguments, words):
    with pytest.raises(ValueError, match=words):
        Misconception(*arguments)
