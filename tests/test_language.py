"""La mini-lingua: frasi che concordano, coppie di prova mai viste, parole sconosciute rifiutate."""

import collections
import random
import unicodedata

import numpy as np
import pytest

from attnkit import language
from attnkit.language import (COLORS, RECALL_VOCABULARY, REMEMBERED, recall_batch,
                              ADVERBS, ANIMALS, ARTICLES, ENDINGS, EXAMPLE, FORM, ECHO_VOCABULARY, LONG_VOCABULARY, NEUTRAL, STEMS,
                              VERBS, VOCABULARY, batch, encode, echo_sentences, long_batch, noun_pairs, sample, split_words,
                              surprise_floor)

SUBJECT_STEMS, OBJECT_STEMS = STEMS[1], STEMS[4]


def test_the_vocabulary_is_about_fifty_different_words():
    assert len(set(VOCABULARY)) == len(VOCABULARY) == 49


def test_a_word_can_be_split_into_stem_and_ending():
    assert split_words("La gatta insegue il topo perché affamata") == [*EXAMPLE.split(), "-a"]
    assert split_words(EXAMPLE) == EXAMPLE.split()


@pytest.mark.parametrize("sentence, message", [
    ("", "almeno una parola"), ("   ", "almeno una parola"), (None, "ho trovato None"),
    ("la gatta morde il topo", "non conosce la parola 'morde'"), ("la gattina", "'gattina'"), ("la -", "'-'"),
])
def test_unknown_sentences_are_refused(sentence, message):
    with pytest.raises(ValueError, match=message):
        split_words(sentence)


def test_encode_is_the_place_in_the_vocabulary():
    assert [VOCABULARY[i] for i in encode(EXAMPLE.split())] == EXAMPLE.split()
    with pytest.raises(ValueError, match="fuori dal vocabolario: 'elefante'"):
        encode(["la", "elefante"])


def test_noun_pairs_do_not_overlap_and_keep_the_example_for_the_test():
    train, test = noun_pairs()
    assert not set(train) & set(test) and ("gatta", "topo") in test
    assert len(train) + len(test) == 24 * 23 and abs(len(test) / 552 - 0.2) < 0.001
    assert noun_pairs() == (train, test)


def test_every_sentence_agrees():
    rng, pairs = random.Random(1), noun_pairs()[0]
    hidden = 0
    for _ in range(2000):
        tokens, agrees = sample(pairs, rng)
        first, subject, verb, second, object_, why, stem, ending = tokens
        assert (subject, object_) in pairs and why == "perché"
        assert agrees == (1 if stem in SUBJECT_STEMS else 4) and stem in STEMS[agrees]
        assert ending == ENDINGS[FORM[tokens[agrees]]]
        assert verb in VERBS[FORM[subject][1]]
        for determiner, noun in ((first, subject), (second, object_)):
            assert determiner == ARTICLES[FORM[noun]] or determiner in NEUTRAL[FORM[noun][1]]
            hidden += determiner != ARTICLES[FORM[noun]]
    assert abs(hidden / 4000 - 0.7) < 0.03


def test_a_batch_is_reproducible():
    pairs = noun_pairs()[0]
    tokens, agrees = batch(5, pairs, random.Random(3))
    again, _ = batch(5, pairs, random.Random(3))
    assert tokens.shape == (5, 8) and agrees.shape == (5,)
    np.testing.assert_array_equal(tokens, again)


def test_every_echo_repeats_the_two_nouns_in_the_order_asked():
    every = echo_sentences()
    assert every.shape == (12 * 11 * 4 * 2 * 9, 7) and len(np.unique(every[:, :6], axis=0)) == len(every)
    assert len(ANIMALS) == len(set(ANIMALS)) == 12 and len(ECHO_VOCABULARY) == len(set(ECHO_VOCABULARY))
    for row in every[::37]:
        first, subject, verb, second, object_, order, answer = (ECHO_VOCABULARY[i] for i in row)
        assert answer == (f"{subject}·{object_}" if order == "avanti" else f"{object_}·{subject}") and verb in VERBS["s"]
        assert first in (ARTICLES[FORM[subject]], *NEUTRAL["s"]) and second in (ARTICLES[FORM[object_]], *NEUTRAL["s"])


