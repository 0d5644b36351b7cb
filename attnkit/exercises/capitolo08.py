"""Gli esercizi del capitolo 8, Sparse attention."""

import numpy as np

from attnkit import masks
from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.reference import attention, softmax


def _positions(T):
    positions = np.arange(T)
    return positions[:, None], positions[None, :]


def _mask(rule):
    """Una maschera sbagliata, da un predicato su (i, j) e sui parametri."""
    return lambda T, *sizes: np.broadcast_to(rule(*_positions(T), *sizes), (T, T)).copy()


def _windows(rng):
    return [(7, 3), (9, 4), (6, 2), (5, 8)]


def _strides(rng):
    return [(11, 3), (14, 4), (9, 2)]


def _blocks(rng):
    return [(11, 3, 1), (14, 4, 2), (13, 5, 2)]


def _sequences(rng):
    return [(rng.normal(size=(T, Dk)), rng.normal(size=(T, Dk)), rng.normal(size=(T, Dv)), window) for T, Dk, Dv, window in ((7, 3, 2, 3), (9, 2, 4, 4), (6, 4, 3, 2))]


def windowed(Q, K, V, window):
    """Una head con una finestra: la maschera densa, che qui serve da riferimento."""
    return attention(Q, K, V, mask=masks.sliding_window(len(Q), window))[0]


def _windowed(keys=lambda i, T, window: range(max(0, i - window + 1), i + 1), scale=True, value=lambda j: j):
    """La stessa finestra, una query alla volta, con una cosa sostituita da una sbagliata."""
    def wrong(Q, K, V, window):
        rows = []
        for i in range(len(Q)):
            seen = np.array(keys(i, len(Q), window))
            weights = softmax(K[seen] @ Q[i] / (np.sqrt(Q.shape[1]) if scale else 1))
            rows.append(weights @ V[value(seen)])
        return np.stack(rows)
    return wrong


def _scores(rng):
    cases = []
    for shape in ((3, 4), (4, 5), (5, 3)):
        mask = rng.random(shape) < 0.5
        mask[0], mask[1, 0], mask[2, -1] = False, True, True              # la prima riga è vuota, la seconda no
        mask[1, 1] = False
        cases.append((rng.normal(size=shape), mask))
    return cases


