"""Gli script dietro ai comandi: ambiente, sito, notebook, repository."""

import ast
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import ambiente
import notebook
import repository
import sito

RADICE = Path(__file__).resolve().parent.parent


def codice(nome, sorgente="", uscite=(), numero=None, **metadati):
    return {"cell_type": "code", "id": nome, "metadata": metadati, "source": sorgente,
            "execution_count": numero, "outputs": list(uscite)}


def quaderno(*celle):
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(celle)}


def flusso(nome, testo):
    return {"output_type": "stream", "name": nome, "text": testo}


def figura(alt="Una retta che sale.", **altri):
    return {"output_type": "execute_result", "execution_count": 9,
            "data": {"image/png": "iVBORw0KGgo=", "text/plain": f"<Figura: {alt}>"},
            "metadata": {"image/png": {"alt": alt, "width": 720}}, **altri}


# --- notebook.py: la forma normale ----------------------------------------------------------


def test_la_forma_normale_e_minima_e_stabile():
    disordinato = quaderno(
        {"cell_type": "markdown", "id": "titolo", "metadata": {"editable": True}, "source": "# T\n\ntesto\n"},
        codice("prima", "x\n", [flusso("stdout", "a\n"), flusso("stdout", "b\n")], 7,
               execution={"iopub.status.busy": "2020-01-01"}, collapsed=False, tags=["hide-input"]),
        codice("seconda", ["y\n", "z"], [figura()], 12, scrolled=True))
    disordinato["metadata"] = {"language_info": {"name": "python", "version": "3.11.7"}, "widgets": {}}
    prima = copy.deepcopy(disordinato)
    nb = notebook.normalizza(disordinato)

    assert disordinato == prima
    assert notebook.normalizza(nb) == nb
    assert nb["metadata"] == notebook.METADATI
    assert [c["metadata"] for c in nb["cells"]] == [
        {}, {"tags": ["hide-input"]},
        {"mystnb": {"image": {"alt": "Una retta che sale.", "width": "720px"}}}]
    assert [c.get("execution_count") for c in nb["cells"]] == [None, 1, 2]
    assert nb["cells"][1]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]}]
    assert nb["cells"][2]["outputs"][0]["execution_count"] == 2
    assert nb["cells"][0]["source"] == ["# T\n", "\n", "testo"]

    scritto = notebook.in_testo(nb)
    assert json.loads(scritto) == nb
    assert scritto.endswith("}\n") and '\n "cells"' in scritto


def test_la_forma_normale_e_quella_di_nbformat():
    nbformat = pytest.importorskip("nbformat")
    nb = notebook.normalizza(quaderno(codice("è", "«à»\n1", [figura()], 1)))
    nb["cells"][0]["id"] = "una-cella"
    assert nbformat.writes(nbformat.from_dict(nb)) + "\n" == notebook.in_testo(nb)


def test_una_figura_tolta_porta_via_il_suo_testo():
    vecchia = {"image": {"alt": "Una figura di prima.", "width": "720px"}}
    eseguita = notebook.normalizza(quaderno(codice("c", "x", [], 1, mystnb=vecchia)))
    da_eseguire = notebook.normalizza(quaderno(codice("c", "x", [], None, mystnb=vecchia)))
    assert eseguita["cells"][0]["metadata"] == {}
    assert da_eseguire["cells"][0]["metadata"] == {"mystnb": vecchia}


def test_una_barra_che_si_cancella_sparisce():
    barra = [flusso("stderr", testo) for testo in ("\r 50%|##  | 1/2", "\r100%|####| 2/2", "\r          \r")]
    nb = notebook.normalizza(quaderno(codice("barra", "x", barra, 1, tags=["nbval-ignore-output"])))
    assert nb["cells"][0]["outputs"] == []
    with pytest.raises(notebook.ErroreNotebook, match="«barra».*nbval-ignore-output"):
        notebook.normalizza(quaderno(codice("barra", "x", barra, 1)))


