"""Gli esercizi del capitolo 6, Attenzione imparata."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.masks import causal
from attnkit.reference import attention, attention_scores, combine, softmax


def _texts(rng):
    """Logit e token di una frase: un token in più dei logit."""
    return [(2 * rng.normal(size=(T, words)), rng.permutation(words)[:T + 1]) for T, words in ((2, 5), (4, 7), (6, 9))]


def cross_entropy(logit, token):
    """La sorpresa media del token che segue, in nat."""
    probabilities = softmax(logit)
    return -np.log(probabilities[np.arange(len(logit)), token[1:]]).mean()


def _cross_entropy(probabilities=softmax, target=lambda token: token[1:], surprise=lambda p: -np.log(p), join=np.mean):
    """La stessa misura, con un passo sostituito da uno sbagliato."""
    def wrong(logit, token):
        return join(surprise(probabilities(logit)[np.arange(len(logit)), target(token)]))
    return wrong


def _one_word(rng):
    return [(2 * rng.normal(size=words), int(rng.integers(words)), lr) for words, lr in ((3, 0.5), (6, 0.1), (9, 1.7))]


def step(logit, bersaglio, lr):
    """Un passo di discesa sui logit di una posizione."""
    return logit - lr * (softmax(logit) - np.eye(len(logit))[bersaglio])


def _step(gradient):
    return lambda logit, bersaglio, lr: logit - lr * gradient(softmax(logit), np.eye(len(logit))[bersaglio])


def _blocks(rng):
    return [(rng.integers(20, size=shape),) for shape in ((3, 4), (4, 6), (5, 8))]


def inputs_and_targets(frasi):
    """Che cosa il modello legge, e che cosa deve indovinare a ogni posto."""
    return frasi[:, :-1], frasi[:, 1:]


def _flips(gatta, topo, perché, da_topo, da_rana):
    return {"toy: taglio gatta": gatta, "toy: taglio topo": topo, "senza norme: taglio perché": perché, "senza norme: taglio topo": da_topo,
            "senza norme: topo diventa rana": da_rana}


def _heads(rng):
    cases = []
    for H, T, Dh, D in ((2, 3, 2, 5), (3, 4, 2, 4), (4, 5, 3, 7)):
        cases.append((*(rng.normal(size=(H, T, Dh)) for _ in range(3)), rng.normal(size=(H * Dh, D)), int(rng.integers(H))))
    return cases


def _side_by_side(heads):
    return heads.transpose(1, 0, 2).reshape(heads.shape[1], -1)


def without_head(Q, K, V, Wo, tolta):
    """L'uscita del layer con una head che porta zero a Wo."""
    heads = attention(Q, K, V, mask=causal(Q.shape[1]))[0].copy()
    heads[tolta] = 0
    return _side_by_side(heads) @ Wo


def _only_others(Q, K, V, Wo, tolta):
    """Le altre head compattate, con le prime righe di Wo."""
    heads = np.delete(attention(Q, K, V, mask=causal(Q.shape[1]))[0], tolta, axis=0)
    return _side_by_side(heads) @ Wo[:len(Wo) - Q.shape[2]]


def _uniform(Q, K, V, Wo, tolta):
    """I punteggi di quella head messi a zero prima della softmax."""
    Q = Q.copy()
    Q[tolta] = 0
    return _side_by_side(attention(Q, K, V, mask=causal(Q.shape[1]))[0]) @ Wo


def _edges(rng):
    cases = []
    for T, Dk, Dv, i, j in ((4, 2, 3, 2, 0), (5, 4, 3, 3, 1), (6, 3, 5, 4, 2)):
        cases.append((*(rng.normal(size=(T, width)) for width in (Dk, Dk, Dv)), i, j))
    return cases


def without_edge(Q, K, V, i, j):
    """L'uscita della head causale, con la query i che non vede più la key j."""
    mask = causal(len(Q))
    mask[i, j] = False
    return attention(Q, K, V, mask=mask)[0]


