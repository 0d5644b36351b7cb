"""I modelli addestrati che viaggiano con il pacchetto, in safetensors: numeri e basta, nessun codice da eseguire.

Ogni file dice di sé, nella voce `attnkit` dei metadati, quante head ha il modello e quali token conosce; il resto si
legge dalle shape.
I nomi e l'orientamento dei pesi sono quelli di `ToyTransformer.arrays`.

=============================  ==================================================
toy.safetensors                l'esempio del corso: un layer, una head, D = 8
toy-senza-norme.safetensors    lo stesso, senza norme e con embedding grandi
toy-due-layer.safetensors      due layer da due head, D = 16, senza posizioni
toy-due-layer-posti…           lo stesso, con le posizioni
toy-eco-1.safetensors          venti semi, una head: ripetere due nomi
toy-eco-2.safetensors          venti semi, due head
=============================  ==================================================
"""

import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from attnkit.language import VOCABULARY
from attnkit.shapes import positive_int
from attnkit.toy.modello import ToyTransformer

DATA = Path(__file__).parent.parent / "data"
SHIPPED = ("toy", "toy-senza-norme", "toy-due-layer", "toy-due-layer-posti")


def load_weights():
    """I pesi del modello d'esempio.

    Returns:
        Un dizionario di array float64: `embedding` (parole, 8), `position` (7, 8), `Wq`, `Wk`, `Wv`,
        `Wo` (8, 8), `norm` e `final_norm` (8,), `Wout` (8, parole).

    Si usa dal capitolo 1.
    """
    return _read("toy")[0]


def load_model():
    """Il modello d'esempio, pronto in torch: un `ToyTransformer` con i pesi di `load_weights`."""
    return load("toy")


def load(name):
    """Uno dei modelli spediti, pronto in torch.

    Args:
        name: il nome del file, senza estensione: "toy", "toy-senza-norme", "toy-due-layer", "toy-due-layer-posti".

    Returns:
        Un `ToyTransformer`.

    Raises:
        ValueError: se il modello non c'è.

    Si usa nel capitolo 6.
    """
    if name not in SHIPPED:
        raise ValueError(f"name: mi aspettavo uno fra {', '.join(SHIPPED)}, ho trovato {name!r}")
    arrays, n_heads, _ = _read(name)
    return _model(arrays, n_heads)


def load_echoes(n_heads):
    """I venti modelli, ciascuno nato da un seme, che imparano a ripetere due nomi.

    Args:
        n_heads: quante head ha il loro layer, 1 o 2; la larghezza è sempre 8.

    Returns:
        Una lista di venti `ToyTransformer`.

    Raises:
        ValueError: se con quelle head non ce ne sono.

    Si usa nel capitolo 5.
    """
    if positive_int("n_heads", n_heads) > 2:
        raise ValueError(f"n_heads: mi aspettavo 1 o 2, ho trovato {n_heads}")
    arrays, n_heads, _ = _read(f"toy-eco-{n_heads}")
    return [_model({name: array[seed] for name, array in arrays.items()}, n_heads) for seed in range(len(arrays["embedding"]))]


def save(arrays, path, *, n_heads, vocabulary=VOCABULARY):
    """Scrive i pesi di un modello, con ciò che serve per rileggerli.

    Args:
        arrays: i pesi, come li dà `ToyTransformer.arrays`.
        path: il file da scrivere.
        n_heads: quante head per layer.
        vocabulary: i token, nell'ordine dei loro numeri.
    """
    about = json.dumps({"n_heads": n_heads, "vocabulary": vocabulary}, ensure_ascii=False)
    save_file(arrays, path, metadata={"attnkit": about})      # una voce sola: di più, e il loro ordine cambierebbe a ogni scrittura


def _read(name):
    """Pesi, numero di head e vocabolario di un file."""
    with safe_open(DATA / f"{name}.safetensors", framework="numpy") as file:
        arrays = {key: file.get_tensor(key) for key in file.keys()}
        about = json.loads(file.metadata()["attnkit"])
    return arrays, about["n_heads"], tuple(about["vocabulary"])


def _model(arrays, n_heads):
    """Il modello che ha quei pesi: la forma si legge dagli array."""
    words, d_model = arrays["embedding"].shape
    positions = "position" in arrays
    model = ToyTransformer(d_model, len(arrays["position"]) if positions else 1, words=words, n_heads=n_heads, positions=positions,
                           n_layers=sum(name.endswith("Wq") for name in arrays), norm="final_norm" in arrays)
    return model.copy_from({name: arrays[name].astype(np.float64) for name in model.arrays()})
