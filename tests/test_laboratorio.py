"""Il laboratorio nel browser: i numeri sono quelli di torch, tutto si fa con la tastiera, l'indirizzo ricorda."""

from __future__ import annotations

import random
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from attnkit import masks, reference
from attnkit.attention import Causal, Fixed, Full, Strided, Window
from attnkit.language import LONG_VOCABULARY, VOCABULARY, encode, long_batch, noun_pairs
from attnkit.layers.gruppi import group_kv_heads
from attnkit.toy import load
from attnkit.toy.archivio import DATA
from pagine import SITO, peso, serve_il_sito

from test_browser import (STRETTO, apri, browser, che_sporge, indirizzo, misure,  # noqa: F401 (le fixture)
                          violazioni)

VOCABOLARI = {"toy": VOCABULARY, "toy-due-layer": LONG_VOCABULARY}
LUNGHE = "oggi la gatta insegue piano il topo perché appetitos-"
TOLLERANZA = 1e-9  # si chiede 1e-4; con gli stessi conti in float64 la differenza è di arrotondamento

# Gira il modello della pagina: per ogni caso, i logit e i pesi di ogni head di ogni layer.
CALCOLA = """async ([nome, casi]) => {
    const { load } = await import("./_static/laboratorio/modello.js");
    const masks = await import("./_static/laboratorio/masks.js");
    const modello = await load(nome);
    return casi.map(({ frase, schema, passo, ...opzioni }) => {
        if (schema) opzioni.pattern = (T) => masks[schema](T, passo);
        const { layers, logits, probabilities } = modello.forward(frase, opzioni);
        return { logits, probabilities, weights: layers.map(({ heads }) => heads.map(({ weights }) => weights)) };
    });
}"""


@pytest.fixture
def laboratorio(apri):  # noqa: F811
    return lambda domanda="", **altro: apri(f"laboratorio.html{domanda}", **altro)


def frasi(nome: str, quante: int, seme: int) -> list[list[str]]:
    """Frasi della mini-lingua tagliate a una lunghezza qualsiasi, e per un terzo parole a caso."""
    rng, vocabolario, piu_lunga = random.Random(seme), VOCABOLARI[nome], 7 if nome == "toy" else 18
    trovate = []
    for n in range(quante):
        avverbi = 0 if nome == "toy" else rng.randint(0, 10)
        riga, _ = long_batch(1, noun_pairs()[1], rng, adverbs=avverbi)
        parole = [LONG_VOCABULARY[i] for i in riga[0]][:-1] if n % 3 else rng.choices(vocabolario, k=piu_lunga)
        trovate.append(parole[:rng.randint(1, min(len(parole), piu_lunga))])
    return trovate


def di_torch(nome: str, parole: list[str], *, pattern=Causal(), kv=None, edges=(), heads=()) -> tuple[np.ndarray, list[np.ndarray]]:
    modello = load(nome)
    for layer in modello.layers:
        layer.attention.pattern = pattern
        if kv:
            layer.attention = group_kv_heads(layer.attention, kv)
    numeri = torch.from_numpy(encode(parole, VOCABOLARI[nome]))[None]
    with torch.no_grad(), ExitStack() as tagli:
        for n, layer in enumerate(modello.layers):
            tagli.enter_context(layer.attention.cut(edges=[e[1:] for e in edges if e[0] == n], heads=[h for m, h in heads if m == n]))
        return modello(numeri)[0].numpy(), [pesi[0].numpy() for pesi in modello.all_weights(numeri)]


def uguali(calcolati: list[dict], attesi: list[tuple]) -> float:
    """La differenza più grande fra i due modelli, in logit e in pesi."""
    peggiore = 0.0
    for calcolato, (logits, pesi) in zip(calcolati, attesi, strict=True):
        peggiore = max(peggiore, np.abs(np.array(calcolato["logits"]) - logits).max())
        for suoi, nostri in zip(calcolato["weights"], pesi, strict=True):
            assert np.shape(suoi) == nostri.shape
            peggiore = max(peggiore, np.abs(np.array(suoi) - nostri).max())
    return peggiore


# I numeri -----------------------------------------------------------------------------------------------------

