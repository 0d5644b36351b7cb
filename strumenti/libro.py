"""Stampa il corso in un PDF: copertina, indice con i numeri di pagina, capitoli, soluzioni in appendice.

    make pdf                                                     # _build/pdf/corso.pdf
    python3 strumenti/ambiente.py strumenti/libro.py             # lo stesso

Parte dal sito costruito: le pagine si uniscono in una sola, i collegamenti fra una e l'altra diventano salti dentro il
documento, e la stampa la fa un browser della famiglia di Chromium. Si stampa due volte: la prima dice a che pagina
cade ogni titolo, la seconda lo scrive nell'indice.
"""

from __future__ import annotations

import argparse
import posixpath
import re
import sys
from pathlib import Path

import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter
from tqdm import tqdm

import browser
import sito
from sito import RADICE, SITO

USCITA = RADICE / "_build" / "pdf" / "corso.pdf"
TITOLO, AUTORE = "Self-attention nei transformer", "gli autori del corso"

# Ciò che sulla carta non serve, o non si può fare.
DI_TROPPO = ("script", "noscript", ".headerlink", ".copybtn", ".segno", ".progressi", ".lettere", ".invito", ".laboratorio",
             "details.hide", "button")
PIEDE = ('<div style="width:100%;font-size:8pt;color:#444;text-align:center;font-family:sans-serif">'
         '<span class="pageNumber"></span></div>')


class ErroreLibro(Exception):
    """Perché il PDF non si può fare, detto a chi deve rimediare."""


# Dalle pagine a una pagina sola ---------------------------------------------------------------------------

def parti_del_corso(radice: Path = RADICE) -> list[tuple[str, list[str]]]:
    """Le pagine da stampare, nell'ordine dell'indice: coppie (titolo della parte, nomi delle pagine)."""
    indice = yaml.safe_load((radice / "_toc.yml").read_text(encoding="utf-8"))
    parti = [(parte["caption"], [f"{voce['file']}.html" for voce in parte["chapters"]]) for parte in indice["parts"]]
    return [("", [f"{indice['root']}.html"]), *parti]


def nome_di(pagina: str) -> str:
    """Da «chapters/01-panoramica.html» a un'àncora: «chapters-01-panoramica»."""
    return re.sub(r"[^\w-]", "-", pagina.removesuffix(".html"))


def articolo(pagina: str, pagine: set[str]):
    """Il testo di una pagina, con i nomi e gli indirizzi che servono dentro il libro.

    Gli identificatori prendono davanti il nome della pagina; un collegamento a una pagina del libro diventa un salto, e le
    immagini si cercano dalla radice del sito.
    """
    documento = BeautifulSoup((SITO / pagina).read_text(encoding="utf-8"), "html.parser")
    testo = documento.find("article")
    for dal_vivo in testo.select(".laboratorio"):
        nota = documento.new_tag("p")
        nota.string = "Questa parte è dal vivo: si apre nel sito."
        dal_vivo.insert_before(nota)
    for selettore in DI_TROPPO:
        for elemento in testo.select(selettore):
            elemento.decompose()
    cartella = posixpath.dirname(pagina)
    for elemento in testo.find_all(id=True):
        elemento["id"] = f"{nome_di(pagina)}--{elemento['id']}"
    for elemento in testo.find_all(["img", "source"]):
        if elemento.get("src") and not elemento["src"].startswith("data:"):
            elemento["src"] = posixpath.normpath(posixpath.join(cartella, elemento["src"]))
    for elemento in testo.find_all("a", href=True):
        indirizzo, _, ancora = elemento["href"].partition("#")
        if ":" in indirizzo:
            continue
        verso = posixpath.normpath(posixpath.join(cartella, indirizzo)) if indirizzo else pagina
        if verso in pagine:
            elemento["href"] = f"#{nome_di(verso)}--{ancora}" if ancora else f"#{nome_di(verso)}"
        else:
            elemento.unwrap()                             # un file, o una pagina che non è nel libro
    return testo


