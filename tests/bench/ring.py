"""Quanto costa dividere l'attenzione densa fra più processi. Si lancia per nome, non con la suite:

    python3 strumenti/ambiente.py tests/bench/ring.py               # tutto, una decina di minuti
    python3 strumenti/ambiente.py tests/bench/ring.py --avanti      # senza i gradienti
    python3 strumenti/ambiente.py tests/bench/ring.py --memoria     # solo la memoria

Il confronto è con SDPA causale, in un processo solo con due thread: gli stessi due core su cui corrono i processi
dell'anello, di un thread ciascuno (e, con due rank, anche di due: si disputano i core). I giri si alternano, e di ciascun
modo si tiene il più breve. Con due rank, contiguous non può fare meglio di 1,5: a uno dei due toccano tre quarti del lavoro.

La memoria si misura a T/P fermo: quella che il giro aggiunge nel momento peggiore, in rapporto a q, k e v di quel rank, e
quella di tutto il processo, con torch e ogni altra cosa (solo su Linux).
"""

import functools
import sys

from misure import best, there_and_back

T, H, Dh, CORES, ROUNDS = 16384, 8, 64, 2, 3
CASES = [("zigzag", 2, 1, 1.10), ("zigzag", 4, 1, 1.15), ("contiguous", 2, 1, None), ("contiguous", 4, 1, None),
         ("striped", 2, 1, None), ("striped", 4, 1, None), ("zigzag", 2, 2, None)]


def dense(backward):
    """SDPA causale, in millisecondi."""
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(CORES)
    call, tensors = functools.partial(F.scaled_dot_product_attention, is_causal=True), [torch.randn(1, H, T, Dh) for _ in "qkv"]
    return best([there_and_back(call, *tensors) if backward else lambda: call(*tensors)], rounds=1)[0]


def ring(layout, ranks, threads, backward):
    """L'anello, in millisecondi: il tempo del rank più lento, nel giro più breve."""
    from attnkit.ring import launch
    reports = launch(T, ranks=ranks, heads=H, head_dim=Dh, layout=layout, threads=threads, backward=backward, rounds=2, check=False, timeout=300, progress=False)
    return 1000 * max(report.seconds for report in reports)


def times(backward):
    """La tabella dei tempi."""
    ways = [functools.partial(dense, backward), *(functools.partial(ring, layout, ranks, threads, backward) for layout, ranks, threads, _ in CASES)]
    rounds = [[way() for way in ways] for _ in range(ROUNDS)]
    base, *ours = map(min, zip(*rounds))
    print(f"\n{'avanti e indietro' if backward else 'avanti':40} {'ms':>9} {'/ densa':>8}  obiettivo     giri, da / a")
    print(f"{f'SDPA causale, {CORES} thread':40} {base:9.0f} {1:8.2f}  {'':12}  {min(r[0] for r in rounds):.0f} / {max(r[0] for r in rounds):.0f}")
    for n, ((layout, ranks, threads, target), ms) in enumerate(zip(CASES, ours), 1):
        note = "" if backward or target is None else f"≤ {target}" + ("" if ms <= target * base else " mancato")
        each = [r[n] for r in rounds]
        print(f"{f'{layout}, {ranks} rank, thread: {threads}':40} {ms:9.0f} {ms / base:8.2f}  {note:12}  {min(each):.0f} / {max(each):.0f}")


def memory_table(backward, per_rank=4096):
    """La tabella della memoria, a T/P fermo."""
    from attnkit.ring import launch
    print(f"\n{'avanti e indietro' if backward else 'avanti'}, T/P = {per_rank}     MiB di q, k, v   aggiunti   / q, k, v   obiettivo   in tutto")
    for ranks in (1, 2, 4):
        reports = launch(per_rank * ranks, ranks=ranks, heads=H, head_dim=Dh, backward=backward, check=False, timeout=300, progress=False)
        worst = max(reports, key=lambda report: report.peak)
        ratio = worst.peak / worst.own
        note = "" if backward else "≤ 2.2" + ("" if ratio <= 2.2 else " mancato")
        total = max(report.total for report in reports)
        print(f"{ranks} rank {worst.own / 2 ** 20:34.1f} {worst.peak / 2 ** 20:10.1f} {ratio:11.2f}   {note:13} {total / 2 ** 20:6.0f}")


def main(*arguments):
    import torch
    print(f"T={T}, H={H}, Dh={Dh}, float32, torch {torch.__version__}, {torch.get_num_threads()} thread disponibili")
    for backward in (False,) if "--avanti" in arguments else (False, True):
        if "--memoria" not in arguments:
            times(backward)
        if sys.platform == "linux":
            memory_table(backward)


if __name__ == "__main__":
    main(*sys.argv[1:])
