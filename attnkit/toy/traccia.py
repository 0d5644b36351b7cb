"""Una frase seguita attraverso il modello, un passo per riga, in NumPy."""

from dataclasses import dataclass

import numpy as np

from attnkit import reference
from attnkit.language import EXAMPLE, VOCABULARY, encode, split_words
from attnkit.masks import causal
from attnkit.toy.archivio import load_weights


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