def test_i_pesi_sono_gli_stessi_byte_e_le_parole_quelle_del_pacchetto():
    serve_il_sito()
    for nome in VOCABOLARI:
        assert (SITO / f"_static/laboratorio/dati/{nome}.safetensors").read_bytes() == (DATA / f"{nome}.safetensors").read_bytes()


@pytest.mark.parametrize("nome", VOCABOLARI)
def test_cento_frasi_danno_i_numeri_di_torch(laboratorio, nome):
    casi = [{"frase": frase} for frase in frasi(nome, 100, seme=7)]
    assert len({len(caso["frase"]) for caso in casi}) > 5
    peggiore = uguali(laboratorio().evaluate(CALCOLA, [nome, casi]), [di_torch(nome, caso["frase"]) for caso in casi])
    print(f"{nome}: differenza massima {peggiore:.1e}")
    assert peggiore < TOLLERANZA


PATTERN = [("causal", None, Causal()), ("full", None, Full()), *(("sliding_window", W, Window(W)) for W in (1, 2, 3, 5)),
           *(("strided", s, Strided(s)) for s in (1, 2, 3, 4)), *(("fixed", s, Fixed(s)) for s in (1, 2, 3, 4))]


@pytest.mark.parametrize("nome", VOCABOLARI)
def test_ogni_schema_da_i_numeri_di_torch(laboratorio, nome):
    casi, attesi = [], []
    for schema, passo, pattern in PATTERN:
        for frase in frasi(nome, 6, seme=11):
            casi.append({"frase": frase, "schema": schema, "passo": passo})
            attesi.append(di_torch(nome, frase, pattern=pattern))
    assert uguali(laboratorio().evaluate(CALCOLA, [nome, casi]), attesi) < TOLLERANZA


def test_le_maschere_sono_quelle_del_pacchetto(laboratorio):
    calcolate = laboratorio().evaluate("""async () => {
        const masks = await import("./_static/laboratorio/masks.js");
        const casi = [];
        for (let T = 1; T <= 9; T++) for (let n = 1; n <= 5; n++)
            casi.push([T, n, masks.causal(T), masks.sliding_window(T, n), masks.strided(T, n), masks.fixed(T, n)]);
        return casi;
    }""")
    for T, n, *trovate in calcolate:
        attese = masks.causal(T), masks.sliding_window(T, n), masks.strided(T, n), masks.fixed(T, n)
        for trovata, attesa in zip(trovate, attese, strict=True):
            assert np.array_equal(trovata, attesa), (T, n)


@pytest.mark.parametrize("nome", VOCABOLARI)
def test_archi_e_head_tagliati_danno_i_numeri_di_torch(laboratorio, nome):
    rng, casi, attesi = random.Random(3), [], []
    layer, head = (1, 1) if nome == "toy" else (2, 2)
    for frase in frasi(nome, 40, seme=13):
        archi = {(rng.randrange(layer), rng.randrange(head), i, rng.randint(0, i)) for i in rng.choices(range(len(frase)), k=4)}
        mute = {(rng.randrange(layer), rng.randrange(head))} if rng.random() < 0.5 else set()
        kv = rng.choice([head, 1])
        casi.append({"frase": frase, "edges": [*map(list, archi)], "heads": [*map(list, mute)], "n_kv_heads": kv})
        attesi.append(di_torch(nome, frase, edges=archi, heads=mute, kv=kv if kv < head else None))
    assert uguali(laboratorio().evaluate(CALCOLA, [nome, casi]), attesi) < TOLLERANZA


def test_scala_e_temperatura_sono_quelle_delle_formule(laboratorio):
    """`MultiHeadAttention` non cambia scala: si rifà il conto con le funzioni di attnkit.reference."""
    nome, frase, casi, attesi = "toy-due-layer", LUNGHE.split(), [], []
    w = load(nome).arrays()
    numeri, visibile = encode(frase, LONG_VOCABULARY), masks.causal(9)
    for scala, temperatura in ((0.1, 1), (1.0, 0.5), (1 / np.sqrt(8), 3.0), (2.5, 0.2)):
        x, pesi = w["embedding"][numeri], []
        for n in range(2):
            def norma(v, gain):
                return v / np.sqrt((v ** 2).mean(-1, keepdims=True) + 1e-5) * gain
            dentro = norma(x, w[f"layers.{n}.norm"])
            Q, K, V = ((dentro @ w[f"layers.{n}.W{c}"]).reshape(9, 2, 8).swapaxes(0, 1) for c in "qkv")
            uscita, suoi = reference.attention(Q, K, V, mask=visibile, scale=scala)
            x = x + uscita.swapaxes(0, 1).reshape(9, 16) @ w[f"layers.{n}.Wo"]
            pesi.append(suoi)
        logits = norma(x, w["final_norm"]) @ w["Wout"]
        casi.append({"frase": frase, "scale": scala, "temperature": temperatura})
        attesi.append((logits, pesi, reference.softmax(logits / temperatura)))
    calcolati = laboratorio().evaluate(CALCOLA, [nome, casi])
    assert uguali(calcolati, [atteso[:2] for atteso in attesi]) < TOLLERANZA
    for calcolato, (*_, probabilita) in zip(calcolati, attesi, strict=True):
        assert np.abs(np.array(calcolato["probabilities"]) - probabilita).max() < TOLLERANZA


