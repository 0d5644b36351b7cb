"""Gli esercizi del capitolo 10, Llama 3.1."""

import math

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.exercises.valori import simplify

# 10.1

def _vectors(rng):
    cases = [(rng.normal(size=(T, D)) * 3 + 1, rng.normal(size=D), eps) for T, D, eps in ((2, 3, 0.5), (4, 2, 1e-3), (3, 5, 1e-5))]
    cases[1][0][2] = 0          # un vettore nullo: senza eps dà 0/0
    return cases


def rms_norm(x, g, eps):
    """x diviso per la radice della media dei quadrati, e scalato."""
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + eps) * g


def _divided(by):
    """x diviso per qualcos'altro, un numero per token, e scalato."""
    return lambda x, g, eps: x / by(x, eps) * g


def _mean(x):
    return x.mean(-1, keepdims=True)


def _length(x):
    return np.linalg.norm(x, axis=-1, keepdims=True)


# 10.2

def _feed_forwards(rng):
    return [(rng.normal(size=(T, D)), rng.normal(size=(F, D)), rng.normal(size=(D, F)), rng.normal(size=(F, D))) for T, D, F in ((1, 2, 3), (3, 2, 5), (5, 4, 6))]


def silu(z):
    """z per la sua sigmoide."""
    return z / (1 + np.exp(-z))


def _gated(gate=silu, join=np.multiply, swap=False):
    """La SwiGLU, con una cosa sostituita da una sbagliata."""
    def wrong(x, W1, W2, W3):
        W1, W3 = (W3, W1) if swap else (W1, W3)
        return join(gate(x @ W1.T), x @ W3.T) @ W2.T
    return wrong


swiglu = _gated()


def _gelu(z):
    return 0.5 * z * (1 + np.vectorize(math.erf)(z / np.sqrt(2)))


def _gelu_with_tanh(z):
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z ** 3)))


# 10.3

def _heads(rng):
    return [(rng.normal(size=(len(t), Dh)), np.array(t), theta) for t, Dh, theta in (([0, 1, 2], 4, 100.0), ([3, 9], 6, 10000.0), ([2, 7, 5, 6, 11], 8, 50.0))]


def rotated(x, posizioni, theta):
    """RoPE con la disposizione a metà."""
    return _turned()(x, posizioni, theta)


def _frequencies(p, Dh, theta):
    return theta ** (-2 * p / Dh)


def _split(x, layout):
    half = x.shape[1] // 2
    return (x[:, :half], x[:, half:]) if layout == "half" else (x[:, ::2], x[:, 1::2])


def _join(a, b, layout):
    if layout == "half":
        return np.concatenate([a, b], axis=1)
    return np.stack([a, b], axis=2).reshape(len(a), -1)