@pytest.mark.parametrize("adverbs", [0, 1, 4])
def test_a_long_sentence_is_a_sentence_with_adverbs(adverbs):
    pairs = noun_pairs()[0]
    tokens, agrees = long_batch(50, pairs, random.Random(2), adverbs=adverbs)
    assert tokens.shape == (50, 8 + adverbs) and len(ADVERBS) == 8
    for row, place in zip(tokens, agrees):
        words = [LONG_VOCABULARY[i] for i in row]
        plain = [word for word in words if word not in ADVERBS]
        assert len(plain) == 8 and words[-1] == ENDINGS[FORM[words[place]]]
        assert words[place] == plain[1 if plain[6] in SUBJECT_STEMS else 4]
        det, noun, verb, det2, noun2 = (words.index(word) for word in plain[:5]) if len(set(plain[:5])) == 5 else (0, 1, 2, 3, 4)
        assert noun == det + 1 and noun2 == det2 + 1 or len(set(plain[:5])) < 5      # mai un avverbio fra determinante e nome
        assert words[-2] == plain[6]


def test_a_word_unknown_to_one_vocabulary_may_belong_to_another():
    assert split_words("oggi la gatta insegue", LONG_VOCABULARY) == ["oggi", "la", "gatta", "insegue"]
    with pytest.raises(ValueError, match="'oggi'"):
        split_words("oggi la gatta")
    assert LONG_VOCABULARY[encode(["oggi"], LONG_VOCABULARY)[0]] == "oggi"


def test_the_floor_is_what_a_perfect_reader_pays():
    pairs = noun_pairs()[0][:40]
    tokens, _ = batch(60_000, pairs, random.Random(4))
    floor = surprise_floor(pairs)
    assert floor.shape == (7,) and floor[4] == pytest.approx(0, abs=1e-9) and floor[6] == pytest.approx(0, abs=1e-9)
    assert floor[1] == pytest.approx(np.log(4)) and floor[5] == pytest.approx(np.log(4))
    for place in (0, 2):                                      # la sorpresa media di chi conta le frasi stesse
        prefixes = collections.Counter(tuple(row) for row in tokens[:, :place + 1].tolist())
        longer = collections.Counter(tuple(row) for row in tokens[:, :place + 2].tolist())
        counted = -sum(n * np.log(n / prefixes[row[:-1]]) for row, n in longer.items()) / len(tokens)
        assert counted == pytest.approx(floor[place], abs=0.05), place


@pytest.mark.parametrize("animals, items", [(12, 8), (24, 8), (3, 3), (5, 1)])
def test_the_answer_of_a_recall_is_in_the_list(animals, items):
    rows = recall_batch(50, np.random.default_rng(0), animals=animals, items=items)
    assert rows.shape == (50, items + 2) and len(RECALL_VOCABULARY) == len(set(RECALL_VOCABULARY)) == 24 * 6 + 24 + 6
    for row in rows:
        *listed, question, answer = (RECALL_VOCABULARY[i] for i in row)
        colors = dict(word.split(":") for word in listed)
        assert len(colors) == items and set(colors) <= set(REMEMBERED[:animals]) and answer in COLORS
        assert colors[question.removesuffix("?")] == answer


@pytest.mark.parametrize("animals, items", [(25, 8), (3, 4), (5, 0)])
def test_a_list_needs_enough_animals(animals, items):
    with pytest.raises(ValueError, match=f"items={items} e animals={animals}"):
        recall_batch(1, np.random.default_rng(0), animals=animals, items=items)


def test_the_sentence_of_a_mac_is_the_same_sentence():
    """Su macOS «é» arriva spesso in due segni, la lettera e l'accento: si legge uguale, e dev'essere la stessa parola."""
    assert language.split_words(unicodedata.normalize("NFD", language.EXAMPLE)) == language.split_words(language.EXAMPLE)


@pytest.mark.parametrize("neutral", [0, 1])
def test_the_floor_exists_at_both_ends(neutral):
    assert np.isfinite(language.surprise_floor(language.noun_pairs()[0], neutral=neutral)).all()


def test_a_vocabulary_can_be_a_list():
    tokens = language.split_words(language.EXAMPLE)
    assert np.array_equal(language.encode(tokens, list(language.VOCABULARY)), language.encode(tokens))
