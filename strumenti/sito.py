"""Costruisce il sito del corso, e lo serve su questo computer.

    python3 strumenti/ambiente.py strumenti/sito.py            # costruisce
    python3 strumenti/ambiente.py strumenti/sito.py --leggi    # serve e apre il browser

I notebook già eseguiti non si rieseguono, ma solo finché non cambia ciò da cui dipendono: la
memoria di jupyter-cache guarda il notebook e non vede né attnkit né le versioni dei pacchetti.
Ci pensano due impronte: se cambia la prima, si rifà tutto; se cambia la seconda, le pagine.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import http.server
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import webbrowser
from pathlib import Path

RADICE = Path(__file__).resolve().parent.parent
SITO = RADICE / "_build" / "html"

# Da questi dipendono le uscite dei notebook…
FONTI_ESECUZIONE = ("attnkit", "requirements.txt", "pyproject.toml")
# …e da questi l'aspetto delle pagine, che Sphinx non ricontrolla tutto da sé.
FONTI_PAGINE = ("_config.yml", "_toc.yml", "_ext", "_static", "_templates")


def impronta(radice: Path, fonti: tuple[str, ...]) -> str:
    """Un riassunto del contenuto dei file: cambia se e solo se cambia un nome o un byte."""
    somma = hashlib.sha256()
    for fonte in fonti:
        base = radice / fonte
        for file in sorted(base.rglob("*")) if base.is_dir() else [base]:
            if not file.is_file() or "__pycache__" in file.parts or file.name.startswith("."):
                continue
            somma.update(file.relative_to(radice).as_posix().encode() + b"\0")
            somma.update(hashlib.sha256(file.read_bytes()).digest())
    return somma.hexdigest()


def impronte(radice: Path) -> dict[str, str]:
    return {
        "esecuzione": impronta(radice, FONTI_ESECUZIONE) + " " + platform.python_version(),
        "pagine": impronta(radice, FONTI_PAGINE),
    }


def pulisci_se_cambiato(radice: Path) -> str:
    """Butta ciò che non vale più e ricorda le impronte nuove.

    Returns:
        "tutto" se è sparita l'intera _build, "pagine" se restano le sole uscite dei notebook,
        "niente" se nulla è cambiato.
    """
    costruito = radice / "_build"
    memoria = costruito / "impronte.json"
    nuove = impronte(radice)
    try:
        vecchie = json.loads(memoria.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        vecchie = {}
    if vecchie == nuove:
        return "niente"
    if vecchie.get("esecuzione") != nuove["esecuzione"]:
        esito = "tutto"
        if costruito.exists():
            shutil.rmtree(costruito)
    else:
        esito = "pagine"
        for nome in ("html", ".doctrees"):
            shutil.rmtree(costruito / nome, ignore_errors=True)
    costruito.mkdir(exist_ok=True)
    # Si scrive prima di costruire: ciò che una corsa interrotta lascia è già di queste fonti.
    memoria.write_text(json.dumps(nuove, indent=1), encoding="utf-8")
    return esito


def costruisci(radice: Path = RADICE) -> int:
    """Costruisce il sito con gli avvisi trattati come errori."""
    esito = pulisci_se_cambiato(radice)
    print({
        "tutto": "Eseguo tutti i notebook e costruisco il sito.",
        "pagine": "Ricostruisco le pagine; i notebook già eseguiti restano.",
        "niente": "Aggiorno il sito dove serve.",
    }[esito], flush=True)
    comando = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()",
               "build", str(radice), "-W", "-n", "--keep-going"]
    # Il kernel «python3» dev'essere quello di questo ambiente, non uno dell'utente.
    ambiente = dict(os.environ, PYTHONUTF8="1", JUPYTER_PREFER_ENV_PATH="1", PYDEVD_DISABLE_FILE_VALIDATION="1")
    codice = subprocess.run(comando, cwd=radice, env=ambiente).returncode
    indice = radice / "_build" / "html" / "index.html"
    if codice or not indice.exists():
        # Sphinx non rilegge le pagine che non cambiano: senza questo, la prossima volta gli avvisi
        # di oggi tacerebbero e il sito sembrerebbe a posto.
        shutil.rmtree(radice / "_build" / ".doctrees", ignore_errors=True)
        print("\nIl sito non è riuscito: un avviso qui vale come un errore. Cerca WARNING o ERROR qui sopra.",
              file=sys.stderr)
        return codice or 1
    print(f"\nIl sito è pronto. Per leggerlo: make leggi\nOppure apri nel browser: {indice.as_uri()}")
    return 0


class Silenzioso(http.server.SimpleHTTPRequestHandler):
    """Serve i file senza elencare ogni richiesta, con i tipi giusti anche su Windows."""

    # Una pagina chiede una quarantina di file: con una connessione sola per molti, e senza attese, arrivano prima.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map,
                      ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
                      ".svg": "image/svg+xml", ".json": "application/json", ".woff2": "font/woff2"}

    def __init__(self, *argomenti, radice="/", **altri):
        self.radice = radice
        super().__init__(*argomenti, **altri)

    def log_message(self, *argomenti):
        pass

    def translate_path(self, path):
        # La pagina 404 cerca i suoi file sotto la radice del sito pubblicato: qui quella radice è «/».
        return super().translate_path("/" + path.removeprefix(self.radice) if path.startswith(self.radice) else path)

    def list_directory(self, path):
        self.send_error(404)  # come un sito vero, che non elenca le cartelle

    def send_error(self, code, message=None, explain=None):
        pagina = Path(self.directory, "404.html")
        if code != 404 or not pagina.exists():
            return super().send_error(code, message, explain)
        corpo = pagina.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(corpo)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(corpo)

    def end_headers(self):
        # Dopo una nuova costruzione il browser deve mostrare le pagine nuove.
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


def radice_di(cartella: Path) -> str:
    """Il percorso da cui comincerà il sito pubblicato: lo dichiara la sua pagina 404."""
    pagina = cartella / "404.html"
    dichiarata = re.search(r'data-content_root="(/[^"]*)"', pagina.read_text(encoding="utf-8")) if pagina.exists() else None
    return dichiarata[1] if dichiarata else "/"


def servi(cartella: Path, porta: int = 0) -> http.server.ThreadingHTTPServer:
    """Un server sulla sola macchina locale; con porta 0 il sistema ne sceglie una libera."""
    return http.server.ThreadingHTTPServer(
        ("127.0.0.1", porta), functools.partial(Silenzioso, directory=str(cartella), radice=radice_di(cartella)))


@contextlib.contextmanager
def in_ascolto(cartella: Path = SITO):
    """L'indirizzo a cui il sito risponde, in un thread a parte, finché dura il blocco."""
    with servi(cartella) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def leggi(radice: Path = RADICE, porta: int = 0, apri: bool = True) -> int:
    cartella = radice / "_build" / "html"
    if not (cartella / "index.html").exists():
        codice = costruisci(radice)
        if codice:
            return codice
    with servi(cartella, porta) as server:
        indirizzo = f"http://127.0.0.1:{server.server_address[1]}/"
        print(f"Il corso è qui: {indirizzo}\nPer fermarlo premi Ctrl-C.", flush=True)
        if apri:
            webbrowser.open(indirizzo)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nA presto.")
    return 0


def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Costruisce o serve il sito del corso.")
    opzioni.add_argument("--leggi", action="store_true", help="serve il sito e apre il browser")
    opzioni.add_argument("--porta", type=int, default=0, help="con --leggi: la porta (di norma una libera)")
    opzioni.add_argument("--senza-browser", action="store_true", help="con --leggi: non aprire il browser")
    scelte = opzioni.parse_args(argomenti)
    if scelte.leggi:
        return leggi(porta=scelte.porta, apri=not scelte.senza_browser)
    return costruisci()


if __name__ == "__main__":
    sys.exit(main())
