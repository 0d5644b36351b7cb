"""Il sito costruito, letto file per file: si basta da solo, è in italiano, non ha collegamenti rotti."""

from __future__ import annotations

import datetime
import re
from urllib.parse import unquote, urlsplit

import anteprima
import imagesize
import pytest
from bs4.element import Comment

from pagine import (PESO_MASSIMO, SITO, caricati_da, caricati_dallo_stile, estraneo, file_caricati, file_di, leggi,
                    nomi_pagine, peso, serve_il_sito)
from repository import CONFIGURAZIONE, PROVVISORIO, indirizzo_in

ATTRIBUTI_LETTI = ("title", "aria-label", "placeholder", "alt", "aria-description", "data-bs-original-title")

# Frasi dell'interfaccia di Sphinx, dei temi e di MyST-NB che non hanno ragione di stare in una pagina.
FRASI_INGLESI = re.compile(
    r"show code|hide code|toggle|click to|skip to|back to top|on this page|last updated|link to this|permalink|"
    r"launch (on|interactive|binder)|download (this|notebook|source)|print to|full ?screen mode|search (the|this|within)|"
    r"next page|previous page|source (repository|code)|open issue|suggest edit|copy to clipboard|table of contents|"
    r"edit this page|light/dark|created using|please activate|cell (source|output)|built with|by the",
    re.IGNORECASE)
# Parole che da sole sono interfaccia, ma dentro una frase possono essere altro.
PAROLE_INGLESI = {"search", "next", "previous", "contents", "index", "home", "main", "copyright", "note", "warning",
                  "copied!", "copy", "download", "repository logo", "page", "navigation", "site navigation", "error"}


@pytest.fixture(scope="module", autouse=True)
def costruito():
    serve_il_sito()


def riferisci(problemi: list[str]) -> None:
    assert not problemi, "\n" + "\n".join(problemi)


def test_nessuna_pagina_carica_nulla_da_altri_siti():
    problemi = []
    for nome in nomi_pagine():
        problemi += [f"{nome}: carica {indirizzo}" for indirizzo in caricati_da(leggi(nome)) if estraneo(indirizzo)]
        for file in file_caricati(nome):
            if file.suffix == ".css" and file.exists():
                problemi += [f"{file.relative_to(SITO)}: chiama {indirizzo}"
                             for indirizzo in caricati_dallo_stile(file.read_text(encoding="utf-8"))
                             if estraneo(indirizzo)]
    riferisci(sorted(set(problemi)))


def test_tutto_cio_che_le_pagine_caricano_esiste():
    riferisci([f"{nome}: manca {file}" for nome in nomi_pagine() for file in file_caricati(nome) if not file.exists()])


def test_i_collegamenti_interni_portano_da_qualche_parte():
    problemi = []
    for nome in nomi_pagine():
        for elemento in leggi(nome).find_all("a", href=True):
            indirizzo = elemento["href"]
            if estraneo(indirizzo) or urlsplit(indirizzo).scheme:
                continue
            file = file_di(indirizzo, SITO / nome)
            ancora = unquote(urlsplit(indirizzo).fragment)
            if not file.is_relative_to(SITO) or not file.exists():
                problemi.append(f"{nome}: {indirizzo} porta a una pagina che non c'è")
            elif ancora and file.suffix == ".html":
                if leggi(file.relative_to(SITO).as_posix()).find(id=ancora) is None:
                    problemi.append(f"{nome}: {indirizzo} porta a un punto che non c'è")
    riferisci(problemi)


def test_nessun_collegamento_porta_al_repository_provvisorio():
    riferisci([f"{nome}: {elemento['href']}" for nome in nomi_pagine()
               for elemento in leggi(nome).find_all("a", href=True)
               if "/-da-impostare-/" in elemento["href"] or elemento["href"].startswith(("colab:", "repository:"))])


def test_ogni_immagine_dice_che_cosa_mostra():
    problemi = []
    for nome in nomi_pagine():
        for immagine in leggi(nome).find_all("img"):
            testo = immagine.get("alt", "").strip()
            if not testo:
                problemi.append(f"{nome}: {immagine.get('src')} non ha testo alternativo")
            elif re.search(r"\.(png|svg|jpe?g|gif|webp)$|^_?images/|^[0-9a-f]{16,}$", testo):
                problemi.append(f"{nome}: il testo alternativo «{testo}» è il nome di un file")
    riferisci(problemi)


def test_ogni_pagina_e_in_italiano_e_ha_un_titolo_solo():
    problemi = []
    for nome in nomi_pagine():
        pagina = leggi(nome)
        if pagina.html.get("lang") != "it":
            problemi.append(f"{nome}: lang={pagina.html.get('lang')!r}")
        titoli = pagina.find_all("h1")
        if len(titoli) != 1:
            problemi.append(f"{nome}: ha {len(titoli)} h1, ne serve uno")
    riferisci(problemi)


