"""La ring attention da riga di comando.

    python -m attnkit.ring --tokens 16384 --ranks 4                                       # processi di questa macchina
    torchrun --nnodes 2 --nproc-per-node 2 … -m attnkit.ring --tokens 16384               # i processi di torchrun
"""

import argparse
import os
import sys

from attnkit.ring.corsa import join, launch
from attnkit.ring.disposizione import LAYOUTS

TOLERANCE = 1e-3              # in float32, su numeri di varianza 1


def main(arguments=None):
    """La riga di comando."""
    parser = argparse.ArgumentParser(prog="python -m attnkit.ring", description="Divide una sequenza fra più processi, e fa l'attenzione con l'anello.",
                                     epilog="Avviato da torchrun usa i suoi processi, e stampa solo il rank 0.")
    parser.add_argument("--tokens", type=int, default=8192, metavar="T", help="quanti token in tutto (%(default)s)")
    parser.add_argument("--ranks", type=int, metavar="P", help="quanti processi (2, o quelli di torchrun)")
    parser.add_argument("--heads", type=int, default=8, help="query head (%(default)s)")
    parser.add_argument("--kv-heads", type=int, help="head di key e value (quante le query head)")
    parser.add_argument("--head-dim", type=int, default=64, help="la larghezza di una head (%(default)s)")
    parser.add_argument("--layout", default="zigzag", help=f"come si dividono i token: {', '.join(LAYOUTS)} (%(default)s)")
    parser.add_argument("--full", dest="causal", action="store_false", help="senza maschera causale")
    parser.add_argument("--backward", action="store_true", help="anche i gradienti")
    parser.add_argument("--threads", type=int, default=1, help="thread per processo (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDI", help="quanto aspettare chi non va avanti (%(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="quante volte; si tiene la più breve (%(default)s)")
    parser.add_argument("--no-check", dest="check", action="store_false", help="senza il confronto con l'attenzione densa, che si fa fino a 10¹² operazioni")
    parser.add_argument("--seed", type=int, default=0, help="da dove nascono i numeri (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu con gloo, o cuda con NCCL (%(default)s)")
    options = vars(parser.parse_args(arguments))
    try:
        if {"RANK", "WORLD_SIZE"} <= os.environ.keys():
            reports = join(**options)
        else:
            reports = launch(**options | {"ranks": 2 if options["ranks"] is None else options["ranks"]})
    except ValueError as error:
        parser.error(str(error))
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if int(os.environ.get("RANK", 0)) == 0:
        show(reports)


def show(reports):
    """Una riga per rank, e il confronto."""
    print(f"{'':4} {'':9} {'MiB':>9} {'MiB di':>9} {'aggiunti':>9} {'in tutto':>9}")
    print(f"{'rank':>4} {'secondi':>9} {'spediti':>9} {'q, k e v':>9} {'al picco':>9} {'al picco':>9}")
    for r in reports:
        sizes = ("-" if size is None else f"{size / 2 ** 20:.1f}" for size in (r.sent, r.own, r.peak, r.total))
        print(f"{r.rank:4d} {r.seconds:9.3f} " + " ".join(f"{size:>9}" for size in sizes))
    if reports[0].error is None:
        return print("Nessun confronto con l'attenzione densa: non chiesto, o troppo lungo.")
    worst = max(r.error for r in reports)
    print(f"Differenza dall'attenzione densa: al più {worst:.1e}")
    if not worst < TOLERANCE:
        sys.exit(f"Errore: la differenza doveva stare sotto {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