def test_le_righe_divise_da_una_barra_si_riuniscono():
    uscite = [flusso("stdout", "uno\n"), flusso("stderr", "\r 50%|##  | 1/2\r          \r"), flusso("stdout", "due\n")]
    nb = notebook.normalizza(quaderno(codice("barra", "x", uscite, 1, tags=["nbval-ignore-output"])))
    assert nb["cells"][0]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["uno\n", "due\n"]}]


def test_un_avviso_non_si_pubblica():
    avviso = [flusso("stderr", "UserWarning: attento")]
    for etichette in ([], ["nbval-ignore-output"]):
        with pytest.raises(notebook.ErroreNotebook, match="(?s)«avviso».*attento"):
            notebook.normalizza(quaderno(codice("avviso", "x", avviso, 1, tags=etichette)))
    voluto = notebook.normalizza(quaderno(codice("avviso", "x", avviso, 1, tags=["raises-exception"])))
    assert voluto["cells"][0]["outputs"][0]["text"] == ["UserWarning: attento"]


def test_un_errore_voluto_non_mostra_percorsi():
    errore = {"output_type": "error", "ename": "ValueError", "evalue": "no",
              "traceback": ["\x1b[31mFile /home/qualcuno/x.py\x1b[0m", "ValueError: no"]}
    nb = notebook.normalizza(quaderno(codice("e", "x", [errore], 1, tags=["raises-exception"])))
    assert nb["cells"][0]["outputs"][0]["traceback"] == ["ValueError: no"]


@pytest.mark.parametrize("nb, atteso", [
    (quaderno(codice("", "x")), "numero 1 non ha un id"),
    (quaderno(codice("due", "x", [figura(), figura()], 1)), "«due» ha 2 figure"),
])
def test_cio_che_deve_decidere_l_autore(nb, atteso):
    with pytest.raises(notebook.ErroreNotebook, match=atteso):
        notebook.normalizza(nb)


def test_verifica_e_solo_normalizza(tmp_path, capsys):
    file = tmp_path / "n.ipynb"
    file.write_text(json.dumps(quaderno(codice("uno", "1\n", [], 5))), encoding="utf-8")
    prima = file.read_bytes()
    assert notebook.main(["--verifica", str(file)]) == 1
    assert "make notebook" in capsys.readouterr().err
    assert file.read_bytes() == prima
    assert notebook.main(["--solo-normalizza", str(file)]) == 0
    assert notebook.main(["--verifica", str(file)]) == 0
    assert json.loads(file.read_bytes())["cells"][0]["execution_count"] == 1
    file.write_text("{", encoding="utf-8")
    assert notebook.main(["--verifica", str(file)]) == 1
    assert "JSON" in capsys.readouterr().err


FIGURA = """
import io, matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
class Figura:
    def _repr_mimebundle_(self, include=None, exclude=None):
        disegno, assi = plt.subplots(figsize=(2, 1))
        assi.plot([1, 3, 2])
        memoria = io.BytesIO()
        disegno.savefig(memoria, format="png")
        dati = {"image/png": memoria.getvalue(), "text/plain": "<Figura: x>"}
        return dati, {"image/png": {"alt": "Una retta.", "width": 200}}
Figura()
"""


def test_eseguire_due_volte_da_gli_stessi_byte(tmp_path):
    file = tmp_path / "n.ipynb"
    celle = [codice("cartella", "import os; print(os.getcwd() == %r)" % os.path.realpath(tmp_path)),
             codice("stampe", "import sys\nfor i in range(9):\n    print(i); sys.stdout.flush()"),
             codice("figura", FIGURA, tags=["hide-input"])]
    file.write_text(json.dumps(quaderno(*celle)), encoding="utf-8")
    assert notebook.main([str(file)]) == 0
    prima = file.read_bytes()
    assert notebook.main([str(file)]) == 0
    assert file.read_bytes() == prima
    eseguite = json.loads(prima)["cells"]
    assert eseguite[0]["outputs"][0]["text"] == ["True\n"]
    assert eseguite[1]["outputs"][0]["text"] == [f"{i}\n" for i in range(9)]
    assert eseguite[2]["metadata"]["mystnb"]["image"] == {"alt": "Una retta.", "width": "200px"}


