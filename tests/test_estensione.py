"""L'estensione del sito, un modulo per volta: indirizzi, riquadri, apostrofi, tabelle, immagini."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docutils import nodes
from docutils.utils import new_document

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_ext"))

from sito_corso import anteprima, data, figure, repository, riquadri, tabelle, tipografia  # noqa: E402

VERO = repository.Repository("https://github.com/nome/corso")
PROVVISORIO = repository.Repository("https://github.com/-da-impostare-/self-attention-transformer")
SU_GITLAB = repository.Repository("https://gitlab.com/gruppo/corso")


def applica(trasformazione, *figli, **attributi):
    """Un documento con quei nodi, dopo la trasformazione."""
    documento = new_document("prova")
    documento += figli
    istanza = trasformazione(documento)
    for nome, valore in attributi.items():
        setattr(istanza, nome, valore)
    istanza.apply()
    return documento


def paragrafo(*figli):
    return nodes.paragraph("", "", *figli)


# Gli indirizzi ---------------------------------------------------------------------------------------------


def test_colab_apre_il_notebook_del_ramo_giusto():
    assert VERO.colab_per("chapters/01-panoramica") == (
        "https://colab.research.google.com/github/nome/corso/blob/main/chapters/01-panoramica.ipynb")
    altro_ramo = repository.Repository("https://github.com/nome/corso", ramo="bozza/due")
    assert "/blob/bozza%2Fdue/" in altro_ramo.colab_per("chapters/01-panoramica")


@pytest.mark.parametrize("luogo, pubblicato, colab", [
    (VERO, True, True),
    (PROVVISORIO, False, False),
    (SU_GITLAB, True, False),  # Colab legge soltanto da GitHub
    (repository.Repository(""), False, False),
])
def test_si_mostra_solo_cio_che_porta_da_qualche_parte(luogo, pubblicato, colab):
    assert luogo.pubblicato is pubblicato
    assert (luogo.risolvi("repository:") is not None) is pubblicato
    assert (luogo.risolvi("colab:chapters/01-panoramica") is not None) is colab


def test_un_file_del_repository():
    assert VERO.risolvi("repository:README.md") == "https://github.com/nome/corso/blob/main/README.md"


@pytest.mark.parametrize("url, sito, radice", [
    ("https://github.com/nome/corso", "https://nome.github.io/corso/", "/corso/"),
    ("https://github.com/Nome/Corso", "https://nome.github.io/Corso/", "/Corso/"),
    ("https://github.com/nome/nome.github.io", "https://nome.github.io/", "/"),
    ("https://github.com/Nome/Nome.github.io", "https://nome.github.io/", "/"),
    (PROVVISORIO.url, None, "/"),
    (SU_GITLAB.url, None, "/"),  # lì l'indirizzo del sito non si ricava da quello del repository
])
def test_dove_stara_il_sito(url, sito, radice):
    luogo = repository.Repository(url)
    assert (luogo.sito, luogo.radice) == (sito, radice)


class Configurazione:
    def __init__(self, luogo):
        self.repository_del_corso = luogo


def pagina_con_collegamenti(luogo, monkeypatch):
    monkeypatch.setattr(repository.Collegamenti, "config", Configurazione(luogo), raising=False)
    collegamento = nodes.reference("", "Colab", refuri="colab:chapters/01-panoramica")
    casella_a = nodes.container("", paragrafo(nodes.Text("pubblicato")), classes=["se-pubblicato"])
    casella_b = nodes.container("", paragrafo(nodes.Text("provvisorio")), classes=["se-provvisorio"])
    return applica(repository.Collegamenti, paragrafo(collegamento),
                   nodes.container("", casella_a), nodes.container("", casella_b))


def test_da_pubblicato_il_collegamento_porta_a_colab(monkeypatch):
    pagina = pagina_con_collegamenti(VERO, monkeypatch)
    assert next(pagina.findall(nodes.reference))["refuri"].startswith("https://colab.research.google.com/github/")
    assert "provvisorio" not in pagina.astext() and "pubblicato" in pagina.astext()


def test_da_provvisorio_resta_il_testo_e_nessuna_casella_vuota(monkeypatch):
    pagina = pagina_con_collegamenti(PROVVISORIO, monkeypatch)
    assert not list(pagina.findall(nodes.reference))
    assert "Colab" in pagina.astext() and "provvisorio" in pagina.astext()
    assert "pubblicato" not in pagina.astext().split()
    assert len(pagina.children) == 2, "con la casella deve sparire anche il contenitore che la teneva"


# I riquadri ------------------------------------------------------------------------------------------------


def test_una_citazione_col_titolo_diventa_un_riquadro():
    inizio = nodes.strong("", "Precisazione.")
    # Il lettore di Markdown lascia davvero quel testo vuoto.
    citazione = nodes.block_quote("", paragrafo(nodes.Text(""), inizio, nodes.Text(" Un peso non spiega.")))
    applica(riquadri.Riquadri, citazione)
    assert citazione["classes"] == ["riquadro", "riquadro-precisazione"]
    assert "riquadro-titolo" in inizio["classes"]


@pytest.mark.parametrize("figli", [
    (nodes.Text("la gatta insegue il topo"),),
    (nodes.Text("un "), nodes.strong("", "peso")),
])
def test_le_altre_citazioni_restano_citazioni(figli):
    citazione = nodes.block_quote("", paragrafo(*figli))
    applica(riquadri.Riquadri, citazione)
    assert citazione["classes"] == []


# La punteggiatura dopo una formula ---------------------------------------------------------------------------

def test_la_virgola_resta_accanto_alla_sua_formula():
    (nodo,) = applica(tipografia.Punteggiatura, paragrafo(nodes.math("", "d_k"), nodes.Text(", e poi")))
    insieme, resto = nodo.children
    assert insieme["classes"] == ["formula-e-segno"] and insieme.astext() == "d_k," and resto.astext() == " e poi"


def test_un_segno_uguale_scritto_prima_resta_al_suo_posto():
    riga = paragrafo(nodes.emphasis("", "chiave"), nodes.Text("; "), nodes.math("", "K"), nodes.Text("; "),
                     nodes.emphasis("", "capitolo 2"))
    (nodo,) = applica(tipografia.Punteggiatura, riga)
    assert nodo.astext() == "chiave; K; capitolo 2"


@pytest.mark.parametrize("formula, seguito", [("d_k", " e poi"), ("x + " * 20, ", e poi")])
def test_una_formula_lunga_o_senza_segni_resta_com_era(formula, seguito):
    (nodo,) = applica(tipografia.Punteggiatura, paragrafo(nodes.math("", formula), nodes.Text(seguito)))
    assert [type(figlio) for figlio in nodo.children] == [nodes.math, nodes.Text]


# Gli apostrofi ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prima, dopo", [
    ("l'attenzione", "l’attenzione"),
    ("un po' di Python", "un po’ di Python"),
    ("dov'è? C'è", "dov’è? C’è"),
    ("nessuno", "nessuno"),
    (" -- ", " – "),                              # fra un argomento e la sua descrizione
    ("float -- l'area", "float – l’area"),
])
def test_l_apostrofo_italiano(prima, dopo):
    assert applica(tipografia.Apostrofi, paragrafo(nodes.Text(prima))).astext() == dopo


@pytest.mark.parametrize("nodo", [
    nodes.literal("", "l'indice"),
    nodes.literal_block("", "f'{x}'"),
    nodes.math("", "f'(x)"),
    nodes.container("", nodes.paragraph("", "l'uscita"), classes=["cell_output"]),
])
def test_codice_formule_e_uscite_non_si_toccano(nodo):
    assert "'" in applica(tipografia.Apostrofi, nodo.deepcopy()).astext()


# Le tabelle ------------------------------------------------------------------------------------------------


def tabella(*celle_in_testa):
    colonne = [nodes.colspec(colwidth=1) for _ in celle_in_testa]
    riga = nodes.row("", *(nodes.entry("", paragrafo(nodes.Text(testo))) for testo in celle_in_testa))
    return nodes.table("", nodes.tgroup("", *colonne, nodes.thead("", riga), cols=len(colonne)))


@pytest.mark.parametrize("testata, con_righe", [(("", "peso"), True), (("token", "peso"), False)])
def test_con_l_angolo_vuoto_la_prima_colonna_intesta_le_righe(testata, con_righe):
    documento = applica(tabelle.IntestazioniDiRiga, tabella(*testata))
    assert [bool(colonna.get("stub")) for colonna in documento.findall(nodes.colspec)] == [con_righe, False]


def test_l_angolo_vuoto_non_e_un_intestazione():
    assert tabelle.ANGOLO_VUOTO.sub("<td></td>", '<th class="head text-left"><p></p></th>') == "<td></td>"
    assert tabelle.ANGOLO_VUOTO.search('<th class="head"><p>peso</p></th>') is None


# Le immagini -----------------------------------------------------------------------------------------------


@pytest.fixture
def disegno(tmp_path):
    file = tmp_path / "disegno.svg"
    file.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80"></svg>', encoding="utf-8")
    return file


def test_l_immagine_dichiara_le_sue_misure(disegno):
    etichetta = figure.con_misure('<img alt="Archi" src="../_images/a%20b.svg" />', {"a b.svg": disegno})
    assert etichetta == '<img alt="Archi" src="../_images/a%20b.svg" width="120" height="80">'


@pytest.mark.parametrize("etichetta", [
    '<img alt="Archi" src="https://altrove.it/a.svg">',
    '<img alt="Archi" src="_images/disegno.svg" width="60">',
])
def test_le_immagini_altrui_o_gia_misurate_restano_come_sono(etichetta, disegno):
    assert figure.con_misure(etichetta, {"disegno.svg": disegno}) == etichetta


# Le anteprime ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paragrafo, attesa", [
    ("Una frase sola", "Una frase sola"),
    ("Qui impari una cosa,  anzi due.\nAlla fine saprai:", "Qui impari una cosa, anzi due."),
    ("Prima. Seconda. Terza.", "Prima. Seconda. Terza."),
    ("Vale 0.5 per tutti. È tutto.", "Vale 0.5 per tutti. È tutto."),
    ("Breve. " + "Lunghissima " * 30 + "fine.", "Breve."),
    ("Lunga " * 60 + "fine. Breve.", "Lunga " * 60 + "fine."),  # una frase non si taglia mai
])
def test_la_descrizione_e_fatta_di_frasi_intere(paragrafo, attesa):
    assert anteprima.descrizione(paragrafo) == attesa


@pytest.mark.parametrize("luogo", [VERO, PROVVISORIO])
def test_indirizzo_e_immagine_ci_sono_solo_se_sono_veri(luogo):
    sito = luogo.sito
    nomi = {nome: contenuto for _, nome, contenuto in anteprima.etichette(
        "Panoramica", "Una frase.", "Il corso", sito and f"{sito}a.html", sito and sito + anteprima.IMMAGINE)}
    assert nomi["description"] == nomi["og:description"] == nomi["twitter:description"] == "Una frase."
    assert nomi["og:title"] == nomi["twitter:title"] == "Panoramica" and nomi["og:locale"] == "it_IT"
    if luogo is VERO:
        assert nomi["og:url"] == "https://nome.github.io/corso/a.html"
        assert nomi["og:image"] == "https://nome.github.io/corso/_static/anteprima.png"
        assert nomi["twitter:card"] == "summary_large_image"
    else:
        assert not {"og:url", "og:image", "og:image:alt"} & set(nomi) and nomi["twitter:card"] == "summary"


# Le date ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("giorno, attesa", [
    ("2026-11-24", "il 24 novembre 2026"), ("2026-01-01", "il 1º gennaio 2026"),
    ("2026-05-08", "l’8 maggio 2026"), ("2026-08-11", "l’11 agosto 2026"), ("2026-12-18", "il 18 dicembre 2026")])
def test_la_data_si_scrive_in_italiano(giorno, attesa):
    assert data.in_parole(datetime.date.fromisoformat(giorno)) == attesa


@pytest.fixture
def storia(tmp_path):
    """Un repository con una cartella «corso», due pagine committate in giorni diversi e una mai committata."""
    if shutil.which("git") is None:
        pytest.skip("git non c'è")

    def git(*argomenti, giorno="2026-01-01"):
        identita = {f"GIT_{chi}_{cosa}": valore for chi in ("AUTHOR", "COMMITTER")
                    for cosa, valore in (("NAME", "chi scrive"), ("EMAIL", "a@b.it"), ("DATE", f"{giorno}T12:00:00"))}
        subprocess.run(["git", *argomenti], cwd=tmp_path / "tutto", check=True, capture_output=True,
                       env={**os.environ, **identita})

    corso = tmp_path / "tutto" / "corso"
    corso.mkdir(parents=True)
    git("init", "-q")
    for giorno, *nomi in (("2026-01-10", "a.md", "è vecchia.md"), ("2026-02-20", "a.md")):
        for nome in nomi:
            (corso / nome).write_text(giorno, encoding="utf-8")
        git("add", ".")
        git("commit", "-qm", giorno, giorno=giorno)
    (corso / "mai.md").write_text("")
    return corso


def test_la_data_e_quella_dell_ultimo_commit(storia):
    assert data.date_dei_file(storia) == {"a.md": datetime.date(2026, 2, 20), "è vecchia.md": datetime.date(2026, 1, 10)}


def test_una_storia_tagliata_non_da_date(storia, tmp_path):
    subprocess.run(["git", "clone", "-q", "--depth", "1", storia.parent.as_uri(), "tagliata"], cwd=tmp_path, check=True,
                   capture_output=True)
    assert data.date_dei_file(tmp_path / "tagliata" / "corso") == {}


def test_senza_git_non_c_e_data(storia, tmp_path, monkeypatch):
    shutil.rmtree(storia.parent / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert data.date_dei_file(storia) == {}
    monkeypatch.setenv("PATH", "")
    assert data.date_dei_file(storia) == {}


class Ambiente:
    found_docs = {"a", "mai"}

    def doc2path(self, nome, base=True):
        return f"{nome}.md"


def test_una_pagina_si_riscrive_se_cambia_solo_la_sua_data(storia):
    class App:
        srcdir = storia

    ambiente = Ambiente()
    assert data.cerca_le_date(App, ambiente) == []
    assert ambiente.date_delle_pagine == {"a": datetime.date(2026, 2, 20), "mai": None}
    assert data.cerca_le_date(App, ambiente) == []
    ambiente.date_delle_pagine["a"] = datetime.date(2025, 1, 1)
    assert data.cerca_le_date(App, ambiente) == ["a"]
