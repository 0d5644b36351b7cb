"""I passi da sfogliare: i numeri giusti, gli stessi byte ogni volta, e niente che serva codice o rete."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from attnkit import plots
from attnkit.masks import sliding_window
from attnkit.plots import passi
from attnkit.reference import softmax
from attnkit.ring import places, simulate
from attnkit.toy import trace
from test_browser import STRETTO, apri, browser, che_sporge, indirizzo, violazioni  # noqa: F401

CAPITOLI = {"03-relevance-scoring": 5, "08-sparse-attention": 7, "09-ring-attention": 4}


class Lettore(HTMLParser):
    """Le tabelle di un'uscita, come liste di righe di testi; e gli id, i pulsanti, le etichette."""

    def __init__(self, html):
        super().__init__()
        self.tabelle, self.id, self.pulsanti, self.etichette, self.frasi, self.dentro = [], [], [], [], [], None
        self.feed(html)

    def handle_starttag(self, nome, attributi):
        attributi = dict(attributi)
        self.id += [attributi["id"]] if "id" in attributi else []
        if nome == "input":
            self.pulsanti.append(attributi)
        if nome == "label":
            self.etichette.append(attributi["for"])
        if nome == "table":
            self.tabelle.append([])
        if nome == "tr":
            self.tabelle[-1].append([])
        if nome in ("th", "td"):
            self.tabelle[-1][-1].append("")
        if nome == "figcaption":
            self.frasi.append("")
        self.dentro = nome

    def handle_endtag(self, nome):
        self.dentro = None

    def handle_data(self, testo):
        if self.dentro in ("th", "td"):
            self.tabelle[-1][-1][-1] += testo
        if self.dentro == "figcaption":
            self.frasi[-1] += testo


@pytest.fixture(scope="module")
def frase():
    return trace("la gatta insegue il topo perché affamat-")


@pytest.fixture(scope="module")
def mostre(frase):
    q = torch.zeros(1, 1, 16, 2, dtype=torch.float64)
    return {"softmax": plots.softmax_steps(frase.tokens, frase.scores[6]),
            "finestra": plots.window_steps(frase.tokens, sliding_window(7, 3)),
            "anello": plots.ring_steps(simulate(q, q, q, ranks=4, layout="contiguous"), places(16, 4, "contiguous"))}


def numero(testo: str) -> float:
    return float(testo.replace("< 0,01", "0").replace("−", "-").replace(",", "."))


def test_la_softmax_si_costruisce_una_colonna_alla_volta(mostre, frase):
    tabelle = Lettore(mostre["softmax"]._repr_html_()).tabelle
    s = frase.scores[6]
    e = np.exp(s - s.max())
    attese = [s, s - s.max(), e, e.cumsum(), softmax(s)]
    for passo, tabella in enumerate(tabelle):
        assert [riga[0] for riga in tabella[1:]] == list(frase.tokens)
        for n, attesa in enumerate(attese):
            colonna = [riga[n + 1] for riga in tabella[1:]]
            if n <= passo:
                assert np.allclose([numero(c) for c in colonna], attesa, atol=0.0051), (passo, n)
            else:
                assert set(colonna) == {""}
    ultima = tabelle[-1]
    assert len(tabelle) == 5 and not any(c in ("0,00", "−0,00") for riga in ultima[1:] for c in (riga[3], riga[4], riga[5]))


def test_la_finestra_dice_chi_vede_chi_e_chi_esce(mostre):
    letto = Lettore(mostre["finestra"]._repr_html_())
    maschera = sliding_window(7, 3)
    for i, tabella in enumerate(letto.tabelle):
        for r, riga in enumerate(tabella[1:]):
            assert riga[1:] == [("sì" if maschera[r, j] else "no") if j <= r <= i else "" for j in range(7)]
    assert "vede gatta, insegue e sé stesso" in letto.frasi[3] and "Esce dalla vista «la»" in letto.frasi[3]
    assert "Non è ancora uscito nessuno" in letto.frasi[2]


