"""Quanto costa un passo di generazione, in rapporto a pari con un nome. Si lancia per nome, non con la suite:

    python3 strumenti/ambiente.py tests/bench/decode.py              # i contesti 2048, 8192 e 32768
    python3 strumenti/ambiente.py tests/bench/decode.py 8192         # solo quelli nominati

Un passo legge tutta la cache e fa pochi conti: il limite è la memoria. Per questo accanto ai rapporti c'è la
banda con cui la cache è letta, in percentuale di quella di una copia. I pari girano alternati, e di ciascuno si tiene il
giro più breve. La memoria è quella di picco che un passo aggiunge, misurata in un processo a parte (solo su Linux).
"""

import subprocess
import sys

from misure import best, memory, reset_peak

B, Hq, Dh, ROUNDS = 8, 32, 128, 5


def measure(tokens):
    """Le righe della tabella per un contesto: (nome, millisecondi, byte letti, obiettivi)."""
    import torch
    import torch.nn.functional as F
    from attnkit.attention import attention

    def repeated(q, k, v):
        """repeat_kv, poi SDPA: la via più comune."""
        group = q.shape[1] // k.shape[1]
        return F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1))

    try:                                                      # se c'è, anche la sua funzione vera
        from types import SimpleNamespace
        from transformers.integrations.sdpa_attention import sdpa_attention_forward
    except ImportError:
        sdpa_attention_forward = None

    q = torch.randn(B, Hq, 1, Dh)
    heads = {n: (torch.randn(B, n, tokens, Dh), torch.randn(B, n, tokens, Dh)) for n in (Hq, 8, 1)}
    copy = torch.empty_like(heads[Hq][0])
    runs = {"copia": lambda: copy.copy_(heads[Hq][0]), "torch MHA": lambda: F.scaled_dot_product_attention(q, *heads[Hq])}
    for n in (Hq, 8, 1):
        runs[f"attnkit, Hkv={n}"] = lambda kv=heads[n]: attention(q, *kv)
    for n in (8, 1):
        runs[f"enable_gqa, Hkv={n}"] = lambda kv=heads[n]: F.scaled_dot_product_attention(q, *kv, enable_gqa=True)
    for n in (Hq, 8, 1) if sdpa_attention_forward else ():
        module = SimpleNamespace(num_key_value_groups=Hq // n, is_causal=True)
        runs[f"transformers, Hkv={n}"] = lambda kv=heads[n], module=module: sdpa_attention_forward(module, q, *kv, None)
    if tokens <= 8192:                                        # più in là la memoria ripetuta non ci starebbe comoda
        runs["ripetute, Hkv=8"] = lambda: repeated(q, *heads[8])
    times = dict(zip(runs, best(runs.values(), rounds=ROUNDS)))
    bandwidth = 2 * copy.numel() * 4 / times["copia"]         # una copia legge e scrive
    return times, bandwidth, {n: 2 * k.numel() * 4 for n, (k, _) in heads.items()}


def table(tokens):
    times, bandwidth, read = measure(tokens)
    mha, gqa = times["torch MHA"], times["enable_gqa, Hkv=8"]
    targets = {f"attnkit, Hkv={Hq}": (0.80, mha, "MHA di torch"), "attnkit, Hkv=8": (0.35, mha, "MHA di torch"), "attnkit, Hkv=1": (0.14, mha, "MHA di torch")}
    print(f"\ncontesto {tokens}{'':34}{'ms':>9} {'/ MHA torch':>12} {'banda':>7}  obiettivo")
    for name, ms in times.items():
        if name == "copia":
            continue
        n = Hq if name == "torch MHA" else int(name.split("=")[1])
        share = 100 * read[n] / ms / bandwidth
        target = targets.get(name)
        note = "" if target is None else f"≤ {target[0]}" + ("" if ms <= target[0] * target[1] else "   mancato")
        print(f"{name:44} {ms:9.2f} {ms / mha:12.3f} {share:6.0f}%  {note}")
    ours = times["attnkit, Hkv=8"]
    print(f"{'attnkit / enable_gqa, Hkv=8':44} {'':9} {ours / gqa:12.3f} {'':7}  ≤ 0.45" + ("" if ours <= 0.45 * gqa else "   mancato"))


# La memoria -----------------------------------------------------------------------------------------

def peak_of_a_step(n_kv_heads):
    """La memoria di picco di due passi, divisa per cache e pesi: uno qualsiasi, e uno in cui la memoria raddoppia."""
    import torch
    from attnkit.layers import KVCache, MultiHeadAttention
    layer, cache, ratios = MultiHeadAttention(1024, 16, n_kv_heads), KVCache(), []
    with torch.no_grad():
        small = KVCache()
        layer(torch.randn(4, 64, 1024), small)                # ciò che si alloca una volta sola
        layer(torch.randn(4, 1, 1024), small)
        for tokens in [1000] * 15 + [999]:                    # fino a un token dal raddoppio
            layer(torch.randn(4, tokens, 1024), cache)
        for _ in range(2):
            reset_peak()
            resting = memory("VmRSS")
            layer(torch.randn(4, 1, 1024), cache)
            held = (cache.nbytes + 4 * sum(p.numel() for p in layer.parameters())) / 2 ** 20
            ratios.append((held + memory("VmHWM") - resting) / held)
    return ratios


def main(*contexts):
    import torch
    print(f"B={B}, Hq={Hq}, Dh={Dh}, float32, torch {torch.__version__}, {torch.get_num_threads()} thread")
    for tokens in map(int, contexts or (2048, 8192, 32768)):
        table(tokens)
    if sys.platform != "linux":
        return
    print("\nMemoria di picco di un passo, in rapporto a cache e pesi (16 head, 4 sequenze da 16000 token)")
    for n in (16, 4, 1):
        done = subprocess.run([sys.executable, __file__, "--memoria", str(n)], capture_output=True, text=True, check=True)
        step, doubling = map(float, done.stdout.split())
        print(f"Hkv={n:<40} {step:9.3f}  ≤ 1.1" + ("" if step <= 1.1 else "   mancato") + f"   ({doubling:.3f} nel passo in cui raddoppia)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memoria"]:
        print(*peak_of_a_step(int(sys.argv[2])))
    else:
        main(*sys.argv[1:])
