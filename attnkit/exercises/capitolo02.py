"""Gli esercizi del capitolo 2, Query, key, value."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception


def _sizes(rng):
    return [(2, 3, 5), (7, 8, 4), (11, 6, 9)]


def shapes(T, D, Dh):
    """Le shape di una head."""
    return {"X": (T, D), "Wq": (D, Dh), "Q": (T, Dh), "pesi": (T, T)}


def _matrices(rng):
    return [(rng.normal(size=(T, D)), rng.normal(size=(D, Dh))) for T, D, Dh in ((2, 3, 4), (5, 4, 3), (7, 8, 2))]


def _outputs(rng):
    """Uscite di T token e un ordine che non è il proprio inverso."""
    cases = []
    for T, D in ((3, 2), (5, 4), (7, 6)):
        order = np.roll(np.arange(T), 1)
        order[:3] = order[[1, 2, 0]] if T > 3 else order[:3]
        cases.append((rng.normal(size=(T, D)), order))
    return cases


def _head_inputs(rng):
    return [tuple(rng.normal(size=shape) for shape in ((T, D), (D, Dk), (D, Dk), (D, Dv)))
            for T, D, Dk, Dv in ((2, 3, 4, 5), (6, 5, 3, 2))]


def head(X, Wq, Wk, Wv):
    """Le tre proiezioni di una head."""
    return X @ Wq, X @ Wk, X @ Wv


def _model_sizes(rng):
    return [(10, 3, 4, 2), (49, 7, 8, 8), (100, 12, 16, 5)]


def count_parameters(parole, posti, D, Dh):
    """I numeri imparati dal modello del corso: il testo non entra nel conto."""
    return 2 * parole * D + posti * D + 2 * D + 3 * D * Dh + Dh * D


def _changes(X, Wq, Q, pesi, Wo):
    return {"X": X, "Wq": Wq, "Q": Q, "pesi": pesi, "Wo": Wo}


EXERCISES = (
    Exercise(
        id="2.1", title="Le shape di una head", kind="scrivi", stars=1, minutes=5,
        statement="Una frase ha T token, i vettori sono larghi D e la head è larga Dh. Scrivi una funzione che restituisce un dizionario "
                  "con le shape di X, Wq, Q e della tabella dei pesi: chiavi \"X\", \"Wq\", \"Q\", \"pesi\".",
        reference=shapes, inputs=_sizes,
        misconceptions=(
            Misconception("una riga di W per token", lambda T, D, Dh: shapes(T, D, Dh) | {"Wq": (T, Dh)},
                          "Hai dato a Wq una riga per token. I pesi imparati non sanno quanto è lunga la frase: le righe di Wq sono le D dimensioni di ingresso."),
            Misconception("W trasposta", lambda T, D, Dh: shapes(T, D, Dh) | {"Wq": (Dh, D)},
                          "Così la conserva `nn.Linear` di PyTorch, che poi la traspone. Nel corso si scrive Q = X Wq, e Wq è (D, Dh)."),
            Misconception("Q trasposta", lambda T, D, Dh: shapes(T, D, Dh) | {"Q": (Dh, T)},
                          "In tutto il corso i token sono righe: Q è (T, Dh)."),
            Misconception("X trasposta", lambda T, D, Dh: shapes(T, D, Dh) | {"X": (D, T)},
                          "In tutto il corso i token sono righe: X è (T, D)."),
            Misconception("Wq quadrata", lambda T, D, Dh: shapes(T, D, Dh) | {"Wq": (D, D)},
                          "Wq porta da D a Dh. È quadrata nel modello del corso, dove Dh = D; in generale no."),
            Misconception("Q larga D", lambda T, D, Dh: shapes(T, D, Dh) | {"Q": (T, D)},
                          "Q ha la larghezza della head, Dh. Nel modello del corso coincide con D; in generale no."),
            Misconception("pesi come Q", lambda T, D, Dh: shapes(T, D, Dh) | {"pesi": (T, Dh)},
                          "Nella tabella dei pesi c'è un numero per ogni coppia (query, key): T righe e T colonne. La larghezza della head non compare più."),
        ),
        praise="T viene dal testo, D e Dh dal modello: a guardare le shape si capisce che cosa è imparato e che cosa è calcolato.",
    ),
    Exercise(
        id="2.2", title="Proiettare", kind="scrivi", stars=1, minutes=4,
        statement="Scrivi una funzione che riceve X, shape (T, D), e una matrice imparata W, shape (D, Dh), e restituisce la proiezione, "
                  "shape (T, Dh): una riga per token.",
        reference=lambda X, W: X @ W, inputs=_matrices,
        misconceptions=(
            Misconception("W @ X", lambda X, W: W @ X,
                          "Hai scritto W @ X. I token sono le righe di X, e ciascuna va moltiplicata per W da destra: X @ W."),
            Misconception("W trasposta", lambda X, W: X @ W.T,
                          "Hai trasposto W. Serve con i pesi di `nn.Linear`, conservati come (Dh, D); qui W è già (D, Dh)."),
            Misconception("prodotto elemento per elemento", lambda X, W: X * W,
                          "Le operazioni casella per casella (`*`, `+`…) vogliono shape uguali, o che si possano estendere l'una all'altra. La proiezione è un prodotto fra matrici: `@`."),
            Misconception("risultato trasposto", lambda X, W: (X @ W).T,
                          "I numeri sono giusti, ma una colonna per token: ne serve una riga. Togli la trasposta finale."),
        ),
        praise="La stessa W per ogni riga: un token in più, una riga in più, e nessun parametro in più.",
    ),
    Exercise(
        id="2.3", title="Una frase lunga il doppio", kind="prevedi", stars=2, minutes=4,
        statement="Raddoppi il numero di token della frase. Che cosa cambia dimensione? Restituisci un dizionario con True per ciò che cambia "
                  "e False per ciò che resta uguale: chiavi \"X\", \"Wq\", \"Q\", \"pesi\", \"Wo\".",
        reference=lambda: _changes(True, False, True, True, False),
        misconceptions=(
            Misconception("tutto cresce", lambda: _changes(True, True, True, True, True),
                          "Wq e Wo sono parametri: sono stati imparati una volta e restano gli stessi per ogni frase, corta o lunga."),
            Misconception("nulla cresce", lambda: _changes(False, False, False, False, False),
                          "I parametri restano uguali, ma X, Q e la tabella dei pesi si calcolano dal testo: una riga per token."),
            Misconception("scambiati imparato e calcolato", lambda: _changes(False, True, False, False, True),
                          "È il contrario: a crescere con il testo è ciò che si calcola (X, Q, pesi); ciò che è imparato (Wq, Wo) resta fermo."),
            Misconception("solo X", lambda: _changes(True, False, False, False, False),
                          "X cresce, e con lei tutto ciò che se ne calcola: Q = X Wq ha una riga per token, come X."),
            Misconception("solo la tabella dei pesi", lambda: _changes(False, False, False, True, False),
                          "La tabella cresce perché crescono i token: allora crescono anche X e Q, che hanno una riga per token."),
            Misconception("Wq cresce con il testo", lambda: _changes(True, True, True, True, False),
                          "Wq è imparata una volta per tutte: (D, Dh), senza T. A crescere è il suo risultato, Q."),
            Misconception("Wo cresce con il testo", lambda: _changes(True, False, True, True, True),
                          "Wo è imparata una volta per tutte: (Dh, D), senza T. È un parametro come Wq."),
            Misconception("pesi fissi", lambda: _changes(True, False, True, False, False),
                          "La tabella dei pesi ha una casella per ogni coppia di token: se i token raddoppiano, le caselle diventano quattro volte tante."),
        ),
        praise="E la tabella dei pesi non raddoppia: quadruplica. Su questo torneranno i capitoli 8 e 9.",
    ),
    Exercise(
        id="2.4", title="Una head montata male", kind="trova il bug", stars=2, minutes=6,
        statement="La funzione `proiezioni_sbagliate` dovrebbe restituire la terna (Q, K, V) di una head, con Wq e Wk di shape (D, Dk) e Wv di shape (D, Dv). "
                  "Con Dk = Dv nessuno si accorge di nulla. Trova l'errore e scrivi `proiezioni`.",
        reference=head, inputs=_head_inputs,
        misconceptions=(
            Misconception("Q dalla matrice dei value", lambda X, Wq, Wk, Wv: (X @ Wv, X @ Wk, X @ Wv),
                          "Q è ancora calcolata con Wv: è l'errore di partenza. Nulla avverte, se le shape coincidono: per questo qui Dk e Dv sono diverse."),
            Misconception("K dalla matrice delle query", lambda X, Wq, Wk, Wv: (X @ Wq, X @ Wq, X @ Wv),
                          "Hai calcolato K con Wq: query e key risulterebbero uguali. La key ha la sua matrice, Wk."),
            Misconception("proiezioni in catena", lambda X, Wq, Wk, Wv: (X @ Wq, X @ Wq @ Wk, X @ Wv),
                          "Q, K e V non si calcolano l'una dall'altra: tutte e tre partono da X."),
            Misconception("K e V scambiate", lambda X, Wq, Wk, Wv: (X @ Wq, X @ Wv, X @ Wk),
                          "Le hai restituite nell'ordine (Q, V, K). La key serve a farsi trovare, il value è ciò che si porta."),
            Misconception("Q e K scambiate", lambda X, Wq, Wk, Wv: (X @ Wk, X @ Wq, X @ Wv),
                          "Hai scambiato Q e K. La tabella dei punteggi risulterebbe trasposta: chi guarda al posto di chi è guardato."),
        ),
        praise="Tre matrici, tre ruoli, lo stesso ingresso.",
    ),
    Exercise(
        id="2.5", title="Rimescolare i token", kind="scrivi", stars=2, minutes=6,
        statement="Senza maschera e senza posizioni, l'attenzione su X ha dato `uscita`, shape (T, D). Ora i token arrivano in un altro ordine: "
                  "X_nuova = X[ordine]. Scrivi una funzione che riceve (uscita, ordine) e restituisce la nuova uscita, senza ricalcolare l'attenzione.",
        reference=lambda uscita, ordine: uscita[ordine], inputs=_outputs,
        misconceptions=(
            Misconception("uscita invariata", lambda uscita, ordine: uscita,
                          "Hai restituito la stessa uscita: sarebbe invarianza. L'attenzione è equivariante: ogni token porta con sé la propria riga."),
            Misconception("permutazione inversa", lambda uscita, ordine: uscita[np.argsort(ordine)],
                          "Hai applicato l'ordine inverso. La riga i della nuova frase è il vecchio token `ordine[i]`: la sua uscita è `uscita[ordine[i]]`."),
            Misconception("permutate le colonne", lambda uscita, ordine: uscita[:, ordine],
                          "Hai indicizzato le colonne. I token sono le righe: `uscita[ordine]`."),
            Misconception("righe al contrario", lambda uscita, ordine: uscita[::-1],
                          "Hai solo rovesciato le righe: il nuovo ordine sta scritto in `ordine`."),
        ),
        praise="È l'equivarianza: permuti gli ingressi, si permutano le uscite. Per questo servono le posizioni.",
    ),
    Exercise(
        id="2.6", title="Contare i parametri", kind="scrivi", stars=3, minutes=10,
        statement="Scrivi una funzione che riceve (parole, posti, D, Dh) e restituisce quanti numeri impara un modello come quello del corso: embedding "
                  "delle parole e dei posti, due norme da D numeri, Wq, Wk e Wv, Wo, e la matrice di uscita Wout.",
        reference=count_parameters, inputs=_model_sizes,
        misconceptions=(
            Misconception("Wo dimenticata", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) - D * Dh,
                          "Manca Wo, shape (Dh, D): riporta l'uscita della head alla larghezza del residual stream."),
            Misconception("una norma sola", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) - D,
                          "Le norme sono due: una prima della head, una prima dei logit. Ne hai contata una."),
            Misconception("tabella dei pesi contata", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) + posti * posti,
                          "La tabella dei pesi dell'attenzione non è un parametro: si calcola da capo per ogni frase."),
            Misconception("norme dimenticate", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) - 2 * D,
                          "Mancano le due norme: D numeri ciascuna."),
            Misconception("uscita condivisa con gli embedding", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) - parole * D,
                          "Hai contato una sola matrice parole × D. Alcuni modelli la condividono fra ingresso e uscita; questo no: Wout ha numeri propri."),
            Misconception("contate anche Q, K e V", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) + 3 * posti * Dh,
                          "Hai contato anche Q, K e V. Non sono parametri: si calcolano da capo per ogni frase."),
            Misconception("una sola proiezione", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) - 2 * D * Dh,
                          "Le matrici sono tre, Wq, Wk e Wv: ne hai contata una."),
            Misconception("posizioni dimenticate", lambda parole, posti, D, Dh: count_parameters(parole, posti, D, Dh) - posti * D,
                          "Mancano gli embedding delle posizioni: uno da D numeri per ciascun posto."),
        ),
        praise="Dei numeri imparati da questo modello, più di due su tre stanno negli embedding delle parole e nella matrice di uscita.",
    ),
)
