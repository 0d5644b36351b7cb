"""L'igiene dei notebook pubblicati, e la prova che nbval si accorge di un'uscita falsa."""

import ast
import base64
import copy
import json
import re
import struct
import subprocess
import sys

import nbformat
import pytest

import notebook
import repository

NOTEBOOK = notebook.trova()
NOMI = [p.relative_to(notebook.RADICE).as_posix() for p in NOTEBOOK]
CAPITOLI = [p for p in NOTEBOOK if p.parent == notebook.CAPITOLI]

ogni_notebook = pytest.mark.parametrize("percorso", NOTEBOOK, ids=NOMI)
ogni_capitolo = pytest.mark.parametrize("percorso", CAPITOLI, ids=[p.name for p in CAPITOLI])

ETICHETTE = {"hide-input", "hide-output", "hide-cell", "remove-input", "nbval-ignore-output", "raises-exception"}
# Gli id che JupyterLab dà da sé: «7f3c9a1e» oppure un UUID.
ID_CASUALE = re.compile(r"(?=.*\d)[0-9a-f]{6,12}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PAROLE_ITALIANE = set("il lo la i gli le un una di del della dei delle da dal dalla in nel nella con su sul sulla "
                      "per tra fra che e è a al alla ai ogni verso più".split())

# Markdown che si vede bene solo sul sito: espressione regolare, e perché non va.
NON_PORTABILE = [
    (r"^\s*(```+|~~~+)\s*\{", "una direttiva MyST"),
    (r"^\s*:::", "un blocco ::: di MyST"),
    (r"(?<![\\\w}])\{[a-z][\w:+-]*\}`", "un ruolo MyST"),
    (r"^\([\w-]+\)=\s*$", "un'etichetta MyST"),
    (r"^\+\+\+", "un separatore MyST"),
    (r"<a\s[^>]*\b(id|name)\s*=", "un'ancora HTML"),
    (r"\]\((?!https?:)[^)\s]+\.(ipynb|md|html)#", "un link a un punto interno di un'altra pagina"),
    (r"!\[", "un'immagine da file: in Colab non c'è"),
    (r"<img\b", "un'immagine HTML"),
    (r"<(script|iframe|style)\b", "HTML che Colab e GitHub tolgono"),
]
VIETATO_NEL_CODICE = [
    (r"tqdm\.(auto|notebook)|\btrange\b.*auto", "la barra dev'essere «from tqdm import tqdm»"),
    (r"\bclear_output\b|\bipywidgets\b|update_display|display_id", "uscite che si riscrivono da sole"),
    (r"^\s*[%!]\s*pip\b", "l'installazione sta nella cella di preparazione"),
    (r"^\s*from\s+\S+\s+import\s+\*", "import *: non si vede da dove vengono i nomi"),
    (r"\bsys\.path\b", "sys.path: attnkit si importa e basta"),
    (r"NBVAL_|nbval-skip", "una cella che nbval non guarda"),
]


def celle(percorso, tipo=None):
    trovate = notebook.leggi(percorso)["cells"]
    return [c for c in trovate if tipo in (None, c["cell_type"])]


def sorgente(cella):
    return "".join(cella["source"])


def immagini(cella):
    """Coppie (tipo, uscita) delle figure di una cella."""
    return [(mime, uscita) for uscita in cella.get("outputs", [])
            for mime in uscita.get("data", {}) if mime.startswith("image/")]


def cerca(regole, testo):
    return [perche for espressione, perche in regole if re.search(espressione, testo, re.M)]


def test_ci_sono_capitoli_e_soluzioni():
    assert CAPITOLI
    soluzioni = {p.name for p in NOTEBOOK} - {p.name for p in CAPITOLI}
    assert not soluzioni, f"soluzioni senza capitolo: {soluzioni}"


@ogni_notebook
def test_e_in_forma_normale(percorso):
    nb = notebook.leggi(percorso)
    nbformat.validate(nbformat.from_dict(nb))
    assert percorso.read_bytes() == notebook.in_testo(notebook.normalizza(nb)).encode("utf-8"), \
        "esegui «make notebook»"


@ogni_notebook
def test_e_eseguito_e_leggero(percorso):
    assert percorso.stat().st_size < 1_000_000
    for cella in celle(percorso, "code"):
        assert sorgente(cella).strip(), f"la cella {cella['id']} è vuota"
        assert cella["execution_count"], f"la cella {cella['id']} non è stata eseguita: «make notebook»"


