"""Un piccolissimo transformer che impara la mini-lingua: un layer, una head, D = 8, nessuna feed-forward.

Q, K e V sono matrici 7 × 8, e stanno in una pagina: così ogni passo si può seguire a mano, su numeri
imparati. I pesi addestrati viaggiano con il pacchetto. Da riga di comando:

    python -m attnkit.toy              riaddestra tutti i modelli e ne riscrive i pesi
    python -m attnkit.toy esempio      solo il modello d'esempio
    python -m attnkit.toy --semi 20    addestra venti modelli, ciascuno da un seme, e ne stampa la dispersione

==============  =================================================================
modello         com'è fatto: embedding, posizioni, layer, logit
addestramento   come impara, e come si prova su ciò che non ha mai visto
archivio        i pesi che viaggiano con il pacchetto
traccia         una frase seguita un passo per riga, in NumPy
==============  =================================================================
"""

from attnkit.toy.addestramento import SHIPPED_SEED, Evaluation, accuracy, evaluate, learn, train
from attnkit.toy.archivio import SHIPPED, SPARSE, load, load_echoes, load_model, load_recalls, load_sparse, load_weights, save
from attnkit.toy.modello import ToyTransformer
from attnkit.toy.traccia import Trace, rms_norm, trace

__all__ = ["SHIPPED", "SHIPPED_SEED", "SPARSE", "Evaluation", "ToyTransformer", "Trace", "accuracy", "evaluate", "learn", "load", "load_echoes",
           "load_model", "load_recalls", "load_sparse", "load_weights", "rms_norm", "save", "trace", "train"]