def parole_di(nome: str) -> list[str]:
    """Ogni testo che la pagina mostra o fa leggere, esclusi codice, firme, formule e uscite dei notebook."""
    pagina = leggi(nome)
    testi = [str(elemento[attributo]) for attributo in ATTRIBUTI_LETTI
             for elemento in pagina.find_all(attrs={attributo: True})]
    for pezzo in pagina.find_all(string=True):
        muto = isinstance(pezzo, Comment) or pezzo.find_parent(["script", "style", "pre", "code", "kbd"])
        if not muto and not pezzo.find_parent(class_=["formula", "cell_output", "sig"]):
            testi.append(str(pezzo))
    return [" ".join(testo.split()) for testo in testi if testo.strip()]


def test_l_interfaccia_non_parla_inglese():
    riferisci([f"{nome}: «{testo[:120]}»" for nome in nomi_pagine() for testo in parole_di(nome)
               if FRASI_INGLESI.search(testo) or testo.lower() in PAROLE_INGLESI])


def test_i_capitoli_sono_numerati_e_le_soluzioni_no():
    for nome in nomi_pagine():
        if not nome.startswith("chapters/"):
            continue
        numero = leggi(nome).h1.find(class_="section-number")
        if nome.startswith("chapters/soluzioni/"):
            assert numero is None, f"{nome}: le soluzioni non hanno numero"
        elif re.match(r"chapters/\d", nome):
            atteso = int(re.match(r"chapters/(\d+)", nome)[1])
            assert numero is not None and numero.get_text(strip=True) == f"{atteso}.", (
                f"{nome}: mi aspettavo il numero {atteso}, ho trovato {numero}")


# Le àncore del glossario: chi le ha scritte in un collegamento deve ritrovarle.
TERMINI = """token vocabolario embedding posizione positional-embedding query key value parametro attivazione punteggio
score peso weight attenzione self-attention relevance-scoring combining-information softmax temperatura scala maschera
maschera-causale causal-mask head layer strato blocco residual-stream RMSNorm proiezione-di-uscita output-projection
logit loss prodotto-scalare dot-product combinazione-convessa guscio-convesso convex-hull gradiente differenze-finite FLOP
memoria byte overflow encoder decoder equivarianza somma-pesata weighted-sum vettore-arricchito enriched-vector
feed-forward transformer multi-head-attention concatenazione perplexity BLEU seme seed batch addestramento training cross-entropy
sorpresa nat entropia discesa-del-gradiente gradient-descent learning-rate AdamW weight-decay generalizzare arco edge taglio
ablazione composizione prefill decode KV-cache MHA MQA GQA MLA banda-di-memoria memory-bandwidth intensita-aritmetica
arithmetic-intensity crinale ridge-point
sparse-attention pattern finestra sliding-window strided fixed attention-sink portata receptive-field attenzione-locale-e-globale
ring-attention softmax-in-una-passata online-softmax log-sum-exp FlashAttention zigzag striped rank all-gather context-parallelism
bfloat16 embedding-legati router QK-norm onda safetensors silu
RoPE SwiGLU pre-norm top-p contesto esperto parametri-attivi NSA DSA attenzione-lineare""".split()


def voci_del_glossario() -> dict[str, list]:
    """Ogni termine, come è scritto, con i paragrafi della sua voce."""
    return {"".join(t for t in dt.find_all(string=True, recursive=False)).strip(): dt.find_next_sibling("dd").find_all("p")
            for dt in leggi("glossario.html").select("dl.glossary > dt")}


def test_la_mappa_ha_tutti_i_capitoli_e_collega_quelli_pubblicati():
    numero, righe = 0, leggi("index.html").select(".mappa ol")
    for lista in righe:
        assert int(lista.get("start", 1)) == numero + 1
        numero += len(lista.find_all("li", recursive=False))
    assert (numero, len(righe)) == (11, 3)
    pubblicati = [nome for nome in nomi_pagine() if re.match(r"chapters/\d", nome)]
    collegati = []
    for n, voce in enumerate(leggi("index.html").select(".mappa li"), start=1):
        titolo, obiettivo = voce.find_all("p")
        assert obiettivo.get_text().endswith((".", "?")), n
        if titolo.a:
            detti = re.search(r"Tempo: (\d+) minuti", leggi(titolo.a["href"]).get_text())
            assert detti is None or f"· {detti[1]} minuti" in titolo.get_text(), f"{n}: il capitolo dice {detti[0]}"
            collegati.append(titolo.a["href"])
            assert re.search(r"· \d+ minuti$", titolo.get_text()) and titolo.a["href"].startswith(f"chapters/{n:02d}-"), n
        else:
            assert titolo.get_text().endswith("· in preparazione"), n
    assert collegati == pubblicati