def in_fondo_i_suggerimenti(testo, documento) -> None:
    """Raccoglie i suggerimenti di un capitolo in fondo: accanto all'esercizio si leggerebbero prima di averci provato."""
    trovati = [(blocco, blocco.find_previous(["h2", "h3"])) for blocco in testo.find_all("details")]
    if not trovati:
        return
    sezione = documento.new_tag("section", attrs={"class": "suggerimenti"})
    titolo = documento.new_tag("h2")
    titolo.string = "Suggerimenti"
    sezione.append(titolo)
    for blocco, sopra in trovati:
        nota = documento.new_tag("div", attrs={"class": "suggerimento"})
        forte = documento.new_tag("strong")
        esercizio = re.match(r"Esercizio [\d.]+", sopra.get_text())
        detto = blocco.summary.get_text(strip=True) if blocco.summary else "Suggerimento"
        forte.string = f"{esercizio[0] if esercizio else sopra.get_text(strip=True)} · {detto}"
        nota.append(forte)
        for figlio in list(blocco.children):
            if getattr(figlio, "name", None) != "summary":
                nota.append(figlio.extract())
        blocco.decompose()
        sezione.append(nota)
    testo.append(sezione)


def componi(parti, *, titolo: str = TITOLO, sottotitolo: str = "Un corso in italiano, da leggere e da eseguire", numeri=None) -> str:
    """L'HTML del libro.

    Args:
        parti: coppie (titolo della parte, articoli), dove un articolo è una coppia (nome, BeautifulSoup).
        numeri: le pagine a cui cadono i titoli dell'indice, nell'ordine; None la prima volta.
    """
    documento = BeautifulSoup((SITO / "index.html").read_text(encoding="utf-8"), "html.parser")
    testa = "".join(str(foglio) for foglio in documento.find_all("link", rel="stylesheet"))
    capitoli, voci, visti = [], [], 0
    for parte, articoli in parti:
        if parte:
            voci.append(f'<p class="indice-parte">{parte}</p>')
        for nome, testo in articoli:
            for livello, intestazione in ((1, testo.h1), *((2, h2) for h2 in testo.find_all("h2"))):
                ancora = nome if livello == 1 else (intestazione.find_parent("section") or {}).get("id", nome)
                numero, visti = numeri[visti] if numeri else "000", visti + 1
                if len(intestazione.get_text(strip=True)) < 2:               # le lettere del glossario
                    continue
                voci.append(f'<p class="indice-voce livello-{livello}"><a href="#{ancora}"><span>{intestazione.get_text(" ", strip=True)}</span>'
                            f"<span>{numero}</span></a></p>")
            capitoli.append(f'<div class="capitolo" id="{nome}">{testo}</div>')
    return f"""<!DOCTYPE html>
<html lang="it" data-theme="light" data-mode="light"><head><meta charset="utf-8"><title>{titolo}</title>
{testa}<link rel="stylesheet" href="_static/katex/katex.min.css"><link rel="stylesheet" href="_static/stile/libro.css">
<script src="_static/katex/katex.min.js"></script><script src="_static/js/formule.js"></script></head>
<body><div class="copertina-libro"><p class="titolo-libro">{titolo}</p><p class="sottotitolo-libro">{sottotitolo}</p>
<p class="nota-libro">Testo e figure: CC BY 4.0. Codice: licenza MIT.<br>Il sito, gli esercizi con il riscontro e il laboratorio dal vivo sono nel repository del corso.</p></div>
<nav class="indice-libro" aria-label="Indice"><p class="titolo-indice">Indice</p>{"".join(voci)}</nav>
<main class="bd-main"><div class="bd-content"><div class="bd-article-container">{"".join(capitoli)}</div></div></main></body></html>"""


# Dalla pagina al PDF --------------------------------------------------------------------------------------

