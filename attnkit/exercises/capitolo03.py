"""Gli esercizi del capitolo 3, Relevance scoring."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.masks import causal
from attnkit.reference import attention_scores, softmax


def _exp_over_sum(scores, axis=-1):
    """La formula scritta com'è, senza badare agli overflow."""
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def _score_tables(rng):
    """Tabelle di punteggi; l'ultima ha numeri troppo grandi per un esponenziale ingenuo."""
    large = rng.normal(size=(5, 4))
    large[1, 2], large[2, 0] = 1000, -1000
    large[3], large[4] = (1000, 999, -1000, 998), (-1000, -999, -1001, -1000)
    return [(rng.normal(size=(2, 3)),), (3 * rng.normal(size=(5, 4)),), (large,)]


def _rows_sum_to_one(arguments, output):
    sums = output.sum(axis=-1)
    if np.allclose(sums, 1, atol=1e-4):
        return None
    worst = int(np.nan_to_num(np.abs(sums - 1), nan=np.inf).argmax())
    if np.isnan(sums[worst]):
        return f"La riga {worst} contiene nan: un esponenziale è traboccato, e infinito diviso infinito non è un numero."
    return f"La riga {worst} somma a {sums[worst]:.6g}".replace(".", ",") + ", e dovrebbe sommare a 1."


def _no_weight_to_the_future(arguments, output):
    future = np.triu(np.abs(output), 1).sum(axis=1)
    if future.max() < 1e-6:
        return None
    worst = int(future.argmax())
    return f"Nella riga {worst} i token successivi ricevono in tutto {future[worst]:.3g} di peso".replace(".", ",") + ": dovrebbero riceverne zero."


def _head_inputs(rng):
    return [tuple(rng.normal(size=shape) for shape in ((T, D), (D, Dk), (D, Dk))) for T, D, Dk in ((2, 3, 4), (5, 6, 3), (3, 5, 3), (7, 4, 9))]


def scaled_scores(X, Wq, Wk):
    """I punteggi scalati di tutte le coppie, senza maschera."""
    return attention_scores(X @ Wq, X @ Wk)


def _pairs(rng):
    """Tante query e tante key, riga per riga, con varianze diverse fra loro."""
    return [(a * rng.normal(size=(N, Dk)), b * rng.normal(size=(N, Dk)))
            for N, Dk, a, b in ((6, 4, 1, 1), (200, 16, 1, 1.5), (300, 9, 0.7, 1))]


def variances(Q, K):
    """La varianza dei prodotti scalari riga per riga, prima e dopo la scala."""
    products = (Q * K).sum(axis=1)
    return products.var(), (products / np.sqrt(Q.shape[1])).var()


def _variance_with(products):
    def wrong(Q, K):
        values = products(Q, K)
        return values.var(), (values / np.sqrt(Q.shape[1])).var()
    return wrong


def _square_scores(rng):
    tables = [2 * rng.normal(size=(T, T)) for T in (3, 5, 6)]
    tables[1][2, 2] = tables[1][4, 1] = 0                                 # uno zero è un punteggio come un altro
    return [(table,) for table in tables]


def causal_weights(punteggi):
    """Pesi causali: −∞ sopra la diagonale, poi softmax riga per riga."""
    return softmax(np.where(causal(len(punteggi)), punteggi, -np.inf))


def _visible(T, diagonal):
    return np.tril(np.ones((T, T), dtype=bool), diagonal)


def _plain(scores):
    """Softmax stabile come si scrive di solito: una riga tutta di −∞ dà NaN."""
    return _exp_over_sum(scores - scores.max(axis=-1, keepdims=True))


def _diagonal_missing(punteggi):
    return _plain(np.where(_visible(len(punteggi), -1), punteggi, -np.inf))