def test_l_anello_dice_chi_lavora(mostre):
    letto = Lettore(mostre["anello"]._repr_html_())
    coppie = [[riga[3] for riga in tabella[1:]] for tabella in letto.tabelle]
    assert coppie == [["10"] * 4, ["aspetta", *["16"] * 3], *[["aspetta"] * n + ["16"] * (4 - n) for n in (2, 3)]]
    assert [riga[2] for riga in letto.tabelle[1][1:]] == ["K3 V3", "K0 V0", "K1 V1", "K2 V2"]
    assert letto.tabelle[0][2][1] == "4, 5, 6, 7" and "Aspetta: 0, 1." in letto.frasi[2]


@pytest.mark.parametrize("nome", ["softmax", "finestra", "anello"])
def test_un_uscita_si_basta_e_non_cambia(mostre, nome):
    mostra = mostre[nome]
    html = mostra._repr_html_()
    assert html == mostra._repr_html_() == passi.Steps(mostra.title, mostra.frames, mostra.captions)._repr_html_()
    assert not re.search(r"<script|src=|@import|url\(|on\w+=", html) and len(html) < 15_000
    letto = Lettore(html)
    passo = len(mostra.frames)
    assert len(set(letto.id)) == len(letto.id) == passo + 1 and letto.etichette == letto.id[1:]
    assert [p["aria-label"] for p in letto.pulsanti] == [f"Passo {n} di {passo}. {frase}" for n, frase in enumerate(mostra.captions, 1)]
    assert ["checked" in p for p in letto.pulsanti] == [True] + [False] * (passo - 1) and len(letto.tabelle) == len(letto.frasi) == passo
    assert all(frase in repr(mostra) for frase in mostra.captions)


def test_due_mostre_nella_stessa_pagina_non_si_pestano(mostre):
    identificativi = [i for mostra in mostre.values() for i in Lettore(mostra._repr_html_()).id]
    assert len(set(identificativi)) == len(identificativi)


def test_un_testo_qualunque_non_rompe_l_uscita():
    html = passi.Steps("a < b", [passi.table(["&"], [['"<script>"']])], ["<b>'&'"])._repr_html_()
    assert "<script" not in html and "<b>" not in html and Lettore(html).tabelle == [[["&"], ['"<script>"']]]


@pytest.mark.parametrize("tabelle, frasi", [([], []), (["<table></table>"], []), (["<table></table>"], ["a", "b"])])
def test_una_frase_per_passo(tabelle, frasi):
    with pytest.raises(ValueError, match=f"{len(tabelle)} passi e {len(frasi)} frasi"):
        passi.Steps("x", tabelle, frasi)


@pytest.mark.parametrize("tema", ["light", "dark"])
@pytest.mark.parametrize("capitolo, quanti", CAPITOLI.items())
def test_nel_capitolo_si_sfogliano(apri, capitolo, quanti, tema):
    pagina = apri(f"chapters/{capitolo}.html", tema, java_script_enabled=tema == "light")
    mostra = pagina.locator('fieldset[id^="passi-"]')
    assert mostra.count() == 1
    visibile = lambda: [figura.is_visible() for figura in mostra.locator("figure").all()]  # noqa: E731
    assert visibile() == [True] + [False] * (quanti - 1)
    mostra.locator("input").first.focus()
    pagina.keyboard.press("ArrowRight")
    assert visibile() == [False, True] + [False] * (quanti - 2)
    mostra.locator("label").last.click()
    assert visibile() == [False] * (quanti - 1) + [True]
    if tema == "light":
        assert violazioni(pagina, "a 1280 px", dentro='fieldset[id^="passi-"]') == []
        pagina.set_viewport_size(STRETTO)
        pagina.wait_for_timeout(400)
        assert che_sporge(pagina) == []
        assert mostra.evaluate("cornice => cornice.scrollWidth <= cornice.clientWidth"), "la tabella non sta in un telefono"
    pagina.emulate_media(media="print")
    assert visibile() == [True] * quanti and not mostra.locator("label").first.is_visible()
