"""Gli esercizi del capitolo 8, Sparse attention."""

from functools import reduce

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


def _past(*sets):
    """La maschera di chi vede, del solo passato, l'unione di alcuni insiemi di key."""
    return _mask(lambda i, j, *sizes: (j <= i) & reduce(np.logical_or, (one(i, j, *sizes) for one in sets)))


def _near(i, j, size, *_):
    return i - j < size


def _columns(i, j, stride, *_):
    return (i - j) % stride == 0


def _block(i, j, stride, *_):
    return i // stride == j // stride


def _summaries(i, j, stride, summary):
    return j % stride >= stride - summary


def _common(right):
    """Gli errori che si fanno con qualunque maschera."""
    return (
        Misconception("sé stessa esclusa", lambda T, *sizes: right(T, *sizes) & ~np.eye(T, dtype=bool), "Hai escluso la query stessa: la prima riga resterebbe vuota. Ogni token vede almeno sé stesso."),
        Misconception("il complemento", lambda T, *sizes: ~right(T, *sizes), "È il complemento: True deve voler dire *visibile*."),
        Misconception("trasposta", lambda T, *sizes: right(T, *sizes).T, "Hai scambiato righe e colonne: le righe sono le query, le colonne le key."),
        Misconception("da sommare ai punteggi", lambda T, *sizes: np.where(right(T, *sizes), 0, -np.inf), "Hai scritto ciò che si somma ai punteggi, 0 e −∞. Le coppie sono quelle giuste, ma la consegna chiede booleani: True dove si vede."),
        Misconception("solo causale", lambda T, *sizes: masks.causal(T), "È la maschera causale: si vede tutto il passato. Manca la regola che ne lascia solo una parte."),
        Misconception("tutto visibile", lambda T, *sizes: np.ones((T, T), dtype=bool), "Ogni coppia è visibile, anche nel futuro. Se hai unito `j <= i` al resto con `|`, basta che sia vera una delle due: qui devono valere insieme, e serve `&`."),
    )


def _windows(rng):
    return [(7, 3), (9, 4), (6, 2), (5, 8)]


def _strides(rng):
    return [(7, 3), (14, 4), (9, 2)]


def _blocks(rng):
    return [(7, 3, 1), (14, 4, 2), (13, 5, 3)]


def _sequences(rng):
    shapes = (7, 3, 2, 3), (9, 2, 4, 4), (6, 4, 3, 2)
    return [(rng.normal(size=(T, Dk)), rng.normal(size=(T, Dk)), rng.normal(size=(T, Dv)), window) for T, Dk, Dv, window in shapes]


def windowed(Q, K, V, window):
    """Una head con una finestra: la maschera densa, che qui serve da riferimento."""
    return attention(Q, K, V, mask=masks.sliding_window(len(Q), window))[0]


def _weights(scores):
    """La softmax senza il massimo: senza punteggi non ha nulla di cui lamentarsi, e l'uscita è zero."""
    return np.exp(scores) / np.exp(scores).sum()


def _windowed(keys=lambda i, T, window: range(max(0, i - window + 1), i + 1), scale=lambda Dk, Dv: np.sqrt(Dk), weigh=_weights, value=lambda j: j):
    """La stessa finestra, una query alla volta, con una cosa sostituita da una sbagliata."""
    def wrong(Q, K, V, window):
        rows = []
        for i in range(len(Q)):
            seen = np.array(keys(i, len(Q), window), dtype=int)
            weights = weigh(K[seen] @ Q[i] / scale(Q.shape[1], V.shape[1]))
            rows.append(weights @ V[value(seen)])
        return np.stack(rows)
    return wrong


def _slice(i, T, window):
    """Lo slice scritto senza `max(0, …)`: vicino all'inizio è vuoto."""
    return np.arange(T)[i - window + 1:i + 1]


def _masked_too_late(Q, K, V, window, seen):
    return (softmax(np.where(seen, Q @ K.T / np.sqrt(Q.shape[1]), -np.inf)) * masks.sliding_window(len(Q), window)) @ V


def _padded(Q, K, V, window):
    """Prima dell'inizio, window − 1 token finti fatti di zeri, che la softmax conta come gli altri."""
    longer = (np.pad(X, ((window - 1, 0), (0, 0))) for X in (Q, K, V))
    return windowed(*longer, window)[window - 1:]


_MEMORY = """I valori sono giusti; la memoria guardala tu. Se hai usato NumPy:

    import tracemalloc
    X = np.ones((4096, 8))
    tracemalloc.start()
    attenzione_a_finestra(X, X, X, 16)
    print(tracemalloc.get_traced_memory()[1] / 2**20, "MiB")
    tracemalloc.stop()

Una tabella di 4096 × 4096 punteggi, da sola, ne occupa 128."""


