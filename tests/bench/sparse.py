"""Quanto costano i pattern sparsi, in rapporto all'attenzione causale densa. Si lancia per nome, non con la suite:

    python3 strumenti/ambiente.py tests/bench/sparse.py              # tutto, qualche minuto
    python3 strumenti/ambiente.py tests/bench/sparse.py 4096         # solo quelle lunghezze
    python3 strumenti/ambiente.py tests/bench/sparse.py --flex       # anche FlexAttention, che prima compila

Accanto a ogni rapporto sta quello ideale: le coppie visibili divise per quelle della causale. I pari sono SDPA densa,
SDPA con la maschera e, se sono installati, i pacchetti local-attention e x-transformers. Girano alternati, e di ciascuno
si tiene il giro più breve. La memoria è quella di picco che una chiamata aggiunge, misurata in un processo a parte (solo
su Linux).
"""

import functools
import subprocess
import sys

from misure import best, memory, reset_peak, there_and_back

B, H, Dh, ROUNDS = 1, 8, 64, 4


def cases():
    """Terne (pattern, lunghezza, obiettivo o None)."""
    from attnkit.attention import BlockLocal, Fixed, Strided, Window
    return [(Window(256), 4096, 0.22), (Window(256), 16384, 0.065), (Strided(64), 4096, 0.22), (Fixed(64), 4096, 0.14),
            (Fixed(64, 8), 4096, None), (BlockLocal(256), 4096, None), (Window(256, sinks=4), 4096, None),
            (Strided(128), 16384, None), (Fixed(128), 16384, None)]


def peers(pattern, T, tensors, flex):
    """Gli altri modi di fare la stessa cosa, a parte SDPA: (nome, funzione)."""
    import torch
    import torch.nn.functional as F
    from attnkit.attention import Window
    q, k, v = tensors
    if T <= 4096:
        mask = pattern.mask(T)[None, None]
        yield "SDPA con maschera", lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    if flex:
        from attnkit.attention.sparsi import block_mask
        from torch.nn.attention.flex_attention import flex_attention
        compiled, blocks = torch.compile(flex_attention, dynamic=False), block_mask(pattern, T, q.device)
        yield "FlexAttention", lambda: compiled(q, k, v, block_mask=blocks)
    if isinstance(pattern, Window) and not pattern.sinks:
        try:
            from local_attention import LocalAttention
            theirs = LocalAttention(dim=Dh, window_size=pattern.window, causal=True, look_backward=1, exact_windowsize=True, use_rotary_pos_emb=False)
            yield "local-attention", lambda: theirs(q, k, v)
        except ImportError:
            pass
        try:
            from x_transformers import Decoder
            decoder = Decoder(dim=H * Dh, depth=1, heads=H, attn_dim_head=Dh, attn_flash=True)
            x = torch.randn(B, T, H * Dh)
            if T <= 4096:
                yield "x-transformers, un layer causale", lambda: decoder(x)
        except ImportError:
            pass


def added_memory(T):
    """I MiB che aggiunge al picco una finestra di 256, e quelli che occupano q, k e v."""
    import torch
    from attnkit.attention import Window, attention
    attention(*(torch.randn(B, H, 512, Dh) for _ in "qkv"), Window(256))      # ciò che si alloca una volta sola
    q, k, v = (torch.randn(B, H, T, Dh) for _ in "qkv")
    before = memory("VmRSS")
    reset_peak()
    output = attention(q, k, v, Window(256))
    return memory("VmHWM") - before, 3 * q.nbytes / 2 ** 20


def main(*arguments):
    import torch
    import torch.nn.functional as F
    from attnkit.attention import Causal, attention
    flex, lengths = "--flex" in arguments, {int(a) for a in arguments if a.isdigit()}
    print(f"B={B}, H={H}, Dh={Dh}, float32, torch {torch.__version__}, {torch.get_num_threads()} thread")
    print(f"\n{'':54} {'ms':>9} {'/ densa':>9} {'ideale':>7}  obiettivo")
    for pattern, T, target in cases():
        if lengths and T not in lengths:
            continue
        tensors = tuple(torch.randn(B, H, T, Dh) for _ in "qkv")
        ideal = pattern.edges(T) / Causal().edges(T)
        with torch.no_grad():
            others = list(peers(pattern, T, tensors, flex))
            dense, ours, *theirs = best([lambda: F.scaled_dot_product_attention(*tensors, is_causal=True), lambda: attention(*tensors, pattern),
                                         *(function for _, function in others)], rounds=ROUNDS)
        note = "" if target is None else f"≤ {target}" + ("" if ours <= target * dense else "   mancato")
        print(f"{f'{pattern}, T={T}':54} {ours:9.2f} {ours / dense:9.3f} {ideal:7.3f}  {note}")
        for (name, _), ms in zip(others, theirs):
            print(f"    {name:50} {ms:9.2f} {ms / dense:9.3f}")
        dense, ours = best([there_and_back(functools.partial(F.scaled_dot_product_attention, is_causal=True), *tensors),
                            there_and_back(functools.partial(attention, pattern=pattern), *tensors)], rounds=2)
        print(f"    {'avanti e indietro':50} {ours:9.2f} {ours / dense:9.3f}")
    if sys.platform == "linux":
        done = subprocess.run([sys.executable, __file__, "--memoria"], capture_output=True, text=True, check=True)
        added, inputs = map(float, done.stdout.split())
        print(f"\nMemoria di picco aggiunta da Window(256) a T=16384: {added:.1f} MiB, {added / inputs:.2f} volte q, k e v (obiettivo ≤ 4)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memoria"]:
        print(*added_memory(16384))
    else:
        main(*sys.argv[1:])