def _fragile_inputs(rng):
    """Punteggi nascosti enormi, punteggi visibili grandi, righe tutte nascoste."""
    ordinary, enormous, infinite, large = (rng.normal(size=(T, T)) for T in (3, 4, 5, 6))
    enormous[0, 3] = enormous[1, 2] = 20000
    infinite[0, 2] = 715                                                  # exp non ci sta, ma di poco
    large[3, :3], large[3, 5] = (900, 899, 898), 5000                     # anche chi si vede può essere grande
    large[4, :4] = -900, -901, -902, -900
    some = causal(6)
    some[1] = False                                                       # nessuno da guardare
    some[5, 2] = False
    return [(ordinary, causal(3)), (enormous, causal(4)), (infinite, causal(5)), (large, some)]


def robust_weights(punteggi, maschera):
    """Pesi con una maschera qualsiasi: −∞ prima della softmax, zeri dove è tutto nascosto."""
    return softmax(np.where(maschera, punteggi, -np.inf))


def mask_then_renormalise(punteggi, maschera):
    """La versione da correggere: nasconde dopo la softmax e ridivide per la somma."""
    kept = softmax(punteggi) * maschera
    return kept / kept.sum(axis=1, keepdims=True)


def _exp_then_mask(punteggi, maschera):
    visible = np.where(maschera, punteggi, -np.inf).max(axis=1, keepdims=True)
    kept = np.exp(punteggi - visible) * maschera
    return kept / kept.sum(axis=1, keepdims=True)


def _broken_made_uniform(punteggi, maschera):
    weights = mask_then_renormalise(punteggi, maschera)
    return np.where(np.isnan(weights), maschera / np.maximum(1, maschera.sum(axis=1, keepdims=True)), weights)


def _hidden_has_no_weight(arguments, output):
    hidden = np.where(arguments[1], 0, np.abs(output)).sum(axis=1)
    if not hidden.max() >= 1e-6:
        return None
    worst = int(hidden.argmax())
    return f"Nella riga {worst} ciò che è nascosto riceve in tutto {hidden[worst]:.3g} di peso".replace(".", ",") + ": dovrebbe riceverne zero."


def _changes(sum_all, sum_one, double, swap):
    return {"+5 a tutti": sum_all, "+5 a uno solo": sum_one, "per 2": double, "ordine rovesciato": swap}


