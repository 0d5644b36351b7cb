"""Gli esercizi del corso, raccolti per chi insegna.

    make dispensa                       # _build/dispensa: un PDF, e un notebook per capitolo; nessuna soluzione
    make dispensa SUGGERIMENTI=1        # con i suggerimenti
    make dispensa SOLUZIONI=1           # per chi corregge: le soluzioni discusse, dopo gli esercizi

Gli esercizi si prendono dai capitoli, le soluzioni dalle loro pagine: qui non c'è nulla da tenere aggiornato. Un notebook
della dispensa comincia con le celle del capitolo di cui i suoi esercizi hanno bisogno, e nient'altro.
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
from pathlib import Path

from bs4 import BeautifulSoup

import libro
import notebook
from nomi import nomi_di
from notebook import CAPITOLI, RADICE

SOLUZIONI = CAPITOLI / "soluzioni"
USCITA = RADICE / "_build" / "dispensa"
TITOLO = re.compile(r"^### Esercizio (\d+\.\d+)", re.MULTILINE)
AIUTO = re.compile(r"<details>.*?</details>\n*", re.DOTALL)
STUDENTE = "Scrivi la tua risposta al posto di `raise NotImplementedError`, poi esegui la cella di controllo."


# Dai notebook ---------------------------------------------------------------------------------------------

def testo(cella: dict) -> str:
    return notebook.unito(cella["source"])


def celle_degli_esercizi(nb: dict, *, suggerimenti: bool = False) -> dict[str, list[dict]]:
    """Per ogni esercizio del capitolo le sue celle, dal titolo al controllo; poi i suggerimenti, se si vogliono."""
    trovate, aperto = {}, None
    for cella in nb["cells"]:
        sorgente = testo(cella)
        titolo = TITOLO.search(sorgente) if cella["cell_type"] == "markdown" else None
        if titolo:                                        # ciò che nella cella viene prima è ancora il capitolo
            aperto, sorgente = titolo[1], sorgente[titolo.start():]
        # I suggerimenti dei primi capitoli hanno una cella propria, dopo il controllo.
        di_chi = aperto or _aiuti_di(cella)
        if di_chi is None:
            continue
        if cella["cell_type"] == "markdown" and not suggerimenti:
            sorgente = AIUTO.sub("", sorgente)
        if sorgente.strip():
            trovate.setdefault(di_chi, []).append({**copy.deepcopy(cella), "source": notebook.in_righe(sorgente.strip("\n"))})
        if aperto and cella["cell_type"] == "code" and f'check("{aperto}"' in sorgente:
            aperto = None
    return trovate


def _aiuti_di(cella: dict) -> str | None:
    nome = re.fullmatch(r"es-(\d+)-(\d+)-aiuti", cella["id"])
    return f"{nome[1]}.{nome[2]}" if nome else None


def soluzioni_di(nb: dict) -> dict[str, list[dict]]:
    """Per ogni esercizio le celle della sua soluzione, discussione compresa."""
    trovate, di_chi = {}, None
    for cella in nb["cells"]:
        nome = re.match(r"es-(\d+)-(\d+)", cella["id"])
        di_chi = f"{nome[1]}.{nome[2]}" if nome else di_chi
        if di_chi:
            trovate.setdefault(di_chi, []).append(copy.deepcopy(cella))
    return trovate


def occorrenti(nb: dict, esercizi: dict[str, list[dict]]) -> list[dict]:
    """Le celle del capitolo senza le quali quelle degli esercizi non girano, nell'ordine del capitolo."""
    propri = {cella["id"] for celle in esercizi.values() for cella in celle}
    codice = [cella for cella in nb["cells"] if cella["cell_type"] == "code"]
    prese = {"preparazione", "importa"}
    cercati = [cella["id"] for cella in codice if cella["id"] in propri]
    while cercati:
        cella_id = cercati.pop()
        posto = next(n for n, cella in enumerate(codice) if cella["id"] == cella_id)
        for nome in nomi_di(testo(codice[posto]))[0]:
            chi = next((cella["id"] for cella in reversed(codice[:posto]) if nome in nomi_di(testo(cella))[1]), None)
            if chi and chi not in prese | propri:
                prese.add(chi)
                cercati.append(chi)
    return [copy.deepcopy(cella) for cella in codice if cella["id"] in prese]