@ogni_notebook
def test_gli_id_sono_leggibili_e_unici(percorso):
    nomi = [c["id"] for c in celle(percorso)]
    assert len(nomi) == len(set(nomi))
    for nome in nomi:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", nome), nome
        assert not ID_CASUALE.fullmatch(nome), f"{nome} sembra dato a caso"


@ogni_notebook
def test_le_etichette_sono_note(percorso):
    for cella in celle(percorso):
        assert set(cella["metadata"].get("tags", [])) <= ETICHETTE, cella["id"]


@ogni_notebook
def test_comincia_con_la_preparazione(percorso):
    url = repository.indirizzo_in(repository.CONFIGURAZIONE.read_text(encoding="utf-8"))
    prima = celle(percorso, "code")[0]
    assert prima["id"] == repository.ID_CELLA
    assert prima["metadata"] == {"tags": ["hide-input"]}
    assert sorgente(prima) == repository.cella(url), "esegui «make repository»"
    assert prima["outputs"] == []


@ogni_notebook
def test_il_markdown_si_legge_ovunque(percorso):
    for cella in celle(percorso, "markdown"):
        scritto = sorgente(cella)
        trovati = cerca(NON_PORTABILE, scritto)
        assert not trovati, f"{cella['id']}: {trovati}"
        for titolo, resto in re.findall(r"<summary>(.*?)</summary>(.*(?:\n.*)?)", scritto):
            assert "$" not in titolo, f"{cella['id']}: una formula nel titolo di un blocco"
            assert not resto.strip(), f"{cella['id']}: dopo </summary> serve una riga vuota"


@ogni_notebook
def test_i_link_locali_portano_a_un_file(percorso):
    for cella in celle(percorso, "markdown"):
        for meta in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", sorgente(cella)):
            assert (percorso.parent / meta).exists(), f"{cella['id']}: {meta} non c'è"


COLLEGAMENTO = re.compile(r"\]\((https?://[^)\s]+)\)")
RIFERIMENTI = (notebook.RADICE / "riferimenti.md").read_text(encoding="utf-8")
VOCI = [re.split(r"\n(?!  )", voce)[0] for voce in re.split(r"^- ", RIFERIMENTI, flags=re.MULTILINE)[1:]]


def citate(percorso, da=""):
    """Gli indirizzi di altri siti che un notebook cita, tutti o dopo il titolo `da`."""
    testo = "\n".join(sorgente(c) for c in celle(percorso, "markdown"))
    return set(COLLEGAMENTO.findall(testo.partition(da)[2] if da else testo))


@ogni_notebook
def test_ogni_fonte_citata_sta_nei_riferimenti(percorso):
    assert not citate(percorso) - set(COLLEGAMENTO.findall(RIFERIMENTI))


@ogni_capitolo
def test_le_fonti_del_capitolo_lo_nominano_nei_riferimenti(percorso):
    """Chi parte dai riferimenti trova il capitolo; la lezione da cui nasce il corso vale per tutti."""
    fonti = citate(percorso, "## Fonti")
    assert fonti
    for voce in VOCI:
        if fonti & set(COLLEGAMENTO.findall(voce)) and "learn.deeplearning.ai" not in voce:
            assert f"(chapters/{percorso.name})" in voce, f"{percorso.name} non è nella voce: {voce[:60]}"


@pytest.mark.parametrize("voce", VOCI, ids=[re.sub(r"\W+", "-", v[:30]) for v in VOCI])
def test_ogni_riferimento_e_citato_e_dice_che_cosa_leggere(voce):
    fonti = set(COLLEGAMENTO.findall(voce))
    citanti = {int(p.name[:2]) for p in NOTEBOOK if fonti & citate(p)}
    detti = {int(n) for n in re.findall(r"\(chapters/(\d\d)-", voce)}
    assert citanti, "nessun capitolo la cita"
    assert detti <= citanti, f"la voce nomina i capitoli {sorted(detti - citanti)}, che non la citano"
    spiegazione = re.sub(r"\[[^]]*\]\([^)]*\)|\*[^*]+\*", "", voce)
    assert len(re.findall(r"\w{2,}", spiegazione)) > 8, "manca una riga su che cosa leggere"


@ogni_notebook
def test_il_codice_gira_ovunque(percorso):
    for cella in celle(percorso, "code")[1:]:  # la preparazione ha la sua prova
        trovati = cerca(VIETATO_NEL_CODICE, sorgente(cella))
        assert not trovati, f"{cella['id']}: {trovati}"


