"""Rigenera i pesi che viaggiano con il pacchetto, o stampa quanto variano da un seme all'altro."""

import argparse
import random
from dataclasses import astuple, fields

import numpy as np
import torch
from tqdm import tqdm

from attnkit.language import ECHO_VOCABULARY, LONG_VOCABULARY, RECALL_VOCABULARY, VOCABULARY, batch, echo_sentences, long_batch, noun_pairs, recall_batch
from attnkit.toy import archivio
from attnkit.toy.addestramento import SHIPPED_SEED, Evaluation, accuracy, evaluate, learn, train
from attnkit.toy.modello import ToyTransformer

SEEDS = 20                                                  # semi, per ciascun numero di head
LONGEST = 20                                                  # i posti che un modello con posizioni può vedere
TRAINING_ADVERBS = 3                                          # al più, in una frase di addestramento


def esempio():
    """Il modello d'esempio."""
    model, _ = train(SHIPPED_SEED)
    _write("toy", model)
    print(evaluate(model))


def senza_norme():
    """Lo stesso modello senza norme, nato con embedding grandi: risponde bene, ma i pesi non lo raccontano."""
    model, _ = train(SHIPPED_SEED, norm=False, embedding_std=0.5)
    _write("toy-senza-norme", model)
    print(evaluate(model))


def learn_long(seed, *, positions, steps=2000, progress=True, n_heads=2, n_layers=2, d_model=16):
    """Addestra un modello sulle frasi con qualche avverbio; ogni blocco ha frasi di una lunghezza."""
    model = ToyTransformer(d_model, LONGEST, words=len(LONG_VOCABULARY), n_heads=n_heads, n_layers=n_layers, positions=positions, seed=seed)
    rng, pairs = random.Random(seed), noun_pairs()[0]
    learn(model, lambda: long_batch(64, pairs, rng, adverbs=rng.randint(0, TRAINING_ADVERBS))[0], steps=steps, progress=progress)
    return model


def due_layer():
    """Due layer da due head, con e senza posizioni."""
    for name, positions in (("toy-due-layer", False), ("toy-due-layer-posti", True)):
        model = learn_long(SHIPPED_SEED, positions=positions)
        _write(name, model, LONG_VOCABULARY, dtype=np.float32)
        print([round(accuracy(model, long_batch(500, noun_pairs()[1], random.Random(0), adverbs=n)[0]), 3) for n in (0, 3, 6, 10)])


def learn_echo(seed, n_heads, *, steps=2000, progress=True):
    """Addestra un modello su l'eco, con frasi prese a caso fra tutte."""
    model, rng, every = ToyTransformer(words=len(ECHO_VOCABULARY), n_heads=n_heads, seed=seed), np.random.default_rng(seed), echo_sentences()
    learn(model, lambda: every[rng.integers(len(every), size=64)], steps=steps, progress=progress)
    return model


RECALL_D, RECALL_SEEDS = 16, 10
RECALL_HEADS = {                                              # query head e head di key: in tutti e sei gli stessi parametri
    "strette": {"mha": (8, 8), "gqa": (12, 4), "mqa": (15, 1)},
    "larghe": {"mha": (4, 4), "gqa": (6, 2), "mqa": (7, 1)},
}
RECALL_WIDTHS = {"strette": 2, "larghe": 4}                   # la larghezza di una head


def learn_recall(seed, width, kind, *, steps=2000, progress=True):
    """Addestra un modello a ritrovare un colore in un elenco."""
    n_heads, n_kv_heads = RECALL_HEADS[width][kind]
    model = ToyTransformer(RECALL_D, 9, words=len(RECALL_VOCABULARY), n_heads=n_heads, n_kv_heads=n_kv_heads, head_dim=RECALL_WIDTHS[width], seed=seed)
    rng = np.random.default_rng(seed)
    learn(model, lambda: recall_batch(64, rng), steps=steps, progress=progress)
    return model


def recall(width, kind):
    """Dieci semi di un tipo."""
    seeds = tqdm(range(RECALL_SEEDS), desc=f"ricordo, head {width}, {kind}", leave=False)
    models = [learn_recall(seed, width, kind, progress=False) for seed in seeds]
    n_heads, n_kv_heads = RECALL_HEADS[width][kind]
    archivio.save(_stacked(models, np.float16), archivio.DATA / f"toy-ricordo-{width}-{kind}.safetensors", n_heads=n_heads,
                  n_kv_heads=n_kv_heads, head_dim=RECALL_WIDTHS[width], vocabulary=RECALL_VOCABULARY)
    print(width, kind, np.sort([accuracy(model, recall_batch(2000, np.random.default_rng(0))) for model in models]).round(3))


