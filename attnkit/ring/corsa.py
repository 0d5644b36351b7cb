"""L'anello su processi di questa macchina: si avviano, si seguono, e se uno cade si fermano tutti.

Su una tavola comune ogni processo scrive quante volte è andato avanti e quando si è fatto vivo. Chi li ha avviati la
legge, e così sa chi manca: gli altri sanno solo che il loro vicino tace.
"""

import multiprocessing.connection
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tqdm import tqdm

from attnkit.ring.misura import Run, measure

START = 90                    # secondi in più, finché non sono partiti tutti: importare torch è lento
BEAT = 0.2                    # ogni quanti secondi un processo si fa vivo
CALLS, ALIVE = 0, 1           # le colonne della tavola
BAR = {"desc": "anello", "leave": False, "bar_format": "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"}


def launch(tokens, *, ranks, heads=8, kv_heads=None, head_dim=64, layout="zigzag", causal=True, backward=False, threads=1,
           timeout=60, check=True, progress=True, rounds=1, seed=0, device="cpu"):
    """Avvia un processo per rank su questa macchina, e fa correre l'anello su numeri a caso. Funziona anche da un notebook.

    Comunque vada a finire, anche con Ctrl-C, nessuno dei processi avviati resta in vita. In uno script, e solo lì, va
    chiamata sotto `if __name__ == "__main__":`, perché ogni processo rilegge lo script.

    Args:
        tokens: quanti token in tutto, T; ogni rank ne tiene T/P.
        ranks: quanti processi, P.
        heads, kv_heads, head_dim: Hq, Hkv (None = Hq) e Dh. B è 1, i numeri sono in float32.
        layout, causal: come in `ring_attention`.
        backward: se calcolare anche i gradienti di query, key e value.
        threads: quanti thread per processo.
        timeout: dopo quanti secondi senza progressi ci si arrende; all'avvio se ne aspettano 90 di più.
        check: se confrontare con l'attenzione densa, fino a 10¹² operazioni (4 · Hq · Dh · T²); oltre non si fa.
        progress: se mostrare la barra d'avanzamento.
        rounds: quante volte ripetere; del tempo si tiene il più breve, della memoria il primo giro.
        seed: da dove nascono i numeri.
        device: "cpu", con gloo, o "cuda", con NCCL e una GPU per processo.

    Returns:
        Una lista di `Report`, uno per rank.

    Raises:
        ValueError: se gli argomenti non si accordano.
        TimeoutError: se un rank si ferma; il messaggio dice quale, e a quale passo.
        RuntimeError: se un rank muore o dà un errore; il messaggio dice quale.

    Si costruisce nel capitolo 9.
    """
    run = Run(tokens, ranks, heads, kv_heads, head_dim, layout, causal, backward, threads, timeout, check, rounds, seed, device)
    context = mp.get_context("spawn")
    board = torch.zeros(ranks, 2, dtype=torch.float64).share_memory_()
    with tempfile.TemporaryDirectory() as folder, tqdm(total=ranks * run.calls, disable=not progress, **BAR) as bar:
        processes = [context.Process(target=_child, args=(rank, run, board, folder), daemon=True) for rank in range(ranks)]
        try:
            for process in processes:
                process.start()
            _follow(processes, run, board, folder, bar)
            return [_outcome(folder, rank) for rank in range(ranks)]
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()                             # SIGKILL ferma anche chi è sospeso
                    process.join()


def join(tokens, *, ranks=None, progress=True, **options):
    """Come `launch`, ma da dentro: questo processo è uno di quelli che ha avviato torchrun, anche su più macchine.

    Args e Returns sono quelli di `launch`. Se un rank tace, gli altri danno un RuntimeError dopo `timeout` secondi.
    """
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if ranks not in (None, size):
        raise ValueError(f"ranks: torchrun ha avviato {size} processi, ho trovato {ranks}")
    run, reports = Run(tokens, size, **options), [None] * size
    _enter(run, int(os.environ.get("LOCAL_RANK", rank)), init_method="env://", timeout=timedelta(seconds=run.timeout))
    try:
        with tqdm(total=run.calls, disable=not progress or rank > 0, **BAR) as bar:
            dist.all_gather_object(reports, measure(run, rank, bar.update))
        return reports
    finally:
        _leave()


def _enter(run, local_rank, **how):
    """Apre il gruppo: gloo sulla CPU, NCCL sulle GPU, una per processo."""
    if run.device == "cuda":
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if run.device == "cuda" else "gloo", **how)


