"""L'attenzione veloce ed esatta: gli stessi numeri di `reference`, senza scrivere la matrice T × T.

Un *pattern* dice chi vede chi e sceglie la strada più corta per calcolarlo. `attention` controlla le
shape e lascia fare al pattern; il conto vero lo fa il kernel fuso di torch, che legge le key a blocchi e
non conserva mai i punteggi. `partial_attention` e `merge` sono l'altra metà dell'idea: l'attenzione su
una parte delle key, e come si uniscono due parti senza rifare i conti.

Qui si controllano shape, dtype e device, mai i valori: quelli li legge `reference`.
"""

import math
import numbers
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from attnkit.shapes import divides, positive_int, same_size

QUERY_BLOCK = 256             # righe per volta quando serve una maschera: piccola in memoria, grande per il kernel


# Chi vede chi ---------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Pattern:
    """Chi vede chi. Un pattern nuovo deve dire soltanto `sees` ed `edges`.

    Un pattern che conosce una strada più corta della maschera riscrive anche `attend`.
    """

    def sees(self, i, j):
        """True dove la query in posizione `i` vede la key in posizione `j`; interi o tensori di interi."""
        raise NotImplementedError(f"{type(self).__name__} non dice chi vede chi: manca il metodo sees")

    def edges(self, T):
        """Quante coppie visibili ci sono fra T query e T key: il lavoro da fare."""
        raise NotImplementedError(f"{type(self).__name__} non conta le coppie visibili: manca il metodo edges")

    def mask(self, Tq, Tk=None, *, device=None):
        """Il pattern come maschera, True = visibile.

        Args:
            Tq: quante query.
            Tk: quante key; None = Tq. Se sono di più, le query sono le ultime Tq posizioni.
            device: dove costruirla.

        Returns:
            Booleani torch, shape (Tq, Tk).

        Raises:
            ValueError: se Tq o Tk non sono interi positivi, o se Tq supera Tk.
        """
        Tq = positive_int("Tq", Tq)
        Tk = Tq if Tk is None else positive_int("Tk", Tk)
        self.check_lengths(Tq, Tk)
        i = torch.arange(Tk - Tq, Tk, device=device)[:, None]              # (Tq, 1)
        j = torch.arange(Tk, device=device)                                # (Tk,)
        return self.sees(i, j)

    def check_lengths(self, Tq, Tk):
        """Ogni query dev'essere anche una key: ValueError se Tq supera Tk."""
        if Tq > Tk:
            raise ValueError(f"Tq={Tq} supera Tk={Tk}: con {self} le query sono le ultime Tq delle Tk posizioni")

    def attend(self, q, k, v, scale):
        """L'attenzione a blocchi di query: ogni blocco ignora le key del proprio futuro e maschera le altre."""
        Tq, Tk = q.shape[2], k.shape[2]
        outputs = []
        for start in range(0, Tq, QUERY_BLOCK):
            stop = min(start + QUERY_BLOCK, Tq)
            n_keys = Tk - Tq + stop                                        # fino all'ultima query del blocco
            mask = self.mask(stop - start, n_keys, device=q.device)[None, None]
            outputs.append(_fused(q[:, :, start:stop], k[:, :, :n_keys], v[:, :, :n_keys], scale, attn_mask=mask))
        return torch.cat(outputs, dim=2)                                   # (B, Hq, Tq, Dh)


@dataclass(frozen=True)
class Full(Pattern):
    """Ogni query vede ogni key, futuro compreso. È l'attenzione di un encoder.

    Fonte: Vaswani et al. 2017, arXiv 1706.03762, §3.2.3. Si costruisce nel capitolo 3.
    """

    def sees(self, i, j):
        return (i == i) & (j == j)                                         # sempre, con la shape giusta

    def edges(self, T):
        return positive_int("T", T) ** 2

    def check_lengths(self, Tq, Tk):
        """Qui le posizioni non contano: ogni lunghezza va bene."""

    def attend(self, q, k, v, scale):
        """Senza maschera le query head di un gruppo sono solo altre query: le key si leggono una volta."""
        B, Hq, Tq, Dh = q.shape
        Hkv = k.shape[1]
        output = _fused(q.reshape(B, Hkv, -1, Dh), k, v, scale)            # (B, Hkv, G·Tq, Dh)
        return output.reshape(B, Hq, Tq, Dh)


@dataclass(frozen=True)
class Causal(Pattern):
    """Ogni query vede sé stessa e ciò che la precede. È l'attenzione di un decoder.

    Fonte: Vaswani et al. 2017, arXiv 1706.03762, §3.2.3. Si costruisce nel capitolo 3.
    """

    def sees(self, i, j):
        return j <= i

    def edges(self, T):
        T = positive_int("T", T)
        return T * (T + 1) // 2

    def attend(self, q, k, v, scale):
        """Tre casi: una query sola vede tutto; il quadrato ha un kernel suo; il resto va a blocchi."""
        Tq, Tk = q.shape[2], k.shape[2]
        if Tq == 1:
            return Full().attend(q, k, v, scale)
        if Tq == Tk:                      # con Tq < Tk is_causal conterebbe le query dalla prima posizione
            return _fused(q, k, v, scale, is_causal=True)
        return super().attend(q, k, v, scale)