def ricordo():
    """MHA, GQA e MQA, con head strette e con head larghe."""
    for width, kinds in RECALL_HEADS.items():
        for kind in kinds:
            recall(width, kind)


def eco():
    """Venti semi per una head, e gli stessi venti per due."""
    for n_heads in (1, 2):
        models = [learn_echo(seed, n_heads, progress=False) for seed in tqdm(range(SEEDS), desc=f"eco, {n_heads} head", leave=False)]
        archivio.save(_stacked(models, np.float32), archivio.DATA / f"toy-eco-{n_heads}.safetensors", n_heads=n_heads, vocabulary=ECHO_VOCABULARY)
        print(f"{n_heads} head:", np.sort([accuracy(model, echo_sentences()) for model in models]).round(3))


def sparso(*names):
    """Due layer, con i pattern di SPARSE: chi arriva al soggetto, e chi no."""
    for name in names or archivio.SPARSE:
        seeds = tqdm(range(5), desc=f"sparso, {name}", leave=False)
        models = [train(seed, progress=False, n_layers=2, pattern=archivio.SPARSE[name])[0] for seed in seeds]
        archivio.save(_stacked(models, np.float32), archivio.DATA / f"toy-sparso-{name}.safetensors", n_heads=1)
        tokens, agrees = batch(2000, noun_pairs()[1], random.Random(0))
        print(name, {noun: [round(accuracy(model, tokens[agrees == place]), 3) for model in models] for noun, place in (("soggetto", 1), ("oggetto", 4))})


RECIPES = {"esempio": esempio, "senza-norme": senza_norme, "due-layer": due_layer, "eco": eco, "ricordo": ricordo, "sparso": sparso}


def _stacked(models, dtype):
    """I pesi di più modelli, uno per seme lungo il primo asse."""
    return {name: np.stack([model.arrays()[name] for model in models]).astype(dtype) for name in models[0].arrays()}


def _write(name, model, vocabulary=VOCABULARY, dtype=np.float64):
    arrays = {key: array.astype(dtype) for key, array in model.arrays().items()}
    archivio.save(arrays, archivio.DATA / f"{name}.safetensors", n_heads=model.layers[0].attention.n_heads, vocabulary=vocabulary)
    print(f"Pesi scritti in {name}.safetensors")


def spread(seeds):
    """Addestra un modello per seme e stampa quanto variano i risultati."""
    results = [evaluate(train(seed, progress=False)[0]) for seed in tqdm(range(seeds), desc="semi", leave=False)]
    names = [field.name for field in fields(Evaluation)]
    print("seme  " + "  ".join(f"{name:>11}" for name in names))
    for seed, result in enumerate(results):
        print(f"{seed:4d}  " + "  ".join(f"{value:11.3f}" for value in astuple(result)))
    table = np.array([astuple(result) for result in results])
    for label, summary in (("min", table.min(0)), ("media", table.mean(0)), ("max", table.max(0))):
        print(f"{label:>5} " + "  ".join(f"{value:11.3f}" for value in summary))


def main(arguments=None):
    """La riga di comando."""
    parser = argparse.ArgumentParser(prog="python -m attnkit.toy", description="Riaddestra i modelli del corso e ne riscrive i pesi.")
    parser.add_argument("modelli", nargs="*", metavar="modello", help=f"quali: {', '.join(RECIPES)}; senza nomi, tutti")
    parser.add_argument("--semi", type=int, metavar="N", help="addestra N modelli d'esempio e stampa la dispersione, senza scrivere nulla")
    options = parser.parse_args(arguments)
    unknown = set(options.modelli) - set(RECIPES)
    if unknown:
        parser.error(f"mi aspettavo nomi fra {', '.join(RECIPES)}, ho trovato {', '.join(sorted(unknown))}")
    if options.semi is not None and options.semi < 1:
        parser.error(f"--semi: mi aspettavo almeno 1, ho trovato {options.semi}")
    torch.set_num_threads(1)                                  # matrici minuscole: più thread rallentano
    if options.semi is not None:
        return spread(options.semi)
    for name in options.modelli or RECIPES:
        RECIPES[name]()


if __name__ == "__main__":
    main()