def masked_weights(punteggi, maschera):
    """I pesi di ogni riga sulle sole key visibili; una riga senza key dà zeri."""
    shown = np.where(maschera, punteggi, -np.inf)
    top = np.max(shown, axis=-1, keepdims=True, initial=-1e300)
    exponentials = np.exp(shown - top)
    total = exponentials.sum(-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


def _naive(punteggi, maschera):
    with np.errstate(invalid="ignore"):
        exponentials = np.exp(np.where(maschera, punteggi, -np.inf) - np.where(maschera, punteggi, -np.inf).max(-1, keepdims=True))
        return exponentials / exponentials.sum(-1, keepdims=True)


def _reach(one, three, mistral, mixed):
    return {"1 layer, finestra 4": one, "3 layer, finestra 4": three, "32 layer, finestra 4096": mistral, "finestra 4, globale, finestra 4": mixed}


EXERCISES = (
    Exercise(
        id="8.1", title="La finestra", kind="scrivi", stars=1, minutes=4,
        statement="Scrivi la maschera di una finestra: booleani (T, T), True dove la query i vede la key j. Ogni query vede le ultime `window` key, sé stessa compresa; le prime ne hanno meno.",
        reference=masks.sliding_window, inputs=_windows,
        misconceptions=(
            Misconception("una key di troppo", _mask(lambda i, j, W: (j <= i) & (i - j <= W)), "La finestra ha una key di troppo: con `<=` ne vede window + 1. Sé stessa conta fra le `window`."),
            Misconception("una key di meno", _mask(lambda i, j, W: (j <= i) & (i - j < max(1, W - 1))), "La finestra ha una key di meno: le distanze da 0 a window - 1 sono `window` key."),
            Misconception("sé stessa esclusa", _mask(lambda i, j, W: (j < i) & (i - j <= W)), "Hai escluso la query stessa: la prima riga resterebbe vuota. Ogni token vede almeno sé stesso."),
            Misconception("anche il futuro", _mask(lambda i, j, W: abs(i - j) < W), "La finestra guarda anche avanti: manca `j <= i`."),
            Misconception("solo causale", _mask(lambda i, j, W: (j <= i) | (W < 0)), "È la maschera causale: manca la parte che dimentica i token lontani."),
            Misconception("il complemento", _mask(lambda i, j, W: ~((j <= i) & (i - j < W))), "È il complemento: True deve voler dire *visibile*."),
            Misconception("trasposta", _mask(lambda i, j, W: (i <= j) & (j - i < W)), "Hai scambiato righe e colonne: le righe sono le query, le colonne le key."),
            Misconception("blocchi", _mask(lambda i, j, W: (j <= i) & (i // W == j // W)), "Questi sono blocchi fermi: la finestra si muove con la query."),
        ),
        praise="Distanza da 0 a window − 1: la finestra scorre con la query.",
    ),
    Exercise(
        id="8.2", title="Lo schema strided", kind="scrivi", stars=2, minutes=6,
        statement="Scrivi la maschera strided di Child et al.: booleani (T, T). La query i vede le ultime `stride` key, sé stessa compresa, e ogni key del passato la cui distanza da i è un multiplo di `stride`.",
        reference=masks.strided, inputs=_strides,
        misconceptions=(
            Misconception("contato dall'inizio", _mask(lambda i, j, s: (j <= i) & ((i - j < s) | (j % s == 0))),
                          "Le colonne partono dall'inizio della sequenza. Il passo si conta da chi guarda: conta la distanza i − j, non la posizione j."),
            Misconception("contato dalla fine del blocco", _mask(lambda i, j, s: (j <= i) & ((i - j < s) | (j % s == s - 1))), "Queste sono colonne ferme, come nello schema fixed. Il passo si conta da chi guarda."),
            Misconception("solo i vicini", _mask(lambda i, j, s: (j <= i) & (i - j < s)), "È una finestra: mancano le key lontane, una ogni `stride`."),
            Misconception("solo le colonne", _mask(lambda i, j, s: (j <= i) & ((i - j) % s == 0)), "Mancano i vicini: le ultime `stride` key si vedono tutte."),
            Misconception("una colonna sola", _mask(lambda i, j, s: (j <= i) & ((i - j < s) | (i - j == s))), "Dopo la prima key lontana ti sei fermato: si torna indietro di `stride` in `stride` fino all'inizio."),
            Misconception("anche il futuro", _mask(lambda i, j, s: ((j <= i) & (i - j < s)) | ((i - j) % s == 0)), "Le colonne arrivano anche nel futuro: la distanza è un multiplo di `stride` anche quando è negativa. Serve `j <= i` per tutt'e due le parti."),
            Misconception("blocco al posto della finestra", _mask(lambda i, j, s: (j <= i) & ((i // s == j // s) | ((i - j) % s == 0))), "I vicini sono il proprio blocco: devono essere le ultime `stride` key, contate da chi guarda."),
            Misconception("il complemento", _mask(lambda i, j, s: ~((j <= i) & ((i - j < s) | ((i - j) % s == 0)))), "È il complemento: True deve voler dire *visibile*."),
        ),
        praise="Vicini e colonne, contati da chi guarda. Con stride + 1 vicini la maschera sarebbe la stessa: l'ultimo è già una colonna.",
    ),
    Exercise(
        id="8.3", title="Lo schema fixed", kind="scrivi", stars=2, minutes=8,
        statement="Scrivi la maschera fixed di Child et al.: booleani (T, T). La query i vede il passato del proprio blocco di `stride` token, sé stessa compresa, e le ultime `summary` posizioni di ogni blocco precedente.",
        reference=masks.fixed, inputs=_blocks,
        misconceptions=(
            Misconception("riassunti dimenticati", _mask(lambda i, j, s, c: (j <= i) & (i // s == j // s)), "Mancano i riassunti: così ogni blocco è isolato, e nulla passa da uno all'altro. È ciò che descrivono gli appunti."),
            Misconception("solo il blocco prima", _mask(lambda i, j, s, c: (j <= i) & ((i // s == j // s) | ((i // s - j // s == 1) & (j % s >= s - c)))),
                          "I riassunti del blocco precedente ci sono, gli altri no. Si vedono quelli di *tutti* i blocchi passati."),
            Misconception("le prime del blocco", _mask(lambda i, j, s, c: (j <= i) & ((i // s == j // s) | (j % s < c))), "Hai preso le prime posizioni di ogni blocco. I riassunti sono le ultime: solo loro hanno visto tutto il blocco."),
            Misconception("una colonna sola", _mask(lambda i, j, s, c: (j <= i) & ((i // s == j // s) | (j % s == s - 1))), "Una colonna di riassunto c'è, ma sono `summary`."),
            Misconception("una colonna di troppo", _mask(lambda i, j, s, c: (j <= i) & ((i // s == j // s) | (j % s >= s - c - 1))), "C'è una colonna di troppo: le ultime `summary` posizioni hanno resto da stride − summary a stride − 1."),
            Misconception("tutto il blocco prima", _mask(lambda i, j, s, c: (j <= i) & ((i // s - j // s <= 1) | (j % s >= s - c))), "Del blocco precedente si vede tutto: i blocchi passati si vedono solo dai riassunti."),
            Misconception("anche il futuro", _mask(lambda i, j, s, c: (i // s == j // s) | ((j <= i) & (j % s >= s - c))), "Dentro il blocco si vede anche il futuro: manca `j <= i`."),
            Misconception("finestra al posto del blocco", _mask(lambda i, j, s, c: (j <= i) & ((i - j < s) | (j % s >= s - c))), "I vicini sono una finestra, che scorre. Qui i blocchi stanno fermi."),
        ),
        praise="Il blocco sta fermo, e le sue ultime colonne restano visibili a tutti quelli che vengono dopo.",
    ),
    Exercise(
        id="8.4", title="La finestra senza la tabella", kind="scrivi", stars=3, minutes=10,
        statement="Ricevi Q e K, shape (T, Dk), V, shape (T, Dv), e `window`. Restituisci l'uscita della finestra, shape (T, Dv), leggendo per ogni query solo le sue key: nessuna tabella T × T.",
        reference=windowed, inputs=_sequences,
        misconceptions=(
            Misconception("una key di troppo", _windowed(lambda i, T, W: range(max(0, i - W), i + 1)), "La finestra ha una key di troppo: comincia da i − window + 1."),
            Misconception("sé stessa esclusa", _windowed(lambda i, T, W: range(max(0, i - W), i) if i else range(1)), "La query non vede sé stessa: lo slice finisce prima di i + 1."),
            Misconception("indice negativo", _windowed(lambda i, T, W: range(i - W + 1, i + 1)), "Vicino all'inizio l'indice diventa negativo, e in Python si conta dal fondo: la query vede il futuro. Serve `max(0, …)`."),
            Misconception("anche dopo", _windowed(lambda i, T, W: range(max(0, i - W + 1), min(T, i + 2))), "Si vede anche il token seguente: lo slice deve finire a i + 1."),
            Misconception("blocchi", _windowed(lambda i, T, W: range(i - i % W, i + 1)), "Questi sono blocchi fermi: la finestra si muove con la query."),
            Misconception("senza scala", _windowed(scale=False), "Manca la divisione per la radice della larghezza delle key."),
            Misconception("value dall'inizio", _windowed(value=lambda seen: seen - seen[0]), "I pesi sono giusti, ma moltiplicano i primi value della sequenza: le key e i value della finestra sono gli stessi token."),
            Misconception("softmax su tutto", lambda Q, K, V, W: (softmax(np.where(masks.causal(len(Q)), Q @ K.T / np.sqrt(Q.shape[1]), -np.inf)) * masks.sliding_window(len(Q), W)) @ V,
                          "La softmax ha contato anche i token fuori dalla finestra: i pesi che restano non sommano a uno."),
            Misconception("media", lambda Q, K, V, W: np.stack([V[max(0, i - W + 1):i + 1].mean(0) for i in range(len(Q))]), "Hai fatto la media dei value della finestra: mancano i pesi."),
        ),
        praise="Per ogni query `window` key: il lavoro cresce come T, non come T².",
    ),
    Exercise(
        id="8.5", title="Fin dove arriva?", kind="prevedi", stars=2, minutes=5,
        statement="Quante posizioni, sé stessa compresa, possono influire sull'uscita dell'ultimo di 200.000 token? Un intero per ognuna di queste pile di layer: \"1 layer, finestra 4\", \"3 layer, finestra 4\", \"32 layer, finestra 4096\", "
                  "\"finestra 4, globale, finestra 4\".",
        reference=lambda: _reach(4, 10, 131_041, 200_000),
        misconceptions=(
            Misconception("L per W", lambda: _reach(4, 12, 131_072, 200_000), "Ogni layer aggiunge window − 1 posizioni, non `window`: una è quella da cui si guarda. In tutto L · (W − 1) + 1."),
            Misconception("sé stessa non contata", lambda: _reach(3, 9, 131_040, 199_999), "Hai contato solo le posizioni prima: nel conto c'è anche l'ultimo token."),
            Misconception("quella di un layer", lambda: _reach(4, 4, 4096, 200_000), "Un layer vede solo la finestra, ma ciò che legge era già stato aggiornato dal layer sotto: la portata si somma."),
            Misconception("W alla L", lambda: _reach(4, 64, 4096 ** 32, 200_000), "La portata si somma, non si moltiplica: le finestre dei vicini si sovrappongono quasi del tutto."),
            Misconception("la globale conta una volta", lambda: _reach(4, 10, 131_041, 10), "Un layer globale basta: da lì si vede tutto il passato."),
            Misconception("la globale come somma", lambda: _reach(4, 10, 131_041, 200_006), "Più dell'intera sequenza non si può vedere."),
        ),
        praise="L · (W − 1) + 1, finché non c'è un layer globale. Quelle 131.041 posizioni sono i «circa 131K» di Mistral 7B.",
    ),
    Exercise(
        id="8.6", title="La maschera rovesciata", kind="trova il bug", stars=2, minutes=7,
        statement="`pesi_male` riceve punteggi (Tq, Tk) e una maschera booleana, True = visibile, e dà pesi sbagliati. Scrivi `pesi_giusti`: ogni riga pesa le sole key visibili e somma a uno; una riga senza key visibili è fatta di zeri.",
        reference=masked_weights, inputs=_scores,
        misconceptions=(
            Misconception("il complemento", lambda s, m: masked_weights(s, ~m), "È l'errore di partenza: hai nascosto le key visibili. In questo corso True vuol dire visibile; in `nn.MultiheadAttention` vuol dire il contrario."),
            Misconception("righe vuote non previste", _naive, "Le righe con qualcosa da vedere sono giuste. Una riga vuota dà 0 diviso 0, cioè NaN: qui deve dare zeri."),
            Misconception("riga vuota uniforme", lambda s, m: softmax(np.where(m, s, -1e9)), "Con −10⁹ al posto di −∞ una riga vuota diventa uniforme: pesa anche ciò che non deve vedere."),
            Misconception("maschera dopo la softmax", lambda s, m: softmax(s) * m, "Hai azzerato i pesi dopo la softmax: le righe non sommano più a uno."),
            Misconception("zeri al posto di meno infinito", lambda s, m: softmax(np.where(m, s, 0.0)), "Un punteggio zero non nasconde: e⁰ vale uno. Serve −∞."),
            Misconception("asse sbagliato", lambda s, m: masked_weights(s.T, m.T).T, "La softmax è sull'asse delle query: a sommare a uno sono le colonne."),
            Misconception("senza maschera", lambda s, m: softmax(s), "La maschera non è stata usata."),
        ),
        praise="Una riga vuota capita: nello schema fixed, le colonne di riassunto da sole ne lasciano molte.",
    ),
    Exercise(
        id="8.7", title="La tabella dei Sparse Transformers", kind="leggi la tabella", stars=2, minutes=5,
        statement="Dalla tabella di Child et al.: sul testo (Enwik8), quante volte un passo di *fixed* è più rapido di uno denso? E quanti bit per byte in più chiede *strided* rispetto al denso? Restituisci la coppia, con almeno due decimali.",
        reference=lambda: (1.31 / 0.55, 0.13), atol=0.006, rtol=0.0,
        misconceptions=(
            Misconception("strided", lambda: (1.31 / 0.35, 0.13), "Il secondo numero è giusto. Il primo è la velocità di strided: la domanda chiede fixed."),
            Misconception("rovesciato", lambda: (0.55 / 1.31, 0.13), "Il secondo numero è giusto. Il rapporto è rovesciato: più rapido vuol dire maggiore di uno."),
            Misconception("le immagini", lambda: (0.54 / 0.47, -0.02), "Questi sono i numeri di CIFAR-10, cioè delle immagini: la domanda è sul testo."),
            Misconception("fixed in bit", lambda: (1.31 / 0.55, -0.01), "Il primo numero è giusto. Il secondo è di fixed, che perde meno bit del denso: la domanda chiede strided."),
            Misconception("il valore, non la differenza", lambda: (1.31 / 0.55, 1.13), "Il primo numero è giusto. Il secondo è quanti bit chiede strided: la domanda chiede quanti *in più*."),
            Misconception("arrotondato", lambda: (2.4, 0.13), "Il secondo numero è giusto. Il primo va dato con almeno due decimali."),
        ),
        praise="Sul testo fixed è più rapido e non peggiore; strided è il più rapido, e il peggiore: lo schema va scelto secondo i dati.",
    ),
)