# La pagina ----------------------------------------------------------------------------------------------------

def in_pari(pagina) -> None:
    """Aspetta che lo schermo mostri l'ultimo cambio: il laboratorio ridisegna all'immagine seguente, e non prima."""
    pagina.evaluate("() => new Promise((fatto) => requestAnimationFrame(() => requestAnimationFrame(fatto)))")


def risposta(pagina) -> str:
    """La riga che dice la previsione."""
    in_pari(pagina)
    return pagina.locator(".lab-risposta").inner_text().replace("\u00a0", " ")


def avviso(pagina) -> str:
    in_pari(pagina)
    return " ".join(pagina.locator(".lab-avviso").all_inner_texts()).strip()


def indirizzo_di(pagina) -> str:
    pagina.wait_for_timeout(250)  # si scrive un momento dopo l'ultimo cambio
    return pagina.evaluate("location.search")


def test_la_frase_del_corso_e_un_taglio_che_ribalta_la_risposta(laboratorio):
    pagina = laboratorio()
    assert risposta(pagina) == "Dopo «affamat-» prevede «-a», > 99 %."
    assert pagina.locator(".lab-tessera.guarda").inner_text().split()[0] == "affamat-"
    pagina.get_by_role("checkbox", name="L’arco da affamat- a gatta").uncheck()
    assert risposta(pagina).startswith("Dopo «affamat-» prevede «-o»") and "Senza interventi: «-a», > 99 %" in risposta(pagina)
    assert indirizzo_di(pagina) == "?tagli=1-1-7-2"
    pagina.get_by_role("gridcell", name="affamat- guarda gatta: tagliato").click()  # dalla tabella si ricuce
    assert risposta(pagina) == "Dopo «affamat-» prevede «-a», > 99 %."
    for altro in ("la", "insegue", "il", "topo", "perché", "affamat-"):  # gli altri archi non cambiano nulla, come nel capitolo 6
        arco = pagina.get_by_role("checkbox", name=f"L’arco da affamat- a {altro}", exact=True)
        arco.uncheck()
        assert risposta(pagina).startswith("Dopo «affamat-» prevede «-a»"), altro
        arco.check()
    assert pagina.problemi == []


def test_una_frase_si_compone_solo_con_la_tastiera(laboratorio):
    pagina = laboratorio()
    casella = pagina.get_by_role("combobox", name="Scrivi una parola")
    casella.focus()
    for _ in range(7):
        pagina.keyboard.press("Backspace")
    assert "vuota" in avviso(pagina)
    pagina.keyboard.type("la")
    pagina.keyboard.press("Enter")
    pagina.keyboard.type("gatt")
    assert casella.get_attribute("aria-expanded") == "true"
    assert pagina.locator(".lab-proposte [role=option]").all_inner_texts() == ["gatta", "gatte", "gatti", "gatto"]
    pagina.keyboard.press("ArrowDown")
    attiva = pagina.locator(f"#{casella.get_attribute('aria-activedescendant')}")
    assert attiva.inner_text() == "gatta" and attiva.get_attribute("aria-selected") == "true"
    pagina.keyboard.press("Enter")
    for parola in ("insegue", "il topo", "perche", "appetitos"):  # più parole, senza accento, senza trattino
        pagina.keyboard.type(parola)
        pagina.keyboard.press("Enter")
    assert risposta(pagina).startswith("Dopo «appetitos-» prevede «-o»")
    assert "la+gatta+insegue+il+topo+perch" in indirizzo_di(pagina)
    pagina.keyboard.type("tavolo")
    pagina.keyboard.press("Enter")
    assert "non conosce «tavolo»" in avviso(pagina)
    pagina.keyboard.press("Escape")
    casella.fill("")
    # Indietro, fino al token scelto: con le frecce si cambia chi guarda, con Canc si toglie.
    pagina.keyboard.press("Shift+Tab")
    assert pagina.evaluate("document.activeElement.name") == "lab-token"
    pagina.keyboard.press("ArrowLeft")
    pagina.keyboard.press("ArrowLeft")
    in_pari(pagina)
    assert pagina.locator(".lab-passi h3").inner_text() == "Passo per passo: «topo»"
    pagina.keyboard.press("Delete")
    in_pari(pagina)
    nomi = pagina.locator(".lab-tessera .lab-parola").all_inner_texts()
    assert nomi == ["la", "gatta", "insegue", "il", "perché", "appetitos-"]
    assert pagina.evaluate("document.activeElement.name") == "lab-token"
    assert pagina.problemi == []