def stampa(aperto, indirizzo: str, html: str, uscita: Path) -> None:
    """Stampa in PDF una pagina che sta alla radice del sito, dopo aver aspettato formule, figure e caratteri."""
    pagina = aperto.new_page(color_scheme="light", locale="it-IT")
    pagina.route("**/libro.html", lambda rotta: rotta.fulfill(body=html, content_type="text/html; charset=utf-8"))
    pagina.goto(indirizzo + "libro.html", wait_until="load", timeout=180_000)
    pagina.wait_for_function("[...document.querySelectorAll('.formula')].every((f) => f.querySelector('.katex'))", timeout=120_000)
    pagina.wait_for_function("[...document.images].every((figura) => figura.complete && figura.naturalWidth > 0)", timeout=120_000)
    pagina.evaluate("document.fonts.ready")
    pagina.pdf(path=str(uscita), format="A4", outline=True, tagged=True, print_background=True, display_header_footer=True,
               header_template="<span></span>", footer_template=PIEDE,
               margin={"top": "18mm", "bottom": "18mm", "left": "17mm", "right": "17mm"})
    pagina.close()


def titoli(pdf: PdfReader) -> list[tuple[str, int, int]]:
    """Il sommario di un PDF, in fila: (titolo, livello da 1, numero di pagina da 1)."""
    def in_fila(voci, livello):
        for voce in voci:
            if isinstance(voce, list):
                yield from in_fila(voce, livello + 1)
            else:
                yield " ".join(voce.title.split()), livello, pdf.get_destination_page_number(voce) + 1
    return list(in_fila(pdf.outline, 1))


def scrivi_il_libro(parti, uscita: Path, **altro) -> PdfReader:
    """Stampa due volte, e scrive nel file titolo, autore e lingua."""
    uscita.parent.mkdir(parents=True, exist_ok=True)
    with sito.in_ascolto() as indirizzo, sync_playwright() as playwright, tqdm(total=3, desc="Stampo", unit="passo", leave=False) as barra:
        aperto = browser.apri(playwright)
        stampa(aperto, indirizzo, componi(parti, **altro), uscita)
        barra.update()
        quanti = sum(1 + len(testo.find_all("h2")) for _, articoli in parti for _, testo in articoli)
        trovati = [numero for _, livello, numero in titoli(PdfReader(uscita)) if livello <= 2]
        if len(trovati) != quanti:
            raise ErroreLibro(f"Mi aspettavo {quanti} titoli nel sommario del PDF, ne ho trovati {len(trovati)}.")
        stampa(aperto, indirizzo, componi(parti, numeri=trovati, **altro), uscita)
        barra.update()
        aperto.close()
        scrittore = PdfWriter(clone_from=uscita)
        scrittore.add_metadata({"/Title": altro.get("titolo", TITOLO), "/Author": AUTORE})
        scrittore.write(uscita)
        barra.update()
    return PdfReader(uscita)


def articoli_del_corso(parti) -> list[tuple[str, list]]:
    """Per ogni parte, i suoi articoli pronti per il libro."""
    pagine = {pagina for _, nomi in parti for pagina in nomi}
    pronte = []
    for parte, nomi in parti:
        articoli = []
        for pagina in nomi:
            testo = articolo(pagina, pagine)
            if "chapters/" in pagina and "soluzioni" not in pagina:
                in_fondo_i_suggerimenti(testo, BeautifulSoup("", "html.parser"))
            articoli.append((nome_di(pagina), testo))
        pronte.append((parte, articoli))
    return pronte


def stampa_o_spiega(parti, uscita: Path, **altro) -> int:
    """Costruisce il sito se manca, stampa e dice dov'è il PDF; se non si può, dice perché e restituisce 1.

    `parti` è una funzione, perché legge le pagine del sito.
    """
    try:
        if not (SITO / "index.html").exists() and sito.costruisci(RADICE):
            raise ErroreLibro("Il sito non si costruisce: correggi ciò che dice qui sopra, e riprova.")
        pdf = scrivi_il_libro(parti(), uscita, **altro)
    except (ErroreLibro, browser.NessunBrowser) as errore:
        print(errore, file=sys.stderr)
        return 1
    print(f"{uscita}: {len(pdf.pages)} pagine, {uscita.stat().st_size / 1e6:.1f} MB.")
    return 0


def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Stampa il corso in un PDF.")
    opzioni.add_argument("--uscita", type=Path, default=USCITA, help="il file da scrivere")
    return stampa_o_spiega(lambda: articoli_del_corso(parti_del_corso()), opzioni.parse_args(argomenti).uscita)


if __name__ == "__main__":
    sys.exit(main())
