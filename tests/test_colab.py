"""La cella di preparazione con un vero pip e un vero git: che cosa installa, e che cosa lascia com'era.

Qui c'è la parte svelta. «make colab» fa il resto: ogni notebook da solo, in un ambiente con altre versioni.
"""

import json
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import ambiente
import colab
import notebook
import repository
import versioni

RADICE = Path(__file__).resolve().parent.parent
PROGETTO = tomllib.loads((RADICE / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    if shutil.which("git") is None or not (RADICE / ".git").exists():
        pytest.skip("serve una copia di git del corso")
    return colab.pubblica(tmp_path_factory.mktemp("pubblicato") / "corso con spazi")


@pytest.fixture(scope="module")
def vuoto(tmp_path_factory):
    """Un ambiente dove attnkit manca. Dei pacchetti di Colab c'è solo il nome: tanto basta a pip per non toccarli.

    setuptools si copia da qui, e pip costruisce attnkit senza chiederne un altro: la prova non usa la rete.
    """
    cartella = tmp_path_factory.mktemp("colab") / "ambiente"
    subprocess.run([sys.executable, "-m", "venv", str(cartella)], check=True)
    dentro = next(cartella.rglob("site-packages"))
    for nome in ("setuptools", "wheel"):
        for file in metadata.files(nome):
            if file.parts[0] not in ("..", "__pycache__") and Path(file.locate()).is_file():
                (dentro / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), dentro / file)
    for richiesta in [*colab.DI_COLAB, "torch==2.6.0", "tqdm==4.67.1", "safetensors==0.5.3"]:
        nome, versione = richiesta.split("==")
        scheda = dentro / f"{nome}-{versione}.dist-info"
        scheda.mkdir()
        (scheda / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {nome}\nVersion: {versione}\n", encoding="utf-8")
        (scheda / "INSTALLER").write_text("pip\n", encoding="utf-8")
        (scheda / "RECORD").write_text("", encoding="utf-8")
        (dentro / nome).mkdir()
        (dentro / nome / "__init__.py").write_text("", encoding="utf-8")
    return cartella


def esegui_la_cella(vuoto, cartella, destinazione, seguito="", **altre):
    prova = cartella / "prova.py"
    prova.write_text(repository.cella(colab.INDIRIZZO) + seguito, encoding="utf-8")
    return subprocess.run(
        [str(ambiente.python_di(vuoto)), str(prova)], cwd=cartella, capture_output=True, text=True, encoding="utf-8",
        env=versioni.variabili(vuoto, **colab.con_git_verso(destinazione), PIP_NO_BUILD_ISOLATION="1", **altre), timeout=300)


def test_la_cella_aggiunge_attnkit_e_nient_altro(repo, vuoto, tmp_path):
    prima = versioni.versioni_in(vuoto)
    assert "attnkit" not in prima and prima["numpy"] == "2.0.2" != metadata.version("numpy")
    corsa = esegui_la_cella(vuoto, tmp_path, repo, "\nprint(attnkit.__file__)\n")
    assert corsa.returncode == 0, corsa.stderr
    installato = Path(corsa.stdout.strip()).parent
    assert vuoto in installato.parents, "attnkit arriva da un altro posto"
    dopo = versioni.versioni_in(vuoto)
    assert dopo.pop("attnkit").startswith(f"git+{colab.INDIRIZZO}")
    assert dopo == prima
    # Tutto ciò che il pacchetto è, dati compresi, e niente di più.
    def contenuto(base):
        return {f.relative_to(base).as_posix() for f in base.rglob("*") if f.is_file() and f.suffix != ".pyc"}
    assert contenuto(installato) == contenuto(repo / "attnkit")
    assert any(nome.startswith("data/") for nome in contenuto(installato))
    # La seconda volta la cella non installa nulla: anche senza rete.
    assert esegui_la_cella(vuoto, tmp_path, tmp_path / "nulla").returncode == 0


def test_pubblicare_scrive_l_indirizzo_in_ogni_notebook_e_non_tocca_questa_cartella(repo):
    assert repository.indirizzo_in((repo / "_config.yml").read_text(encoding="utf-8")) == colab.INDIRIZZO
    for percorso in notebook.trova():
        testo = (repo / percorso.relative_to(RADICE)).read_text(encoding="utf-8")
        assert json.dumps(f'CORSO = "{colab.INDIRIZZO}"')[1:-1] in testo, percorso.name
        assert colab.INDIRIZZO not in percorso.read_text(encoding="utf-8")


# --- Gli strumenti ----------------------------------------------------------------------------


def cella(nome, *uscite, **metadati):
    return {"id": nome, "cell_type": "code", "metadata": metadati, "outputs": list(uscite)}


def scritto(testo):
    return {"output_type": "stream", "name": "stdout", "text": [testo]}


def test_le_uscite_diverse_si_vedono():
    figura = {"output_type": "execute_result", "data": {"image/png": "a", "text/plain": "<Figura>"}}
    pubblicato = {"cells": [cella("a", scritto("0.5\n")), cella("b", scritto("3 s"), tags=["nbval-ignore-output"]), cella("c", figura)]}
    altrove = {"cells": [cella("a", scritto("0.6\n")), cella("b", scritto("4 s"), tags=["nbval-ignore-output"]),
                         cella("c", {**figura, "data": {"image/png": "b", "text/plain": "<Figura>"}})]}
    assert colab.diverse(pubblicato, pubblicato) == []
    assert colab.diverse(altrove, pubblicato) == ["a"]


def test_un_errore_conta_se_non_e_voluto():
    errore = {"output_type": "error", "ename": "ValueError", "evalue": "no"}
    nb = {"cells": [cella("voluto", errore, tags=["raises-exception"]), cella("guasto", errore)]}
    assert [nome for nome, _ in colab.errori(nb)] == ["guasto"]


def test_le_versioni_minime_sono_i_limiti_di_pyproject():
    elenco = versioni.pacchetti("minime")
    for richiesta in PROGETTO["dependencies"]:
        assert richiesta.replace(">=", "==") in elenco
    assert set(PROGETTO["dependencies"]) <= set(versioni.pacchetti("nuove"))


def test_si_prova_il_pacchetto_e_non_il_sito():
    file = versioni.prove_del_pacchetto()
    assert {f"tests/test_{m}.py" for m in ("attention", "exercises", "exercises_engine", "imports", "plots", "toy")} <= {*file}
    assert not {f"tests/test_{m}.py" for m in ("browser", "colab", "notebook", "sito", "strumenti")} & {*file}
    for prova in versioni.NON_QUI:
        nome, funzione = prova.split("::")
        assert f"def {funzione}(" in (RADICE / nome).read_text(encoding="utf-8")


def test_aggiornare_cambia_solo_le_versioni():
    testo = "# Il sito\nsphinx==7.4.7  # il tema\n\n# I conti\nnumpy==2.4.6   # nota\nA_b.c==1.0 ; sys_platform == \"win32\"\ntorch==2.13.0\n-e .\n"
    assert versioni.fermi(testo) == {"sphinx", "torch"}
    nuovo = versioni.aggiornato(testo, {"numpy": "2.5.0", "a-b-c": "1.1", "altro": "9"})
    assert nuovo == testo.replace("2.4.6", "2.5.0").replace("==1.0 ", "==1.1 ")
    vero = (RADICE / "requirements.txt").read_text(encoding="utf-8")
    assert {"jupyter-book", "sphinx-book-theme", "torch"} <= versioni.fermi(vero) and "numpy" not in versioni.fermi(vero)
    assert versioni.aggiornato(vero, {}) == vero