def test_la_tabella_dei_pesi_si_percorre_e_si_taglia_con_la_tastiera(laboratorio):
    pagina = laboratorio("?token=7")
    assert pagina.locator(".lab-griglia td[tabindex='0']").count() == 1, "una sola casella nel giro del tabulatore"
    pagina.locator(".lab-griglia td[tabindex='0']").focus()
    pagina.keyboard.press("ArrowDown")
    pagina.keyboard.press("End")
    in_pari(pagina)
    assert pagina.locator(":focus").get_attribute("aria-label") == "gatta guarda affamat-: futuro"
    pagina.keyboard.press("Enter")
    assert "non c’è un arco da tagliare" in avviso(pagina)
    for tasto in ("Home", *["ArrowDown"] * 5, "ArrowRight"):
        pagina.keyboard.press(tasto)
    pagina.keyboard.press(" ")
    assert "«-o»" in risposta(pagina)
    assert pagina.locator(":focus").get_attribute("aria-label") == "affamat- guarda gatta: tagliato"


def test_scorrere_col_puntatore_mostra_un_token_e_poi_torna(laboratorio):
    pagina = laboratorio()
    titolo = pagina.locator(".lab-passi h3")
    pagina.locator(".lab-tessera").nth(4).hover()
    in_pari(pagina)
    assert titolo.inner_text() == "Passo per passo: «topo»"
    pagina.locator("h1").hover()
    in_pari(pagina)
    assert titolo.inner_text() == "Passo per passo: «affamat-»"
    assert indirizzo_di(pagina) == ""


def chi_si_guarda(pagina) -> str:
    in_pari(pagina)
    return pagina.locator(".lab-passi h3").inner_text().removeprefix("Passo per passo: ")


def test_tagliare_non_cambia_il_token_che_si_sta_guardando(laboratorio):
    pagina = laboratorio()
    pagina.get_by_role("gridcell", name="topo guarda gatta", exact=False).click()      # il puntatore resta lì
    assert chi_si_guarda(pagina) == "«topo»" and pagina.get_by_role("gridcell", name="topo guarda gatta: tagliato").count() == 1
    pagina.locator("h1").hover()
    assert chi_si_guarda(pagina) == "«affamat-»"
    # Con la tastiera si guarda la riga in cui si è; uscendo dalla tabella torna il token scelto, e con lui i nomi dei suoi archi.
    pagina.locator(".lab-griglia td[tabindex='0']").focus()
    pagina.keyboard.press("ArrowUp")
    assert chi_si_guarda(pagina) == "«il»"
    pagina.get_by_role("checkbox", name="L’arco da", exact=False).first.focus()
    assert chi_si_guarda(pagina) == "«affamat-»"
    assert pagina.locator(":focus").get_attribute("aria-label") == "L’arco da affamat- a la"
    pagina.keyboard.press(" ")
    assert chi_si_guarda(pagina) == "«affamat-»" and not pagina.locator(":focus").is_checked()
    assert pagina.problemi == []