@ogni_notebook
def test_le_uscite_non_dicono_dove_sono_nate(percorso):
    for cella in celle(percorso, "code"):
        for uscita in cella["outputs"]:
            visibile = dict(uscita, data={m: d for m, d in uscita.get("data", {}).items()
                                          if not m.startswith("image/")})
            scritto = json.dumps(visibile, ensure_ascii=False)
            assert not re.search(r"\b0x[0-9a-f]{6,}", scritto), f"{cella['id']}: un indirizzo di memoria"
            assert not re.search(r"/home/|/root/|/Users/|/tmp/|[A-Z]:\\\\Users", scritto), f"{cella['id']}: un percorso"
            assert uscita.get("name") != "stderr", f"{cella['id']}: un avviso"
            assert not re.search(r"<script|src=|@import", scritto), f"{cella['id']}: codice o file esterni"


@ogni_notebook
def test_le_figure_hanno_parole(percorso):
    for cella in celle(percorso, "code"):
        for mime, uscita in immagini(cella):
            immagine = cella["metadata"]["mystnb"]["image"]
            alt = immagine["alt"]
            assert uscita["metadata"][mime]["alt"] == alt
            assert "".join(uscita["data"]["text/plain"]) == f"<Figura: {alt}>"
            assert "hide-input" in cella["metadata"]["tags"]
            assert not re.search(r"\.(png|svg|jpe?g)\b|[/\\_]", alt), f"{cella['id']}: un nome di file"
            parole = re.findall(r"\w+", alt.lower())
            assert len(parole) >= 5 and alt[0].isupper() and alt.endswith("."), f"{cella['id']}: non è una frase"
            assert len(PAROLE_ITALIANE & set(parole)) >= 2, f"{cella['id']}: non sembra italiano"


@ogni_notebook
def test_le_figure_sono_nitide(percorso):
    for cella in celle(percorso, "code"):
        for mime, uscita in immagini(cella):
            assert mime == "image/png"
            larghezza = uscita["metadata"][mime]["width"]
            assert cella["metadata"]["mystnb"]["image"]["width"] == f"{larghezza}px"
            punti, = struct.unpack(">I", base64.b64decode(uscita["data"][mime])[16:20])
            assert punti == pytest.approx(2 * larghezza, abs=2), f"{cella['id']}: {punti} punti per {larghezza} px"


@ogni_notebook
def test_cio_che_nbval_non_guarda_e_asserito(percorso):
    codice = celle(percorso, "code")
    for i, cella in enumerate(codice):
        vicine = "\n".join(map(sorgente, codice[max(i - 1, 0):i + 2]))
        if immagini(cella):
            assert "assert" in vicine, f"{cella['id']}: nessun assert accanto alla figura"
        if "nbval-ignore-output" in cella["metadata"].get("tags", []):
            seguenti = "\n".join(map(sorgente, codice[i:i + 2]))
            assert "assert" in seguenti, f"{cella['id']}: nessun assert dopo un'uscita non confrontata"


def chiamate_a_check(albero):
    return [n for n in ast.walk(albero)
            if isinstance(n, ast.Call) and getattr(n.func, "id", None) == "check" and len(n.args) == 2]


@ogni_capitolo
def test_gli_abbozzi_sono_da_completare(percorso):
    definite, esercizi = {}, 0
    for cella in celle(percorso, "code"):
        albero = ast.parse(sorgente(cella))
        definite.update({n.name: n for n in ast.walk(albero) if isinstance(n, ast.FunctionDef)})
        for chiamata in chiamate_a_check(albero):
            esercizi += 1
            numero = chiamata.args[0].value
            funzione = definite[chiamata.args[1].id]
            assert ast.get_docstring(funzione), f"{numero}: l'abbozzo non ha docstring"
            assert any(isinstance(n, ast.Raise) and "NotImplementedError" in ast.unparse(n)
                       for n in funzione.body), f"{numero}: l'abbozzo non solleva NotImplementedError"
            mostrato = "".join("".join(u["data"]["text/plain"]) for u in cella["outputs"]).lower()
            assert "da completare" in mostrato, f"{numero}: l'uscita pubblicata è di una risposta"
    assert esercizi >= 4


@pytest.mark.parametrize("markdown", [
    "```{note}\nx\n```", ":::{tip}", "vedi {cite}`vaswani`", "(punto)=", "<a id='qui'></a>",
    "[x](02-query.ipynb#parte)", "![alt text](images/x.png)", "<img src='x'>"])
def test_la_regola_riconosce_il_markdown_non_portabile(markdown):
    assert cerca(NON_PORTABILE, markdown)


