"""Un piccolissimo transformer che impara la mini-lingua: un layer, una head, D = 8, nessuna feed-forward.

Q, K e V sono matrici 7 × 8, e stanno in una pagina: così ogni passo si può seguire a mano, su numeri
imparati. I pesi addestrati viaggiano con il pacchetto. Da riga di comando:

    python -m attnkit.toy              addestra il modello e riscrive i pesi
    python -m attnkit.toy --semi 20    addestra venti modelli, ciascuno da un seme, e ne stampa la dispersione
"""

import argparse
import math
import random
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from attnkit import reference
from attnkit.language import EXAMPLE, VOCABULARY, batch, encode, noun_pairs, split_words
from attnkit.layers import MultiHeadAttention, RMSNorm
from attnkit.masks import causal
from attnkit.shapes import positive_int

WEIGHTS = Path(__file__).with_name("data") / "toy.safetensors"
NAMES = ("embedding", "position", "norm", "Wq", "Wk", "Wv", "Wo", "final_norm", "Wout")
SHIPPED_SEED = 17                                             # uno in cui i pesi piccoli si vedono


class ToyLayer(torch.nn.Module):
    """RMSNorm, attenzione, residuo: un layer senza feed-forward."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.norm = RMSNorm(d_model)
        self.attention = MultiHeadAttention(d_model, n_heads)

    def forward(self, x):
        """Da (B, T, D) a (B, T, D)."""
        return x + self.attention(self.norm(x))


class ToyTransformer(torch.nn.Module):
    """Embedding e posizioni, uno o più layer di attenzione, RMSNorm finale, logit.

    Il modello del corso ha un layer e una head. I suoi pesi si leggono con i nomi delle formule, e si usano
    come nelle formule: `model.norm`, e `x @ model.Wq` (Wk, Wv, Wo). Con più layer stanno in `model.layers`.
    Per tagliare un arco o una head: `with model.layers[0].attention.cut(edges=[(0, 6, 1)]): …`.

    Args:
        d_model: larghezza dei vettori, D.
        max_tokens: la frase più lunga che sa leggere.
        n_heads: quante head per layer.
        n_layers: quanti layer.
        seed: da dove parte il caso.

    Raises:
        ValueError: se d_model non è divisibile per n_heads.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762; la norma prima della head come in Llama, arXiv
        2302.13971. Si addestra nel capitolo 6.
    """

    def __init__(self, d_model=8, max_tokens=7, *, n_heads=1, n_layers=1, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def small(*shape):                    # embedding piccoli: si impara a guardare, non a ricordare
            return torch.nn.Parameter(0.1 * torch.randn(shape, generator=generator, dtype=torch.float64))

        def uniform(*shape):
            values = torch.rand(shape, generator=generator, dtype=torch.float64)
            return torch.nn.Parameter((2 * values - 1) / math.sqrt(d_model))

        self.embedding = small(len(VOCABULARY), d_model)      # (parole, D)
        self.position = small(max_tokens, d_model)            # (T, D)
        self.layers = torch.nn.ModuleList(ToyLayer(d_model, n_heads) for _ in range(positive_int("n_layers", n_layers)))
        for layer in self.layers:
            for linear in (layer.attention.Wq, layer.attention.Wk, layer.attention.Wv, layer.attention.Wo):
                linear.weight = torch.nn.Parameter(uniform(d_model, d_model).detach().T)      # nn.Linear tiene la trasposta
        self.last_norm = RMSNorm(d_model)
        self.Wout = uniform(d_model, len(VOCABULARY))         # (D, parole)
        self.double()

    def forward(self, tokens):
        """Da token (B, T) a logit (B, T, parole)."""
        x = self._embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.last_norm(x) @ self.Wout

    def weights(self, tokens):
        """I pesi dell'attenzione di un modello con un layer e una head, da token (B, T) a (B, T, T)."""
        every = self.all_weights(tokens)
        if len(every) > 1 or every[0].shape[1] > 1:
            raise ValueError(f"Il modello ha {len(every)} layer e {every[0].shape[1]} head: i loro pesi li dà all_weights")
        return every[0][:, 0]

    def all_weights(self, tokens):
        """I pesi di ogni head di ogni layer: da token (B, T) a una lista di (B, H, T, T)."""
        x, every = self._embed(tokens), []
        for layer in self.layers:
            every.append(layer.attention.weights(layer.norm(x)))
            x = layer(x)
        return every

    def _embed(self, tokens):
        """Da token (B, T) a vettori (B, T, D): la parola più il posto."""
        if tokens.dim() != 2 or not 1 <= tokens.shape[1] <= len(self.position):
            raise ValueError(f"tokens: mi aspettavo shape (B, T) con T da 1 a {len(self.position)}, ho trovato {tuple(tokens.shape)}")
        return self.embedding[tokens] + self.position[:tokens.shape[1]]

    def _only_layer(self):
        if len(self.layers) > 1:
            raise ValueError(f"Il modello ha {len(self.layers)} layer: i pesi di ciascuno stanno in model.layers")
        return self.layers[0]

    # I nomi delle formule: viste sui parametri, orientate per x @ W.
    norm = property(lambda self: self._only_layer().norm.weight)                      # (D,)
    Wq = property(lambda self: self._only_layer().attention.Wq.weight.T)              # (D, D)
    Wk = property(lambda self: self._only_layer().attention.Wk.weight.T)
    Wv = property(lambda self: self._only_layer().attention.Wv.weight.T)
    Wo = property(lambda self: self._only_layer().attention.Wo.weight.T)
    final_norm = property(lambda self: self.last_norm.weight)                         # (D,)


