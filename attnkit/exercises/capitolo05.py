"""Gli esercizi del capitolo 5, Multi-head attention."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.masks import causal
from attnkit.reference import multi_head_attention, softmax


def _tables(rng):
    """Tabelle (T, D) e numeri di head, con dimensioni tutte diverse."""
    return [(rng.normal(size=(T, D)), n_heads) for T, D, n_heads in ((2, 6, 3), (5, 8, 2), (4, 12, 3))]


def split(X, n_heads):
    """Le colonne di X, divise fra le head: shape (H, T, Dh)."""
    T, D = X.shape
    return X.reshape(T, n_heads, D // n_heads).transpose(1, 0, 2)


def _head_outputs(rng):
    return [(rng.normal(size=shape),) for shape in ((3, 2, 4), (2, 5, 3), (4, 3, 6))]


def merge(uscite):
    """Le uscite delle head affiancate: shape (T, H·Dh)."""
    H, T, Dh = uscite.shape
    return uscite.transpose(1, 0, 2).reshape(T, H * Dh)


def _layers(rng):
    cases = []
    for T, D, n_heads in ((3, 4, 2), (5, 6, 3), (6, 8, 2)):
        cases.append((rng.normal(size=(T, D)), *(rng.normal(size=(D, D)) / np.sqrt(D) * 1.5 for _ in range(4)), n_heads))
    return cases


def layer(X, Wq, Wk, Wv, Wo, n_heads):
    """Un layer di multi-head attention causale."""
    return multi_head_attention(X, Wq, Wk, Wv, Wo, n_heads=n_heads, mask=causal(len(X)))[0]


def _layer(divide=split, join=merge, scale=None, mask="prima", axis=-1, project=True, heads=None, add=None, swap=False, diagonal=0):
    """Lo stesso layer, con un passo sostituito da uno sbagliato."""
    def wrong(X, Wq, Wk, Wv, Wo, n_heads):
        n = n_heads if heads is None else heads
        Q, K, V = (divide(X @ W, n) for W in (Wq, Wk, Wv))
        if swap:
            Q, K = K, Q
        width = K.shape[-1] if scale is None else scale(X, K)
        scores = Q @ K.swapaxes(-1, -2) / np.sqrt(width)
        visible = np.tri(len(X), k=diagonal, dtype=bool)
        if mask == "prima":
            scores = np.where(visible, scores, -np.inf)
        if mask == "zero":
            scores = np.where(visible, scores, 0)
        weights = softmax(scores, axis=axis)
        output = join((np.where(visible, weights, 0) if mask == "dopo" else weights) @ V)
        output = output @ Wo if project else output
        return output if add is None else output + add(X)
    return wrong


def _first_token_alone(arguments, output):
    """Il primo token vede solo sé stesso: la sua riga si calcola senza attenzione."""
    X, _, _, Wv, Wo, _ = arguments
    if np.allclose(output[0], X[0] @ Wv @ Wo, atol=1e-5):
        return None
    return "Guarda la riga 0: il primo token vede solo sé stesso, con peso 1, e dovrebbe uscirne `X[0] @ Wv @ Wo`. Controlla la maschera, l'asse della softmax, Wv, Wo, e come dividi e riunisci le head."


def _doubled(parameters, width, tables, flops, memory):
    return {"parametri": parameters, "larghezza di una head": width, "numero di tabelle": tables,
            "FLOP dei punteggi": flops, "memoria dei pesi": memory}


def _batches(rng):
    """Un batch di frasi, ciascuna con la sua maschera; nel secondo caso B e H coincidono."""
    cases = []
    for B, H, T, Dh in ((2, 3, 3, 4), (3, 3, 4, 2), (4, 2, 5, 3)):
        masks = np.stack([causal(T)] * B)
        for b in range(B):
            masks[b, b % (T - 1) + 1:, b % (T - 1)] = False               # ogni frase nasconde un token suo
        cases.append((rng.normal(size=(B, H, T, Dh)), rng.normal(size=(B, H, T, Dh)), masks))
    return cases


def batch_weights(Q, K, maschere):
    """I pesi di ogni head di ogni frase: la maschera di una frase vale per tutte le sue head."""
    scores = Q @ K.swapaxes(-1, -2) / np.sqrt(K.shape[-1])
    return softmax(np.where(maschere[:, None], scores, -np.inf))


def _batch_weights(place, scale=True, before=True):
    def wrong(Q, K, maschere):
        scores = Q @ K.swapaxes(-1, -2) / (np.sqrt(K.shape[-1]) if scale else 1)
        visible = place(maschere, Q.shape[1])                    # si estende da sola, o solleva, come a chi sbaglia
        return softmax(np.where(visible, scores, -np.inf)) if before else np.where(visible, softmax(scores), 0)
    return wrong


def _rows_sum_to_one(arguments, output):
    """Ogni query ha almeno una key visibile: la sua riga somma a uno."""
    worst = np.abs(output.sum(axis=-1) - 1).max()
    return None if worst < 1e-4 else "Ci sono righe che non sommano a uno: la maschera va messa prima della softmax, con −inf, e la softmax corre sull'ultimo asse."


def _no_weight_where_hidden(arguments, output):
    """Ciò che la maschera di una frase nasconde non riceve peso in quella frase."""
    worst = np.where(arguments[2][:, None], 0, np.abs(output)).max()
    if worst < 1e-6:
        return None
    return f"Un token nascosto riceve {worst:.3g} di peso".replace(".", ",") + ": dovrebbe ricevere zero. L'asse della maschera è quello giusto?"


EXERCISES = (
    Exercise(
        id="5.1", title="Dividere in head", kind="scrivi", stars=1, minutes=6,
        statement="Ricevi X, shape (T, D), e n_heads, che divide D. Restituisci le head, shape (n_heads, T, D / n_heads): la prima prende le prime colonne di X, la seconda le successive, e così via.",
        reference=split, inputs=_tables,
        misconceptions=(
            Misconception("reshape senza trasposta", lambda X, n_heads: X.reshape(n_heads, len(X), -1),
                          "Hai scritto la shape giusta, ma i numeri sono in ordine sbagliato: `reshape` non sposta nulla, rilegge i numeri in fila. Così ogni head riceve pezzi di token diversi. Prima "
                          "`reshape(T, n_heads, Dh)`, che spezza le colonne; poi si scambiano i primi due assi."),
            Misconception("assi non scambiati", lambda X, n_heads: X.reshape(len(X), n_heads, -1),
                          "Le colonne sono divise bene. Ma l'asse delle head dev'essere il primo: manca `transpose(1, 0, 2)`."),
            Misconception("trasposta prima del reshape", lambda X, n_heads: X.T.reshape(n_heads, len(X), -1),
                          "Hai trasposto X e poi usato `reshape`: i numeri si rileggono per colonna, e i token si mescolano. Prima si spezzano le colonne, poi si scambiano gli assi."),
            Misconception("pezzi larghi n_heads", lambda X, n_heads: X.reshape(len(X), -1, n_heads).transpose(1, 0, 2),
                          "Hai fatto pezzi larghi `n_heads`: i pezzi devono essere *tanti* quanti `n_heads`, e larghi D / n_heads."),
            Misconception("head in ordine inverso", lambda X, n_heads: split(X, n_heads)[::-1],
                          "Le head sono in ordine inverso: la prima deve prendere le prime colonne."),
            Misconception("colonne alternate", lambda X, n_heads: X.reshape(len(X), -1, n_heads).transpose(2, 0, 1),
                          "Hai dato a ogni head una colonna ogni `n_heads`. Qui ogni head prende colonne consecutive."),
            Misconception("le stesse colonne per tutte", lambda X, n_heads: np.stack([X[:, :X.shape[1] // n_heads]] * n_heads),
                          "Tutte le head hanno ricevuto le stesse colonne: ciascuna deve avere le proprie."),
            Misconception("trasposta di troppo", lambda X, n_heads: split(X, n_heads).swapaxes(1, 2),
                          "Le head ci sono, ma i token sono finiti in colonna: l'ordine è (head, token, componente)."),
            Misconception("ogni head tutta intera", lambda X, n_heads: np.stack([X] * n_heads),
                          "Ogni head ha ricevuto X per intero. Le head si dividono le colonne: ciascuna è larga D / n_heads."),
        ),
        praise="Una head non è una copia: è una fetta di colonne.",
    ),
    Exercise(
        id="5.2", title="Riunire le head", kind="scrivi", stars=1, minutes=5,
        statement="Ricevi le uscite delle head, shape (H, T, Dh). Restituisci una riga per token, shape (T, H·Dh): prima le componenti della prima head, poi quelle della seconda, e così via.",
        reference=merge, inputs=_head_outputs,
        misconceptions=(
            Misconception("reshape senza trasposta", lambda uscite: uscite.reshape(uscite.shape[1], -1),
                          "`reshape` rilegge i numeri in fila: la prima riga si riempie con la prima head di più token. Prima si porta davanti l'asse dei token, poi si uniscono gli ultimi due."),
            Misconception("assi non uniti", lambda uscite: uscite.transpose(1, 0, 2),
                          "Gli assi sono al posto giusto: resta da unire gli ultimi due con `reshape(T, H * Dh)`."),
            Misconception("tutti gli assi uniti", lambda uscite: uscite.transpose(1, 0, 2).reshape(-1),
                          "Hai unito tutti gli assi: quello dei token resta, una riga per ciascuno."),
            Misconception("head mediate", lambda uscite: uscite.mean(axis=0),
                          "Hai fatto la media delle head: le loro risposte si confondono. Si affiancano: la riga di un token è lunga H·Dh."),
            Misconception("head sommate", lambda uscite: uscite.sum(axis=0),
                          "Hai sommato le head. Si affiancano; a mescolarle, ciascuna con le proprie righe, penserà W_O."),
            Misconception("componenti alternate", lambda uscite: uscite.transpose(1, 2, 0).reshape(uscite.shape[1], -1),
                          "Hai alternato le head componente per componente. W_O si aspetta le head una dopo l'altra, intere."),
            Misconception("head in ordine inverso", lambda uscite: merge(uscite[::-1]),
                          "Le head sono in ordine inverso: ciascuna incontrerebbe in W_O le righe di un'altra."),
            Misconception("una dopo l'altra in verticale", lambda uscite: uscite.reshape(-1, uscite.shape[2]),
                          "Hai messo le head una sotto l'altra: così le righe sono H·T. Ogni token deve avere una riga sola."),
        ),
        praise="È l'inverso esatto della divisione: dividere e riunire lascia tutto com'era.",
    ),
    Exercise(
        id="5.3", title="Un layer intero", kind="scrivi", stars=2, minutes=12,
        statement="Scrivi un layer di multi-head attention causale: ricevi X, shape (T, D), le quattro matrici Wq, Wk, Wv, Wo, shape (D, D), e n_heads. Restituisci l'uscita, shape (T, D), dopo Wo.",
        reference=layer, inputs=_layers, properties=(("il primo token vede solo sé stesso", _first_token_alone),),
        misconceptions=(
            Misconception("√d_model al posto di √d_k", _layer(scale=lambda X, K: X.shape[1]),
                          "Hai diviso per √D. Ogni head confronta query e key larghe D / n_heads: la radice è quella."),
            Misconception("senza scala", _layer(scale=lambda X, K: 1),
                          "Manca la scala: i punteggi di ogni head vanno divisi per la radice della sua larghezza."),
            Misconception("manca la radice", _layer(scale=lambda X, K: K.shape[-1] ** 2),
                          "Hai diviso per la larghezza della head: manca la radice."),
            Misconception("softmax sull'asse delle query", _layer(axis=-2),
                          "La softmax corre sull'asse delle query. Le righe devono sommare a uno: l'asse è l'ultimo, quello delle key."),
            Misconception("maschera dopo la softmax", _layer(mask="dopo"),
                          "Hai nascosto dopo la softmax: le righe non sommano più a uno. Si nasconde prima, con −inf."),
            Misconception("zero al posto di −inf", _layer(mask="zero"),
                          "Hai messo a zero i punteggi da nascondere. Zero è un punteggio come gli altri: serve −inf."),
            Misconception("maschera sfalsata", _layer(diagonal=1),
                          "La maschera lascia vedere anche il token che segue: la diagonale da cui parte è quella principale."),
            Misconception("Q e K scambiate", _layer(swap=True),
                          "Hai confrontato K con Q: le righe sono delle query, `Q @ K.swapaxes(-1, -2)`."),
            Misconception("residuo sommato", _layer(add=lambda X: X),
                          "Hai sommato X: è il passo dopo. Il layer restituisce solo l'aggiunta."),
            Misconception("Wo dimenticata", _layer(project=False),
                          "Le head sono riunite, ma manca Wo: è lei che mescola le risposte delle head e le riporta nel flusso."),
            Misconception("una head sola", _layer(heads=1),
                          "Hai calcolato una sola head, larga D. Le colonne vanno divise fra n_heads, ciascuna con i propri punteggi e la propria softmax."),
            Misconception("senza maschera", _layer(mask=None),
                          "Manca la maschera causale: ogni token vede anche il futuro."),
            Misconception("divise senza trasposta", _layer(divide=lambda X, n: X.reshape(n, len(X), -1)),
                          "Le head sono state divise con un `reshape` diretto: ciascuna riceve pezzi di token diversi."),
            Misconception("riunite senza trasposta", _layer(join=lambda O: O.reshape(O.shape[1], -1)),
                          "Le head sono state riunite con un `reshape` diretto: nelle righe finiscono token diversi. Prima si scambiano gli assi."),
            Misconception("divise e riunite senza trasposta", _layer(divide=lambda X, n: X.reshape(n, len(X), -1), join=lambda O: O.reshape(O.shape[1], -1)),
                          "Hai diviso e riunito con due `reshape` diretti: i token tornano al loro posto, ma ogni head ha visto solo un gruppo di token, a pezzi."),
            Misconception("head mediate", _layer(join=lambda O: np.concatenate([O.mean(axis=0)] * len(O), axis=-1)),
                          "Hai fatto la media delle head prima di Wo. Si affiancano."),
            Misconception("head in ordine inverso", _layer(join=lambda O: merge(O[::-1])),
                          "Le head sono riunite nell'ordine inverso: ciascuna incontra in Wo le righe di un'altra."),
            Misconception("softmax sull'asse delle head", _layer(axis=0, mask=None),
                          "La softmax corre sull'asse delle head: le head si spartirebbero l'attenzione fra loro. L'asse è l'ultimo, quello delle key."),
        ),
        praise="Dividi, confronta, somma, riunisci, mescola: il layer di attenzione di ogni transformer.",
    ),
    Exercise(
        id="5.4", title="La maschera sull'asse sbagliato", kind="trova il bug", stars=3, minutes=10,
        statement="Un batch ha B frasi. `pesi_sbagliati` riceve Q e K, shape (B, H, T, Dh), e una maschera per frase, shape (B, T, T), con True dove si vede. Con B e H diversi e maggiori di 1 si interrompe; con B = H gira, ma i pesi sono sbagliati. "
                  "Scrivi `pesi_del_batch`, che restituisce i pesi, shape (B, H, T, T).",
        reference=batch_weights, inputs=_batches,
        properties=(("le righe sommano a uno", _rows_sum_to_one), ("nessun peso dove non si vede", _no_weight_where_hidden)),
        misconceptions=(
            Misconception("maschera sull'asse delle head", _batch_weights(lambda m, H: m),
                          "È l'errore di partenza. NumPy allinea gli assi da destra: la maschera (B, T, T) finisce sull'asse delle head, e quando B = H nessuno protesta. Serve un asse in mezzo: (B, 1, T, T)."),
            Misconception("asse aggiunto davanti", _batch_weights(lambda m, H: m[None]),
                          "L'asse in più va dopo quello del batch, non prima: con (1, B, T, T) la maschera resta sull'asse delle head."),
            Misconception("asse aggiunto in fondo", _batch_weights(lambda m, H: m[..., None]),
                          "L'asse in più va dopo quello del batch, non in fondo: con (B, T, T, 1) le righe della maschera finiscono sull'asse delle head."),
            Misconception("una maschera per tutti", _batch_weights(lambda m, H: m[0]),
                          "Hai usato la maschera della prima frase per tutte."),
            Misconception("maschera trasposta", _batch_weights(lambda m, H: m.swapaxes(-1, -2)[:, None]),
                          "L'asse è quello giusto, ma la maschera è trasposta: righe e colonne scambiate, si vede il futuro e non il passato."),
            Misconception("solo la causale", _batch_weights(lambda m, H: causal(m.shape[-1])),
                          "Hai usato la stessa maschera per tutte le frasi, e lascia vedere troppo: ogni frase ha anche token suoi da nascondere."),
            Misconception("senza scala", _batch_weights(lambda m, H: m[:, None], scale=False),
                          "L'asse è quello giusto. Manca la scala: i punteggi vanno divisi per la radice della larghezza della head."),
            Misconception("maschera dopo la softmax", _batch_weights(lambda m, H: m[:, None], before=False),
                          "L'asse è quello giusto, ma hai nascosto dopo la softmax: le righe non sommano più a uno."),
            Misconception("maschere ripetute nell'ordine sbagliato", _batch_weights(lambda m, H: np.tile(m, (H, 1, 1)).reshape(len(m), H, *m.shape[1:])),
                          "Hai ripetuto le maschere nell'ordine sbagliato: le head della prima frase ricevono le maschere di frasi diverse. Ognuna va ripetuta per le head della *sua* frase."),
            Misconception("maschera rovesciata", _batch_weights(lambda m, H: ~m[:, None]),
                          "L'asse è quello giusto, ma hai nascosto ciò che si vede: True vuol dire visibile."),
            Misconception("tutte le maschere insieme", _batch_weights(lambda m, H: m.all(axis=0)),
                          "Hai nascosto in ogni frase ciò che è nascosto in una qualsiasi: ciascuna deve usare la propria."),
        ),
        praise="Un asse scritto per esteso costa un `None`, e risparmia un errore che tace quando B e H sono uguali.",
    ),
    Exercise(
        id="5.5", title="Il doppio delle head", kind="prevedi", stars=2, minutes=5,
        statement="Con D e T fissi, passi da H a 2H head. Che cosa cambia? Restituisci un dizionario con True per ciò che cambia: chiavi \"parametri\" (di Wq, Wk, Wv e Wo), \"larghezza di una head\", "
                  "\"numero di tabelle\" (di pesi), \"FLOP dei punteggi\" (di tutte le head insieme), \"memoria dei pesi\" (di tutte le tabelle insieme).",
        reference=lambda: _doubled(False, True, True, False, True),
        misconceptions=(
            Misconception("tutto raddoppia", lambda: _doubled(True, True, True, True, True),
                          "Non tutto: le head si dividono le stesse colonne. Più head vuol dire head più strette, e ciò che si somma su tutte può restare uguale."),
            Misconception("più head, più parametri", lambda: _doubled(True, True, True, False, True),
                          "Le quattro matrici restano D × D: cambia solo come se ne leggono le colonne."),
            Misconception("più head, più conti", lambda: _doubled(False, True, True, True, True),
                          "Le tabelle sono il doppio, ma ogni prodotto scalare è lungo la metà: H · T² · (D / H) non dipende da H."),
            Misconception("la memoria resta uguale", lambda: _doubled(False, True, True, False, False),
                          "Ogni head ha la sua tabella T × T, qualunque sia la sua larghezza: il doppio delle head, il doppio delle tabelle in memoria."),
            Misconception("tabelle ferme", lambda: _doubled(False, True, False, False, True),
                          "Ogni head ha la sua tabella: il doppio delle head, il doppio delle tabelle."),
            Misconception("tabelle e memoria ferme", lambda: _doubled(False, True, False, False, False),
                          "Ogni head ha la sua tabella: il doppio delle head, il doppio delle tabelle, e quindi il doppio della memoria."),
            Misconception("crescono i parametri, non la memoria", lambda: _doubled(True, True, True, False, False),
                          "Le matrici restano D × D; a raddoppiare sono le tabelle, e la memoria con loro."),
            Misconception("nulla cambia", lambda: _doubled(False, False, False, False, False),
                          "Qualcosa cambia: con le stesse colonne e il doppio delle head, ciascuna è larga la metà, e le tabelle di pesi sono il doppio."),
            Misconception("larghezza fissa", lambda: _doubled(False, False, True, False, True),
                          "D non cambia, e le head se lo dividono: se raddoppiano, ciascuna si dimezza."),
        ),
        praise="Stessi parametri, stessi FLOP nei prodotti fra matrici, più tabelle: le head costano memoria, non conti.",
    ),
    Exercise(
        id="5.6", title="Quante head?", kind="leggi la tabella", stars=2, minutes=4,
        statement="Nella tabella di Vaswani et al., quale numero di head ha la perplexity migliore? E quanti punti BLEU perde la head sola rispetto al BLEU più alto? Restituisci la coppia (head, punti persi).",
        reference=lambda: (16, 0.9), atol=0.005,
        misconceptions=(
            Misconception("perplexity alta è meglio", lambda: (1, 0.9),
                          "La perplexity misura quanto il modello è sorpreso: più è bassa, meglio è."),
            Misconception("il valore in neretto del modello base", lambda: (8, 0.9),
                          "8 è la scelta del modello base, e nel BLEU nessuno la batte. Per la perplexity però c'è un numero, di poco, più basso."),
            Misconception("differenza di perplexity", lambda: (16, 0.38),
                          "Il numero di head è giusto. La differenza però è fra due perplexity: la domanda chiede i punti BLEU."),
            Misconception("coppia rovesciata", lambda: (0.9, 16),
                          "I numeri ci sono, ma in ordine inverso: prima le head, poi i punti."),
            Misconception("la perplexity al posto delle head", lambda: (4.91, 0.9),
                          "Hai restituito la perplexity: serve il numero di head di quella riga."),
            Misconception("neretto e perplexity", lambda: (8, 0.37),
                          "Due cose: la perplexity più bassa non è quella in neretto; e i punti da contare sono quelli BLEU."),
            Misconception("virgola dimenticata", lambda: (16, 9),
                          "Le head sono giuste. La virgola: fra 25,8 e 24,9 la differenza è meno di un punto. In Python si scrive con il punto."),
            Misconception("segno rovesciato", lambda: (16, -0.9),
                          "I numeri sono quelli. «Quanti punti perde» chiede un numero positivo."),
            Misconception("più head è sempre meglio", lambda: (32, 0.5),
                          "Hai preso l'ultima riga. Con 32 head le cose peggiorano: ciascuna è larga solo 16. E 0,5 è la distanza fra 32 head e una: la domanda chiede quella dal BLEU più alto."),
        ),
        praise="Una head sola è poca, trentadue sono troppe; fra 8 e 16 la curva è piatta.",
    ),
)
