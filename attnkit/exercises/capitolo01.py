"""Gli esercizi del capitolo 1, Panoramica."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception


def _weight_tables(rng):
    """Tabelle di pesi causali, con la coppia più forte in posti diversi: nessuna costante può indovinarli."""
    return [(_weight_table(rng, T, i, j),) for T, i, j in ((3, 1, 0), (5, 3, 2), (6, 4, 1))]


def _weight_table(rng, T, i, j):
    table = np.tril(rng.uniform(0.1, 1, size=(T, T)))
    table[i, j] = 10
    return table / table.sum(axis=1, keepdims=True)


def strongest_pair(pesi):
    """La coppia (chi guarda, chi è guardato) di peso maggiore, fuori dalla diagonale."""
    others = np.where(np.eye(len(pesi), dtype=bool), 0, pesi)
    i, j = np.unravel_index(others.argmax(), others.shape)
    return int(i), int(j)


def _with_diagonal(weights):
    i, j = np.unravel_index(weights.argmax(), weights.shape)
    return int(i), int(j)


def _weighted_values(rng):
    """Pesi che sommano a uno e value di grandezza molto diversa."""
    cases = []
    for T, D in ((2, 3), (4, 2), (5, 7)):
        weights = rng.uniform(0.1, 1, size=T)
        cases.append((weights / weights.sum(), rng.normal(size=(T, D)) * rng.uniform(0.1, 10, size=(T, 1))))
    return cases


def _positive_tables(rng):
    return [(rng.uniform(0.1, 3, size=shape),) for shape in ((2, 3), (4, 3), (5, 6))]


def _rows_sum_to_one(arguments, output):
    sums = output.sum(axis=-1)
    if np.allclose(sums, 1, atol=1e-4):
        return None
    worst = int(np.abs(sums - 1).argmax())
    return f"La riga {worst} somma a {sums[worst]:.6g}".replace(".", ",") + ", e dovrebbe sommare a 1."


def who_looks_at_most(query="il"):
    """Il token a cui `query` dà il peso maggiore nella frase dell'esempio."""
    from attnkit.toy import trace                      # qui dentro: chi non fa questo esercizio non aspetta torch
    example = trace()
    return example.tokens[int(example.weights[example.tokens.index(query)].argmax())]