def _leave():
    """Chiude il gruppo, dopo un attimo: con torch 2.5, chi lo fa mentre un thread di gloo rende ancora i suoi tensori lo aspetta per sempre."""
    time.sleep(0.1)
    dist.destroy_process_group()


def _child(rank, run, board, folder):
    """Ciò che fa ogni processo: corre, e lascia scritto un `Report`, o l'errore."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)              # a Ctrl-C pensa chi li ha avviati
    threading.Thread(target=_beat, args=(rank, board), daemon=True).start()

    def advance():
        board[rank, CALLS] += 1

    try:
        patience = timedelta(seconds=run.timeout + START)      # più di chi li segue: il nome giusto lo sa lui
        _enter(run, rank, store=dist.FileStore(f"{folder}/incontro", run.ranks), rank=rank, world_size=run.ranks, timeout=patience)
        outcome = measure(run, rank, advance)
        _leave()
    except Exception:
        outcome = traceback.format_exc()
    Path(folder, str(rank)).write_bytes(pickle.dumps(outcome))
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(isinstance(outcome, str))                        # subito: chiudendo l'interprete, i thread rimasti possono ancora cadere


def _beat(rank, board):
    """Si fa vivo finché vive chi l'ha avviato; poi esce, perché nessuno lo aspetta più."""
    parent = multiprocessing.parent_process()
    while parent.is_alive():
        board[rank, ALIVE] = time.monotonic()
        parent.join(BEAT)
    os._exit(1)


def _outcome(folder, rank):
    """Ciò che un rank ha lasciato scritto, o None."""
    path = Path(folder, str(rank))
    return pickle.loads(path.read_bytes()) if path.exists() else None


def _follow(processes, run, board, folder, bar):
    """Aspetta che finiscano tutti; se uno cade o si ferma, dà un errore con il suo nome."""
    progress, since = 0, time.monotonic()
    while not all(process.exitcode == 0 for process in processes):
        multiprocessing.connection.wait([p.sentinel for p in processes if p.exitcode is None], BEAT)
        if any(process.exitcode for process in processes):
            time.sleep(2 * BEAT)                               # chi cade trascina i vicini: si lascia che cadano, poi si cerca il primo
            raise _fallen(processes, run, board, folder)
        calls, now = int(board[:, CALLS].sum()), time.monotonic()
        if calls > progress:
            bar.update(calls - progress)
            progress, since = calls, now
        elif now - since > run.timeout + START * bool((board[:, CALLS] == 0).any()):
            raise _still(run, board, now)


def _fallen(processes, run, board, folder):
    """Chi è caduto per primo: uno ucciso, o uscito senza dire nulla, viene prima di chi ha lasciato un errore."""
    codes = {rank: process.exitcode for rank, process in enumerate(processes) if process.exitcode}
    silent = [rank for rank in codes if _outcome(folder, rank) is None]
    if not silent:
        rank = min(codes, key=lambda rank: Path(folder, str(rank)).stat().st_mtime_ns)
        return RuntimeError(f"Il rank {rank} si è fermato {_where(run, board, rank)} con un errore:\n\n{_outcome(folder, rank)}")
    code = codes[silent[0]]
    how = f"è morto (segnale {-code}, {signal.Signals(-code).name})" if code < 0 else f"è uscito con il codice {code}"
    hint = ""
    if code == -9:
        hint = ". Se nessuno l'ha ucciso, forse è finita la memoria"
    elif not board[silent[0], CALLS]:
        hint = ". In uno script, launch va chiamata sotto if __name__ == \"__main__\""
    return RuntimeError(f"Il rank {silent[0]} {how} {_where(run, board, silent[0])}{hint}")


def _still(run, board, now):
    """Chi tiene fermi gli altri: uno che non si fa vivo o, se si fanno vivi tutti, quello rimasto più indietro."""
    silent = [rank for rank in range(run.ranks) if now - board[rank, ALIVE] > max(run.timeout / 2, 5 * BEAT)]
    rank = min(silent or range(run.ranks), key=lambda rank: board[rank, CALLS])
    return TimeoutError(f"Il rank {rank} è fermo {_where(run, board, rank)}: nessuno è andato avanti negli ultimi {run.timeout:g} secondi")


def _where(run, board, rank):
    calls = int(board[rank, CALLS])
    return f"al passo {(calls + 1) // 2} di {(run.calls + 1) // 2}" if calls else "prima di partire"
