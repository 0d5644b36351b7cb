"""Gli esercizi del capitolo 9, Ring attention."""

import math
from functools import reduce
from itertools import product

import numpy as np

from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.masks import causal
from attnkit.reference import attention, softmax

HIDDEN = -np.inf


def _all_pairs(build, left, right):
    """Gli errori che si possono fare in due punti diversi: uno, l'altro, tutti e due insieme.

    `left` e `right` sono terne (nome, che cosa si fa, spiegazione); la prima di ogni lista è quella giusta, e la
    sua spiegazione si legge quando l'errore è soltanto dall'altra parte.
    """
    mistakes = []
    for one in left:
        for other in right:
            wrong = [part for part, table in ((one, left), (other, right)) if part is not table[0]]
            if wrong:
                name, said = ", ".join(part[0] for part in wrong), filter(None, (one[2], other[2]))
                mistakes.append(Misconception(name, build(one[1], other[1]), " ".join(said)))
    return tuple(mistakes)


# 9.1

def _pairs(rng):
    """Due gruppi di key per le stesse query: log-sum-exp piccoli e grandi, e righe in cui un gruppo è vuoto."""
    cases = []
    for T, Dv, shift in ((2, 3, 0.0), (4, 3, 3.0), (3, 4, 900.0)):
        a, b = rng.normal(size=(2, T, Dv))
        la, lb = rng.normal(size=T) + shift, rng.normal(size=T) + shift + 1
        b[-1], lb[-1] = 0.0, HIDDEN
        if T > 2:
            a[0], la[0] = 0.0, HIDDEN
        cases.append((a, la, b, lb))
    return cases


def merged(uscita_a, lse_a, uscita_b, lse_b):
    """L'attenzione su due gruppi di key, dalle loro uscite e dai loro log-sum-exp."""
    lse = np.logaddexp(lse_a, lse_b)
    return np.exp(lse_a - lse)[:, None] * uscita_a + np.exp(lse_b - lse)[:, None] * uscita_b, lse


def _merge(weights, lse=np.logaddexp):
    """La stessa unione, con i pesi o il log-sum-exp sbagliati."""
    def wrong(a, la, b, lb):
        wa, wb = weights(la, lb)
        return wa[:, None] * a + wb[:, None] * b, lse(la, lb)
    return wrong


def _weights_from(lse):
    return lambda la, lb: (np.exp(la - lse(la, lb)), np.exp(lb - lse(la, lb)))


_right_weights = _weights_from(np.logaddexp)


def _half(la, lb):
    return np.full_like(la, 0.5), np.full_like(lb, 0.5)


def _over_total(part):
    """I pesi come frazioni della loro somma."""
    return lambda la, lb: (part(la) / (part(la) + part(lb)), part(lb) / (part(la) + part(lb)))


def _normalised(logarithms):
    return np.exp(logarithms) / np.exp(logarithms).sum()


def _log_of_sum(la, lb):
    return np.log(np.exp(la) + np.exp(lb))


def _from_first(la, lb):
    return la + np.log1p(np.exp(lb - la))


def _number_by_number(a, la, b, lb):
    """Con `math.exp`, che in overflow si ferma invece di dare infinito."""
    for one, other in zip(la, lb, strict=True):
        math.exp(one), math.exp(other)
    return merged(a, la, b, lb)


_WEIGHTS = (
    ("", _right_weights, "L'uscita è giusta."),
    ("la media", _half, "Hai fatto la media delle due uscite. Un gruppo con punteggi più alti deve contare di più: quanto, lo dicono i due log-sum-exp."),
    ("la somma", lambda la, lb: (np.ones_like(la), np.ones_like(lb)), "Hai sommato le due uscite: ciascuna è già una media, con pesi che sommano a uno. Insieme i pesi sommano a due."),
    ("pesati con i logaritmi", _over_total(lambda l: l), "Hai pesato le uscite con i log-sum-exp. Sono logaritmi: prima si torna agli esponenziali."),
    ("overflow nei pesi", _over_total(np.exp), "Con log-sum-exp piccoli i pesi sono giusti. Con 900 l'esponenziale va in overflow, e ∞ diviso ∞ è NaN: prima si toglie il massimo, o il nuovo lse."),
    ("esponenziali e basta", lambda la, lb: (np.exp(la), np.exp(lb)), "Hai pesato con gli esponenziali, senza dividere per la loro somma: i due pesi devono sommare a uno. E con 900 vanno in overflow: prima si toglie il nuovo lse."),
    ("non diviso", _weights_from(np.maximum), "Hai tolto il massimo, e fin lì va bene. Manca la divisione: i due pesi devono sommare a uno."),
    ("chi ha il lse più grande", lambda la, lb: ((la >= lb).astype(float), (la < lb).astype(float)), "Hai scelto il gruppo con il log-sum-exp più grande. L'altro conta meno, ma conta."),
)

_OTHER_WEIGHTS = (
    ("scambiati", lambda la, lb: _right_weights(la, lb)[::-1], "I due pesi sono scambiati: ogni uscita ha quello dell'altra. Se usi una sigmoide, guarda il segno della differenza."),
    ("la prima non riscalata", lambda la, lb: (np.ones_like(la), _right_weights(la, lb)[1]), "La prima uscita è entrata com'era: anche il suo peso cala, quando arrivano altre key."),
    ("la seconda non riscalata", lambda la, lb: (_right_weights(la, lb)[0], np.ones_like(lb)), "La seconda uscita è entrata com'era. È una media delle sue key soltanto: anche lei va moltiplicata per il suo peso."),
    ("softmax sull'asse dei token", lambda la, lb: softmax(np.stack([la, lb])), "La softmax è sull'asse sbagliato: così sommano a uno i pesi di un gruppo, token per token. Devono sommare a uno i due pesi di ogni token: se hai fatto `np.stack`, l'asse dei gruppi è 0."),
    ("una somma sola", lambda la, lb: _normalised(np.stack([la, lb]) - np.maximum(la, lb)), "A sommare a uno sono i pesi di tutti i token insieme: la somma dev'essere dei due gruppi soltanto, token per token. Se hai fatto `np.stack`, è `sum(0)`."),
    ("una softmax sola", lambda la, lb: _normalised(np.stack([la, lb]) - np.logaddexp(la, lb).max()), "Hai fatto una softmax sola, di tutti i log-sum-exp di tutti i token: ne serve una per token, dei suoi due."),
    ("lo stesso peso", lambda la, lb: (_right_weights(la, lb)[0],) * 2, "Le due uscite hanno lo stesso peso, quello della prima: la seconda ha il suo, e insieme sommano a uno."),
    ("esponente rovesciato", lambda la, lb: tuple(1 / w for w in _right_weights(la, lb)), "La differenza è rovesciata: il nuovo lse è più grande dei due, e i pesi devono essere minori di uno. Serve e^(lse del gruppo − nuovo lse)."),
    ("senza esponenziale", lambda la, lb: (la - np.logaddexp(la, lb), lb - np.logaddexp(la, lb)), "Hai pesato con le differenze, che sono logaritmi: manca l'esponenziale."),
    ("divisi per il lse", lambda la, lb: (la / np.logaddexp(la, lb), lb / np.logaddexp(la, lb)), "Hai diviso un log-sum-exp per l'altro. Sono logaritmi: dividere gli esponenziali vuol dire sottrarre i logaritmi, e poi fare l'esponenziale."),
)

_LSE = (
    ("", np.logaddexp, "Il nuovo lse è giusto."),
    ("il massimo al posto del lse", np.maximum, "Il nuovo lse non è il più grande dei due: manca il contributo dell'altro. Serve log(e^a + e^b)."),
    ("la somma dei lse", np.add, "Il nuovo lse non è la somma dei due: la somma dei logaritmi è il logaritmo di un prodotto. Serve log(e^a + e^b)."),
    ("la media dei lse", lambda la, lb: (la + lb) / 2, "Il nuovo lse non è la media dei due: con più key la somma degli esponenziali cresce. Serve log(e^a + e^b)."),
    ("overflow nel lse", _log_of_sum, "Il nuovo lse con 900 diventa ∞, perché gli esponenziali vanno in overflow: prima si toglie il massimo, e poi si rimette. Lo fa `np.logaddexp`."),
    ("il massimo non rimesso", lambda la, lb: np.logaddexp(la, lb) - np.maximum(la, lb), "Nel nuovo lse hai tolto il massimo e non l'hai rimesso: dopo il logaritmo va sommato di nuovo."),
    ("la somma degli esponenziali", lambda la, lb: np.exp(la) + np.exp(lb), "Al posto del nuovo lse c'è la somma degli esponenziali: manca il logaritmo. E con 900 va in overflow: lo evita `np.logaddexp`."),
    ("il lse a partire dal primo", _from_first, "Dove il primo gruppo è vuoto il nuovo lse è NaN, perché −∞ + ∞ non è definito. Togli il massimo dei due, non sempre lo stesso: lo fa `np.logaddexp`."),
    ("il lse a partire dal secondo", lambda la, lb: _from_first(lb, la), "Dove il secondo gruppo è vuoto il nuovo lse è NaN, perché −∞ + ∞ non è definito. Togli il massimo dei due, non sempre lo stesso: lo fa `np.logaddexp`."),
)

