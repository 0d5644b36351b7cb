"""L'anello e i conti del laboratorio: gli stessi numeri di attnkit, e una pagina che si usa con qualunque mezzo."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from attnkit.config import LLAMA_3_1_8B, LLAMA_3_1_70B, LLAMA_3_1_405B, MLA, MODELS, Experts, ModelConfig
from attnkit.costs import _model, forward_flops, kv_cache_bytes, parameters, training_flops, weight_bytes
from attnkit.ring import places, simulate
from attnkit.ring.disposizione import LAYOUTS
from pagine import SITO
from test_browser import LARGO, STRETTO, apri, browser, che_sporge, indirizzo, violazioni  # noqa: F401

RADICE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(RADICE / "_ext"))

from sito_corso import modelli  # noqa: E402

PAGINA = "laboratorio.html"
ANELLO, CONTI = "#lab-anello", "#lab-conti"


def nel_modulo(pagina, modulo: str, codice: str, argomento):
    """Il valore di `codice`, una funzione di (modulo, argomento), con il modulo così com'è pubblicato; i BigInt diventano testo."""
    return pagina.evaluate("""async ([modulo, codice, argomento]) => {
        const caricato = await import(new URL(`_static/laboratorio/${modulo}`, location.href));
        const esito = await eval(codice)(caricato, argomento);
        return JSON.parse(JSON.stringify(esito, (_, valore) => typeof valore === "bigint" ? String(valore) : valore));
    }""", [modulo, codice, argomento])


def ricerca(pagina) -> str:
    """Ciò che l'indirizzo dice dopo il punto interrogativo, chiesto alla pagina: `pagina.url` si aggiorna un momento dopo."""
    return pagina.evaluate("location.search")


# L'anello ------------------------------------------------------------------------------------------------------

