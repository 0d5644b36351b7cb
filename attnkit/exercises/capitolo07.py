"""Gli esercizi del capitolo 7, MQA e GQA."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.masks import causal
from attnkit.reference import attention, attention_weights, softmax


def _steps(rng):
    return [(*(rng.normal(size=Dh) for _ in "qkv"), rng.normal(size=(T, Dh)), rng.normal(size=(T, Dh))) for T, Dh in ((2, 3), (4, 2), (6, 5))]


def decode_step(q, k, v, K, V):
    """Un passo di generazione: la cache cresce di una riga, e la query vede tutto."""
    K, V = np.vstack([K, k]), np.vstack([V, v])
    weights = softmax(K @ q / np.sqrt(len(q)))
    return weights @ V, K, V


def _decode(see=lambda K, V: (K, V), store=lambda k, v, K, V: (np.vstack([K, k]), np.vstack([V, v])), scale=True):
    """Lo stesso passo, con una cosa sostituita da una sbagliata."""
    def wrong(q, k, v, K, V):
        K, V = store(k, v, K, V)
        seen_K, seen_V = see(K, V)
        return softmax(seen_K @ q / (np.sqrt(len(q)) if scale else 1)) @ seen_V, K, V
    return wrong


def _models(rng):
    return [(3, 4, 2, 8, 10, 2), (2, 6, 3, 5, 7, 4), (5, 8, 2, 4, 9, 2), (32, 32, 8, 128, 4096, 2)]


def cache_bytes(n_layers, n_heads, n_kv_heads, head_dim, token, byte):
    """I byte della KV cache di una sequenza."""
    return 2 * n_layers * n_kv_heads * head_dim * token * byte


def _reads(rng):
    return [(16, 4, 2, 8, 2), (10, 6, 2, 5, 4), (4096, 32, 8, 128, 2)]


def intensity(token, n_heads, n_kv_heads, head_dim, byte):
    """FLOP, byte letti e FLOP per byte di un passo di generazione, in un layer."""
    flop = 2 * 2 * token * n_heads * head_dim
    read = 2 * token * n_kv_heads * head_dim * byte
    return flop, read, flop / read


def _groups(rng):
    cases = []
    for Hq, Hkv, T, Dk, Dv in ((4, 2, 3, 3, 2), (6, 2, 4, 2, 3), (6, 3, 5, 4, 2)):
        cases.append((rng.normal(size=(Hq, T, Dk)), rng.normal(size=(Hkv, T, Dk)), rng.normal(size=(Hkv, T, Dv))))
    return cases


def grouped(Q, K, V):
    """L'attenzione causale con le head di key in comune fra query head consecutive."""
    group = len(Q) // len(K)
    return attention(Q, np.repeat(K, group, axis=0), np.repeat(V, group, axis=0), mask=causal(Q.shape[1]))[0]


def _grouped(spread, mask=True, scale=None):
    def wrong(Q, K, V):
        return attention(Q, spread(K, len(Q)), spread(V, len(Q)), mask=causal(Q.shape[1]) if mask else None, scale=scale)[0]
    return wrong