def train(seed=SHIPPED_SEED, *, steps=2000, batch_size=64, n_heads=1, n_layers=1, progress=True):
    """Addestra un modello dall'inizio: pochi secondi su un core.

    Il finale pesa cinque volte un altro token. Il weight decay tiene piccole le matrici che portano il
    contenuto, così conviene guardare con decisione il token giusto.

    Args:
        seed: da dove parte il caso, sia per i pesi iniziali sia per le frasi.
        steps: quanti passi di AdamW.
        batch_size: quante frasi per passo.
        n_heads, n_layers: la forma del modello.
        progress: se mostrare la barra di avanzamento.

    Returns:
        La coppia (modello, loss a ogni passo).

    Si usa nel capitolo 6.
    """
    model, rng = ToyTransformer(n_heads=n_heads, n_layers=n_layers, seed=seed), random.Random(seed)
    pairs, _ = noun_pairs()
    content = [model.Wout] + [linear.weight for layer in model.layers for linear in (layer.attention.Wv, layer.attention.Wo)]
    others = [p for p in model.parameters() if not any(p is c for c in content)]
    optimizer = torch.optim.AdamW([{"params": content, "weight_decay": 0.3},
                                   {"params": others, "weight_decay": 0.0}], lr=0.01)
    importance = torch.tensor([1.0] * 6 + [5.0], dtype=torch.float64)
    losses = []
    for _ in tqdm(range(steps), desc="addestramento", leave=False, disable=not progress):
        tokens = torch.from_numpy(batch(batch_size, pairs, rng)[0])
        logits = model(tokens[:, :-1])
        loss_per_token = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")     # (B, 7)
        loss = (loss_per_token * importance).sum(1).mean() / importance.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)                                       # nessun passo troppo lungo
        optimizer.step()
        losses.append(loss.item())
    return model, losses


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
    right = model(tokens[:, :-1])[:, -1].argmax(-1) == tokens[:, -1]
    weight = model.weights(tokens[:, :-1])[torch.arange(sentences), -1, agrees]
    example = EXAMPLE.split()[:-1]
    pair = torch.from_numpy(np.stack([encode([*example, "affamat-"]), encode([*example, "appetitos-"])]))
    last = model.weights(pair)[:, -1]
    return Evaluation(right.double().mean().item(), weight.mean().item(), weight.min().item(),
                      last[0, 1].item(), last[1, 4].item())


# I pesi addestrati e una frase seguita passo passo -------------------------------------------------

def load_weights():
    """I pesi addestrati che viaggiano con il pacchetto.

    Returns:
        Un dizionario di array float64: `embedding` (parole, 8), `position` (7, 8), `Wq`, `Wk`, `Wv`,
        `Wo` (8, 8), `norm` e `final_norm` (8,), `Wout` (8, parole).

    Si usa dal capitolo 1.
    """
    return load_file(WEIGHTS)


def load_model():
    """Il modello addestrato, pronto in torch.

    Returns:
        Un `ToyTransformer` con i pesi di `load_weights`.
    """
    model = ToyTransformer()
    with torch.no_grad():
        for name, value in load_weights().items():
            getattr(model, name).copy_(torch.from_numpy(value))                       # si scrive attraverso la vista
    return model


