"""Il sito costruito, come lo vedono le prove: quali pagine ha, che cosa carica ognuna, quanto pesa."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from sito import SITO, radice_di

PESO_MASSIMO = 3_000_000

NELLO_STILE = re.compile(r"""url\(\s*(["']?)(.+?)\1\s*\)|@import\s+(["'])(.+?)\3""")
# Le etichette da cui il browser scarica qualcosa senza che nessuno lo chieda.
CARICANO = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src", "audio": "src",
            "embed": "src", "object": "data", "link": "href", "use": "href", "image": "href"}
# I <link> che non fanno scaricare nulla.
SOLO_RIFERIMENTI = {"search", "next", "prev", "index", "canonical", "author", "copyright"}


def nomi_pagine() -> list[str]:
    """I percorsi delle pagine, relativi al sito, in ordine; vuoto se il sito non c'è."""
    if not (SITO / "index.html").exists():
        return []
    return sorted(p.relative_to(SITO).as_posix() for p in SITO.rglob("*.html")
                  if not {"_static", "_sources"} & set(p.relative_to(SITO).parts))


def salta(motivo: str, se_non: str) -> None:
    """Salta la prova dicendo perché; la fa fallire dove la variabile d'ambiente `se_non` vale 1."""
    if os.environ.get(se_non) == "1":
        pytest.fail(motivo)
    pytest.skip(motivo)


def serve_il_sito() -> None:
    """Salta la prova dove il sito non è costruito; con SITO_OBBLIGATORIO=1 la fa fallire."""
    if not nomi_pagine():
        salta(f"il sito non è costruito: manca {SITO / 'index.html'} (si fa con «make sito»)", "SITO_OBBLIGATORIO")


@cache
def leggi(nome: str) -> BeautifulSoup:
    return BeautifulSoup((SITO / nome).read_text(encoding="utf-8"), "html.parser")


def estraneo(indirizzo: str) -> bool:
    """Vero se l'indirizzo porta fuori dal sito."""
    pezzi = urlsplit(indirizzo.strip())
    return bool(pezzi.netloc) or pezzi.scheme in ("http", "https", "ws", "wss", "ftp")


def caricati_dallo_stile(testo: str) -> list[str]:
    trovati = (a or b for _, a, _, b in NELLO_STILE.findall(testo))
    return [indirizzo for indirizzo in trovati if not indirizzo.startswith(("data:", "#"))]


def caricati_da(pagina: BeautifulSoup) -> list[str]:
    """Tutto ciò che il browser scarica leggendo la pagina, come è scritto nella pagina."""
    indirizzi = []
    for etichetta, attributo in CARICANO.items():
        for elemento in pagina.find_all(etichetta):
            if etichetta == "link" and SOLO_RIFERIMENTI & set(elemento.get("rel", [])):
                continue
            if elemento.get(attributo):
                indirizzi.append(elemento[attributo])
            for candidato in elemento.get("srcset", "").split(","):
                if candidato.strip():
                    indirizzi.append(candidato.split()[0])
    for stile in pagina.find_all("style"):
        indirizzi += caricati_dallo_stile(stile.get_text())
    for elemento in pagina.find_all(style=True):
        indirizzi += caricati_dallo_stile(elemento["style"])
    return [indirizzo for indirizzo in indirizzi if not indirizzo.startswith(("data:", "#"))]


def file_di(indirizzo: str, da: Path) -> Path:
    """Il file a cui porta un indirizzo interno scritto nel file `da`."""
    percorso = unquote(urlsplit(indirizzo).path)
    if not percorso:
        return da
    if percorso.startswith("/"):  # solo la pagina 404 usa indirizzi che partono dalla radice del sito
        file = (SITO / percorso.removeprefix(radice_di(SITO)).lstrip("/")).resolve()
    else:
        file = (da.parent / percorso).resolve()
    return file / "index.html" if file.is_dir() else file


@cache
def file_caricati(nome: str) -> tuple[Path, ...]:
    """La pagina e tutti i file che può caricare, compresi quelli chiamati dai fogli di stile."""
    da_vedere, visti = [SITO / nome], []
    while da_vedere:
        file = da_vedere.pop()
        if file in visti:
            continue
        visti.append(file)
        if file.suffix == ".css" and file.exists():
            indirizzi = caricati_dallo_stile(file.read_text(encoding="utf-8"))
        elif file == SITO / nome:
            indirizzi = caricati_da(leggi(nome))
        else:
            continue
        da_vedere += [file_di(indirizzo, file) for indirizzo in indirizzi if not estraneo(indirizzo)]
    return tuple(visti)


def peso(nome: str) -> int:
    """I byte della pagina e di tutto ciò che può caricare: un limite superiore, coi caratteri non usati."""
    return sum(file.stat().st_size for file in file_caricati(nome) if file.exists())
