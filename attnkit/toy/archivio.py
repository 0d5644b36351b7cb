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
toy-ricordo-…-….safetensors    dieci semi: head strette o larghe; mha, gqa o mqa
toy-sparso-….safetensors       cinque semi, due layer: i pattern di SPARSE
=============================  ==================================================
"""

import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from attnkit.attention import Causal, Fixed, Window
from attnkit.language import VOCABULARY
from attnkit.shapes import positive_int
from attnkit.toy.modello import ToyTransformer

DATA = Path(__file__).parent.parent / "data"
SPARSE = {                                                    # i pattern del primo e del secondo layer
    "finestre": (Window(3), Window(3)),
    "finestre-larghe": (Window(4), Window(4)),
    "una-globale": (Window(3), Causal()),
    "un-sink": (Window(3, sinks=1), Window(3, sinks=1)),
    "due-sink": (Window(3, sinks=2), Window(3, sinks=2)),
    "riassunti": (Fixed(2), Fixed(2)),
}
RECALLS = ("strette", "larghe"), ("mha", "gqa", "mqa")
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
    arrays, about = _read(name)
    return _model(arrays, about)


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
    return _several(f"toy-eco-{n_heads}")


def load_recalls(width, kind):
    """I dieci modelli, ciascuno nato da un seme, che ritrovano un colore in un elenco.

    Args:
        width: "strette" (head larghe 2) o "larghe" (4); i vettori del modello sono sempre larghi 16.
        kind: "mha", "gqa" o "mqa". Query head e head di key sono 8 e 8, 12 e 4, 15 e 1 se strette; 4 e 4, 6 e 2,
            7 e 1 se larghe: tutti con gli stessi parametri.

    Returns:
        Una lista di dieci `ToyTransformer`.

    Raises:
        ValueError: se un nome non è fra quelli.

    Si usa nel capitolo 7.
    """
    for found, known in zip((width, kind), RECALLS):
        if found not in known:
            raise ValueError(f"Mi aspettavo uno fra {', '.join(known)}, ho trovato {found!r}")
    return _several(f"toy-ricordo-{width}-{kind}")


def load_sparse(name):
    """I cinque modelli a due layer, ciascuno nato da un seme, che leggono la mini-lingua con certi pattern.

    Args:
        name: quali pattern, fra quelli di `SPARSE`.

    Returns:
        Una lista di cinque `ToyTransformer`.

    Raises:
        ValueError: se il nome non è fra quelli.

    Si usa nel capitolo 8.
    """
    if name not in SPARSE:
        raise ValueError(f"name: mi aspettavo uno fra {', '.join(SPARSE)}, ho trovato {name!r}")
    return _several(f"toy-sparso-{name}", pattern=SPARSE[name])


def save(arrays, path, *, vocabulary=VOCABULARY, **heads):
    """Scrive i pesi di un modello, con ciò che serve per rileggerli.

    Args:
        arrays: i pesi, come li dà `ToyTransformer.arrays`.
        path: il file da scrivere.
        vocabulary: i token, nell'ordine dei loro numeri.
        heads: n_heads e, se servono, n_kv_heads e head_dim.
    """
    about = json.dumps(heads | {"vocabulary": vocabulary}, ensure_ascii=False)
    save_file(arrays, path, metadata={"attnkit": about})      # una voce sola: di più, e il loro ordine cambierebbe a ogni scrittura


def _read(name):
    """I pesi di un file, e ciò che dice di sé."""
    with safe_open(DATA / f"{name}.safetensors", framework="numpy") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["attnkit"])


def _several(name, **shape):
    """I modelli di un file che ne contiene uno per seme: il primo asse conta i semi."""
    arrays, about = _read(name)
    return [_model({key: array[seed] for key, array in arrays.items()}, about, **shape) for seed in range(len(arrays["embedding"]))]


def _model(arrays, about, **shape):
    """Il modello che ha quei pesi: la forma si legge dagli array e da ciò che il file dice di sé."""
    words, d_model = arrays["embedding"].shape
    positions = "position" in arrays
    heads = {name: value for name, value in about.items() if name != "vocabulary"}
    model = ToyTransformer(d_model, len(arrays["position"]) if positions else 1, words=words, positions=positions, **heads, **shape,
                           n_layers=sum(name.endswith("Wq") for name in arrays), norm="final_norm" in arrays)
    return model.copy_from({name: arrays[name].astype(np.float64) for name in model.arrays()})