def test_una_casella_toccata_col_dito_non_trattiene_lo_sguardo(laboratorio):
    pagina = laboratorio(finestra=STRETTO, has_touch=True)
    pagina.get_by_role("gridcell", name="la guarda gatta: futuro").tap()
    assert chi_si_guarda(pagina) == "«affamat-»" and "«la» non vede «gatta» (futuro)" in avviso(pagina)
    vicino = pagina.locator(".lab-griglia + .lab-avviso")
    assert vicino.inner_text() != "" and vicino.evaluate("(e) => e.getBoundingClientRect().bottom <= innerHeight"), "l'avviso si vede dove si è toccato"


def test_le_parole_si_completano_si_scorrono_e_si_incollano(laboratorio):
    pagina = laboratorio("?frase=la+gatta", finestra=STRETTO, has_touch=True)
    casella = pagina.get_by_role("combobox", name="Scrivi una parola")
    casella.press_sequentially("insegue il gatt")                     # si completa l'ultima parola, e si aggiungono tutte
    voce = pagina.get_by_role("option", name="gatto", exact=True)
    voce.dispatch_event("pointerdown")                                # un dito che comincia a scorrere la lista
    voce.dispatch_event("touchstart")
    assert casella.input_value() == "insegue il gatt" and voce.is_visible()
    voce.tap()
    in_pari(pagina)
    tessere = pagina.locator(".lab-tessera .lab-parola")
    assert tessere.all_inner_texts() == ["la", "gatta", "insegue", "il", "gatto"] and casella.input_value() == ""
    casella.fill("perché affamata, la gatta.")                        # troppo lunga: resta scritta, da accorciare
    casella.press("Enter")
    assert "Al più 7 token" in avviso(pagina) and casella.input_value() == "perché affamata, la gatta."
    casella.fill("(perché), affamat…")                                # la punteggiatura non conta
    casella.press("Enter")
    in_pari(pagina)
    assert tessere.all_inner_texts()[5:] == ["perché", "affamat-"] and avviso(pagina) == ""
    pagina.get_by_role("button", name="Ricomincia", exact=True).first.click()
    casella.fill("gatta")
    casella.press("Enter")
    pagina.locator(".lab-tessera input").focus()
    pagina.keyboard.press("Delete")                                   # tolto l'ultimo, il fuoco va dove si ricomincia
    in_pari(pagina)
    assert pagina.evaluate("document.activeElement.id") == "lab-parola"
    assert pagina.problemi == []


def test_un_pulsante_che_si_spegne_non_perde_il_fuoco(laboratorio):
    pagina = laboratorio("?tagli=1-1-7-2")
    for nome in ("Ricuci tutti gli archi", "Rimetti tutto com’era"):
        bottone = pagina.get_by_role("button", name=nome)
        bottone.focus()
        pagina.keyboard.press("Enter")
        in_pari(pagina)
        assert bottone.get_attribute("aria-disabled") == "true" and bottone.evaluate("(b) => b === document.activeElement")


def test_un_modello_che_tarda_o_non_arriva(laboratorio):
    pagina = laboratorio()
    lento = []
    pagina.route("**/toy-due-layer.safetensors", lambda rotta: lento.append(rotta))
    modello = pagina.locator("#lab-frase").get_by_label("Modello", exact=True)
    modello.select_option("toy-due-layer")
    pagina.wait_for_timeout(50)
    pagina.locator("#una-frase-passo-per-passo ol a[href*='tagli=1-1-7-2']").first.click()   # intanto se ne chiede un altro
    assert "«-o»" in risposta(pagina)
    lento[0].continue_()
    pagina.wait_for_timeout(200)
    assert modello.input_value() == "toy" and indirizzo_di(pagina) == "?tagli=1-1-7-2"
    pagina.unroute("**/toy-due-layer.safetensors")
    pagina.reload()
    pagina.wait_for_selector("#lab-frase .lab-risposta")
    pagina.route("**/toy-due-layer.safetensors", lambda rotta: rotta.fulfill(status=503))
    modello.select_option("toy-due-layer")
    pagina.wait_for_function("document.querySelector('.lab-avviso').textContent.includes('non è arrivato')")
    assert "503" in avviso(pagina) and modello.input_value() == "toy" and "«-o»" in risposta(pagina)