_BOTH_FROM = (
    ("la formula alla lettera", _log_of_sum, "La formula è quella giusta, ma scritta alla lettera. Con 900 gli esponenziali vanno in overflow: il nuovo lse diventa ∞, e i due pesi zero. `np.logaddexp` fa lo stesso conto togliendo prima il massimo."),
    ("pesi dalla somma dei lse", np.add, "Il nuovo lse non è la somma dei due: la somma dei logaritmi è il logaritmo di un prodotto. Serve log(e^a + e^b), e da lì vengono anche i pesi."),
    ("il logaritmo della somma dei lse", lambda la, lb: np.log(la + lb), "Hai fatto il logaritmo della somma dei due log-sum-exp: prima di sommare si torna agli esponenziali. Serve log(e^a + e^b)."),
    ("tutto in base due", np.logaddexp2, "`np.logaddexp2` lavora con le potenze di 2, e i pesi con quelle di e: così non sommano a uno. Serve `np.logaddexp`."),
    ("tutto a partire dal primo", _from_first, "Dove il primo gruppo è vuoto viene NaN: il suo lse è −∞, e −∞ + ∞ non è definito. Togli il massimo dei due, non sempre lo stesso: lo fa `np.logaddexp`."),
    ("tutto a partire dal secondo", lambda la, lb: _from_first(lb, la), "Dove il secondo gruppo è vuoto viene NaN: il suo lse è −∞, e −∞ + ∞ non è definito. Togli il massimo dei due, non sempre lo stesso: lo fa `np.logaddexp`."),
)

_NO_AXIS = (
    ("pesi senza asse", lambda a, la, b, lb: np.exp(la - np.logaddexp(la, lb)) * a),
    ("pesi senza asse, a destra", lambda a, la, b, lb: a * np.exp(la - np.logaddexp(la, lb))),
)


# 9.2

def _blocks(rng):
    """Qualche sequenza qualunque, e due in cui i punteggi sono così grandi che il massimo conta davvero."""
    cases = [(*_sequence(rng, T, Dk, Dv), block) for T, Dk, Dv, block in ((5, 2, 3, 2), (7, 3, 2, 3), (6, 4, 2, 3))]
    for before, after in ((900, 900), (-400, 400)):
        Q, K, V = _sequence(rng, 5, 2, 3)
        Q[:, 0] = np.sqrt(2) * np.array([1, -1, 1, -1, -1])     # righe con punteggi alti e righe con punteggi bassi
        K[:2, 0], K[2:, 0] = before, after
        cases.append((Q, K, V, 2))
    return cases


def _sequence(rng, T, Dk, Dv):
    return rng.normal(size=(T, Dk)), rng.normal(size=(T, Dk)), rng.normal(size=(T, Dv))


def causal_blocks(Q, K, V, blocco):
    """L'attenzione causale; con i blocchi o senza, il risultato è lo stesso."""
    return attention(Q, K, V, mask=causal(len(Q)))[0]


def _all_blocks(start, T, block):
    return range(0, T, block)


def _past_blocks(start, T, block):
    return range(0, start + 1, block)


def _running(best, scores):
    return np.maximum(best, scores.max(1, keepdims=True))


def _blockwise(visible=lambda i, j, block: j <= i, blocks=_past_blocks, hidden=HIDDEN, scale=lambda Q, V, block: np.sqrt(Q.shape[1]), highest=_running,
               shrink=lambda c: (c, c), counted=lambda scores, raw: scores, values=lambda i, j: j, each=lambda total, weight: total, finish=np.divide):
    """La softmax in una passata come la si scrive di solito, con una cosa sostituita da una sbagliata."""
    def wrong(Q, K, V, block):
        T, out = len(Q), []
        for start in range(0, T, block):
            i = np.arange(start, min(start + block, T))
            best, weight, total = np.full((len(i), 1), HIDDEN), np.zeros((len(i), 1)), np.zeros((len(i), V.shape[1]))
            for first in blocks(start, T, block):
                j = np.arange(first, min(first + block, T))
                raw = Q[i] @ K[j].T / scale(Q, V, block)
                scores = np.where(visible(i[:, None], j, block), raw, hidden)
                now = highest(best, scores)
                old_weight, old_total = shrink(np.exp(best - now))
                weight = old_weight * weight + np.exp(counted(scores, raw) - now).sum(1, keepdims=True)
                total = each(old_total * total + np.exp(scores - now) @ V[values(i, j)], weight)
                best = now
            out.append(finish(total, weight))
        return np.concatenate(out)
    return wrong


def _parts(combine, end=lambda i, T: i + 1):
    """Ogni blocco con la sua softmax e il suo log-sum-exp, e poi tutti insieme."""
    def wrong(Q, K, V, block):
        rows = []
        for i, q in enumerate(Q):
            parts = []
            for first in range(0, end(i, len(Q)), block):
                seen = slice(first, min(first + block, end(i, len(Q))))
                scores = K[seen] @ q / np.sqrt(len(q))
                parts.append((softmax(scores)[None] @ V[seen], np.logaddexp.reduce(scores, keepdims=True)))
            rows.append(combine(parts))
        return np.concatenate(rows)
    return wrong


def _mean(parts):
    return np.mean([out for out, _ in parts], axis=0)


def _united(weights, lse):
    return _parts(lambda parts: reduce(lambda one, other: _merge(weights, lse)(*one, *other), parts)[0])


def _local(i, j, block):
    return j % block <= i % block


def _cut(rest):
    """Le righe dell'ultimo blocco, se è più corto degli altri, perse o fatte di zeri."""
    def wrong(Q, K, V, block):
        out, whole = causal_blocks(Q, K, V, block), len(Q) // block * block
        return np.concatenate([out[:whole], rest(out[whole:])])
    return wrong


