"""Quanto costa l'attenzione di attnkit, in rapporto a pari con un nome. Si lancia per nome, non con la suite:

    python3 strumenti/ambiente.py tests/bench/attention.py              # tutto, un paio di minuti
    python3 strumenti/ambiente.py tests/bench/attention.py MultiHead    # solo le righe che lo contengono

I due di ogni riga corrono alternati, e di ciascuno si tiene il giro più breve: il rapporto è ciò che conta,
perché i millisecondi cambiano da una macchina all'altra. La memoria è quella di picco che una chiamata
aggiunge, misurata in un processo a parte (solo su Linux).
"""

import math
import subprocess
import sys

from misure import best, memory, reset_peak, there_and_back

ROUNDS, SECONDS = 12, 2.0                                     # almeno questi giri, e almeno questo tempo
B, H, Dh = 1, 8, 64


# I pari ---------------------------------------------------------------------------------------------

def sdpa(q, k, v, **options):
    import torch.nn.functional as F
    return F.scaled_dot_product_attention(q, k, v, **{"is_causal": True} | options)


def repeated(q, k, v):
    """SDPA, con le head di key e value ripetute per ogni query head."""
    group = q.shape[1] // k.shape[1]
    return sdpa(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), is_causal=q.shape[2] == k.shape[2])


def with_a_mask(q, k, v):
    """SDPA con una sola maschera rettangolare."""
    import torch
    Tq, Tk = q.shape[2], k.shape[2]
    return sdpa(q, k, v, is_causal=False, attn_mask=torch.ones(Tq, Tk, dtype=torch.bool).tril(Tk - Tq)[None, None])


def naive(q, k, v):
    """La formula per esteso, con le matrici T × T."""
    import torch
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -math.inf).softmax(-1) @ v


def in_two_parts(q, k, v):
    """partial_attention sulle due metà delle key, e merge."""
    from attnkit.attention import merge, partial_attention
    half = k.shape[2] // 2
    return merge(partial_attention(q, k[:, :, :half], v[:, :, :half]), partial_attention(q, k[:, :, half:], v[:, :, half:]))[0]


def in_one_projection(layer):
    """Le stesse uscite del layer, con una proiezione sola per q, k e v, e SDPA."""
    import torch
    import torch.nn.functional as F
    weight = torch.cat([layer.Wq.weight, layer.Wk.weight, layer.Wv.weight]).detach().requires_grad_()

    def forward(x):
        q, k, v = (t.unflatten(-1, (H, Dh)).transpose(1, 2) for t in F.linear(x, weight).chunk(3, dim=-1))
        return layer.Wo(sdpa(q, k, v).transpose(1, 2).flatten(2))

    return forward


# Il tempo -------------------------------------------------------------------------------------------

def comparisons():
    """Le righe della tabella: (nome, noi, pari, obiettivo o None)."""
    import torch
    from attnkit.attention import Full, attention
    from attnkit.layers import MultiHeadAttention

    def random(heads, T):
        return torch.randn(B, heads, T, Dh)

    def row(name, ours, theirs, *inputs, target=None, back=True):
        yield name, lambda: ours(*inputs), lambda: theirs(*inputs), target
        if back:
            yield f"{name}, avanti e indietro", there_and_back(ours, *inputs), there_and_back(theirs, *inputs), target

    for T in (128, 256, 512, 1024, 2048, 4096):
        yield from row(f"attention contro SDPA, T={T}", attention, sdpa, random(H, T), random(H, T), random(H, T), target=1.05)
    for n_kv_heads in (1, 2, 4):
        inputs = random(H, 1024), random(n_kv_heads, 1024), random(n_kv_heads, 1024)
        yield from row(f"GQA, Hkv={n_kv_heads}, contro head ripetute, T=1024", attention, repeated, *inputs, target=1.05)
    yield from row("GQA, Hkv=2, una query su 4096 key, contro head ripetute", attention, repeated,
                   random(H, 1), random(2, 4096), random(2, 4096), target=1.05, back=False)
    for Tq, Tk in ((512, 2048), (2000, 2048), (2048, 4096)):
        yield from row(f"Tq={Tq}, Tk={Tk}, contro SDPA con maschera", attention, with_a_mask,
                       random(H, Tq), random(H, Tk), random(H, Tk), target=1.05)
    yield from row("attention contro la formula ingenua, T=1024", attention, naive, *(random(H, 1024) for _ in "qkv"))
    yield from row("due metà e merge, contro attention Full, T=1024", in_two_parts, lambda q, k, v: attention(q, k, v, Full()),
                   *(random(H, 1024) for _ in "qkv"))

    D, T = H * Dh, 1024
    layer, theirs = MultiHeadAttention(D, H), torch.nn.MultiheadAttention(D, H, bias=False, batch_first=True)
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    x = torch.randn(B, T, D)
    yield from row(f"MultiHeadAttention contro proiezione fusa e SDPA, T={T}", layer, in_one_projection(layer), x, target=1.05)
    yield from row(f"MultiHeadAttention contro nn.MultiheadAttention, T={T}", layer,
                   lambda x: theirs(x, x, x, attn_mask=future, is_causal=True, need_weights=False)[0], x, target=1.05)


# La memoria -----------------------------------------------------------------------------------------

def added_memory(name, T):
    """Quanti MiB aggiunge al picco una chiamata: si esegue in un processo che non fa altro."""
    import torch
    from attnkit.attention import attention
    function = {"attention": attention, "sdpa": sdpa, "naive": naive}[name]
    function(*(torch.randn(B, H, 128, Dh) for _ in "qkv"))    # ciò che si alloca una volta sola
    q, k, v = (torch.randn(B, H, T, Dh) for _ in "qkv")
    before = memory("VmRSS")
    reset_peak()
    output = function(q, k, v)
    return memory("VmHWM") - before


def main(only=""):
    from tqdm import tqdm
    import torch
    rows = [row for row in comparisons() if only in row[0]]
    results = []
    for name, ours, theirs, target in tqdm(rows, desc="tempi", leave=False):
        with torch.set_grad_enabled("indietro" in name):
            results.append((name, *best((ours, theirs), rounds=ROUNDS, seconds=SECONDS), target))
    print(f"B={B}, H={H}, Dh={Dh}, float32, torch {torch.__version__}, {torch.get_num_threads()} thread\n")
    print(f"{'':72} {'noi, ms':>9} {'pari, ms':>9} {'rapporto':>9}  obiettivo")
    for name, ours, theirs, target in results:
        note = "" if target is None else f"≤ {target}" + ("" if ours <= target * theirs else "   mancato")
        print(f"{name:72} {ours:9.3f} {theirs:9.3f} {ours / theirs:9.3f}  {note}")
    if only or sys.platform != "linux":
        return
    print("\nMemoria di picco aggiunta a T=4096, in MiB (l'uscita ne occupa 8)")
    for name in ("attention", "sdpa", "naive"):
        done = subprocess.run([sys.executable, __file__, "--memoria", name], capture_output=True, text=True, check=True)
        print(f"{name:72} {float(done.stdout):9.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memoria"]:
        print(added_memory(sys.argv[2], 4096))
    else:
        main(*sys.argv[1:2])
