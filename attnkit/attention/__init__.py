"""L'attenzione veloce ed esatta: gli stessi numeri di `reference`, senza scrivere la matrice T × T.

Un *pattern* dice chi vede chi e sceglie la strada più corta per calcolarlo. `attention` controlla le
shape e lascia fare al pattern; il conto vero lo fa il kernel fuso di torch, che legge le key a blocchi e
non conserva mai i punteggi. `partial_attention` e `merge` sono l'altra metà dell'idea: l'attenzione su
una parte delle key, e come si uniscono due parti senza rifare i conti.

============  ===================================================================
pattern       chi vede chi: Full, Causal, e la strada più corta per ciascuno
sparsi        Window, BlockLocal, Strided, Fixed: meno coppie, meno lavoro
griglia       la sequenza piegata in blocchi e colonne, da cui passano gli ultimi tre
fuso          i kernel fusi di torch, con e senza log-sum-exp
parziale      partial_attention e merge; i pesi per esteso
controlli     gli errori, con i valori trovati e attesi
============  ===================================================================

Qui si controllano shape, dtype e device, mai i valori: quelli li legge `reference`.
"""

from attnkit.attention.controlli import check_inputs
from attnkit.attention.parziale import attention_weights, merge, partial_attention
from attnkit.attention.pattern import Causal, Full, Pattern
from attnkit.attention.sparsi import BlockLocal, Fixed, Strided, Window

__all__ = ["attention", "attention_weights", "partial_attention", "merge", "Pattern", "Full", "Causal", "Window", "Strided", "Fixed", "BlockLocal"]


def attention(q, k, v, pattern=Causal(), *, scale=None):
    """softmax(q kᵀ·scale, con il pattern) v, per tutte le head insieme.

    Con meno head di key e value che di query, ognuna serve un gruppo di query head consecutive
    (grouped-query attention), e non viene copiata.

    Args:
        q: query, shape (B, Hq, Tq, Dh).
        k, v: key e value, shape (B, Hkv, Tk, Dh), con Hkv che divide Hq.
        pattern: chi vede chi. Se Tk > Tq, le query sono le ultime Tq posizioni.
        scale: il fattore che moltiplica i prodotti scalari; None = 1/√Dh.

    Returns:
        Un vettore per ogni query di ogni head, shape (B, Hq, Tq, Dh).

    Raises:
        ValueError: se shape, dtype o device non si accordano, `scale` non è un numero finito o il
            pattern non ammette quelle lunghezze.

    Fonte:
        Vaswani et al. 2017, arXiv 1706.03762, Eq. 1; Dao et al. 2022, arXiv 2205.14135, per il calcolo a
        blocchi; Ainslie et al. 2023, arXiv 2305.13245, per i gruppi.
    """
    check_inputs(q, k, v, scale)
    if not isinstance(pattern, Pattern):
        raise ValueError(f"pattern: mi aspettavo un pattern, per esempio Causal(), ho trovato {pattern!r}")
    if k.shape[2] == 0:
        raise ValueError("k: mi aspettavo almeno una key, ne ho trovate 0")
    pattern.check_lengths(q.shape[2], k.shape[2])
    return pattern.attend(q, k, v, scale)