def _whole_triangle(stop):
    """Un triangolo (blocco, blocco) anche dove il blocco è più corto: là `stop` solleva l'errore che si vede."""
    def wrong(Q, K, V, block):
        rest = V[len(Q) // block * block:]
        return stop(block, rest) if len(rest) else causal_blocks(Q, K, V, block)
    return wrong


def _reversed_masks():
    """La maschera rovesciata: con tutti i blocchi o solo i passati, con −∞ o con un numero grande."""
    rules = ("rovesciata", lambda i, j, block: j >= i, "ogni query vede sé stessa e ciò che viene dopo"), ("al complemento", lambda i, j, block: j > i, "ogni query vede solo ciò che viene dopo")
    ranges = ("", _all_blocks), (" sui blocchi passati", _past_blocks)
    values = (", NaN", HIDDEN, " I NaN vengono da qui: un blocco passato resta tutto nascosto, e −∞ meno −∞ non è un numero."), ("", -1e9, "")
    for (rule, visible, sees), (where, blocks), (ending, hidden, nan) in product(rules, ranges, values):
        yield Misconception(f"la maschera {rule}{where}{ending}", _blockwise(visible, blocks, hidden), f"La maschera è rovesciata: {sees}. Si vede il passato, `j <= i`; si nasconde `j > i`.{nan}")


# 9.3

def _rings(rng):
    return [(3,), (4,), (6,)]


def _ring(rule, steps=lambda P: P):
    return lambda P: [[rule(r, n, P) for r in range(P)] for n in range(steps(P))]


def _holder(r, n, P):
    return (r - n) % P


def holders(P):
    """Di chi sono le key e i value che ogni dispositivo ha in mano, passo per passo."""
    return _ring(_holder)(P)


# 9.4

def _speeds(rng):
    """Prima la formula del capitolo, poi i gruppi, poi la maschera, poi tutti e due."""
    return [(100e12, 50e9, 8, 8, False), (312e12, 300e9, 32, 8, False), (100e12, 50e9, 8, 8, True), (200e12, 25e9, 64, 4, True)]


def smallest_block(flops, banda, n_heads, n_kv_heads, causale):
    """I token per dispositivo oltre i quali la spedizione si nasconde dietro i conti."""
    return flops / banda * n_kv_heads / n_heads * (2 if causale else 1)


def _tokens(groups, mask):
    return lambda f, b, h, kv, c: f / b * groups(h, kv) * mask(c)


def _times(factor):
    return lambda *args: factor * smallest_block(*args)


_GROUPS = (
    ("", lambda h, kv: kv / h, ""),
    ("gruppi rovesciati", lambda h, kv: h / kv, "Con meno head di key si spedisce di meno, e basta un blocco più piccolo: il rapporto è n_kv_heads / n_heads."),
    ("gruppi dimenticati", lambda h, kv: 1, "Hai spedito tante head di key quante sono le query head. Viaggiano solo le n_kv_heads."),
    ("anche le query", lambda h, kv: (h + 2 * kv) / (2 * h), "Hai spedito anche le query, che restano dove sono: viaggiano solo le n_kv_heads, di key e di value."),
    ("divisione intera", lambda h, kv: kv // h, "Con `//` il rapporto n_kv_heads / n_heads diventa zero, appena le head di key sono di meno: serve `/`."),
)

_MASKS = (
    ("", lambda c: 2 if c else 1, ""),
    ("causale al contrario", lambda c: 0.5 if c else 1, "La maschera toglie metà dei conti, non metà della spedizione: c'è meno lavoro dietro cui nascondersi, e il blocco dev'essere il doppio."),
    ("causale dimenticata", lambda c: 1, "Con la maschera i conti di un passo sono la metà, e il blocco dev'essere il doppio: `causale` non è stato usato."),
    ("causale sempre", lambda c: 2, "Il doppio serve solo se `causale` è True: senza maschera i conti di un passo sono tutti."),
    ("causale solo se falso", lambda c: 1 if c else 2, "Il doppio è dalla parte sbagliata: serve quando `causale` è True, perché i conti dietro cui nascondersi sono la metà."),
)


# 9.5

_STEPS, _RECEIVED, _PAIRS, _EFFICIENCY = ("passi in cui lavora", "blocchi ricevuti senza maschera", "coppie del primo, in percentuale", "efficienza, in percentuale")


def _waits(steps=(1, 2, 3, 4), received=3, pairs=6.25, efficiency=100 * 8 / 14):
    return {_STEPS: list(steps), _RECEIVED: received, _PAIRS: pairs, _EFFICIENCY: efficiency}


def _answered(**wrong):
    return lambda: _waits(**wrong)


# 9.6

def _layouts(rng):
    return [(8, 2), (12, 2), (18, 3), (8, 4)]


def zigzag(T, P):
    """Le posizioni di ogni dispositivo: la r-esima fetta e la r-esima dal fondo."""
    return _chunks(lambda r, P: (r, 2 * P - 1 - r))(T, P)


def _chunks(pick, size=lambda T, P: T // (2 * P), write=lambda chunks: [p for chunk in chunks for p in chunk]):
    """Per ogni dispositivo le fette scelte da `pick`, scritte una dopo l'altra."""
    def layout(T, P):
        c = size(T, P)
        return [write([list(range(s * c, (s + 1) * c)) for s in pick(r, P)]) for r in range(P)]
    return layout


def _zigzag_written(write):
    return _chunks(lambda r, P: (r, 2 * P - 1 - r), write=write)


def _owners(T, P):
    places = zigzag(T, P)
    return [next(r for r in range(P) if p in places[r]) for p in range(T)]


# 9.7

def _positions(rng):
    """Posizioni di query e key: fette contigue (passato, proprie, futuro), zigzag, strisce, lunghezze diverse."""
    places = (([4, 5, 6, 7], [0, 1, 2, 3]), ([4, 5, 6], [4, 5, 6]), ([0, 1, 2], [3, 4, 5]), ([2, 3, 4, 5], [0, 1, 6, 7]), ([0, 1, 6, 7], [2, 3, 4, 5]),
              ([0, 3, 6], [1, 4, 7]), ([4, 5, 6, 7, 8], [0, 1, 2, 3]))
    return [(np.array(q), np.array(k)) for q, k in places]


def global_mask(posizioni_q, posizioni_k):
    """La maschera causale di un blocco, dalle posizioni vere."""
    return posizioni_k[None, :] <= posizioni_q[:, None]


def maschera_male(posizioni_q, posizioni_k):
    """La funzione di partenza, parola per parola come nel capitolo."""
    return np.tri(len(posizioni_q), len(posizioni_k), dtype=bool)


def _whole(seen):
    return lambda q, k: np.full((len(q), len(k)), seen(q, k))


def _triangle_or_whole(is_own, seen):
    return lambda q, k: maschera_male(q, k) if is_own(q, k) else _whole(seen)(q, k)


# 9.8

def _half_right(args, pair):
    """Per chi ha un numero giusto e uno no, senza un errore tipico che lo spieghi."""
    first, second = np.asarray(pair) == (128, 32)
    if first != second:
        return f"{'Il primo' if first else 'Il secondo'} numero è giusto, l'altro no: controlla quale riga e quali colonne hai letto."


_KILO = "Il primo numero è {}. La domanda chiede migliaia come le scrive la tabella: basta dividere il suo numero."

_PER_DEVICE = (
    ("", 128, "Il primo numero è giusto."),
    ("il contesto intero", 4096, "Il primo numero è il contesto di tutta la macchina: va diviso per i dispositivi."),
    ("in token", 128_000, "Il primo numero è in token: la domanda chiede le migliaia."),
    ("in token, da 1024", 131_072, _KILO.format("in token, e ogni migliaio ne vale 1024")),
    ("migliaia da 1024", 131.072, _KILO.format("in migliaia, ma quelle della tabella le hai contate da 1024")),
    ("13 miliardi", 64, "Il primo numero è del modello da 13 miliardi: la domanda è su quello da 7."),
    ("diviso per 8", 512, "Il primo numero è diviso per 8: i dispositivi sono 32."),
    ("senza anello", 4, "Il primo numero viene dalla colonna «+ FFN a blocchi», divisa per i dispositivi: la domanda chiede quella dell'anello."),
)

_LONGER = (
    ("", 32, "Il secondo numero è giusto."),
    ("contro la prima colonna", 1024, "Il secondo numero è il guadagno sull'attenzione scritta per esteso: la domanda chiede il confronto con «+ FFN a blocchi»."),
    ("contro la seconda colonna", 64, "Il secondo numero è il guadagno sull'attenzione a blocchi senza «+ FFN»: la domanda chiede il migliore di prima."),
    ("contro l'altra macchina", 16, "Il secondo numero confronta gli anelli di due macchine: la domanda chiede un confronto fra colonne, sulla stessa riga."),
    ("rapporto rovesciato", 1 / 32, "Il secondo numero è il rapporto rovesciato: più lungo vuol dire maggiore di uno."),
    ("quanto in più", 31, "Il secondo numero è il rapporto meno uno, cioè di quanto è più lungo: la domanda chiede quante volte, il rapporto intero."),
    ("la differenza", 3968, "Il secondo numero è una differenza di migliaia di token: quante volte si ottiene dividendo."),
    ("il valore, non il rapporto", 128, "Il secondo numero è il contesto di «+ FFN a blocchi»: la domanda chiede quante volte ci sta in quello dell'anello."),
)

_OTHER_ROWS = (
    ("8 A100", (32, 8), "delle 8 A100 con NVLink: la domanda è sulle 32 con InfiniBand"),
    ("8 A100, 13 miliardi", (16, 8), "delle 8 A100, con il modello da 13 miliardi: la domanda è sulle 32 con InfiniBand, e sul modello da 7"),
    ("TPU", (8, 512), "delle 1024 TPU v4: la domanda è sulle 32 A100 con InfiniBand"),
    ("TPU, 3 miliardi", (16, 512), "delle 1024 TPU v4, con il modello da 3 miliardi: la domanda è sulle 32 A100 con InfiniBand, e sul modello da 7"),
)


EXERCISES = (
    Exercise(
        id="9.1", title="Unire due gruppi di key", kind="scrivi", stars=2, minutes=8,
        statement="Le stesse query hanno guardato due gruppi di key. Di ciascuno ricevi le uscite, shape (T, Dv), e i log-sum-exp, shape (T,). Dove un gruppo non aveva key visibili l'uscita è zero e il log-sum-exp è −∞. "
                  "Restituisci la coppia (uscita, lse) di tutte le key insieme, con le stesse shape. In nessuna riga sono vuoti tutti e due i gruppi; i log-sum-exp possono essere grandi, anche 900.",
        reference=merged, inputs=_pairs,
        misconceptions=(
            *_all_pairs(_merge, _WEIGHTS, _LSE),
            *(Misconception(name, _merge(weights), explanation) for name, weights, explanation in _OTHER_WEIGHTS),
            *(Misconception(name, _merge(_weights_from(lse), lse), explanation) for name, lse, explanation in _BOTH_FROM),
            *(Misconception(name, wrong, "I pesi sono shape (T,), le uscite (T, Dv), e il broadcasting allinea gli assi dal fondo: così un peso cade su una componente. Ne serve uno per riga: `peso[:, None]`, shape (T, 1).")
              for name, wrong in _NO_AXIS),
            Misconception("overflow di math.exp", _number_by_number, "`math.exp(900)` si ferma: è più grande di ogni float. Prima si toglie il massimo dei due log-sum-exp, o il nuovo lse, e l'esponente non è mai positivo."),
            Misconception("solo l'uscita", lambda a, la, b, lb: merged(a, la, b, lb)[0], "L'uscita è giusta, ma serve anche il lse: senza, non si potrebbe unire un terzo gruppo."),
            Misconception("in ordine inverso", lambda a, la, b, lb: merged(a, la, b, lb)[::-1], "Ci sono tutti e due, in ordine inverso: prima l'uscita, poi il lse."),
        ),
        praise="È una softmax su due sole voci. Funziona in qualunque ordine, e si può ripetere con tutti i gruppi che arrivano.",
    ),
    Exercise(
        id="9.2", title="A blocchi, e causale", kind="scrivi", stars=3, minutes=18,
        statement="Scrivi l'attenzione causale a blocchi. Ricevi Q e K, shape (T, Dk), V, shape (T, Dv), e `blocco`; T può non essere un multiplo di `blocco`, e i punteggi possono essere grandi, anche 900. "
                  "Restituisci l'uscita, shape (T, Dv), scrivendo tabelle di punteggi al più (blocco, blocco), e senza calcolare i blocchi tutti nel futuro. `check` confronta solo i valori: il resto devi guardarlo tu.",
        reference=causal_blocks, inputs=_blocks, rtol=1e-3, atol=1e-4,
        misconceptions=(
            Misconception("la media dei blocchi", _parts(_mean), "Ogni blocco ha avuto la sua softmax, e poi hai fatto la media. Un blocco con punteggi più alti deve contare di più: si tengono massimo e somma, e si divide solo alla fine."),
            Misconception("la media dei blocchi, anche futuri", _parts(_mean, lambda i, T: T), "Ogni blocco ha avuto la sua softmax, e poi hai fatto la media: un blocco con punteggi più alti deve contare di più. E manca la maschera causale."),
            Misconception("la media con il precedente", _united(_half, np.logaddexp), "A ogni blocco hai fatto la media fra ciò che avevi e ciò che arrivava: così l'ultimo conta metà, qualunque punteggio abbia. Contano i punteggi: si tengono massimo e somma."),
            Misconception("la somma dei blocchi", _parts(lambda parts: sum(out for out, _ in parts)), "Ogni blocco ha avuto la sua softmax, e poi hai sommato: i pesi di una query sommano al numero dei blocchi. Si divide una volta sola, alla fine, per la somma di tutti gli esponenziali."),
            Misconception("overflow nell'unione", _united(_over_total(np.exp), _log_of_sum), "Con punteggi piccoli è giusto. Ma nell'unire due blocchi usi gli esponenziali dei log-sum-exp, e con punteggi grandi vanno in overflow, o diventano tutti zero: prima si toglie il nuovo lse, calcolato con `np.logaddexp`."),
            Misconception("overflow nell'unione, alla lettera", _united(_weights_from(_log_of_sum), _log_of_sum), "Con punteggi piccoli è giusto. Ma nell'unire due blocchi il nuovo lse è calcolato alla lettera: con punteggi grandi gli esponenziali vanno in overflow, o diventano tutti zero. `np.logaddexp` fa lo stesso conto senza."),
            Misconception("unione con il massimo", _united(_weights_from(np.maximum), np.maximum), "Nell'unire due blocchi, al posto del nuovo lse c'è il più grande dei due: i pesi non sommano a uno. Serve log(e^a + e^b)."),
            Misconception("unione, lse del primo", _united(_right_weights, lambda la, lb: la), "La prima unione è giusta, ma poi il lse resta quello del primo blocco: anche il lse va aggiornato a ogni unione, altrimenti la volta dopo i pesi sono quelli di un blocco solo."),
            Misconception("unione, lse dell'ultimo", _united(_right_weights, lambda la, lb: lb), "La prima unione è giusta, ma poi tieni il lse del blocco appena arrivato: anche il lse va aggiornato a ogni unione, altrimenti la volta dopo i pesi sono quelli di un blocco solo."),
            Misconception("il passato non riscalato", _blockwise(shrink=lambda c: (1, 1)), "Quando arriva un massimo più alto, le somme di prima vanno moltiplicate per e^(vecchio massimo − nuovo). Qui sono rimaste com'erano."),
            Misconception("solo la somma riscalata", _blockwise(shrink=lambda c: (c, 1)), "Hai riscalato la somma degli esponenziali, ma non la somma pesata dei value: tutt'e due sono rispetto al massimo, e quando cambia si correggono insieme."),
            Misconception("solo la somma pesata riscalata", _blockwise(shrink=lambda c: (1, c)), "Hai riscalato la somma pesata dei value, ma non la somma degli esponenziali: tutt'e due sono rispetto al massimo, e quando cambia si correggono insieme."),
            Misconception("un massimo per blocco", _blockwise(highest=lambda best, scores: scores.max(1, keepdims=True), shrink=lambda c: (1, 1)), "Ogni blocco ha tolto il proprio massimo, e poi hai sommato: sono numeri rispetto a massimi diversi, e non si possono sommare. Serve il massimo fin qui, e la correzione di ciò che c'era."),
            Misconception("il massimo del primo blocco", _blockwise(highest=lambda best, scores: np.where(np.isneginf(best), scores.max(1, keepdims=True), best)), "Con punteggi piccoli è giusto. Ma il massimo del primo blocco non è quello della riga: se un blocco dopo ha punteggi molto più alti, l'esponenziale va in overflow. Il massimo si aggiorna a ogni blocco."),
            Misconception("il massimo dell'ultimo blocco", _blockwise(highest=lambda best, scores: scores.max(1, keepdims=True)), "Con punteggi piccoli è giusto. Ma hai preso ogni volta il massimo del blocco nuovo, anche quando è più basso: la correzione diventa un esponenziale enorme. Serve il più alto fra il vecchio e il nuovo."),
            Misconception("un massimo per tutte le righe", _blockwise(highest=lambda best, scores: np.maximum(best, scores.max())), "Con punteggi piccoli è giusto. Ma il massimo è uno solo per tutto il blocco: una riga con punteggi molto più bassi ha solo esponenziali zero, e 0 diviso 0 è NaN. Il massimo è riga per riga."),
            Misconception("il massimo parte da zero", _blockwise(highest=lambda best, scores: np.maximum(0, _running(best, scores))), "Con punteggi piccoli è giusto. Ma il massimo parte da zero: una riga con tutti i punteggi molto negativi ha solo esponenziali zero, e 0 diviso 0 è NaN. Il massimo parte da −∞."),
            Misconception("senza massimo", _blockwise(highest=lambda best, scores: np.zeros_like(best)), "Con punteggi piccoli è giusto. Ma gli esponenziali sono calcolati senza togliere il massimo, e con punteggi grandi vanno in overflow, o diventano tutti zero."),
            Misconception("NaN dappertutto", lambda Q, K, V, block: np.full_like(V, np.nan), "Tutta l'uscita è NaN. Di solito viene dalla correzione rovesciata, e^(nuovo − vecchio): al primo blocco il vecchio massimo è −∞, e ∞ per 0 non è un numero. "
                          "Oppure da una maschera moltiplicata per −∞: dove vale zero, il prodotto è NaN. Per nascondere usa `np.where`."),
            Misconception("diviso a ogni passo", _blockwise(each=np.divide, finish=lambda total, weight: total), "A ogni blocco hai diviso per la somma, e al blocco dopo hai corretto un'uscita già divisa. O si divide una volta sola, alla fine, o prima di andare avanti si rimoltiplica per la vecchia somma."),
            Misconception("diviso a ogni passo, e alla fine", _blockwise(each=np.divide), "Hai diviso a ogni blocco, e poi ancora alla fine. Si divide una volta sola, quando i blocchi sono finiti."),
            Misconception("non diviso", _blockwise(finish=lambda total, weight: total), "Alla fine manca la divisione per la somma degli esponenziali."),
            Misconception("la somma conta il futuro", _blockwise(counted=lambda scores, raw: raw), "La somma pesata nasconde il futuro, la somma degli esponenziali no: i pesi visibili non sommano a uno. La maschera va messa sui punteggi, prima di tutte e due."),
            Misconception("senza maschera", _blockwise(lambda i, j, block: True, _all_blocks), "Ogni query vede tutte le key, anche quelle del futuro: manca la maschera causale."),
            Misconception("il triangolo dimenticato", _blockwise(lambda i, j, block: True), "I blocchi futuri sono saltati, ma dentro il blocco delle query si vede anche il futuro: lì serve il triangolo."),
            Misconception("il triangolo rovesciato", _blockwise(lambda i, j, block: (j // block < i // block) | (j >= i)), "I blocchi passati sono giusti. In quello delle query il triangolo è rovesciato: si vede `j <= i`, e si nasconde ciò che sta sopra la diagonale."),
            Misconception("il proprio blocco saltato", _blockwise(blocks=lambda start, T, block: range(0, start, block)), "Hai saltato il blocco delle query stesse: le prime righe non vedono nulla, e 0 diviso 0 è NaN. Con `range` l'ultimo valore è escluso."),
            Misconception("solo il proprio blocco", _blockwise(blocks=lambda start, T, block: [start]), "Ogni query vede solo il proprio blocco: i blocchi prima vanno letti tutti, e uniti."),
            Misconception("un blocco vuoto", lambda Q, K, V, block: np.zeros((1, 0)).max(1, keepdims=True), "La funzione si ferma perché un blocco di key è vuoto, e non ha un massimo. Il ciclo sulle key va troppo avanti, oltre T: si ferma al blocco delle query, compreso."),
            Misconception("indici locali", _blockwise(_local), "Il triangolo è quello degli indici dentro il blocco, uguale per tutti i blocchi. La maschera confronta le posizioni vere: nei blocchi passati si vede tutto."),
            Misconception("un triangolo per tabella", _blockwise(lambda i, j, block: j % block <= i, _all_blocks), "In ogni tabella (T, blocco) hai messo un triangolo che parte dall'angolo: la riga 0 vede la colonna 0, qualunque key sia. La maschera confronta le posizioni vere, e le colonne di un blocco cominciano dalla sua prima key."),
            Misconception("indici locali, in tutti i blocchi", _blockwise(_local, _all_blocks), "Il triangolo è quello degli indici dentro il blocco, uguale per tutti i blocchi, anche per quelli futuri. La maschera confronta le posizioni vere: nei blocchi passati si vede tutto, nei futuri nulla."),
            Misconception("sé stessa esclusa", _blockwise(lambda i, j, block: j < i), "La query non vede sé stessa: serve `j <= i`. La prima riga resta vuota."),
            Misconception("un token di futuro", _blockwise(lambda i, j, block: j <= i + 1), "Si vede anche il token seguente, quando è nello stesso blocco: serve `j <= i`. Con `np.triu` la diagonale da cui nascondere è `k=1`."),
            Misconception("zeri al posto di meno infinito", _blockwise(hidden=0.0), "Al futuro hai dato punteggio zero, ma e⁰ vale uno: la softmax lo conta. Succede se moltiplichi i punteggi per il triangolo, o usi `np.tril`. Per nascondere serve −∞."),
            Misconception("zeri al posto di meno infinito, in tutti i blocchi", _blockwise(blocks=_all_blocks, hidden=0.0), "Al futuro hai dato punteggio zero, ma e⁰ vale uno: la softmax lo conta. Per nascondere serve −∞. E i blocchi tutti nel futuro non serve calcolarli."),
            *(Misconception(name, _whole_triangle(stop), "La funzione si ferma all'ultimo blocco, che è più corto: il triangolo è sempre (blocco, blocco), e con lui non va d'accordo. Il triangolo ha le shape dei punteggi di quel blocco: o lo tagli, o lo costruisci con le posizioni.")
              for name, stop in (("triangolo troppo grande", lambda block, values: np.ones((block, block)) @ values), ("triangolo troppo grande, come indice", lambda block, values: values[:, :1][np.ones((block, block), dtype=bool)]))),
            *_reversed_masks(),
            Misconception("senza scala", _blockwise(scale=lambda Q, V, block: 1), "Manca la divisione per la radice della larghezza delle key."),
            Misconception("senza radice", _blockwise(scale=lambda Q, V, block: Q.shape[1]), "Hai diviso per la larghezza delle key: serve la sua radice."),
            Misconception("radice della larghezza dei value", _blockwise(scale=lambda Q, V, block: np.sqrt(V.shape[1])), "Hai diviso per la radice della larghezza dei value: la scala è quella delle key."),
            Misconception("radice di T", _blockwise(scale=lambda Q, V, block: np.sqrt(len(Q))), "Hai diviso per la radice del numero di token: la scala è la radice della larghezza delle key, l'ultimo asse."),
            Misconception("radice del blocco", _blockwise(scale=lambda Q, V, block: np.sqrt(block)), "Hai diviso per la radice di `blocco`: la scala è la radice della larghezza delle key, e non dipende da come tagli la sequenza."),
            Misconception("query e key scambiate", lambda Q, K, V, block: causal_blocks(K, Q, V, block), "Hai scambiato i ruoli: le righe sono le query, le colonne le key."),
            Misconception("i value delle query", _blockwise(values=lambda i, j: i), "I pesi moltiplicano i value del blocco delle query: servono quelli del blocco di key. Nell'ultimo blocco, se è più corto, non tornano nemmeno le shape."),
            Misconception("il resto perso", _cut(lambda rest: rest[:0]), "Le ultime righe mancano: quando T non è un multiplo di `blocco`, l'ultimo blocco è più corto, ma c'è."),
            Misconception("il resto a zero", _cut(np.zeros_like), "Le ultime righe sono rimaste a zero: quando T non è un multiplo di `blocco`, l'ultimo blocco è più corto, ma c'è. `T // blocco` non lo conta."),
            Misconception("una lista di blocchi", lambda Q, K, V, block: [causal_blocks(Q, K, V, block)[first:first + block] for first in range(0, len(Q), block)], "I valori sono giusti, ma divisi in una lista di blocchi: mettili in fila con `np.concatenate`, in un'uscita sola di shape (T, Dv)."),
        ),
        praise="I valori sono giusti; le tabelle e i blocchi saltati guardali tu. Se nessuna tabella supera un blocco, è lo schema di FlashAttention.",
    ),
    Exercise(
        id="9.3", title="Chi ha che cosa", kind="scrivi", stars=1, minutes=4,
        statement="P dispositivi sono in anello, e ogni dispositivo passa key e value al seguente: 0 a 1, 1 a 2, …, l'ultimo a 0. All'inizio ognuno ha i propri. Restituisci una lista di P liste: nella numero n, contando da zero, per ogni dispositivo, di chi sono le key che ha in mano dopo n passaggi.",
        reference=holders, inputs=_rings,
        misconceptions=(
            Misconception("verso rovesciato", _ring(lambda r, n, P: (r + n) % P), "Il verso è rovesciato: se 0 passa a 1, dopo un passaggio il dispositivo 1 ha le key di 0. Con il segno più avrebbe quelle di 2, che con una maschera causale sono nel futuro, e non gli servono."),
            Misconception("righe e colonne scambiate", _ring(lambda r, n, P: (n - r) % P), "Hai messo un dispositivo per riga, oppure hai scritto n − r al posto di r − n: è la stessa tabella. Le righe sono i passi, e alla riga 0 ognuno ha le proprie: 0, 1, 2…"),
            Misconception("nessuno si muove", _ring(lambda r, n, P: r), "In ogni riga ognuno ha le proprie key: così nessuno vedrebbe quelle degli altri. Se aggiungi alla tabella sempre la stessa lista, e la ruoti, si ruotano tutte le righe insieme: aggiungine una copia."),
            Misconception("tutte le righe uguali all'ultima", _ring(lambda r, n, P: (r + 1) % P), "Le righe sono tutte uguali all'ultima. Di solito è una lista sola, aggiunta alla tabella P volte e poi ruotata: si ruotano tutte insieme. Aggiungine ogni volta una copia."),
            Misconception("un passo di troppo", _ring(_holder, lambda P: P + 1), "C'è una riga di troppo: dopo P passaggi i blocchi sarebbero di nuovo a casa, ma già dopo P − 1 tutti hanno visto tutto."),
            Misconception("un passo di meno", _ring(_holder, lambda P: P - 1), "Manca una riga: i passaggi sono P − 1, ma le righe sono P, perché all'inizio ognuno lavora con i propri."),
            Misconception("senza il passo 0", _ring(lambda r, n, P: (r - n - 1) % P, lambda P: P - 1), "Ci sono solo i P − 1 passaggi: manca la riga 0, quella in cui ognuno ha i propri."),
            Misconception("senza giro", _ring(lambda r, n, P: r - n), "Ci sono numeri negativi: l'ultimo passa al primo, e il giro si chiude. Serve il resto della divisione per P."),
            Misconception("posti vuoti", _ring(lambda r, n, P: r - n if r >= n else None), "Hai lasciato vuoti i posti di chi, con la maschera causale, non riceverebbe nulla. Qui la maschera non c'è: il giro si fa tutto."),
            Misconception("senza segno", _ring(lambda r, n, P: abs(r - n)), "Hai tolto il segno a r − n: il dispositivo 0, al passo 1, riceve dall'ultimo e non da 1. Il giro si chiude con il resto della divisione per P."),
            Misconception("fermo a zero", _ring(lambda r, n, P: max(r - n, 0)), "Quando r − n è negativo ti sei fermato a zero: l'ultimo passa al primo, e il giro si chiude. Serve il resto della divisione per P."),
            Misconception("un passaggio solo", _ring(lambda r, n, P: (r - min(n, 1)) % P), "Dopo il primo passaggio non si muove più nulla: a ogni passo le key vanno ancora avanti di uno, e al passo n vengono da r − n."),
            Misconception("tutte quelle viste", lambda P: [[[_holder(r, m, P) for m in range(n + 1)] for r in range(P)] for n in range(P)], "Hai elencato tutte le key viste fin lì: la domanda chiede solo quelle che ognuno ha in mano al passo n, un intero per dispositivo."),
            Misconception("da uno", _ring(lambda r, n, P: _holder(r, n, P) + 1), "Hai contato i dispositivi da uno: qui sono numerati da zero."),
            Misconception("già passati", _ring(lambda r, n, P: (r - n - 1) % P), "Nella prima riga hai già fatto un passaggio: ognuno comincia con le proprie key."),
            Misconception("avanti e di uno", _ring(lambda r, n, P: (r + n + 1) % P), "All'inizio ognuno ha le proprie key, e poi gli arrivano quelle di chi lo precede: conta r − n."),
        ),
        praise="(r − n) mod P. Dopo P − 1 passaggi tutti hanno visto tutto: il P-esimo riporterebbe i blocchi a casa, e non serve.",
    ),
    Exercise(
        id="9.4", title="Quanto dev'essere grande un blocco", kind="scrivi", stars=2, minutes=6,
        statement="Quanti token deve tenere ogni dispositivo perché la spedizione di key e value, a 2 byte per numero, si nasconda dietro i conti? Ricevi i FLOP al secondo, i byte al secondo della rete, n_heads, n_kv_heads, e `causale`: True se la maschera toglie metà dei conti di ogni passo. "
                  "Viaggiano solo le head di key e value. Restituisci il numero di token, anche non intero.",
        reference=smallest_block, inputs=_speeds, rtol=1e-6,
        misconceptions=(
            Misconception("rapporto rovesciato", lambda f, b, h, kv, c: smallest_block(b, f, h, kv, c), "F/B è rovesciato: più i conti sono veloci, più il blocco dev'essere grande per tenerli occupati."),
            Misconception("tutto rovesciato", lambda *args: 1 / smallest_block(*args), "È l'inverso del giusto. Scrivi la disuguaglianza, tempo dei conti ≥ tempo della spedizione, e isola c: più i conti sono veloci, più il blocco dev'essere grande."),
            *_all_pairs(_tokens, _GROUPS, _MASKS),
            Misconception("metà spedizione", _times(0.5), "È la metà del giusto: ogni numero occupa due byte, e viaggiano sia le key sia i value."),
            Misconception("un quarto", _times(0.25), "È un quarto del giusto: ogni numero occupa due byte, e viaggiano sia le key sia i value. I byte sono 2 · 2 · c · larghezza per head di key."),
            Misconception("metà dei conti", _times(2), "È il doppio del giusto. I conti sono due prodotti, e ogni coppia costa una moltiplicazione e una somma: 4 · c · c · larghezza FLOP per head. E ogni numero occupa due byte, non quattro."),
            Misconception("un quarto dei conti", _times(4), "È quattro volte il giusto. I conti sono due prodotti, punteggi e somma dei value, e ogni coppia costa una moltiplicazione e una somma: 4 · c · c · larghezza FLOP per head."),
            Misconception("sei volte F/B", lambda f, b, h, kv, c: 6 * f / b, "È l'ultima colonna della tabella del capitolo, con i sei blocchi che stanno in memoria. La domanda chiede i token di un blocco solo; e n_kv_heads, n_heads e `causale` non sono stati usati."),
            Misconception("sei blocchi", _times(6), "Hai contato i sei blocchi che stanno in memoria. La domanda chiede i token di un blocco solo."),
        ),
        praise="c ≥ F/B, per n_kv_heads / n_heads, e il doppio con la maschera causale. La larghezza delle head si semplifica.",
    ),
    Exercise(
        id="9.5", title="Chi aspetta", kind="prevedi", stars=2, minutes=6,
        statement="Quattro dispositivi, fette contigue di una sequenza lunga, maschera causale. Restituisci un dizionario: \"passi in cui lavora\", una lista di quattro interi, dal dispositivo 0; \"blocchi ricevuti senza maschera\", quanti blocchi riceve ciascuno se la maschera non c'è (un intero); "
                  "\"coppie del primo, in percentuale\", quale parte delle coppie visibili tocca al dispositivo 0; \"efficienza, in percentuale\", il lavoro fatto diviso quello che si farebbe se in ogni passo tutti lavorassero quanto il più carico. "
                  "Per le ultime due conta mezzo blocco quando un dispositivo guarda le proprie key. Le percentuali vanno da 0 a 100, e bastano senza decimali.",
        reference=_waits, rtol=0.0, atol=0.3,
        misconceptions=(
            Misconception("rovesciato", _answered(steps=(4, 3, 2, 1)), "I passi sono rovesciati: il dispositivo 0 ha i primi token, che nel passato hanno solo sé stessi. Lavora una volta sola."),
            Misconception("tutto rovesciato", _answered(steps=(4, 3, 2, 1), pairs=43.75), "Hai rovesciato i dispositivi: lo 0 ha i primi token, che nel passato hanno solo sé stessi. Lavora una volta sola, e gli toccano poche coppie. Il resto è giusto."),
            Misconception("i passi in cui aspetta", _answered(steps=(3, 2, 1, 0)), "Il resto è giusto. Hai contato i passi in cui ciascuno aspetta: la domanda chiede quelli in cui lavora."),
            Misconception("mezzi passi", _answered(steps=(0.5, 1.5, 2.5, 3.5)), "Il resto è giusto. Questo è il lavoro di ciascuno, in blocchi: la domanda chiede in quanti passi lavora, e anche mezzo blocco occupa un passo."),
            Misconception("il proprio non contato", _answered(steps=(0, 1, 2, 3)), "Ognuno lavora anche con le proprie key, al primo passo: il dispositivo 0 lavora una volta."),
            Misconception("il proprio mai contato", _answered(steps=(0, 1, 2, 3), pairs=0.0, efficiency=50.0), "Hai contato solo le key ricevute. Ognuno lavora anche con le proprie, al primo passo: un passo in più a testa, e mezzo blocco di coppie."),
            Misconception("lavorano tutti", _answered(steps=(4, 4, 4, 4), pairs=25.0, efficiency=100.0), "Senza maschera sarebbe così. Con la maschera le key di chi viene dopo non si vedono: il dispositivo 0 lavora solo con le proprie."),
            Misconception("quattro passi ciascuno", _answered(steps=(4, 4, 4, 4)), "Il resto è giusto. I passi sono quattro per tutti, ma non tutti lavorano: le key di chi viene dopo non si vedono, e il dispositivo 0 lavora solo con le proprie."),
            Misconception("P passaggi", _answered(received=4), "Il resto è giusto. I blocchi ricevuti sono P − 1: il proprio lo si ha già."),
            Misconception("i blocchi di tutti", _answered(received=12), "Il resto è giusto. Hai contato i blocchi ricevuti da tutti i dispositivi insieme: la domanda chiede quanti ne riceve ciascuno."),
            Misconception("key e value contati due volte", _answered(received=6), "Il resto è giusto. Key e value viaggiano insieme, e un blocco li contiene tutti e due. Se invece hai sommato i blocchi che servono con la maschera, 0 + 1 + 2 + 3, la domanda li chiede senza, e per ciascuno."),
            Misconception("un blocco a passo", _answered(received=1), "Il resto è giusto. Uno è il blocco che arriva a ogni passaggio: la domanda chiede quanti ne arrivano in tutto a ciascuno."),
            Misconception("passi tutti uguali", _answered(efficiency=62.5), "Il resto è giusto. Per l'efficienza hai contato i passi, come se fossero tutti uguali: il primo vale mezzo blocco, perché lì lavora il triangolo."),
            Misconception("un decimo", _answered(pairs=10.0), "Il resto è giusto. Il dispositivo 0 fa mezzo blocco, non uno: le coppie visibili sono 8 blocchi in tutto, e mezzo blocco è la parte che gli tocca."),
            Misconception("mezzo blocco dimenticato", _answered(pairs=10.0, efficiency=62.5), "I passi sono giusti. Quando un dispositivo guarda le proprie key, il lavoro è mezzo blocco: in tutto 8 blocchi, di cui mezzo del primo; e in ogni passo comanda il più carico."),
            Misconception("un ottavo", _answered(pairs=12.5), "Il resto è giusto. In tutto sono 8 blocchi, ma il dispositivo 0 ne fa mezzo: delle proprie key vede solo il triangolo."),
            Misconception("fra tutte le coppie", _answered(pairs=3.125), "Il resto è giusto. Hai diviso per tutte le coppie, anche quelle nascoste: contano solo le visibili, la metà."),
            Misconception("i sedici token della tabella", _answered(pairs=1000 / 136, efficiency=13600 / 232), "Hai usato i 16 token della tabella: lì il triangolo conta anche la diagonale, 10 coppie e non 8. La domanda è su una sequenza lunga, e delle proprie key ciascuno guarda mezzo blocco."),
            Misconception("le coppie della tabella", _answered(pairs=1000 / 136), "Il resto è giusto. Per la parte del primo hai usato i 16 token della tabella: lì il triangolo conta anche la diagonale, 10 coppie e non 8. In una sequenza lunga è mezzo blocco."),
            Misconception("l'efficienza della tabella", _answered(efficiency=13600 / 232), "Il resto è giusto. Per l'efficienza hai usato i 16 token della tabella: lì il triangolo conta anche la diagonale, 10 coppie e non 8. In una sequenza lunga è mezzo blocco."),
            Misconception("un quarto", _answered(pairs=25.0), "Il resto è giusto. I token sono divisi in parti uguali, le coppie no: al dispositivo 0 tocca mezzo blocco su 8."),
            Misconception("le coppie dell'ultimo", _answered(pairs=43.75), "Il resto è giusto. Le coppie sono quelle dell'ultimo dispositivo, tre blocchi e mezzo: la domanda chiede il primo."),
            Misconception("efficienza al 50 %", _answered(efficiency=50.0), "Il resto è giusto. Hai fatto durare il primo passo quanto gli altri, oppure hai pensato a moltissimi dispositivi. Al primo passo tutti fanno mezzo blocco, e nessuno aspetta di più; negli altri tre il più carico ne fa uno."),
            Misconception("nessuno aspetta", _answered(efficiency=100.0), "Il resto è giusto. L'efficienza è 100 solo se nessuno aspetta: ma in ogni passo dopo il primo qualcuno non ha nulla da fare, e aspetta il più carico."),
            Misconception("lavoro contato intero", _answered(efficiency=1000 / 14), "Il resto è giusto. Il tempo è giusto, il lavoro no: sono 8 blocchi, perché delle proprie key ciascuno ne guarda mezzo."),
            Misconception("la parte persa", _answered(efficiency=100 * 6 / 14), "Il resto è giusto. Questa è la parte persa ad aspettare: l'efficienza è quella che resta."),
            Misconception("efficienza rovesciata", _answered(efficiency=175.0), "Il resto è giusto. Il rapporto è rovesciato: il lavoro fatto è meno di quello possibile, e l'efficienza non supera 100."),
            Misconception("frazioni", _answered(pairs=0.0625, efficiency=8 / 14), "Le frazioni sono giuste, ma la domanda le chiede in percentuale: moltiplicale per cento."),
            Misconception("efficienza come frazione", _answered(efficiency=8 / 14), "La frazione è giusta, e il resto anche. L'efficienza però è chiesta in percentuale: moltiplicala per cento."),
            Misconception("coppie come frazione", _answered(pairs=0.0625), "Il resto è giusto. Anche la parte del primo è chiesta in percentuale: se hai scritto una frazione, moltiplicala per cento."),
        ),
        praise="Otto blocchi di lavoro su quattordici. Con più dispositivi si scende verso la metà: è ciò che le altre disposizioni riparano.",
    ),
    Exercise(
        id="9.6", title="A zigzag", kind="scrivi", stars=2, minutes=6,
        statement="La sequenza è tagliata in 2P fette uguali; al dispositivo r toccano la fetta r e la fetta 2P − 1 − r, in quest'ordine. Ricevi T, un multiplo di 2P, e P. Restituisci una lista di P liste: le posizioni che tiene ogni dispositivo.",
        reference=zigzag, inputs=_layouts,
        misconceptions=(
            Misconception("contigue", _chunks(lambda r, P: (2 * r, 2 * r + 1)), "Queste sono le fette contigue, una per dispositivo. Ne servono due, più corte: una dall'inizio e una dal fondo."),
            Misconception("a strisce", lambda T, P: [list(range(r, T, P)) for r in range(P)], "Questa è la disposizione *striped*, un token ogni P. Nello zigzag i token vicini restano vicini, in due fette."),
            Misconception("a serpentina", lambda T, P: [[p for p in range(T) if p % (2 * P) in (r, 2 * P - 1 - r)] for r in range(P)], "Hai fatto lo zigzag un token alla volta, avanti e indietro. Qui si assegnano fette intere: sono 2P in tutto, e ogni dispositivo ne ha due."),
            Misconception("r e r + P", _chunks(lambda r, P: (r, r + P)), "Hai preso le fette r e r + P: così chi ha una fetta presto ne ha anche una presto nella seconda metà, e il carico resta storto. La seconda si conta dal fondo."),
            Misconception("in ordine inverso", _chunks(lambda r, P: (2 * P - 1 - r, r)), "Le fette sono giuste, l'ordine no: prima la r, poi quella dal fondo. Le posizioni di un dispositivo devono crescere."),
            Misconception("una di troppo", _chunks(lambda r, P: (r, 2 * P - r)), "La seconda fetta è spostata di uno: contando da zero l'ultima è 2P − 1, e tocca al dispositivo 0."),
            Misconception("l'indice meno r", _chunks(lambda r, P: (r, -r % (2 * P))), "La seconda fetta è `fette[-r]`: ma −0 è 0, e il dispositivo 0 ha due volte la prima. Dal fondo si conta da −1: serve `fette[-1 - r]`."),
            Misconception("dal fondo della prima metà", _chunks(lambda r, P: (r, P - 1 - r)), "La seconda fetta è contata dal fondo di P fette, e la metà finale della sequenza non è di nessuno: le fette sono 2P."),
            Misconception("una lista per fetta", lambda T, P: _chunks(lambda s, P: (s,))(T, P) + _chunks(lambda s, P: (s + P,))(T, P), "Queste sono le 2P fette, una per lista: i dispositivi sono P, e a ciascuno ne toccano due."),
            Misconception("dispositivi al rovescio", lambda T, P: zigzag(T, P)[::-1], "Le coppie di fette sono giuste, ma assegnate al rovescio: al dispositivo 0 toccano la prima e l'ultima."),
            Misconception("rovesciata", _zigzag_written(lambda chunks: chunks[0] + chunks[1][::-1]), "La seconda fetta è quella giusta, ma al rovescio: dentro una fetta le posizioni crescono."),
            Misconception("alternate", _zigzag_written(lambda chunks: [p for pair in zip(*chunks, strict=True) for p in pair]), "Le posizioni sono giuste, ma alternate, una di una fetta e una dell'altra: prima tutta la fetta r, poi tutta quella dal fondo."),
            Misconception("una fetta sola", _zigzag_written(lambda chunks: chunks[0]), "C'è solo la prima fetta di ogni dispositivo, e metà dei token non è di nessuno: manca quella dal fondo."),
            Misconception("due liste per dispositivo", _zigzag_written(list), "Le posizioni sono giuste, ma le due fette sono rimaste separate: ogni dispositivo ha una lista sola, la prima fetta seguita dall'altra."),
            Misconception("una lista sola", lambda T, P: sum(zigzag(T, P), []), "Le posizioni sono giuste, ma tutte in fila: serve una lista per ogni dispositivo. Con le liste, `append` aggiunge una lista come elemento, `+=` ne aggiunge le voci."),
            Misconception("i numeri delle fette", lambda T, P: [[r, 2 * P - 1 - r] for r in range(P)], "Questi sono i numeri delle fette: servono le posizioni dei token. La fetta s va da s · c a (s + 1) · c, escluso, con c = T / 2P."),
            Misconception("di chi è ogni posizione", _owners, "Hai scritto, per ogni posizione, quale dispositivo la tiene. Serve il contrario: per ogni dispositivo, le sue posizioni."),
            Misconception("P fette", _chunks(lambda r, P: (r, P - 1 - r), lambda T, P: T // P), "Hai tagliato in P fette invece di 2P: ogni token finisce in due posti."),
            Misconception("fette lunghe il doppio", _chunks(lambda r, P: (r, 2 * P - 1 - r), lambda T, P: T // P), "Le fette sono lunghe il doppio del dovuto, e le posizioni superano T: le fette sono 2P, e ciascuna ha T / 2P token."),
        ),
        praise="Una fetta presto e una tardi: a ogni passo tutti hanno lo stesso lavoro.",
    ),
    Exercise(
        id="9.7", title="La maschera di un blocco", kind="trova il bug", stars=2, minutes=6,
        statement="`maschera_male` riceve le posizioni delle query di un dispositivo e delle key che ha in mano, interi (Tq,) e (Tk,), e dà una maschera (Tq, Tk) che è giusta solo a volte. Scrivi `maschera_giusta`: True dove la query può vedere la key, per qualunque disposizione.",
        reference=global_mask, inputs=_positions,
        misconceptions=(
            Misconception("la funzione di partenza", maschera_male, "È ancora il triangolo degli indici locali: la riga 0 vede la colonna 0, qualunque token siano. Confronta le posizioni."),
            Misconception("il blocco intero", _whole(lambda q, k: k[0] <= q[0]), "Hai deciso per tutto il blocco guardando la prima posizione. Con lo zigzag e le strisce un blocco può essere visibile a metà: si confronta token per token."),
            Misconception("dall'ultima posizione", _whole(lambda q, k: k[-1] <= q[-1]), "Hai deciso per tutto il blocco guardando l'ultima posizione: si confronta token per token."),
            Misconception("intero o niente", _whole(lambda q, k: k.max() <= q.min()), "Hai deciso per tutto il blocco in una volta: è visibile solo se tutte le key sono nel passato. Quando una parte si vede e una no, va perso tutto: si confronta token per token."),
            Misconception("intero se qualcosa si vede", _whole(lambda q, k: k.min() <= q.max()), "Hai deciso per tutto il blocco in una volta: basta una coppia visibile, e si vede tutto, anche il futuro. Si confronta token per token."),
            Misconception("triangolo e posizioni", lambda q, k: maschera_male(q, k) & global_mask(q, k), "Il confronto delle posizioni è giusto, ma poi togli ciò che sta sopra la diagonale degli indici locali: il triangolo non serve più."),
            Misconception("triangolo o tutto", _triangle_or_whole(lambda q, k: q[0] == k[0], lambda q, k: True), "Il triangolo c'è solo nel proprio blocco, e gli altri si vedono tutti, anche quelli che vengono dopo: confronta le posizioni, token per token."),
            Misconception("triangolo se è il proprio", _triangle_or_whole(lambda q, k: q[0] == k[0], lambda q, k: k[0] < q[0]), "Con fette contigue funziona. Con lo zigzag e le strisce no: fra due dispositivi diversi il blocco può essere visibile a metà."),
            Misconception("intero se è tutto passato", _triangle_or_whole(lambda q, k: k.max() >= q.min(), lambda q, k: True), "Quando le key sono tutte nel passato è giusto. Negli altri casi c'è ancora il triangolo degli indici locali: confronta le posizioni, e non serve distinguere nulla."),
            Misconception("triangolo nel dubbio", _triangle_or_whole(lambda q, k: k.max() >= q.min() and k.min() <= q.max(), lambda q, k: k.max() < q.min()), "Un blocco tutto passato o tutto futuro è giusto. Con lo zigzag e le strisce ce ne sono di visibili a metà, e lì c'è ancora il triangolo degli indici locali: confronta le posizioni."),
            Misconception("triangolo spostato", lambda q, k: np.tri(len(q), len(k), int(q[0] - k[0]), dtype=bool), "Hai spostato il triangolo della distanza fra le prime posizioni: va bene finché le posizioni crescono tutte dello stesso passo. Con lo zigzag c'è un salto: si confronta token per token."),
            Misconception("trasposta", lambda q, k: global_mask(q, k).T, "Hai scambiato righe e colonne: le righe sono le query, le colonne le key."),
            Misconception("ruoli scambiati", lambda q, k: global_mask(k, q), "Hai scambiato query e key: così ogni riga è una key, e vede le query che vengono prima. Le righe sono le query."),
            Misconception("il futuro", lambda q, k: k[None, :] >= q[:, None], "La disuguaglianza è rovesciata: si vede il passato, con posizione minore o uguale."),
            Misconception("sé stessa esclusa", lambda q, k: k[None, :] < q[:, None], "Una query non vede sé stessa: serve minore o *uguale*."),
            Misconception("il complemento", lambda q, k: ~global_mask(q, k), "È il complemento: True deve voler dire *visibile*."),
            Misconception("da sommare ai punteggi", lambda q, k: np.where(global_mask(q, k), 0, -np.inf), "Hai scritto ciò che si somma ai punteggi, 0 e −∞. Le coppie sono quelle giuste, ma la consegna chiede booleani: True dove si vede."),
            Misconception("si vede tutto", _whole(lambda q, k: True), "Si vede tutto, anche il futuro."),
            *(Misconception(name, wrong, "Hai confrontato la query i solo con la key i, una coppia per riga; e se le lunghezze sono diverse la funzione si ferma. Serve una tabella, tutte con tutte: query in colonna con `[:, None]`, key in riga.")
              for name, wrong in (("senza asse", lambda q, k: k <= q), ("senza asse, dalle query", lambda q, k: q >= k), ("senza asse, con due indici", lambda q, k: np.tri(9, dtype=bool)[q, k]))),
        ),
        praise="Un blocco non sa dove sta: le posizioni vere devono viaggiare con lui, o ricavarsi da chi l'ha mandato. Vale anche per le posizioni di RoPE, che incontri nel capitolo 10.",
    ),
    Exercise(
        id="9.8", title="La tabella di Ring Attention", kind="leggi la tabella", stars=2, minutes=6,
        statement="Dalla tabella di Liu et al.: il modello da 7 miliardi sulle 32 A100 con InfiniBand. Quante migliaia di token tiene *ogni dispositivo* con l'anello? E quante volte il contesto è più lungo di quello della colonna «+ FFN a blocchi», il migliore di prima? Restituisci la coppia.",
        reference=lambda: (128, 32), properties=(("un numero su due", _half_right),),
        misconceptions=(
            *_all_pairs(lambda tokens, times: lambda: (tokens, times), _PER_DEVICE, _LONGER),
            Misconception("scambiati", lambda: (32, 128), "I due numeri sono giusti, ma in ordine inverso: prima le migliaia di token per dispositivo."),
            *(Misconception(name, lambda pair=pair: pair, f"Questi sono i numeri {row}.") for name, pair, row in _OTHER_ROWS),
        ),
        praise="Ogni dispositivo tiene quanto il migliore di prima teneva da solo: qui il guadagno è il numero dei dispositivi, né più né meno.",
    ),
)
