"""Gli esercizi del capitolo 11, Leggere i paper."""

from attnkit.config import MODELS
from attnkit.costs import kv_cache_bytes, parameters
from attnkit.exercises.esercizio import Exercise, Misconception
from attnkit.exercises.valori import simplify

GIB = 2 ** 30

_FAMILIES = {"MLA": "cache", "FlashAttention": "viaggi", "finestra": "pattern", "ring attention": "distribuita", "GQA": "cache", "DSA": "pattern",
             "softmax in una passata": "viaggi"}


def _families(**wrong):
    return lambda: _FAMILIES | wrong


def _first(family="GQA", group=8, wide=8192, cache=256):
    return {"attenzione": family, "query head per gruppo": group, "larghezza delle head in fila": wide, "KiB per token": cache}


def _one(**wrong):
    return lambda: _first(**wrong)


_GEMMA = parameters(MODELS["Gemma 2B"])
_TABLE = 256000 * 2048


def _second(family="MQA", count=_GEMMA, share=100 * _TABLE / _GEMMA):
    return {"attenzione": family, "parametri": count, "quota degli embedding": share}


def _two(**wrong):
    return lambda: _second(**wrong)


_CACHE = kv_cache_bytes(MODELS["Olmo 3 32B"], 65536) / GIB
_WHOLE = 16.0
_ACTIVE = parameters(MODELS["gpt-oss 20B"], active=True) / 1e9
_TOTAL = parameters(MODELS["gpt-oss 20B"]) / 1e9
_EXPERT, _INPUT = 24_891_840 / 1e9, 579_133_440 / 1e9


def _renamed(**wrong):
    """La scheda del 405B con i nomi di un config.json, e qualche voce sbagliata."""
    right = {"hidden_size": 16384, "num_hidden_layers": 126, "num_attention_heads": 128, "num_key_value_heads": 8, "intermediate_size": 53248,
             "vocab_size": 128256, "rms_norm_eps": 1e-5, "rope_theta": 500000.0}
    return lambda: right | wrong


_META = {"dim": 16384, "n_layers": 126, "n_heads": 128, "n_kv_heads": 8, "vocab_size": 128256, "ffn_dim_multiplier": 1.2, "multiple_of": 4096,
         "norm_eps": 1e-5, "rope_theta": 500000.0}


def _three(gib, times):
    return lambda: {"GiB": gib, "quante volte meno": times}


def _four(billions, percent):
    return lambda: {"miliardi": billions, "percentuale": percent}


# Perché una tecnica non sta in una famiglia.
_WHY = {
    "MLA": {"pattern": "ogni token continua a vedere tutto il passato", "viaggi": "i numeri conservati sono altri, e la funzione con loro", "distribuita": "basta un dispositivo"},
    "GQA": {"pattern": "ogni query vede ancora tutte le key", "viaggi": "la funzione è un'altra: le head di key sono di meno", "distribuita": "basta un dispositivo"},
    "finestra": {"cache": "la cache cala perché prima cambia chi vede chi", "viaggi": "qualche coppia sparisce, quindi la funzione è un'altra", "distribuita": "basta un dispositivo"},
    "DSA": {"cache": "le key restano tutte nella cache: cambia quali si guardano", "viaggi": "qualche coppia sparisce, quindi la funzione è un'altra", "distribuita": "basta un dispositivo"},
    "FlashAttention": {"cache": "ciò che si conserva è lo stesso", "pattern": "nessuna coppia sparisce", "distribuita": "gira su un dispositivo solo"},
    "softmax in una passata": {"cache": "ciò che si conserva è lo stesso", "pattern": "nessuna coppia sparisce", "distribuita": "gira anche su un dispositivo solo"},
    "ring attention": {"cache": "di key e value ne conserva quanti prima, divisi fra più dispositivi", "pattern": "nessuna coppia sparisce", "viaggi": "di viaggi ne aggiunge, fra dispositivi"},
}