EXERCISES = (
    Exercise(
        id="3.1", title="Il punteggio più alto, con e senza futuro", kind="leggi la tabella", stars=1, minutes=3,
        statement="Nella tabella dei punteggi, guarda la riga di `topo`. Qual è il token con il punteggio più alto fra tutti e sette? "
                  "E quale fra quelli che `topo` può davvero vedere? Restituisci la coppia di token.",
        reference=lambda: ("affamat-", "topo"),
        misconceptions=(
            Misconception("futuro dimenticato", lambda: ("affamat-", "affamat-"),
                          "Il primo è giusto. Ma «affamat-» viene dopo `topo`: quando il modello legge `topo`, quel token non c'è ancora."),
            Misconception("maschera già applicata", lambda: ("topo", "topo"),
                          "Il secondo è giusto. Per il primo guarda anche le caselle grigie: la tabella dei punteggi si calcola tutta, la maschera viene dopo. (E se hai letto la colonna di `topo`: la riga è chi guarda.)"),
            Misconception("scambiati", lambda: ("topo", "affamat-"),
                          "I due token sono quelli, nell'ordine opposto: prima il più alto fra tutti, poi il più alto fra quelli visibili."),
            Misconception("sé stesso escluso", lambda: ("affamat-", "il"),
                          "Il primo è giusto. Per il secondo hai saltato la diagonale: un token vede anche sé stesso."),
        ),
        praise="Il punteggio più alto di tutta la tabella è di una coppia che non si può vedere, `topo` verso «affamat-»: è lì che la maschera serve.",
    ),
    Exercise(
        id="3.2", title="Che cosa cambia i pesi?", kind="prevedi", stars=1, minutes=4,
        statement="Una riga di punteggi passa per la softmax. Quali di questi cambiamenti modificano il peso che ogni token riceve? "
                  "Restituisci un dizionario con True se i pesi cambiano: chiavi \"+5 a tutti\", \"+5 a uno solo\", \"per 2\" (e i punteggi non sono tutti uguali), \"ordine rovesciato\". Nell'ultimo caso i token si presentano "
                  "nell'ordine opposto, ciascuno con il suo punteggio: chiediti se cambia il peso di un token.",
        reference=lambda: _changes(False, True, True, False),
        misconceptions=(
            Misconception("tutto cambia i pesi", lambda: _changes(True, True, True, True),
                          "Non tutto. Una costante sommata a tutti si semplifica fra numeratore e denominatore; e la softmax non sa in che ordine stanno i punteggi."),
            Misconception("raddoppiare non cambia nulla", lambda: _changes(False, True, False, False),
                          "La softmax ignora uno spostamento, non una scala. Raddoppiando i punteggi raddoppiano le differenze, e il più alto si prende di più."),
            Misconception("contano i valori, non le differenze", lambda: _changes(True, True, True, False),
                          "Per la softmax contano solo le differenze fra i punteggi: sommando 5 a tutti restano quelle di prima."),
            Misconception("spostamento e scala scambiati", lambda: _changes(True, True, False, False),
                          "È il contrario: sommare la stessa costante non cambia nulla, moltiplicare sì."),
            Misconception("conta la posizione", lambda: _changes(False, True, True, True),
                          "La softmax non guarda la posizione: ogni token si porta dietro il suo punteggio, e con lui il suo peso."),
            Misconception("nulla cambia i pesi", lambda: _changes(False, False, False, False),
                          "Qualcosa li cambia: se un solo punteggio sale, il suo peso sale e gli altri scendono, perché la somma resta uno."),
        ),
        praise="Spostare no, scalare sì. Su questa seconda metà si regge tutto il discorso di √d_k.",
    ),
    Exercise(
        id="3.3", title="Una softmax che regge", kind="scrivi", stars=2, minutes=8,
        statement="Scrivi la softmax di una tabella di punteggi, shape (Tq, Tk): ogni riga deve sommare a uno. Deve reggere anche punteggi come 1000 o −1000.",
        reference=lambda punteggi: softmax(punteggi), inputs=_score_tables, properties=(("le righe sommano a uno", _rows_sum_to_one),),
        misconceptions=(
            Misconception("esponente instabile", _exp_over_sum,
                          "La formula è giusta, ma exp(1000) non sta in un float64: diventa infinito, e infinito diviso infinito non è un numero. "
                          "Sottrai prima il massimo della riga: i pesi non cambiano."),
            *(Misconception(f"sottratto {name}", lambda punteggi, take=take: _exp_over_sum(punteggi - take(punteggi, axis=-1, keepdims=True)),
                            f"Hai sottratto {name} della riga: con punteggi così lontani non basta, e qualche esponenziale trabocca ancora. Sottrai il massimo: il più alto diventa exp(0) = 1, e nessuno lo supera.")
              for name, take in (("la media", np.mean), ("il minimo", np.min))),
            Misconception("asse sbagliato", lambda punteggi: softmax(punteggi, axis=0),
                          "Così sommano a uno le colonne. Ogni riga è una query che distribuisce la propria attenzione sulle key: l'asse è l'ultimo."),
            Misconception("una softmax su tutta la tabella", lambda punteggi: softmax(punteggi.ravel()).reshape(punteggi.shape),
                          "A sommare a uno è la tabella intera. Serve una softmax per riga: `axis=-1` e `keepdims=True`, sia nel massimo sia nella somma."),
            Misconception("massimo di tutta la tabella", lambda punteggi: _exp_over_sum(punteggi - punteggi.max()),
                          "Hai sottratto il massimo di tutta la tabella. Un 1000 in una riga schiaccia a zero gli esponenziali delle altre, e 0/0 non è un numero: il massimo va preso riga per riga."),
            Misconception("punteggi tagliati", lambda punteggi: softmax(np.clip(punteggi, -500, 500)),
                          "Tagliando i punteggi a una soglia, due punteggi diversi oltre quella soglia diventano uguali. Sottrai il massimo della riga: le differenze restano tutte."),
            Misconception("massimo della riga dimenticato nel denominatore",
                          lambda punteggi: np.exp(punteggi - punteggi.max(axis=1, keepdims=True)) / np.exp(punteggi).sum(axis=1, keepdims=True),
                          "Hai sottratto il massimo solo al numeratore: così non si semplifica. Va tolto prima, dai punteggi, e poi si usano solo quelli."),
            Misconception("diviso per il massimo", lambda punteggi: np.exp(punteggi - punteggi.max(axis=1, keepdims=True)),
                          "Il più grande di ogni riga vale 1, ma la riga non somma a uno: manca la divisione per la somma degli esponenziali."),
            Misconception("senza esponenziale", lambda punteggi: punteggi / punteggi.sum(axis=1, keepdims=True),
                          "Hai diviso i punteggi per la loro somma. I punteggi hanno un segno: così escono pesi negativi, e la somma può anche essere zero. Prima serve l'esponenziale."),
            Misconception("valore assoluto", lambda punteggi: np.abs(punteggi) / np.abs(punteggi).sum(axis=1, keepdims=True),
                          "Con il valore assoluto un punteggio molto negativo diventa un peso grande: l'opposto di ciò che deve accadere."),
        ),
        praise="Sottrarre il massimo non è un trucco: è l'invarianza per spostamento, messa a frutto.",
    ),
    Exercise(
        id="3.4", title="L'esperimento della varianza", kind="scrivi", stars=2, minutes=8,
        statement="Ricevi N query e N key, Q e K di shape (N, Dk): la riga n di Q va confrontata solo con la riga n di K. Restituisci la coppia (varianza degli N prodotti scalari, "
                  "varianza degli stessi prodotti divisi per √Dk). La varianza è quella di `.var()` in NumPy, che divide per N.",
        reference=variances, inputs=_pairs,
        misconceptions=(
            Misconception("varianza divisa per la radice", lambda Q, K: ((Q * K).sum(axis=1).var(), (Q * K).sum(axis=1).var() / np.sqrt(Q.shape[1])),
                          "Il primo numero è giusto. Dividendo i prodotti per √Dk la loro varianza si divide per Dk, non per √Dk: la varianza è un quadrato."),
            Misconception("varianza campionaria", lambda Q, K: tuple(v * len(Q) / (len(Q) - 1) for v in variances(Q, K)),
                          "Hai diviso per N − 1, come fanno di solito torch e `statistics`. Qui si divide per N: in NumPy `.var()`, in torch `.var(correction=0)`."),
            Misconception("la formula al posto della misura", lambda Q, K: (Q.shape[1], 1),
                          "Dk e 1 li prevede la formula, per componenti di varianza 1. Qui si misura, e i dati hanno varianze diverse."),
            Misconception("diviso per d_k senza radice", lambda Q, K: (variances(Q, K)[0], variances(Q, K)[1] / Q.shape[1]),
                          "Il primo numero è giusto. Nel secondo hai diviso i prodotti per Dk: si dividono per la sua radice."),
            Misconception("scambiati", lambda Q, K: variances(Q, K)[::-1],
                          "I due numeri sono quelli, nell'ordine opposto: prima senza scala, poi con."),
            Misconception("deviazione standard", lambda Q, K: ((Q * K).sum(axis=1).std(), ((Q * K).sum(axis=1) / np.sqrt(Q.shape[1])).std()),
                          "Hai restituito la deviazione standard, che è la radice della varianza."),
            Misconception("tutte le coppie", _variance_with(lambda Q, K: Q @ K.T),
                          "Hai confrontato ogni query con ogni key. Qui si chiedono N prodotti, riga contro riga: `(Q * K).sum(axis=1)`."),
            Misconception("varianza dei termini", _variance_with(lambda Q, K: Q * K),
                          "Hai preso la varianza dei singoli termini, componente per componente: manca la somma lungo la riga."),
            Misconception("media al posto della somma", _variance_with(lambda Q, K: (Q * K).mean(axis=1)),
                          "Il prodotto scalare è la somma dei termini: con la media hai già diviso per Dk."),
            Misconception("somma lungo l'asse sbagliato", _variance_with(lambda Q, K: (Q * K).sum(axis=0)),
                          "Hai sommato lungo le N coppie: il prodotto scalare somma le Dk componenti di ciascuna, `axis=1`."),
            Misconception("scala con la radice di N", lambda Q, K: ((Q * K).sum(axis=1).var(), ((Q * K).sum(axis=1) / np.sqrt(len(Q))).var()),
                          "Hai diviso per √N, il numero delle coppie. Il prodotto scalare somma Dk termini: la radice è quella della larghezza."),
        ),
        praise="La varianza dei prodotti cresce come Dk. Divisi i prodotti per √Dk, la larghezza non si sente più.",
    ),
    Exercise(
        id="3.5", title="Punteggi con la scala giusta", kind="scrivi", stars=2, minutes=6,
        statement="Scrivi una funzione che riceve X, shape (T, D), e le matrici Wq e Wk, shape (D, Dk), e restituisce i punteggi scalati di tutte le coppie, "
                  "shape (T, T): righe = query, colonne = key, senza maschera.",
        reference=scaled_scores, inputs=_head_inputs,
        misconceptions=(
            Misconception("senza scala", lambda X, Wq, Wk: (X @ Wq) @ (X @ Wk).T,
                          "Manca la scala: i prodotti vanno divisi per √Dk. Altrimenti più la head è larga, più i punteggi si allontanano fra loro."),
            Misconception("√d_model al posto di √d_k", lambda X, Wq, Wk: (X @ Wq) @ (X @ Wk).T / np.sqrt(X.shape[1]),
                          "Hai diviso per √D, la larghezza di X. I termini sommati nel prodotto scalare sono Dk, la larghezza di query e key: la radice è quella."),
            Misconception("diviso per d_k senza radice", lambda X, Wq, Wk: (X @ Wq) @ (X @ Wk).T / Wq.shape[1],
                          "Hai diviso per Dk. A crescere come Dk è la varianza; i punteggi crescono come la sua radice, e si divide per √Dk."),
            Misconception("radice della lunghezza della frase", lambda X, Wq, Wk: (X @ Wq) @ (X @ Wk).T / np.sqrt(len(X)),
                          "Hai diviso per √T. La lunghezza della frase non entra nel prodotto scalare di due token: conta la larghezza Dk."),
            Misconception("moltiplicato per la radice", lambda X, Wq, Wk: (X @ Wq) @ (X @ Wk).T * np.sqrt(Wq.shape[1]),
                          "Hai moltiplicato per √Dk: la scala serve a ridurre i punteggi. Si divide."),
            Misconception("tabella trasposta", lambda X, Wq, Wk: scaled_scores(X, Wk, Wq),
                          "La tabella è trasposta: nella riga i ci sono i punteggi in cui il token i fa da key. La query dev'essere a sinistra: Q @ K.T."),
            Misconception("query contro query", lambda X, Wq, Wk: scaled_scores(X, Wq, Wq),
                          "Hai confrontato le query con sé stesse: la tabella risulta simmetrica, e «chi guarda» non si distingue più da «chi è guardato»."),
            Misconception("key contro key", lambda X, Wq, Wk: scaled_scores(X, Wk, Wk),
                          "Hai confrontato le key con sé stesse: manca la query, che è la domanda di chi guarda."),
            Misconception("larghezza fissa a 8", lambda X, Wq, Wk: (X @ Wq) @ (X @ Wk).T / np.sqrt(8),
                          "Hai diviso per √8. Nel modello del corso la head è larga 8; qui Dk cambia: prendila dalle key, `K.shape[-1]`."),
            Misconception("W a sinistra", lambda X, Wq, Wk: (Wq @ X) @ (Wk @ X).T,
                          "Hai scritto Wq @ X. I token sono le righe di X, e si moltiplicano da destra: X @ Wq."),
            Misconception("maschera già applicata", lambda X, Wq, Wk: np.where(causal(len(X)), scaled_scores(X, Wq, Wk), -np.inf),
                          "Hai già nascosto il futuro. Qui servono i punteggi di tutte le coppie: la maschera è il passo seguente."),
            Misconception("trasposta dimenticata", lambda X, Wq, Wk: (X @ Wq) @ (X @ Wk) / np.sqrt(Wq.shape[1]),
                          "Manca la trasposta: per confrontare ogni query con ogni key serve `Q @ K.T`. Senza, le shape si accordano solo se T = Dk, e il risultato non vuol dire nulla."),
            Misconception("softmax già applicata", lambda X, Wq, Wk: softmax(scaled_scores(X, Wq, Wk)),
                          "Questi sono già i pesi: hai applicato la softmax. Qui si chiede ciò che viene prima, i punteggi."),
        ),
        praise="Q Kᵀ, diviso per la radice della larghezza della head: prima metà della formula.",
    ),
    Exercise(
        id="3.6", title="I pesi causali", kind="scrivi", stars=2, minutes=6,
        statement="Scrivi una funzione che riceve i punteggi già scalati di tutte le coppie, shape (T, T), e restituisce i pesi causali: ogni token vede sé stesso e chi lo precede, "
                  "e ogni riga somma a uno.",
        reference=causal_weights, inputs=_square_scores,
        properties=(("le righe sommano a uno", _rows_sum_to_one), ("nessun peso al futuro", _no_weight_to_the_future)),
        misconceptions=(
            Misconception("maschera dopo la softmax", lambda punteggi: softmax(punteggi) * causal(len(punteggi)),
                          "Hai nascosto il futuro dopo la softmax: il futuro ha già preso la sua parte della somma, e ciò che resta non arriva a uno. La maschera va prima."),
            Misconception("zeri al posto di −∞", lambda punteggi: softmax(np.where(causal(len(punteggi)), punteggi, 0.0)),
                          "Hai messo 0 al posto del futuro, o l'hai moltiplicato per 0. Ma 0 è un punteggio come un altro: exp(0) = 1, e il futuro riceve un peso. Serve −∞, perché exp(−∞) = 0."),
            Misconception("maschera 0/1 sommata", lambda punteggi: softmax(punteggi + causal(len(punteggi))),
                          "Hai sommato la maschera come numeri: ciò che si vede guadagna 1, il futuro resta dov'era. Si somma 0 dove si vede e −∞ dove no."),
            Misconception("tril(1): un token di troppo", lambda punteggi: softmax(np.where(_visible(len(punteggi), 1), punteggi, -np.inf)),
                          "Con `tril(…, 1)` ogni token vede anche quello dopo di lui: proprio la risposta che dovrebbe indovinare. La diagonale giusta è la 0."),
            Misconception("tril(−1): manca sé stesso", _diagonal_missing,
                          "Con `tril(…, -1)` nessuno vede sé stesso, e il primo token non vede nulla: la sua riga è fatta solo di −∞, e non esistono pesi. La diagonale è compresa."),
            Misconception("triangolo rovesciato", lambda punteggi: softmax(np.where(causal(len(punteggi)).T, punteggi, -np.inf)),
                          "Hai nascosto il passato e lasciato il futuro. Una query (riga) vede le key (colonne) con j ≤ i: il triangolo in basso, `tril`."),
            Misconception("softmax sull'asse delle query", lambda punteggi: softmax(np.where(causal(len(punteggi)), punteggi, -np.inf), axis=0),
                          "La maschera è giusta, ma la softmax corre lungo le colonne: ogni peso dipende dai token che vengono dopo. Il futuro rientra dal denominatore. L'asse è quello delle key, l'ultimo."),
            Misconception("nessuna maschera", lambda punteggi: softmax(punteggi),
                          "Manca la maschera: il futuro si vede per intero."),
            Misconception("tril(−1), con la prima riga a zero", lambda punteggi: softmax(np.where(_visible(len(punteggi), -1), punteggi, -np.inf)),
                          "Con `tril(…, -1)` nessuno vede sé stesso, e il primo token non vede nulla: la sua riga resta senza pesi. La diagonale è compresa."),
            Misconception("rami scambiati", lambda punteggi: softmax(np.where(causal(len(punteggi)), -np.inf, punteggi)),
                          "Hai scambiato i due rami di `np.where`: il secondo argomento vale dove la maschera è True, cioè dove si vede."),
            Misconception("zero per infinito", lambda punteggi: _plain(punteggi + (1 - causal(len(punteggi)).astype(float)) * -np.inf),
                          "Hai moltiplicato −∞ per una maschera di 0 e 1: dove si vede viene 0·∞, che non è un numero. Scegli con `np.where`, senza moltiplicare."),
            Misconception("nascosti i punteggi uguali a zero", lambda punteggi: softmax(np.where(np.tril(punteggi) != 0, punteggi, -np.inf)),
                          "Hai riconosciuto il futuro dagli zeri di `np.tril(punteggi)`. Ma anche un punteggio visibile può valere 0: la maschera si costruisce dalle posizioni, non dai valori."),
            Misconception("senza softmax", lambda punteggi: np.where(causal(len(punteggi)), punteggi, -np.inf),
                          "La maschera è giusta; manca la softmax, che da questi punteggi ricava i pesi."),
            Misconception("scala applicata due volte", lambda punteggi: causal_weights(punteggi / np.sqrt(len(punteggi))),
                          "I punteggi che ricevi sono già scalati: non serve dividere ancora, e meno che mai per √T."),
        ),
        praise="Il futuro non riceve nulla, e ogni riga somma a uno. La strada che regge anche i casi estremi è −∞ prima della softmax: lo vedi nel prossimo esercizio.",
    ),
    Exercise(
        id="3.7", title="Mascherare e rinormalizzare", kind="trova il bug", stars=3, minutes=12,
        statement="La funzione `pesi_fragili` nasconde il futuro dopo la softmax, poi divide ogni riga per la sua somma. Sulla carta dà i pesi giusti; con un punteggio nascosto di 1000 no. "
                  "Scrivi `pesi_robusti(punteggi, maschera)`, entrambi (T, T), per una maschera qualsiasi (True = visibile). Una riga tutta nascosta deve dare zeri.",
        reference=robust_weights, inputs=_fragile_inputs, properties=(("niente a chi è nascosto", _hidden_has_no_weight),),
        misconceptions=(
            Misconception("la versione di partenza", mask_then_renormalise,
                          "È la funzione di partenza. Il punteggio nascosto si prende tutto il peso; tolto lui, nella riga restano solo zeri, e 0/0 non è un numero."),
            Misconception("riga rotta azzerata", lambda punteggi, maschera: np.nan_to_num(mask_then_renormalise(punteggi, maschera)),
                          "Hai coperto il sintomo, togliendo i NaN: la riga ora è di zeri anche dove qualcuno si vedeva. "
                          "I punteggi visibili c'erano, ma quello nascosto li ha schiacciati: va escluso prima della softmax."),
            Misconception("riga vuota dimenticata", lambda punteggi, maschera: _plain(np.where(maschera, punteggi, -np.inf)),
                          "−∞ prima della softmax: giusto. Ma dove è tutto nascosto il massimo è −∞, e −∞ − (−∞) non è un numero. Per quelle righe serve un caso a parte."),
            Misconception("−10⁹ al posto di −∞", lambda punteggi, maschera: _plain(np.where(maschera, punteggi, -1e9)),
                          "Con un numero molto negativo al posto di −∞ una riga tutta nascosta riceve pesi uguali: fa la media di ciò che nessuno doveva vedere."),
            Misconception("infinito per zero", _exp_then_mask,
                          "L'esponenziale di un punteggio nascosto enorme è infinito, e infinito per zero non è un numero: moltiplicare per la maschera non cancella un infinito. "
                          "Ciò che è nascosto va tolto prima dell'esponenziale, con −∞."),
            Misconception("punteggi tagliati", lambda punteggi, maschera: np.nan_to_num(mask_then_renormalise(np.clip(punteggi, -50, 50), maschera)),
                          "Tagliare a un massimo tiene a bada chi è nascosto, ma taglia anche i punteggi visibili: due diversi, oltre la soglia, diventano uguali."),
            Misconception("riga rotta resa uniforme", _broken_made_uniform,
                          "Dove il conto si rompe hai messo pesi uguali: sommano a uno, ma non sono quelli che i punteggi visibili chiedevano."),
            Misconception("nascosti dopo, senza ridividere", lambda punteggi, maschera: softmax(punteggi) * maschera,
                          "Hai nascosto dopo la softmax, senza più dividere: le righe non sommano a uno."),
            Misconception("zeri al posto di −∞", lambda punteggi, maschera: softmax(np.where(maschera, punteggi, 0.0)),
                          "Hai messo 0 al posto di ciò che è nascosto: exp(0) = 1, e riceve comunque un peso."),
            Misconception("maschera ignorata", lambda punteggi, maschera: robust_weights(punteggi, causal(len(punteggi))),
                          "Hai usato sempre la maschera causale: quella che ricevi può essere un'altra."),
        ),
        praise="Due formule uguali sulla carta possono non esserlo nel computer: qui l'ordine delle operazioni manda a zero proprio i pesi da tenere.",
    ),
    Exercise(
        id="3.8", title="Freddo e caldo", kind="prevedi", stars=2, minutes=5,
        statement="Tre token hanno punteggi 2, 2 e −1. Si dividono per una temperatura τ, poi si applica la softmax. A quali pesi si arriva quando τ tende a 0, e a quali quando τ "
                  "diventa enorme? Restituisci una coppia di liste di tre numeri: (fredda, calda).",
        reference=lambda: ([0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]), atol=5e-3, rtol=0.0,
        misconceptions=(
            Misconception("un solo vincitore", lambda: ([1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]),
                          "Quella calda è giusta. A freddo vince il punteggio più alto; ma qui i più alti sono due, uguali, e la softmax non ha modo di preferirne uno."),
            Misconception("freddo e caldo scambiati", lambda: ([1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]),
                          "Al contrario: dividere per un numero piccolo allarga le differenze, dividere per uno grande le schiaccia."),
            Misconception("il caldo che spegne", lambda: ([0.5, 0.5, 0.0], [0.0, 0.0, 0.0]),
                          "Quella fredda è giusta. Con τ enorme i punteggi tendono a 0, ma exp(0) = 1: i pesi diventano uguali, e sommano sempre a uno."),
            Misconception("il freddo che sceglie il minore", lambda: ([0.0, 0.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
                          "Quella calda è giusta. A freddo però vince il punteggio più alto, non il più basso."),
            Misconception("pesi che sommano a due", lambda: ([1.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]),
                          "Quella calda è giusta. Nella fredda vincono i due più alti, sì, ma il peso da dividere è uno solo."),
            Misconception("esponenziali non divisi", lambda: ([0.5, 0.5, 0.0], [1.0, 1.0, 1.0]),
                          "Quella fredda è giusta. Nella calda gli esponenziali tendono tutti a 1: poi però si divide per la loro somma."),
            Misconception("pesi proporzionali ai punteggi", lambda: ([0.5, 0.5, 0.0], [2 / 3, 2 / 3, -1 / 3]),
                          "Quella fredda è giusta. Un peso non è mai negativo: con τ enorme i tre punteggi, divisi, diventano quasi uguali, e lo diventano anche i pesi."),
        ),
        praise="Freddo: vincono i più alti, a pari merito se sono pari. Caldo: tutti uguali. In mezzo sta ciò che il modello ha imparato.",
    ),
)
