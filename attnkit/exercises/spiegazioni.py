"""Le eccezioni più comuni, spiegate in italiano a chi le incontra le prime volte.

Ogni voce è (tipo, espressione regolare, spiegazione): la prima che corrisponde parla. Più tipi sono separati da
«|». Nelle spiegazioni {0}, {1}… sono i gruppi dell'espressione. I messaggi sono quelli di Python 3.11–3.14, di
NumPy e di torch.
"""

import re

_RULES = (
    ("RecursionError", r"", "La funzione chiama sé stessa senza fermarsi mai."),
    ("MemoryError", r"",
     "Serve più memoria di quanta ce n'è: cerca un array molto più grande del necessario."),
    ("SystemExit", r"",
     "La funzione chiude il programma (`sys.exit` o `exit`): qui basta restituire il risultato."),
    ("KeyboardInterrupt", r"",
     "La funzione solleva da sé l'interruzione che di solito viene dalla tastiera."),
    ("TypeError", r"'(\w+)' object is not callable",
     "Hai messo le parentesi dopo un oggetto di tipo {0}, che non è una funzione: forse manca un operatore "
     "(`*` o `@`), o una tua variabile ha preso il nome di una funzione."),
    ("TypeError", r"'NoneType' object|NoneType",
     "Una variabile vale None: spesso è il risultato di una funzione che ha dimenticato `return`, o che modifica "
     "sul posto e non restituisce nulla (come `np.fill_diagonal` o `.sort`)."),
    ("TypeError", r"must be Tensor, not (?:numpy\.)?ndarray|got \(?(?:numpy\.)?ndarray",
     "Una funzione di torch ha ricevuto un array di NumPy: convertilo con `torch.from_numpy`, oppure usa la "
     "funzione corrispondente di NumPy."),
    ("TypeError", r"unexpected keyword argument '(?:dim|keepdim)'",
     "In NumPy si scrive `axis` e `keepdims`: `dim` e `keepdim` sono i nomi di torch."),
    ("TypeError", r"only int indices permitted",
     "Qui serve una posizione, cioè un intero: la dà `argmax`. `max` dà invece il valore."),
    ("TypeError", r"(\w+)\(\) (?:takes|missing|got an unexpected)",
     "La chiamata di `{0}` non va d'accordo con i suoi argomenti: contali e controllane i nomi."),
    ("TypeError", r"unsupported operand type\(s\) for (.+?): '(.+?)' and '(.+?)'",
     "L'operatore `{0}` non sa lavorare con {1} e {2}."),
    ("TypeError", r"list indices must be integers",
     "Una lista si indicizza con interi: per righe e colonne serve un array."),
    ("TypeError", r"only (?:length-1|0-dimensional|integer scalar) arrays",
     "Qui serve un numero solo (o un indice intero), e hai dato un array."),
    ("TypeError", r"can't convert cuda", "Il tensore è su un altro dispositivo: riportalo con `.cpu()`."),
    ("IndexError", r"index (-?\d+) is out of bounds for (?:axis|dimension) (\d+) with size (\d+)",
     "Hai chiesto l'indice {0} su un asse lungo {2}: gli indici partono da 0 e l'ultimo vale la "
     "lunghezza meno 1."),
    ("IndexError", r"boolean index did not match|shape of the mask",
     "La maschera di booleani e l'array che indicizza non hanno la stessa shape: su ogni asse che usa, la maschera "
     "dev'essere lunga quanto l'array."),
    ("IndexError", r"too many indices .*?(\d+)[- ]dim\w*, but (\d+) were",
     "Hai usato {1} indici su un array che ha {0} assi."),
    ("IndexError", r"list index out of range|tuple index out of range",
     "Hai chiesto una posizione che non c'è: gli indici partono da 0."),
    ("IndexError", r"Dimension out of range", "Hai chiesto un asse che il tensore non ha."),
    ("AxisError", r"axis (-?\d+) is out of bounds for array of dimension (\d+)",
     "Hai chiesto l'asse {0} a un array che ha {1} assi: si contano da 0, o da -1 partendo dal fondo."),
    ("ValueError", r"Output operand|non-broadcastable output",
     "Un'operazione sul posto (`@=`, `+=`…) riscrive l'array di partenza, che ha un'altra shape: assegna il "
     "risultato a un nome nuovo."),
    ("ValueError|IndexError|RuntimeError",
     r"zero-size array to reduction|empty sequence|iterable argument is empty|input\.numel\(\) == 0",
     "Hai chiesto il massimo o il minimo di nulla: qui l'array è vuoto. Guarda la fetta o la condizione che lo "
     "ritaglia: forse comincia dove finisce, o esclude tutto."),
    ("ValueError", r"matmul: .*\(size (\d+) is different from (\d+)\)",
     "In `A @ B` l'ultimo asse di A deve essere lungo quanto il penultimo di B: qui sono {1} e {0}. "
     "Scrivi le due shape accanto e guarda quale trasporre."),
    ("ValueError", r"matmul: Input operand (\d) does not have enough dimensions",
     "`@` vuole array con almeno un asse: uno dei due è un numero solo."),
    ("ValueError", r"shapes \((.+?)\) and \((.+?)\) not aligned: (\d+) .*? != (\d+)",
     "Nel prodotto fra shape ({0}) e ({1}) gli assi vicini sono lunghi {2} e {3}, e dovrebbero coincidere."),
    ("RuntimeError", r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)",
     "Nel prodotto fra ({0}, {1}) e ({2}, {3}) gli assi vicini sono lunghi {1} e {2}, e dovrebbero "
     "coincidere."),
    ("RuntimeError", r"size mismatch|Expected size for first two dimensions",
     "In `A @ B` l'ultimo asse di A deve essere lungo quanto il penultimo di B."),
    ("RuntimeError", r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
     "Due tensori si combinano elemento per elemento solo se gli assi coincidono o sono lunghi 1: "
     "qui sono {0} e {1}."),
    ("ValueError", r"all the input arrays must have same number of dimensions",
     "Per mettere in fila due array servono tanti assi uguali: un vettore solo diventa una riga con `k[None]`, una "
     "colonna con `k[:, None]`. `np.vstack` fa da sé con le righe."),
    ("ValueError", r"all the input array dimensions .*must match exactly",
     "Si mettono in fila array che, tolto l'asse su cui si allungano, hanno la stessa shape. Scegli l'asse con "
     "`axis`, e guarda se quello che aggiungi è una riga o una colonna."),
    ("ValueError", r"operands could not be broadcast together with remapped shapes",
     "In `A @ B` gli assi prima degli ultimi due si combinano solo se coincidono o sono lunghi 1: guarda quante "
     "tabelle ci sono da una parte e quante dall'altra."),
    ("ValueError", r"operands could not be broadcast together with shapes (.*)",
     "Due array si combinano elemento per elemento solo se gli assi, contati dal fondo, coincidono "
     "o sono lunghi 1: "
     "qui le shape sono {0}."),
    ("ValueError", r"could not broadcast input array from shape (\(.*?\)) into shape (\(.*?\))",
     "Stai scrivendo un array di shape {0} in un posto di shape {1}: guarda con quale shape hai creato l'array che "
     "riempi."),
    ("ValueError", r"cannot reshape array of size (\d+) into shape (\(.*\))",
     "La shape {1} non contiene {0} elementi: `reshape` non ne aggiunge e non ne toglie."),
    ("RuntimeError", r"shape '(.+?)' is invalid for input of size (\d+)",
     "La shape {0} non contiene {1} elementi: `reshape` non ne aggiunge e non ne toglie."),
    ("RuntimeError", r"view size is not compatible",
     "`view` non sa leggere un tensore trasposto: usa `reshape`, oppure `.contiguous()` prima."),
    ("RuntimeError", r"same dtype|expected scalar type|must have the same dtype",
     "I due tensori hanno tipi diversi (per esempio float64 e float32): portali allo stesso con `.to(...)`."),
    ("RuntimeError", r"requires grad",
     "Il tensore porta con sé i gradienti: usa `.detach()` prima di passarlo a NumPy."),
    ("RuntimeError", r"Expected all tensors to be on the same device",
     "I tensori sono su dispositivi diversi."),
    ("ValueError", r"truth value of an? .*ambiguous|Boolean value of Tensor",
     "Un array, preso tutto insieme, non è vero né falso: in un `if` usa `.any()` o `.all()`, per scegliere "
     "elemento per elemento "
     "usa `np.where`."),
    ("RuntimeError", r"Boolean value of Tensor",
     "Un tensore, preso tutto insieme, non è vero né falso: in un `if` usa `.any()` o `.all()`, altrimenti `torch.where`."),
    ("ValueError", r"all input arrays must have the same shape",
     "`np.stack` vuole array tutti della stessa shape."),
    ("ValueError", r"array split does not result in an equal division",
     "I pezzi non vengono uguali: controlla l'asse del taglio, e che il numero dei pezzi divida la sua lunghezza."),
    ("ValueError", r"inhomogeneous shape|setting an array element with a sequence",
     "Le righe non sono tutte lunghe uguali (o al posto di un numero c'è una sequenza): non formano "
     "un array."),
    ("ValueError", r"(?:not enough|too many) values to unpack",
     "A sinistra dell'uguale ci sono più nomi, o meno, dei valori a destra."),
    ("ValueError", r"einsum|einstein|output subscript|operand has (?:more|fewer)",
     "In `einsum` ogni array vuole tante lettere quanti sono i suoi assi."),
    ("UnboundLocalError", r"local variable '(\w+)'",
     "Usi la variabile `{0}` prima di averle dato un valore nella funzione."),
    ("NameError", r"name '(\w+)' is not defined",
     "Il nome `{0}` non esiste: controlla come è scritto, o esegui prima la cella che lo definisce."),
    ("AttributeError", r"'numpy\.ndarray' object has no attribute '(\w+)'",
     "Gli array di NumPy non hanno `{0}`: forse è un metodo dei tensori di torch, e qui serve una funzione."),
    ("AttributeError", r"'list' object has no attribute '(\w+)'",
     "Una lista non ha `{0}`: convertila prima con `np.array`."),
    ("AttributeError", r"module '([\w.]+)' has no attribute '(\w+)'",
     "In `{0}` non c'è niente che si chiami `{1}`."),
    ("AttributeError", r"'NoneType'",
     "Una variabile vale None: spesso è il risultato di una funzione che ha dimenticato `return`, o che modifica "
     "sul posto e non restituisce nulla (come `np.fill_diagonal` o `.sort`)."),
    ("AttributeError", r"has no attribute '(\w+)'",
     "Questo oggetto non ha `{0}`: controlla il nome, o il tipo dell'oggetto."),
    ("KeyError", r"(.+)", "Nel dizionario non c'è la chiave {0}."),
    ("OverflowError", r"float infinity to integer",
     "Un infinito non può diventare un intero: guarda da quale divisione, o da quale esponenziale, viene."),
    ("OverflowError", r"out of bounds for",
     "Quell'intero non ci sta nel tipo scelto per l'array: usa un tipo più largo, come `np.int64`."),
    ("OverflowError", r"",
     "Un risultato è troppo grande per il suo formato. Di solito è un esponenziale: togli prima il massimo dai "
     "punteggi, o prendi l'esponenziale di una differenza."),
    ("ZeroDivisionError", r"", "C'è una divisione per zero."),
    ("AssertionError", r"", "Un tuo `assert` non è vero."),
    ("ModuleNotFoundError", r"No module named '(.+?)'",
     "Il modulo {0} non è installato qui, o il nome è scritto male."),
)


def explain(type_names, message):
    """La spiegazione di un'eccezione; testo vuoto se non ne abbiamo una.

    Args:
        type_names: il nome della sua classe e delle classi da cui deriva, dalla più vicina.
        message: il suo testo.
    """
    for names, pattern, text in _RULES:
        if not set(names.split("|")).isdisjoint(type_names):
            found = re.search(pattern, message)
            if found:
                return text.format(*found.groups())
    return ""
