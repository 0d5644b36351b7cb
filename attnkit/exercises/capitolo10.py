"""Gli esercizi del capitolo 10, LLaMA 3.1."""

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception

# 10.1

def _vectors(rng):
    return [(rng.normal(size=(T, D)) * 3 + 1, rng.normal(size=D), eps) for T, D, eps in ((2, 3, 1e-5), (3, 5, 0.5), (4, 2, 1e-3))]


def rms_norm(x, g, eps):
    """x diviso per la radice della media dei quadrati, e scalato."""
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + eps) * g


# 10.2

def _feed_forwards(rng):
    return [(rng.normal(size=(T, D)), rng.normal(size=(F, D)), rng.normal(size=(D, F)), rng.normal(size=(F, D))) for T, D, F in ((2, 3, 4), (3, 2, 5), (5, 4, 6))]


def silu(z):
    return z / (1 + np.exp(-z))


def _gated(gate=silu, join=np.multiply, swap=False):
    def wrong(x, W1, W2, W3):
        W1, W3 = (W3, W1) if swap else (W1, W3)
        return join(gate(x @ W1.T), x @ W3.T) @ W2.T
    return wrong


swiglu = _gated()


def _gelu(z):
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z ** 3)))


# 10.3

def _heads(rng):
    return [(rng.normal(size=(len(t), Dh)), np.array(t), theta) for t, Dh, theta in (([0, 1], 4, 100.0), ([3, 4, 9], 6, 10000.0), ([2, 7, 5], 8, 50.0))]


def rotated(x, posizioni, theta):
    """RoPE con la disposizione a metà."""
    return _turned()(x, posizioni, theta)


def _turned(frequency=lambda p, Dh, theta: theta ** (-2 * p / Dh), place=lambda t: t, split="half", new=lambda a, b, cos, sin: (a * cos - b * sin, b * cos + a * sin)):
    """RoPE, con una cosa sostituita da una sbagliata."""
    def wrong(x, posizioni, theta):
        half = x.shape[1] // 2
        angles = place(posizioni)[:, None] * frequency(np.arange(half), x.shape[1], theta)
        a, b = (x[:, :half], x[:, half:]) if split == "half" else (x[:, ::2], x[:, 1::2])
        a, b = new(a, b, np.cos(angles), np.sin(angles))
        if split == "half":
            return np.concatenate([a, b], axis=1)
        return np.stack([a, b], axis=2).reshape(x.shape)
    return wrong


# 10.4

def _changes(queries=True, keys=True, values=False, scores=False, output=False):
    return {"query ruotate": queries, "key nella cache": keys, "value": values, "punteggi": scores, "uscita": output}


def _answered(**wrong):
    return lambda: _changes(**wrong)


# 10.5

def _layers(rng):
    return [(4, 2, 1, 3, 5), (6, 4, 2, 2, 7), (10, 5, 5, 3, 11), (4096, 32, 8, 128, 14336)]


def layer_parameters(d_model, n_heads, n_kv_heads, head_dim, d_ff):
    """Le proiezioni, le tre matrici della feed-forward, le due norme."""
    return 2 * d_model * (n_heads + n_kv_heads) * head_dim + 3 * d_model * d_ff + 2 * d_model


# 10.7

def _sizes(rng):
    return [(8000, 2, 2, 5), (8_030_261_248, 32, 8, 128), (405_853_388_800, 126, 8, 128)]


def even_tokens(parametri, n_layers, n_kv_heads, head_dim):
    """I token con cui la cache occupa quanto i pesi."""
    return parametri / (2 * n_layers * n_kv_heads * head_dim)


# 10.8

def _projections(rng):
    return [(rng.normal(size=(heads * Dh, D)), heads) for heads, Dh, D in ((2, 4, 1), (3, 6, 2), (1, 4, 3), (4, 2, 2))]


def converted(W, n_heads):
    """Le righe di ogni head, prima le pari e poi le dispari."""
    return W.reshape(n_heads, -1, 2, W.shape[1]).swapaxes(1, 2).reshape(W.shape)