# L'attenzione intera --------------------------------------------------------------------------------

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
    _check(q, k, v, scale)
    if not isinstance(pattern, Pattern):
        raise ValueError(f"pattern: mi aspettavo un pattern, per esempio Causal(), ho trovato {pattern!r}")
    if k.shape[2] == 0:
        raise ValueError("k: mi aspettavo almeno una key, ne ho trovate 0")
    pattern.check_lengths(q.shape[2], k.shape[2])
    return pattern.attend(q, k, v, scale)


def attention_weights(q, k, *, mask=None, scale=None):
    """I pesi, scritti per esteso: servono per guardare, non per calcolare in fretta.

    Args:
        q, k, mask, scale: come in `partial_attention`.

    Returns:
        Pesi, shape (B, Hq, Tq, Tk). Ogni riga somma a uno; una riga tutta nascosta è fatta di zeri.

    Raises:
        ValueError: come in `partial_attention`.
    """
    _check(q, k, k, scale)
    exponentials, total, _ = _exponentials(_scores(q, k, mask, scale))
    return (exponentials / total).to(q.dtype)


# L'attenzione a pezzi -------------------------------------------------------------------------------

def partial_attention(q, k, v, *, mask=None, scale=None):
    """L'attenzione su una parte delle key, con ciò che serve per unirla alle altre.

    Scrive i punteggi per esteso, (B, Hq, Tq, Tk): i pezzi vanno scelti piccoli.

    Args:
        q: query, shape (B, Hq, Tq, Dh).
        k, v: key e value di questa parte, shape (B, Hkv, Tk, Dh), con Hkv che divide Hq.
        mask: booleani, True = visibile, estendibile a (B, Hq, Tq, Tk); None = tutto visibile.
        scale: il fattore che moltiplica i prodotti scalari; None = 1/√Dh.

    Returns:
        La coppia (output, lse). `output`, shape (B, Hq, Tq, Dh), è l'attenzione su queste sole key. `lse`,
        shape (B, Hq, Tq), è il logaritmo naturale della somma degli esponenziali dei punteggi scalati.
        Una riga senza key visibili dà 0 e -inf. Entrambe sono derivabili.

    Raises:
        ValueError: se shape, dtype o device non si accordano, la maschera non è booleana o `scale` non è
            un numero finito.

    Fonte:
        Milakov e Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135. Si costruisce nel
        capitolo 9.
    """
    _check(q, k, v, scale)
    exponentials, total, lse = _exponentials(_scores(q, k, mask, scale))   # (B, Hq, Tq, Tk), (…, 1), (…)
    rows = exponentials.unflatten(1, (k.shape[1], -1)).flatten(2, 3)       # (B, Hkv, G·Tq, Tk)
    numerator = (rows @ v.to(rows.dtype)).reshape(q.shape)                 # (B, Hq, Tq, Dh)
    return (numerator / total).to(q.dtype), lse


def merge(first, second):
    """Unisce l'attenzione su due gruppi di key: il risultato è quello di tutte le key insieme.

    È ancora attenzione, su due sole "key": i punteggi sono i due lse, i value le due uscite. L'ordine
    non conta, e nemmeno come si associano più unioni.

    Args:
        first, second: coppie (output, lse), shape (…, Dh) e (…), come quelle di `partial_attention`.

    Returns:
        La coppia (output, lse), con le stesse shape. Due gruppi vuoti danno 0 e -inf.

    Raises:
        ValueError: se shape, dtype o device dei due gruppi non si accordano.

    Fonte:
        Milakov e Gimelshein 2018, arXiv 1805.02867. Si costruisce nel capitolo 9.
    """
    (output_a, lse_a), (output_b, lse_b) = first, second
    _same("i due output", output_a, output_b)
    _same("i due lse", lse_a, lse_b)
    if output_a.shape != output_b.shape or lse_a.shape != lse_b.shape or output_a.shape[:-1] != lse_a.shape:
        raise ValueError("merge: mi aspettavo due coppie di shape (…, Dh) e (…), ho trovato "
                         + " e ".join(f"({tuple(o.shape)}, {tuple(l.shape)})" for o, l in (first, second)))
    exponentials, total, lse = _exponentials(torch.stack([lse_a, lse_b], dim=-1))          # (…, 2), (…, 1), (…)
    weight_a, weight_b = (exponentials / total).unsqueeze(-1).unbind(-2)                   # (…, 1), (…, 1)
    return (weight_a * output_a + weight_b * output_b).to(output_a.dtype), lse