@pytest.mark.parametrize("markdown", [
    "```python\nx = {1}\n```", r"$\sqrt{d_k}$ e `x`", r"$\mathbb{R}^{T}$, `T`", "[x](02-query.ipynb)", "[y](#qui)",
    "[z](https://esempio.it/a.html#b)", "> **Precisazione.** x",
    "<details><summary>Aiuto</summary>\n\nx\n\n</details>"])
def test_la_regola_accetta_il_markdown_portabile(markdown):
    assert not cerca(NON_PORTABILE, markdown)


# --- nbval morde ---------------------------------------------------------------------------


def cella_di_codice(nome, sorgente, uscite=(), numero=1):
    return {"cell_type": "code", "id": nome, "metadata": {}, "source": [sorgente],
            "execution_count": numero, "outputs": list(uscite)}


def stampato(testo):
    return {"output_type": "stream", "name": "stdout", "text": [testo]}


def esegui_nbval(cartella, **copie):
    """Scrive le copie, le passa a nbval, e restituisce le celle passate e quelle fallite."""
    for nome, nb in copie.items():
        (cartella / f"{nome}.ipynb").write_text(notebook.in_testo(nb), encoding="utf-8")
    (cartella / "pytest.ini").write_text("[pytest]\n")
    corsa = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-q", "-rfEp", "--color=no", "-p", "no:cacheprovider",
         *(f"{nome}.ipynb" for nome in copie)],
        cwd=cartella, capture_output=True, text=True, encoding="utf-8", timeout=300)
    esiti = re.findall(r"^(PASSED|FAILED|ERROR) (\w+)\.ipynb::Cell (\d+)", corsa.stdout, re.M)
    passate = {(nome, int(n)) for esito, nome, n in esiti if esito == "PASSED"}
    fallite = {(nome, int(n)) for esito, nome, n in esiti if esito != "PASSED"}
    assert passate or fallite, corsa.stdout + corsa.stderr
    assert corsa.returncode == (1 if fallite else 0), corsa.stdout
    return passate, fallite


def test_nbval_morde(tmp_path):
    risultato = {"output_type": "execute_result", "execution_count": 2, "metadata": {},
                 "data": {"text/plain": ["0.333"]}}
    intatto = notebook.normalizza({"cells": [
        cella_di_codice("stampa", "print(f'{2 / 3:.3f}')", [stampato("0.667\n")], 1),
        cella_di_codice("risultato", "round(1 / 3, 3)", [risultato], 2),
        cella_di_codice("silenzio", "x = 1", (), 3)]})
    cifra, perso, aggiunto = copy.deepcopy(intatto), copy.deepcopy(intatto), copy.deepcopy(intatto)
    cifra["cells"][0]["outputs"][0]["text"] = ["0.668\n"]
    perso["cells"][1]["outputs"] = []
    aggiunto["cells"][2]["outputs"] = [stampato("in più\n")]
    passate, fallite = esegui_nbval(tmp_path, intatto=intatto, cifra=cifra, perso=perso, aggiunto=aggiunto)
    assert fallite == {("cifra", 0), ("perso", 1), ("aggiunto", 2)}
    assert {("intatto", n) for n in range(3)} <= passate


def test_nbval_morde_su_un_capitolo_vero(tmp_path):
    nb = notebook.leggi(CAPITOLI[0])
    # La prima cella che stampa un numero; ciò che viene dopo non serve alla prova.
    quale = next(i for i, c in enumerate(nb["cells"]) for u in c.get("outputs", [])
                 if u.get("name") == "stdout" and re.search(r"\d", "".join(u["text"]))
                 and "nbval-ignore-output" not in c["metadata"].get("tags", []))
    nb["cells"] = nb["cells"][:quale + 1]
    numero = sum(c["cell_type"] == "code" for c in nb["cells"]) - 1
    alterato = copy.deepcopy(nb)
    uscita = next(u for u in alterato["cells"][quale]["outputs"] if u.get("name") == "stdout")
    scritto = "".join(uscita["text"])
    uscita["text"] = re.sub(r"\d", lambda cifra: str((int(cifra[0]) + 1) % 10), scritto, count=1)
    passate, fallite = esegui_nbval(tmp_path, intatto=nb, alterato=alterato)
    assert fallite == {("alterato", numero)}
    assert passate == {("intatto", n) for n in range(numero + 1)} | {("alterato", n) for n in range(numero)}


@ogni_notebook
def test_il_codice_sta_nella_colonna(percorso):
    """Una riga più larga della colonna si legge solo scorrendo di lato."""
    for cella in celle(percorso, "code"):
        if cella["id"] != "preparazione":
            assert [riga for riga in sorgente(cella).splitlines() if len(riga) > 80] == [], cella["id"]