EXERCISES = (
    Exercise(
        id="1.1", title="Chi guarda gustos-?", kind="prevedi", stars=1, minutes=3,
        statement="Nella frase «tre volpi cercano ogni rana perché gustos-», quale nome riceve il peso maggiore, e "
                  "con quale lettera finirà l'ultima parola? Restituisci la coppia (nome, lettera).",
        reference=lambda: ("rana", "a"),
        misconceptions=(
            Misconception("sempre il soggetto", lambda: ("volpi", "e"),
                          "Hai guardato chi compie l'azione. Ma è gustoso chi viene cercato: cambiando l'ultima radice cambia "
                          "anche il nome che conta. I pesi dipendono dalla query, non da un ruolo fisso."),
            Misconception("nome giusto, accordo con l'altro", lambda: ("rana", "e"),
                          "Il nome è quello giusto, ma il finale concorda con il nome guardato: il peso decide da dove viene l'informazione."),
            Misconception("parola intera", lambda: ("rana", "gustosa"),
                          "Il nome è giusto, e la parola pure. Ma la consegna chiede solo la lettera con cui finisce."),
            Misconception("nome con il determinante", lambda: ("ogni rana", "a"),
                          "La risposta è quella, ma il nome è un token e il determinante un altro: basta il nome."),
            Misconception("accordo giusto, nome dell'altro", lambda: ("volpi", "a"),
                          "Il finale è quello giusto, e concorda con «rana»: è lì che deve andare il peso."),
            Misconception("scambiati", lambda: ("a", "rana"),
                          "Le due risposte sono giuste, nell'ordine opposto: prima il nome, poi la lettera."),
            Misconception("l'altra frase", lambda: ("gatta", "a"),
                          "È la risposta dell'esempio. Qui la frase è un'altra: chi c'è al posto della gatta e del topo?"),
        ),
        praise="Ciò che conta cambia con chi guarda: le stesse parole, un'altra radice, un altro peso.",
    ),
    Exercise(
        id="1.2", title="Leggere una riga", kind="leggi la tabella", stars=1, minutes=3,
        statement="Nella tabella dei pesi di «la gatta insegue il topo perché affamat-», a quale token dà il peso maggiore il token `il`? "
                  "Restituisci il token, come stringa.",
        reference=who_looks_at_most,
        misconceptions=(
            Misconception("letta la colonna", lambda: "perché",
                          "Hai letto la colonna di `il`: dice chi guarda `il`. La domanda è che cosa guarda `il`: si legge sulla sua riga."),
            Misconception("il secondo peso", lambda: "gatta",
                          "È un peso vero, ma sulla riga di `il` ce n'è uno più grande: guarda la casella più scura."),
            Misconception("il nome che segue", lambda: "topo",
                          "«topo» viene dopo: per `il` è nel futuro, e la casella è tratteggiata. Nessun token può guardare avanti."),
            Misconception("sé stesso", lambda: "il",
                          "Guardare sé stesso è permesso, ma qui il peso è vicino a zero: sulla riga di `il` c'è una casella molto più scura."),
        ),
        praise="Riga: chi guarda. Colonna: chi è guardato.",
    ),
    Exercise(
        id="1.3", title="La coppia più forte", kind="scrivi", stars=1, minutes=5,
        statement="Scrivi una funzione che riceve una tabella di pesi, shape (T, T), e restituisce la coppia (i, j) di peso "
                  "maggiore con i diverso da j: i è il token che guarda (la riga), j quello guardato (la colonna).",
        reference=strongest_pair, inputs=_weight_tables,
        misconceptions=(
            Misconception("righe e colonne scambiate", lambda pesi: strongest_pair(pesi)[::-1],
                          "Hai letto la tabella per colonne. La riga è chi guarda (la query), la colonna chi è guardato (la key): "
                          "la coppia è ordinata, e (i, j) non è (j, i)."),
            Misconception("diagonale compresa", _with_diagonal,
                          "Il massimo è finito sulla diagonale: il primo token vede solo sé stesso, quindi lì il peso è sempre 1. "
                          "La consegna chiede i diverso da j."),
            Misconception("indice appiattito", lambda pesi: int(np.where(np.eye(len(pesi), dtype=bool), 0, pesi).argmax()),
                          "argmax conta le caselle come se la tabella fosse una fila sola. Per riavere riga e colonna serve "
                          "`np.unravel_index(indice, pesi.shape)`."),
        ),
        praise="Un peso appartiene a una coppia ordinata: chi guarda, chi è guardato.",
    ),
    Exercise(
        id="1.4", title="Righe che non sommano a uno", kind="trova il bug", stars=2, minutes=8,
        statement="La funzione `normalizza_sbagliata` dovrebbe trasformare una tabella di numeri positivi, shape (Tq, Tk), in pesi: ogni riga, "
                  "cioè ogni token che guarda, deve sommare a uno. Trova l'errore e scrivi `normalizza`.",
        reference=lambda tabella: tabella / tabella.sum(axis=1, keepdims=True), inputs=_positive_tables,
        properties=(("le righe sommano a uno", _rows_sum_to_one),),
        misconceptions=(
            Misconception("normalizza le colonne", lambda tabella: tabella / tabella.sum(axis=0),
                          "Così sommano a uno le colonne. A sommare a uno dev'essere ciò che un token distribuisce quando guarda, cioè la sua riga: `axis=1`."),
            Misconception("divide per il totale", lambda tabella: tabella / tabella.sum(),
                          "Hai diviso per la somma di tutta la tabella: a sommare a uno è la tabella intera, non ogni riga."),
            Misconception("divide per il massimo", lambda tabella: tabella / tabella.max(axis=1, keepdims=True),
                          "Dividendo per il massimo la casella più grande vale 1, ma la riga non somma a uno."),
            Misconception("softmax delle righe", lambda tabella: np.exp(tabella) / np.exp(tabella).sum(axis=1, keepdims=True),
                          "Le righe sommano a uno, ma hai aggiunto un esponenziale. Qui i numeri sono già positivi: basta dividere per la somma."),
            Misconception("restituite le somme", lambda tabella: tabella.sum(axis=1, keepdims=True),
                          "Hai restituito le somme delle righe: manca la divisione."),
            Misconception("keepdims dimenticato", lambda tabella: tabella / tabella.sum(axis=1),
                          "Le due shape non si accordano. Sommando lungo `axis=1` si perde una dimensione, e NumPy affianca il risultato alle colonne. "
                          "Con una tabella quadrata non se ne accorgerebbe nessuno. Serve `keepdims=True`."),
        ),
        praise="Somma a uno ciò che un token distribuisce quando guarda: la riga.",
    ),
    Exercise(
        id="1.5", title="Quanto porta davvero un token", kind="scrivi", stars=2, minutes=8,
        statement="Scrivi una funzione che riceve i pesi di una riga, shape (T,), e i value, shape (T, D), e restituisce un array (T,): "
                  "per ogni token, la lunghezza del suo contributo, cioè del vettore peso × value.",
        reference=lambda pesi, V: np.linalg.norm(pesi[:, None] * V, axis=1), inputs=_weighted_values,
        misconceptions=(
            Misconception("solo il peso", lambda pesi, V: pesi,
                          "Hai restituito il solo peso. Ma ciò che arriva è peso × value: un peso grande su un value minuscolo porta poco."),
            Misconception("solo il value", lambda pesi, V: np.linalg.norm(V, axis=1),
                          "Hai misurato i value senza il peso: così conta anche chi non è quasi guardato."),
            Misconception("somma al posto della lunghezza", lambda pesi, V: pesi * V.sum(axis=1),
                          "Hai sommato le componenti: quelle positive e quelle negative si cancellano. La lunghezza di un vettore è la "
                          "radice della somma dei quadrati, `np.linalg.norm`."),
            Misconception("lunghezza al quadrato", lambda pesi, V: ((pesi[:, None] * V) ** 2).sum(axis=1),
                          "È la somma dei quadrati: manca la radice."),
            Misconception("contributi già sommati", lambda pesi, V: pesi @ V,
                          "Hai sommato i contributi: è l'uscita della head. Qui servono separati, un numero per token."),
            Misconception("somma dei valori assoluti", lambda pesi, V: (pesi[:, None] * np.abs(V)).sum(axis=1),
                          "Hai sommato i valori assoluti. La lunghezza di un vettore è la radice della somma dei quadrati."),
            Misconception("la stessa lunghezza per tutti", lambda pesi, V: pesi * np.linalg.norm(V),
                          "Hai moltiplicato ogni peso per la stessa lunghezza, quella di tutta la tabella. Ogni value ha la sua: la norma va presa riga per riga, con `axis=1`."),
            Misconception("una lunghezza sola", lambda pesi, V: np.linalg.norm(pesi[:, None] * V),
                          "Hai preso la lunghezza di tutta la tabella: ne serve una per riga, con `axis=1`."),
            Misconception("pesi non in colonna", lambda pesi, V: np.linalg.norm(pesi * V, axis=1),
                          "Le due shape non si accordano: NumPy affianca i pesi alle colonne di V. Trasformali in una colonna, `pesi[:, None]`."),
            Misconception("un asse sbagliato", lambda pesi, V: np.linalg.norm(pesi[:, None] * V, axis=0),
                          "Hai preso la lunghezza delle colonne: un numero per dimensione. Ne serve uno per token, lungo `axis=1`."),
        ),
        praise="Il peso da solo non dice quanto un token ha contato: serve anche la grandezza del suo value.",
    ),
)