def _repeated(X, heads):
    return np.repeat(X, heads // len(X), axis=0)


def _factors(cache, read, flop, heads, tables):
    return {"byte della cache": cache, "byte letti a ogni passo": read, "FLOP dell'attenzione": flop, "query head": heads, "tabelle di pesi": tables}


def _projections(rng):
    return [(rng.normal(size=(D, H * Dh)), H, G) for D, H, Dh, G in ((3, 4, 2, 2), (5, 6, 3, 2), (4, 6, 2, 3))]


def average_groups(W, n_heads, n_kv_heads):
    """Le colonne di ogni gruppo di head consecutive, fuse nella loro media."""
    heads = W.reshape(len(W), n_kv_heads, n_heads // n_kv_heads, -1)       # (D, Hkv, G, Dh)
    return heads.mean(axis=2).reshape(len(W), -1)


def _averaged(shape, axis, fold=np.mean):
    def wrong(W, n_heads, n_kv_heads):
        group, Dh = n_heads // n_kv_heads, W.shape[1] // n_heads
        return fold(W.reshape(len(W), *shape(n_kv_heads, group, Dh)), axis).reshape(len(W), -1)
    return wrong


EXERCISES = (
    Exercise(
        id="7.1", title="Un passo con la cache", kind="scrivi", stars=2, minutes=8,
        statement="Una head genera un token alla volta. Ricevi query, key e value del token nuovo, shape (Dh,), e la cache: K e V dei token già visti, shape (T, Dh). Restituisci la terna (uscita, K, V): l'uscita del token nuovo, shape (Dh,), "
                  "e le due tabelle con una riga in più, in fondo. Quelle che ricevi non vanno modificate.",
        reference=decode_step, inputs=_steps,
        misconceptions=(
            Misconception("cache non letta", lambda q, k, v, K, V: (v, np.vstack([K, k]), np.vstack([V, v])),
                          "Il token nuovo ha guardato solo sé stesso: la cache è stata scritta, ma non letta."),
            Misconception("sé stesso escluso", _decode(see=lambda K, V: (K[:-1], V[:-1])),
                          "Il token nuovo guarda solo quelli di prima. Deve vedere anche sé stesso: prima si aggiunge la sua riga, poi si guarda."),
            Misconception("solo la prima riga", _decode(see=lambda K, V: (K[:1], V[:1])),
                          "L'uscita è il value del primo token: è ciò che dà `is_causal=True` con una query sola, perché la maschera comincia a contare dalla prima posizione. Con una query non serve nessuna maschera."),
            Misconception("ultima riga sovrascritta", _decode(store=lambda k, v, K, V: (np.vstack([K[:-1], k]), np.vstack([V[:-1], v]))),
                          "Hai scritto il token nuovo al posto dell'ultimo: la posizione è indietro di uno, e un token è andato perso."),
            Misconception("in testa", _decode(store=lambda k, v, K, V: (np.vstack([k, K]), np.vstack([v, V]))),
                          "Hai messo la riga nuova in testa. L'uscita è la stessa, perché una query sola non sa l'ordine; ma la cache dev'essere nell'ordine in cui i token arrivano."),
            Misconception("solo le key", _decode(store=lambda k, v, K, V: (np.vstack([K, k]), np.vstack([V, np.zeros_like(v)]))),
                          "La key è nella cache, il value no: al suo posto ci sono zeri."),
            Misconception("senza scala", _decode(scale=False), "Manca la divisione per la radice della larghezza."),
            Misconception("radice del numero di token", lambda q, k, v, K, V: (softmax(np.vstack([K, k]) @ q / np.sqrt(len(K) + 1)) @ np.vstack([V, v]), np.vstack([K, k]), np.vstack([V, v])),
                          "Hai diviso per la radice del numero di token nella cache. La scala è la radice della larghezza delle key, `len(q)`."),
            Misconception("solo l'uscita", lambda q, k, v, K, V: decode_step(q, k, v, K, V)[0],
                          "L'uscita è giusta, ma manca la cache aggiornata: senza, il passo seguente non saprebbe di questo token. Restituisci la terna (uscita, K, V)."),
            Misconception("cache non aggiornata", lambda q, k, v, K, V: (decode_step(q, k, v, K, V)[0], K, V),
                          "L'uscita è giusta, ma la cache che restituisci è quella di prima: il passo seguente non saprebbe di questo token."),
            Misconception("token nuovo assente", _decode(store=lambda k, v, K, V: (K, V)),
                          "Il token nuovo non è entrato nella cache, e così non vede nemmeno sé stesso: la sua key e il suo value vanno aggiunti prima di guardare."),
            Misconception("token nuovo due volte", _decode(store=lambda k, v, K, V: (np.vstack([K, k, k]), np.vstack([V, v, v]))),
                          "Il token nuovo è nella cache due volte: a ogni passo si aggiunge una riga sola."),
            Misconception("query al posto della key", lambda q, k, v, K, V: decode_step(q, q, v, K, V),
                          "Nella cache hai messo la query. Si conservano key e value: una query serve solo al proprio passo."),
            Misconception("senza softmax", lambda q, k, v, K, V: (np.vstack([K, k]) @ q / np.sqrt(len(q)) @ np.vstack([V, v]), np.vstack([K, k]), np.vstack([V, v])),
                          "Manca la softmax: hai pesato i value con i punteggi."),
            Misconception("key e value scambiati", _decode(store=lambda k, v, K, V: (np.vstack([K, v]), np.vstack([V, k]))),
                          "Hai messo il value fra le key, e la key fra i value."),
        ),
        praise="Una riga in più e una query sola: il passo non rifà niente di ciò che era già fatto.",
    ),
    Exercise(
        id="7.2", title="I byte della cache", kind="scrivi", stars=1, minutes=4,
        statement="Quanti byte occupa la KV cache di una sequenza? Ricevi n_layers, n_heads, n_kv_heads, head_dim, il numero di token e i byte per numero. Restituisci un intero.",
        reference=cache_bytes, inputs=_models,
        misconceptions=(
            Misconception("dimenticato il 2", lambda L, Hq, Hkv, Dh, T, b: L * Hkv * Dh * T * b, "Hai contato solo le key, o solo i value: la cache tiene le une e gli altri."),
            Misconception("query head al posto delle head di key", lambda L, Hq, Hkv, Dh, T, b: 2 * L * Hq * Dh * T * b,
                          "Hai usato le query head. Le query non si conservano: nella cache ci sono key e value, e le loro head sono n_kv_heads."),
            Misconception("tutte e due le head", lambda L, Hq, Hkv, Dh, T, b: 2 * L * Hq * Hkv * Dh * T * b,
                          "Hai moltiplicato per tutti e due i numeri di head. Le query non si conservano: conta solo n_kv_heads."),
            Misconception("dimenticati i layer", lambda L, Hq, Hkv, Dh, T, b: 2 * Hkv * Dh * T * b, "Ogni layer ha la sua cache: manca n_layers."),
            Misconception("numeri al posto dei byte", lambda L, Hq, Hkv, Dh, T, b: 2 * L * Hkv * Dh * T, "Hai contato i numeri: ognuno occupa più di un byte."),
            *(Misconception(unit, lambda L, Hq, Hkv, Dh, T, b, size=size: 2 * L * Hkv * Dh * T * b / size, f"Il conto è giusto, ma l'hai diviso per {name}: la domanda chiede i byte.")
              for unit, size, name in (("KiB", 2 ** 10, "1024"), ("MiB", 2 ** 20, "1024²"), ("GiB", 2 ** 30, "1024³"), ("GB", 10 ** 9, "un miliardo"))),
            Misconception("query head per gruppo", lambda L, Hq, Hkv, Dh, T, b: 2 * L * (Hq // Hkv) * Dh * T * b,
                          "Hai usato n_heads / n_kv_heads: quello è quante query head condividono una key. Nella cache contano le head di key e value, n_kv_heads."),
            Misconception("dimenticati i token", lambda L, Hq, Hkv, Dh, T, b: 2 * L * Hkv * Dh * b, "Sono i byte di un token solo: la sequenza ne ha di più."),
            Misconception("dimenticata la larghezza", lambda L, Hq, Hkv, Dh, T, b: 2 * L * Hkv * T * b, "Ogni key è un vettore: manca la larghezza, head_dim."),
            Misconception("due byte per numero", lambda L, Hq, Hkv, Dh, T, b: 4 * L * Hkv * Dh * T, "Hai contato due byte per numero, come in bfloat16: quanti sono lo dice `byte`."),
            Misconception("bit", lambda L, Hq, Hkv, Dh, T, b: 16 * L * Hkv * Dh * T * b, "Hai contato i bit: la domanda chiede i byte."),
            Misconception("tabella dei pesi", lambda L, Hq, Hkv, Dh, T, b: L * Hq * T * T * b, "Hai contato le tabelle dei pesi. Quelle si calcolano e si buttano: nella cache restano key e value, una riga per token."),
        ),
        praise="2 · L · Hkv · Dh · token · byte: cresce con i token. Fra i fattori che si possono tagliare c'è Hkv.",
    ),
    Exercise(
        id="7.3", title="FLOP per byte", kind="scrivi", stars=2, minutes=6,
        statement="Un passo di generazione, in un layer, con `token` key nella cache. Conta i FLOP dei due prodotti (punteggi, e pesi per value) e i byte di key e value letti dalla memoria, una volta ciascuno. Restituisci la terna (FLOP, byte, FLOP per byte).",
        reference=intensity, inputs=_reads,
        misconceptions=(
            Misconception("una moltiplicazione e basta", lambda T, Hq, Hkv, Dh, b: (2 * T * Hq * Dh, 2 * T * Hkv * Dh * b, Hq / Hkv / b),
                          "Ogni prodotto costa una moltiplicazione e un'addizione: due FLOP. E i prodotti sono due."),
            Misconception("FLOP delle sole head di key", lambda T, Hq, Hkv, Dh, b: (4 * T * Hkv * Dh, 2 * T * Hkv * Dh * b, 2 / b),
                          "I conti li fanno tutte le query head, anche quando condividono le key: sono n_heads."),
            Misconception("byte di tutte le query head", lambda T, Hq, Hkv, Dh, b: (4 * T * Hq * Dh, 2 * T * Hq * Dh * b, 2 / b),
                          "Una key condivisa si legge una volta sola per tutto il gruppo: i byte dipendono da n_kv_heads."),
            Misconception("solo le key", lambda T, Hq, Hkv, Dh, b: (4 * T * Hq * Dh, T * Hkv * Dh * b, 4 * Hq / Hkv / b), "Hai contato i byte delle key, ma si leggono anche i value."),
            Misconception("numeri al posto dei byte", lambda T, Hq, Hkv, Dh, b: (4 * T * Hq * Dh, 2 * T * Hkv * Dh, 2 * Hq / Hkv), "I FLOP sono giusti. Hai contato i numeri letti, non i byte: ognuno ne occupa più d'uno."),
            Misconception("frazione rovesciata", lambda T, Hq, Hkv, Dh, b: (4 * T * Hq * Dh, 2 * T * Hkv * Dh * b, Hkv * b / Hq / 2), "I primi due numeri sono giusti. L'ultimo è rovesciato: FLOP diviso byte."),
            Misconception("divisione intera", lambda T, Hq, Hkv, Dh, b: (4 * T * Hq * Dh, 2 * T * Hkv * Dh * b, 4 * T * Hq * Dh // (2 * T * Hkv * Dh * b)),
                          "I primi due numeri sono giusti. Il rapporto non è sempre intero: serve `/`, non `//`."),
            Misconception("due byte per numero", lambda T, Hq, Hkv, Dh, b: (4 * T * Hq * Dh, 4 * T * Hkv * Dh, Hq / Hkv), "I FLOP sono giusti. Hai contato due byte per numero, come in bfloat16: quanti sono lo dice `byte`."),
            Misconception("tabella intera", lambda T, Hq, Hkv, Dh, b: (4 * T * T * Hq * Dh, 2 * T * Hkv * Dh * b, 2 * T * Hq / Hkv / b), "Hai contato tutte le righe. In un passo di generazione la query è una sola."),
        ),
        praise="In bfloat16 è Hq / Hkv: 1 per MHA, Hq per MQA; con GQA sta in mezzo, 4 nell'8B. La lunghezza si semplifica.",
    ),
    Exercise(
        id="7.4", title="Key in comune", kind="scrivi", stars=2, minutes=8,
        statement="Ricevi Q, shape (Hq, T, Dk), K, shape (Hkv, T, Dk), e V, shape (Hkv, T, Dv), con Hkv che divide Hq. Ogni gruppo di Hq / Hkv query head *consecutive* usa la stessa head di key e value. Restituisci l'uscita causale, shape (Hq, T, Dv).",
        reference=grouped, inputs=_groups,
        misconceptions=(
            Misconception("tile al posto di repeat", _grouped(lambda X, heads: np.tile(X, (heads // len(X), 1, 1))),
                          "Hai ripetuto l'intera fila di head, K0 K1 K0 K1, e non ciascuna, K0 K0 K1 K1. Serve `np.repeat` (in torch `repeat_interleave`, non `repeat`). Con una head sola, o con tante quante le query, l'errore non si vedrebbe."),
            Misconception("solo la prima head", _grouped(lambda X, heads: np.repeat(X[:1], heads, axis=0)), "Tutte le query head usano la prima head di key: è multi-query attention. Ogni gruppo ha la sua."),
            Misconception("media delle head", _grouped(lambda X, heads: np.repeat(X.mean(axis=0, keepdims=True), heads, axis=0)),
                          "Hai fatto la media delle head di key e value. Ogni gruppo usa la propria, così com'è."),
            Misconception("gruppi in ordine inverso", _grouped(lambda X, heads: _repeated(X[::-1], heads)), "I gruppi sono in ordine inverso: le prime query head devono usare la prima head di key."),
            Misconception("value nell'altro ordine", lambda Q, K, V: attention(Q, _repeated(K, len(Q)), np.tile(V, (len(Q) // len(V), 1, 1)), mask=causal(Q.shape[1]))[0],
                          "Le key sono quelle giuste, i value no: anche loro si ripetono uno per uno, V0 V0 V1 V1."),
            Misconception("gruppi di due", _grouped(lambda X, heads: X[np.minimum(np.arange(heads) // 2, len(X) - 1)]), "Hai preso gruppi di due query head: quante sono lo dice Hq / Hkv."),
            Misconception("l'ultima head", _grouped(lambda X, heads: np.repeat(X[-1:], heads, axis=0)), "Tutte le query head usano l'ultima head di key. Ogni gruppo ha la sua."),
            Misconception("radice della larghezza dei value", lambda Q, K, V: _grouped(_repeated, scale=V.shape[-1] ** -0.5)(Q, K, V), "Hai diviso per la radice della larghezza dei value: la scala è quella delle key."),
            Misconception("maschera dopo la softmax", lambda Q, K, V: (attention_weights(Q, _repeated(K, len(Q))) * causal(Q.shape[1])) @ _repeated(V, len(Q)),
                          "Hai mascherato i pesi invece dei punteggi: le righe non sommano più a uno."),
            Misconception("senza maschera", _grouped(_repeated, mask=False), "Manca la maschera causale: ogni token vede anche il futuro."),
            Misconception("senza scala", _grouped(_repeated, scale=1.0), "Manca la divisione per la radice della larghezza delle key."),
            Misconception("una query head per gruppo", lambda Q, K, V: attention(Q[::len(Q) // len(K)], K, V, mask=causal(Q.shape[1]))[0],
                          "Hai tenuto una query head per gruppo. Le query head restano tutte: sono le key a essere meno."),
        ),
        praise="Hkv = Hq è MHA, Hkv = 1 è MQA, in mezzo c'è GQA: una formula sola.",
    ),
    Exercise(
        id="7.5", title="Di quanto si riduce?", kind="prevedi", stars=2, minutes=5,
        statement="Un modello passa da MHA con 32 head a GQA con 8 head di key, e 32 query head come prima. Per ogni grandezza di' per quale numero si divide (1 se non cambia). Chiavi: \"byte della cache\", \"byte letti a ogni passo\" (dalla cache), \"FLOP dell'attenzione\" "
                  "(punteggi, e pesi per value), \"query head\", \"tabelle di pesi\".",
        reference=lambda: _factors(4, 4, 1, 1, 1),
        misconceptions=(
            Misconception("tutto per quattro", lambda: _factors(4, 4, 4, 4, 4), "Non tutto: le query head sono ancora 32, e ciascuna confronta la sua query con tutte le key. Calano solo i numeri conservati e letti."),
            Misconception("diviso per otto", lambda: _factors(8, 8, 1, 1, 1), "Le head di key sono 8, ma erano 32: si divide per il rapporto, non per quante ne restano."),
            Misconception("diviso per trentadue", lambda: _factors(32, 32, 1, 1, 1), "Così sarebbe con una head di key sola, cioè MQA. Qui ne restano 8 su 32."),
            Misconception("quanto resta", lambda: _factors(0.25, 0.25, 1, 1, 1), "Hai scritto quanto resta, un quarto: la domanda chiede per quale numero si divide."),
            Misconception("anche i FLOP", lambda: _factors(4, 4, 4, 1, 1), "I FLOP non calano: ogni query head fa ancora i suoi prodotti con ogni key. È la lettura a costare meno, non il conto."),
            Misconception("anche le tabelle", lambda: _factors(4, 4, 1, 1, 4), "Ogni query head ha ancora la sua tabella di pesi: le key sono in comune, le query no."),
            Misconception("la cache sì, la lettura no", lambda: _factors(4, 1, 1, 1, 1), "Una key condivisa si può leggere una volta sola per tutto il gruppo: è lì il guadagno di velocità."),
            Misconception("nulla cambia", lambda: _factors(1, 1, 1, 1, 1), "Qualcosa si riduce: le head di key passano da 32 a 8, e sono loro a stare nella cache."),
        ),
        praise="Meno byte, gli stessi conti: per questo il guadagno si vede solo dove a mancare è la memoria.",
    ),
    Exercise(
        id="7.6", title="La tabella di GQA", kind="leggi la tabella", stars=2, minutes=6,
        statement="Nella tabella di Ainslie et al., quante volte GQA-8-XXL è più veloce di MHA-XXL? E qual è la media dei sette punteggi di MQA-XXL, calcolata da te? Restituisci la coppia (volte, media), con almeno due decimali.",
        reference=lambda: (1.51 / 0.28, (43.0 + 45.0 + 46.9 + 36.1 + 46.5 + 28.5 + 81.3) / 7), atol=0.006, rtol=0.0,
        misconceptions=(
            Misconception("la media stampata", lambda: (1.51 / 0.28, 46.6), "Il primo numero è giusto. La media stampata è 46,6, ma i sette punteggi ne danno un'altra: è proprio ciò che la domanda chiede di controllare."),
            Misconception("un decimale solo", lambda: (5.39, 46.8), "Il primo numero è giusto. La media va data con almeno due decimali: con uno solo non si capisce di quanto differisce da quella stampata."),
            Misconception("rapporto arrotondato", lambda: (5.4, 327.3 / 7), "La media è giusta. Anche il rapporto va dato con almeno due decimali."),
            Misconception("media troncata", lambda: (1.51 / 0.28, 46.75), "Il primo numero è giusto. La media è 46,757…: con due decimali si arrotonda a 46,76."),
            Misconception("tutti e due arrotondati", lambda: (5.4, 46.8), "Tutti e due i numeri vanno dati con almeno due decimali: con uno solo non si capisce di quanto la media differisce da quella stampata."),
            Misconception("MQA, e la media stampata", lambda: (1.51 / 0.24, 46.6), "Il tempo che hai usato è quello di MQA, e la domanda chiede GQA-8. E la media è quella stampata: calcolala dai sette punteggi."),
            Misconception("rapporto rovesciato", lambda: (0.28 / 1.51, 327.3 / 7), "La media è giusta. Il rapporto è rovesciato: quante volte *più veloce* è il tempo di prima diviso quello di dopo."),
            Misconception("MQA al posto di GQA", lambda: (1.51 / 0.24, 327.3 / 7), "La media è giusta. Il tempo che hai usato è quello di MQA: la domanda chiede GQA-8."),
            Misconception("la colonna di GQA", lambda: (1.51 / 0.28, 330.1 / 7), "Il primo numero è giusto. La media è quella di GQA-8-XXL: la domanda chiede MQA-XXL."),
            Misconception("anche la media fra i punteggi", lambda: (1.51 / 0.28, (327.3 + 46.6) / 8), "Il primo numero è giusto. Hai contato anche la media stampata fra i punteggi: sono sette."),
        ),
        praise="Una tabella si può controllare. Tre medie su quattro si accordano con l'arrotondamento dei punteggi; quella di MQA no, e l'articolo non dice perché.",
    ),
    Exercise(
        id="7.7", title="Le head fuse nei gruppi sbagliati", kind="trova il bug", stars=3, minutes=10,
        statement="Si converte un modello MHA in GQA facendo la media delle head di key di ogni gruppo. `fondi_male` riceve W, shape (D, n_heads·Dh), e dà la shape giusta, ma il primo gruppo non è la media delle head che dovrebbe. Scrivi `fondi`, che restituisce una matrice (D, n_kv_heads·Dh): "
                  "ogni gruppo è fatto di head *consecutive*.",
        reference=average_groups, inputs=_projections,
        misconceptions=(
            Misconception("head alternate", _averaged(lambda H, G, Dh: (G, H, Dh), 1),
                          "È l'errore di partenza: hai fuso una head ogni n_kv_heads. Le query head di un gruppo sono consecutive, e le loro key devono esserlo."),
            Misconception("componenti fuse", _averaged(lambda H, G, Dh: (H, Dh, G), 3), "Hai fatto la media di componenti vicine della stessa head. Si fondono le head, componente per componente."),
            Misconception("somma al posto della media", _averaged(lambda H, G, Dh: (H, G, Dh), 2, np.sum), "Hai sommato le head: le key diventano più lunghe, e i pesi più decisi. Serve la media."),
            Misconception("solo la prima del gruppo", lambda W, H, G: W.reshape(len(W), G, H // G, -1)[:, :, 0].reshape(len(W), -1),
                          "Hai tenuto la prima head di ogni gruppo. L'articolo prova anche questo, e con la media riparte meglio (Ainslie et al. 2023, Fig. 4). Qui si chiede la media."),
            Misconception("asse del gruppo sbagliato", _averaged(lambda H, G, Dh: (H, G, Dh), 1),
                          "La `reshape` adesso è giusta, ma la media è sull'asse dei gruppi: hai fuso la prima head di ogni gruppo, poi la seconda. Le head da fondere stanno sull'asse dopo."),
            Misconception("l'ultima del gruppo", lambda W, H, G: W.reshape(len(W), G, H // G, -1)[:, :, -1].reshape(len(W), -1), "Hai tenuto l'ultima head di ogni gruppo: serve la media."),
            Misconception("diviso per tutte le head", lambda W, H, G: average_groups(W, H, G) / G, "Hai diviso la somma per n_heads: in ogni gruppo le head sono n_heads / n_kv_heads."),
            Misconception("tutte fuse insieme", lambda W, H, G: np.tile(W.reshape(len(W), H, -1).mean(axis=1), (1, G)), "Hai fuso tutte le head, e ripetuto il risultato: è come avere una head sola."),
        ),
        praise="Le head di un gruppo stanno vicine: l'asse del gruppo è il secondo, quello delle head al suo interno il terzo.",
    ),
)
