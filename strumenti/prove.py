"""Tutte le prove: prima quelle di tests/, poi ogni notebook rieseguito e confrontato.

    python3 strumenti/ambiente.py strumenti/prove.py               # tutto
    python3 strumenti/ambiente.py strumenti/prove.py -k masks -x   # gli argomenti vanno a pytest, su tests/

nbval riesegue ogni notebook di chapters/ e confronta ogni uscita con quella pubblicata.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RADICE = Path(__file__).resolve().parent.parent
# Metà del tempo è del browser, che lascia liberi gli altri processori. Ogni notebook resta a un processo solo.
PROCESSI = str(min(4, os.cpu_count() or 1))


def pytest(*argomenti: str) -> int:
    # La corsa delle prove non deve dipendere da opzioni lasciate nell'ambiente di chi la lancia.
    ambiente = {nome: valore for nome, valore in os.environ.items() if nome != "PYTEST_ADDOPTS"}
    ambiente["JUPYTER_PREFER_ENV_PATH"] = "1"
    ambiente["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    # Un processo per processore, un thread per processo: di più, e i thread di torch passano il tempo ad aspettarsi.
    ambiente.setdefault("OMP_NUM_THREADS", "1")
    return subprocess.run([sys.executable, "-m", "pytest", *argomenti], cwd=RADICE, env=ambiente).returncode


def main(argomenti: list[str]) -> int:
    print("Prove del pacchetto, degli esercizi, dei notebook e del sito", flush=True)
    esiti = {"tests/": pytest("tests", *(argomenti or ["-n", PROCESSI, "--dist", "worksteal"]))}
    if not argomenti:
        print("\nNotebook rieseguiti e confrontati", flush=True)
        esiti["notebook"] = pytest("chapters", "--nbval", "--nbval-cell-timeout", "300",
                                   "-n", PROCESSI, "--dist", "loadfile")
    falliti = [nome for nome, codice in esiti.items() if codice]
    if falliti:
        print(f"\nNon tutto è a posto: {', '.join(falliti)}.", file=sys.stderr)
    return 1 if falliti else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
