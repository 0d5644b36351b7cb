"""Il corso stampato, e gli esercizi stampati: titoli, pagine e collegamenti del PDF."""

import os
import re

import browser
import dispensa
import libro
import pytest
from pagine import salta, serve_il_sito

PARTI = [("", ["intro.html"]), ("Il meccanismo", ["chapters/01-panoramica.html", "chapters/03-relevance-scoring.html"]),
         ("Strumenti", ["laboratorio.html"]), ("Soluzioni", ["chapters/soluzioni/01-panoramica.html"])]


def stampato(parti, uscita, **altro):
    serve_il_sito()
    try:
        return libro.scrivi_il_libro(parti, uscita, **altro)
    except browser.NessunBrowser as motivo:
        salta(str(motivo), "BROWSER_OBBLIGATORIO")


@pytest.fixture(scope="module")
def pdf(tmp_path_factory):
    serve_il_sito()
    return stampato(libro.articoli_del_corso(PARTI), tmp_path_factory.mktemp("pdf") / "corso.pdf")


@pytest.fixture(scope="module")
def testi(pdf):
    """Il testo di ogni pagina, con uno spazio solo fra una parola e l'altra."""
    return [" ".join(pagina.extract_text().split()) for pagina in pdf.pages]


def test_ogni_capitolo_e_nel_sommario_alla_sua_pagina(pdf, testi):
    voci = libro.titoli(pdf)
    capitoli = [(titolo, numero) for titolo, livello, numero in voci if livello == 1]
    attesi = ("Self-attention nei transformer", "Panoramica", "Relevance scoring", "Laboratorio", "Soluzioni del capitolo 1: Panoramica")
    assert len(capitoli) == len(attesi) and all(atteso in titolo for atteso, (titolo, _) in zip(attesi, capitoli))
    for titolo, numero in capitoli:
        assert " ".join(titolo.split()) in testi[numero - 1], f"{titolo} non è a pagina {numero}"


def test_l_indice_dice_le_pagine_vere(pdf, testi):
    indice = " ".join(testi[1:4])
    for titolo, livello, numero in libro.titoli(pdf):
        if livello <= 2:
            assert re.search(rf"{re.escape(titolo)} ?{numero}\b", indice), f"{titolo}: nell'indice non c'è la pagina {numero}"
    assert "000" not in re.findall(r"\b\d{3}\b", indice)


def test_nessuna_pagina_e_vuota_e_ognuna_ha_il_suo_numero(pdf, testi):
    for numero, testo in enumerate(testi, start=1):
        assert str(numero) in testo.split(), f"la pagina {numero} non ha il suo numero"
        assert len(testo.split()) > 5 or pdf.pages[numero - 1].images, f"la pagina {numero} è vuota"


def test_i_caratteri_viaggiano_con_il_documento(pdf):
    for pagina in pdf.pages:
        for carattere in (pagina["/Resources"].get("/Font") or {}).values():
            oggetto = carattere.get_object()
            discendenti = [d.get_object() for d in oggetto.get("/DescendantFonts", [])] or [oggetto]
            for discendente in discendenti:
                if oggetto["/Subtype"] == "/Type3":
                    continue
                descrizione = discendente["/FontDescriptor"].get_object()
                assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descrizione), oggetto.get("/BaseFont")


def test_i_collegamenti_fra_le_pagine_saltano_dentro_il_documento(pdf):
    interni, esterni = 0, []
    for pagina in pdf.pages:
        for nota in pagina.get("/Annots") or []:
            azione = nota.get_object().get("/A", {})
            if "/URI" in azione:
                esterni.append(azione["/URI"])
            else:
                interni += 1
    assert interni > 40
    assert not [indirizzo for indirizzo in esterni if "127.0.0.1" in indirizzo]


def test_i_suggerimenti_stanno_in_fondo_e_le_parti_dal_vivo_non_ci_sono(testi):
    testo = " ".join(testi)
    assert testo.count("Suggerimenti") >= 2 and "Esercizio 3.3 · " in testo
    assert testo.count("Questa parte è dal vivo: si apre nel sito.") == 3
    assert "serve JavaScript" not in testo and "Mostra il codice" not in testo and "\\frac" not in testo


def test_il_documento_dice_chi_e(pdf):
    assert pdf.metadata.title == libro.TITOLO and pdf.metadata.author == libro.AUTORE
    assert pdf.trailer["/Root"]["/Lang"] == "it" and pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]


def test_gli_esercizi_stampati_non_dicono_le_risposte(tmp_path):
    serve_il_sito()
    parti = dispensa.stampata()
    (_, articoli), = parti
    esercizi = stampato([("Esercizi", articoli[:2])], tmp_path / "esercizi.pdf", titolo="Esercizi")
    testo = " ".join(" ".join(pagina.extract_text() for pagina in esercizi.pages).split())
    for numero in ("1.1", "1.5", "2.1", "2.6"):
        assert f"Esercizio {numero}" in testo
    assert "da completare" not in testo and "suggerimento" not in testo.lower()
    capitolo = dispensa.CAPITOLI / "01-panoramica.ipynb"
    from test_dispensa import frasi_della_soluzione
    assert [riga for riga in frasi_della_soluzione(capitolo) if riga in testo] == []


def test_senza_browser_lo_dice_in_una_riga(monkeypatch, capsys):
    serve_il_sito()

    def nessuno(playwright):
        raise browser.NessunBrowser("serve un browser")
    monkeypatch.setattr(browser, "apri", nessuno)
    monkeypatch.setattr(libro, "parti_del_corso", lambda: PARTI[:1])     # le altre pagine prenderebbero solo tempo
    assert libro.main(["--uscita", os.devnull]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "serve un browser"