def _without_edge(change):
    """Un altro modo di tagliare: `change` riceve punteggi causali, pesi, i e j e dà i pesi."""
    def wrong(Q, K, V, i, j):
        scores = attention_scores(Q, K, mask=causal(len(Q)))
        return change(scores, softmax(scores), i, j) @ V
    return wrong


def _zero_weight(scores, weights, i, j):
    weights[i, j] = 0
    return weights


def _zero_score(scores, weights, i, j):
    scores[i, j] = 0
    return softmax(scores)


def _whole_column(scores, weights, i, j):
    scores[j + 1:, j] = -np.inf
    return softmax(scores)


def _other_way(scores, weights, i, j):
    scores[j, i] = -np.inf
    return softmax(scores)


def _whole_row(scores, weights, i, j):
    scores[i, :i] = -np.inf
    return softmax(scores)


def _column_and_diagonal(scores, weights, i, j):
    weights = np.where(np.arange(len(weights)) == j, 0, weights)
    return weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-300)


def _even_share(scores, weights, i, j):
    weights[i, :i + 1] += weights[i, j] / i
    weights[i, j] = 0
    return weights


def _tables(rng):
    return [(rng.normal(size=(words, D)), rng.normal(size=(D, words)), int(rng.integers(words))) for words, D in ((4, 3), (7, 5), (6, 8))]


def new_word(embedding, Wout, simile):
    """Le due tabelle con una parola in più, identica a una che c'è già."""
    return np.vstack([embedding, embedding[simile]]), np.hstack([Wout, Wout[:, simile:simile + 1]])


