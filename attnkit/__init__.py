"""attnkit: il pacchetto che accompagna il corso sulla self-attention.

Ogni modulo contiene una sola idea, e si importa dal basso verso l'alto:

===========  ==============================================================
shapes       il glossario delle dimensioni e i controlli, con errori chiari
reference    l'attenzione in NumPy, riga per riga: la versione da leggere
masks        chi può guardare chi: maschere booleane, True = visibile
language     la mini-lingua italiana: parole, concordanze, frasi a caso
attention    l'attenzione veloce ed esatta, intera o a pezzi da riunire
config       le misure dei modelli veri, con la fonte di ciascuna
costs        parametri, FLOP e byte, contati da quelle misure
rope         la posizione come rotazione di query e key
layers       multi-head attention, KV cache, RMSNorm e SwiGLU, con i tagli per gli esperimenti
toy          il modello che l'ha davvero imparata, con i suoi pesi
ring         la stessa attenzione divisa fra più processi, in cerchio
llama        Llama 3.1 intero, che legge i pesi pubblicati
plots        le figure del corso
exercises    gli esercizi, con un riscontro che riconosce gli errori tipici
===========  ==============================================================
"""

__version__ = "0.1.0"