def test_i_numeri_mostrati_sono_quelli_del_capitolo_3(laboratorio):
    pagina = laboratorio()
    riga = pagina.locator(".lab-passi tr", has_text="gatta").first.text_content().replace("\u00a0", " ")
    assert "12,19" in riga and "4,31" in riga and "94 %" in riga
    pagina.get_by_text("I numeri di questo token").click()
    assert "12,191" in pagina.locator(".lab-passi details tr", has=pagina.locator("th", has_text="gatta")).nth(1).inner_text()


STATO = ("?pesi=toy-due-layer&frase=oggi+la+gatta+insegue+piano+il+topo+perché+appetitos-&token=7&layer=1&head=2&divisore=5"
         "&temperatura=0.5&schema=finestra&passo=4&kv=1&tagli=1-1-7-4,2-1-9-7&mute=2-2")


def test_l_indirizzo_restituisce_lo_stato(laboratorio):
    pagina = laboratorio(STATO)
    in_pari(pagina)
    assert pagina.locator(".lab-passi h3").inner_text() == "Passo per passo: «topo»"
    assert pagina.locator("#lab-frase").get_by_label("Modello", exact=True).input_value() == "toy-due-layer"
    assert pagina.locator("#lab-frase").get_by_label("Chi vede chi").input_value() == "finestra"
    assert pagina.locator("#lab-frase").get_by_label("Head di key e value").input_value() == "1"
    assert pagina.locator("output[for=lab-divisore]").inner_text() == "5,00"
    assert pagina.locator("output[for=lab-temperatura]").inner_text() == "0,50"
    assert pagina.locator(".lab-teste label:has(:checked)").inner_text().strip() == "layer 1, head 2"
    assert avviso(pagina) == ""
    pagina.get_by_role("radio", name="layer 1, head 1").check()
    assert pagina.get_by_role("gridcell", name="topo guarda insegue: tagliato").count() == 1
    mostrata = risposta(pagina)
    dopo = indirizzo_di(pagina)
    assert "head=" not in dopo and "mute=2-2" in dopo and "tagli=1-1-7-4%2C2-1-9-7" in dopo
    pagina.reload()
    pagina.wait_for_selector("#lab-frase .lab-risposta")
    assert risposta(pagina) == mostrata and indirizzo_di(pagina) == dopo
    pagina.get_by_role("button", name="Rimetti tutto com’era").click()
    assert "Senza interventi" not in risposta(pagina) and "kv=" not in indirizzo_di(pagina)
    assert pagina.problemi == []


@pytest.mark.parametrize("domanda", ["?pesi=gpt", "?frase=il+tavolo", "?frase=" + "+".join(["la"] * 8), "?token=99", "?layer=-1", "?head=x",
                                     "?divisore=0", "?temperatura=abc", "?schema=toString", "?passo=2.5", "?kv=3", "?tagli=1-1",
                                     "?tagli=9-9-9-9", "?mute=a-b", "?frase="])
def test_un_indirizzo_guasto_si_dice_e_non_ferma_nulla(laboratorio, domanda):
    pagina = laboratorio(domanda)
    assert "Nell’indirizzo" in avviso(pagina)
    assert risposta(pagina).startswith("Dopo «affamat-» prevede «-a»")
    assert pagina.problemi == []


def test_le_prove_della_pagina_portano_dove_dicono(laboratorio):
    pagina = laboratorio()
    prove = pagina.locator("#una-frase-passo-per-passo ol a[href^='?']")
    attese = ("«-a»", "«-o»", "«-o»", "«-a»", "«-a»", "«-i»")
    assert prove.count() == len(attese)
    for n, attesa in enumerate(attese):
        prove.nth(n).click()
        pagina.wait_for_timeout(200)
        assert f"prevede {attesa}" in risposta(pagina), n
    assert "Senza interventi: «-a»" in risposta(pagina)  # con key e value in comune
    pagina.go_back()
    pagina.wait_for_timeout(200)
    assert risposta(pagina).startswith("Dopo «affamat-» prevede «-a»") and "Senza" not in risposta(pagina)
    assert pagina.problemi == []


def test_ogni_frase_pronta_si_legge(laboratorio):
    pagina = laboratorio()
    for nome in VOCABOLARI:
        pagina.locator("#lab-frase").get_by_label("Modello", exact=True).select_option(nome)
        pagina.wait_for_timeout(200)
        bottoni = pagina.locator(".lab-esempi button")
        for n in range(bottoni.count()):
            bottoni.nth(n).click()
            assert risposta(pagina) and avviso(pagina) == "", bottoni.nth(n).inner_text()
    assert pagina.problemi == []