def test_un_notebook_che_fallisce_resta_com_era(tmp_path, capsys):
    file = tmp_path / "n.ipynb"
    file.write_text(json.dumps(quaderno(codice("rotta", "1 / 0"))), encoding="utf-8")
    prima = file.read_bytes()
    assert notebook.main([str(file)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert file.read_bytes() == prima


# --- repository.py: l'indirizzo -------------------------------------------------------------


@pytest.mark.parametrize("url, pulito", [
    ("https://github.com/nome/repo", "https://github.com/nome/repo"),
    (" https://github.com/Nome-2/il.mio_repo.git/ ", "https://github.com/Nome-2/il.mio_repo"),
    ("https://gitlab.com/gruppo/sotto/repo/", "https://gitlab.com/gruppo/sotto/repo"),
    (repository.PROVVISORIO, repository.PROVVISORIO),
])
def test_gli_indirizzi_buoni(url, pulito):
    assert repository.valida(url) == pulito


@pytest.mark.parametrize("url", [
    "", "nome/repo", "http://github.com/nome/repo", "git@github.com:nome/repo.git", "ssh://git@github.com/nome/repo",
    "https://github.com/nome", "https://github.com/nome/repo/tree/main", "https://github.com/-nome/repo",
    "https://github.com/nome-/repo", "https://utente:segreto@github.com/nome/repo", "https://github.com/nome/..",
    "https://github.com/nome/re po", "https://github.com/nome/repo?x=1", "https://github.com/nome/repo#x",
    'https://github.com/nome/re"po', "https://github.com/nome/repo\nimport os", "https://localhost/nome/repo"])
def test_gli_indirizzi_cattivi(url):
    with pytest.raises(ValueError, match="mi aspetto la forma"):
        repository.valida(url)


def test_il_proprietario_provvisorio_non_puo_esistere():
    # GitHub non accetta nomi che cominciano o finiscono con un trattino.
    account = repository.PROVVISORIO.split("/")[3]
    with pytest.raises(ValueError):
        repository.valida(f"https://github.com/{account}/altro")


CONFIGURAZIONE = """\
title: Corso
html:
  url: https://altro.esempio.it/a/b
repository:
  # dove sta il corso
  url: {}  # provvisorio
  branch: main

sphinx:
  config:
    language: it
"""


@pytest.mark.parametrize("scritto", ["https://github.com/a/b", '"https://github.com/a/b"', "'https://github.com/a/b'"])
def test_cambia_l_indirizzo_e_nient_altro(scritto):
    prima = CONFIGURAZIONE.format(scritto)
    assert repository.indirizzo_in(prima) == "https://github.com/a/b"
    assert repository.con_indirizzo(prima, "https://github.com/c/d") == prima.replace("com/a/b", "com/c/d")


def test_dice_se_la_chiave_manca():
    with pytest.raises(ValueError, match="«url» sotto «repository»"):
        repository.indirizzo_in("title: x\nhtml:\n  url: https://a.it/b/c\n")
    with pytest.raises(ValueError):
        repository.indirizzo_in("repository:\n  branch: main\nhtml:\n  url: https://a.it/b/c\n")


def test_la_configurazione_vera_ha_un_indirizzo_valido():
    testo = repository.CONFIGURAZIONE.read_text(encoding="utf-8")
    assert repository.valida(repository.indirizzo_in(testo)) == repository.indirizzo_in(testo)


def test_imprime_la_cella_nei_notebook(tmp_path, monkeypatch, capsys):
    configurazione = tmp_path / "_config.yml"
    configurazione.write_text(CONFIGURAZIONE.format(repository.PROVVISORIO), encoding="utf-8")
    file = tmp_path / "n.ipynb"
    file.write_text(json.dumps(quaderno(codice("preparazione", "vecchia"), codice("altra", "x = 1"))), encoding="utf-8")
    monkeypatch.setattr(repository, "CONFIGURAZIONE", configurazione)
    monkeypatch.setattr(repository, "RADICE", tmp_path)
    monkeypatch.setattr(repository, "trova", lambda: [file])

    url = "https://github.com/nome/repo"
    assert repository.main(["--verifica"]) == 1
    assert "n.ipynb: da aggiornare" in capsys.readouterr().out
    assert repository.main([url]) == 0
    assert repository.main(["--verifica"]) == 0
    prima, altra = notebook.leggi(file)["cells"]
    assert "".join(prima["source"]) == repository.cella(url)
    assert "".join(altra["source"]) == "x = 1"
    assert repository.indirizzo_in(configurazione.read_text(encoding="utf-8")) == url

    intatti = configurazione.read_bytes(), file.read_bytes()
    assert repository.main(["https://github.com/nome"]) == 1
    assert (configurazione.read_bytes(), file.read_bytes()) == intatti

    file.write_text(json.dumps(quaderno(codice("altra", "x = 1"))), encoding="utf-8")
    assert repository.main([url]) == 1
    assert "«preparazione»" in capsys.readouterr().err


def test_la_cella_e_breve_e_ha_un_indirizzo_solo():
    testo = repository.cella("https://github.com/nome/repo")
    ast.parse(testo)
    assert testo.count("https://") == 1 and "@INDIRIZZO@" not in testo
    assert len(testo.splitlines()) <= 25 and max(map(len, testo.splitlines())) <= 120


FINTO_PIP = """
import json, os, sys
qui = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
with open(os.path.join(qui, "visto.json"), "w") as file:
    json.dump({"argomenti": sys.argv[1:], "git": os.environ.get("GIT_TERMINAL_PROMPT")}, file)
with open(os.path.join(qui, "attnkit.py"), "w") as file:
    file.write("installato = True")
"""


def test_la_cella_installa_dove_attnkit_manca(tmp_path):
    finto = tmp_path / "pip"
    finto.mkdir()
    (finto / "__init__.py").write_text("")
    (finto / "__main__.py").write_text(FINTO_PIP)
    url = "https://github.com/nome/repo"
    # -S: senza site-packages, attnkit non c'è; il pip trovato è quello finto.
    corsa = subprocess.run([sys.executable, "-S", "-c", repository.cella(url) + "\nassert attnkit.installato"],
                           env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
                           capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert (corsa.returncode, corsa.stdout, corsa.stderr) == (0, "", "")
    visto = json.loads((tmp_path / "visto.json").read_text())
    assert visto["argomenti"] == ["install", "--quiet", f"attnkit @ git+{url}"]
    assert visto["git"] == "0"


def test_un_installazione_fallita_e_una_riga_sola(tmp_path):
    """Si esegue la cella in IPython, come in un notebook, con un indirizzo che porta a un vuoto."""
    prova = tmp_path / "prova.py"
    prova.write_text(
        "import sys\nsys.modules['attnkit'] = None\n"  # come se non fosse installato
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "guscio = InteractiveShell.instance(colors='NoColor', history_length=0)\n"
        f"esito = guscio.run_cell({repository.cella(repository.PROVVISORIO)!r})\n"
        "assert not esito.success\n", encoding="utf-8")
    vuoto = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{tmp_path / 'vuoto'}.insteadOf",
             "GIT_CONFIG_VALUE_0": repository.PROVVISORIO, "IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONUTF8": "1"}
    corsa = subprocess.run([sys.executable, str(prova)], env={**os.environ, **vuoto}, cwd=tmp_path,
                           capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert corsa.returncode == 0, corsa.stderr
    righe = [r for r in (corsa.stdout + corsa.stderr).splitlines() if r.strip()]
    assert len(righe) == 1, righe
    assert righe[0].startswith("Non riesco a installare attnkit") and "make lab" in righe[0]


# --- sito.py: quando si riusa e quando no ---------------------------------------------------


@pytest.fixture
def radice(tmp_path):
    """Un corso in miniatura, già costruito una volta."""
    (tmp_path / "attnkit" / "data").mkdir(parents=True)
    (tmp_path / "attnkit" / "masks.py").write_text("a = 1")
    (tmp_path / "attnkit" / "data" / "pesi.bin").write_bytes(b"\0\1")
    for nome in ("requirements.txt", "pyproject.toml", "_config.yml", "_toc.yml"):
        (tmp_path / nome).write_text(f"{nome} 1\n")
    assert sito.pulisci_se_cambiato(tmp_path) == "tutto"
    for nome in ("html", ".doctrees", ".jupyter_cache"):
        (tmp_path / "_build" / nome).mkdir()
    return tmp_path


def rimasti(radice):
    return {p.name for p in (radice / "_build").iterdir() if p.is_dir()}


def test_se_nulla_cambia_si_riusa_tutto(radice):
    for resto in ("attnkit/__pycache__/masks.pyc", "attnkit/.DS_Store"):
        (radice / resto).parent.mkdir(exist_ok=True)
        (radice / resto).write_bytes(b"x")
    (radice / "chapters").mkdir()
    (radice / "chapters" / "01.ipynb").write_text("{}")  # dei notebook si occupa jupyter-cache
    assert sito.pulisci_se_cambiato(radice) == "niente"
    assert rimasti(radice) == {"html", ".doctrees", ".jupyter_cache"}


@pytest.mark.parametrize("file", ["attnkit/masks.py", "attnkit/data/pesi.bin", "attnkit/nuovo.py", "requirements.txt"])
def test_se_cambia_cio_che_i_notebook_usano_si_rifa_tutto(radice, file):
    (radice / file).write_bytes(b"cambiato")
    assert sito.pulisci_se_cambiato(radice) == "tutto"
    assert rimasti(radice) == set()
    assert sito.pulisci_se_cambiato(radice) == "niente"


def test_anche_un_file_tolto_o_rinominato_conta(radice):
    (radice / "attnkit" / "masks.py").rename(radice / "attnkit" / "maschere.py")
    assert sito.pulisci_se_cambiato(radice) == "tutto"
    (radice / "attnkit" / "maschere.py").unlink()
    assert sito.pulisci_se_cambiato(radice) == "tutto"


@pytest.mark.parametrize("file", ["_config.yml", "_toc.yml", "_ext/estensione.py", "_static/stile.css"])
def test_se_cambia_l_aspetto_le_uscite_restano(radice, file):
    (radice / file).parent.mkdir(exist_ok=True)
    (radice / file).write_text("cambiato")
    assert sito.pulisci_se_cambiato(radice) == "pagine"
    assert rimasti(radice) == {".jupyter_cache"}


def test_il_server_e_solo_locale(tmp_path):
    (tmp_path / "index.html").write_text("ciao")
    (tmp_path / "a.js").write_text("1")
    with sito.servi(tmp_path) as server:
        assert server.server_address[0] == "127.0.0.1"
        base = f"http://127.0.0.1:{server.server_address[1]}"
        filo = threading.Thread(target=server.serve_forever)
        filo.start()
        # Un proxy di sistema non c'entra con la macchina locale.
        apri = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        try:
            with apri(base + "/") as risposta:
                assert risposta.read() == b"ciao"
            with apri(base + "/a.js") as risposta:
                assert risposta.headers["Content-Type"] == "text/javascript"
            with pytest.raises(urllib.error.HTTPError):
                apri(base + "/../segreto")
        finally:
            server.shutdown()
            filo.join()


@pytest.mark.parametrize("radice", ["/", "/corso/"])
def test_il_server_mostra_la_pagina_404_del_sito(tmp_path, radice):
    (tmp_path / "404.html").write_text(f'<html data-content_root="{radice}">Questa pagina non c’è', encoding="utf-8")
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text("a {}")
    with sito.servi(tmp_path) as server:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        filo = threading.Thread(target=server.serve_forever)
        filo.start()
        apri = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        try:
            for smarrito in ("a/b/c", "_static/", "_static/b.css"):
                with pytest.raises(urllib.error.HTTPError) as errore:
                    apri(f"{base}/{smarrito}")
                assert errore.value.code == 404
                assert "Questa pagina non c’è" in errore.value.read().decode("utf-8")
            # I file che la pagina chiede stanno sotto la radice che il sito avrà una volta pubblicato.
            for trovato in ("/_static/a.css", radice + "_static/a.css"):
                with apri(base + trovato) as risposta:
                    assert risposta.read() == b"a {}"
        finally:
            server.shutdown()
            filo.join()


# --- ambiente.py: il timbro ------------------------------------------------------------------


@pytest.fixture
def finto(tmp_path):
    """Un ambiente finto ma completo: (cartella dell'ambiente, radice del corso)."""
    for nome in ("requirements.txt", "pyproject.toml"):
        (tmp_path / nome).write_text("torch==2.13.0  # nota\n")
    cartella = tmp_path / ".venv"
    pacchetti = cartella / ("Lib/site-packages" if ambiente.SU_WINDOWS else "lib/python3.11/site-packages")
    for nome in ("torch-2.13.0", "numpy-2.4.6"):
        (pacchetti / f"{nome}.dist-info").mkdir(parents=True)
    python = ambiente.python_di(cartella)
    python.parent.mkdir()
    python.write_text("")
    ambiente.timbra(cartella, tmp_path)
    return cartella, tmp_path


def test_un_ambiente_timbrato_e_pronto(finto, monkeypatch):
    assert ambiente.stato(*finto) == "pronto"
    monkeypatch.setattr(ambiente, "passo", lambda *a, **k: pytest.fail("non c'è nulla da installare"))
    ambiente.prepara(*finto)


def test_un_pacchetto_in_piu_non_disturba(finto):
    (next(finto[0].rglob("site-packages")) / "altro-1.0.dist-info").mkdir()
    assert ambiente.stato(*finto) == "pronto"


def test_altre_versioni_si_aggiornano(finto):
    cartella, radice = finto
    (radice / "requirements.txt").write_text("torch==2.14.0\n")
    assert ambiente.stato(cartella, radice) == "da aggiornare"


def test_gli_a_capo_di_windows_non_contano(finto):
    cartella, radice = finto
    (radice / "requirements.txt").write_bytes(b"torch==2.13.0  # nota\r\n")
    assert ambiente.stato(cartella, radice) == "pronto"


def guasta_timbro(cartella):
    (cartella / ambiente.TIMBRO).write_text('{"richieste"')


def guasta_python(cartella):
    ambiente.python_di(cartella).unlink()


def guasta_pacchetto(cartella):
    shutil.rmtree(next(cartella.rglob("numpy-*.dist-info")))


def guasta_interrotto(cartella):
    (cartella / ambiente.TIMBRO).unlink()


@pytest.mark.parametrize("guasto", [guasta_timbro, guasta_python, guasta_pacchetto, guasta_interrotto, shutil.rmtree])
def test_un_ambiente_guasto_si_rifa(finto, guasto):
    guasto(finto[0])
    assert ambiente.stato(*finto) == "da creare"


def test_una_cartella_spostata_si_rifa(finto):
    cartella, radice = finto
    spostata = radice / "altrove"
    cartella.rename(spostata)
    assert ambiente.stato(spostata, radice) == "da creare"


def test_un_altro_python_rifa(finto, monkeypatch):
    monkeypatch.setattr(ambiente.platform, "python_version", lambda: "3.99.0")
    assert ambiente.stato(*finto) == "da creare"


def test_un_aggiornamento_interrotto_non_passa_per_buono(finto, monkeypatch):
    cartella, radice = finto
    (radice / "requirements.txt").write_text("torch==2.14.0\n")

    def interrompi(*argomenti):
        raise KeyboardInterrupt

    monkeypatch.setattr(ambiente, "installa", interrompi)
    with pytest.raises(KeyboardInterrupt):
        ambiente.prepara(cartella, radice)
    assert ambiente.stato(cartella, radice) == "da creare"


@pytest.mark.parametrize("sistema, cpu_risponde, attesi", [
    ("linux", True, ["cpu", "tutto", "controllo"]),
    ("linux", False, ["cpu", "tutto", "controllo"]),
    ("darwin", True, ["tutto", "controllo"]),
    ("win32", True, ["tutto", "controllo"])])
def test_torch_per_la_cpu_solo_su_linux(finto, monkeypatch, sistema, cpu_risponde, attesi):
    passi = []

    def finto_passo(titolo, comando, obbligatorio=True):
        nome = "cpu" if ambiente.INDICE_CPU in comando else "tutto" if "-r" in comando else "controllo"
        passi.append(nome)
        if nome == "cpu":
            assert comando[-1] == "torch==2.13.0" and not obbligatorio
            assert comando[comando.index("--retries") + 1] == "0"
            assert comando[comando.index("--timeout") + 1] == "10"
        return cpu_risponde

    monkeypatch.setattr(ambiente, "passo", finto_passo)
    monkeypatch.setattr(ambiente.sys, "platform", sistema)
    ambiente.installa(*finto)
    assert passi == attesi


def test_un_passo_fallito_mostra_tutto(capsys):
    fallisce = [sys.executable, "-c", "print('prima riga'); print('ultima riga'); raise SystemExit(3)"]
    with pytest.raises(ambiente.ErroreAmbiente, match="(?s)prima riga.*ultima riga"):
        ambiente.passo("Provo", fallisce)
    assert ambiente.passo("Provo", fallisce, obbligatorio=False) is False
    assert "riga" not in capsys.readouterr().out


@pytest.mark.parametrize("versione", [(2, 7, 18), (3, 9, 6), (3, 10, 13)])
def test_un_python_vecchio_e_rifiutato_per_nome(versione):
    corsa = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.version_info = {versione}\n"
         f"exec(compile(open({ambiente.__file__!r}, encoding='utf-8').read(), 'ambiente.py', 'exec'))"],
        capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert corsa.returncode == 1
    assert f"Python {versione[0]}.{versione[1]} " in corsa.stderr and "3.11" in corsa.stderr
    assert "Traceback" not in corsa.stderr


def test_ambiente_si_lascia_leggere_da_un_python_vecchio():
    sorgente = Path(ambiente.__file__).read_text(encoding="utf-8")
    ast.parse(sorgente, feature_version=(3, 7))
    assert not re.search(r"\bf['\"]", sorgente)
    importati = {n.names[0].name for n in ast.walk(ast.parse(sorgente)) if isinstance(n, ast.Import)}
    assert importati <= set(sys.stdlib_module_names)


# --- Le versioni e i comandi ------------------------------------------------------------------


def test_ogni_versione_e_fissata():
    righe = [r.split("#")[0].strip() for r in (RADICE / "requirements.txt").read_text(encoding="utf-8").splitlines()]
    righe = [r for r in righe if r]
    assert righe.pop() == "-e ."
    for riga in righe:
        pin, _, marcatore = riga.partition(" ; ")
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", pin), riga
        assert re.fullmatch(r'((python_version|sys_platform) (<|==|!=|>=) "[\w.]+")?', marcatore), riga
    nomi = [r.split("==")[0].lower() for r in righe]
    assert len(nomi) == len(set(nomi))
    assert "torch==2.13.0" in righe


def test_il_pacchetto_chiede_solo_limiti_inferiori():
    tomllib = pytest.importorskip("tomllib")
    progetto = tomllib.loads((RADICE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for richiesta in progetto["dependencies"] + sum(progetto["optional-dependencies"].values(), []):
        assert re.fullmatch(r"[a-z_]+(>=[0-9.]+)?", richiesta), richiesta


def test_make_elenca_ogni_comando():
    makefile = (RADICE / "Makefile").read_text(encoding="utf-8")
    comandi = set(re.findall(r"^([a-z]+):", makefile, re.M)) - {"aiuto", "ambiente"}
    elencati = set(re.findall(r'@echo "make ([a-z]+)', makefile))
    assert comandi == elencati
    assert set(re.findall(r"^\.PHONY: (.*)$", makefile, re.M)[0].split()) == comandi | {"aiuto", "ambiente"}
    for script in re.findall(r"strumenti/\w+\.py", makefile):
        assert (RADICE / script).exists(), script


@pytest.mark.skipif(shutil.which("make") is None, reason="make non c'è")
def test_make_da_solo_elenca_i_comandi():
    corsa = subprocess.run(["make", "--no-print-directory"], cwd=RADICE, capture_output=True, text=True, timeout=60)
    assert corsa.returncode == 0 and corsa.stdout.startswith("make sito")
