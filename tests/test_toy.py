"""Il modello del corso: i pesi spediti mantengono le promesse, e la traccia in NumPy è il modello in torch."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from attnkit import toy
from attnkit.attention import Causal, Full, Window
from attnkit.language import (ECHO_VOCABULARY, EXAMPLE, LONG_VOCABULARY, RECALL_VOCABULARY, VOCABULARY, batch, echo_sentences, encode,
                              long_batch, noun_pairs, recall_batch)
from attnkit.masks import causal
from attnkit.reference import multi_head_attention
from attnkit.toy import __main__ as command
from attnkit.toy import archivio


@pytest.fixture(scope="module")
def model():
    return toy.load_model()


@pytest.fixture(scope="module")
def tokens():
    return torch.from_numpy(batch(40, noun_pairs()[1], random.Random(5))[0][:, :7])


def test_the_shipped_model_solves_unseen_pairs(model):
    result = toy.evaluate(model)
    assert result.accuracy >= 0.99
    assert result.gatta >= 0.8 and result.topo >= 0.8
    assert result.mean_weight >= 0.8


def test_the_shipped_weights_are_small_and_not_pickled():
    assert {path.suffix for path in archivio.DATA.iterdir()} == {".safetensors"}
    assert (archivio.DATA / "toy.safetensors").stat().st_size < 20_000 and sum(p.stat().st_size for p in archivio.DATA.iterdir()) < 1_600_000
    shapes = {name: value.shape for name, value in toy.load_weights().items()}
    assert shapes == {"embedding": (49, 8), "position": (7, 8), "norm": (8,), "Wq": (8, 8), "Wk": (8, 8), "Wv": (8, 8),
                      "Wo": (8, 8), "final_norm": (8,), "Wout": (8, 49)}
    assert all(value.dtype == np.float64 for value in toy.load_weights().values())


def test_model_like_torch_functions(model, tokens):
    x = model.embedding[tokens] + model.position
    normed = F.rms_norm(x, (8,), model.norm, eps=1e-5)
    heads = F.scaled_dot_product_attention(normed @ model.Wq, normed @ model.Wk, normed @ model.Wv, is_causal=True)
    expected = F.rms_norm(x + heads @ model.Wo, (8,), model.final_norm, eps=1e-5) @ model.Wout
    torch.testing.assert_close(model(tokens), expected, rtol=1e-10, atol=1e-10)
    ours = torch.autograd.grad(model(tokens).pow(2).sum(), list(model.parameters()))
    theirs = torch.autograd.grad(expected.pow(2).sum(), list(model.parameters()))
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_trace_is_the_model(model, tokens):
    for row in tokens:
        trace = toy.trace(" ".join(VOCABULARY[i] for i in row))
        np.testing.assert_allclose(trace.logits, model(row[None])[0].detach().numpy(), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(trace.weights, model.weights(row[None])[0].detach().numpy(), rtol=1e-10, atol=1e-12)


def test_trace_steps_follow_from_one_another():
    t, w = toy.trace(), toy.load_weights()
    np.testing.assert_allclose(t.x, t.embedding + t.position)
    np.testing.assert_allclose(t.output, t.weights @ t.V)
    np.testing.assert_allclose(t.update, t.output @ w["Wo"])
    np.testing.assert_allclose(t.y, t.x + t.update)
    np.testing.assert_allclose(t.probabilities.sum(-1), 1)
    assert t.tokens == EXAMPLE.split() and t.prediction == "-a"
    assert t.probability("-a") == t.probabilities[-1, encode(["-a"])[0]]


@pytest.mark.parametrize("sentence, message", [
    ("la gatta insegue il topo perché affamata", "La frase ha 8 token, il modello ne legge al più 7"),
    ("", "almeno una parola"), ("la gatta vola", "'vola'"),
])
def test_trace_refuses(sentence, message):
    with pytest.raises(ValueError, match=message):
        toy.trace(sentence)


@pytest.mark.parametrize("shape", [(1, 8), (1, 0), (7,), (1, 2, 3)])
def test_the_model_refuses_other_shapes(model, shape):
    with pytest.raises(ValueError, match="da 1 a 7, ho trovato"):
        model(torch.zeros(shape, dtype=torch.long))


def test_training_learns_and_repeats(tmp_path, monkeypatch, capsys):
    first, losses = toy.train(3, steps=60, progress=False)
    second, again = toy.train(3, steps=60, progress=False)
    assert losses == again and losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters()))
    other, _ = toy.train(4, steps=1, progress=False)
    assert not torch.equal(other.Wq, first.Wq)


def few_steps(monkeypatch, *names):
    """Il comando, con pochi passi al posto di migliaia."""
    for name in names:
        whole = getattr(command, name)
        monkeypatch.setattr(command, name, lambda *args, whole=whole, **options: whole(*args, **options | {"steps": 3, "progress": False}))
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)          # vale per tutto il processo delle prove


def test_the_command_that_regenerates_the_weights(tmp_path, monkeypatch, capsys):
    few_steps(monkeypatch, "train", "learn_long", "learn_echo", "learn_recall")
    monkeypatch.setattr(command, "SEEDS", 2)
    monkeypatch.setattr(command, "RECALL_SEEDS", 2)
    shipped = {path.name: archivio._read(path.stem) for path in archivio.DATA.iterdir()}
    monkeypatch.setattr(archivio, "DATA", tmp_path)
    command.main([])
    assert "Pesi scritti in toy-due-layer-posti.safetensors" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == set(shipped)
    for name, (arrays, about) in shipped.items():                          # gli stessi nomi, le stesse shape: cambiano solo i numeri
        new, new_about = archivio._read(name.removesuffix(".safetensors"))
        assert about == new_about
        seeds = 1 if "eco" in name or "ricordo" in name else 0                                  # il primo asse conta i semi, e qui sono meno
        assert {key: (value.shape[seeds:], value.dtype) for key, value in arrays.items()} == {key: (value.shape[seeds:], value.dtype) for key, value in new.items()}
    assert [model.layers[0].attention.n_heads for model in toy.load_echoes(2)] == [2, 2]
    with pytest.raises(SystemExit):
        command.main(["gatto"])


def test_the_command_that_prints_the_spread(monkeypatch, capsys):
    few_steps(monkeypatch, "train")
    command.main(["--semi", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["seme", "0", "1", "min", "media", "max"]
    with pytest.raises(SystemExit):
        command.main(["--semi", "0"])


# più head, più layer, tagli -------------------------------------------------------------------------

@pytest.mark.parametrize("n_heads, n_layers", [(1, 1), (2, 1), (1, 3), (4, 2)])
def test_more_heads_and_more_layers_like_the_reference(tokens, n_heads, n_layers):
    model, tokens = toy.ToyTransformer(n_heads=n_heads, n_layers=n_layers, seed=2), tokens[:3, :5]
    every = model.all_weights(tokens)
    assert len(every) == n_layers and all(w.shape == (3, n_heads, 5, 5) for w in every)
    array = lambda parameter: parameter.detach().numpy()
    for b, row in enumerate(tokens):
        x = array(model.embedding)[row] + array(model.position)[:5]
        for layer, weights in zip(model.layers, every):
            W = [array(m.weight).T for m in (layer.attention.Wq, layer.attention.Wk, layer.attention.Wv, layer.attention.Wo)]
            update, expected = multi_head_attention(toy.rms_norm(x, array(layer.norm.weight)), *W, n_heads=n_heads, mask=causal(5))
            np.testing.assert_allclose(array(weights[b]), expected, rtol=1e-10, atol=1e-12)
            x = x + update
        logits = toy.rms_norm(x, array(model.final_norm)) @ array(model.Wout)
        np.testing.assert_allclose(array(model(row[None])[0]), logits, rtol=1e-10, atol=1e-10)


def test_one_head_has_one_matrix_of_weights(model, tokens):
    assert torch.equal(model.weights(tokens), model.all_weights(tokens)[0][:, 0])
    with pytest.raises(ValueError, match="1 layer e 2 head: i loro pesi li dà all_weights"):
        toy.ToyTransformer(n_heads=2).weights(tokens)
    with pytest.raises(ValueError, match="Il modello ha 3 layer: i pesi di ciascuno"):
        toy.ToyTransformer(n_layers=3).Wq
    with pytest.raises(ValueError, match="d_model=8 non è divisibile per n_heads=3"):
        toy.ToyTransformer(n_heads=3)


def test_the_first_draws_do_not_depend_on_the_shape_of_the_model():
    small, large = toy.ToyTransformer(seed=5), toy.ToyTransformer(n_heads=4, n_layers=2, seed=5)
    assert torch.equal(small.Wq, large.layers[0].attention.Wq.weight.T)
    assert not torch.equal(small.Wq, large.layers[1].attention.Wq.weight.T)


def test_the_weights_are_written_as_they_were_read(model, tmp_path):
    toy.save(model.arrays(), tmp_path / "toy.safetensors", n_heads=1)
    assert (tmp_path / "toy.safetensors").read_bytes() == (archivio.DATA / "toy.safetensors").read_bytes()


def test_training_takes_the_steps_that_made_the_shipped_weights():
    model, losses = toy.train(17, steps=3, progress=False)                 # numeri di quando il modello era scritto per esteso
    np.testing.assert_allclose(losses, [3.991367906432, 3.787521222033, 3.651051699601], rtol=1e-9)
    np.testing.assert_allclose(model.Wq.detach()[0, 0], 0.212781023234, rtol=1e-9)


def test_a_larger_model_learns():
    _, losses = toy.train(3, steps=60, n_heads=2, n_layers=2, progress=False)
    assert losses[-1] < 0.8 * losses[0]


def test_cutting_the_edge_to_the_right_noun_changes_the_answer(model):
    tokens, agrees = map(torch.from_numpy, batch(200, noun_pairs()[1], random.Random(6)))
    attention = model.layers[0].attention

    def flipped(edge_of):
        changed = []
        for noun in (1, 4):                                                # le due posizioni con cui si concorda
            sentences = tokens[agrees == noun]
            with attention.cut(edges=[(0, 6, edge_of(noun))]):
                changed += (model(sentences[:, :-1])[:, -1].argmax(-1) != sentences[:, -1]).tolist()
        return sum(changed) / len(changed)

    assert flipped(lambda noun: noun) > 0.5 and flipped(lambda noun: 5 - noun) < 0.02
    with attention.cut(heads=[0]):
        assert (model(tokens[:, :-1])[:, -1].argmax(-1) == tokens[:, -1]).double().mean() < 0.5


# gli altri modelli spediti --------------------------------------------------------------------------

def test_two_heads_of_the_same_total_width_do_better_than_one():
    every = echo_sentences()
    one, two = ([toy.accuracy(model, every) for model in toy.load_echoes(n_heads)] for n_heads in (1, 2))
    assert len(one) == len(two) == 20 and max(one) < 0.99 and sum(value == 1 for value in two) == 19
    with pytest.raises(ValueError, match="mi aspettavo 1 o 2, ho trovato 3"):
        toy.load_echoes(3)


def test_the_model_without_norms_answers_well_and_looks_elsewhere():
    result = toy.evaluate(toy.load("toy-senza-norme"))
    assert result.accuracy > 0.99 and result.topo < 0.01


def test_without_positions_longer_sentences_are_understood():
    without, placed = toy.load("toy-due-layer"), toy.load("toy-due-layer-posti")
    short, long = (long_batch(500, noun_pairs()[1], random.Random(1), adverbs=n)[0] for n in (2, 10))
    assert min(toy.accuracy(model, short) for model in (without, placed)) > 0.99
    assert toy.accuracy(without, long) > 0.99 and toy.accuracy(placed, long) < 0.8
    with pytest.raises(ValueError, match="T almeno 1, ho trovato"):
        without(torch.zeros((1, 0), dtype=torch.long))


@pytest.mark.parametrize("path", sorted(archivio.DATA.iterdir()), ids=lambda path: path.stem)
def test_a_shipped_file_says_what_it_knows(path):
    arrays, about = archivio._read(path.stem)
    vocabulary = tuple(about["vocabulary"])
    assert arrays["embedding"].shape[-2] == arrays["Wout"].shape[-1] == len(vocabulary) == len(set(vocabulary)) and about["n_heads"] >= 1
    words = {"eco": ECHO_VOCABULARY, "due-layer": LONG_VOCABULARY, "ricordo": RECALL_VOCABULARY}
    assert vocabulary == next((known for key, known in words.items() if key in path.stem), VOCABULARY)


def test_unknown_models_are_refused():
    with pytest.raises(ValueError, match="ho trovato 'gatto'"):
        toy.load("gatto")
    for width, kind, message in (("medie", "mha", "strette, larghe, ho trovato 'medie'"), ("larghe", "mla", "mha, gqa, mqa, ho trovato 'mla'")):
        with pytest.raises(ValueError, match=message):
            toy.load_recalls(width, kind)


def test_few_key_heads_are_enough_unless_heads_are_narrow():
    tokens, kinds = recall_batch(1000, np.random.default_rng(5)), ("mha", "gqa", "mqa")
    narrow, wide = ([[toy.accuracy(model, tokens) for model in toy.load_recalls(width, kind)] for kind in kinds] for width in ("strette", "larghe"))
    assert min(np.median(values) for values in wide) > 0.97
    assert np.median(narrow[0]) > np.median(narrow[1]) > np.median(narrow[2]) and min(narrow[0]) > max(narrow[2])
    for width in ("strette", "larghe"):
        assert len({sum(p.numel() for p in model.parameters()) for kind in kinds for model in toy.load_recalls(width, kind)}) == 1


def test_who_reaches_the_subject_answers():
    tokens, agrees = batch(600, noun_pairs()[1], random.Random(3))
    for name, (low, high) in {"finestre": (0, 0.6), "un-sink": (0.5, 0.75), "due-sink": (0.98, 1), "finestre-larghe": (0.98, 1), "una-globale": (0.98, 1),
                              "riassunti": (0.98, 1)}.items():
        for model in toy.load_sparse(name):
            assert tuple(layer.attention.pattern for layer in model.layers) == toy.SPARSE[name]
            assert low <= toy.accuracy(model, tokens[agrees == 1]) <= high and toy.accuracy(model, tokens[agrees == 4]) > 0.98
    with pytest.raises(ValueError, match="finestre, .* ho trovato 'nessuno'"):
        toy.load_sparse("nessuno")


def test_a_pattern_for_each_layer():
    model = toy.ToyTransformer(n_layers=2, pattern=[Window(2), Causal()])
    assert [layer.attention.pattern for layer in model.layers] == [Window(2), Causal()]
    with pytest.raises(ValueError, match="n_layers=3, ne ho trovati 2"):
        toy.ToyTransformer(n_layers=3, pattern=[Window(2), Causal()])


@pytest.mark.parametrize("shape", [{}, dict(positions=False), dict(norm=False), dict(n_layers=2, n_heads=4, positions=False)])
def test_a_copied_model_is_the_same_model(tokens, shape):
    first, second = toy.ToyTransformer(seed=1, **shape), toy.ToyTransformer(seed=2, **shape)
    assert not torch.equal(first(tokens), second(tokens))
    assert torch.equal(second.copy_from(first.arrays())(tokens), first(tokens))
    with pytest.raises(ValueError, match="Mi aspettavo i pesi embedding, .* ho trovato Wout$"):
        first.copy_from({"Wout": first.Wout})
    with pytest.raises(ValueError, match=r"embedding: mi aspettavo shape \(49, 8\), ho trovato \(1, 8\)"):
        first.copy_from(first.arrays() | {"embedding": np.zeros((1, 8))})


def test_a_pattern_and_no_positions_change_what_the_model_sees(tokens):
    blind = toy.ToyTransformer(pattern=Full(), positions=False)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(blind(tokens[:, order]), blind(tokens)[:, order], rtol=1e-10, atol=1e-10)
    assert not torch.allclose(toy.ToyTransformer(positions=False)(tokens[:, order]), toy.ToyTransformer(positions=False)(tokens)[:, order])
    assert (blind.weights(tokens)[:, 0, 1:] > 0).all()


def test_learning_can_be_watched():
    seen = []
    model, losses = toy.train(3, steps=4, progress=False, watch=lambda step, model: seen.append((step, model.Wq[0, 0].item())))
    assert [step for step, _ in seen] == [0, 1, 2, 3, 4] and len({value for _, value in seen}) == 5
    assert len(losses) == 4 and seen[-1][1] == model.Wq[0, 0].item()


def test_the_arrays_of_a_model_are_copies():
    model = toy.ToyTransformer()
    before = model.arrays()
    before["embedding"].fill(0)
    assert (model.arrays()["embedding"] != 0).any()


@pytest.mark.parametrize("tokens, words", [
    (torch.tensor([[-1]]), "tokens: mi aspettavo numeri da 0 a 48, ho trovato -1"),
    (torch.tensor([[99]]), "tokens: mi aspettavo numeri da 0 a 48, ho trovato 99"),
    (torch.tensor([[1.0]]), "tokens: mi aspettavo interi torch, ho trovato torch.float32"),
    (torch.tensor([[1]], dtype=torch.uint8), "tokens: mi aspettavo interi torch, ho trovato torch.uint8"),
    ([[1]], "tokens: mi aspettavo interi torch, ho trovato list"),
    (torch.zeros(0, 3, dtype=torch.int64), r"tokens: mi aspettavo shape \(B, T\)"),
])
def test_the_toy_model_explains_the_tokens_it_does_not_know(tokens, words):
    with pytest.raises(ValueError, match=words):
        toy.ToyTransformer()(tokens)
