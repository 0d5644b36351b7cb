"""L'indirizzo del repository: scritto una volta in _config.yml, ripetuto nei notebook.

    make repository URL=https://github.com/nome/repository    # scrive l'indirizzo ovunque
    make repository                                           # riscrive quello di _config.yml
    python3 strumenti/ambiente.py strumenti/repository.py --verifica

Ogni notebook comincia con la cella «preparazione», che in Colab installa attnkit da quell'indirizzo.
Il suo testo nasce qui e in nessun altro posto. Finché nessuno ha pubblicato il corso, l'indirizzo
è PROVVISORIO: il suo proprietario non può esistere, perché GitHub rifiuta i nomi che cominciano
con un trattino; così nessuno installa per sbaglio il codice di uno sconosciuto.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from notebook import RADICE, ErroreNotebook, in_testo, leggi, scrivi_se_cambia, trova

CONFIGURAZIONE = RADICE / "_config.yml"
PROVVISORIO = "https://github.com/-da-impostare-/self-attention-transformer"
ID_CELLA = "preparazione"

MODELLO = '''\
# Prepara il notebook: dove attnkit manca, come in Colab, lo installa dal repository del corso.
try:
    import attnkit
except ModuleNotFoundError:
    import importlib, os, subprocess, sys

    CORSO = "@INDIRIZZO@"
    installa = [sys.executable, "-m", "pip", "install", "--quiet", f"attnkit @ git+{CORSO}"]
    senza_domande = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GCM_INTERACTIVE": "never"}
    if subprocess.run(installa, env=senza_domande, capture_output=True).returncode != 0:

        class CorsoNonInstallato(Exception):
            def _render_traceback_(self):  # basta una riga: ferma le celle seguenti, senza traceback
                return [str(self)]

        raise CorsoNonInstallato(
            f"Non riesco a installare attnkit da {CORSO}: controlla la rete e l'indirizzo "
            "(make repository URL=…), oppure lavora sul tuo computer con «make lab»."
        ) from None
    importlib.invalidate_caches()
    import attnkit
'''

# Solo caratteri che non possono uscire da una stringa di Python, da YAML o dalla riga di pip.
PEZZO = r"[A-Za-z0-9_.][A-Za-z0-9_.-]*"
INDIRIZZO = re.compile(rf"https://(?P<host>[a-z0-9][a-z0-9.-]*\.[a-z]{{2,}})(?P<percorso>(?:/{PEZZO}){{2,}})")
# Il blocco «repository:» di _config.yml con le sue righe rientrate, e la chiave «url:» al suo interno.
BLOCCO = re.compile(r"^repository[ \t]*:[ \t]*(?:#[^\n]*)?\n(?:(?:[ \t]+[^\n]*|[ \t]*#[^\n]*|[ \t]*)(?:\n|\Z))*", re.M)
CHIAVE = re.compile(r"""^([ \t]+url[ \t]*:[ \t]*)(["']?)([^\s"'#]+)\2""", re.M)


def valida(url: str) -> str:
    """Ripulisce l'indirizzo di un repository, o spiega perché non va.

    Args:
        url: come lo si copia dal browser; una barra o un «.git» in fondo si tolgono.

    Raises:
        ValueError: se non è nella forma https://github.com/nome/repository (o di GitLab).
    """
    pulito = url.strip().removesuffix("/").removesuffix(".git")
    if pulito == PROVVISORIO:
        return pulito
    forma = INDIRIZZO.fullmatch(pulito)
    pezzi = forma["percorso"].strip("/").split("/") if forma else []
    buono = bool(pezzi) and not any(set(pezzo) <= {"."} for pezzo in pezzi)
    if buono and forma["host"] in ("github.com", "www.github.com"):
        # GitHub: due pezzi soli; nel nome dell'account, lettere, cifre e trattini non agli estremi.
        account = re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?", pezzi[0])
        buono = len(pezzi) == 2 and account is not None
    if not buono:
        raise ValueError(f"{url!r} non è l'indirizzo di un repository: mi aspetto la forma "
                         "https://github.com/nome/repository oppure https://gitlab.com/gruppo/repository")
    return pulito


def indirizzo_in(testo: str) -> str:
    """L'indirizzo scritto in _config.yml, alla chiave repository.url."""
    return _chiave(testo)[3]


def con_indirizzo(testo: str, url: str) -> str:
    """Il testo di _config.yml con un altro indirizzo: cambia quello e nient'altro."""
    chiave = _chiave(testo)
    return testo[:chiave.start(3)] + url + testo[chiave.end(3):]


def _chiave(testo: str) -> re.Match:
    blocco = BLOCCO.search(testo)
    chiave = CHIAVE.search(testo, blocco.start(), blocco.end()) if blocco else None
    if chiave is None:
        raise ValueError("in _config.yml manca la chiave «url» sotto «repository».")
    return chiave


def cella(url: str) -> str:
    """Il testo della cella di preparazione per un dato indirizzo."""
    return MODELLO.replace("@INDIRIZZO@", url).rstrip("\n")


def imprimi(nb: dict, url: str) -> bool:
    """Mette nel notebook la cella di preparazione aggiornata; dice se è cambiata."""
    trovate = [c for c in nb["cells"] if c.get("id") == ID_CELLA]
    if len(trovate) != 1 or trovate[0]["cell_type"] != "code":
        raise ErroreNotebook(f"serve una cella di codice, e una sola, con id «{ID_CELLA}»; "
                             f"ne trovo {len(trovate)}.")
    righe = cella(url).splitlines(keepends=True)
    if "".join(trovate[0]["source"]) == "".join(righe):
        return False
    trovate[0]["source"] = righe
    return True


def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Scrive l'indirizzo del corso in _config.yml e nei notebook.")
    opzioni.add_argument("url", nargs="?", default="", help="https://github.com/nome/repository")
    opzioni.add_argument("--verifica", action="store_true",
                         help="non scrive; esce con 1 se un notebook ha un'altra cella di preparazione")
    scelte = opzioni.parse_args(argomenti)
    try:
        configurazione = CONFIGURAZIONE.read_text(encoding="utf-8")
        url = valida(scelte.url or indirizzo_in(configurazione))
        if not scelte.verifica:
            scrivi_se_cambia(CONFIGURAZIONE, con_indirizzo(configurazione, url))
    except (OSError, ValueError) as errore:
        print(errore, file=sys.stderr)
        return 1
    vecchi, falliti, notebook = [], 0, trova()
    for percorso in notebook:
        nome = percorso.relative_to(RADICE).as_posix()
        try:
            nb = leggi(percorso)
            if imprimi(nb, url):
                vecchi.append(nome)
                if not scelte.verifica:
                    scrivi_se_cambia(percorso, in_testo(nb))
        except ErroreNotebook as errore:
            falliti += 1
            print(f"{nome}: {errore}", file=sys.stderr)
    print(f"Indirizzo del corso: {url}")
    for nome in vecchi:
        print(f"{nome}: {'da aggiornare con «make repository»' if scelte.verifica else 'aggiornato'}")
    print(f"{len(notebook) - len(vecchi) - falliti} notebook su {len(notebook)} già a posto.")
    return 1 if falliti or (scelte.verifica and vecchi) else 0


if __name__ == "__main__":
    sys.exit(main())