@dataclass(frozen=True, eq=False)
class Trace:
    """Tutto ciò che il modello calcola su una frase, in NumPy e in ordine: T token, D = 8."""

    tokens: list              # i token, come testo
    embedding: np.ndarray     # (T, D) un vettore per token, lo stesso ovunque il token compaia
    position: np.ndarray      # (T, D) un vettore per posto nella frase
    x: np.ndarray             # (T, D) la loro somma
    normed: np.ndarray        # (T, D) dopo RMSNorm: ciò che entra nella head
    Q: np.ndarray             # (T, D)
    K: np.ndarray             # (T, D)
    V: np.ndarray             # (T, D)
    scores: np.ndarray        # (T, T) prima della softmax, -inf dove non si può guardare
    weights: np.ndarray       # (T, T) dopo: ogni riga somma a uno
    output: np.ndarray        # (T, D) l'uscita della head
    update: np.ndarray        # (T, D) l'uscita dopo W_O
    y: np.ndarray             # (T, D) x + update: i vettori arricchiti
    logits: np.ndarray        # (T, parole)
    probabilities: np.ndarray  # (T, parole)

    @property
    def prediction(self):
        """Il token più probabile dopo l'ultimo."""
        return VOCABULARY[int(self.probabilities[-1].argmax())]

    def probability(self, token):
        """La probabilità che `token` venga dopo l'ultimo."""
        return float(self.probabilities[-1, encode([token])[0]])


def trace(sentence=EXAMPLE, weights=None):
    """Segue una frase attraverso il modello, un passo per riga.

    Args:
        sentence: una frase della mini-lingua, al più 7 token.
        weights: i pesi; None = quelli del pacchetto.

    Returns:
        Una `Trace`.

    Raises:
        ValueError: se la frase è vuota, troppo lunga o contiene parole sconosciute.

    Si usa dal capitolo 1.
    """
    w = load_weights() if weights is None else weights
    tokens = split_words(sentence)
    T = len(tokens)
    if T > len(w["position"]):
        raise ValueError(f"La frase ha {T} token, il modello ne legge al più {len(w['position'])}")
    embedding, position = w["embedding"][encode(tokens)], w["position"][:T]
    x = embedding + position
    normed = rms_norm(x, w["norm"])
    Q, K, V = normed @ w["Wq"], normed @ w["Wk"], normed @ w["Wv"]
    scores = reference.attention_scores(Q, K, mask=causal(T))
    attention_weights = reference.softmax(scores)
    output = reference.combine(attention_weights, V)
    update = output @ w["Wo"]
    y = x + update
    logits = rms_norm(y, w["final_norm"]) @ w["Wout"]
    return Trace(tokens, embedding, position, x, normed, Q, K, V, scores, attention_weights, output, update, y,
                 logits, reference.softmax(logits))


def rms_norm(x, gain):
    """Porta a uno la media dei quadrati di ogni vettore, poi lo scala componente per componente (capitolo 10)."""
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-5) * gain


def _save(model):
    """Scrive i pesi del modello nel pacchetto."""
    save_file({name: getattr(model, name).detach().contiguous().numpy() for name in NAMES}, WEIGHTS)


def _spread(seeds):
    """Addestra un modello per seme e stampa quanto variano i risultati."""
    torch.set_num_threads(1)                                  # matrici minuscole: più thread rallentano
    results = [evaluate(train(seed, progress=False)[0]) for seed in tqdm(range(seeds), desc="semi", leave=False)]
    names = [field.name for field in fields(Evaluation)]
    print("seme  " + "  ".join(f"{name:>11}" for name in names))
    for seed, result in enumerate(results):
        print(f"{seed:4d}  " + "  ".join(f"{value:11.3f}" for value in astuple(result)))
    table = np.array([astuple(result) for result in results])
    for label, summary in (("min", table.min(0)), ("media", table.mean(0)), ("max", table.max(0))):
        print(f"{label:>5} " + "  ".join(f"{value:11.3f}" for value in summary))


def main(arguments=None):
    """Rigenera i pesi, o stampa la dispersione su più semi."""
    parser = argparse.ArgumentParser(prog="python -m attnkit.toy", description="Addestra il modello del corso.")
    parser.add_argument("--semi", type=int, metavar="N", help="addestra N modelli e stampa la dispersione, senza scrivere nulla")
    seeds = parser.parse_args(arguments).semi
    if seeds is not None:
        if seeds < 1:
            parser.error(f"--semi: mi aspettavo almeno 1, ho trovato {seeds}")
        return _spread(seeds)
    torch.set_num_threads(1)
    model, _ = train(SHIPPED_SEED)
    _save(model)
    print(f"Pesi scritti in {WEIGHTS.name}: {evaluate(model)}")


if __name__ == "__main__":
    main()
