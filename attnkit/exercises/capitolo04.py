"""Gli esercizi del capitolo 4, Combining information."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.masks import causal
from attnkit.reference import attention, softmax


def _random_weights(rng, *shape):
    return softmax(2 * rng.normal(size=shape))


def _head_results(rng):
    """Tutto ciò che una head ha calcolato: pesi, X, K, V, di larghezze diverse."""
    return [(_random_weights(rng, T, T), rng.normal(size=(T, D)), rng.normal(size=(T, Dk)), rng.normal(size=(T, Dv)))
            for T, D, Dk, Dv in ((2, 5, 4, 3), (5, 6, 3, 4), (7, 8, 5, 2))]


def _qkv(rng):
    """Q, K, V e una maschera; in fondo una che non è la causale."""
    cases = []
    for T, Dk, Dv in ((2, 4, 3), (5, 3, 6), (6, 4, 2)):
        cases.append((*(rng.normal(size=(T, width)) for width in (Dk, Dk, Dv)), causal(T)))
    window = causal(7) & ~np.tril(np.ones((7, 7), dtype=bool), -3)
    return [*cases, (*(rng.normal(size=(7, width)) for width in (5, 5, 3)), window)]


def four_lines(Q, K, V, maschera):
    """L'uscita di una head."""
    return attention(Q, K, V, mask=maschera)[0]


def _four_lines(scores=None, weights=None, combine=None):
    """La stessa head, con un passo sostituito da uno sbagliato."""
    scores = scores or (lambda Q, K, V: Q @ K.T / np.sqrt(K.shape[1]))
    weights = weights or (lambda scores, mask: softmax(np.where(mask, scores, -np.inf)))
    combine = combine or (lambda weights, Q, K, V: weights @ V)
    return lambda Q, K, V, maschera: combine(weights(scores(Q, K, V), maschera), Q, K, V)


def _nan_like(values):
    return np.full_like(values, np.nan)


def _claims(longer, equal, zero, outside, stream):
    return {"più lunga": longer, "uguale a un value": equal, "zero": zero, "fuori dai value": outside, "flusso fuori": stream}


def _pushes(rng):
    return [(_random_weights(rng, T), rng.normal(size=(T, Dv)), rng.normal(size=(Dv, D)), rng.normal(size=D))
            for T, Dv, D in ((2, 3, 4), (5, 4, 6), (7, 2, 5))]


def pushes(pesi, V, Wo, direzione):
    """Quanto ciascun token spinge lungo una direzione del residual stream."""
    return pesi * (V @ Wo @ direzione)


def _block_inputs(rng):
    return [(rng.normal(size=(T, D)), rng.normal(size=(T, Dv)), rng.normal(size=(Dv, D)))
            for T, D, Dv in ((2, 4, 3), (5, 3, 3), (7, 6, 4))]


def update(x, uscita, Wo):
    """Il residual stream dopo una head."""
    return x + uscita @ Wo


def _sizes(rng):
    return [(2, 3, 4), (7, 8, 5), (100, 64, 32)]


def flops(T, Dk, Dv):
    """I FLOP dei due prodotti fra matrici dell'attenzione."""
    return 2 * T * T * Dk, 2 * T * T * Dv


def _row_inputs(rng):
    return [(_random_weights(rng, T), rng.normal(size=(T, Dv)), rng.normal(size=Dv)) for T, Dv in ((2, 3), (4, 5), (7, 2))]


def row_gradient(pesi, V, g):
    """Il gradiente rispetto ai punteggi di una riga, se g è quello rispetto all'uscita."""
    per_weight = V @ g
    return pesi * (per_weight - pesi @ per_weight)