def test_il_glossario_ha_ogni_termine_con_la_sua_ancora():
    ancore = {dt["id"] for dt in leggi("glossario.html").select("dl.glossary > dt")}
    assert ancore >= {f"term-{termine}" for termine in TERMINI}, {f"term-{t}" for t in TERMINI} - ancore


def test_il_glossario_e_in_ordine_e_ogni_lettera_si_raggiunge():
    termini = list(voci_del_glossario())
    assert termini == sorted(termini, key=str.casefold)
    lettere = [h2.find(string=True) for h2 in leggi("glossario.html").select("section > section > h2")]
    assert lettere == sorted({termine[0].upper() for termine in termini})
    assert [a.get_text() for a in leggi("glossario.html").select(".lettere a")] == lettere


def test_ogni_voce_del_glossario_dice_il_capitolo_o_rimanda():
    riferisci([termine for termine, paragrafi in voci_del_glossario().items()
               if not any("chapters/" in a["href"] or (len(paragrafi) == 1 and a["href"].startswith("#term-"))
                          for a in paragrafi[-1].find_all("a", href=True))])


def test_ogni_notebook_si_scarica():
    problemi = []
    for nome in nomi_pagine():
        sorgente = SITO / "_sources" / nome.replace(".html", ".ipynb")
        scarica = leggi(nome).find("a", download=True)
        if sorgente.exists() and (scarica is None or file_di(scarica["href"], SITO / nome) != sorgente.resolve()):
            problemi.append(f"{nome}: manca il pulsante che scarica il notebook")
    riferisci(problemi)


def test_la_pagina_404_vale_a_qualunque_indirizzo_e_non_si_trova_cercando():
    pagina = leggi("404.html")
    indirizzi = caricati_da(pagina) + [a["href"] for a in pagina.find_all("a", href=True)]
    riferisci([f"è relativo: {indirizzo}" for indirizzo in indirizzi
               if not estraneo(indirizzo) and not indirizzo.startswith(("/", "#"))])
    assert pagina.find("meta", attrs={"name": "robots"})["content"] == "noindex"
    for indice in ("searchindex.js", "genindex.html", "sitemap.xml"):
        if (SITO / indice).exists():
            testo = (SITO / indice).read_text(encoding="utf-8")
            assert '"404"' not in testo and "404.html" not in testo, indice


def test_ogni_pagina_si_presenta_con_le_sue_parole():
    descrizioni = {}
    for nome in set(nomi_pagine()) - {"search.html", "404.html", "index.html"}:
        meta = {m.get("property") or m.get("name"): m["content"] for m in leggi(nome).find_all("meta", content=True)}
        assert meta["og:site_name"] == "Self-attention nei transformer", nome
        assert meta["og:title"] in leggi(nome).h1.get_text() and meta["description"] == meta["og:description"], nome
        assert not meta["description"].endswith(":") and len(meta["description"]) < 300, f"{nome}: {meta['description']}"
        # Finché l'indirizzo è provvisorio nessun indirizzo assoluto sarebbe vero.
        provvisorio = indirizzo_in(CONFIGURAZIONE.read_text(encoding="utf-8")) == PROVVISORIO
        assert ("og:url" in meta, "og:image" in meta) == (not provvisorio,) * 2, nome
        if nome.startswith("chapters/0"):
            descrizioni.setdefault(meta["description"], []).append(nome)
    riferisci([f"stessa descrizione: {nomi}" for nomi in descrizioni.values() if len(nomi) > 1])


def test_l_anteprima_e_aggiornata_e_leggera():
    file = SITO / "_static" / "anteprima.png"
    assert file.read_bytes() == anteprima.ANTEPRIMA.read_bytes(), "il sito è da ricostruire"
    assert anteprima.aggiornata(), "si ridisegna con «make immagini»"
    assert imagesize.get(file) == (1200, 630) and file.stat().st_size < 120_000


def test_la_data_di_una_pagina_si_legge_anche_da_una_macchina():
    for nome in nomi_pagine():
        riga = leggi(nome).find(class_="last-updated")
        if riga is None:  # niente git, o una pagina che non viene da un file: nessuna data è meglio di una falsa
            continue
        giorno = datetime.date.fromisoformat(riga.time["datetime"])
        assert giorno <= datetime.date.today() + datetime.timedelta(days=1), nome
        assert riga.get_text().strip() == f"Aggiornata {riga.time.get_text()}." and str(giorno.year) in riga.time.get_text()
        assert nome not in ("search.html", "404.html")


def test_nessuna_pagina_pesa_troppo():
    pesi = {nome: peso(nome) for nome in nomi_pagine()}
    riferisci([f"{nome}: {byte:,} byte, al massimo {PESO_MASSIMO:,}"
               for nome, byte in pesi.items() if byte >= PESO_MASSIMO])