def _why_not(args, answer):
    """Per ogni tecnica fuori posto, perché non è lì."""
    said = {simplify(name): simplify(str(family)) for name, family in answer.items()}
    strange = sorted(set(said.values()) - {"cache", "pattern", "viaggi", "distribuita"})
    if strange:
        return f"«{strange[0]}» non è una delle quattro: i valori sono «cache», «pattern», «viaggi» e «distribuita»."
    wrong = [f"{name}: {why[said[simplify(name)]]}" for name, why in _WHY.items() if said[simplify(name)] in why]
    return f"Da rivedere. {'; '.join(wrong)}." if wrong else None


EXERCISES = (
    Exercise(
        id="11.1", title="Altri nomi", kind="leggi la tabella", stars=1, minutes=5,
        statement="Una scheda con i nomi di Meta: dim 16384, n_layers 126, n_heads 128, n_kv_heads 8, vocab_size 128256, ffn_dim_multiplier 1.2, multiple_of 4096, norm_eps 1e-05, rope_theta 500000.0. "
                  "Scrivi le stesse misure con i nomi di un config.json: un dizionario con le otto voci che corrispondono a queste, e nessun'altra: `head_dim` no, qui si lascia ricavare.",
        reference=_renamed(), rtol=1e-6, atol=1e-9,
        misconceptions=(
            Misconception("i nomi di Meta", lambda: _META, "Questi sono ancora i nomi di Meta. In un `config.json` la larghezza si chiama `hidden_size`: gli altri nomi sono nella tabella qui sopra."),
            Misconception("con la larghezza di una head", _renamed(head_dim=128), "Le otto voci sono giuste; `head_dim` qui non si scrive: si lascia ricavare."),
            Misconception("con gli embedding", _renamed(tie_word_embeddings=False), "Le otto voci sono giuste. Degli embedding la scheda non dice nulla: qui si chiedono solo le voci che ci sono."),
            Misconception("senza il fattore", _renamed(intermediate_size=45056), "Il resto è giusto. La larghezza della FFN è senza il fattore: 8/3 della larghezza, per 1,2, e poi al multiplo in su."),
            Misconception("senza arrotondare", _renamed(intermediate_size=52428), "Il resto è giusto. La larghezza della FFN va ancora portata al multiplo di 4096, in su."),
            Misconception("senza i due interi", _renamed(intermediate_size=52429), "Il resto è giusto. La larghezza della FFN va ancora portata al multiplo di 4096, in su."),
            Misconception("arrotondata in giù", _renamed(intermediate_size=49152), "Il resto è giusto. La larghezza della FFN è arrotondata in giù: il multiplo di 4096 si prende in su."),
            Misconception("né fattore né multiplo", _renamed(intermediate_size=43690), "Il resto è giusto. 8/3 della larghezza è il punto di partenza: va moltiplicata per il fattore, e portata al multiplo in su."),
            Misconception("quattro volte", _renamed(intermediate_size=65536), "Il resto è giusto. Quattro volte la larghezza vale per una feed-forward a due matrici: qui sono tre, e si parte da 8/3."),
            Misconception("quattro volte, per il fattore", _renamed(intermediate_size=81920), "Il resto è giusto. Hai moltiplicato per 4 invece che per 8/3: la feed-forward ha tre matrici, non due."),
            Misconception("solo il fattore", _renamed(intermediate_size=20480), "Il resto è giusto. Il fattore non moltiplica la larghezza del modello: moltiplica 8/3 della larghezza."),
            Misconception("il fattore dell'8B", _renamed(intermediate_size=57344), "Il resto è giusto. Hai usato 1,3, il fattore dell'8B e del 70B: qui è 1,2."),
            Misconception("il multiplo", _renamed(intermediate_size=4096), "Il resto è giusto. 4096 è il multiplo a cui si arrotonda, non la larghezza della FFN."),
            Misconception("gruppi", _renamed(num_key_value_heads=16), "Il resto è giusto. 16 sono le query head di un gruppo: `num_key_value_heads` conta le head di key, 8."),
            Misconception("head scambiate", _renamed(num_attention_heads=8, num_key_value_heads=128), "Hai scambiato le head: `num_attention_heads` conta le query head."),
            Misconception("larghezze scambiate", _renamed(hidden_size=53248, intermediate_size=16384), "Hai scambiato le due larghezze: `hidden_size` è quella del modello, `intermediate_size` quella della FFN."),
            Misconception("la larghezza di una head", _renamed(hidden_size=128), "Il resto è giusto. `hidden_size` non è la larghezza di una head: è quella del modello."),
            Misconception("epsilon abituale", _renamed(rms_norm_eps=1e-6), "Il resto è giusto. 10⁻⁶ è l'ε di molti altri modelli: la scheda dice 10⁻⁵."),
            Misconception("theta abituale", _renamed(rope_theta=10000.0), "Il resto è giusto. 10.000 è il θ dei modelli di prima: la scheda dice 500.000."),
            Misconception("vocabolario stampato", _renamed(vocab_size=128000), "Il resto è giusto. 128.000 è il numero stampato nell'articolo: la scheda dice 128.256."),
        ),
        praise="È Llama 3.1 405B. Stesse misure, altri nomi: prima di confrontare due schede, traducile nella stessa lingua.",
    ),
    Exercise(
        id="11.2", title="Le quattro famiglie", kind="prevedi", stars=2, minutes=6,
        statement="Assegna ciascuna tecnica alla sua famiglia. Restituisci un dizionario: le chiavi sono \"MLA\", \"FlashAttention\", \"finestra\", \"ring attention\", \"GQA\", \"DSA\", \"softmax in una passata\"; i valori \"cache\", \"pattern\", \"viaggi\" o \"distribuita\". Alcune toccano due famiglie: conta ciò che cambia per prima cosa.",
        reference=lambda: _FAMILIES, properties=(("perché no", _why_not),),
        misconceptions=(
            Misconception("ring come pattern", _families(**{"ring attention": "pattern"}), "Il resto è giusto. Nella ring attention ogni token vede tutto ciò che vedeva: ad anello sono i dispositivi, non i token."),
            Misconception("FlashAttention come pattern", _families(FlashAttention="pattern"), "Il resto è giusto. FlashAttention calcola la stessa funzione, senza togliere nessuna coppia: cambia l'ordine dei conti."),
            Misconception("FlashAttention come cache", _families(FlashAttention="cache"), "Il resto è giusto. FlashAttention non cambia che cosa si conserva: evita di scrivere i punteggi."),
            Misconception("finestra come cache", _families(finestra="cache"), "Il resto è giusto. Una finestra fa anche risparmiare cache, ma perché cambia chi vede chi: è un pattern."),
            Misconception("DSA come cache", _families(DSA="cache"), "Il resto è giusto. La DSA sceglie quali key guardare: cambia chi vede chi. La cache resta."),
            Misconception("MLA come pattern", _families(MLA="pattern"), "Il resto è giusto. Nella MLA ogni token vede tutti: a essere compresso è ciò che si conserva."),
            Misconception("GQA come pattern", _families(GQA="pattern"), "Il resto è giusto. Nella GQA ogni query vede tutte le key: a diminuire sono le head di key conservate."),
            Misconception("softmax come distribuita", _families(**{"softmax in una passata": "distribuita"}), "Il resto è giusto. La softmax in una passata serve anche all'anello, ma da sola gira su un dispositivo: evita viaggi nella memoria."),
            Misconception("FlashAttention come distribuita", _families(FlashAttention="distribuita"), "Il resto è giusto. FlashAttention gira su un dispositivo solo: a calare sono i viaggi nella sua memoria."),
            Misconception("ring come viaggi", _families(**{"ring attention": "viaggi"}), "Il resto è giusto. La ring attention di viaggi ne aggiunge, fra dispositivi: divide la memoria e il lavoro."),
            Misconception("softmax come pattern", _families(**{"softmax in una passata": "pattern"}), "Il resto è giusto. La softmax in una passata dà gli stessi pesi: nessuna coppia sparisce."),
            Misconception("viaggi come cache", _families(FlashAttention="cache", **{"softmax in una passata": "cache"}), "La softmax in una passata e FlashAttention non toccano ciò che si conserva: evitano di scrivere i punteggi."),
            Misconception("pattern come cache", _families(finestra="cache", DSA="cache"), "Finestra e DSA cambiano chi vede chi: sono pattern, anche quando la cache cala."),
            Misconception("le due esatte scambiate", _families(FlashAttention="distribuita", **{"ring attention": "viaggi"}), "Hai scambiato le due famiglie esatte: l'anello divide fra dispositivi, FlashAttention fa meno viaggi in uno solo."),
        ),
        praise="Cache e pattern cambiano la funzione: di solito vanno addestrati. Le due famiglie esatte no, e si possono aggiungere in ogni momento.",
    ),
    Exercise(
        id="11.3", title="Prima scheda", kind="leggi la tabella", stars=1, minutes=6,
        statement="hidden_size 5120, num_hidden_layers 64, num_attention_heads 64, num_key_value_heads 8, head_dim 128, intermediate_size 25600, vocab_size 151936, tie_word_embeddings false. Restituisci un dizionario: \"attenzione\" (\"MHA\", \"GQA\" o \"MQA\"), "
                  "\"query head per gruppo\", \"larghezza delle head in fila\" (tutte le query head insieme), \"KiB per token\" (la KV cache, a due byte per numero).",
        reference=_first,
        misconceptions=(
            Misconception("larghezza del modello", _one(wide=5120), "Il resto è giusto. Hai supposto che le head in fila siano larghe quanto il modello: qui head_dim è scritta, e 64 · 128 fa 8192."),
            Misconception("head_dim ricavata", _one(wide=5120, cache=160), "Hai ricavato la larghezza di una head da hidden_size / num_attention_heads, cioè 80. È scritta: 128."),
            Misconception("head_dim ricavata, e solo le key", _one(wide=5120, cache=80), "Hai ricavato head_dim dalla divisione (è scritta: 128), e contato le sole key, o un byte per numero."),
            Misconception("head_dim ricavata nella cache", _one(cache=160), "Il resto è giusto. Nella cache hai usato head larghe 80: head_dim è 128."),
            Misconception("una per gruppo", _one(group=1), "Il resto è giusto. 64 query head per 8 head di key: otto ciascuna."),
            Misconception("una head sola", _one(wide=128), "Il resto è giusto. 128 è una head sola: in fila sono 64."),
            Misconception("dimenticato il 2", _one(cache=128), "Il resto è giusto. Ogni token aggiunge una key *e* un value, e ogni numero occupa due byte: è il doppio."),
            Misconception("numeri, non byte", _one(cache=131072), "Il resto è giusto. La cache è chiesta in KiB: vanno contati i byte, e divisi per 1024."),
            Misconception("in byte", _one(cache=262144), "Il resto è giusto. Hai dato i byte: la domanda chiede i KiB, 1024 byte ciascuno."),
            Misconception("in KB", _one(cache=262.144), "Il resto è giusto. Hai diviso per mille: un KiB sono 1024 byte."),
            Misconception("query head nella cache", _one(cache=2048), "Il resto è giusto. Nella cache ci sono le head di key e value, non le query head."),
            Misconception("un layer", _one(cache=4), "Il resto è giusto. Hai contato un layer solo: la cache è di tutti."),
            Misconception("gruppi per head", _one(group=64), "Il resto è giusto. Le query head sono 64 in tutto: si dividono fra 8 head di key."),
            Misconception("MHA", _one(family="MHA"), "Il resto è giusto. Le head di key sono meno delle query head, e più di una: è GQA."),
            Misconception("MQA", _one(family="MQA"), "Il resto è giusto. MQA vuol dire una head di key sola: qui sono otto."),
            Misconception("solo le head di key", _one(wide=1024), "Il resto è giusto. 1024 è la larghezza delle head di key in fila: la domanda chiede le query head."),
        ),
        praise="È Qwen3 32B. Le query head in fila sono più larghe del modello: WO le riporta a 5120.",
    ),
    Exercise(
        id="11.4", title="Seconda scheda", kind="leggi la tabella", stars=2, minutes=8,
        statement="hidden_size 2048, num_hidden_layers 18, num_attention_heads 8, num_key_value_heads 1, head_dim 256, intermediate_size 16384, vocab_size 256000, tie_word_embeddings true. Feed-forward a tre matrici, due norme per layer e una finale, nessun bias. "
                  "Restituisci un dizionario: \"attenzione\", \"parametri\" (un intero), \"quota degli embedding\" (in percentuale dei parametri).",
        reference=_second, rtol=0.0, atol=0.15,
        misconceptions=(
            Misconception("embedding due volte", _two(count=_GEMMA + _TABLE, share=200 * _TABLE / (_GEMMA + _TABLE)), "Hai contato la tabella due volte: `tie_word_embeddings` è vero, e la stessa matrice serve per entrare e per uscire."),
            Misconception("embedding due volte, quota di uno", _two(count=_GEMMA + _TABLE, share=100 * _TABLE / (_GEMMA + _TABLE)), "Hai contato la tabella due volte: `tie_word_embeddings` è vero, e la stessa matrice serve per entrare e per uscire."),
            Misconception("due matrici", _two(count=_GEMMA - 18 * 2048 * 16384, share=100 * _TABLE / (_GEMMA - 18 * 2048 * 16384)), "Nella feed-forward ne hai contate due: sono tre."),
            Misconception("senza norme", _two(count=_GEMMA - 37 * 2048, share=100 * _TABLE / (_GEMMA - 37 * 2048)), "Mancano le norme: due per layer e una finale, 37 in tutto, larghe 2048."),
            Misconception("senza norma finale", _two(count=_GEMMA - 2048, share=100 * _TABLE / (_GEMMA - 2048)), "Manca la norma finale, 2048 numeri."),
            Misconception("key larghe come le query", _two(count=_GEMMA + 18 * 2 * 2048 * 7 * 256, share=100 * _TABLE / (_GEMMA + 18 * 2 * 2048 * 7 * 256)), "Hai contato WK e WV larghe quanto WQ: la head di key è una sola, larga 256."),
            Misconception("una norma per layer", _two(count=_GEMMA - 18 * 2048, share=100 * _TABLE / (_GEMMA - 18 * 2048)), "Hai contato una norma per layer: sono due."),
            Misconception("senza WO", _two(count=_GEMMA - 18 * 2048 * 2048, share=100 * _TABLE / (_GEMMA - 18 * 2048 * 2048)), "Manca WO: la misura è quella di WQ."),
            Misconception("senza WV", _two(count=_GEMMA - 18 * 2048 * 256, share=100 * _TABLE / (_GEMMA - 18 * 2048 * 256)), "Manca WV: ogni head di key ha anche un value."),
            Misconception("MHA", _two(family="MHA"), "Il resto è giusto. Una head di key sola per 8 query head: MQA."),
            Misconception("in miliardi", _two(count=_GEMMA / 1e9), "Il resto è giusto. I parametri sono chiesti come numero intero, non in miliardi."),
            Misconception("embedding due volte, quota giusta", _two(count=_GEMMA + _TABLE), "La quota è giusta. Nel totale però la tabella è contata due volte: `tie_word_embeddings` è vero."),
            Misconception("approssimati", _two(count=2.5e9), "Il resto è giusto. 2,5 miliardi è il numero arrotondato: qui serve l'intero, fino all'ultima cifra."),
            Misconception("GQA", _two(family="GQA"), "Il resto è giusto. Con una head di key sola si chiama MQA."),
            Misconception("frazione", _two(share=_TABLE / _GEMMA), "Il resto è giusto. La quota è chiesta in percentuale: moltiplica per cento."),
            Misconception("senza embedding", _two(count=_GEMMA - _TABLE, share=100 * _TABLE / (_GEMMA - _TABLE)), "Hai lasciato fuori gli embedding dal totale: contano anche loro, una volta."),
        ),
        praise="È Gemma 2B: un parametro su cinque sta nella tabella dei token. Il nome dice 2 miliardi; i parametri sono 2,5.",
    ),
    Exercise(
        id="11.5", title="Terza scheda", kind="leggi la tabella", stars=2, minutes=8,
        statement="Un modello ha 64 layer, 40 query head e 8 head di key larghe 128. Tre layer su quattro guardano una finestra di 4096 token, il quarto tutto il passato. Quanti GiB di KV cache occupa una sequenza di 65.536 token, a due byte per numero? "
                  "E quante volte meno che se tutti i layer guardassero tutto? Restituisci un dizionario con \"GiB\" e \"quante volte meno\", ciascuno con almeno due decimali.",
        reference=_three(_CACHE, _WHOLE / _CACHE), rtol=0.0, atol=0.011,
        misconceptions=(
            Misconception("tutti globali", _three(_WHOLE, 1.0), "Hai contato tutti i layer come globali: tre su quattro tengono solo la loro finestra."),
            Misconception("solo i globali", _three(4.0, 4.0), "Hai contato solo i layer globali: anche gli altri tengono la loro finestra, 4096 token ciascuno."),
            Misconception("tutti locali", _three(1.0, 16.0), "Hai contato tutti i layer come locali: uno su quattro tiene tutto."),
            Misconception("rovesciato", _three(48 * 4096 * 65536 / GIB + 16 * 4096 * 4096 / GIB, 16 / (48 * 4096 * 65536 / GIB + 16 * 4096 * 4096 / GIB)), "Hai scambiato le parti: i layer globali sono uno su quattro, non tre."),
            Misconception("query head", _three(5 * _CACHE, _WHOLE / _CACHE), "Il rapporto è giusto. L'altro numero usa le query head: nella cache ci sono le 8 head di key e value."),
            Misconception("dimenticato il 2", _three(_CACHE / 2, _WHOLE / _CACHE), "Il rapporto è giusto. L'altro numero è la metà: ogni token aggiunge una key e un value, e ogni numero occupa due byte."),
            Misconception("in GB", _three(_CACHE * GIB / 1e9, _WHOLE / _CACHE), "Il rapporto è giusto. L'altro numero è in GB, miliardi di byte: un GiB sono 2³⁰ byte."),
            Misconception("rapporto rovesciato", _three(_CACHE, _CACHE / _WHOLE), "I GiB sono giusti. L'altro numero è rovesciato: quante volte *meno* è maggiore di uno."),
            Misconception("il risparmio", _three(_CACHE, 100 - 100 * _CACHE / _WHOLE), "I GiB sono giusti. L'altro numero è il risparmio, in percentuale: la domanda chiede quante volte meno."),
            Misconception("il risparmio, come frazione", _three(_CACHE, 1 - _CACHE / _WHOLE), "I GiB sono giusti. L'altro numero è il risparmio: la domanda chiede quante volte meno."),
            Misconception("una percentuale", _three(_CACHE, 100 * _CACHE / _WHOLE), "I GiB sono giusti. L'altro numero è una percentuale: la domanda chiede 16 diviso 4,75."),
            Misconception("una differenza", _three(_CACHE, _WHOLE - _CACHE), "I GiB sono giusti. L'altro numero è una differenza: la domanda chiede un rapporto."),
            Misconception("in MiB", _three(_CACHE * 1024, _WHOLE / _CACHE), "Il rapporto è giusto. L'altro numero è in MiB: la domanda chiede i GiB."),
            Misconception("in byte", _three(_CACHE * GIB, _WHOLE / _CACHE), "Il rapporto è giusto. L'altro numero è in byte: la domanda chiede i GiB."),
            Misconception("quattro volte", _three(_CACHE, 4.0), "I GiB sono giusti. Il rapporto non è quattro, perché anche le finestre occupano posto."),
            Misconception("due scambi", _three(_WHOLE / _CACHE, _CACHE), "I due numeri sono giusti, ma scambiati: guarda a quale chiave va ciascuno."),
            Misconception("una cifra sola", _three(4.8, 3.4), "Sono i numeri giusti, arrotondati a una cifra: qui ne servono due."),
            Misconception("una cifra nel primo", _three(4.8, _WHOLE / _CACHE), "Il rapporto è giusto. L'altro numero è arrotondato a una cifra: qui ne servono due."),
            Misconception("una cifra nel secondo", _three(_CACHE, 3.4), "I GiB sono giusti. L'altro numero è arrotondato a una cifra: qui ne servono due."),
        ),
        praise="È Olmo 3 32B. Più il contesto è lungo, più il rapporto si avvicina a quattro.",
    ),
    Exercise(
        id="11.6", title="Quarta scheda", kind="leggi la tabella", stars=3, minutes=10,
        statement="Un modello a esperti: 24 layer, e in ogni layer 32 esperti, di cui ogni token usa 4. Un esperto ha 24.891.840 parametri. In tutto i parametri sono 20.914.757.184, di cui 579.133.440 nell'embedding d'ingresso, che è una lettura e non un prodotto. "
                  "Quanti parametri usa un token, escluso l'embedding d'ingresso, in miliardi? E quale percentuale del totale? Restituisci un dizionario con \"miliardi\" e \"percentuale\", ciascuno con almeno due decimali.",
        reference=_four(_ACTIVE, 100 * _ACTIVE / _TOTAL), rtol=0.0, atol=0.008,  # 3,61 e 17,26, il rapporto fra i numeri arrotondati, vanno bene; 3,6 no
        misconceptions=(
            Misconception("con l'embedding", _four(_ACTIVE + _INPUT, 100 * (_ACTIVE + _INPUT) / _TOTAL), "Hai tolto gli esperti non usati, ma non l'embedding d'ingresso: di quella tabella un token legge una riga."),
            Misconception("solo gli esperti attivi", _four(24 * 4 * _EXPERT, 100 * 24 * 4 * _EXPERT / _TOTAL), "Hai contato solo gli esperti usati: ci sono anche l'attenzione, chi sceglie gli esperti e la matrice dei logit."),
            Misconception("un ottavo", _four(_TOTAL / 8, 12.5), "Un ottavo vale solo per gli esperti: il resto del modello lo usa ogni token."),
            Misconception("esperti di un layer", _four(_TOTAL - 28 * _EXPERT - _INPUT, 100 * (_TOTAL - 28 * _EXPERT - _INPUT) / _TOTAL), "Hai tolto gli esperti non usati di un layer solo: i layer sono 24."),
            Misconception("quattro esperti tolti", _four(_TOTAL - 24 * 4 * _EXPERT - _INPUT, 100 * (_TOTAL - 24 * 4 * _EXPERT - _INPUT) / _TOTAL), "Hai tolto i 4 esperti usati: vanno tolti gli altri 28."),
            Misconception("tolte due tabelle", _four(_ACTIVE - _INPUT, 100 * (_ACTIVE - _INPUT) / _TOTAL), "Hai tolto due tabelle: la matrice dei logit è un prodotto, e la usa ogni token."),
            Misconception("tolti tutti gli esperti", _four(_ACTIVE - 24 * 4 * _EXPERT, 100 * (_ACTIVE - 24 * 4 * _EXPERT) / _TOTAL), "Hai tolto tutti gli esperti: 4 per layer si usano."),
            Misconception("gli esperti spenti", _four(24 * 28 * _EXPERT, 100 * 24 * 28 * _EXPERT / _TOTAL), "Hai contato gli esperti che non si usano."),
            Misconception("in parametri", _four(_ACTIVE * 1e9, 100 * _ACTIVE / _TOTAL), "La percentuale è giusta. L'altro numero è chiesto in miliardi."),
            Misconception("frazione", _four(_ACTIVE, _ACTIVE / _TOTAL), "I miliardi sono giusti. L'altro numero è chiesto in percentuale."),
            Misconception("percentuale senza embedding", _four(_ACTIVE, 100 * _ACTIVE / (_TOTAL - _INPUT)), "I miliardi sono giusti. La percentuale è del totale, embedding compreso."),
            Misconception("la parte spenta", _four(_ACTIVE, 100 - 100 * _ACTIVE / _TOTAL), "I miliardi sono giusti. La percentuale è di ciò che non si usa: la domanda chiede il resto."),
            Misconception("una cifra sola", _four(3.6, 17.3), "Sono i numeri giusti, arrotondati a una cifra: qui ne servono due."),
            Misconception("una cifra nel primo", _four(3.6, 100 * _ACTIVE / _TOTAL), "La percentuale è giusta. L'altro numero è arrotondato a una cifra: qui ne servono due."),
            Misconception("una cifra nel secondo", _four(_ACTIVE, 17.3), "I miliardi sono giusti. L'altro numero è arrotondato a una cifra: qui ne servono due."),
        ),
        praise="È gpt-oss 20B: in memoria ne servono 20,9 miliardi, ma ogni token ne usa 3,6. I conti sono quelli di un modello piccolo, la memoria no.",
    ),
    Exercise(
        id="11.7", title="La voce che non torna", kind="trova il bug", stars=3, minutes=10,
        statement="Una scheda di Llama 2 7B: layer 32, larghezza 4096, FFN 11.008, query head 32, head di key 8, vocabolario 32.000. Una voce è sbagliata. I pesi pubblicati hanno 6.738.415.616 parametri: tre matrici nella feed-forward, embedding e logit separati, "
                  "nessun bias, head larghe 128. E la KV cache, a due byte per numero, è di 512 KiB per token. Restituisci un dizionario: \"colonna\", il nome della colonna sbagliata, e \"valore\", quello giusto.",
        reference=lambda: {"colonna": "head di key", "valore": 32},
        misconceptions=(
            Misconception("il valore sbagliato", lambda: {"colonna": "head di key", "valore": 8}, "La colonna è giusta, il valore è quello della scheda: i parametri che mancano dicono quante sono davvero."),
            Misconception("un altro nome", lambda: {"colonna": "head di key e value", "valore": 32}, "È quella, ed è 32. Scrivila con il nome che ha in questa tabella: «head di key»."),
            Misconception("il nome del config.json", lambda: {"colonna": "num_key_value_heads", "valore": 32}, "È quella, ed è 32. Scrivila con il nome che ha in questa tabella: «head di key»."),
            Misconception("il nome del codice", lambda: {"colonna": "n_kv_heads", "valore": 32}, "È quella, ed è 32. Scrivila con il nome che ha in questa tabella: «head di key»."),
            Misconception("la voce com'è", lambda: {"colonna": "query head", "valore": 32}, "Le query head nella scheda sono già 32: così non cambia nulla. Quale colonna decide la cache?"),
            Misconception("una head di key sola", lambda: {"colonna": "head di key", "valore": 1}, "La colonna è giusta. Con una head i parametri calerebbero ancora: ne mancano, e le head devono essere di più."),
            Misconception("la FFN", lambda: {"colonna": "FFN", "valore": 13056}, "I parametri tornerebbero anche così. La cache no: con 8 head di key sarebbe di 128 KiB per token, e non di 512."),
            Misconception("il vocabolario", lambda: {"colonna": "vocabolario", "valore": 130304}, "I parametri tornerebbero anche così. La cache no: con 8 head di key sarebbe di 128 KiB per token, e non di 512."),
            Misconception("più query head", lambda: {"colonna": "query head", "valore": 56}, "I parametri tornerebbero. La cache no: con 8 head di key resta di 128 KiB per token."),
            Misconception("i layer", lambda: {"colonna": "layer", "valore": 128}, "La cache tornerebbe. I parametri no: con 128 layer sarebbero più del triplo."),
            Misconception("sedici", lambda: {"colonna": "head di key", "valore": 16}, "La colonna è giusta. Con 16 la cache è di 256 KiB: la metà."),
            Misconception("più head ancora", lambda: {"colonna": "head di key", "valore": 64}, "La colonna è giusta. Le head di key non possono essere più delle query head."),
            Misconception("le query head", lambda: {"colonna": "query head", "valore": 8}, "La cache non dipende dalle query head: quante head di key servono per 512 KiB per token?"),
        ),
        praise="Llama 2 7B è MHA: 32 head di key. Con 8 mancherebbero più di ottocento milioni di parametri. L'errore si trova anche in un elenco del produttore.",
    ),
)
