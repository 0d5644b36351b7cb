"""Il sito aperto in un vero browser, pagina per pagina, nel tema chiaro e in quello scuro."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import pytest
from attnkit.plots import tela
from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from browser import NessunBrowser
from browser import apri as apri_browser
from pagine import PESO_MASSIMO, nomi_pagine, salta, serve_il_sito
from playwright.sync_api import sync_playwright
from sito import in_ascolto

LARGO, STRETTO = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
STRETTISSIMO = {"width": 320, "height": 640}  # anche un 1280 ingrandito quattro volte, come chiede la WCAG
# Il testo stampabile di un foglio A4 con i margini di un centimetro e mezzo.
FOGLIO = {"width": 680, "height": 1000}

# Una parola e una sua forma flessa: la ricerca deve portare alle stesse pagine.
PAROLE_CERCATE = [("attenzione", "attenzioni"), ("peso", "pesi"), ("matrice", "matrici")]


@pytest.fixture(scope="module")
def browser():
    serve_il_sito()
    with sync_playwright() as playwright:
        try:
            aperto = apri_browser(playwright)
        except NessunBrowser as motivo:
            salta(str(motivo), "BROWSER_OBBLIGATORIO")
        yield aperto
        aperto.close()


@pytest.fixture(scope="module")
def indirizzo():
    with in_ascolto() as radice:
        yield radice


@pytest.fixture
def apri(browser, indirizzo):
    """Apre una pagina del sito in un profilo nuovo; annota richieste verso altri siti ed errori della console."""
    contesti = []

    def apri_pagina(nome: str, tema: str = "light", finestra: dict = LARGO, prima: str = "", **altro):
        contesto = browser.new_context(viewport=finestra, color_scheme=tema, locale="it-IT", reduced_motion="reduce", **altro)
        contesti.append(contesto)
        if prima:
            contesto.add_init_script(prima)
        pagina = contesto.new_page()
        pagina.problemi = []
        pagina.on("request", lambda richiesta: _annota_se_estranea(pagina, richiesta.url, indirizzo))
        pagina.on("console", lambda riga: riga.type == "error" and pagina.problemi.append(f"console: {riga.text}"))
        pagina.on("pageerror", lambda errore: pagina.problemi.append(f"script: {errore}"))
        pagina.on("requestfailed", lambda richiesta: pagina.problemi.append(f"non arriva: {richiesta.url}"))
        pagina.goto(indirizzo + nome, wait_until="load")
        pagina.evaluate("document.fonts.ready")
        if altro.get("java_script_enabled", True):  # le parti dal vivo del laboratorio nascono una dopo l'altra
            pagina.wait_for_function("[...document.querySelectorAll('.laboratorio')].every((parte) => parte.querySelector('table'))")
        return pagina

    yield apri_pagina
    for contesto in contesti:
        contesto.close()


def _annota_se_estranea(pagina, url: str, indirizzo: str) -> None:
    pezzi = urlsplit(url)
    if pezzi.scheme not in ("data", "blob") and pezzi.netloc != urlsplit(indirizzo).netloc:
        pagina.problemi.append(f"richiesta a un altro sito: {url}")


# Il contrasto è il grosso del lavoro di axe, e una pagina ha migliaia di parole scritte con gli stessi colori: di quelle che hanno
# uguali carattere, colore e sfondi, se ne guarda una sola. Con AXE_INTERO=1 si guardano tutte.
SEGNA_I_DOPPIONI = """() => {
    const sfondi = new Map(), visti = new Set();
    const sfondo = (elemento) => {
        if (!elemento) return "";
        if (!sfondi.has(elemento)) {
            const { backgroundColor, backgroundImage, opacity, filter, mixBlendMode } = getComputedStyle(elemento);
            const suo = [backgroundColor, backgroundImage, opacity, filter, mixBlendMode].join();
            const sopra = sfondo(elemento.parentElement);
            sfondi.set(elemento, suo === "rgba(0, 0, 0, 0),none,1,none,normal" ? sopra : `${sopra} ${suo}`);
        }
        return sfondi.get(elemento);
    };
    for (const elemento of document.querySelectorAll("main *")) {
        elemento.removeAttribute("data-doppione");
        if (![...elemento.childNodes].some((nodo) => nodo.nodeType === Node.TEXT_NODE && nodo.data.trim())) continue;
        const { color, fontSize, fontWeight, textShadow, position } = getComputedStyle(elemento);
        const { width, height } = elemento.getBoundingClientRect();
        const chiave = [color, fontSize, fontWeight, textShadow, position, width > 1 && height > 1, sfondo(elemento),
            Boolean(elemento.closest("[aria-hidden=true]")), elemento.closest("a, button, label, summary, :disabled, .visually-hidden")?.tagName].join();
        if (visti.has(chiave)) elemento.dataset.doppione = "";
        visti.add(chiave);
    }
}"""
COLORI = ["color-contrast", "link-in-text-block"]  # le regole di axe che guardano i colori
SENZA_DOPPIONI = ';axe.configure({rules: [{id: "color-contrast", selector: "*:not([data-doppione])"}]});'


def violazioni(pagina, dove: str, *, regole: str = "tutte", dentro: str | None = None) -> list[str]:
    """Ciò che axe trova nella pagina, o nella sola parte `dentro`.

    Le regole sono «tutte» quelle che applica di norma; oppure i soli «colori», quando fra due pagine cambia solo il tema; o tutte
    senza i colori, la «struttura», quando cambia solo la larghezza.
    """
    # Raccontare anche ciò che va bene raddoppierebbe il tempo.
    opzioni = {"reporter": "no-passes", "resultTypes": ["violations"]}
    if regole == "colori":
        opzioni["runOnly"] = {"type": "rule", "values": COLORI}
    elif regole == "struttura":
        opzioni["rules"] = {regola: {"enabled": False} for regola in COLORI}
    script = AXE_SCRIPT
    if regole != "struttura" and os.environ.get("AXE_INTERO") != "1":
        pagina.evaluate(SEGNA_I_DOPPIONI)
        script += SENZA_DOPPIONI
    esito = Axe(script).run(pagina, dentro, opzioni)
    return [f"axe, {dove}: {regola['id']} ({regola['help']}) in {len(regola['nodes'])} punti, il primo è "
            f"{regola['nodes'][0]['html'][:200]}" for regola in esito.response["violations"]]


def formule_mancanti(pagina) -> list[str]:
    return pagina.evaluate("""() => [...document.querySelectorAll(".formula")]
        .filter((formula) => !formula.querySelector(":scope .katex math") || formula.querySelector(".katex-error"))
        .map((formula) => `formula non disegnata: ${formula.textContent.slice(0, 80)}`)""")


def misure(pagina) -> dict[str, float]:
    """Byte arrivati alla pagina, senza compressione, e millisecondi prima del primo contenuto."""
    pagina.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
    return pagina.evaluate("""() => {
        const risorse = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
        const [primo] = performance.getEntriesByName("first-contentful-paint");
        return { peso: risorse.reduce((somma, risorsa) => somma + risorsa.decodedBodySize, 0),
                 primo_contenuto: primo.startTime };
    }""")


def che_sporge(pagina) -> list[str]:
    """Sul telefono la pagina non scorre di lato; ciò che è più largo scorre in una cornice che riceve il fuoco."""
    larghezza = pagina.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
    finestra = pagina.viewport_size["width"]
    problemi = [f"a {finestra} px la pagina è larga {larghezza} px"] if larghezza > finestra else []
    return problemi + pagina.evaluate("""() => [...document.querySelectorAll("main *")]
        .filter((elemento) => ["auto", "scroll"].includes(getComputedStyle(elemento).overflowX) && elemento.checkVisibility({ visibilityProperty: true })
                && elemento.scrollWidth > elemento.clientWidth + 1 && elemento.clientWidth > 0 && elemento.tabIndex < 0)
        .map((elemento) => `scorre di lato ma non si raggiunge con la tastiera: ${elemento.outerHTML.slice(0, 120)}`)""")


def che_sporge_ancora(pagina) -> list[str]:
    """Ciò che sporge quando la pagina si è assestata: il tema rimisura le cornici che scorrono dopo 300 ms."""
    for _ in range(8):
        pagina.wait_for_timeout(350)
        if not (sporge := che_sporge(pagina)):
            break
    return sporge


def in_tema(pagina, tema: str, finestra: dict = LARGO) -> None:
    """La stessa pagina nell'altro tema, o in un'altra finestra."""
    pagina.emulate_media(media="screen", color_scheme=tema)
    pagina.set_viewport_size(finestra)
    pagina.wait_for_function("(tema) => document.documentElement.dataset.theme === tema", arg=tema)


def sulla_carta(pagina) -> list[str]:
    """Ciò che non va in una pagina stampata da chi la legge nel tema scuro: la carta è bianca, e resta solo ciò che si legge."""
    pagina.set_viewport_size(FOGLIO)
    pagina.emulate_media(media="print", color_scheme="dark")
    pagina.wait_for_timeout(400)
    bianca = pagina.evaluate("""[document.documentElement, document.body].map((e) => getComputedStyle(e).backgroundColor)
        .every((colore) => ["rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"].includes(colore))""")
    problemi = [] if bianca else ["la carta non è bianca"]
    if pagina.locator("button:visible, .bd-sidebar:visible, summary:visible").count():
        problemi.append("sulla carta c'è qualcosa da premere")
    problemi += pagina.evaluate("""() => [...document.querySelectorAll("article *")]
        .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible"
            && !e.closest(".katex, .visually-hidden"))
        .map((e) => `tagliato sulla carta: ${e.outerHTML.slice(0, 120)}`)""")
    problemi += pagina.evaluate("""() => [...document.querySelectorAll("article :is(img, table, .cell_input)")]
        .filter((e) => getComputedStyle(e).breakInside !== "avoid").map((e) => `spezzato sulla carta: ${e.outerHTML.slice(0, 120)}`)""")
    return problemi + violazioni(pagina, "stampata")      # comprende il contrasto fra testo e carta


@pytest.mark.parametrize("nome", nomi_pagine() or ["index.html"])
def test_pagina(apri, record_property, nome):
    pagina = apri(nome, "dark")
    misurato = misure(pagina)
    problemi = formule_mancanti(pagina)
    if misurato["peso"] >= PESO_MASSIMO:
        problemi.append(f"pesa {misurato['peso']:,} byte, al massimo {PESO_MASSIMO:,}")
    problemi += sulla_carta(pagina)
    # Anche ciò che è chiuso dev'essere accessibile quando si apre.
    pagina.evaluate("document.querySelectorAll('details').forEach((blocco) => { blocco.open = true; })")
    in_tema(pagina, "dark")
    problemi += violazioni(pagina, "nel tema scuro", regole="colori")
    in_tema(pagina, "light")
    problemi += violazioni(pagina, "a 1280 px")
    in_tema(pagina, "light", STRETTO)
    problemi += che_sporge_ancora(pagina) + violazioni(pagina, "a 375 px", regole="struttura")
    in_tema(pagina, "light", STRETTISSIMO)
    problemi += che_sporge_ancora(pagina)
    problemi += pagina.problemi
    for chiave, valore in misurato.items():
        record_property(chiave, round(valore))
    print(f"{nome}: {misurato['peso'] / 1e6:.2f} MB, primo contenuto dopo {misurato['primo_contenuto']:.0f} ms")
    assert not problemi, "\n" + "\n".join(problemi)


@pytest.mark.parametrize("tema", ["light", "dark"])
def test_un_indirizzo_sbagliato_porta_alla_pagina_404(apri, indirizzo, tema):
    pagina = apri("un/indirizzo/che/non-c-e", tema)
    # Il browser annota che il documento stesso è un 404: è giusto così, e nient'altro deve mancare.
    assert [p for p in pagina.problemi if "404" not in p] == [] and len(pagina.problemi) == 1
    assert pagina.locator("h1").inner_text() == "Questa pagina non c’è"
    assert pagina.locator(".bd-sidebar-primary").is_visible()
    assert pagina.evaluate("getComputedStyle(document.body).backgroundColor") != "rgba(0, 0, 0, 0)"
    assert violazioni(pagina, "404") == []
    pagina.set_viewport_size(STRETTO)
    pagina.wait_for_timeout(400)
    assert violazioni(pagina, "404 a 375 px") + che_sporge(pagina) == []
    for nome, arrivo in (("copertina", "Self-attention nei transformer"), ("mappa del corso", "Self-attention nei transformer"),
                         ("ricerca", "Cerca")):
        pagina.goto(indirizzo + "un/altro/indirizzo")
        pagina.locator("article").get_by_role("link", name=nome).click()
        pagina.wait_for_load_state()
        assert pagina.locator("h1").first.inner_text() == arrivo


@pytest.mark.parametrize("guasto, regola", [
    ("<p style='color: #999; background: #fff'>grigio su bianco</p>", "color-contrast"), ("<img src='_static/favicon.png'>", "image-alt")])
def test_axe_si_accorge_di_un_guasto(apri, guasto, regola):
    pagina = apri("search.html")
    pagina.evaluate("(guasto) => document.querySelector('main').insertAdjacentHTML('beforeend', guasto)", guasto)
    assert any(f": {regola} (" in problema for problema in violazioni(pagina, "guasta"))


def test_axe_vede_lo_stesso_colore_su_un_altro_sfondo(apri):
    """Due parole con gli stessi caratteri e lo stesso colore, ma una sola si legge: la seconda non è un doppione della prima."""
    pagina = apri("search.html")
    for sfondo, attese in (("#fff", []), ("#fff", []), ("#444", ["1"]), ("#333", ["2"]), ("#333", ["2"])):
        pagina.evaluate("""(sfondo) => document.querySelector("main").insertAdjacentHTML("beforeend",
            `<p style="color: #555; background: ${sfondo}"><span>si legge?</span></p>`)""", sfondo)
        punti = [re.search(r" in (\d+) punti", p)[1] for p in violazioni(pagina, "di prova") if ": color-contrast (" in p]
        assert punti == attese, sfondo


CHI_HA_IL_FUOCO = """() => {
    const ora = document.activeElement;
    if (ora === document.body) return null;
    const { left, top, right, bottom } = ora.getBoundingClientRect();
    const [x0, y0, x1, y1] = [Math.max(left, 0), Math.max(top, 0), Math.min(right, innerWidth), Math.min(bottom, innerHeight)];
    const punti = [[0.5, 0.5], [0.1, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.8]].map(([a, b]) => [x0 + a * (x1 - x0), y0 + b * (y1 - y0)]);
    const si_vede = x1 > x0 && y1 > y0 && punti.some(([x, y]) => {
        const sopra = document.elementFromPoint(x, y);
        return sopra && (ora.contains(sopra) || sopra.contains(ora) || [...(ora.labels ?? [])].some((nome) => nome.contains(sopra)));
    });
    return [si_vede, ora.outerHTML.slice(0, 120)];
}"""


@pytest.mark.parametrize("finestra", [LARGO, STRETTO], ids=["largo", "stretto"])
@pytest.mark.parametrize("nome", ["laboratorio.html", "chapters/03-relevance-scoring.html"])
def test_chi_usa_il_tasto_tab_vede_sempre_dove_sta(apri, nome, finestra):
    pagina = apri(nome, finestra=finestra)
    pagina.keyboard.press("Tab")
    assert "Vai al contenuto" in pagina.evaluate("document.activeElement.textContent")
    assert violazioni(pagina, "il collegamento che salta al contenuto", regole="colori", dentro=".skip-link") == []
    visti, persi = 0, []
    while (fuoco := pagina.evaluate(CHI_HA_IL_FUOCO)) and visti < 600:
        visti += 1
        if not fuoco[0]:
            persi.append(fuoco[1])
        pagina.keyboard.press("Tab")
    assert visti > 40 and persi == []


def trovate(pagina) -> list[str]:
    """Le pagine elencate fra i risultati, quando la ricerca ha finito."""
    pagina.wait_for_function("document.querySelector('#search-results .search-summary')?.textContent.trim()")
    return sorted({urlsplit(href).path for href in pagina.eval_on_selector_all(
        "#search-results ul.search > li > a", "collegamenti => collegamenti.map((a) => a.href)")})


@pytest.mark.parametrize("parola, flessa", PAROLE_CERCATE)
def test_la_ricerca_conosce_le_desinenze(apri, parola, flessa):
    risultati = {q: trovate(apri(f"search.html?q={q}")) for q in (parola, flessa)}
    assert risultati[parola], f"nessuna pagina per «{parola}»"
    assert risultati[parola] == risultati[flessa]


@pytest.mark.parametrize("cercato, attesa", [("attenzione causale", "chapters/03-relevance-scoring.html"),
                                             ("KV cache", "chapters/07-mqa-e-gqa.html"), ("softmax", "glossario.html")])
def test_la_ricerca_porta_dove_se_ne_parla(apri, cercato, attesa):
    pagina = apri(f"search.html?q={cercato}")
    assert any(percorso.endswith(attesa) for percorso in trovate(pagina))
    assert pagina.problemi == []


def test_la_ricerca_si_apre_dalla_tastiera(apri):
    pagina = apri("index.html")
    campi = pagina.locator("form.bd-search input")
    assert campi.count() == 1, "deve esserci un solo campo di ricerca"
    assert not campi.is_visible()
    pagina.keyboard.press("Control+k")
    campi.wait_for(state="visible")
    assert violazioni(pagina, "ricerca aperta") == []
    pagina.keyboard.press("Escape")
    campi.wait_for(state="hidden")
    pagina.keyboard.press("Control+k")
    pagina.keyboard.type("attenzione")
    pagina.keyboard.press("Enter")
    pagina.wait_for_url("**/search.html?q=attenzione")
    assert trovate(pagina)
    assert pagina.locator("form.bd-search input:visible").count() == 1
    assert pagina.problemi == []


def test_il_tema_si_cambia_e_si_ricorda(apri):
    pagina = apri("index.html", "light")
    visti = set()
    for _ in range(3):
        pagina.locator(".theme-switch-button").click()
        visti.add(pagina.evaluate("document.documentElement.dataset.mode"))
    assert visti == {"light", "dark", "auto"}
    while pagina.evaluate("document.documentElement.dataset.mode") != "dark":
        pagina.locator(".theme-switch-button").click()
    pagina.reload()
    assert pagina.evaluate("document.documentElement.dataset.theme") == "dark"


# I progressi di chi legge -----------------------------------------------------------------------------------

PRIMO, SECONDO = "chapters/01-panoramica.html", "chapters/02-query-key-value.html"
# Come un browser che rifiuta i dati dei siti.
MEMORIA_VIETATA = """Object.defineProperty(window, "localStorage", { configurable: true,
    get() { throw new DOMException("vietato", "SecurityError"); } });"""


def progressi(pagina) -> tuple[str, int, int]:
    """La riga in cima alla mappa, quanto è piena la barra, quante spunte ci sono in mappa e indice."""
    return (pagina.locator(".progressi-riga").inner_text(), pagina.locator("progress").evaluate("(barra) => barra.value"),
            pagina.locator(".spunta").count())


@pytest.mark.parametrize("tema", ["light", "dark"])
def test_un_capitolo_letto_si_ricorda_ovunque(apri, indirizzo, tema):
    pagina = apri(PRIMO, tema)
    pulsante = pagina.get_by_role("button", name="Segna come letto")
    assert pulsante.get_attribute("aria-pressed") == "false" and pagina.locator(".spunta").count() == 0
    pulsante.focus()
    pagina.keyboard.press("Enter")
    messo = pagina.get_by_role("button", name="Letto · togli il segno", pressed=True)
    assert messo.count() == 1 and pagina.locator(".segno-nota").inner_text() == "Il segno resta solo in questo browser."
    assert pagina.locator(".bd-links .spunta").count() == 1
    assert violazioni(pagina, "capitolo segnato") == []
    pagina.goto(indirizzo + SECONDO)
    assert pagina.get_by_role("button", name="Segna come letto").count() == 1, "si è segnato il capitolo sbagliato"
    pagina.get_by_role("button", name="Segna come letto").click()
    pagina.goto(indirizzo + "index.html")
    pubblicati = pagina.locator(".mappa a").count()
    assert progressi(pagina) == (f"Hai letto 2 capitoli su {pubblicati} pubblicati", 2, 4)
    assert pagina.locator("progress").get_attribute("max") == str(pubblicati)
    assert pagina.get_by_role("link", name="Panoramica (letto)").count() >= 1
    assert violazioni(pagina, "mappa con due spunte") == []
    pagina.goto(indirizzo + PRIMO)
    pagina.get_by_role("button", name="Letto · togli il segno").click()
    pagina.goto(indirizzo + "intro.html")
    assert progressi(pagina) == (f"Hai letto 1 capitolo su {pubblicati} pubblicati", 1, 2)
    pagina.get_by_role("button", name="Ricomincia").click()
    assert progressi(pagina) == (f"Hai letto 0 capitoli su {pubblicati} pubblicati", 0, 0)
    assert pagina.evaluate("document.activeElement.className") == "progressi-riga"
    assert not pagina.get_by_role("button", name="Ricomincia").is_visible()
    pagina.reload()
    assert progressi(pagina)[1:] == (0, 0)
    assert pagina.problemi == []


def test_solo_i_capitoli_si_segnano(apri):
    for nome in ("index.html", "search.html", "glossario.html", "chapters/soluzioni/01-panoramica.html"):
        assert apri(nome).locator(".segno").count() == 0, nome


def test_senza_javascript_la_mappa_e_intera(apri):
    pagina = apri("index.html", java_script_enabled=False)
    assert pagina.locator(".mappa li").count() == 11 and pagina.locator(".mappa a").count() >= 2
    assert pagina.locator(".progressi, .spunta").count() == 0
    assert not apri(PRIMO, java_script_enabled=False).locator(".segno").is_visible()


def test_con_la_memoria_vietata_il_sito_funziona_lo_stesso(apri):
    pagina = apri(PRIMO, prima=MEMORIA_VIETATA)
    pagina.get_by_role("button", name="Segna come letto").click()
    assert pagina.get_by_role("button", name="Letto · togli il segno", pressed=True).count() == 1
    assert "non permette di ricordare" in pagina.locator(".segno-nota").inner_text()
    pagina.locator(".theme-switch-button").click()  # anche lo script del tema vorrebbe ricordare
    pagina.keyboard.press("Control+k")
    pagina.locator("form.bd-search input").wait_for(state="visible")
    assert pagina.problemi == []


@pytest.mark.parametrize("guasto", ["non è json", "{}", "7", '["99-non-c-e"]'])
def test_una_memoria_guasta_non_ferma_la_mappa(apri, guasto):
    pagina = apri("index.html", prima=f"localStorage.setItem('self-attention:letti', {guasto!r})")
    assert progressi(pagina)[1:] == (0, 0) and pagina.problemi == []


# Sulla carta e nel tema scuro ---------------------------------------------------------------------------------

def test_sulla_carta_un_indizio_aperto_si_legge(apri):
    pagina = apri(PRIMO, finestra=FOGLIO)
    pagina.locator("details:not(.hide)").first.evaluate("(indizio) => { indizio.open = true; }")
    pagina.emulate_media(media="print")
    assert pagina.locator("details:not(.hide):visible").count() == 1
    assert pagina.locator("details:not(.hide) > summary:visible").count() == 1


def luminanza(colore: str, luce: float) -> float:
    """La luminanza relativa delle WCAG di un colore #RRGGBB, dopo `brightness(luce)`."""
    canali = [luce * int(colore[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    lineari = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in canali]
    return 0.2126 * lineari[0] + 0.7152 * lineari[1] + 0.0722 * lineari[2]


def test_nel_tema_scuro_le_figure_non_abbagliano_e_si_leggono(apri):
    pagina = apri(PRIMO, "dark")
    filtri = pagina.eval_on_selector_all(".cell_output img", "figure => figure.map((f) => getComputedStyle(f).filter)")
    assert filtri and len(set(filtri)) == 1
    luce = float(re.fullmatch(r"brightness\((0\.\d+)\)", filtri[0])[1])
    for nome in ("INK", "SOFT", "QUERY", "KEY", "VALUE", "WEIGHT", "OUTPUT"):
        scuro, chiaro = luminanza(getattr(tela, nome), luce), luminanza(tela.PAPER, luce)
        assert (chiaro + 0.05) / (scuro + 0.05) >= 4.5, f"{nome} si stacca troppo poco dal fondo"
    pagina.evaluate("document.documentElement.dataset.theme = 'light'")
    assert pagina.locator(".cell_output img").first.evaluate("(figura) => getComputedStyle(figura).filter") == "none"


def test_sul_telefono_l_indice_si_apre_e_si_chiude(apri):
    pagina = apri("index.html", finestra=STRETTO)
    indice = pagina.get_by_role("navigation", name="Indice del corso")
    assert not indice.is_visible()
    pagina.locator(".primary-toggle").click()
    indice.wait_for(state="visible")
    pagina.wait_for_timeout(400)
    assert violazioni(pagina, "indice aperto") == []
    pagina.keyboard.press("Escape")
    indice.wait_for(state="hidden")


# Con la sola tastiera -----------------------------------------------------------------------------------------

def vai_con_il_tab(pagina, verso: str, al_piu: int = 400) -> None:
    """Preme Tab finché il fuoco arriva su un collegamento a `verso`; a ogni passo il fuoco si deve vedere."""
    for _ in range(al_piu):
        pagina.keyboard.press("Tab")
        dove, si_vede = pagina.evaluate("""() => {
            const attivo = document.activeElement, stile = getComputedStyle(attivo);
            const segnato = stile.outlineStyle !== "none" && parseFloat(stile.outlineWidth) > 0 || stile.boxShadow !== "none";
            return [attivo.href ?? "", attivo === document.body || segnato];
        }""")
        assert si_vede, f"il fuoco non si vede su {pagina.evaluate('document.activeElement.outerHTML')[:200]}"
        if re.search(verso, dove):
            return
    pytest.fail(f"con {al_piu} Tab non si arriva a {verso}")


def test_dalla_copertina_a_un_esercizio_svolto_con_la_tastiera(apri):
    pagina = apri("index.html")
    vai_con_il_tab(pagina, r"/chapters/01-panoramica\.html$")
    pagina.keyboard.press("Enter")
    pagina.wait_for_url("**/chapters/01-panoramica.html")
    pagina.keyboard.press("Tab")
    assert pagina.evaluate("document.activeElement.hash") == "#main-content", "il primo Tab salta al contenuto"
    pagina.keyboard.press("Enter")
    vai_con_il_tab(pagina, r"/soluzioni/01-panoramica\.html")
    pagina.keyboard.press("Enter")
    pagina.wait_for_url("**/chapters/soluzioni/01-panoramica.html")
    assert pagina.get_by_role("heading", name=re.compile("1\\.1 ")).count() == 1
    assert pagina.locator(".cell_output", has_text="Esercizio 1.1 · giusto").count() == 1
    assert pagina.problemi == []