@pytest.mark.parametrize("tema", ["light", "dark"])
@pytest.mark.parametrize("domanda", ["", STATO])
def test_accessibile_e_dentro_lo_schermo(laboratorio, tema, domanda):
    pagina = laboratorio(domanda, tema=tema)
    pagina.evaluate("document.querySelectorAll('#lab-frase details').forEach((blocco) => { blocco.open = true; })")
    pagina.get_by_role("combobox", name="Scrivi una parola").click()
    in_pari(pagina)
    problemi = violazioni(pagina, "a 1280 px", dentro="#lab-frase")
    pagina.set_viewport_size(STRETTO)
    pagina.wait_for_timeout(400)
    assert problemi + violazioni(pagina, "a 375 px", dentro="#lab-frase") + che_sporge(pagina) + pagina.problemi == []


def test_la_frase_piu_lunga_sta_in_un_telefono(laboratorio):
    parole = ["intanto", "dieci", "galline", "inseguono", "qualche", "pesce"] * 4
    pagina = laboratorio(f"?pesi=toy-due-layer&frase={'+'.join(parole)}", finestra=STRETTO)
    pagina.evaluate("document.querySelectorAll('#lab-frase details').forEach((blocco) => { blocco.open = true; })")
    pagina.wait_for_timeout(400)
    assert pagina.locator(".lab-tessera").count() == 24
    assert che_sporge(pagina) + pagina.problemi == []
    pagina.get_by_role("combobox", name="Scrivi una parola").fill("la")
    pagina.keyboard.press("Enter")
    assert "Al più 24 token" in avviso(pagina)


def test_sulla_carta_resta_lo_stato_e_non_i_comandi(laboratorio):
    pagina = laboratorio("?tagli=1-1-7-2", tema="dark", finestra={"width": 680, "height": 1000})
    pagina.emulate_media(media="print", color_scheme="dark")
    dentro = pagina.locator("#lab-frase")
    assert dentro.locator("button:visible, select:visible, input[type=range]:visible, input[type=text]:visible, summary:visible").count() == 0
    assert "archi tagliati: affamat- → gatta" in dentro.locator(".lab-riassunto").inner_text()
    assert dentro.locator(".lab-griglia table:visible").count() == 1 and dentro.locator(".lab-passi h4:visible").count() == 5


def test_parte_in_fretta_e_sta_dietro_al_puntatore(laboratorio):
    pagina = laboratorio()
    tempi = pagina.evaluate("""async () => {
        const [pronto] = performance.getEntriesByName("lab-frase");
        const pezzi = performance.getEntriesByType("resource").filter((r) => r.name.includes("/laboratorio/"));
        const tessere = [...document.querySelectorAll(".lab-tessera")];
        const durate = [];
        for (let n = 0; n < 60; n++) {
            let inizio;
            requestAnimationFrame(() => { inizio = performance.now(); });
            tessere[n % tessere.length].dispatchEvent(new PointerEvent("pointerenter", { pointerType: "mouse" }));
            await new Promise((fatto) => requestAnimationFrame(() => {   // dopo il disegno, che è già prenotato
                document.body.offsetHeight;
                durate.push(performance.now() - inizio);
                fatto();
            }));
        }
        return { pronto: pronto.startTime, primo: Math.min(...pezzi.map((r) => r.startTime)), durate };
    }""")
    primo = tempi["pronto"] - tempi["primo"]
    print(f"primo risultato {primo:.0f} ms dopo aver chiesto il primo modulo, {tempi['pronto']:.0f} ms dall'inizio della pagina")
    print(f"la pagina arriva con {misure(pagina)['peso'] / 1e6:.2f} MB; il limite superiore dei file è {peso('laboratorio.html') / 1e6:.2f} MB")
    veloce, mediana = np.percentile(tempi["durate"], [10, 50])
    print(f"passando sui token, un disegno prende {mediana:.1f} ms (mediana), {veloce:.1f} ms quando nessun altro usa il processore")
    assert veloce < 16  # sessanta immagini al secondo; il decimo più veloce, perché altri programmi rallentano gli altri
    assert primo < 3000  # su una macchina occupata; su un portatile si aspettano meno di 200 ms
