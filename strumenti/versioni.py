"""Le prove di attnkit con altre versioni: le più vecchie che ammette, o le più nuove che esistono.

    make minime                                   # i limiti inferiori di pyproject.toml
    make nuove                                    # le ultime versioni pubblicate
    python3 strumenti/versioni.py minime          # lo stesso, senza make
    python3 strumenti/versioni.py aggiorna        # riscrive requirements.txt alle ultime versioni

L'ambiente nasce in .venv-minime/ o .venv-nuove/, accanto a .venv/, e non lo tocca. Si riusa finché
l'elenco dei pacchetti e il Python restano gli stessi; «nuove» si rifà ogni volta, perché serve a quello.
Non girano qui le prove del sito, del browser e dei notebook: quelle chiedono i pacchetti di requirements.txt.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from ambiente import RADICE, ErroreAmbiente, crea, passo, pip_di, python_di, torch_per_la_cpu, versione_di

TIMBRO = "timbro.json"
# Le figure di images/ sono disegnate con le versioni di requirements.txt: con altre il testo si sposta un poco.
NON_QUI = ["tests/test_plots.py::test_the_images_of_the_notes_are_current"]


def richieste(radice: Path = RADICE) -> list[str]:
    """Le dipendenze di attnkit, come le scrive pyproject.toml."""
    return tomllib.loads((radice / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def al_minimo(richiesta: str) -> str:
    """Il limite inferiore diventa la versione: «numpy>=1.26» → «numpy==1.26»."""
    return richiesta.replace(">=", "==")


def pacchetti(scelta: str) -> list[str]:
    """Ciò che va installato: le dipendenze di attnkit, e di che eseguire le prove."""
    prove = [versione_di(nome, RADICE) for nome in ("pytest", "pytest-xdist", "hypothesis")]
    return [al_minimo(r) if scelta == "minime" else r for r in richieste()] + prove


def ambiente_con(nome: str, elenco: list[str], sempre: bool = False) -> Path:
    """L'ambiente .venv-<nome> con quei pacchetti, e senza attnkit.

    Args:
        nome: il nome, che dà anche la cartella.
        elenco: le richieste da dare a pip.
        sempre: da rifare anche se sembra lo stesso dell'ultima volta.

    Raises:
        ErroreAmbiente: se un passo non riesce; il messaggio contiene ciò che pip ha scritto.
    """
    cartella = RADICE / f".venv-{nome}"
    atteso = {"pacchetti": elenco, "python": platform.python_version(), "cartella": str(cartella)}
    timbro = cartella / TIMBRO
    if not sempre and timbro.exists() and json.loads(timbro.read_text(encoding="utf-8")) == atteso:
        return cartella
    crea(cartella)
    pip = pip_di(cartella)
    torch_per_la_cpu([*pip, "--upgrade"], next(r for r in elenco if r.startswith("torch")))
    passo("Installo i pacchetti", [*pip, "--only-binary", ":all:", *elenco])
    timbro.write_text(json.dumps(atteso, indent=1), encoding="utf-8")
    return cartella


def variabili(cartella: Path, **altre: str) -> dict[str, str]:
    """L'ambiente del sistema operativo, senza ciò che porterebbe Python fuori da quella cartella."""
    pulito = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON") and n != "PYTEST_ADDOPTS"}
    percorso = str(python_di(cartella).parent) + os.pathsep + os.environ.get("PATH", "")
    return {**pulito, "PATH": percorso, "VIRTUAL_ENV": str(cartella), "PYTHONUTF8": "1", **altre}


def versioni_in(cartella: Path) -> dict[str, str]:
    """I pacchetti installati e le loro versioni, come li vede «pip freeze»."""
    corsa = subprocess.run([str(python_di(cartella)), "-m", "pip", "freeze", "--all", "--disable-pip-version-check"],
                           env=variabili(cartella), capture_output=True, text=True, encoding="utf-8", check=True)
    return dict(re.split(r"==| @ ", riga, maxsplit=1) for riga in corsa.stdout.splitlines() if re.search("==| @ ", riga))


def racconta(cartella: Path) -> str:
    """Le versioni che contano, in una riga."""
    presenti = versioni_in(cartella)
    contano = [re.match(r"[\w-]+", r)[0] for r in richieste()]
    return f"Python {platform.python_version()}, " + ", ".join(f"{n} {presenti.get(n, 'assente')}" for n in contano)