def _turned(frequency=_frequencies, place=lambda t: t, layout="half", out=None, new=lambda a, b, c, s: (a * c - b * s, b * c + a * s)):
    """RoPE, con una cosa sostituita da una sbagliata: frequenze, posizioni, coppie in ingresso e in uscita, rotazione."""
    def wrong(x, posizioni, theta):
        angles = place(posizioni)[:, None] * frequency(np.arange(x.shape[1] // 2), x.shape[1], theta)
        a, b = new(*_split(x, layout), np.cos(angles), np.sin(angles))
        return _join(a, b, out or layout)
    return wrong


def _mixed(turn, spread):
    """Le componenti si scambiano in una disposizione, e le frequenze si ripetono nell'altra."""
    def wrong(x, posizioni, theta):
        angles = posizioni[:, None] * _frequencies(np.arange(x.shape[1] // 2), x.shape[1], theta)
        angles = _join(angles, angles, spread)
        a, b = _split(x, turn)
        return x * np.cos(angles) + _join(-b, a, turn) * np.sin(angles)
    return wrong


def _added(x, posizioni, theta):
    angles = posizioni[:, None] * _frequencies(np.arange(x.shape[1] // 2), x.shape[1], theta)
    return x + _join(np.sin(angles), np.cos(angles), "pairs")


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
    return _counted()(d_model, n_heads, n_kv_heads, head_dim, d_ff)


def _counted(query=lambda D, H, K, h: D * H * h, keys=lambda D, H, K, h: 2 * D * K * h, output=lambda D, H, K, h: D * H * h, ffn=lambda D, F: 3 * D * F, norms=lambda D: 2 * D):
    """I parametri di un layer, con una parte contata male."""
    return lambda D, H, K, h, F: query(D, H, K, h) + keys(D, H, K, h) + output(D, H, K, h) + ffn(D, F) + norms(D)


def _full_keys(D, H, K, h):
    return 2 * D * H * h


def _square(D, H, K, h):
    return D * D


def _nothing(*sizes):
    return 0


# 10.6

_ROW = {"layer": 32, "larghezza": 4096, "FFN": 6144, "query head": 32, "head di key": 8, "larghezza di una head": 128, "vocabolario": 128000}


def _corrected(**cells):
    """La riga della tabella, con qualche voce cambiata; gli spazi dei nomi sono trattini bassi."""
    return lambda: _ROW | {name.replace("_", " "): value for name, value in cells.items()}


def _its_parameters(args, row):
    """Quanti parametri avrebbe la riga della risposta: dice quanto manca, non quale voce."""
    said = {simplify(name): float(value) for name, value in row.items()}
    L, D, F, H, K, h, V = (said[simplify(name)] for name in ("layer", "larghezza", "FFN", "query head", "head di key", "larghezza di una head", "vocabolario"))
    if any(size < 1000 and size % 1 for size in (F, V)):
        return "Un numero ha la virgola: in Python 14.336 è poco più di quattordici. Le migliaia si scrivono senza punto, o con 14_336."
    count = round(L * D * (2 * h * (H + K) + 3 * F + 2) + 2 * V * D + D)
    apart = count - 8_030_261_248
    if not apart:
        return None
    return (f"Con questa riga i parametri sarebbero {_thousands(count)}, {_thousands(abs(apart))} {'di troppo' if apart > 0 else 'in meno'}. "
            "Le voci da cambiare sono due; le altre cinque restano com'erano.")


def _thousands(n):
    return f"{n:,}".replace(",", ".")


def _only(**cells):
    """Le sole voci cambiate."""
    return lambda: cells


# 10.7

def _sizes(rng):
    return [(100, 2, 2, 3), (85, 3, 1, 2), (8_030_261_248, 32, 8, 128), (405_853_388_800, 126, 8, 128)]


def even_tokens(parametri, n_layers, n_kv_heads, head_dim):
    """I token con cui la cache occupa quanto i pesi."""
    return parametri / (2 * n_layers * n_kv_heads * head_dim)


# 10.8

def _steps(rng):
    return [(10, 1, 1, 3, 2), (30, 2, 3, 4, 5), (7_504_924_672, 32, 32, 128, 8192), (401_000_000_000, 126, 128, 128, 100)]


def token_flops(matrici, n_layers, n_heads, head_dim, visti):
    """I FLOP per scrivere un token con la cache piena."""
    return 2 * matrici + 4 * n_layers * n_heads * head_dim * visti


# 10.9

def _projections(rng):
    shapes = (3, 4, 2), (1, 6, 3), (4, 2, 2), (2, 8, 3)
    return [(np.arange(8.0)[:, None], 2), *((rng.normal(size=(heads * Dh, D)), heads) for heads, Dh, D in shapes)]


def converted(W, n_heads):
    """Le righe di ogni head, prima le pari e poi le dispari."""
    return _split_heads(W, n_heads).swapaxes(1, 2).reshape(W.shape)


def _split_heads(W, n_heads):
    """W con un asse per le head, uno per le coppie, uno per pari e dispari: (H, Dh/2, 2, D)."""
    return W.reshape(n_heads, -1, 2, W.shape[1])


def converti_male(W, n_heads):
    """La funzione di partenza, come nel capitolo."""
    coppie = W.reshape(-1, 2, W.shape[1])            # (righe / 2, 2, D)
    return coppie.swapaxes(0, 1).reshape(W.shape)


EXERCISES = (
    Exercise(
        id="10.1", title="RMSNorm", kind="scrivi", stars=1, minutes=4,
        statement="Scrivi la RMSNorm in NumPy. Ricevi x, shape (T, D), il guadagno g, shape (D,), ed eps. Ogni token, per conto suo, è diviso per la radice di (media dei quadrati delle sue componenti + eps), e poi moltiplicato per g. Restituisci la stessa shape di x.",
        reference=rms_norm, inputs=_vectors,
        misconceptions=(
            Misconception("media tolta", lambda x, g, eps: rms_norm(x - _mean(x), g, eps), "Hai tolto la media: è la LayerNorm. Nella RMSNorm la media resta."),
            Misconception("media tolta, eps fuori dalla radice", lambda x, g, eps: (x - _mean(x)) / (x.std(-1, keepdims=True) + eps) * g, "Hai tolto la media: è la LayerNorm. Nella RMSNorm la media resta. E l'eps va dentro la radice."),
            Misconception("media tolta, con la deviazione di torch", lambda x, g, eps: (x - _mean(x)) / (x.std(-1, keepdims=True, ddof=1) + eps) * g, "Hai tolto la media: è quasi la LayerNorm. Nella RMSNorm la media resta, e si divide per la radice di (media dei quadrati + eps)."),
            Misconception("media tolta, senza guadagno", lambda x, g, eps: rms_norm(x - _mean(x), 1.0, eps), "Hai tolto la media: è la LayerNorm. Nella RMSNorm la media resta. E manca il guadagno."),
            Misconception("media tolta solo sopra", lambda x, g, eps: (x - _mean(x)) / np.sqrt(_mean(x ** 2) + eps) * g, "Hai diviso per il numero giusto, ma da x hai tolto la media. Nella RMSNorm la media resta."),
            Misconception("deviazione standard", _divided(lambda x, eps: np.sqrt(x.var(-1, keepdims=True) + eps)), "Hai usato la varianza, che toglie la media: qui si fa la media dei quadrati così come sono."),
            Misconception("deviazione standard, eps fuori dalla radice", _divided(lambda x, eps: x.std(-1, keepdims=True) + eps), "Hai usato la deviazione standard, che toglie la media: qui si fa la media dei quadrati così come sono. E l'eps va dentro la radice."),
            Misconception("eps fuori dalla radice", _divided(lambda x, eps: np.sqrt(_mean(x ** 2)) + eps), "L'eps va dentro la radice, sommato alla media dei quadrati."),
            Misconception("senza eps", lambda x, g, eps: rms_norm(x, g, 0.0), "Manca eps: si somma alla media dei quadrati. Senza, un vettore nullo dà 0/0, cioè NaN."),
            Misconception("eps fisso", lambda x, g, eps: rms_norm(x, g, 1e-6), "L'eps non è quello ricevuto: è una costante, o compare solo quando il vettore è nullo. Usa l'argomento `eps`, sempre."),
            Misconception("somma invece di media", _divided(lambda x, eps: np.sqrt((x ** 2).sum(-1, keepdims=True) + eps)), "Hai usato la radice della somma dei quadrati, cioè la lunghezza del vettore, che così diventa lungo uno. Serve la media: senza il guadagno il vettore diventa lungo √D."),
            Misconception("lunghezza", _divided(lambda x, eps: _length(x)), "Hai usato la radice della somma dei quadrati, cioè la lunghezza del vettore, che così diventa lungo uno. Serve la media: senza il guadagno il vettore diventa lungo √D. E manca eps."),
            Misconception("lunghezza, eps fuori dalla radice", _divided(lambda x, eps: _length(x) + eps), "Hai usato la radice della somma dei quadrati, cioè la lunghezza del vettore, che così diventa lungo uno. Serve la media: senza il guadagno il vettore diventa lungo √D. E l'eps va dentro la radice."),
            Misconception("lunghezza divisa per D", _divided(lambda x, eps: _length(x) / x.shape[-1] + eps), "Hai diviso per D la lunghezza, che è già una radice: la media dei quadrati si fa dentro la radice. Fuori resterebbe √D. E l'eps va dentro."),
            Misconception("quadrato della media", _divided(lambda x, eps: np.sqrt(_mean(x) ** 2 + eps)), "Hai fatto il quadrato della media: serve la media dei quadrati. Prima i quadrati, poi la media."),
            Misconception("senza radice", _divided(lambda x, eps: _mean(x ** 2) + eps), "Hai diviso per la media dei quadrati: serve la sua radice."),
            Misconception("moltiplicato", lambda x, g, eps: x * np.sqrt(_mean(x ** 2) + eps) * g, "Hai moltiplicato per la radice: si divide, e così ogni vettore torna a una misura nota."),
            Misconception("guadagno dimenticato", lambda x, g, eps: rms_norm(x, 1.0, eps), "Manca il guadagno: ogni componente va moltiplicata per la sua voce di g."),
            Misconception("guadagno ed eps dimenticati", lambda x, g, eps: rms_norm(x, 1.0, 0.0), "La radice è giusta. Mancano eps, che si somma alla media dei quadrati, e il guadagno: ogni componente va moltiplicata per la sua voce di g."),
            Misconception("guadagno sommato", lambda x, g, eps: rms_norm(x, 1.0, eps) + g, "Il guadagno si moltiplica, non si somma."),
            Misconception("guadagno più uno", lambda x, g, eps: rms_norm(x, 1 + g, eps), "Hai moltiplicato per 1 + g: è ciò che fa Gemma. In Llama si moltiplica per g."),
            Misconception("guadagno prima della norma", lambda x, g, eps: rms_norm(x * g, 1.0, eps), "Hai moltiplicato per g prima di normalizzare: il guadagno viene dopo, e non entra nella media dei quadrati."),
            Misconception("guadagno diviso", lambda x, g, eps: rms_norm(x, 1 / g, eps), "Hai diviso anche per g: il guadagno si moltiplica. Controlla le parentesi."),
            Misconception("asse dei token", _divided(lambda x, eps: np.sqrt((x ** 2).mean(0, keepdims=True) + eps)), "La media è sull'asse dei token: ogni token va normalizzato per conto suo, sull'ultimo asse."),
            Misconception("tutta la tabella", _divided(lambda x, eps: np.sqrt((x ** 2).mean() + eps)), "La media è di tutta la tabella: serve `axis=-1` con `keepdims=True`, un numero per token."),
            Misconception("senza keepdims", _divided(lambda x, eps: np.sqrt((x ** 2).mean(-1) + eps)), "La media è una per token, ma in riga: shape (T,), che non si allinea con (T, D). Con `keepdims=True` resta una colonna, (T, 1)."),
        ),
        praise="Una media di quadrati e una radice. Prima del guadagno la direzione è quella di x, e la lunghezza è √D per tutti, a meno di eps.",
    ),
    Exercise(
        id="10.2", title="SwiGLU", kind="scrivi", stars=1, minutes=4,
        statement="Scrivi la SwiGLU in NumPy. Ricevi x, shape (T, D), W1, shape (F, D), W2, shape (D, F), e W3, shape (F, D), come le conserva `nn.Linear`. Restituisci W2 (silu(W1 x) · W3 x) per ogni token, con il prodotto componente per componente: shape (T, D).",
        reference=swiglu, inputs=_feed_forwards, atol=1e-5,
        misconceptions=(
            Misconception("porta scambiata", _gated(swap=True), "Hai passato per la silu la matrice sbagliata: la porta è W1, e W3 x resta com'è."),
            Misconception("sigmoide", _gated(lambda z: 1 / (1 + np.exp(-z))), "La porta è una sigmoide: la silu è z per la sigmoide di z."),
            Misconception("relu", _gated(lambda z: np.maximum(z, 0)), "La porta è una ReLU: qui è la silu, z / (1 + e^−z)."),
            Misconception("gelu", _gated(_gelu), "La porta è una GELU: con quella si chiama GeGLU, ed è di Gemma. Llama usa la silu."),
            Misconception("gelu con la tangente", _gated(_gelu_with_tanh), "La porta è una GELU: con quella si chiama GeGLU, ed è di Gemma. Llama usa la silu."),
            Misconception("tangente", _gated(np.tanh), "La porta è una tangente iperbolica: qui è la silu, z / (1 + e^−z)."),
            Misconception("senza attivazione", _gated(lambda z: z), "Manca la silu: hai moltiplicato W1 x e W3 x così come sono. Una porta molto negativa deve quasi chiudersi, e così invece passa, con il segno rovesciato."),
            Misconception("silu con il segno", _gated(lambda z: z / (1 + np.exp(z))), "Nella silu l'esponente ha il segno meno: z / (1 + e^−z)."),
            Misconception("silu senza parentesi", _gated(lambda z: z / 1 + np.exp(-z)), "Nella silu mancano le parentesi: `z / 1 + np.exp(-z)` divide solo per 1. Scrivi `z / (1 + np.exp(-z))`."),
            Misconception("silu al quadrato", _gated(lambda z: z * silu(z)), "Hai moltiplicato due volte per z: la silu è z / (1 + e^−z), una volta sola."),
            Misconception("W2 e W3 scambiate", lambda x, W1, W2, W3: (silu(x @ W1.T) * (x @ W2)) @ W3, "Hai scambiato W2 e W3: con i nomi di Meta le due che allargano sono W1 e W3, e W2 stringe. Lo dicono anche le shape: W2 è (D, F)."),
            Misconception("somma", _gated(join=np.add), "Hai sommato porta e resto: si moltiplicano, componente per componente."),
            Misconception("senza porta", lambda x, W1, W2, W3: silu(x @ W1.T) @ W2.T, "W3 non è stata usata: è la feed-forward a due matrici, senza porta. Qui le matrici sono tre."),
            Misconception("senza W1", lambda x, W1, W2, W3: silu(x @ W3.T) @ W2.T, "W1 non è stata usata: è la feed-forward a due matrici, senza porta. La porta è silu(W1 x), e moltiplica W3 x."),
            Misconception("attivazione dopo il prodotto", lambda x, W1, W2, W3: silu((x @ W1.T) * (x @ W3.T)) @ W2.T, "La silu è sul prodotto: va su W1 x, prima di moltiplicare."),
            Misconception("attivazione alla fine", lambda x, W1, W2, W3: silu((x @ W1.T) * (x @ W3.T) @ W2.T), "La silu è sull'uscita: va su W1 x, prima di moltiplicare. Dopo W2 non c'è più nulla."),
            Misconception("attivazione sull'ingresso", lambda x, W1, W2, W3: (silu(x) @ W1.T) * (x @ W3.T) @ W2.T, "La silu è su x: prima si moltiplica per W1, poi si passa per la silu."),
            Misconception("due attivazioni", lambda x, W1, W2, W3: (silu(x @ W1.T) * silu(x @ W3.T)) @ W2.T, "La silu è su tutte e due: W3 x resta com'è."),
            Misconception("non stretta", lambda x, W1, W2, W3: silu(x @ W1.T) * (x @ W3.T), "Manca W2: il prodotto è largo F, e va riportato alla larghezza del modello."),
            Misconception("una riga per componente", lambda x, W1, W2, W3: swiglu(x, W1, W2, W3).T, "L'uscita è trasposta: se hai scritto `W2 @ …` con i token in colonna, alla fine serve `.T`. Un token per riga, shape (T, D)."),
            Misconception("con la somma del residuo", lambda x, W1, W2, W3: x + swiglu(x, W1, W2, W3), "Alla fine hai sommato x. Quella somma è del blocco, non della feed-forward: qui si restituisce solo l'uscita."),
        ),
        praise="Una porta che dipende dal token decide quanto passa: due matrici per allargare, una per stringere.",
    ),
    Exercise(
        id="10.3", title="RoPE", kind="scrivi", stars=2, minutes=10,
        statement="Scrivi RoPE con la disposizione a metà. Ricevi x, shape (T, Dh), le posizioni, interi (T,), e theta. La coppia p è formata dalle componenti p e p + Dh/2, e gira dell'angolo posizione · theta^(−2p/Dh): (a, b) diventa (a cos − b sin, b cos + a sin). "
                  "Restituisci shape (T, Dh).",
        reference=rotated, inputs=_heads, atol=1e-5,
        misconceptions=(
            Misconception("coppie vicine", _turned(layout="pairs"), "Le coppie sono componenti vicine, 0 e 1, 2 e 3: è l'altra disposizione, quella dei pesi di Meta. Qui sono p e p + Dh/2."),
            Misconception("coppie vicine, poi le metà", _turned(layout="pairs", out="half"), "Hai letto coppie vicine, 0 e 1, e hai scritto due metà. Qui le coppie sono p e p + Dh/2, in ingresso e in uscita."),
            Misconception("le metà, poi alternate", _turned(out="pairs"), "I numeri sono giusti, il posto no: hai letto due metà e le hai riattaccate alternate. Si riattaccano una dopo l'altra, con `np.concatenate`."),
            Misconception("le metà, con le frequenze delle vicine", _mixed("half", "pairs"), "Le coppie sono giuste, le frequenze no: le hai ripetute come f0, f0, f1, f1, che va bene per le coppie vicine. Con le metà si ripetono come f0, f1, f0, f1: le due componenti di una coppia girano dello stesso angolo."),
            Misconception("le vicine, con le frequenze delle metà", _mixed("pairs", "half"), "Le frequenze sono disposte a metà, ma le componenti che si scambiano sono vicine, 0 e 1. Qui la coppia è formata da p e p + Dh/2."),
            Misconception("metà scambiate", _turned(new=lambda a, b, c, s: (b * c + a * s, a * c - b * s)), "I numeri sono giusti, ma le due metà sono scambiate: prima a cos − b sin, poi b cos + a sin."),
            Misconception("una metà sotto l'altra", lambda x, posizioni, theta: np.concatenate(_split(rotated(x, posizioni, theta), "half"), axis=0), "I numeri sono giusti, ma le due metà sono una sotto l'altra: si riattaccano sull'ultimo asse, con `axis=1`."),
            Misconception("verso rovesciato", _turned(new=lambda a, b, c, s: (a * c + b * s, b * c - a * s)), "Il verso è rovesciato: (a, b) diventa (a cos − b sin, b cos + a sin). I punteggi dipenderebbero ancora dalla sola distanza, ma sarebbero altri: i pesi pubblicati vogliono questo verso."),
            Misconception("senza meno", _turned(new=lambda a, b, c, s: (a * c + b * s, b * c + a * s)), "Manca un meno: così non è una rotazione, e le lunghezze cambiano. (a, b) diventa (a cos − b sin, b cos + a sin)."),
            Misconception("due meno", _turned(new=lambda a, b, c, s: (a * c - b * s, b * c - a * s)), "C'è un meno di troppo: così non è una rotazione, e le lunghezze cambiano. (a, b) diventa (a cos − b sin, b cos + a sin)."),
            Misconception("la stessa riga due volte", _turned(new=lambda a, b, c, s: (a * c - b * s, a * c + b * s)), "La prima metà è giusta. Nella seconda a e b sono scambiate: è b cos + a sin."),
            Misconception("coseno e seno scambiati", _turned(new=lambda a, b, c, s: (a * s - b * c, b * s + a * c)), "Coseno e seno sono scambiati: in posizione 0 il vettore deve restare com'è."),
            Misconception("senza scambiare", _turned(new=lambda a, b, c, s: (a * c + a * s, b * c + b * s)), "Ogni componente si mescola con sé stessa: il seno deve moltiplicare l'altra componente della coppia."),
            Misconception("solo la prima metà", _turned(new=lambda a, b, c, s: (a * c - b * s, b)), "La seconda metà è rimasta com'era: girano tutte e due le componenti della coppia."),
            Misconception("metà nuova con la vecchia", _turned(new=lambda a, b, c, s: (a * c - b * s, b * c + (a * c - b * s) * s)), "Per la seconda metà hai usato la prima già girata: servono i valori di partenza. Succede se scrivi il risultato in `a`."),
            Misconception("senza il due", _turned(lambda p, Dh, theta: theta ** (-p / Dh)), "Nell'esponente manca il 2: le coppie sono Dh/2, e l'ultima frequenza deve arrivare vicino a 1/theta."),
            Misconception("esponente doppio", _turned(lambda p, Dh, theta: theta ** (-4 * p / Dh)), "L'esponente è il doppio del giusto: hai diviso 2p per Dh/2. Si divide per Dh, oppure p per Dh/2."),
            Misconception("frequenze crescenti", _turned(lambda p, Dh, theta: theta ** (2 * p / Dh)), "Nell'esponente manca il meno: le frequenze devono calare."),
            Misconception("coppie contate da uno", _turned(lambda p, Dh, theta: theta ** (-2 * (p + 1) / Dh)), "Hai contato le coppie da uno: la prima è p = 0, e la sua frequenza è 1."),
            Misconception("senza parentesi nell'esponente", _turned(lambda p, Dh, theta: theta ** -2 * p / Dh), "Mancano le parentesi nell'esponente: `theta ** -2 * p / Dh` eleva a −2, e poi moltiplica. Scrivi `theta ** (-2 * p / Dh)`."),
            Misconception("una frequenza sola", _turned(lambda p, Dh, theta: np.ones(len(p))), "Tutte le coppie girano con la stessa velocità: ognuna ha la sua, theta^(−2p/Dh)."),
            Misconception("theta fisso", _turned(lambda p, Dh, theta: _frequencies(p, Dh, 10000.0)), "Hai scritto 10.000 al posto di theta: usa l'argomento. In Llama 3.1 vale 500.000."),
            Misconception("theta di Llama", _turned(lambda p, Dh, theta: _frequencies(p, Dh, 500000.0)), "Hai scritto 500.000, il valore di Llama 3.1: usa l'argomento theta."),
            Misconception("da uno", _turned(place=lambda t: t + 1), "Hai contato le posizioni da uno. I punteggi non cambiano, ma le query e le key sì: in posizione 0 il vettore non gira."),
            Misconception("ordine della riga", _turned(place=lambda t: np.arange(len(t))), "Hai usato il numero della riga al posto della posizione: con la cache il token che arriva è la prima riga, ma non è in posizione 0."),
            Misconception("posizioni da zero", _turned(place=lambda t: t - t[0]), "Hai contato le posizioni dalla prima che arriva. I punteggi fra questi token non cambiano, ma con le key già nella cache sì: si usano le posizioni ricevute."),
            Misconception("senza posizioni", _turned(place=lambda t: np.ones(len(t))), "Le posizioni non sono state usate: l'angolo è la posizione per la frequenza."),
            Misconception("gradi", _turned(place=np.deg2rad), "Hai convertito in radianti: l'angolo lo è già."),
            Misconception("sommata", _added, "Hai sommato seni e coseni al vettore: è il vettore di posizione del transformer del 2017. RoPE non somma nulla, ruota."),
        ),
        praise="Due prodotti e una somma (o una differenza) per componente, e nessun parametro da imparare.",
    ),
    Exercise(
        id="10.4", title="Spostare tutte le posizioni", kind="prevedi", stars=2, minutes=3,
        statement="Aggiungiamo 100 a tutte le posizioni di una frase, in una head con RoPE; la cache tiene le key già ruotate. Che cosa cambia? Restituisci un dizionario di True e False, con le chiavi \"query ruotate\", \"key nella cache\", \"value\", \"punteggi\", \"uscita\".",
        reference=_changes,
        misconceptions=(
            Misconception("cambia tutto", _answered(values=True, scores=True, output=True), "Cambiano query e key, ma girano dello stesso angolo: nel punteggio conta la loro distanza. E i value non si ruotano."),
            Misconception("non cambia nulla", _answered(queries=False, keys=False), "Le altre tre sono giuste. Ma le query e le key ruotate cambiano: ciascuna gira come se fosse cento posti più avanti."),
            Misconception("rovesciato", _answered(queries=False, keys=False, values=True, scores=True, output=True), "È il contrario: cambiano query e key ruotate, e non ciò che ne segue. I value poi non si ruotano."),
            Misconception("cambia solo ciò che segue", _answered(queries=False, keys=False, scores=True, output=True), "È quasi il contrario: query e key ruotate cambiano, perché girano secondo la posizione. I punteggi no, perché la distanza è la stessa."),
            Misconception("anche i value", _answered(values=True), "Il resto è giusto. I value non si ruotano: RoPE tocca solo query e key."),
            Misconception("i value, e quindi l'uscita", _answered(values=True, output=True), "I value non si ruotano: RoPE tocca solo query e key. Così l'uscita, che pesa quei value con gli stessi pesi, non cambia."),
            Misconception("i value e i punteggi", _answered(values=True, scores=True), "I value non si ruotano: RoPE tocca solo query e key. E nei punteggi resta la differenza fra le due posizioni, che non è cambiata."),
            Misconception("i punteggi", _answered(scores=True), "Il resto è giusto. Nei punteggi resta la differenza fra le due posizioni, e quella non è cambiata."),
            Misconception("i punteggi, e quindi l'uscita", _answered(scores=True, output=True), "Nei punteggi resta la differenza fra le due posizioni, e quella non è cambiata: lo stesso vale per i pesi e per l'uscita."),
            Misconception("solo l'uscita", _answered(output=True), "Il resto è giusto. L'uscita pesa gli stessi value con gli stessi pesi: non cambia."),
            Misconception("la cache no", _answered(keys=False), "Il resto è giusto. La cache tiene le key già ruotate: anche quelle cambiano."),
            Misconception("la cache no, e quindi i punteggi", _answered(keys=False, scores=True, output=True), "Se le key restassero dov'erano avresti ragione: i punteggi cambierebbero. Ma la cache tiene le key già ruotate, e anche quelle si spostano di cento: la distanza è la stessa."),
            Misconception("la cache no, e quindi solo i punteggi", _answered(keys=False, scores=True), "La cache tiene le key già ruotate, e anche quelle si spostano di cento: la distanza è la stessa, e con lei i punteggi."),
            Misconception("le query no", _answered(queries=False), "Il resto è giusto. Anche le query si ruotano secondo la loro posizione."),
            Misconception("la cache intera", _answered(queries=False, values=True), "Nella cache cambiano solo le key: i value non si ruotano. E le query, che nella cache non stanno, cambiano anche loro."),
            Misconception("la cache no, i value sì", _answered(keys=False, values=True), "RoPE ruota query e key, e non i value: la cache tiene le key già ruotate."),
        ),
        praise="Query e key girano insieme: nel prodotto scalare la parte comune sparisce. In memoria, però, le key sono altre: quelle già nella cache non si possono riusare così come sono in un altro posto.",
    ),
    Exercise(
        id="10.5", title="I parametri di un layer", kind="scrivi", stars=1, minutes=5,
        statement="Quanti parametri ha un layer di Llama? Ricevi d_model, n_heads, n_kv_heads, head_dim e d_ff. Conta le quattro proiezioni dell'attenzione, le tre matrici della SwiGLU e le due norme; nessun bias. Restituisci un intero.",
        reference=layer_parameters, inputs=_layers,
        misconceptions=(
            Misconception("due matrici", _counted(ffn=lambda D, F: 2 * D * F), "Nella feed-forward ne hai contate due: la SwiGLU ne ha tre."),
            Misconception("una matrice", _counted(ffn=lambda D, F: D * F), "Nella feed-forward ne hai contata una: la SwiGLU ne ha tre."),
            Misconception("key e value interi", _counted(keys=_full_keys), "Hai contato WK e WV larghe quanto WQ: le loro head sono n_kv_heads."),
            Misconception("due matrici, key e value interi", _counted(keys=_full_keys, ffn=lambda D, F: 2 * D * F), "Hai contato il transformer di una volta: la SwiGLU ha tre matrici, e WK e WV hanno solo n_kv_heads head."),
            Misconception("una sola norma", _counted(norms=lambda D: D), "Le norme di un layer sono due: una prima dell'attenzione, una prima della feed-forward."),
            Misconception("senza norme", _counted(norms=_nothing), "Mancano le norme: sono due, e ciascuna ha d_model numeri."),
            Misconception("due matrici, senza norme", _counted(ffn=lambda D, F: 2 * D * F, norms=_nothing), "Nella feed-forward hai contato due matrici: la SwiGLU ne ha tre. E mancano le norme, due, ciascuna con d_model numeri."),
            Misconception("key e value interi, senza norme", _counted(keys=_full_keys, norms=_nothing), "Hai contato WK e WV larghe quanto WQ: le loro head sono n_kv_heads. E mancano le norme, due, ciascuna con d_model numeri."),
            Misconception("tre norme", _counted(norms=lambda D: 3 * D), "Hai contato tre norme: l'ultima, prima dei logit, è del modello, non di un layer. In un layer sono due."),
            Misconception("norme con il bias", _counted(norms=lambda D: 4 * D), "Hai contato due vettori per norma, come nella LayerNorm. La RMSNorm ha solo il guadagno."),
            Misconception("un numero per norma", _counted(norms=lambda D: 2), "Il guadagno di una norma ha un numero per componente: d_model, non uno."),
            Misconception("con i bias", lambda D, H, K, h, F: layer_parameters(D, H, K, h, F) + (H + 2 * K) * h + D + 2 * F + D, "Hai contato anche i bias: in Llama non ce ne sono."),
            Misconception("senza WO", _counted(output=_nothing), "Manca WO, che riporta le head alla larghezza del modello."),
            Misconception("WO stretta", _counted(output=lambda D, H, K, h: D * K * h), "Hai contato WO larga quanto WK: riceve le uscite di tutte le query head, e quindi è grande quanto WQ."),
            Misconception("key e value una volta", _counted(keys=lambda D, H, K, h: D * K * h), "WK e WV sono due matrici: ne hai contata una."),
            Misconception("WQ e WO quadrate", _counted(query=_square, output=_square), "WQ e WO non sono sempre quadrate: da una parte hanno d_model, dall'altra n_heads · head_dim. Nell'8B coincidono, ma non è una legge."),
            Misconception("quadrati", lambda D, H, K, h, F: 4 * D * D + 3 * D * F + 2 * D, "Hai contato quattro matrici quadrate: WK e WV sono larghe n_kv_heads · head_dim, WQ n_heads · head_dim."),
            Misconception("quadrati, senza norme", lambda D, H, K, h, F: 4 * D * D + 3 * D * F, "Hai contato quattro matrici quadrate: WK e WV sono larghe n_kv_heads · head_dim, WQ n_heads · head_dim. E mancano le norme, due, ciascuna con d_model numeri."),
            Misconception("quadrati e due matrici", lambda D, H, K, h, F: 4 * D * D + 2 * D * F, "Hai contato il transformer di una volta. Qui WK e WV sono larghe n_kv_heads · head_dim, la SwiGLU ha tre matrici, e ci sono due norme, ciascuna con d_model numeri."),
            Misconception("head_dim da d_model", lambda D, H, K, h, F: layer_parameters(D, H, K, D // H, F), "Hai usato d_model / n_heads al posto di head_dim: spesso coincidono, ma non sempre."),
            Misconception("gruppi al posto delle head", lambda D, H, K, h, F: layer_parameters(D, H, H // K, h, F), "In WK e WV hai messo le query head di un gruppo, n_heads / n_kv_heads: le loro head sono n_kv_heads."),
            Misconception("tutte strette", _counted(query=lambda D, H, K, h: D * K * h, output=lambda D, H, K, h: D * K * h), "Hai contato tutte e quattro le proiezioni con n_kv_heads: vale per WK e WV. WQ e WO hanno n_heads head."),
            Misconception("una head", lambda D, H, K, h, F: layer_parameters(D, 1, 1, h, F), "Hai contato le proiezioni di una head sola: WQ e WO ne hanno n_heads, WK e WV n_kv_heads."),
            Misconception("solo attenzione", lambda D, H, K, h, F: 2 * D * (H + K) * h, "Manca la feed-forward, dove sta la maggior parte dei parametri, e mancano le norme."),
            Misconception("solo feed-forward", lambda D, H, K, h, F: 3 * D * F, "Manca l'attenzione, con le sue quattro proiezioni, e mancano le due norme."),
        ),
        praise="218.112.000 nell'8B. Trentadue volte, più gli embedding, i logit e la norma finale: 8.030.261.248, fino all'ultima cifra.",
    ),
    Exercise(
        id="10.6", title="Due voci sbagliate", kind="leggi la tabella", stars=1, minutes=4,
        statement="In questa tabella dell'8B due voci sono sbagliate: layer 32, larghezza 4096, FFN 6144, query head 32, head di key 8, larghezza di una head 128, vocabolario 128.000. Il modello pubblicato ha 8.030.261.248 parametri, embedding e logit separati. "
                  "Restituisci la riga intera, con le due voci corrette: un dizionario con le stesse chiavi di `riga`.",
        reference=_corrected(FFN=14336, vocabolario=128256), properties=(("i parametri", _its_parameters),),
        misconceptions=(
            Misconception("la tabella com'è", _corrected(), "È la riga di partenza, con le sue due voci sbagliate. Calcola quanti parametri avrebbe: quanti ne mancano?"),
            Misconception("solo le due voci", _only(FFN=14336, vocabolario=128256), "Le due voci sono giuste. Restituisci però la riga intera, con tutte e sette le chiavi: `riga | {…}` ne cambia due e tiene le altre."),
            Misconception("solo la FFN", _corrected(FFN=14336), "La FFN è giusta. Con quella soltanto si arriva a 8.028.164.096: mancano ancora 2.097.152 parametri, cioè 512 righe larghe 4096. C'è un'altra voce che non torna."),
            Misconception("solo il vocabolario", _corrected(vocabolario=128256), "Il vocabolario è giusto. Con quello soltanto i parametri sono 4,8 miliardi: ne mancano 3,2. C'è un'altra voce che non torna."),
            Misconception("FFN da quattro", _corrected(FFN=16384, vocabolario=128256), "Il vocabolario è giusto. Quattro volte la larghezza vale per una feed-forward a due matrici: qui sono tre."),
            Misconception("due terzi", _corrected(FFN=10922, vocabolario=128256), "Il vocabolario è giusto. Due terzi di 4 · 4096 è il punto di partenza: Llama allarga di 1,3 e arrotonda in su al multiplo di 1024."),
            Misconception("la FFN di Llama 2", _corrected(FFN=11008, vocabolario=128256), "Il vocabolario è giusto. 11.008 è la FFN di Llama 2 7B: i due terzi di 4 · 4096, arrotondati in su. Llama 3.1 prima allarga di 1,3."),
            Misconception("senza arrotondare", _corrected(FFN=14198, vocabolario=128256), "Il vocabolario è giusto. Hai moltiplicato per 1,3, ma Llama poi arrotonda in su al multiplo di 1024."),
            Misconception("arrotondata in giù", _corrected(FFN=13312, vocabolario=128256), "Il vocabolario è giusto. Hai arrotondato in giù: il multiplo di 1024 si prende in su."),
            Misconception("la FFN del 70B", _corrected(FFN=28672, vocabolario=128256), "Il vocabolario è giusto. 28.672 è la FFN del 70B."),
            Misconception("la FFN sbagliata del 70B", _corrected(FFN=12288, vocabolario=128256), "Il vocabolario è giusto. 12.288 è la FFN che la prima edizione dell'articolo stampava per il 70B: sbagliata anche quella."),
            Misconception("due matrici", _corrected(FFN=21504, vocabolario=128256), "Il vocabolario è giusto. Con due matrici, per avere gli stessi parametri, la FFN sarebbe questa: ma la SwiGLU ne ha tre."),
            Misconception("vocabolario di Llama 2", _corrected(FFN=14336, vocabolario=32000), "La FFN è giusta. 32.000 era il vocabolario di Llama 2. Qui ai 128.000 pezzi di parola si aggiungono i posti per i token speciali."),
            Misconception("due alla diciassettesima", _corrected(FFN=14336, vocabolario=131072), "La FFN è giusta. 131.072 è il contesto, cioè quanti token legge in fila. Il vocabolario conta i token diversi."),
            Misconception("una tabella sola", _corrected(FFN=14336, vocabolario=128512), "La FFN è giusta. I parametri che mancano sono 512 righe, ma le tabelle sono due, embedding e logit: a ciascuna ne tocca la metà."),
            Misconception("posti speciali", _corrected(FFN=14336, vocabolario=256), "La FFN è giusta. 256 sono i posti in più: la voce chiede quante righe ha la tabella in tutto."),
            Misconception("GQA", _corrected(FFN=14336, head_di_key=32), "La FFN è giusta. Le head di key sono davvero 8, che è la grouped-query attention: con 32 i parametri sarebbero 8,8 miliardi."),
            Misconception("GQA, non la FFN", _corrected(vocabolario=128256, head_di_key=32), "Il vocabolario è giusto. Le head di key sono davvero 8, che è la grouped-query attention. Con 32 i parametri sarebbero 5,6 miliardi, ancora pochi: dove ne sta la maggior parte?"),
        ),
        praise="La formula non perdona: con una voce sbagliata il conto dei parametri non torna.",
    ),
    Exercise(
        id="10.7", title="Cache e pesi alla pari", kind="scrivi", stars=2, minutes=6,
        statement="Con quanti token la KV cache di una sequenza occupa quanto i pesi? Ricevi il numero di parametri, n_layers, n_kv_heads e head_dim; due byte per numero, pesi e cache. Restituisci il numero di token, senza arrotondare.",
        reference=even_tokens, inputs=_sizes, rtol=1e-6,
        misconceptions=(
            Misconception("il doppio", lambda N, L, K, h: N / (L * K * h), "È il doppio del giusto. Un token aggiunge key e value, cioè 2 · n_kv_heads · head_dim numeri per layer. Se il 2 l'hai semplificato con i due byte dei pesi, guarda anche la cache: anche i suoi numeri hanno due byte."),
            Misconception("la metà", lambda N, L, K, h: N / (4 * L * K * h), "È la metà del giusto. I due byte per numero ci sono da tutte e due le parti, e si semplificano: così li hai contati solo nella cache."),
            Misconception("un layer", lambda N, L, K, h: N / (2 * K * h), "Hai contato la cache di un layer solo: ce n'è una per layer."),
            Misconception("una head", lambda N, L, K, h: N / (2 * L * h), "Hai contato una head di key sola: sono n_kv_heads."),
            Misconception("senza head_dim", lambda N, L, K, h: N / (2 * L * K), "Hai contato un numero per head: una key è larga head_dim."),
            Misconception("solo le head", lambda N, L, K, h: N / (2 * K), "Mancano i layer e la larghezza di una head: un token aggiunge 2 · n_kv_heads · head_dim numeri in ogni layer."),
            Misconception("un layer, il doppio", lambda N, L, K, h: N / (K * h), "Mancano due cose: la cache c'è in ogni layer, e tiene sia le key sia i value."),
            Misconception("rovesciato", lambda N, L, K, h: 2 * L * K * h / N, "Il rapporto è rovesciato: sono i parametri divisi per i numeri che aggiunge un token."),
            Misconception("quanto aggiunge un token", lambda N, L, K, h: 2 * L * K * h, "Questi sono i numeri che un token aggiunge alla cache. Quanti token servono per arrivare ai parametri?"),
            Misconception("i byte di un token", lambda N, L, K, h: 4 * L * K * h, "Questi sono i byte che un token aggiunge alla cache. Quanti token servono per arrivare ai byte dei pesi?"),
            Misconception("moltiplicato", lambda N, L, K, h: N * 2 * L * K * h, "Hai moltiplicato: i parametri si dividono per i numeri che aggiunge un token."),
            Misconception("senza parentesi", lambda N, L, K, h: N / 2 * L * K * h, "Manca una parentesi: in Python `a / b * c` divide solo per b. Scrivi `a / (b * c)`."),
            Misconception("la radice", lambda N, L, K, h: (N / (2 * L * K * h)) ** 0.5, "Hai fatto la radice: la cache cresce con i token, non con il loro quadrato. È la tabella dei punteggi che cresce così."),
            Misconception("arrotondato in giù", lambda N, L, K, h: N // (2 * L * K * h), "Il conto è giusto, ma hai arrotondato in giù: con `//` o `int` la parte dopo la virgola si perde. Qui il numero resta com'è."),
            Misconception("arrotondato", lambda N, L, K, h: round(N / (2 * L * K * h)), "Il conto è giusto, ma l'hai arrotondato: qui il numero resta com'è, anche con la virgola."),
            Misconception("arrotondato in su", lambda N, L, K, h: math.ceil(N / (2 * L * K * h)), "Il conto è giusto, ma l'hai arrotondato in su: qui il numero resta com'è, anche con la virgola."),
        ),
        praise="Nell'8B sono circa 122.500: con il contesto pieno, 131.072, la cache di una conversazione occupa più dei pesi.",
    ),
    Exercise(
        id="10.8", title="I FLOP di un token", kind="scrivi", stars=2, minutes=6,
        statement="Quanti FLOP costa scrivere un token, con la cache piena? Ricevi `matrici`, quanti numeri ci sono in tutto nelle matrici per cui il token si moltiplica, poi n_layers, n_heads, head_dim e `visti`, quanti token guarda la query, compreso sé stesso. "
                  "Conta anche i due prodotti dell'attenzione, in ogni layer. Restituisci un intero.",
        reference=token_flops, inputs=_steps,
        misconceptions=(
            Misconception("un FLOP per numero", lambda M, L, H, h, T: M + 4 * L * H * h * T, "Per ogni numero di una matrice si fanno un prodotto e una somma: due FLOP. Nell'attenzione li hai contati, nelle matrici no."),
            Misconception("moltiplicazioni e basta", lambda M, L, H, h, T: M + 2 * L * H * h * T, "È la metà del giusto: hai contato i prodotti, o le coppie prodotto e somma come una cosa sola. Un FLOP è un prodotto o una somma."),
            Misconception("solo i punteggi", lambda M, L, H, h, T: 2 * M + 2 * L * H * h * T, "Dell'attenzione hai contato un prodotto solo, la query con le key. Ce n'è un altro, altrettanto grande: i pesi con i value."),
            Misconception("una moltiplicazione nell'attenzione", lambda M, L, H, h, T: 2 * M + L * H * h * T, "Nell'attenzione i prodotti sono due, con le key e con i value, e ciascuno costa due FLOP per componente: in tutto 4."),
            Misconception("senza attenzione", lambda M, L, H, h, T: 2 * M, "Mancano i due prodotti dell'attenzione, con le key e con i value dei token visti."),
            Misconception("senza matrici", lambda M, L, H, h, T: 4 * L * H * h * T, "C'è l'attenzione, mancano le matrici: due FLOP per ogni loro numero."),
            Misconception("un layer", lambda M, L, H, h, T: 2 * M + 4 * H * h * T, "Hai contato l'attenzione di un layer solo: `matrici` le conta già tutte, l'attenzione si ripete in ogni layer."),
            Misconception("le matrici in ogni layer", lambda M, L, H, h, T: L * (2 * M + 4 * H * h * T), "Hai moltiplicato per i layer anche le matrici: `matrici` le conta già tutte insieme."),
            Misconception("una head", lambda M, L, H, h, T: 2 * M + 4 * L * h * T, "Hai contato una query head sola: ogni head fa i suoi due prodotti."),
            Misconception("senza head_dim", lambda M, L, H, h, T: 2 * M + 4 * L * H * T, "Un prodotto scalare fra due vettori larghi head_dim costa 2 · head_dim FLOP, non 2."),
            Misconception("visti al quadrato", lambda M, L, H, h, T: 2 * M + 4 * L * H * h * T * T, "Il token è uno, e la query una per head: le coppie sono `visti`, non il loro quadrato. Il quadrato viene leggendo tutta la sequenza."),
            Misconception("la metà delle coppie", lambda M, L, H, h, T: 2 * M + 2 * L * H * h * (T + 1), "Hai preso la media delle coppie su tutta la sequenza. Questo token è l'ultimo, e li vede tutti."),
            Misconception("tutta la sequenza", lambda M, L, H, h, T: T * (2 * M + 4 * L * H * h * T), "Hai contato un'intera sequenza: con la cache il token nuovo è uno solo."),
            Misconception("matrici per ogni token visto", lambda M, L, H, h, T: T * (2 * M + 4 * L * H * h), "Hai rifatto i prodotti con le matrici per ogni token visto: la cache serve a questo, a non rifarli."),
            Misconception("un token visto", lambda M, L, H, h, T: 2 * M + 4 * L * H * h, "Hai contato un token visto solo: i due prodotti si ripetono per ognuno di quelli che la query guarda."),
            Misconception("somme contate una per una", lambda M, L, H, h, T: 2 * M + (2 * h - 1) * 2 * L * H * T, "Un prodotto scalare fra vettori larghi h fa h prodotti e h − 1 somme: per convenzione se ne contano 2h, come per le matrici."),
            Misconception("solo matrici, un FLOP", lambda M, L, H, h, T: M, "Hai contato un FLOP per numero delle matrici: sono due, un prodotto e una somma. E manca l'attenzione."),
            Misconception("matrici in ogni layer, senza attenzione", lambda M, L, H, h, T: 2 * M * L, "`matrici` le conta già tutte insieme: non si moltiplica per i layer. E manca l'attenzione."),
            Misconception("il triangolo", lambda M, L, H, h, T: 2 * M + 4 * L * H * h * (T * (T + 1) // 2), "Hai contato le coppie di tutta la sequenza: questo token è uno, e ne guarda `visti`."),
            Misconception("senza sé stesso", lambda M, L, H, h, T: 2 * M + 4 * L * H * h * (T - 1), "`visti` comprende già il token stesso: non va tolto."),
            Misconception("sé stesso due volte", lambda M, L, H, h, T: 2 * M + 4 * L * H * h * (T + 1), "`visti` comprende già il token stesso: non va aggiunto."),
            Misconception("addestramento", lambda M, L, H, h, T: 3 * (2 * M + 4 * L * H * h * T), "È tre volte il giusto: così si conta un passo di addestramento, con i gradienti. Qui il modello scrive e basta."),
            Misconception("sei per parametro", lambda M, L, H, h, T: 6 * M, "Sei FLOP per parametro è la regola dell'addestramento, e trascura l'attenzione. Qui il modello scrive: due per numero, più l'attenzione."),
        ),
        praise="Le matrici costano sempre uguale, l'attenzione cresce con ciò che si è già letto. Nell'8B si pareggiano con circa 28.600 token.",
    ),
    Exercise(
        id="10.9", title="Convertire i pesi", kind="trova il bug", stars=3, minutes=8,
        statement="`converti_male` riceve W, shape (n_heads · Dh, D), e n_heads. Dovrebbe riordinare le righe di ogni head, prima le componenti pari e poi le dispari; con più head sbaglia. Scrivi `converti_bene`: la stessa shape.",
        reference=converted, inputs=_projections,
        misconceptions=(
            Misconception("la funzione di partenza", converti_male, "È ancora la funzione di partenza: tutte le componenti pari di tutte le head, poi tutte le dispari. Le head si sono mescolate."),
            Misconception("il contrario", lambda W, n: W.reshape(n, 2, -1, W.shape[1]).swapaxes(1, 2).reshape(W.shape), "È la conversione nell'altro verso, dalle metà alle coppie vicine."),
            Misconception("il contrario, senza head", lambda W, n: W.reshape(2, -1, W.shape[1]).swapaxes(0, 1).reshape(W.shape), "È la conversione nell'altro verso, dalle metà alle coppie vicine. E manca ancora l'asse delle head."),
            Misconception("dispari prima", lambda W, n: _split_heads(W, n)[:, :, ::-1].swapaxes(1, 2).reshape(W.shape), "Hai messo prima le dispari: prima vengono le pari."),
            Misconception("nessun riordino", lambda W, n: W.copy(), "Le righe sono rimaste dov'erano. Se hai aggiunto l'asse delle head e basta, manca lo scambio: l'asse delle coppie con quello, lungo due, di pari e dispari."),
            Misconception("metà scambiate", lambda W, n: np.roll(W.reshape(n, -1, W.shape[1]), W.shape[0] // n // 2, axis=1).reshape(W.shape), "Hai scambiato le due metà di ogni head: serve separare pari e dispari."),
            Misconception("gli assi di prima", lambda W, n: _split_heads(W, n).swapaxes(0, 1).reshape(W.shape), "L'asse delle head c'è, ma adesso è il primo: `swapaxes(0, 1)` scambia head e coppie. Gli assi da scambiare sono diventati 1 e 2."),
            Misconception("head con pari e dispari", lambda W, n: _split_heads(W, n).swapaxes(0, 2).reshape(W.shape), "Hai scambiato l'asse delle head con quello di pari e dispari: le head devono restare il primo asse."),
            Misconception("coppie con le colonne", lambda W, n: _split_heads(W, n).swapaxes(2, 3).reshape(W.shape), "Hai scambiato pari e dispari con le colonne di W: gli assi da scambiare sono 1 e 2, le coppie con pari e dispari."),
            Misconception("senza le colonne", lambda W, n: W.reshape(n, -1, 2).swapaxes(1, 2).reshape(W.shape), "Manca l'asse delle colonne: con più di una, `reshape(n_heads, -1, 2)` taglia le righe a pezzi. Serve `reshape(n_heads, -1, 2, W.shape[1])`."),
            Misconception("asse delle head al secondo posto", lambda W, n: W.reshape(-1, n, 2, W.shape[1]).swapaxes(1, 2).reshape(W.shape), "L'asse delle head è il secondo: così Python legge come head diverse le coppie vicine. Le righe di una head sono tutte di seguito, e il suo asse va per primo."),
            Misconception("righe di una head a salti", lambda W, n: np.concatenate([np.concatenate([W[h::n][::2], W[h::n][1::2]]) for h in range(n)]), "Per ogni head hai preso una riga ogni n_heads. Le righe di una head sono di seguito: da h · Dh a (h + 1) · Dh, escluso."),
            Misconception("una riga per head", lambda W, n: W.reshape(-1, n, W.shape[1]).swapaxes(0, 1).reshape(W.shape), "Hai dato le righe alle head a giro, una per ciascuna. Ma le righe di una head sono già di seguito: dentro ogni head si separano le pari dalle dispari."),
            Misconception("solo la prima head", lambda W, n: np.concatenate([converted(W[:len(W) // n], 1), W[len(W) // n:]]), "La prima head è giusta, le altre sono rimaste com'erano: serve lo stesso riordino in ognuna."),
            Misconception("head al rovescio", lambda W, n: converted(W, n).reshape(n, -1, W.shape[1])[::-1].reshape(W.shape), "Dentro ogni head è giusto, ma le head sono in ordine inverso."),
            Misconception("rovesciate", lambda W, n: W.reshape(n, -1, W.shape[1])[:, ::-1].reshape(W.shape), "Hai rovesciato le righe di ogni head: serve separare pari e dispari, nel loro ordine."),
            Misconception("assi non riuniti", lambda W, n: _split_heads(W, n).swapaxes(1, 2), "Le righe sono giuste, ma gli assi sono rimasti quattro: alla fine serve `.reshape(W.shape)`."),
            Misconception("head non riunite", lambda W, n: converted(W, n).reshape(n, -1, W.shape[1]), "Le righe sono giuste, ma le head sono rimaste separate, in un asse loro: alla fine serve `.reshape(W.shape)`."),
            Misconception("solo le pari", lambda W, n: _split_heads(W, n)[:, :, 0].reshape(-1, W.shape[1]), "Ci sono solo le componenti pari: dopo, in ogni head, vengono le dispari."),
        ),
        praise="Ogni head per conto suo: pari e poi dispari. È ciò che fa chi pubblica gli stessi pesi nei due formati; per WK le head sono n_kv_heads.",
    ),
)
