"""Il ciclo di addestramento, e la prova su ciò che il modello non ha mai visto."""

import random
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from attnkit.language import EXAMPLE, batch, encode, noun_pairs
from attnkit.toy.modello import ToyTransformer

SHIPPED_SEED = 17                                             # uno in cui i pesi piccoli si vedono


def learn(model, sentences, *, steps=2000, progress=True, watch=None):
    """Addestra un modello a indovinare il token che segue.

    L'ultimo token, il finale, pesa cinque volte un altro. Il weight decay tiene piccole le matrici che
    portano il contenuto, così conviene guardare con decisione il token giusto.

    Args:
        model: un `ToyTransformer`; i suoi pesi cambiano sul posto.
        sentences: una funzione senza argomenti che dà ogni volta un blocco di frasi nuove, interi (B, T + 1).
        steps: quanti passi di AdamW.
        progress: se mostrare la barra di avanzamento.
        watch: una funzione (passo, modello) da chiamare prima di ogni passo, e una volta alla fine.

    Returns:
        La loss a ogni passo, una lista.

    Fonte:
        Loshchilov e Hutter 2019, arXiv 1711.05101, per AdamW. Si costruisce nel capitolo 6.
    """
    content = [model.Wout] + [linear.weight for layer in model.layers for linear in (layer.attention.Wv, layer.attention.Wo)]
    others = [p for p in model.parameters() if not any(p is c for c in content)]
    optimizer = torch.optim.AdamW([{"params": content, "weight_decay": 0.3},
                                   {"params": others, "weight_decay": 0.0}], lr=0.01)
    losses = []
    with _one_thread():
        for step in tqdm(range(steps), desc="addestramento", leave=False, disable=not progress):
            if watch:
                watch(step, model)
            tokens = torch.as_tensor(sentences())
            logits = model(tokens[:, :-1])
            loss_per_token = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")     # (B, T)
            importance = torch.ones(loss_per_token.shape[1], dtype=torch.float64)
            importance[-1] = 5.0
            loss = (loss_per_token * importance).sum(1).mean() / importance.sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)                                       # nessun passo troppo lungo
            optimizer.step()
            losses.append(loss.item())
    if watch:
        watch(steps, model)
    return losses


@contextmanager
def _one_thread():
    """Con matrici minuscole più thread rallentano, e su una macchina occupata di molto."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(seed=SHIPPED_SEED, *, steps=2000, batch_size=64, progress=True, watch=None, **shape):
    """Addestra da capo un modello sulla mini-lingua: pochi secondi su un core.

    Args:
        seed: da dove parte il caso, sia per i pesi iniziali sia per le frasi.
        steps, progress, watch: come in `learn`.
        batch_size: quante frasi per passo.
        shape: com'è fatto il modello, come in `ToyTransformer`: n_heads, n_layers, pattern, positions…

    Returns:
        La coppia (modello, loss a ogni passo).

    Si usa nel capitolo 6.
    """
    model, rng, pairs = ToyTransformer(seed=seed, **shape), random.Random(seed), noun_pairs()[0]
    return model, learn(model, lambda: batch(batch_size, pairs, rng)[0], steps=steps, progress=progress, watch=watch)


@torch.no_grad()
def accuracy(model, tokens):
    """Quante frasi il modello completa con il finale giusto.

    Args:
        model: un `ToyTransformer`.
        tokens: frasi intere, finale compreso, interi (B, T + 1).

    Returns:
        Una frazione, da 0 a 1.
    """
    tokens = torch.as_tensor(tokens)
    return (model(tokens[:, :-1])[:, -1].argmax(-1) == tokens[:, -1]).double().mean().item()


@dataclass(frozen=True)
class Evaluation:
    """Com'è andata sulle coppie mai viste: risposte giuste e peso sul nome giusto."""

    accuracy: float          # frazione di finali giusti
    mean_weight: float       # peso medio dato al nome con cui il finale concorda
    min_weight: float        # il più basso
    gatta: float             # il peso di `affamat-` su `gatta`, nella frase dell'esempio
    topo: float              # il peso di `appetitos-` su `topo`


@torch.no_grad()
def evaluate(model, *, sentences=2000):
    """Prova un modello su frasi con coppie di nomi mai viste in addestramento.

    Args:
        model: un `ToyTransformer` con un layer e una head.
        sentences: quante frasi.

    Returns:
        Una `Evaluation`.

    Si usa nel capitolo 6.
    """
    tokens, agrees = map(torch.from_numpy, batch(sentences, noun_pairs()[1], random.Random(0)))
    weight = model.weights(tokens[:, :-1])[torch.arange(sentences), -1, agrees]
    example = EXAMPLE.split()[:-1]
    pair = torch.from_numpy(np.stack([encode([*example, "affamat-"]), encode([*example, "appetitos-"])]))
    last = model.weights(pair)[:, -1]
    return Evaluation(accuracy(model, tokens), weight.mean().item(), weight.min().item(), last[0, 1].item(), last[1, 4].item())
