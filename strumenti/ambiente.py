"""Prepara l'ambiente del corso in .venv/ e, se serve, ci esegue un comando.

    python3 strumenti/ambiente.py                       # prepara e basta
    python3 strumenti/ambiente.py strumenti/sito.py     # prepara, poi costruisce il sito
    python3 strumenti/ambiente.py -m pytest             # prepara, poi esegue «python -m pytest»

Su Windows: «py» al posto di «python3». Una seconda corsa non reinstalla nulla: un timbro dentro
.venv/ ricorda con quali versioni e in quale cartella l'ambiente è nato. Se il timbro manca
(installazione interrotta) o non torna (cartella spostata, altro Python), l'ambiente si rifà.

Solo libreria standard, e una sintassi che anche un Python vecchio sa leggere: così può dire
con parole sue che cosa non va.
"""

from __future__ import print_function

import sys

MINIMO = (3, 11)
if sys.version_info < MINIMO:
    sys.exit(
        "Il corso ha bisogno di Python 3.11 o successivo; questo e' Python %d.%d (%s).\n"
        "Se ne hai uno piu' recente, dillo a make: make sito PYTHON=python3.12\n"
        "Altrimenti scaricalo da https://www.python.org/downloads/"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import platform  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

RADICE = Path(__file__).resolve().parent.parent
AMBIENTE = RADICE / ".venv"
TIMBRO = "timbro.json"
INDICE_CPU = "https://download.pytorch.org/whl/cpu"
SU_WINDOWS = os.name == "nt"


class ErroreAmbiente(Exception):
    """Un passo non riuscito, con le parole per chi deve rimediare."""


# --- Dov'è e com'è l'ambiente -------------------------------------------------------------


def python_di(ambiente):
    """Il Python dentro un ambiente."""
    return ambiente / ("Scripts/python.exe" if SU_WINDOWS else "bin/python")


def timbro_atteso(ambiente, radice):
    """Ciò da cui dipende un ambiente: se qualcosa qui cambia, va rifatto o aggiornato."""
    somma = hashlib.sha256()
    for nome in ("requirements.txt", "pyproject.toml"):
        testo = (radice / nome).read_bytes().replace(b"\r\n", b"\n")
        somma.update(nome.encode() + b"\0" + testo + b"\0")
    return {
        "richieste": somma.hexdigest(),
        "python": "{} {}".format(platform.python_version(), platform.machine()),
        "cartella": str(ambiente),
    }


def pacchetti_in(ambiente):
    """I pacchetti installati, dal nome delle loro cartelle: costa un millesimo di secondo."""
    cartelle = [ambiente / "Lib" / "site-packages"] if SU_WINDOWS else sorted(
        (ambiente / "lib").glob("python*/site-packages"))
    return sorted(p.name for c in cartelle if c.is_dir() for p in c.glob("*.dist-info"))


def stato(ambiente, radice):
    """Dice se l'ambiente è "pronto", "da aggiornare" (altre versioni) o "da creare"."""
    try:
        timbro = json.loads((ambiente / TIMBRO).read_text(encoding="utf-8"))
        presenti = set(pacchetti_in(ambiente))
        intero = presenti.issuperset(timbro["pacchetti"]) and python_di(ambiente).exists()
    except (OSError, ValueError, KeyError, TypeError):
        return "da creare"
    atteso = timbro_atteso(ambiente, radice)
    if not intero or any(timbro.get(c) != atteso[c] for c in ("python", "cartella")):
        return "da creare"
    return "pronto" if timbro.get("richieste") == atteso["richieste"] else "da aggiornare"


def timbra(ambiente, radice):
    """Segna che l'installazione è arrivata in fondo. Il timbro nasce intero o non nasce."""
    contenuto = dict(timbro_atteso(ambiente, radice), pacchetti=pacchetti_in(ambiente))
    provvisorio = ambiente / (TIMBRO + ".tmp")
    provvisorio.write_text(json.dumps(contenuto, indent=1), encoding="utf-8")
    provvisorio.replace(ambiente / TIMBRO)


# --- Passi mostrati a chi aspetta ---------------------------------------------------------


def _riassunto(riga):
    """Dal chiacchierio di pip, la parola che interessa a chi aspetta."""
    parole = riga.split()
    if len(parole) > 1 and parole[0] in ("Collecting", "Downloading"):
        nome = parole[1].rsplit("/", 1)[-1].split("==")[0].split("-")[0]
        return "scarico " + nome
    if riga.startswith("Installing collected"):
        return "copio i file dei pacchetti"
    if riga.startswith("Installing build"):
        return "collego attnkit"
    return None


def passo(titolo, comando, obbligatorio=True):
    """Esegue un comando mostrando solo a che punto è; se fallisce, ne mostra l'uscita intera.

    Restituisce True se è riuscito. Un passo non obbligatorio può fallire in silenzio.
    """
    sul_terminale = sys.stdout.isatty()
    inizio = ultimo = time.monotonic()
    dettaglio, uscita = "", []
    print(titolo + " …", end="" if sul_terminale else "\n", flush=True)
    ambiente = dict(os.environ, PYTHONUTF8="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    for nome in ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"):
        ambiente.pop(nome, None)  # porterebbero pip fuori da .venv
    processo = subprocess.Popen(comando, cwd=str(RADICE), env=ambiente, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                encoding="utf-8", errors="replace")
    try:
        for riga in processo.stdout:
            uscita.append(riga)
            dettaglio = _riassunto(riga) or dettaglio
            adesso = time.monotonic()
            if sul_terminale:
                mostrato = "{} … {} ({:.0f} s)".format(titolo, dettaglio, adesso - inizio)
                print("\r" + mostrato[:78].ljust(78), end="", flush=True)
            elif dettaglio and adesso - ultimo > 20:
                print("  {} ({:.0f} s)".format(dettaglio, adesso - inizio), flush=True)
                ultimo = adesso
        riuscito = processo.wait() == 0
    except BaseException:
        processo.kill()
        raise
    durata = time.monotonic() - inizio
    if sul_terminale:
        print("\r" + " " * 78 + "\r", end="")
    if riuscito:
        print("{}: fatto in {:.0f} s.".format(titolo, durata), flush=True)
    elif obbligatorio:
        raise ErroreAmbiente("{}: non riuscito. Ecco tutto ciò che è stato scritto:\n\n{}".format(
            titolo, "".join(uscita)))
    return riuscito


# --- Creare e aggiornare ------------------------------------------------------------------


def versione_di(pacchetto, radice):
    """La versione fissata in requirements.txt: la stessa in ogni passo."""
    for riga in (radice / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if riga.startswith(pacchetto + "=="):
            return riga.split("#")[0].split(";")[0].strip()
    raise ErroreAmbiente("requirements.txt non fissa {}.".format(pacchetto))


def crea(ambiente):
    """Un ambiente vuoto; ciò che c'era prima si butta."""
    if ambiente.exists():
        print("L'ambiente in {} è da rifare: lo ricreo.".format(ambiente.name))
        try:
            shutil.rmtree(str(ambiente))
        except OSError as errore:
            raise ErroreAmbiente("Non riesco a togliere {} ({}).\n"
                                 "Chiudi i programmi che lo usano e riprova.".format(ambiente, errore))
    # Da dentro un altro ambiente virtuale si risale al Python che l'ha creato.
    base = getattr(sys, "_base_executable", None) or sys.executable
    try:
        passo("Creo l'ambiente del corso", [base, "-m", "venv", str(ambiente)])
    except ErroreAmbiente as errore:
        if "ensurepip" in str(errore):
            raise ErroreAmbiente(
                "A questo Python manca il modulo per creare ambienti.\n"
                "Su Debian e Ubuntu: sudo apt install python{}.{}-venv".format(*sys.version_info[:2]))
        raise


def pip_di(ambiente):
    """Il comando che installa pacchetti in un ambiente."""
    return [str(python_di(ambiente)), "-m", "pip", "install", "--progress-bar", "off"]


def torch_per_la_cpu(pip, torch):
    """Su Linux il torch di PyPI porta con sé gigabyte di librerie CUDA: qui basta la CPU. Le dipendenze vengono dopo."""
    if sys.platform == "linux" and not passo("Installo torch per la CPU", pip + [
            "--no-deps", "--retries", "0", "--timeout", "10", "--index-url", INDICE_CPU, torch], obbligatorio=False):
        print("L'indice di torch per la CPU non risponde: uso quello normale (può essere grande).")


def installa(ambiente, radice):
    """Installa tutto ciò che requirements.txt chiede, a versioni fisse."""
    pip = pip_di(ambiente)
    torch_per_la_cpu(pip, versione_di("torch", radice))
    # Solo pacchetti già compilati: nessuno deve avere un compilatore.
    passo("Installo i pacchetti", pip + ["--only-binary", ":all:", "-r", str(radice / "requirements.txt")])
    configura(ambiente)
    passo("Controllo che funzionino", [str(python_di(ambiente)), "-c", "import numpy, torch, matplotlib"])


def configura(ambiente):
    """Toglie due distrazioni a chi comincia; vale solo dentro questo ambiente."""
    file = {
        # Il kernel avvisa, a ogni avvio, che parla con JupyterLab in chiaro: ma non esce da questo computer.
        "etc/ipython/ipython_kernel_config.py": "get_config().IPKernelApp.log_level = 40\n",
        # JupyterLab chiede, in inglese, se può scaricare le proprie notizie.
        "etc/jupyter/labconfig/page_config.json":
            '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}\n',
    }
    for nome, testo in file.items():
        (ambiente / nome).parent.mkdir(parents=True, exist_ok=True)
        (ambiente / nome).write_text(testo, encoding="utf-8")


def prepara(ambiente=AMBIENTE, radice=RADICE):
    """Porta l'ambiente allo stato "pronto", facendo solo ciò che manca."""
    situazione = stato(ambiente, radice)
    if situazione == "pronto":
        return
    if situazione == "da aggiornare":
        print("Le versioni richieste sono cambiate: aggiorno l'ambiente.")
        (ambiente / TIMBRO).unlink()  # se ci si ferma a metà, la prossima volta si rifà da capo
    else:
        crea(ambiente)
    installa(ambiente, radice)
    timbra(ambiente, radice)


# --- Comandi ------------------------------------------------------------------------------


def esegui(comando):
    """Esegue nell'ambiente «python comando…» e ne restituisce il codice d'uscita."""
    ambiente = dict(os.environ, PYTHONUTF8="1", VIRTUAL_ENV=str(AMBIENTE))
    for nome in ("PYTHONHOME", "PYTHONPATH"):
        ambiente.pop(nome, None)
    ambiente["PATH"] = str(python_di(AMBIENTE).parent) + os.pathsep + ambiente.get("PATH", "")
    processo = subprocess.Popen([str(python_di(AMBIENTE))] + comando, cwd=str(RADICE), env=ambiente)
    while True:
        try:
            return processo.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C è arrivato anche al comando: è lui a chiudere con ordine


def main(argomenti):
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
        sys.stderr.reconfigure(errors="replace")
    try:
        prepara()
        if argomenti:
            return esegui(argomenti)
        print("L'ambiente del corso è pronto: {}".format(AMBIENTE))
        return 0
    except ErroreAmbiente as errore:
        print("\n{}".format(errore), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrotto. La prossima volta si riparte da dove serve.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