def _scores(rng):
    cases = []
    for shape in ((3, 4), (4, 5), (5, 3)):
        mask = rng.random(shape) < 0.5
        mask[0], mask[1], mask[2, 0], mask[2, -1] = False, True, False, True     # vuota, tutta visibile, un po' e un po'
        cases.append((rng.normal(size=shape), mask))
    return cases


def masked_weights(punteggi, maschera):
    """I pesi di ogni riga sulle sole key visibili; una riga senza key dà zeri."""
    shown = np.where(maschera, punteggi, -np.inf)
    top = np.max(shown, axis=-1, keepdims=True, initial=-1e300)
    exponentials = np.exp(shown - top)
    total = exponentials.sum(-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


def pesi_male(punteggi, maschera):
    """La funzione di partenza, parola per parola come nel capitolo."""
    nascosti = np.where(maschera, -np.inf, punteggi)
    e = np.exp(nascosti - nascosti.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _reach(one, three, mistral, mixed):
    return {"1 layer, finestra 4": one, "3 layer, finestra 4": three, "32 layer, finestra 4096": mistral, "finestra 4, globale, finestra 4": mixed}


_FASTER = 1.31 / 0.55


def _half_right(args, pair):
    """Per chi ha un numero giusto e uno no, senza un errore tipico che lo spieghi."""
    first, second = np.abs(pair - np.array([_FASTER, 0.13])) < 0.006
    if first != second:
        return f"{'Il primo' if first else 'Il secondo'} numero è giusto, l'altro no: controlla quali righe confronti, e con quante cifre."


EXERCISES = (
    Exercise(
        id="8.1", title="La finestra", kind="scrivi", stars=1, minutes=4,
        statement="Scrivi la maschera di una finestra: booleani (T, T), True dove la query i vede la key j. Ogni query vede le ultime `window` key, sé stessa compresa; le prime ne hanno meno.",
        reference=masks.sliding_window, inputs=_windows,
        misconceptions=(
            Misconception("una key di troppo", _mask(lambda i, j, W: (j <= i) & (i - j <= W)), "La finestra ha una key di troppo: con `<=` ne vede window + 1. Sé stessa conta fra le `window`."),
            Misconception("una key di meno", _mask(lambda i, j, W: (j <= i) & (i - j < W - 1)), "La finestra ha una key di meno: le distanze da 0 a window - 1 sono `window` key."),
            Misconception("le key prima di sé stessa", _mask(lambda i, j, W: (j < i) & (i - j <= W)), "Hai preso le `window` key prima della query, senza la query: la prima riga resterebbe vuota. Sé stessa conta fra le `window`."),
            Misconception("anche il futuro", _mask(lambda i, j, W: abs(i - j) < W), "La finestra guarda anche avanti: manca `j <= i`."),
            Misconception("anche il futuro, e una di troppo", _mask(lambda i, j, W: abs(i - j) <= W), "La finestra guarda anche avanti: manca `j <= i`. E all'indietro ha una key di troppo: la distanza dev'essere minore di `window`."),
            Misconception("tutto il futuro", _mask(lambda i, j, W: i - j < W), "Si vede tutto il futuro: per una key che viene dopo, i − j è negativo, e quindi minore di `window`. Manca `j <= i`."),
            Misconception("un po' di futuro", _mask(lambda i, j, W: j - i < W), "Si vede tutto il passato, e un po' di futuro: la differenza è rovesciata. È ciò che fa `np.tril` con una diagonale positiva, che la sposta nel futuro. Conta i − j, da 0 a window − 1."),
            Misconception("centrata", _mask(lambda i, j, W: abs(i - j) <= W // 2), "La finestra è centrata sulla query, e metà guarda il futuro. Le `window` key stanno tutte nel passato, l'ultima è sé stessa."),
            Misconception("ciò che sta fuori", _mask(lambda i, j, W: (j <= i) & (i - j >= W)), "Hai segnato il passato *fuori* dalla finestra, cioè le key da dimenticare. True è dove si vede: distanze minori di `window`."),
            Misconception("le prime della sequenza", _mask(lambda i, j, W: (j <= i) & (j < W)), "Tutte le query vedono le prime `window` key della sequenza. La finestra si muove: conta la distanza i − j, non la posizione j."),
            Misconception("blocchi", _past(_block), "Questi sono blocchi fermi: la finestra si muove con la query."),
            *_common(masks.sliding_window),
        ),
        praise="Distanza da 0 a window − 1: la finestra scorre con la query.",
    ),
    Exercise(
        id="8.2", title="Lo schema strided", kind="scrivi", stars=2, minutes=6,
        statement="Scrivi la maschera strided di Child et al.: booleani (T, T). La query i vede le ultime `stride` key, sé stessa compresa, e ogni key del passato la cui distanza da i è un multiplo di `stride`.",
        reference=masks.strided, inputs=_strides,
        misconceptions=(
            Misconception("contato dall'inizio", _past(_near, lambda i, j, s: j % s == 0), "Le colonne partono dall'inizio della sequenza. Il passo si conta da chi guarda: conta la distanza i − j, non la posizione j."),
            Misconception("contato dalla fine del blocco", _past(_near, lambda i, j, s: j % s == s - 1), "Queste sono colonne ferme, come nello schema fixed. Il passo si conta da chi guarda."),
            Misconception("lo schema fixed", _past(_block, lambda i, j, s: j % s == s - 1), "Questo è lo schema fixed, con blocchi e colonne che stanno fermi. Nella strided si muove tutto con la query: conta solo la distanza i − j."),
            Misconception("blocco al posto della finestra", _past(_block, _columns), "I vicini sono il proprio blocco: devono essere le ultime `stride` key, contate da chi guarda."),
            Misconception("solo i vicini", _past(_near), "È una finestra: mancano le key lontane, una ogni `stride`."),
            Misconception("solo le colonne", _past(_columns), "Mancano i vicini: le ultime `stride` key si vedono tutte."),
            Misconception("un vicino di meno", _past(lambda i, j, s: i - j < s - 1, _columns), "Manca un vicino, quello a distanza stride − 1: le ultime `stride` key hanno distanze da 0 a stride − 1."),
            Misconception("una colonna sola", _past(_near, lambda i, j, s: i - j == s), "Dopo la prima key lontana ti sei fermato: si torna indietro di `stride` in `stride` fino all'inizio."),
            Misconception("la prima lontana persa", _past(_near, lambda i, j, s: (i - j > s) & ((i - j) % s == 0)), "Manca la key a distanza `stride`: non è fra le ultime `stride`, ma è la prima delle lontane."),
            Misconception("la key zero persa", _past(_near, lambda i, j, s: (j > 0) & ((i - j) % s == 0)), "Le colonne si fermano prima della key zero, che quando il passo ci arriva va vista. Con `range`, l'ultimo valore è escluso: per scendere fino a 0 si scrive −1."),
            Misconception("passo sfasato", _past(_near, lambda i, j, s: (i - j + 1) % s == 0), "Le key lontane sono spostate di uno: le loro distanze devono essere stride, 2 · stride, 3 · stride."),
            Misconception("passo troppo lungo", _past(_near, lambda i, j, s: (i - j) % (s + 1) == 0), "Fra una key lontana e la seguente salti `stride` token, e il passo diventa stride + 1. Le distanze devono essere multipli di `stride`."),
            Misconception("e al posto di oppure", _mask(lambda i, j, s: (j <= i) & (i - j < s) & ((i - j) % s == 0)), "Hai unito le due condizioni con «e»: insieme le soddisfa solo la distanza zero, e ogni token vede soltanto sé stesso. Basta una delle due: serve `|`."),
            Misconception("anche le colonne del futuro", _mask(lambda i, j, s: ((j <= i) & (i - j < s)) | ((i - j) % s == 0)), "Le colonne arrivano anche nel futuro: la distanza è un multiplo di `stride` anche quando è negativa. Serve `j <= i` per tutt'e due le parti."),
            Misconception("anche i vicini del futuro", _mask(lambda i, j, s: (abs(i - j) < s) | ((j <= i) & ((i - j) % s == 0))), "Fra i vicini ci sono anche quelli che vengono dopo. Serve `j <= i` per tutt'e due le parti."),
            Misconception("avanti come indietro", _mask(lambda i, j, s: (abs(i - j) < s) | ((i - j) % s == 0)), "Lo schema guarda avanti quanto indietro: manca `j <= i`, che vale per tutt'e due le parti."),
            Misconception("tutto il futuro", _mask(lambda i, j, s: (i - j < s) | ((i - j) % s == 0)), "Si vede tutto il futuro: per una key che viene dopo, i − j è negativo, e quindi minore di `stride`. Serve `j <= i` per tutt'e due le parti, chiuse fra parentesi."),
            *_common(masks.strided),
        ),
        praise="Vicini e colonne, contati da chi guarda. Con stride + 1 vicini la maschera sarebbe la stessa: l'ultimo è già una colonna.",
    ),
    Exercise(
        id="8.3", title="Lo schema fixed", kind="scrivi", stars=2, minutes=8,
        statement="Scrivi la maschera fixed di Child et al.: booleani (T, T). La query i vede il passato del proprio blocco di `stride` token, sé stessa compresa, e le ultime `summary` posizioni di ogni blocco precedente.",
        reference=masks.fixed, inputs=_blocks,
        misconceptions=(
            Misconception("riassunti dimenticati", _past(_block), "Mancano i riassunti: così ogni blocco è isolato, e nulla passa da uno all'altro. È ciò che descrivono gli appunti."),
            Misconception("solo i riassunti", _past(_summaries), "Ci sono i riassunti, manca il resto del proprio blocco: lì la query vede tutto il passato, e sé stessa."),
            Misconception("solo il blocco prima", _past(_block, lambda i, j, s, c: (i // s - j // s == 1) & (j % s >= s - c)), "I riassunti del blocco precedente ci sono, gli altri no. Si vedono quelli di *tutti* i blocchi passati."),
            Misconception("tutto il blocco prima", _past(_summaries, lambda i, j, s, c: i // s - j // s <= 1), "Del blocco precedente si vede tutto: i blocchi passati si vedono solo dai riassunti."),
            Misconception("le prime del blocco", _past(_block, lambda i, j, s, c: j % s < c), "Hai preso le prime posizioni di ogni blocco. I riassunti sono le ultime: solo loro hanno visto tutto il blocco."),
            Misconception("tutto tranne i riassunti", _past(_block, lambda i, j, s, c: j % s < s - c), "Dei blocchi passati si vede tutto tranne i riassunti: la disuguaglianza è rovesciata. Le ultime `summary` posizioni hanno resto da stride − summary in su."),
            Misconception("i resti da summary in su", _past(_block, lambda i, j, s, c: j % s >= c), "Hai preso i resti da `summary` in su. Le ultime `summary` posizioni cominciano dal resto stride − summary."),
            Misconception("una colonna sola", _past(_block, lambda i, j, s, c: j % s == s - 1), "Una colonna di riassunto c'è, ma sono `summary`."),
            Misconception("la prima dei riassunti", _past(_block, lambda i, j, s, c: j % s == s - c), "Di ogni blocco passato si vede una posizione sola, quella di resto stride − summary: da lì i riassunti cominciano. Serve `>=`, non `==`."),
            Misconception("una colonna di troppo", _past(_block, lambda i, j, s, c: j % s >= s - c - 1), "C'è una colonna di troppo: le ultime `summary` posizioni hanno resto da stride − summary a stride − 1."),
            Misconception("una colonna di meno", _past(_block, lambda i, j, s, c: j % s > s - c), "C'è una colonna di meno: anche il resto stride − summary è fra le ultime `summary` posizioni. Serve `>=`, non `>`."),
            Misconception("il resto di chi guarda", _past(_block, lambda i, j, s, c: i % s >= s - c), "Il resto è quello della query, i: così le ultime query di ogni blocco vedono tutto il passato, le altre soltanto il proprio blocco. I riassunti sono key: serve il resto di j."),
            Misconception("finestra al posto del blocco", _past(_near, _summaries), "I vicini sono una finestra, che scorre. Qui i blocchi stanno fermi."),
            Misconception("lo schema strided", _past(_near, _columns), "Questo è lo schema strided, che si muove con la query. Nella fixed blocchi e colonne stanno fermi: il blocco si trova con i // stride, e la colonna con j % stride."),
            Misconception("e al posto di oppure", _mask(lambda i, j, s, c: (j <= i) & (i // s == j // s) & (j % s >= s - c)), "Hai unito le due condizioni con «e»: restano i soli riassunti del proprio blocco, e molte righe sono vuote. Basta una delle due: serve `|`."),
            Misconception("anche il futuro nel blocco", _mask(lambda i, j, s, c: (i // s == j // s) | ((j <= i) & (j % s >= s - c))), "Dentro il blocco si vede anche il futuro: manca `j <= i`."),
            Misconception("anche i riassunti del futuro", _mask(lambda i, j, s, c: ((j <= i) & (i // s == j // s)) | (j % s >= s - c)), "Si vedono anche i riassunti dei blocchi che devono ancora venire. Serve `j <= i` per tutt'e due le parti."),
            Misconception("anche il futuro", _mask(lambda i, j, s, c: (i // s == j // s) | (j % s >= s - c)), "Si vede il futuro, nel proprio blocco e nei riassunti di quelli che vengono dopo: manca `j <= i`, che vale per tutt'e due le parti."),
            *_common(masks.fixed),
        ),
        praise="Il blocco sta fermo, e le sue ultime colonne restano visibili a tutti quelli che vengono dopo.",
    ),
    Exercise(
        id="8.4", title="La finestra senza la tabella", kind="scrivi", stars=3, minutes=10,
        statement="Ricevi Q e K, shape (T, Dk), V, shape (T, Dv), e `window`. Restituisci l'uscita della finestra, shape (T, Dv), leggendo per ogni query solo le sue key: nessuna tabella T × T. "
                  "`check` confronta solo i valori: che tu non scriva la tabella, devi guardarlo tu.",
        reference=windowed, inputs=_sequences,
        misconceptions=(
            Misconception("una key di troppo", _windowed(lambda i, T, W: range(max(0, i - W), i + 1)), "La finestra ha una key di troppo: comincia da i − window + 1."),
            Misconception("una key di meno", _windowed(lambda i, T, W: range(max(0, i - W + 2), i + 1)), "La finestra ha una key di meno: da i − window + 1 a i sono `window` key."),
            Misconception("sé stessa esclusa", _windowed(lambda i, T, W: range(max(0, i - W + 1), i)), "La query non vede sé stessa: lo slice finisce prima di i + 1. E la prima query, senza key, dà zeri."),
            Misconception("le key prima di sé stessa", _windowed(lambda i, T, W: range(max(0, i - W), i)), "Hai preso le `window` key prima della query, senza la query: lo slice va da i − window + 1 a i, e in Python si scrive i + 1."),
            Misconception("slice vuoto, righe di zeri", _windowed(_slice), "Le prime window − 1 righe sono fatte di zeri. Se lo slice è `K[i - window + 1:i + 1]`, vicino all'inizio il primo indice è negativo, Python lo conta dal fondo e lo slice è vuoto. "
                          "Serve `max(0, …)`: le prime query hanno meno key, non nessuna."),
            *(Misconception(name, _windowed(_slice, weigh=weigh), "La funzione si ferma, perché a una query non è rimasta nessuna key: il suo slice è vuoto. Guarda gli estremi. Un inizio negativo in Python si conta dal fondo: serve `max(0, …)`. "
                            "La fine è i + 1, perché la query vede sé stessa.")
              for name, weigh in (("slice vuoto", softmax), ("slice vuoto, nessun massimo", lambda s: np.exp(s - s.max())), ("lista vuota, nessun massimo", lambda s: max(list(s))))),
            Misconception("prime righe mancanti", lambda Q, K, V, W: windowed(Q, K, V, W)[W - 1:], "Mancano le prime window − 1 righe, quelle delle query con meno key: l'uscita ha una riga per ogni token."),
            Misconception("indice negativo", _windowed(lambda i, T, W: range(i - W + 1, i + 1)), "Vicino all'inizio l'indice diventa negativo, e in Python si conta dal fondo: la query vede il futuro. Serve `max(0, …)`."),
            Misconception("zeri prima dell'inizio", _padded, "Prima dell'inizio hai messo token fatti di zeri. Il loro punteggio è zero, ma e⁰ vale uno: la softmax li conta, e le prime righe perdono peso. Vanno nascosti, o non letti affatto."),
            Misconception("anche dopo", _windowed(lambda i, T, W: range(max(0, i - W + 1), min(T, i + 2))), "Si vede anche il token seguente: lo slice deve finire a i + 1."),
            Misconception("finestra in avanti", _windowed(lambda i, T, W: range(i, min(T, i + W))), "La finestra comincia dalla query e va avanti: è il futuro. Le `window` key finiscono con la query, a i + 1."),
            Misconception("centrata", _windowed(lambda i, T, W: range(max(0, i - W // 2), min(T, i + W // 2 + 1))), "La finestra è centrata sulla query, e metà guarda il futuro. Le `window` key finiscono con la query."),
            Misconception("tutto il passato", _windowed(lambda i, T, W: range(i + 1)), "Ogni query legge tutto il passato: `window` non è stata usata. La prima key è i − window + 1."),
            Misconception("tutta la sequenza", _windowed(lambda i, T, W: range(T)), "Ogni query legge tutta la sequenza, anche il futuro: le sue key vanno da i − window + 1 a i."),
            Misconception("blocchi", _windowed(lambda i, T, W: range(i - i % W, i + 1)), "Questi sono blocchi fermi: la finestra si muove con la query."),
            Misconception("senza scala", _windowed(scale=lambda Dk, Dv: 1), "Manca la divisione per la radice della larghezza delle key."),
            Misconception("senza radice", _windowed(scale=lambda Dk, Dv: Dk), "Hai diviso per la larghezza delle key: serve la sua radice."),
            Misconception("radice della larghezza dei value", _windowed(scale=lambda Dk, Dv: np.sqrt(Dv)), "Hai diviso per la radice della larghezza dei value: la scala è quella delle key."),
            Misconception("query e key scambiate", lambda Q, K, V, W: windowed(K, Q, V, W), "Hai scambiato i ruoli: una key è confrontata con le query della finestra. La query i è una sola, e le key sono tante."),
            Misconception("senza softmax", _windowed(weigh=lambda s: s), "Hai usato i punteggi come pesi: manca la softmax."),
            Misconception("esponenziali e basta", _windowed(weigh=np.exp), "Gli esponenziali ci sono, ma non li hai divisi per la loro somma: i pesi di una query devono sommare a uno."),
            Misconception("value dall'inizio", _windowed(value=lambda seen: seen - seen[0]), "I pesi sono giusti, ma moltiplicano i primi value della sequenza: le key e i value della finestra sono gli stessi token."),
            Misconception("softmax sul passato", lambda Q, K, V, W: _masked_too_late(Q, K, V, W, masks.causal(len(Q))), "La softmax ha contato anche i token passati fuori dalla finestra: i pesi che restano non sommano a uno."),
            Misconception("softmax su tutto", lambda Q, K, V, W: _masked_too_late(Q, K, V, W, True), "La softmax ha contato tutti i token, e la finestra è arrivata dopo: i pesi che restano non sommano a uno."),
            Misconception("media", _windowed(weigh=lambda s: np.ones_like(s) / len(s)), "Hai fatto la media dei value della finestra: mancano i pesi."),
        ),
        praise=f"Per ogni query `window` key: il lavoro cresce come T, non come T².\n\n{_MEMORY}",
    ),
    Exercise(
        id="8.5", title="Fin dove arriva?", kind="prevedi", stars=2, minutes=5,
        statement="Quante posizioni, sé stessa compresa, possono influire sull'uscita dell'ultimo di 200.000 token? Un intero per ognuna di queste pile di layer: \"1 layer, finestra 4\", \"3 layer, finestra 4\", \"32 layer, finestra 4096\", "
                  "\"finestra 4, globale, finestra 4\".",
        reference=lambda: _reach(4, 10, 131_041, 200_000),
        misconceptions=(
            Misconception("L per W", lambda: _reach(4, 12, 131_072, 200_000), "Ogni layer aggiunge window − 1 posizioni, non `window`: una è quella da cui si guarda. In tutto L · (W − 1) + 1."),
            Misconception("il prodotto di Mistral", lambda: _reach(4, 10, 131_072, 200_000), "Hai scritto 32 · 4096, come l'articolo di Mistral 7B, che però dice «circa». Il conto esatto è quello che hai fatto con tre layer. Le altre voci sono giuste."),
            Misconception("L per W, e uno", lambda: _reach(5, 13, 131_073, 200_000), "Hai fatto L · W + 1: un layer solo vedrebbe più di `window` posizioni. Ogni layer ne aggiunge window − 1, perché una è quella da cui si guarda."),
            Misconception("sé stessa non contata", lambda: _reach(3, 9, 131_040, 199_999), "Hai contato solo le posizioni prima: nel conto c'è anche l'ultimo token."),
            Misconception("manca il più uno", lambda: _reach(3, 9, 131_040, 200_000), "L · (W − 1) conta solo le posizioni prima: c'è anche l'ultimo token. Con il layer globale l'hai contato."),
            Misconception("più uno dimenticato dopo il primo layer", lambda: _reach(4, 9, 131_040, 200_000), "Con un layer hai contato anche l'ultimo token, con più layer no. L · (W − 1) sono le posizioni prima: manca sempre sé stessa."),
            Misconception("globale senza sé stessa", lambda: _reach(4, 10, 131_041, 199_999), "Le finestre sono giuste. Con il layer globale hai contato solo le posizioni prima: c'è anche l'ultimo token."),
            Misconception("quella di un layer", lambda: _reach(4, 4, 4096, 200_000), "Un layer vede solo la finestra, ma ciò che legge era già stato aggiornato dal layer sotto: la portata si somma."),
            Misconception("W alla L", lambda: _reach(4, 64, 4096 ** 32, 200_000), "La portata si somma, non si moltiplica: le finestre dei vicini si sovrappongono quasi del tutto."),
            Misconception("W alla L, fino in fondo", lambda: _reach(4, 64, 200_000, 200_000), "La portata si somma, non si moltiplica: le finestre dei vicini si sovrappongono quasi del tutto. Con 32 layer non si arriva all'inizio."),
            Misconception("la globale conta una volta", lambda: _reach(4, 10, 131_041, 10), "Un layer globale basta: da lì si vede tutto il passato."),
            Misconception("la globale saltata", lambda: _reach(4, 10, 131_041, 7), "Le prime tre sono giuste. Nell'ultima pila hai contato solo le due finestre: il layer globale in mezzo vede tutto il passato."),
            Misconception("l'ultima finestra comanda", lambda: _reach(4, 10, 131_041, 4), "Le prime tre sono giuste. Nell'ultima pila l'ultimo layer vede 4 token, ma ciascuno di loro ha già ricevuto qualcosa dal layer globale, che vede tutto il passato."),
            Misconception("la globale come somma", lambda: _reach(4, 10, 131_041, 200_006), "Più dell'intera sequenza non si può vedere."),
        ),
        praise="L · (W − 1) + 1, finché non c'è un layer globale. L'articolo di Mistral 7B conta W per ogni layer, 32 · 4096 = 131.072, «circa 131K»; il conto esatto è 131.041.",
    ),
    Exercise(
        id="8.6", title="La maschera rovesciata", kind="trova il bug", stars=2, minutes=7,
        statement="`pesi_male` riceve punteggi (Tq, Tk) e una maschera booleana, True = visibile, e dà pesi sbagliati. Scrivi `pesi_giusti`: ogni riga pesa le sole key visibili e somma a uno; una riga senza key visibili è fatta di zeri.",
        reference=masked_weights, inputs=_scores,
        misconceptions=(
            Misconception("la funzione di partenza", pesi_male, "Fa ancora ciò che fa `pesi_male`: mette −∞ dove la maschera è True, cioè sulle key visibili, e una riga tutta visibile dà NaN. Dopo lo scambio resta un secondo problema: la riga senza key visibili."),
            Misconception("il complemento", lambda s, m: masked_weights(s, ~m), "Lo scambio di partenza c'è ancora: hai nascosto le key visibili. In questo corso True vuol dire visibile; in `nn.MultiheadAttention` vuol dire il contrario."),
            Misconception("il complemento, con un numero grande", lambda s, m: softmax(np.where(m, -1e9, s)), "Lo scambio di partenza c'è ancora: −10⁹ sta sulle key visibili. E una riga tutta a −10⁹ diventa uniforme: per avere zeri serve −∞, e una cura a parte."),
            Misconception("righe vuote non previste", lambda s, m: pesi_male(s, ~m), "Le righe con qualcosa da vedere sono giuste. Una riga vuota dà NaN, da −∞ meno −∞ o da 0 diviso 0: qui deve dare zeri."),
            Misconception("riga vuota uniforme", lambda s, m: softmax(np.where(m, s, -1e9)), "Con −10⁹ al posto di −∞ una riga vuota diventa uniforme: pesa anche ciò che non deve vedere."),
            Misconception("riga vuota come senza maschera", lambda s, m: softmax(s - 1e9 * ~m), "Le righe con qualcosa da vedere sono giuste. Una riga vuota ha i pesi che avrebbe senza maschera: se sommi −10⁹ a tutti i suoi punteggi, la softmax non se ne accorge. Qui deve dare zeri."),
            Misconception("maschera dopo la softmax", lambda s, m: softmax(s) * m, "Hai azzerato i pesi dopo la softmax: le righe non sommano più a uno."),
            Misconception("zeri al posto di meno infinito", lambda s, m: softmax(np.where(m, s, 0.0)), "Un punteggio zero non nasconde: e⁰ vale uno. Serve −∞."),
            Misconception("NaN dappertutto", lambda s, m: np.full_like(s, np.nan), "Tutti i pesi sono NaN, anche dove c'è qualcosa da vedere. Se moltiplichi la maschera per −∞, dove vale zero il prodotto è NaN: per scegliere usa `np.where`. "
                          "Se sommi tutta la tabella, il NaN di una riga vuota contagia le altre: la somma è riga per riga."),
            Misconception("asse sbagliato", lambda s, m: masked_weights(s.T, m.T).T, "La softmax è sull'asse delle query: a sommare a uno sono le colonne."),
            Misconception("una somma sola", lambda s, m: masked_weights(s.reshape(1, -1), m.reshape(1, -1)).reshape(s.shape), "A sommare a uno è l'intera tabella: massimo e somma vanno presi riga per riga, con `axis=-1` e `keepdims=True`."),
            Misconception("senza maschera", lambda s, m: softmax(s), "La maschera non è stata usata."),
        ),
        praise="Una riga vuota capita: nello schema fixed, le colonne di riassunto da sole lasciano vuote le prime l − c righe, perché il primo riassunto sta in posizione l − c (l è `stride`, c è `summary`).",
    ),
    Exercise(
        id="8.7", title="La tabella degli Sparse Transformers", kind="leggi la tabella", stars=2, minutes=5,
        statement="Dalla tabella di Child et al.: sul testo (Enwik8), quante volte un passo di *fixed* è più rapido di uno denso? E quanti bit per byte in più chiede *strided* rispetto al denso? Restituisci la coppia, con almeno due decimali.",
        reference=lambda: (_FASTER, 0.13), atol=0.006, rtol=0.0, properties=(("un numero su due", _half_right),),
        misconceptions=(
            Misconception("strided", lambda: (1.31 / 0.35, 0.13), "Il secondo numero è giusto. Il primo è la velocità di strided: la domanda chiede fixed."),
            Misconception("schemi scambiati", lambda: (1.31 / 0.35, -0.01), "Hai scambiato i due schemi: il tempo è di strided, i bit sono di fixed. La domanda chiede il tempo di fixed e i bit di strided."),
            Misconception("fixed e strided", lambda: (0.55 / 0.35, 0.13), "Il secondo numero è giusto. Il primo confronta fixed e strided: la domanda chiede fixed e denso."),
            Misconception("rovesciato", lambda: (0.55 / 1.31, 0.13), "Il secondo numero è giusto. Il rapporto è rovesciato: più rapido vuol dire maggiore di uno."),
            Misconception("il tempo risparmiato", lambda: (1 - 0.55 / 1.31, 0.13), "Il secondo numero è giusto. Il primo è la parte di tempo risparmiata: per sapere quante volte, dividi il tempo del denso per quello di fixed."),
            Misconception("la differenza dei tempi", lambda: (1.31 - 0.55, 0.13), "Il secondo numero è giusto. Il primo è una differenza di tempi: quante volte si ottiene dividendo."),
            Misconception("quanto in più", lambda: (_FASTER - 1, 0.13), "Il secondo numero è giusto. Il primo dice di quanto è più rapido, cioè il rapporto meno uno: la domanda chiede quante volte, il rapporto intero."),
            Misconception("le immagini", lambda: (0.54 / 0.47, -0.02), "Questi sono i numeri di CIFAR-10, cioè delle immagini: la domanda è sul testo."),
            Misconception("il tempo delle immagini", lambda: (0.54 / 0.47, 0.13), "Il secondo numero è giusto. Il primo viene da CIFAR-10, cioè dalle immagini: la domanda è sul testo."),
            Misconception("i bit delle immagini", lambda: (_FASTER, -0.02), "Il primo numero è giusto. Il secondo viene da CIFAR-10, cioè dalle immagini: la domanda è sul testo."),
            Misconception("fixed in bit", lambda: (_FASTER, -0.01), "Il primo numero è giusto. Il secondo è di fixed, che chiede meno bit del denso: la domanda chiede strided."),
            Misconception("strided contro fixed", lambda: (_FASTER, 0.14), "Il primo numero è giusto. Il secondo è la differenza fra strided e fixed: la domanda la chiede rispetto al denso."),
            Misconception("il segno", lambda: (_FASTER, -0.13), "Il primo numero è giusto. Il secondo ha il segno rovesciato: strided chiede *più* bit del denso, e la differenza è positiva."),
            Misconception("il valore, non la differenza", lambda: (_FASTER, 1.13), "Il primo numero è giusto. Il secondo è quanti bit chiede strided: la domanda chiede quanti *in più*."),
            Misconception("in percentuale", lambda: (_FASTER, 13), "Il primo numero è giusto. Il secondo è in percentuale: la domanda chiede i bit."),
            Misconception("scambiati", lambda: (0.13, _FASTER), "I due numeri sono giusti, ma in ordine inverso: prima le volte, poi i bit."),
            Misconception("arrotondato", lambda: (2.4, 0.13), "Il secondo numero è giusto. Il primo va dato con almeno due decimali."),
            Misconception("bit arrotondati", lambda: (_FASTER, 0.1), "Il primo numero è giusto. Il secondo va dato con almeno due decimali."),
            Misconception("tutti e due arrotondati", lambda: (2.4, 0.1), "Tutti e due i numeri vanno dati con almeno due decimali."),
        ),
        praise="Sul testo fixed è più rapido e non peggiore; strided è il più rapido, e il peggiore: lo schema va scelto secondo i dati.",
    ),
)