EXERCISES = (
    Exercise(
        id="6.1", title="La sorpresa media", kind="scrivi", stars=1, minutes=7,
        statement="Ricevi i logit di una frase, shape (T, parole), e i suoi token, T + 1 interi: la riga t dei logit deve indovinare il token t + 1. Restituisci la cross-entropy media, in nat: la media di −log p del token giusto.",
        reference=cross_entropy, inputs=_texts,
        misconceptions=(
            Misconception("bersaglio non spostato", _cross_entropy(target=lambda token: token[:-1]),
                          "Hai chiesto a ogni posizione di indovinare il token che sta già leggendo. Il bersaglio della riga t è il token t + 1: `token[1:]`."),
            Misconception("manca il logaritmo", _cross_entropy(surprise=lambda p: 1 - p),
                          "1 − p non è la sorpresa. Il logaritmo punisce molto di più chi dà quasi zero alla risposta giusta: −log p."),
            Misconception("segno dimenticato", _cross_entropy(surprise=np.log),
                          "Manca il segno meno: il logaritmo di una probabilità è negativo, e la sorpresa è un numero positivo."),
            Misconception("logaritmo in base 2", _cross_entropy(surprise=lambda p: -np.log2(p)),
                          "Hai misurato in bit, con il logaritmo in base 2. Qui si usano i nat: il logaritmo naturale."),
            Misconception("somma al posto della media", _cross_entropy(join=np.sum),
                          "Hai sommato le sorprese. Serve la media: altrimenti una frase lunga sembra peggiore di una corta."),
            Misconception("softmax sull'asse sbagliato", _cross_entropy(probabilities=lambda logit: softmax(logit, axis=0)),
                          "La softmax corre sulle posizioni. Le probabilità sono sulle parole: l'ultimo asse."),
            Misconception("senza softmax", _cross_entropy(probabilities=lambda logit: logit, surprise=lambda s: -s),
                          "Hai usato i logit al posto del logaritmo delle probabilità: manca la softmax."),
            Misconception("tutte le righe per ogni bersaglio", lambda logit, token: -np.log(softmax(logit)[:, token[1:]]).mean(),
                          "`p[:, bersagli]` prende tutte le righe per ogni bersaglio: servono due indici insieme, `p[np.arange(T), bersagli]`."),
            Misconception("softmax due volte", _cross_entropy(probabilities=lambda logit: softmax(softmax(logit))),
                          "Hai applicato la softmax due volte: le probabilità si appiattiscono."),
            Misconception("solo l'ultima posizione", lambda logit, token: -np.log(softmax(logit[-1])[token[-1]]),
                          "Hai contato solo l'ultimo token. Ogni posizione indovina il suo successivo, e la media è su tutte."),
            Misconception("la parola più probabile", lambda logit, token: -np.log(softmax(logit).max(axis=-1)).mean(),
                          "Hai misurato la sorpresa della parola più probabile, non di quella giusta."),
            Misconception("logaritmo della media", lambda logit, token: -np.log(softmax(logit)[np.arange(len(logit)), token[1:]].mean()),
                          "Hai fatto la media delle probabilità e poi il logaritmo. L'ordine conta: prima il logaritmo di ciascuna, poi la media."),
        ),
        praise="È il numero che l'addestramento abbassa: zero per chi indovina sempre, log(parole) per chi non sa nulla.",
    ),
    Exercise(
        id="6.2", title="Un passo di discesa", kind="scrivi", stars=2, minutes=8,
        statement="Ricevi i logit di una posizione, shape (parole,), il numero della parola giusta e il passo lr. Il gradiente della cross-entropy rispetto ai logit è p − e, dove p sono le probabilità ed e è un vettore di zeri con un uno al posto "
                  "della parola giusta. Restituisci i logit dopo un passo di discesa.",
        reference=step, inputs=_one_word,
        misconceptions=(
            Misconception("in salita", _step(lambda p, e: e - p),
                          "Ti sei mosso nel verso del gradiente: così la loss sale. La discesa toglie lr volte il gradiente."),
            Misconception("solo la parola giusta", _step(lambda p, e: (p - e) * e),
                          "Hai mosso solo il logit della parola giusta. Anche gli altri hanno un gradiente, la loro probabilità: vanno abbassati."),
            Misconception("manca il bersaglio", _step(lambda p, e: p),
                          "Hai tolto le probabilità e basta: così scende anche la parola giusta. Il suo gradiente è p − 1, negativo."),
            Misconception("solo il bersaglio", _step(lambda p, e: -e),
                          "Hai alzato la parola giusta di lr, qualunque cosa dica il modello. Il passo dipende da quanto sbaglia: p − e."),
            Misconception("gradiente della probabilità", _step(lambda p, e: -(p @ e) * (e - p)),
                          "Questo è il passo che alza la probabilità, non quello che abbassa −log p: differiscono di un fattore p, e dove il modello sbaglia molto quasi non si muove."),
            Misconception("passo dimenticato", lambda logit, bersaglio, lr: logit - (softmax(logit) - np.eye(len(logit))[bersaglio]),
                          "Hai tolto il gradiente intero: manca lr, la lunghezza del passo."),
            Misconception("solo il gradiente", lambda logit, bersaglio, lr: softmax(logit) - np.eye(len(logit))[bersaglio],
                          "Questo è il gradiente: manca il passo. Dai logit si toglie lr volte il gradiente."),
            Misconception("uno tolto a tutti", _step(lambda p, e: p - 1),
                          "L'uno si toglie solo alla parola giusta: per le altre il gradiente è la loro probabilità."),
            Misconception("gradiente sulle probabilità", lambda logit, bersaglio, lr: softmax(logit) - lr * (softmax(logit) - np.eye(len(logit))[bersaglio]),
                          "Hai restituito delle probabilità mosse. A muoversi sono i logit."),
        ),
        praise="p − e: chi è troppo probabile scende, la parola giusta sale, e chi ha già ragione si ferma.",
    ),
    Exercise(
        id="6.3", title="Ingressi e bersagli", kind="trova il bug", stars=2, minutes=5,
        statement="`prepara` riceve un gruppo di frasi, interi (B, T), e dà la coppia (ingressi, bersagli). La loss scende subito quasi a zero, eppure il modello non sa scrivere. Scrivi `ingressi_e_bersagli`, che restituisce due array (B, T − 1).",
        reference=inputs_and_targets, inputs=_blocks,
        misconceptions=(
            Misconception("bersaglio non spostato", lambda frasi: (frasi[:, :-1], frasi[:, :-1]),
                          "È l'errore di partenza: il bersaglio è il token che il modello sta già leggendo, e basta copiarlo. Va spostato di uno."),
            Misconception("spostato all'indietro", lambda frasi: (frasi[:, 1:], frasi[:, :-1]),
                          "Così a ogni posto il modello deve indovinare il token *precedente*, che ha già letto. Il bersaglio è quello che segue."),
            Misconception("finale anche in ingresso", lambda frasi: (frasi, frasi[:, 1:]),
                          "L'ingresso contiene anche l'ultimo token, che non ha un successivo: le due shape non vanno d'accordo."),
            Misconception("solo il finale", lambda frasi: (frasi[:, :-1], frasi[:, -1]),
                          "Hai tenuto un bersaglio solo per frase. Ogni posizione indovina il suo successivo: T − 1 bersagli."),
            Misconception("spostato di due", lambda frasi: (frasi[:, :-2], frasi[:, 2:]),
                          "Hai spostato di due: il modello salterebbe una parola."),
            Misconception("righe al posto delle colonne", lambda frasi: (frasi[:-1], frasi[1:]),
                          "Hai tagliato le righe: il bersaglio sarebbe la frase seguente. Le posizioni stanno sul secondo asse."),
        ),
        praise="Stessa frase, spostata di uno: a ogni posto si legge il passato e si indovina il prossimo token.",
    ),
    Exercise(
        id="6.4", title="Quale taglio ribalta?", kind="prevedi", stars=2, minutes=5,
        statement="Prima di eseguire, di' quali interventi cambiano la risposta. Restituisci un dizionario con True (cambia) o False. Chiavi: \"toy: taglio gatta\" e \"toy: taglio topo\", nella frase di affamat- con il modello del corso; "
                  "\"senza norme: taglio perché\", \"senza norme: taglio topo\" e \"senza norme: topo diventa rana\", nella frase di appetitos- con il modello senza norme, che dà il 99 % a perché.",
        reference=lambda: _flips(True, False, True, False, True),
        misconceptions=(
            Misconception("conta solo il peso", lambda: _flips(True, False, True, False, False),
                          "I tagli li hai previsti bene. Ma tagliare un arco e cambiare una parola sono due domande diverse: una parola agisce anche attraverso i punteggi, decidendo dove *non* si guarda."),
            Misconception("la grammatica decide tutto", lambda: _flips(True, False, False, True, True),
                          "Per la grammatica conta il topo, e infatti cambiarlo conta. Ma questo modello non prende nulla da lui: il taglio dell'arco non toglie niente, perché il suo peso è quasi zero."),
            Misconception("ogni taglio ribalta", lambda: _flips(True, True, True, True, True),
                          "Un arco con un peso quasi nullo porta quasi nulla: tagliarlo sposta poco."),
            Misconception("nessun taglio ribalta", lambda: _flips(False, False, False, False, False),
                          "Gli altri token non sanno chi ha fame: tolto l'arco che porta l'informazione, il modello risponde con quello che gli resta."),
            Misconception("il topo non c'entra", lambda: _flips(True, False, False, False, False),
                          "Nel modello senza norme il 99 % va a «perché»: è lui che porta la risposta. E il topo, con il suo punteggio, decide che si guardi lì."),
        ),
        praise="Peso, taglio e parola cambiata sono tre domande diverse, e hanno tre risposte diverse.",
    ),
    Exercise(
        id="6.5", title="Tagliare un arco", kind="scrivi", stars=2, minutes=8,
        statement="Ricevi Q e K, shape (T, Dk), V, shape (T, Dv), e due posizioni i e j, con j < i. Restituisci l'uscita della head causale, shape (T, Dv), in cui la query i non vede più la key j. I pesi che restano devono ancora sommare a uno.",
        reference=without_edge, inputs=_edges,
        misconceptions=(
            Misconception("peso azzerato dopo la softmax", _without_edge(_zero_weight),
                          "Hai azzerato il peso dopo la softmax: la riga non somma più a uno. Il taglio va fatto prima, mettendo −∞ al posto del punteggio."),
            Misconception("punteggio a zero", _without_edge(_zero_score),
                          "Un punteggio pari a zero è un punteggio come gli altri, e il peso non sparisce. Serve −∞."),
            Misconception("colonna intera", _without_edge(_whole_column),
                          "Hai nascosto j a tutti quelli che vengono dopo. L'arco è uno solo: solo la query i non deve vederlo."),
            Misconception("colonna con la diagonale", _without_edge(_column_and_diagonal),
                          "Hai tolto j a tutti, perfino a sé stesso. L'arco è uno solo: solo la query i non deve vederlo."),
            Misconception("riga intera", _without_edge(_whole_row),
                          "Hai tolto a i tutto il suo passato. L'arco è uno solo: quello verso j."),
            Misconception("peso diviso in parti uguali", _without_edge(_even_share),
                          "Hai diviso il peso di j in parti uguali. La softmax lo divide in proporzione ai pesi che restano."),
            Misconception("senza la radice", lambda Q, K, V, i, j: without_edge(Q * np.sqrt(Q.shape[1]), K, V, i, j),
                          "L'arco è tagliato, ma manca la divisione per la radice della larghezza."),
            Misconception("nessun taglio", _without_edge(_other_way),
                          "L'uscita è quella della head intera. O manca il taglio, o hai nascosto i a j: ma j già non la vedeva. La riga è chi guarda."),
            Misconception("value azzerato", lambda Q, K, V, i, j: attention(Q, K, np.where((np.arange(len(V)) == j)[:, None], 0, V), mask=causal(len(Q)))[0],
                          "Hai azzerato il value di j: il suo peso resta, e il value manca a tutti, non solo a i."),
            Misconception("senza maschera causale", lambda Q, K, V, i, j: attention(Q, K, V, mask=~((np.arange(len(Q))[:, None] == i) & (np.arange(len(Q)) == j)))[0],
                          "L'arco è tagliato, ma manca la maschera causale: ogni token vede anche il futuro."),
        ),
        praise="Un arco tagliato è un False in più nella maschera: il suo peso si distribuisce fra gli altri.",
    ),
    Exercise(
        id="6.6", title="Togliere una head", kind="scrivi", stars=2, minutes=8,
        statement="Ricevi Q, K e V, shape (H, T, Dh), Wo, shape (H·Dh, D), e il numero della head da togliere, da 0. Restituisci l'uscita del layer causale, shape (T, D), in cui quella head porta zero a Wo e le altre restano com'erano.",
        reference=without_head, inputs=_heads,
        misconceptions=(
            Misconception("punteggi a zero", _uniform,
                          "Hai azzerato i punteggi, o la query, prima della softmax: quella head non tace, dà a tutti lo stesso peso. È la sua *uscita* che va messa a zero."),
            Misconception("head compattate", _only_others,
                          "Hai tolto la head e accostato le altre: quelle che venivano dopo incontrano in Wo le righe sbagliate. Il posto resta, pieno di zeri."),
            Misconception("riunite senza trasporre", lambda Q, K, V, Wo, tolta: (attention(Q, K, V, mask=causal(Q.shape[1]))[0] * (np.arange(len(Q)) != tolta)[:, None, None]).reshape(Q.shape[1], -1) @ Wo,
                          "La head tace, ma le altre sono state riunite con un `reshape` diretto: nelle righe finiscono token diversi. Prima si scambiano gli assi."),
            Misconception("altre riscalate", lambda Q, K, V, Wo, tolta: without_head(Q, K, V, Wo, tolta) * len(Q) / (len(Q) - 1),
                          "Hai ingrandito le altre head per compensare. Qui si toglie e basta: l'aggiunta al flusso diventa più piccola."),
            Misconception("tolte tutte le altre", lambda Q, K, V, Wo, tolta: attention(Q[tolta], K[tolta], V[tolta], mask=causal(Q.shape[1]))[0] @ Wo[tolta * Q.shape[2]:(tolta + 1) * Q.shape[2]],
                          "Hai tenuto solo la head da togliere: quello è il suo contributo. Serve tutto il resto."),
            Misconception("nessuna tolta", lambda Q, K, V, Wo, tolta: _side_by_side(attention(Q, K, V, mask=causal(Q.shape[1]))[0]) @ Wo,
                          "L'uscita è quella del layer intero: la head non è stata tolta."),
            Misconception("senza maschera", lambda Q, K, V, Wo, tolta: _side_by_side(np.where(np.arange(len(Q))[:, None, None] == tolta, 0, attention(Q, K, V)[0])) @ Wo,
                          "La head è tolta, ma manca la maschera causale: ogni token vede anche il futuro."),
            Misconception("contata da uno", lambda Q, K, V, Wo, tolta: without_head(Q, K, V, Wo, tolta - 1),
                          "Hai tolto la head accanto: qui si conta da zero."),
        ),
        praise="Poiché le head si sommano, toglierne una è togliere un addendo.",
    ),
    Exercise(
        id="6.7", title="Una parola nuova", kind="scrivi", stars=3, minutes=12,
        statement="Aggiungi una parola a un modello già addestrato, senza riaddestrarlo: all'inizio dev'essere identica a una che c'è già. Ricevi embedding, shape (parole, D), Wout, shape (D, parole), e `simile`, il numero della parola da imitare. "
                  "Restituisci la coppia (embedding, Wout) con una parola in più, in fondo: shape (parole + 1, D) e (D, parole + 1). Le tabelle che ricevi non vanno modificate.",
        reference=new_word, inputs=_tables,
        misconceptions=(
            Misconception("inizio a zero", lambda E, W, s: (np.vstack([E, np.zeros(E.shape[1])]), np.hstack([W, np.zeros((len(W), 1))])),
                          "Hai aggiunto una riga e una colonna di zeri: la parola non somiglia a nessuna. Dev'essere la copia di `simile`."),
            Misconception("media di tutte", lambda E, W, s: (np.vstack([E, E.mean(axis=0)]), np.hstack([W, W.mean(axis=1, keepdims=True)])),
                          "La media di tutte le parole è un inizio prudente, ma qui si chiede una copia di `simile`."),
            Misconception("solo in ingresso", lambda E, W, s: (np.vstack([E, E[s]]), W),
                          "Il modello ora sa leggerla, ma non può mai scriverla: manca la colonna di Wout."),
            Misconception("Wout con zeri", lambda E, W, s: (np.vstack([E, E[s]]), np.hstack([W, np.zeros((len(W), 1))])),
                          "L'embedding è giusto. Ma la colonna di Wout è di zeri: la parola avrebbe sempre logit zero."),
            Misconception("in testa", lambda E, W, s: (np.vstack([E[s], E]), np.hstack([W[:, s:s + 1], W])),
                          "L'hai messa per prima: tutte le altre parole cambiano numero. Va in fondo."),
            Misconception("embedding in uscita", lambda E, W, s: (np.vstack([E, E[s]]), np.hstack([W, E[s][:, None]])),
                          "Hai usato l'embedding anche come colonna di Wout. In questo modello le due tabelle sono diverse: si copia la colonna di `simile`."),
            Misconception("la parola accanto", lambda E, W, s: new_word(E, W, s - 1),
                          "Hai copiato la parola accanto: il numero si usa com'è, da zero."),
        ),
        praise="Una parola, per il modello, è una riga e una colonna: copiate quelle, si comporta come l'altra. L'addestramento poi le separa.",
    ),
)