def compito(capitolo: Path, *, suggerimenti: bool = False, soluzioni: bool = False) -> dict:
    """Il notebook con gli esercizi di un capitolo."""
    nb = notebook.leggi(capitolo)
    esercizi = celle_degli_esercizi(nb, suggerimenti=suggerimenti)
    titolo = testo(nb["cells"][0]).splitlines()[0].removeprefix("# ")
    celle = [_markdown("titolo", f"# Esercizi: {titolo}\n\n{STUDENTE}"), *occorrenti(nb, esercizi)]
    svolti = soluzioni_di(notebook.leggi(SOLUZIONI / capitolo.name)) if soluzioni else {}
    for numero, proprie in esercizi.items():
        celle += proprie
        celle += [{**cella, "id": f"{cella['id']}-svolta"} for cella in svolti.get(numero, [])]
    for cella in celle:
        if cella["cell_type"] == "code":
            cella.update(outputs=[], execution_count=None, metadata={})
    return {"cells": celle, "metadata": notebook.METADATI, "nbformat": 4, "nbformat_minor": 5}


def _markdown(nome: str, scritto: str) -> dict:
    return {"cell_type": "markdown", "id": nome, "metadata": {}, "source": notebook.in_righe(scritto)}


# Sulla carta ----------------------------------------------------------------------------------------------

def stampata(*, suggerimenti: bool = False, soluzioni: bool = False) -> list[tuple[str, list]]:
    """Gli esercizi di ogni capitolo come articoli da stampare; le soluzioni, se si vogliono, in fondo."""
    parti = libro.parti_del_corso()
    pronte = [("Esercizi", [(libro.nome_di(pagina), _soli_esercizi(libro.articolo(pagina, set()), suggerimenti))
                            for pagina in _pagine(parti, svolte=False)])]
    if soluzioni:
        svolte = _pagine(parti, svolte=True)
        pronte.append(("Soluzioni", [(libro.nome_di(pagina), libro.articolo(pagina, set(svolte))) for pagina in svolte]))
    return pronte


def _pagine(parti, *, svolte: bool) -> list[str]:
    return [pagina for _, nomi in parti for pagina in nomi
            if pagina.startswith("chapters/") and ("soluzioni" in pagina) == svolte]


def _soli_esercizi(articolo, suggerimenti: bool):
    """Un capitolo senza nulla tranne il titolo e gli esercizi; in ciascuno, spazio per scrivere."""
    nuovo = BeautifulSoup("<article class='bd-article'></article>", "html.parser")
    nuovo.article.append(copy.copy(articolo.h1))
    for h3 in articolo.find_all("h3"):
        if not h3.get_text().startswith("Esercizio"):
            continue
        sezione = nuovo.new_tag("section", id=h3.find_parent("section").get("id", ""))
        for pezzo in [h3, *h3.find_next_siblings()]:
            if "check(" in pezzo.get_text() and "cell" in pezzo.get("class", []):
                break
            if pezzo.name != "details" or suggerimenti:
                sezione.append(copy.copy(pezzo))
        sezione.h3.name = "h2"                            # qui sopra c'è solo il titolo del capitolo
        for aiuto in sezione.find_all("details"):
            if suggerimenti:
                aiuto["open"] = ""
            else:
                aiuto.decompose()
        sezione.append(nuovo.new_tag("div", attrs={"class": "spazio-per-scrivere"}))
        nuovo.article.append(sezione)
    return nuovo.article


# I comandi ------------------------------------------------------------------------------------------------

def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Raccoglie gli esercizi del corso.")
    opzioni.add_argument("--suggerimenti", action="store_true", help="con i suggerimenti")
    opzioni.add_argument("--soluzioni", action="store_true", help="con le soluzioni discusse")
    opzioni.add_argument("--senza-pdf", action="store_true", help="solo i notebook")
    opzioni.add_argument("--uscita", type=Path, default=USCITA, help="la cartella in cui scrivere")
    scelte = opzioni.parse_args(argomenti)
    capitoli = sorted(CAPITOLI.glob("[0-9][0-9]-*.ipynb"))
    quali = {"suggerimenti": scelte.suggerimenti, "soluzioni": scelte.soluzioni}
    cartella = scelte.uscita / ("con-soluzioni" if scelte.soluzioni else "studenti")
    cartella.mkdir(parents=True, exist_ok=True)
    for capitolo in capitoli:
        notebook.scrivi_se_cambia(cartella / capitolo.name, notebook.in_testo(compito(capitolo, **quali)))
    print(f"{len(capitoli)} notebook in {cartella}.")
    if scelte.senza_pdf:
        return 0
    return libro.stampa_o_spiega(lambda: stampata(**quali), cartella / "esercizi.pdf", titolo="Esercizi sulla self-attention",
                                 sottotitolo="Con le soluzioni" if scelte.soluzioni else "Gli esercizi del corso, senza soluzioni")


if __name__ == "__main__":
    sys.exit(main())