def test_l_anello_conta_come_attnkit(apri):
    casi = [(T, P, layout, causal) for P in range(2, 9) for T in sorted({P, 2 * P, 16, 23, 61}) if T >= P
            for layout in LAYOUTS for causal in (True, False)]
    trovati = nel_modulo(apri(PAGINA), "ring.js", """(ring, casi) => casi.map(([T, ranks, layout, causal]) =>
        [ring.places(T, ranks, layout), ring.simulate(T, { ranks, layout, causal })])""", casi)
    for (T, P, layout, causal), (posti, corsa) in zip(casi, trovati, strict=True):
        caso = f"T={T}, P={P}, {layout}, causal={causal}"
        q = torch.zeros(1, 1, T, 1, dtype=torch.float64)
        attesa = simulate(q, q, q, ranks=P, causal=causal, layout=layout)
        assert posti == corsa["held"] == [p.tolist() for p in places(T, P, layout)], caso
        assert [(s["step"], s["rank"], s["holds"], s["pairs"]) for s in corsa["steps"]] == \
               [(s.step, s.rank, s.holds, s.pairs) for s in attesa.steps], caso
        assert corsa["done"] == (T * (T + 1) // 2 if causal else T * T), caso
        assert corsa["done"] / corsa["possible"] == corsa["efficiency"] == attesa.efficiency, caso


def numeri_dell_anello(pagina) -> list[list[str]]:
    return pagina.eval_on_selector_all(f"{ANELLO} tbody tr", "righe => righe.map((riga) => [...riga.cells].map((c) => c.textContent))")


def test_l_anello_si_percorre_con_la_tastiera(apri):
    pagina = apri(PAGINA)
    pagina.locator(ANELLO).get_by_role("button", name="avanti").focus()
    assert numeri_dell_anello(pagina)[0] == ["0", "0–3", "K0 V0", "10", "10"]
    pagina.keyboard.press("Enter")
    assert "anello-passo=2" in ricerca(pagina)
    assert numeri_dell_anello(pagina)[:2] == [["0", "0–3", "–", "aspetta", "10"], ["1", "4–7", "K0 V0", "16", "26"]]
    assert "Aspetta il dispositivo 0" in pagina.locator(f"{ANELLO} [aria-live]").inner_text()
    for _ in range(5):
        pagina.keyboard.press("Enter")                        # oltre l'ultimo passo non succede nulla, e il fuoco resta
    assert "anello-passo=4" in ricerca(pagina) and pagina.evaluate("document.activeElement.textContent") == "avanti →"
    assert pagina.locator(ANELLO).get_by_role("button", name="avanti").get_attribute("aria-disabled") == "true"
    pagina.locator(ANELLO).get_by_role("slider").focus()
    pagina.keyboard.press("Home")
    assert "anello-passo" not in ricerca(pagina)
    pagina.keyboard.press("Tab")
    pagina.keyboard.press("Tab")
    pagina.keyboard.press("Enter")                            # da solo
    pagina.wait_for_function("location.search.includes('anello-passo=2')", timeout=5000)
    pagina.locator(ANELLO).get_by_role("button", name="ferma").click()
    assert pagina.problemi == []


def test_l_anello_sta_nell_indirizzo(apri):
    indirizzo_pieno = f"{PAGINA}?anello-dispositivi=8&anello-disposizione=striped&anello-maschera=nessuna&anello-token=64&anello-passo=3&altro=1"
    pagina = apri(indirizzo_pieno)
    assert ricerca(pagina) == indirizzo_pieno.removeprefix(PAGINA)   # aprire la pagina non lo riscrive
    righe = numeri_dell_anello(pagina)
    assert len(righe) == 9 and righe[2] == ["2", "2, 10, … 58", "K0 V0", "64", "512"]
    assert "l’efficienza è 100 %" in pagina.locator(ANELLO).inner_text()
    pagina.locator("#anello-dispositivi").select_option("3")
    pagina.locator("#anello-zigzag").check()
    pagina.locator("#anello-causale").check()
    # La maschera causale e il primo passo sono quelli di partenza: non si scrivono. Un nome altrui resta.
    assert ricerca(pagina) == "?anello-dispositivi=3&anello-disposizione=zigzag&anello-token=64&altro=1"
    pagina = riapri(apri, pagina)
    assert len(numeri_dell_anello(pagina)) == 4 and pagina.locator("#anello-zigzag").is_checked()
    # Un indirizzo senza senso si dice, e non rompe nulla.
    altra = apri(f"{PAGINA}?anello-dispositivi=99&anello-disposizione=boh&anello-token=-1&anello-passo=x&anello-maschera=poca")
    assert len(numeri_dell_anello(altra)) == 5 and altra.problemi == []
    for guasto in ("dispositivi=99", "disposizione=boh", "token=-1", "passo=x", "maschera=poca"):
        assert f"Nell’indirizzo, anello-{guasto} non va bene" in altra.locator("#anello-avviso").inner_text()


def test_le_tre_parti_stanno_nello_stesso_indirizzo(apri):
    """Un collegamento della frase cambia la frase, e tornando indietro ogni parte mostra ciò che l'indirizzo dice."""
    pagina = apri(f"{PAGINA}?anello-dispositivi=8&modello=Gemma+2B&modello-token=100")
    pagina.locator("#una-frase-passo-per-passo ol a[href*='tagli=']").first.click()
    assert {"anello-dispositivi=8", "modello=Gemma+2B", "modello-token=100", "tagli=1-1-7-2"} <= set(ricerca(pagina)[1:].split("&"))
    pagina.locator("#anello-dispositivi").select_option("3")
    pagina.locator("#conti-modello").select_option("Qwen3 8B")
    pagina.locator("#conti-token").fill("7")
    pagina.go_back()
    pagina.wait_for_function("document.getElementById('anello-dispositivi').value === '8'")
    assert len(numeri_dell_anello(pagina)) == 9
    assert [pagina.locator(f"#conti-{nome}").input_value() for nome in ("modello", "token")] == ["Gemma 2B", "100"]
    assert pagina.problemi == []


@pytest.mark.parametrize("titolo", ["un-anello-di-dispositivi", "i-conti-di-un-modello"])
def test_un_indirizzo_con_il_titolo_porta_al_titolo(apri, titolo):
    """La pagina cresce mentre si apre: il titolo chiesto deve restare in vista."""
    pagina = apri(f"{PAGINA}#{titolo}")
    pagina.wait_for_function("(id) => { const { top } = document.getElementById(id).getBoundingClientRect(); return top > -5 && top < 200; }", arg=titolo, timeout=5000)


def test_le_frecce_dell_anello_vanno_nel_verso_giusto(apri):
    """Anche dove lo spazio è poco: ogni freccia punta al vicino, e fra i due riquadri si vede."""
    for finestra in (LARGO, STRETTO, {"width": 320, "height": 640}):
        pagina = apri(f"{PAGINA}?anello-maschera=nessuna", finestra=finestra)
        for P in range(2, 9):
            pagina.locator("#anello-dispositivi").select_option(str(P))
            frecce = pagina.eval_on_selector_all(".disegno-anello .spedisce", """(linee) => {
                const centri = [...document.querySelectorAll(".disegno-anello .corpo")].map((c) => [+c.getAttribute("x") + c.getAttribute("width") / 2, +c.getAttribute("y") + c.getAttribute("height") / 2]);
                return linee.map((l, r) => {
                    const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((nome) => +l.getAttribute(nome));
                    const [da, a] = [centri[r], centri[(r + 1) % centri.length]];
                    return ((x2 - x1) * (a[0] - da[0]) + (y2 - y1) * (a[1] - da[1])) / Math.hypot(a[0] - da[0], a[1] - da[1]);
                });
            }""")
            assert len(frecce) == P and min(frecce) >= 9, (finestra["width"], P, frecce)


def test_tutti_i_passi_stanno_anche_in_una_tabella(apri):
    pagina = apri(f"{PAGINA}?anello-dispositivi=3&anello-token=6")
    pagina.get_by_text("I numeri di tutti i passi").click()
    righe = pagina.eval_on_selector_all(f"{ANELLO} .lab-numeri tr", "righe => righe.map((riga) => [...riga.cells].map((c) => c.textContent))")
    assert righe == [["", "passo 1", "passo 2", "passo 3", "in tutto"], ["dispositivo 0", "3", "0", "0", "3"],
                     ["dispositivo 1", "3", "4", "0", "7"], ["dispositivo 2", "3", "4", "4", "11"]]


@pytest.mark.parametrize("guasto", ["modello=constructor", "modello=Pippo", "modello-token=-3", "modello-byte_pesi=3", "modello-qk_norm=boh", "modello-tied=forse"])
def test_un_indirizzo_guasto_non_ferma_i_conti(apri, guasto):
    pagina = apri(f"{PAGINA}?{guasto}")
    assert f"Nell’indirizzo, {guasto} non va bene" in pagina.locator(f"{CONTI} p.strumento-avviso").inner_text()
    assert conto(pagina, "parametri tutti") == con_i_punti(parameters(LLAMA_3_1_8B)) and pagina.problemi == []


def test_un_numero_di_token_impossibile_si_spiega(apri):
    pagina = apri(PAGINA)
    prima = numeri_dell_anello(pagina)
    for scritto, detto in (("3", "3"), ("", "nulla"), ("molti", "molti"), ("513", "513")):
        pagina.locator("#anello-token").fill(scritto)
        assert f"mi aspettavo un intero da 4 a 512, ho trovato {detto}" in pagina.locator("#anello-avviso").inner_text()
        assert pagina.locator("#anello-token").get_attribute("aria-invalid") == "true" and numeri_dell_anello(pagina) == prima
    pagina.locator("#anello-token").fill("32")
    assert pagina.locator("#anello-avviso").inner_text() == "" and numeri_dell_anello(pagina)[0][1] == "0–7"


# I conti -------------------------------------------------------------------------------------------------------

def a_caso(dado: random.Random) -> ModelConfig:
    """Una configurazione valida qualunque: piccola o enorme, con o senza finestra, bias, MLA, esperti."""
    def fra(a, b):
        return round(dado.uniform(a, b) ** dado.choice([1, 2, 3]))

    kv, L = fra(1, 6), fra(1, 6)
    finestra = dado.random() < 0.5
    cicli = ["L", "LG", "GL", "LLLLLG", "LLG"] if finestra else ["G", "GG"]
    mla = MLA(*(fra(1, 12) for _ in range(5))) if dado.random() < 0.3 else None
    esperti = Experts(t := fra(2, 7), dado.randint(1, t), fra(1, 40), shared=dado.randint(0, 2), dense_layers=dado.randint(0, L),
                      router_bias=dado.random() < 0.5) if dado.random() < 0.4 else None
    return ModelConfig("a caso", L, fra(1, 60), kv * fra(1, 5), kv, fra(1, 40), fra(1, 60), fra(1, 90), tied=dado.random() < 0.5,
                       window=fra(1, 20) if finestra else None, cycle=dado.choice(cicli), qkv_bias=dado.random() < 0.5,
                       output_bias=dado.random() < 0.5, ffn_bias=dado.random() < 0.5, qk_norm=dado.choice([None, "head", "all"]),
                       norms=dado.randint(1, 4), sinks=dado.random() < 0.5, mla=mla, experts=esperti)


def test_i_conti_sono_quelli_di_attnkit(apri):
    dado = random.Random(11)
    configurazioni = [*MODELS.values(), *map(_model, (LLAMA_3_1_8B, LLAMA_3_1_70B, LLAMA_3_1_405B)), *(a_caso(dado) for _ in range(120))]
    casi = [(config, tokens, dado.randint(1, 64), dado.choice([1, 2, 4])) for config in configurazioni
            for tokens in (1, dado.randint(2, 5000), 131072, 2 ** 24)]
    trovati = nel_modulo(apri(PAGINA), "costs.js", """(costs, casi) => casi.map(([config, tokens, batch, bytes_per_value]) => [
        costs.problems(config), costs.parameters(config), costs.parameters(config, { active: true }), costs.forward_flops(config, tokens, { batch }),
        costs.training_flops(config, tokens), costs.kv_cache_bytes(config, tokens, { batch, bytes_per_value }), costs.weight_bytes(config, { bytes_per_value }),
        costs.attention_kind(config), costs.local_layers(config)])""", [(asdict(config), *altro) for config, *altro in casi])
    assert max(int(esito[3]) for esito in trovati) > 2 ** 60     # oltre i numeri esatti di JavaScript
    for (config, tokens, batch, byte), esito in zip(casi, trovati, strict=True):
        assert esito == [[], *map(str, (
            parameters(config), parameters(config, active=True), forward_flops(config, tokens, batch=batch), training_flops(config, tokens),
            kv_cache_bytes(config, tokens, batch=batch, bytes_per_value=byte), weight_bytes(config, bytes_per_value=byte))),
            config.attention, config.local_layers], config


def test_le_parti_sono_quelle_giuste(apri):
    pagina = apri(PAGINA)
    for config in MODELS.values():
        parti = {nome: int(valore) for nome, valore in nel_modulo(pagina, "costs.js", "(costs, config) => costs.parts(config)", asdict(config)).items()}
        D, L, V = config.d_model, config.n_layers, config.vocabulary
        # Quanto cresce il totale se cresce una misura: una strada che non passa dalle parti.
        assert parti["embedding"] + parti["logits"] == V * (parameters(replace(config, vocabulary=V + 1)) - parameters(config))
        assert parti["norms"] >= config.norms * (parameters(replace(config, norms=config.norms + 1)) - parameters(config)) + D
        if config.experts is None and not config.ffn_bias:
            assert parti["feed_forward"] == config.d_ff * (parameters(replace(config, d_ff=config.d_ff + 1)) - parameters(config))
        nuda = replace(config, qkv_bias=False, output_bias=False, ffn_bias=False, sinks=False,
                       experts=config.experts and replace(config.experts, router_bias=False))
        assert parti["biases"] == parameters(config) - parameters(nuda)
        if config.mla is None:
            assert parti["attention"] == L * 2 * D * config.head_dim * (config.n_heads + config.n_kv_heads)


SBAGLIATE = [{"n_layers": 0}, {"d_model": -3}, {"n_heads": 7, "n_kv_heads": 2}, {"cycle": "X"}, {"cycle": "L"}, {"norms": 0}, {"head_dim": 0},
             {"vocabulary": 0}, {"d_ff": 0}, {"window": 0, "cycle": "L"}, {"window": 5}]


def test_i_rifiuti_hanno_le_parole_di_attnkit(apri):
    pagina = apri(PAGINA)
    buona = MODELS["Llama 3.1 8B"]
    for cambi in SBAGLIATE:
        with pytest.raises(ValueError) as rifiuto:
            replace(buona, **cambi)
        [[campo, detto]] = nel_modulo(pagina, "costs.js", "(costs, config) => costs.problems(config)", {**asdict(buona), **cambi})
        assert campo in {*cambi, "cycle"} and detto == str(rifiuto.value).replace("window=None", "window=nessuna")
    with pytest.raises(ValueError) as rifiuto:
        Experts(4, 5, 10)
    esperti = {"total": 4, "active": 5, "d_ff": 10, "shared": 0, "dense_layers": 0, "router_bias": False}
    assert nel_modulo(pagina, "costs.js", "(costs, config) => costs.problems(config)", {**asdict(buona), "experts": esperti}) == \
           [["experts.active", str(rifiuto.value)]]


def riapri(apri, pagina):
    """Un'altra visita allo stesso indirizzo: ciò che si vede deve stare tutto lì."""
    return apri(PAGINA + ricerca(pagina))


def conto(pagina, nome: str) -> str:
    """Il valore esatto scritto nella riga che comincia così."""
    return pagina.locator(f"{CONTI} .conti tr").filter(has=pagina.get_by_role("rowheader", name=nome)).first.locator(".esatto").inner_text()


def con_i_punti(valore: int) -> str:
    return f"{valore:,}".replace(",", ".") if valore >= 10_000 else str(valore)


def test_la_pagina_scrive_quei_numeri(apri):
    pagina = apri(f"{PAGINA}?modello-token=20000&modello-batch=3")
    macchine = modelli.macchine(RADICE / "chapters")
    for nome, config in MODELS.items():
        pagina.locator("#conti-modello").select_option(nome)
        servono = weight_bytes(config) + kv_cache_bytes(config, 20000, batch=3)
        for riga, atteso in {
            "parametri tutti": con_i_punti(parameters(config)),
            "pesi": con_i_punti(weight_bytes(config)) + " byte",
            "KV cache": con_i_punti(kv_cache_bytes(config, 20000, batch=3)) + " byte",
            "leggere": con_i_punti(forward_flops(config, 20000, batch=3)) + " FLOP",
            "l’ultimo token": con_i_punti(forward_flops(config, 20000) - forward_flops(config, 19999)) + " FLOP",
            "un passo di addestramento": con_i_punti(training_flops(config, 20000, batch=3)) + " FLOP",
        }.items():
            assert conto(pagina, riga) == atteso, (nome, riga)
        stanno = pagina.eval_on_selector_all(f"{CONTI} .macchine tbody tr", "righe => righe.map((riga) => riga.className === 'sta')")
        assert stanno == [servono <= m["gigabyte"] * 10 ** 9 for m in macchine], nome
    pagina = riapri(apri, pagina)
    assert pagina.locator("#conti-modello").input_value() == list(MODELS)[-1] and pagina.problemi == []


@pytest.mark.parametrize("finestra", [LARGO, STRETTO])
def test_le_barre_sono_lunghe_quanto_la_colonna(apri, finestra):
    """Gli stili delle altre parti della pagina non devono toccarle."""
    pagina = apri(PAGINA, finestra=finestra)
    for barra in pagina.locator(f"{CONTI} .quota-intera").all():
        pezzi = [pezzo.bounding_box()["width"] for pezzo in barra.locator(".pezzo").all()]
        intera = pagina.locator(f"{CONTI} .parti").bounding_box()["width"]
        assert barra.bounding_box()["width"] == pytest.approx(intera, abs=2) and sum(pezzi) == pytest.approx(intera, abs=2)


def test_una_misura_cambiata_resta_nell_indirizzo(apri):
    pagina = apri(PAGINA)
    pagina.locator("#conti-n_kv_heads").fill("32")
    mha = replace(MODELS["Llama 3.1 8B"], n_kv_heads=32)
    assert conto(pagina, "parametri tutti") == con_i_punti(parameters(mha)) and "modello-n_kv_heads=32" in ricerca(pagina)
    pagina = riapri(apri, pagina)
    assert conto(pagina, "KV cache") == con_i_punti(kv_cache_bytes(mha, 8192)) + " byte"
    pagina.locator("#conti-n_heads").fill("7")
    assert pagina.locator("#conti-n_kv_heads-avviso").inner_text() == "n_heads=7 non è divisibile per n_kv_heads=32"
    assert pagina.locator("#conti-n_kv_heads").get_attribute("aria-invalid") == "true"
    assert "modello-n_heads" not in ricerca(pagina) and conto(pagina, "parametri tutti") == con_i_punti(parameters(mha))
    pagina.locator("#conti-n_heads").fill("1.5")
    assert pagina.locator("#conti-n_heads-avviso").inner_text() == "n_heads: mi aspettavo un intero, ho trovato 1.5"
    pagina.get_by_role("button", name="rimetti le misure pubblicate").click()
    assert conto(pagina, "parametri tutti") == con_i_punti(parameters(LLAMA_3_1_8B)) and "modello" not in ricerca(pagina)
    pagina.locator("#conti-vocabulary").fill("128.000")          # i punti delle migliaia si capiscono
    assert conto(pagina, "parametri tutti") == con_i_punti(parameters(replace(LLAMA_3_1_8B, vocabulary=128000)))
    assert pagina.problemi == []


def test_mla_ed_esperti_si_accendono_e_si_spengono(apri):
    pagina = apri(f"{PAGINA}?modello=DeepSeek-V3")
    assert not pagina.locator("#conti-n_kv_heads").is_visible()
    pagina.locator("#conti-mla").uncheck()
    base = MODELS["DeepSeek-V3"]
    senza = replace(base, mla=None, n_kv_heads=128, head_dim=128)
    assert conto(pagina, "parametri tutti") == con_i_punti(parameters(senza))
    pagina.locator("#conti-experts").uncheck()
    assert conto(pagina, "parametri tutti") == con_i_punti(parameters(replace(senza, experts=None)))
    pagina = riapri(apri, pagina)
    assert conto(pagina, "parametri tutti") == con_i_punti(parameters(replace(senza, experts=None)))
    pagina.locator("#conti-modello").select_option("Llama 3.1 8B")
    pagina.get_by_text("Bias e norme, MLA, esperti").click()
    pagina.locator("#conti-mla").check()
    assert conto(pagina, "KV cache") == con_i_punti(kv_cache_bytes(replace(MODELS["Llama 3.1 8B"], mla=base.mla), 8192)) + " byte"
    # Un indirizzo impossibile mostra il messaggio, e i conti del modello pubblicato.
    guasta = apri(f"{PAGINA}?modello=Qwen3 8B&modello-n_layers=zero")
    assert "ho trovato zero" in guasta.locator("#conti-n_layers-avviso").inner_text()
    assert conto(guasta, "parametri tutti") == con_i_punti(parameters(MODELS["Qwen3 8B"])) and guasta.problemi == []


# La pagina -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tema", ["light", "dark"])
@pytest.mark.parametrize("domanda", ["anello-dispositivi=8&anello-passo=4&modello=DeepSeek-V3&modello-n_heads=7x",
                                     "anello-dispositivi=2&anello-token=512&anello-disposizione=striped&modello=gpt-oss 120B"])
def test_gli_strumenti_sono_accessibili(apri, tema, domanda):
    pagina = apri(f"{PAGINA}?{domanda}", tema)
    pagina.locator("#anello-token").fill("x")
    problemi = violazioni(pagina, "a 1280 px", dentro=f"{ANELLO}, {CONTI}")
    pagina.set_viewport_size(STRETTO)
    pagina.wait_for_timeout(400)
    problemi += violazioni(pagina, "a 375 px", regole="struttura") + che_sporge(pagina) + pagina.problemi
    assert not problemi, "\n" + "\n".join(problemi)


def test_sulla_carta_restano_i_disegni_e_i_numeri(apri):
    pagina = apri(f"{PAGINA}?anello-passo=2")
    pagina.emulate_media(media="print")
    assert pagina.locator(f"{ANELLO} button:visible, {CONTI} button:visible").count() == 0
    assert pagina.locator(f"{ANELLO} svg:visible").count() == 3 and pagina.locator(f"{CONTI} table:visible").count() == 3


def test_i_dati_vengono_da_attnkit_e_dal_capitolo(tmp_path):
    scritti = json.loads((SITO / "_static/laboratorio/modelli.json").read_text(encoding="utf-8"))
    assert scritti == json.loads(json.dumps(modelli.dati(RADICE / "chapters")))
    assert list(scritti["modelli"]) == list(MODELS) and [m["gigabyte"] for m in scritti["macchine"]] == [16, 24, 80, 640]
    Path(tmp_path, modelli.CAPITOLO).write_text(json.dumps({"cells": [{"id": modelli.CELLA, "source": ["altro = 1"]}]}))
    with pytest.raises(ValueError, match="macchine"):
        modelli.macchine(tmp_path)