EXERCISES = (
    Exercise(
        id="4.1", title="Combinare", kind="scrivi", stars=1, minutes=4,
        statement="Una head ha calcolato i pesi, shape (T, T), a partire da X, shape (T, D), con key K, shape (T, Dk), e value V, shape (T, Dv). "
                  "Scrivi una funzione di (pesi, X, K, V) che restituisce l'uscita, shape (T, Dv). Non tutto ciò che ricevi serve.",
        reference=lambda pesi, X, K, V: pesi @ V, inputs=_head_results,
        misconceptions=(
            Misconception("pesi applicati alle key", lambda pesi, X, K, V: pesi @ K,
                          "Hai combinato le key. Le key servono a farsi trovare, e hanno già fatto il loro lavoro nei punteggi; ciò che si prende sono i value."),
            Misconception("pesi applicati agli embedding", lambda pesi, X, K, V: pesi @ X,
                          "Hai combinato i vettori X dei token. Ciò che si mescola è il value, che se ne ricava con una matrice imparata."),
            Misconception("media dei value", lambda pesi, X, K, V: np.broadcast_to(V.mean(axis=0), V.shape),
                          "Hai fatto la media: così ogni token conta uguale, e tutta la prima fase è sprecata. Ogni value va moltiplicato per il suo peso."),
            Misconception("somma dei value senza pesi", lambda pesi, X, K, V: np.broadcast_to(V.sum(axis=0), V.shape),
                          "Hai sommato i value senza i pesi: chi guarda non conta più nulla, e tutte le righe escono uguali."),
            Misconception("solo il token più pesante", lambda pesi, X, K, V: V[pesi.argmax(axis=1)],
                          "Hai preso il value del token di peso maggiore. L'attenzione non sceglie: somma tutti i value, ciascuno per il suo peso."),
            Misconception("pesi trasposti", lambda pesi, X, K, V: pesi.T @ V,
                          "Hai trasposto i pesi: la riga i combinerebbe con i pesi che gli altri danno al token i. Chi guarda è la riga."),
            Misconception("ciascuno il proprio value", lambda pesi, X, K, V: np.diag(pesi)[:, None] * V,
                          "Ogni token ha preso solo da sé stesso: hai usato la diagonale dei pesi. Serve la somma su tutti i token guardati."),
            Misconception("restituito V", lambda pesi, X, K, V: V,
                          "Hai restituito V, o l'hai moltiplicato per la somma dei pesi, che è 1. Prima si moltiplica ogni value per il suo peso, poi si somma."),
            Misconception("softmax rifatta", lambda pesi, X, K, V: softmax(pesi) @ V,
                          "Quelli che ricevi sono già pesi: una seconda softmax li appiattisce."),
            Misconception("maschera rifatta", lambda pesi, X, K, V: np.tril(pesi) @ V,
                          "Quelli che ricevi sono già pesi, e sommano a uno: tagliarne il triangolo ora li lascia con righe che non sommano più a uno."),
        ),
        praise="Un prodotto fra matrici: la riga i dei pesi sceglie in che proporzione mescolare le righe di V.",
    ),
    Exercise(
        id="4.2", title="Dove può stare l'uscita?", kind="prevedi", stars=2, minutes=6,
        statement="I pesi di una riga non sono mai negativi e sommano a uno. Di ciascuna affermazione di' se può succedere (True) o no (False). Chiavi: \"più lunga\": l'uscita della head è più lunga del "
                  "value più lungo; \"uguale a un value\": coincide con il value di un token; \"zero\": è il vettore nullo, anche se nessun value lo è; \"fuori dai value\": la sua prima componente è maggiore di "
                  "quella di ogni value; \"flusso fuori\": dopo W_O e la somma con x, il vettore del token è più lungo di tutti i value.",
        reference=lambda: _claims(False, True, True, False, True),
        misconceptions=(
            Misconception("la somma allunga", lambda: _claims(True, True, True, True, True),
                          "Una somma di vettori può allungare, una media no. I pesi sommano a uno: l'uscita è una media pesata, e non supera mai il più grande dei value, né in lunghezza né componente per componente."),
            Misconception("nulla può succedere", lambda: _claims(False, False, False, False, False),
                          "Qualcuna può. Il primo token vede solo sé stesso: la sua uscita è il suo value. E due value opposti, con pesi uguali, si annullano."),
            Misconception("mai uguale a un value", lambda: _claims(False, False, True, False, True),
                          "Pensa al primo token di una frase: vede solo sé stesso, con peso 1. La sua uscita è esattamente il suo value."),
            Misconception("mai zero", lambda: _claims(False, True, False, False, True),
                          "Due value opposti con pesi uguali si cancellano: la media può essere zero anche se nessun vettore lo è."),
            Misconception("anche il flusso sta dentro", lambda: _claims(False, True, True, False, False),
                          "Il limite vale per l'uscita della head. Poi W_O la trasforma e x si somma: il vettore arricchito può finire ovunque."),
            Misconception("fuori su una componente", lambda: _claims(False, True, True, True, True),
                          "Ogni componente dell'uscita è una media pesata delle stesse componenti dei value: sta sempre fra la più piccola e la più grande."),
        ),
        praise="L'uscita sta nel guscio convesso dei value. A uscirne ci pensano W_O e il residuo.",
    ),
    Exercise(
        id="4.3", title="L'attenzione in quattro righe", kind="scrivi", stars=2, minutes=10,
        statement="Scrivi una head intera: da Q e K, shape (T, Dk), V, shape (T, Dv), e una maschera booleana (T, T), con True dove si può guardare, all'uscita, shape (T, Dv). "
                  "Bastano quattro righe.",
        reference=four_lines, inputs=_qkv,
        misconceptions=(
            Misconception("senza scala", _four_lines(scores=lambda Q, K, V: Q @ K.T),
                          "Manca la scala: i punteggi vanno divisi per √Dk prima della softmax."),
            Misconception("scala con la larghezza dei value", _four_lines(scores=lambda Q, K, V: Q @ K.T / np.sqrt(V.shape[1])),
                          "Hai diviso per √Dv. La scala compensa il prodotto fra query e key: conta la loro larghezza, Dk."),
            Misconception("scala con la lunghezza della frase", _four_lines(scores=lambda Q, K, V: Q @ K.T / np.sqrt(len(Q))),
                          "Hai diviso per √T: `len(Q)` e `Q.shape[0]` sono i token. La larghezza è l'ultimo asse, `Q.shape[-1]`."),
            Misconception("tabella trasposta", _four_lines(scores=lambda Q, K, V: K @ Q.T / np.sqrt(K.shape[1])),
                          "Hai scritto K Qᵀ: nelle righe stanno le key. Chi guarda è la riga, quindi Q a sinistra: Q Kᵀ."),
            Misconception("senza maschera", _four_lines(weights=lambda scores, mask: softmax(scores)),
                          "La maschera non è stata usata: ogni token vede anche ciò che non dovrebbe."),
            Misconception("maschera rovesciata", _four_lines(weights=lambda scores, mask: softmax(np.where(mask, -np.inf, scores))),
                          "Hai nascosto proprio ciò che si può guardare. Nel corso True vuol dire visibile: −∞ va dove la maschera è False."),
            Misconception("maschera dopo la softmax", _four_lines(weights=lambda scores, mask: softmax(scores) * mask),
                          "Hai applicato la maschera dopo la softmax: le righe dei pesi non sommano più a uno."),
            Misconception("zeri al posto di −∞", _four_lines(weights=lambda scores, mask: softmax(np.where(mask, scores, 0.0))),
                          "Hai messo 0 dove serviva −∞: exp(0) = 1, e chi è nascosto riceve comunque un peso."),
            Misconception("asse sbagliato", _four_lines(weights=lambda scores, mask: softmax(np.where(mask, scores, -np.inf), axis=0)),
                          "La softmax corre lungo le query. A sommare a uno dev'essere ogni riga: l'ultimo asse, quello delle key."),
            Misconception("maschera sommata come numeri", _four_lines(weights=lambda scores, mask: softmax(scores + mask)),
                          "Hai sommato la maschera ai punteggi: chi si vede guadagna 1, chi è nascosto resta dov'era. Serve −∞ dove è False."),
            Misconception("zero per infinito", _four_lines(weights=lambda scores, mask: _nan_like(scores)),
                          "Hai moltiplicato −∞ per una maschera di 0 e 1: dove si vede viene 0·∞, che non è un numero. Scegli con `np.where`, senza moltiplicare."),
            Misconception("causale rifatta", lambda Q, K, V, maschera: four_lines(Q, K, V, causal(len(Q))),
                          "Hai usato la maschera causale al posto di quella ricevuta: spesso coincidono, non sempre."),
            Misconception("larghezza fissa a 8", _four_lines(scores=lambda Q, K, V: Q @ K.T / np.sqrt(8)),
                          "Hai diviso per √8. Nel modello del corso la head è larga 8; qui la larghezza cambia: prendila dalle key, `K.shape[-1]`."),
            Misconception("diviso per d_k senza radice", _four_lines(scores=lambda Q, K, V: Q @ K.T / K.shape[1]),
                          "Hai diviso per Dk: la scala è la sua radice."),
            Misconception("pesi trasposti", _four_lines(combine=lambda weights, Q, K, V: weights.T @ V),
                          "Hai trasposto i pesi: chi guarda è la riga, quindi pesi @ V."),
            Misconception("pesi applicati alle key", _four_lines(combine=lambda weights, Q, K, V: weights @ K),
                          "I pesi sono giusti, ma li hai applicati alle key. Nella seconda fase si combinano i value."),
            Misconception("restituiti i pesi", _four_lines(combine=lambda weights, Q, K, V: weights),
                          "Questi sono i pesi: la prima fase è a posto. Manca la seconda: pesi @ V."),
        ),
        praise="Punteggi, maschera, softmax, somma pesata. Tutto il resto del corso varia su queste quattro righe.",
    ),
    Exercise(
        id="4.4", title="Un blocco che dimentica", kind="trova il bug", stars=1, minutes=3,
        statement="La funzione `blocco_sbagliato` riceve x, shape (T, D), l'uscita della head, shape (T, Dv), e Wo, shape (Dv, D), e dovrebbe restituire il residual stream dopo la head, shape (T, D). "
                  "Trova l'errore e scrivi `blocco`.",
        reference=update, inputs=_block_inputs,
        misconceptions=(
            Misconception("aggiunta dimenticata", lambda x, uscita, Wo: x,
                          "Hai restituito x: il token non ha preso nulla dagli altri. Manca l'aggiunta, uscita @ Wo."),
            Misconception("residuo dimenticato", lambda x, uscita, Wo: uscita @ Wo,
                          "È l'errore di partenza: l'aggiunta ha preso il posto di x. Il token non sa più chi era: l'uscita si somma, non sostituisce."),
            Misconception("Wo dimenticata", lambda x, uscita, Wo: x + uscita,
                          "Hai sommato l'uscita senza passare da Wo. La head lavora nelle sue coordinate: è Wo a riportarla in quelle del flusso, e alla sua larghezza."),
            Misconception("Wo applicata alla somma", lambda x, uscita, Wo: (x + uscita) @ Wo,
                          "Wo si applica solo all'uscita della head: x è già nel residual stream, e passa intatta."),
            Misconception("media con il residuo", lambda x, uscita, Wo: (x + uscita @ Wo) / 2,
                          "Hai fatto la media: dopo qualche layer ciò che c'era all'inizio sarebbe quasi svanito. Si somma, senza dividere."),
            Misconception("sottrazione", lambda x, uscita, Wo: x - uscita @ Wo,
                          "Hai sottratto. L'aggiunta si somma; a darle il segno giusto ci pensa Wo, che è imparata."),
            Misconception("residuo due volte", lambda x, uscita, Wo: 2 * x + uscita @ Wo,
                          "Hai sommato x due volte."),
        ),
        praise="x + uscita · Wo: il token resta sé stesso, e in più sa qualcosa degli altri.",
    ),
    Exercise(
        id="4.5", title="Chi ha spinto il finale?", kind="scrivi", stars=2, minutes=8,
        statement="Ricevi i pesi di una riga, shape (T,), i value V, shape (T, Dv), Wo, shape (Dv, D), e una direzione del residual stream, shape (D,). Restituisci un array (T,): per ogni token, "
                  "quanto il suo value, pesato e portato nel flusso da Wo, spinge lungo la direzione (il prodotto scalare, con il segno).",
        reference=pushes, inputs=_pushes,
        misconceptions=(
            Misconception("softmax delle spinte", lambda pesi, V, Wo, direzione: softmax(pushes(pesi, V, Wo, direzione)),
                          "Hai passato le spinte per una softmax. Le spinte hanno un segno e, insieme a quella di x, sommano alla differenza dei logit: la softmax cancella il segno e cambia la somma."),
            Misconception("percentuali", lambda pesi, V, Wo, direzione: pushes(pesi, V, Wo, direzione) / pushes(pesi, V, Wo, direzione).sum(),
                          "Hai diviso per la somma. Con spinte di segno opposto la somma può essere vicina a zero, e le percentuali perdono senso: servono i numeri come sono."),
            Misconception("valore assoluto", lambda pesi, V, Wo, direzione: np.abs(pushes(pesi, V, Wo, direzione)),
                          "Hai tolto il segno: non si vede più chi spinge da una parte e chi dall'altra."),
            Misconception("senza i pesi", lambda pesi, V, Wo, direzione: V @ Wo @ direzione,
                          "Mancano i pesi: questa è la spinta che ogni value darebbe se fosse preso per intero."),
            Misconception("solo i pesi", lambda pesi, V, Wo, direzione: pesi,
                          "Hai restituito i pesi: dicono quanto si prende, non da che parte spinge ciò che si prende."),
            Misconception("già sommate", lambda pesi, V, Wo, direzione: float(pushes(pesi, V, Wo, direzione).sum()),
                          "Hai sommato le spinte: è il totale. Ne serve una per token."),
            Misconception("lunghezza al posto della spinta", lambda pesi, V, Wo, direzione: pesi * np.linalg.norm(V @ Wo, axis=1),
                          "Hai misurato quanto è lungo ciò che arriva, non quanto va nella direzione chiesta: serve il prodotto scalare con `direzione`."),
            Misconception("direzione normalizzata", lambda pesi, V, Wo, direzione: pushes(pesi, V, Wo, direzione / np.linalg.norm(direzione)),
                          "Hai diviso la direzione per la sua lunghezza: insieme a quella di x, le spinte non danno più la differenza dei logit."),
        ),
        praise="Con la norma congelata, ogni passo dopo i pesi è lineare: per questo le spinte si separano, token per token, e si sommano.",
    ),
    Exercise(
        id="4.6", title="Contare i FLOP", kind="scrivi", stars=2, minutes=6,
        statement="Scrivi una funzione di (T, Dk, Dv) che restituisce la coppia dei FLOP dei due prodotti fra matrici: Q Kᵀ per la prima fase, pesi × V per la seconda. Una moltiplicazione e "
                  "un'addizione contano due. Conta la tabella intera, anche le caselle che la maschera nasconderà.",
        reference=flops, inputs=_sizes,
        misconceptions=(
            Misconception("un FLOP per moltiplicazione e addizione", lambda T, Dk, Dv: (T * T * Dk, T * T * Dv),
                          "Manca un fattore 2: ogni termine di un prodotto scalare costa una moltiplicazione e un'addizione. Contandole insieme si chiamano MAC, e sono la metà. (O hai contato metà delle caselle: qui servono tutte.)"),
            Misconception("lineare in T", lambda T, Dk, Dv: (2 * T * Dk, 2 * T * Dv),
                          "Hai contato una riga sola. Le query sono T, e ciascuna incontra T key: T² prodotti scalari."),
            Misconception("un'addizione in meno", lambda T, Dk, Dv: (T * T * (2 * Dk - 1), T * Dv * (2 * T - 1)),
                          "Hai ragione: per sommare n numeri bastano n − 1 addizioni. La convenzione però conta 2n, una coppia per ogni termine: fai lo stesso."),
            Misconception("seconda fase lineare in T", lambda T, Dk, Dv: (2 * T * T * Dk, 2 * T * Dv),
                          "La prima fase è giusta. Nella seconda ogni casella dell'uscita somma T value: le caselle sono T × Dv, e i termini di ciascuna T."),
            Misconception("larghezza al quadrato", lambda T, Dk, Dv: (2 * T * Dk * Dk, 2 * T * Dv * Dv),
                          "Questo è il costo di una proiezione quadrata, che cresce come T. Qui a moltiplicarsi fra loro sono i token: T² prodotti lunghi Dk."),
            Misconception("le due fasi scambiate", lambda T, Dk, Dv: (2 * T * T * Dv, 2 * T * T * Dk),
                          "Le hai scambiate: la prima fase lavora con query e key, larghe Dk; la seconda con i value, larghi Dv."),
            Misconception("solo le caselle visibili", lambda T, Dk, Dv: (T * (T + 1) * Dk, T * (T + 1) * Dv),
                          "Hai contato solo le coppie visibili. Un calcolo attento può davvero saltare il resto; la consegna però chiede la tabella intera, come la calcola Q @ K.T."),
            Misconception("stessa larghezza per le due fasi", lambda T, Dk, Dv: (2 * T * T * Dk, 2 * T * T * Dk),
                          "La seconda fase moltiplica i pesi per V, che è largo Dv: la sua larghezza può essere diversa da Dk."),
        ),
        praise="T² in entrambe: raddoppiare la frase quadruplica il lavoro delle due fasi, e raddoppia soltanto quello delle proiezioni.",
    ),
    Exercise(
        id="4.7", title="Il gradiente attraverso la softmax", kind="scrivi", stars=3, minutes=15,
        statement="Per un token che guarda conosci i pesi, shape (T,), i value V, shape (T, Dv), e g, shape (Dv,): il gradiente della loss rispetto alla sua uscita. Restituisci il gradiente rispetto ai suoi "
                  "punteggi, shape (T,).",
        reference=row_gradient, inputs=_row_inputs,
        misconceptions=(
            Misconception("fermato ai pesi", lambda pesi, V, g: V @ g,
                          "Questo è il gradiente rispetto ai pesi: il primo passo, ed è giusto. Manca la softmax, che lega ogni peso a tutti i punteggi."),
            Misconception("solo la diagonale", lambda pesi, V, g: pesi * (1 - pesi) * (V @ g),
                          "Hai usato la derivata di ogni peso rispetto al proprio punteggio. Ma alzando un punteggio scendono gli altri pesi: mancano i termini −a_j a_k."),
            Misconception("media semplice", lambda pesi, V, g: pesi * (V @ g - (V @ g).mean()),
                          "La struttura è giusta, ma la media da sottrarre è quella pesata con i pesi, non quella semplice."),
            Misconception("senza sottrarre la media", lambda pesi, V, g: pesi * (V @ g),
                          "Manca la parte da sottrarre: i gradienti rispetto ai punteggi devono sommare a zero, perché una costante aggiunta a tutti non cambia nulla."),
            Misconception("tutto meno la media", lambda pesi, V, g: pesi * (V @ g) - pesi @ (V @ g),
                          "La media pesata va moltiplicata anche lei per il peso: pesi * (u − media), non pesi * u − media."),
            Misconception("somma al posto della media", lambda pesi, V, g: pesi * (V @ g - (V @ g).sum()),
                          "Da sottrarre non è la somma, ma la media pesata con i pesi."),
            Misconception("scala rimessa", lambda pesi, V, g: row_gradient(pesi, V, g) / np.sqrt(V.shape[1]),
                          "Hai diviso per una radice: qui si chiede il gradiente rispetto ai punteggi, che sono già scalati."),
            Misconception("peso davanti dimenticato", lambda pesi, V, g: V @ g - pesi @ (V @ g),
                          "La differenza dalla media pesata è giusta, ma va moltiplicata per il peso: un token che pesa poco si muove poco."),
            Misconception("segno rovesciato", lambda pesi, V, g: -row_gradient(pesi, V, g),
                          "Il segno è rovesciato: il gradiente dice in che verso la loss sale. A girare il segno ci pensa poi chi fa il passo."),
            Misconception("gradiente dell'uscita ripetuto", lambda pesi, V, g: pesi * g.sum(),
                          "Hai sommato le componenti di g: ogni value va confrontato con g per intero, con un prodotto scalare."),
        ),
        praise="Il segno dice chi porta più della media e chi meno. Se g viene da una loss, il passo va al contrario: scende il punteggio di chi la alza più della media, sale quello degli altri. È così che l'attenzione impara dove guardare.",
    ),
)
