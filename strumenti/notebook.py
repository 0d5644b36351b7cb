"""Esegue i notebook del corso e li riscrive in forma normale.

    python strumenti/ambiente.py strumenti/notebook.py                        # tutti
    python strumenti/ambiente.py strumenti/notebook.py chapters/01-*.ipynb    # solo questi
    … --solo-normalizza    riscrive senza eseguire
    … --verifica           non tocca nulla; esce con 1 se un notebook non è in forma normale

La forma normale rende leggibili le differenze fra due versioni: metadati minimi, numeri
d'esecuzione da 1 a n, nessun orario, testo alternativo delle figure dove il sito lo cerca.
Eseguire due volte lo stesso notebook produce gli stessi byte.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

RADICE = Path(__file__).resolve().parent.parent
CAPITOLI = RADICE / "chapters"
SECONDI_PER_CELLA = 300

METADATI = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Le sequenze con cui IPython colora i messaggi d'errore.
COLORI = re.compile(r"\x1b\[[0-9;]*m")


class ErroreNotebook(Exception):
    """Qualcosa, in un notebook, che l'autore deve correggere: il messaggio dice dove e come."""


def trova(radice: Path = CAPITOLI) -> list[Path]:
    """I notebook del corso, in ordine; le copie nascoste di JupyterLab non contano."""
    return sorted(p for p in radice.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def leggi(percorso: Path) -> dict:
    """Legge un notebook così com'è, senza correggerlo di nascosto."""
    try:
        nb = json.loads(percorso.read_text(encoding="utf-8"))
    except ValueError as errore:
        raise ErroreNotebook(f"{percorso.name}: non è JSON valido ({errore}).") from None
    if nb.get("nbformat") != 4:
        raise ErroreNotebook(
            f"{percorso.name}: mi aspetto nbformat 4, trovo {nb.get('nbformat')}.")
    return nb


def in_testo(nb: dict) -> str:
    """Il notebook come testo: chiavi ordinate, rientro di uno spazio, a capo finale."""
    return json.dumps(nb, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def normalizza(nb: dict) -> dict:
    """La forma normale di un notebook.

    Args:
        nb: il notebook come dizionario; non viene modificato.

    Returns:
        Un nuovo dizionario. Normalizzare due volte è come normalizzare una volta.

    Raises:
        ErroreNotebook: per ciò che l'autore deve decidere: una cella senza id, due figure
            nella stessa cella, un avviso rimasto in un'uscita.
    """
    celle, eseguite = [], 0
    for posizione, cella in enumerate(nb["cells"], start=1):
        nome = cella.get("id")
        if not nome:
            raise ErroreNotebook(f"la cella numero {posizione} non ha un id: scegline uno leggibile.")
        nuova = {
            "cell_type": cella["cell_type"],
            "id": nome,
            "metadata": {},
            "source": in_righe(unito(cella["source"]).rstrip("\n")),
        }
        vecchi = cella.get("metadata", {})
        etichette = list(vecchi.get("tags", []))
        if etichette:
            nuova["metadata"]["tags"] = etichette
        if cella["cell_type"] == "code":
            numero = None
            if cella.get("execution_count") is not None:
                eseguite += 1
                numero = eseguite
            nuova["execution_count"] = numero
            nuova["outputs"] = _uscite(cella.get("outputs", []), numero, etichette, nome)
            immagine = _immagine(nuova["outputs"], nome)
            if numero is None:  # cella non ancora eseguita: si tiene quel che c'era
                vecchia = vecchi.get("mystnb", {}).get("image", {})
                immagine = {c: vecchia[c] for c in ("alt", "width") if c in vecchia}
            if immagine:
                nuova["metadata"]["mystnb"] = {"image": immagine}
        celle.append(nuova)
    return {"cells": celle, "metadata": METADATI, "nbformat": 4, "nbformat_minor": 5}


def unito(testo: str | list[str]) -> str:
    return testo if isinstance(testo, str) else "".join(testo)


def in_righe(testo: str) -> list[str]:
    return testo.splitlines(keepends=True)


def _uscite(uscite: list[dict], numero: int | None, etichette: list[str], nome: str) -> list[dict]:
    """Le uscite di una cella: flussi vicini uniti, barre d'avanzamento tolte, niente di passeggero."""
    normali: list[dict] = []
    for uscita in uscite:
        tipo = uscita["output_type"]
        if tipo == "stream":
            testo = unito(uscita["text"])
            ultima = normali[-1] if normali else {}
            if ultima.get("output_type") == "stream" and ultima["name"] == uscita["name"]:
                ultima["text"] += testo
            else:
                normali.append({"output_type": "stream", "name": uscita["name"], "text": testo})
        elif tipo == "error":
            # Il traceback contiene percorsi di chi ha eseguito: resta la riga che conta.
            riga = COLORI.sub("", f"{uscita['ename']}: {uscita['evalue']}")
            normali.append({"output_type": "error", "ename": uscita["ename"],
                            "evalue": uscita["evalue"], "traceback": [riga]})
        else:
            nuova = {"output_type": tipo, "metadata": uscita.get("metadata", {}),
                     "data": {mime: _dato(mime, valore) for mime, valore in uscita["data"].items()}}
            if tipo == "execute_result":
                nuova["execution_count"] = numero
            normali.append(nuova)
    pulite = []
    for uscita in normali:
        if uscita["output_type"] == "stream":
            visibile = _come_nel_terminale(uscita["text"])
            if uscita["name"] == "stderr":
                _rifiuta_avvisi(visibile, etichette, nome)
            if not visibile.strip():
                continue
            if pulite and pulite[-1].get("name") == uscita["name"]:          # li divideva una barra
                visibile = "".join(pulite.pop()["text"]) + visibile
            uscita["text"] = in_righe(visibile)
        pulite.append(uscita)
    return pulite


def _dato(mime: str, valore):
    # La stessa regola di nbformat: i testi a righe, le immagini in una stringa sola.
    if mime.startswith("text/") or mime == "image/svg+xml":
        return in_righe(unito(valore))
    return valore if mime.endswith("json") else unito(valore)


def _come_nel_terminale(testo: str) -> str:
    """Ciò che resta sullo schermo: un ritorno a capo senza riga nuova riscrive la riga."""
    def resta(riga: str) -> str:
        parti = riga.rstrip("\r").split("\r")
        return parti[-1]
    return "\n".join(resta(riga) for riga in testo.split("\n"))


def _rifiuta_avvisi(visibile: str, etichette: list[str], nome: str) -> None:
    if "raises-exception" in etichette:
        return
    if visibile.strip():
        raise ErroreNotebook(
            f"la cella «{nome}» scrive un avviso, e un avviso non va pubblicato:\n\n{visibile.strip()}\n\n"
            "Correggi la causa, poi riesegui il notebook.")
    if "nbval-ignore-output" not in etichette:
        raise ErroreNotebook(
            f"la cella «{nome}» mostra una barra d'avanzamento: aggiungile l'etichetta "
            "nbval-ignore-output, perché la barra cambia da una corsa all'altra.")


def _immagine(uscite: list[dict], nome: str) -> dict:
    """Testo alternativo e larghezza della figura, dove li cerca il sito (mystnb.image)."""
    trovate = []
    for uscita in uscite:
        for mime in uscita.get("data", {}):
            if mime.startswith("image/"):
                trovate.append(uscita["metadata"].get(mime, {}))
    if len(trovate) > 1:
        raise ErroreNotebook(
            f"la cella «{nome}» ha {len(trovate)} figure: una sola per cella, "
            "perché il testo alternativo è della cella.")
    immagine = {}
    if trovate and trovate[0].get("alt"):
        immagine["alt"] = trovate[0]["alt"]
    if trovate and trovate[0].get("width"):
        immagine["width"] = f"{trovate[0]['width']}px"
    return immagine


def esegui(nb: dict, cartella: Path) -> dict:
    """Esegue tutte le celle con il Python di questo ambiente, dalla cartella del notebook."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # Il kernel «python3» dev'essere quello di questo ambiente, non uno dell'utente.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    nodo = nbformat.from_dict({**normalizza(_senza_uscite(nb)), "nbformat_minor": 5})
    nodo = nbformat.v4.upgrade(nbformat.v4.rwbase.rejoin_lines(nodo))
    cliente = NotebookClient(nodo, timeout=SECONDI_PER_CELLA, kernel_name="python3",
                             resources={"metadata": {"path": str(cartella)}}, record_timing=False)
    try:
        cliente.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as errore:
        raise ErroreNotebook(f"l'esecuzione si è fermata.\n\n{errore}") from None
    return json.loads(json.dumps(nodo))


def _senza_uscite(nb: dict) -> dict:
    celle = [{**c, "outputs": [], "execution_count": None} if c["cell_type"] == "code" else c
             for c in nb["cells"]]
    return {**nb, "cells": celle}


def scrivi_se_cambia(percorso: Path, testo: str) -> bool:
    """Scrive con a capo LF, anche su Windows, e solo se serve; dice se ha scritto."""
    byte = testo.encode("utf-8")
    if percorso.exists() and percorso.read_bytes() == byte:
        return False
    provvisorio = percorso.with_suffix(".tmp")
    provvisorio.write_bytes(byte)
    provvisorio.replace(percorso)
    return True


def _nome(percorso: Path) -> str:
    try:
        return percorso.resolve().relative_to(RADICE).as_posix()
    except ValueError:
        return str(percorso)


def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Esegue e normalizza i notebook del corso.")
    opzioni.add_argument("notebook", nargs="*", type=Path, help="senza nomi: tutti quelli di chapters/")
    modo = opzioni.add_mutually_exclusive_group()
    modo.add_argument("--solo-normalizza", action="store_true", help="riscrive senza eseguire")
    modo.add_argument("--verifica", action="store_true", help="non scrive; esce con 1 se qualcosa non va")
    scelte = opzioni.parse_args(argomenti)

    from tqdm import tqdm

    percorsi = scelte.notebook or trova()
    if not percorsi:
        print("Non ho trovato notebook in chapters/.")
        return 1
    falliti, riscritti = [], 0
    barra = tqdm(percorsi, desc="notebook", unit="nb", leave=False, disable=len(percorsi) < 2)
    for percorso in barra:
        barra.set_postfix_str(percorso.stem)
        try:
            nb = leggi(percorso)
            if not (scelte.verifica or scelte.solo_normalizza):
                nb = esegui(nb, percorso.resolve().parent)
            testo = in_testo(normalizza(nb))
            if scelte.verifica:
                if percorso.read_bytes() != testo.encode("utf-8"):
                    raise ErroreNotebook("non è in forma normale: esegui «make notebook».")
            else:
                riscritti += scrivi_se_cambia(percorso, testo)
        except (ErroreNotebook, OSError) as errore:
            falliti.append(f"{_nome(percorso)}: {errore}")
    barra.close()
    for messaggio in falliti:
        print(f"\n{messaggio}", file=sys.stderr)
    if scelte.verifica:
        print(f"{len(percorsi) - len(falliti)} notebook su {len(percorsi)} in forma normale.")
    else:
        print(f"{len(percorsi)} notebook: {riscritti} riscritti, "
              f"{len(percorsi) - len(falliti) - riscritti} già a posto, {len(falliti)} da correggere.")
    return 1 if falliti else 0


if __name__ == "__main__":
    sys.exit(main())