# Gli attrezzi ---------------------------------------------------------------------------------------

def _fused(q, k, v, scale, **options):
    """Il kernel fuso. Se l'ultimo asse non è contiguo torna in silenzio alla via lenta: lo si copia prima."""
    q, k, v = (t if t.stride(-1) == 1 else t.contiguous() for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=q.shape[1] != k.shape[1], **options)


def _scores(q, k, mask, scale):
    """I punteggi scalati, almeno in float32, con -inf dove la maschera nasconde: (B, Hq, Tq, Tk)."""
    B, Hq, Tq, Dh = q.shape
    Hkv, Tk = k.shape[1:3]
    wide = torch.promote_types(q.dtype, torch.float32)                     # in bfloat16 un lse avrebbe tre cifre
    q = q.to(wide) * (1 / math.sqrt(Dh) if scale is None else scale)
    scores = q.reshape(B, Hkv, -1, Dh) @ k.to(wide).transpose(2, 3)        # (B, Hkv, G·Tq, Tk): un gruppo per head
    scores = scores.reshape(B, Hq, Tq, Tk)
    if mask is None:
        return scores
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        found = mask.dtype if isinstance(mask, torch.Tensor) else type(mask).__name__
        raise ValueError(f"mask: mi aspettavo booleani torch (True = visibile), ho trovato {found}")
    if mask.device != q.device:
        raise ValueError(f"mask: mi aspettavo il device {q.device}, ho trovato {mask.device}")
    try:
        mask = mask.expand(scores.shape)
    except RuntimeError:
        raise ValueError(f"mask: mi aspettavo una shape estendibile a {tuple(scores.shape)}, ho trovato {tuple(mask.shape)}") from None
    return torch.where(mask, scores, -math.inf)


def _exponentials(scores):
    """Il cuore della softmax, anche dove una riga è tutta -inf: esponenziali, loro somma e suo logaritmo.

    Dai punteggi si toglie il massimo, che poi il logaritmo restituisce. Dove la riga è vuota la somma diventa
    1: così le divisioni danno 0, e nessun gradiente è NaN.
    """
    if scores.shape[-1] == 0:
        shift = scores.new_zeros((*scores.shape[:-1], 1))                  # nessuna key: ogni riga è vuota
    else:
        shift = scores.detach().amax(-1, keepdim=True)                     # (…, 1)
        shift = shift.masked_fill(shift == -math.inf, 0.0)                 # -inf - -inf sarebbe NaN
    exponentials = (scores - shift).exp()                                  # (…, n), al più 1
    total = exponentials.sum(-1, keepdim=True)                             # (…, 1)
    empty = total == 0
    total = total.masked_fill(empty, 1.0)
    lse = (total.log() + shift).masked_fill(empty, -math.inf).squeeze(-1)  # (…)
    return exponentials, total, lse


def _check(q, k, v, scale):
    """Rango, shape, dtype, device e scale; mai i valori."""
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            found = f"elementi {tensor.dtype}" if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise ValueError(f"{name}: mi aspettavo un tensore torch di numeri reali, ho trovato {found}")
        if tensor.dim() != 4:
            raise ValueError(f"{name}: mi aspettavo 4 assi (B, H, T, Dh), ne ho trovati {tensor.dim()} (shape {tuple(tensor.shape)})")
    (B, Hq, Tq, Dh), (Bk, Hkv, Tk, Dk) = q.shape, k.shape
    if 0 in (B, Hq, Tq, Dh, Hkv):
        raise ValueError(f"Mi aspettavo assi non vuoti, ho trovato q {tuple(q.shape)} e k {tuple(k.shape)}")
    same_size("Il batch di q", B, "quello di k", Bk)
    same_size("La larghezza di q", Dh, "quella di k", Dk)
    if k.shape != v.shape:
        raise ValueError(f"k e v devono avere la stessa shape: ho trovato {tuple(k.shape)} e {tuple(v.shape)}")
    divides("Hkv", Hkv, "Hq", Hq)
    _same("q e k", q, k)
    _same("k e v", k, v)
    if scale is not None and (isinstance(scale, bool) or not isinstance(scale, numbers.Real) or not math.isfinite(scale)):
        raise ValueError(f"scale: mi aspettavo un numero finito, ho trovato {scale!r}")


def _same(names, a, b):
    """Pretende lo stesso dtype e lo stesso device."""
    if a.dtype != b.dtype:
        raise ValueError(f"{names} devono avere lo stesso dtype: ho trovato {a.dtype} e {b.dtype}")
    if a.device != b.device:
        raise ValueError(f"{names} devono stare sullo stesso device: ho trovato {a.device} e {b.device}")