def converti_male(W, n_heads):
    """La funzione di partenza, come nel capitolo."""
    coppie = W.reshape(-1, 2, W.shape[1])
    return coppie.swapaxes(0, 1).reshape(W.shape)


EXERCISES = (
    Exercise(
        id="10.1", title="RMSNorm", kind="scrivi", stars=2, minutes=5,
        statement="Scrivi la RMSNorm. Ricevi x, shape (T, D), il guadagno g, shape (D,), ed eps. Restituisci x diviso per la radice di (media dei quadrati + eps), e moltiplicato per g: la stessa shape di x.",
        reference=rms_norm, inputs=_vectors,
        misconceptions=(
            Misconception("media tolta", lambda x, g, eps: rms_norm(x - x.mean(-1, keepdims=True), g, eps), "Hai tolto la media: è la LayerNorm. Nella RMSNorm la media resta."),
            Misconception("eps fuori dalla radice", lambda x, g, eps: x / (np.sqrt((x ** 2).mean(-1, keepdims=True)) + eps) * g, "L'eps va dentro la radice, sommato alla media dei quadrati."),
            Misconception("senza eps", lambda x, g, eps: rms_norm(x, g, 0.0), "Manca eps: si somma alla media dei quadrati, perché un vettore nullo resti nullo."),
            Misconception("somma invece di media", lambda x, g, eps: x / np.sqrt((x ** 2).sum(-1, keepdims=True) + eps) * g, "Hai usato la somma dei quadrati: il vettore diventa lungo uno. Serve la media, e il vettore diventa lungo √D."),
            Misconception("guadagno dimenticato", lambda x, g, eps: rms_norm(x, 1.0, eps), "Manca il guadagno: ogni componente va moltiplicata per la sua."),
            Misconception("guadagno sommato", lambda x, g, eps: rms_norm(x, 1.0, eps) + g, "Il guadagno si moltiplica, non si somma."),
            Misconception("guadagno più uno", lambda x, g, eps: rms_norm(x, 1 + g, eps), "Hai moltiplicato per 1 + g: è ciò che fa Gemma. In LLaMA si moltiplica per g."),
            Misconception("asse dei token", lambda x, g, eps: x / np.sqrt((x ** 2).mean(0, keepdims=True) + eps) * g, "La media è sull'asse dei token: ogni token deve essere normalizzato per conto suo, sull'ultimo asse."),
            Misconception("tutta la tabella", lambda x, g, eps: x / np.sqrt((x ** 2).mean() + eps) * g, "La media è di tutta la tabella: serve `axis=-1` con `keepdims=True`, un numero per token."),
            Misconception("senza radice", lambda x, g, eps: x / ((x ** 2).mean(-1, keepdims=True) + eps) * g, "Hai diviso per la media dei quadrati: serve la sua radice."),
            Misconception("deviazione standard", lambda x, g, eps: x / np.sqrt(x.var(-1, keepdims=True) + eps) * g, "Hai usato la varianza, che toglie la media: qui si fa la media dei quadrati così come sono."),
        ),
        praise="Una media di quadrati e una radice: la direzione resta, la lunghezza diventa quella di tutti.",
    ),
    Exercise(
        id="10.2", title="SwiGLU", kind="scrivi", stars=2, minutes=5,
        statement="Scrivi la SwiGLU. Ricevi x, shape (T, D), W1, shape (F, D), W2, shape (D, F), e W3, shape (F, D), come le conserva `nn.Linear`. Restituisci W2 (silu(W1 x) · W3 x) per ogni token: shape (T, D).",
        reference=swiglu, inputs=_feed_forwards,
        misconceptions=(
            Misconception("porta scambiata", _gated(swap=True), "Hai passato per la silu la matrice sbagliata: la porta è W1, e W3 resta com'è."),
            Misconception("sigmoide", _gated(lambda z: 1 / (1 + np.exp(-z))), "La porta è una sigmoide: la silu è z per la sigmoide di z."),
            Misconception("relu", _gated(lambda z: np.maximum(z, 0)), "La porta è una ReLU: qui è la silu, z / (1 + e^−z)."),
            Misconception("gelu", _gated(_gelu), "La porta è una GELU: con quella si chiama GeGLU, ed è di Gemma. LLaMA usa la silu."),
            Misconception("senza attivazione", _gated(lambda z: z), "Manca la silu: così la porta non si chiude mai."),
            Misconception("somma", _gated(join=np.add), "Hai sommato porta e resto: si moltiplicano, componente per componente."),
            Misconception("senza porta", lambda x, W1, W2, W3: silu(x @ W1.T) @ W2.T, "W3 non è stata usata: è la feed-forward a due matrici. Qui le matrici sono tre."),
            Misconception("attivazione dopo il prodotto", lambda x, W1, W2, W3: silu((x @ W1.T) * (x @ W3.T)) @ W2.T, "La silu è sul prodotto: va su W1 x, prima di moltiplicare."),
            Misconception("due attivazioni", lambda x, W1, W2, W3: (silu(x @ W1.T) * silu(x @ W3.T)) @ W2.T, "La silu è su tutte e due: W3 x resta com'è."),
            Misconception("silu con il segno", _gated(lambda z: z / (1 + np.exp(z))), "Nella silu l'esponente ha il segno meno: z / (1 + e^−z)."),
        ),
        praise="Una porta che dipende dal token decide quanto passa: due matrici per allargare, una per stringere.",
    ),
    Exercise(
        id="10.3", title="RoPE", kind="scrivi", stars=3, minutes=12,
        statement="Scrivi RoPE con la disposizione a metà. Ricevi x, shape (T, Dh), le posizioni, interi (T,), e theta. La coppia p è formata dalle componenti p e p + Dh/2, e gira dell'angolo posizione · theta^(−2p/Dh): (a, b) diventa (a cos − b sin, b cos + a sin). "
                  "Restituisci shape (T, Dh).",
        reference=rotated, inputs=_heads,
        misconceptions=(
            Misconception("coppie vicine", _turned(split="pairs"), "Le coppie sono componenti vicine, 0 e 1, 2 e 3: è l'altra disposizione. Qui sono p e p + Dh/2."),
            Misconception("verso rovesciato", _turned(new=lambda a, b, c, s: (a * c + b * s, b * c - a * s)), "Il verso è rovesciato: (a, b) diventa (a cos − b sin, b cos + a sin). I punteggi sarebbero gli stessi, ma i pesi pubblicati vogliono questo."),
            Misconception("senza il due", _turned(lambda p, Dh, theta: theta ** (-p / Dh)), "Nell'esponente manca il 2: le coppie sono Dh/2, e l'ultima frequenza deve arrivare vicino a 1/theta."),
            Misconception("frequenze crescenti", _turned(lambda p, Dh, theta: theta ** (2 * p / Dh)), "Nell'esponente manca il meno: le frequenze devono calare."),
            Misconception("una frequenza sola", _turned(lambda p, Dh, theta: np.ones(len(p))), "Tutte le coppie girano con la stessa velocità: ognuna ha la sua, theta^(−2p/Dh)."),
            Misconception("da uno", _turned(place=lambda t: t + 1), "Hai contato le posizioni da uno. I punteggi non cambiano, ma le query e le key sì: la posizione 0 non gira."),
            Misconception("ordine della riga", _turned(place=lambda t: np.arange(len(t))), "Hai usato il numero della riga al posto della posizione: con la cache il primo token che arriva non è in posizione 0."),
            Misconception("gradi", _turned(place=lambda t: np.deg2rad(t)), "Hai convertito in radianti: l'angolo lo è già."),
            Misconception("coseno e seno scambiati", _turned(new=lambda a, b, c, s: (a * s - b * c, b * s + a * c)), "Coseno e seno sono scambiati: in posizione 0 il vettore deve restare com'è."),
            Misconception("solo la prima metà", _turned(new=lambda a, b, c, s: (a * c - b * s, b)), "La seconda metà è rimasta com'era: girano tutte e due le componenti della coppia."),
            Misconception("metà nuova con la vecchia", _turned(new=lambda a, b, c, s: (a * c - b * s, b * c + (a * c - b * s) * s)), "Per la seconda metà hai usato la prima già girata: servono i valori di partenza."),
            Misconception("senza meno", _turned(new=lambda a, b, c, s: (a * c + b * s, b * c + a * s)), "Manca un meno: così non è una rotazione, e le lunghezze cambiano. (a, b) diventa (a cos − b sin, b cos + a sin)."),
            Misconception("solo i coseni", _turned(new=lambda a, b, c, s: (a * c, b * c)), "Mancano i termini con il seno: le due componenti di una coppia si mescolano."),
            Misconception("base del contesto", _turned(lambda p, Dh, theta: 1 / (theta * 2 * (p + 1) / Dh)), "Le frequenze sono potenze di theta, non suoi multipli."),
        ),
        praise="Due prodotti e una somma per componente, e nessun parametro da imparare.",
    ),
    Exercise(
        id="10.4", title="Spostare tutte le posizioni", kind="prevedi", stars=2, minutes=4,
        statement="Aggiungiamo 100 a tutte le posizioni di una frase, in una head con RoPE. Che cosa cambia? Restituisci un dizionario di True e False, con le chiavi \"query ruotate\", \"key nella cache\", \"value\", \"punteggi\", \"uscita\".",
        reference=_changes,
        misconceptions=(
            Misconception("cambia tutto", _answered(values=True, scores=True, output=True), "Cambiano query e key, ma allo stesso modo: nel punteggio conta la loro distanza. E i value non si ruotano."),
            Misconception("non cambia nulla", _answered(queries=False, keys=False), "I punteggi e l'uscita non cambiano, è vero. Ma le query e le key ruotate sì: girano di cento posti in più."),
            Misconception("anche i value", _answered(values=True), "Il resto è giusto. I value non si ruotano: RoPE tocca solo query e key."),
            Misconception("i value, e quindi l'uscita", _answered(values=True, output=True), "I value non si ruotano: RoPE tocca solo query e key. Così l'uscita, che pesa quei value con gli stessi pesi, non cambia."),
            Misconception("i punteggi", _answered(scores=True), "Il resto è giusto. Nei punteggi resta la differenza fra le due posizioni, e quella non è cambiata."),
            Misconception("i punteggi, e quindi l'uscita", _answered(scores=True, output=True), "Nei punteggi resta la differenza fra le due posizioni, e quella non è cambiata: lo stesso vale per i pesi e per l'uscita."),
            Misconception("la cache no", _answered(keys=False), "Il resto è giusto. La cache tiene le key già ruotate: quelle cambiano."),
            Misconception("solo l'uscita", _answered(output=True), "Il resto è giusto. L'uscita pesa gli stessi value con gli stessi pesi: non cambia."),
            Misconception("rovesciato", _answered(queries=False, keys=False, values=True, scores=True, output=True), "È il contrario: cambiano query e key ruotate, e non ciò che ne segue."),
            Misconception("le query no", _answered(queries=False), "Il resto è giusto. Anche le query si ruotano secondo la loro posizione."),
        ),
        praise="Query e key girano insieme: nel prodotto scalare la parte comune sparisce.",
    ),
    Exercise(
        id="10.5", title="I parametri di un layer", kind="scrivi", stars=1, minutes=5,
        statement="Quanti parametri ha un layer di LLaMA? Ricevi d_model, n_heads, n_kv_heads, head_dim e d_ff. Conta le quattro proiezioni dell'attenzione, le tre matrici della SwiGLU e le due norme; nessun bias. Restituisci un intero.",
        reference=layer_parameters, inputs=_layers,
        misconceptions=(
            Misconception("due matrici", lambda D, H, K, h, F: layer_parameters(D, H, K, h, F) - D * F, "Nella feed-forward ne hai contate due: la SwiGLU ne ha tre."),
            Misconception("key e value interi", lambda D, H, K, h, F: layer_parameters(D, H, H, h, F), "Hai contato WK e WV larghe quanto WQ: le loro head sono n_kv_heads."),
            Misconception("una sola norma", lambda D, H, K, h, F: layer_parameters(D, H, K, h, F) - D, "Le norme di un layer sono due: una prima dell'attenzione, una prima della feed-forward."),
            Misconception("senza norme", lambda D, H, K, h, F: layer_parameters(D, H, K, h, F) - 2 * D, "Mancano le norme: sono due, e ciascuna ha d_model numeri."),
            Misconception("senza WO", lambda D, H, K, h, F: layer_parameters(D, H, K, h, F) - D * H * h, "Manca WO, che riporta le head alla larghezza del modello."),
            Misconception("con i bias", lambda D, H, K, h, F: layer_parameters(D, H, K, h, F) + (H + 2 * K) * h + D + 2 * F + D, "Hai contato anche i bias: in LLaMA non ce ne sono."),
            Misconception("head_dim da d_model", lambda D, H, K, h, F: layer_parameters(D, H, K, D // H, F), "Hai usato d_model / n_heads al posto di head_dim: spesso coincidono, ma non sempre."),
            Misconception("quadrati", lambda D, H, K, h, F: 4 * D * D + 3 * D * F + 2 * D, "Hai contato quattro matrici quadrate: WK e WV sono più strette, e WQ è larga n_heads · head_dim."),
            Misconception("solo attenzione", lambda D, H, K, h, F: 2 * D * (H + K) * h, "Manca la feed-forward, dove sta la maggior parte dei parametri, e mancano le norme."),
            Misconception("key e value una volta", lambda D, H, K, h, F: layer_parameters(D, H, K, h, F) - D * K * h, "WK e WV sono due matrici: ne hai contata una."),
            Misconception("solo feed-forward", lambda D, H, K, h, F: 3 * D * F, "Manca l'attenzione, con le sue quattro proiezioni, e mancano le due norme."),
        ),
        praise="218.112.000 nell'8B: trentadue volte, più gli embedding e i logit, e si arriva all'ultima cifra.",
    ),
    Exercise(
        id="10.6", title="Due righe sbagliate", kind="leggi la tabella", stars=2, minutes=7,
        statement="In questa tabella dell'8B due voci sono sbagliate: layer 32, larghezza 4096, FFN 6144, query head 32, head di key 8, larghezza di una head 128, vocabolario 128.000. Il modello pubblicato ha 8.030.261.248 parametri, embedding e logit separati. "
                  "Restituisci un dizionario con le due voci giuste, per esempio {\"layer\": 30, \"larghezza\": 4000}.",
        reference=lambda: {"FFN": 14336, "vocabolario": 128256},
        misconceptions=(
            Misconception("solo la FFN", lambda: {"FFN": 14336}, "La FFN è giusta. Con 128.000 righe però mancano 2.097.152 parametri: c'è un'altra voce che non torna."),
            Misconception("solo il vocabolario", lambda: {"vocabolario": 128256}, "Il vocabolario è giusto. Con una FFN di 6144 i parametri sarebbero meno di 5 miliardi: c'è un'altra voce che non torna."),
            Misconception("FFN da quattro", lambda: {"FFN": 16384, "vocabolario": 128256}, "Il vocabolario è giusto. Quattro volte la larghezza vale per una feed-forward a due matrici: qui sono tre, e il conto dà 14.336."),
            Misconception("due terzi", lambda: {"FFN": 10922, "vocabolario": 128256}, "Il vocabolario è giusto. Due terzi di 4 · 4096 è il punto di partenza: LLaMA allarga di 1,3 e arrotonda al multiplo di 1024."),
            Misconception("senza arrotondare", lambda: {"FFN": 14198, "vocabolario": 128256}, "Il vocabolario è giusto. Hai moltiplicato per 1,3, ma LLaMA arrotonda in su al multiplo di 1024."),
            Misconception("GQA", lambda: {"FFN": 14336, "head di key": 32}, "La FFN è giusta. Le head di key sono davvero 8: con 32 i parametri sarebbero 8,8 miliardi."),
            Misconception("vocabolario di Llama 2", lambda: {"FFN": 14336, "vocabolario": 32000}, "La FFN è giusta. 32.000 era il vocabolario di Llama 2: qui mancano 256 posti ai 128.000 stampati."),
            Misconception("la FFN del 70B", lambda: {"FFN": 28672, "vocabolario": 128256}, "Il vocabolario è giusto. 28.672 è la FFN del 70B."),
            Misconception("due alla diciassettesima", lambda: {"FFN": 14336, "vocabolario": 131072}, "La FFN è giusta. 131.072 è il contesto: i posti in più nel vocabolario sono 256."),
            Misconception("la tabella com'è", lambda: {"FFN": 6144, "vocabolario": 128000}, "Hai scelto le due voci giuste da correggere, ma i valori sono quelli sbagliati."),
        ),
        praise="La formula non perdona: una voce sbagliata si vede nell'ultima cifra.",
    ),
    Exercise(
        id="10.7", title="Cache e pesi alla pari", kind="scrivi", stars=2, minutes=6,
        statement="Con quanti token la KV cache di una sequenza occupa quanto i pesi? Ricevi il numero di parametri, n_layers, n_kv_heads e head_dim; due byte per numero, pesi e cache. Restituisci il numero di token, anche non intero.",
        reference=even_tokens, inputs=_sizes, rtol=1e-6,
        misconceptions=(
            Misconception("dimenticato il 2", lambda N, L, K, h: N / (L * K * h), "È il doppio del giusto. Ogni token aggiunge key e value, 2 · n_kv_heads · head_dim numeri per layer; e i due byte per numero valgono sia per i pesi sia per la cache."),
            Misconception("i byte contati una volta", lambda N, L, K, h: N / (4 * L * K * h), "I byte per numero sono due da tutte e due le parti, e si semplificano: così li hai contati solo nella cache."),
            Misconception("un layer", lambda N, L, K, h: N / (2 * K * h), "Hai contato la cache di un layer solo: ce n'è una per layer."),
            Misconception("rovesciato", lambda N, L, K, h: 2 * L * K * h / N, "Il rapporto è rovesciato: i parametri divisi per i numeri che aggiunge un token."),
            Misconception("una head", lambda N, L, K, h: N / (2 * L * h), "Hai contato una head di key sola: sono n_kv_heads."),
        ),
        praise="Nell'8B sono circa 122 mila: con il contesto pieno, la cache di una conversazione pesa più dei pesi.",
    ),
    Exercise(
        id="10.8", title="Convertire i pesi", kind="trova il bug", stars=3, minutes=8,
        statement="`converti_male` riceve W, shape (n_heads · Dh, D), e n_heads. Dovrebbe riordinare le righe di ogni head, prima le componenti pari e poi le dispari; con più head sbaglia. Scrivi `converti_bene`: la stessa shape.",
        reference=converted, inputs=_projections,
        misconceptions=(
            Misconception("la funzione di partenza", converti_male, "È ancora la funzione di partenza: tutte le componenti pari di tutte le head, poi tutte le dispari. Le head si sono mescolate."),
            Misconception("il contrario", lambda W, n: W.reshape(n, 2, -1, W.shape[1]).swapaxes(1, 2).reshape(W.shape), "È la conversione nell'altro verso, dalle metà alle coppie vicine."),
            Misconception("dispari prima", lambda W, n: W.reshape(n, -1, 2, W.shape[1])[:, :, ::-1].swapaxes(1, 2).reshape(W.shape), "Hai messo prima le dispari: prima vengono le pari."),
            Misconception("nessun riordino", lambda W, n: W.copy(), "Le righe sono rimaste dov'erano."),
            Misconception("metà scambiate", lambda W, n: np.roll(W.reshape(n, -1, W.shape[1]), W.shape[0] // n // 2, axis=1).reshape(W.shape), "Hai scambiato le due metà di ogni head: serve separare pari e dispari."),
        ),
        praise="Ogni head per conto suo: pari e poi dispari. È ciò che fa chi pubblica gli stessi pesi nei due formati.",
    ),
)