def prove_del_pacchetto() -> list[str]:
    """I file di prove che portano il nome di un modulo di attnkit, più quello che ne controlla gli import."""
    moduli = {p.stem for p in (RADICE / "attnkit").iterdir()} | {"imports"}
    file = sorted((RADICE / "tests").glob("test_*.py"))
    return [f"tests/{f.name}" for f in file if any(re.fullmatch(rf"test_{m}(_\w+)?", f.stem) for m in moduli)]


def prova(cartella: Path, argomenti: list[str]) -> int:
    """Le prove del pacchetto, con attnkit preso da questa cartella."""
    processi = str(min(4, os.cpu_count() or 1))
    comando = [str(python_di(cartella)), "-m", "pytest", "-q", "-p", "no:cacheprovider", *prove_del_pacchetto(),
               *[f"--deselect={p}" for p in NON_QUI],
               *(argomenti or ["-n", processi, "--dist", "worksteal"])]
    return subprocess.run(comando, cwd=RADICE, env=variabili(
        cartella, PYTHONPATH=str(RADICE), OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", "1"))).returncode


def aggiornato(testo: str, ultime: dict[str, str]) -> str:
    """Il testo di requirements.txt con altre versioni, dove se ne conoscono; il resto non cambia.

    Args:
        testo: il contenuto del file.
        ultime: da un nome di pacchetto, in minuscolo e con i trattini, alla sua versione.
    """
    def riga(trovata: re.Match) -> str:
        nome, versione = trovata.groups()
        return f"{nome}=={ultime.get(re.sub('[-_.]+', '-', nome).lower(), versione)}"
    return re.sub(r"^([\w.-]+)==([\w.]+)", riga, testo, flags=re.M)


def fermi(testo: str) -> set[str]:
    """Ciò che non si aggiorna da sé: il blocco «Il sito», perché cambia l'aspetto delle pagine, e torch,
    che è scritto anche nel README."""
    sito = testo.split("# Il sito\n")[1].split("\n\n")[0]
    return {*re.findall(r"^([\w.-]+)==", sito, flags=re.M), "torch"}


def aggiorna(file: Path) -> None:
    """Chiede a pip le ultime versioni che vanno d'accordo fra loro, e le scrive."""
    testo = file.read_text(encoding="utf-8")
    elenco = [riga.split("#")[0].strip() for riga in testo.splitlines() if "==" in riga.split("#")[0]]
    libere = [r if r.split("==")[0] in fermi(testo) else re.sub(r"==[\w.]+", "", r) for r in elenco]
    with tempfile.TemporaryDirectory() as cartella:
        resoconto = Path(cartella) / "resoconto.json"
        passo("Cerco le ultime versioni", [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed",
              "--only-binary", ":all:", "--report", str(resoconto), *libere, *richieste()])
        scelti = json.loads(resoconto.read_text(encoding="utf-8"))["install"]
    ultime = {re.sub("[-_.]+", "-", p["metadata"]["name"]).lower(): p["metadata"]["version"] for p in scelti}
    nuovo = aggiornato(testo, {n: v.split("+")[0] for n, v in ultime.items()})
    for prima, dopo in zip(testo.splitlines(), nuovo.splitlines(), strict=True):
        if prima != dopo:
            print(f"{prima.split('#')[0].strip()} → {dopo.split('==')[1].split('#')[0].strip()}")
    file.write_text(nuovo, encoding="utf-8", newline="\n")


def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Esegue le prove di attnkit con altre versioni dei pacchetti.")
    opzioni.add_argument("scelta", choices=["minime", "nuove", "aggiorna"])
    opzioni.add_argument("pytest", nargs=argparse.REMAINDER, help="argomenti per pytest, per esempio -k masks")
    scelte = opzioni.parse_args(argomenti)
    if scelte.scelta == "minime" and sys.version_info >= (3, 13):
        print("Le versioni minime non esistono per Python 3.13 e successivi: sono più vecchie di lui.\n"
              "Usa un Python 3.11 o 3.12: make minime PYTHON=python3.11", file=sys.stderr)
        return 1
    try:
        if scelte.scelta == "aggiorna":
            aggiorna(RADICE / "requirements.txt")
            return 0
        cartella = ambiente_con(scelte.scelta, pacchetti(scelte.scelta), sempre=scelte.scelta == "nuove")
    except ErroreAmbiente as errore:
        print(f"\n{errore}", file=sys.stderr)
        return 1
    print(racconta(cartella), flush=True)
    return prova(cartella, scelte.pytest)


if __name__ == "__main__":
    sys.exit(main())
