"""Ogni esercizio mantiene ciò che promette: il riferimento passa, ogni errore noto è chiamato per nome."""

import numpy as np
import pytest
import torch

from attnkit.exercises import EXERCISES, autoverifica, check

ALL = [pytest.param(exercise, id=exercise.id) for exercise in EXERCISES.values()]
MISTAKES = [pytest.param(exercise, mistake, id=f"{exercise.id} {mistake.name}")
            for exercise in EXERCISES.values() for mistake in exercise.misconceptions]


@pytest.mark.parametrize("exercise", ALL)
def test_the_reference_passes(exercise):
    result = check(exercise.id, exercise.reference)
    assert result.passed and result.status == "giusto", result.message
    autoverifica(exercise)


@pytest.mark.parametrize("exercise, mistake", MISTAKES)
def test_each_misconception_is_named_and_explained(exercise, mistake):
    result = check(exercise.id, mistake.wrong)
    assert not result.passed and result.status == "sbagliato"
    assert result.misconception == mistake.name
    squeeze = "".join(result.message.split())
    assert "".join(mistake.explanation.split()) in squeeze


@pytest.mark.parametrize("exercise", ALL)
def test_an_untouched_stub_is_to_be_completed(exercise):
    def stub(*arguments):
        """Da scrivere."""
        raise NotImplementedError

    assert check(exercise.id, stub).status == "da completare"


@pytest.mark.parametrize("chapter", sorted({id.split(".")[0] for id in EXERCISES}))
def test_every_chapter_has_the_kinds_it_must_have(chapter):
    exercises = [exercise for id, exercise in EXERCISES.items() if id.split(".")[0] == chapter]
    assert len(exercises) >= 4
    assert {"prevedi", "trova il bug"} <= {exercise.kind for exercise in exercises}
    assert [exercise.id for exercise in exercises] == [f"{chapter}.{n + 1}" for n in range(len(exercises))]
    assert all(len(exercise.misconceptions) >= 3 for exercise in exercises)


def test_no_constant_answers_a_question_with_inputs():
    for exercise in EXERCISES.values():
        inputs = exercise.inputs(np.random.default_rng(0))
        if inputs[0]:
            first = exercise.reference(*inputs[0])
            assert not check(exercise.id, lambda *arguments: first).passed, exercise.id


def rows_by_hand(tabella):
    return [[value / sum(row) for value in row] for row in tabella.tolist()]


def projection_by_hand(X, W):
    return [[sum(x * w for x, w in zip(row, column)) for column in W.T] for row in X]


@pytest.mark.parametrize("id, answer", [
    ("1.4", lambda pesi: np.array([divmod(int((pesi - 2 * np.eye(len(pesi))).argmax()), len(pesi))]).ravel()),
    ("1.5", lambda pesi, V: [sum((p * v) ** 2 for v in row) ** 0.5 for p, row in zip(pesi, V)]),
    ("1.5", lambda pesi, V: (torch.from_numpy(pesi)[:, None] * torch.from_numpy(V)).norm(dim=1)),
    ("1.2", rows_by_hand),
    ("1.2", lambda tabella: (tabella / tabella.sum(-1)[:, None]).astype(np.float32)),
    ("2.1", lambda T, D, Dh: {"pesi": [T, T], "Q": torch.Size([T, Dh]), "Wq": [D, Dh], "X": (T, D)}),
    ("2.2", projection_by_hand),
    ("2.2", lambda X, W: np.einsum("td,dh->th", X, W)),
    ("2.2", lambda X, W: torch.nn.functional.linear(torch.from_numpy(X), torch.from_numpy(W.T)).requires_grad_()),
    ("2.5", lambda uscita, ordine: np.stack([uscita[i] for i in ordine])),
    ("2.4", lambda X, Wq, Wk, Wv: [np.float32(X @ W) for W in (Wq, Wk, Wv)]),
    ("2.6", lambda parole, T, D, Dh: sum(np.prod(s) for s in [(parole, D), (T, D), (D,), (D,), (D, Dh), (D, Dh), (D, Dh), (Dh, D), (D, parole)])),
])
def test_right_answers_in_another_style_are_accepted(id, answer):
    result = check(id, answer)
    assert result.passed, result.message


def test_the_parameters_counted_are_those_of_the_course_model():
    from attnkit.language import VOCABULARY
    from attnkit.toy import load_weights
    assert EXERCISES["2.6"].reference(len(VOCABULARY), 7, 8, 8) == sum(value.size for value in load_weights().values())


@pytest.mark.parametrize("sentence, noun, letter", [("tre volpi cercano ogni rana perché gustos-", "rana", "-a")])
def test_the_model_agrees_with_the_prediction_asked(sentence, noun, letter):
    from attnkit.toy import trace
    result = trace(sentence)
    assert result.tokens[int(result.weights[-1].argmax())] == noun and result.prediction == letter
    assert check("1.1", (noun, letter)).passed and check("1.1", (noun, letter.strip("-"))).passed


def test_a_prediction_is_not_given_away_by_its_first_mistake():
    result = check("2.3", {"X": True, "Wq": True, "Q": False, "pesi": True, "Wo": False})
    assert result.misconception is None and "3 su 5" in result.message
    assert not any(f"«{key}»" in result.message for key in ("X", "Wq", "Q", "pesi", "Wo"))
