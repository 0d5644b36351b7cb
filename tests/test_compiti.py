"""I compiti di nbgrader: soluzioni fra i segni, punti, e prove che accettano solo la risposta giusta."""

import re

import compiti
import pytest
from attnkit.exercises import EXERCISES
from compiti import CAPITOLI, FINE, INIZIO, compito
from notebook import leggi, unito

NOMI = sorted(p.name for p in CAPITOLI.glob("*.ipynb"))
REGIONE = re.compile(rf"( *){INIZIO}\n.*?{FINE}", re.S)


def celle(nome):
    return compito(leggi(CAPITOLI / nome), leggi(CAPITOLI / "soluzioni" / nome))["cells"]


def come_lo_studente(testo):
    """Ciò che fa «nbgrader generate_assignment» con una regione di soluzione."""
    return REGIONE.sub(r"\1raise NotImplementedError", testo)


@pytest.mark.parametrize("nome", NOMI)
def test_le_celle_di_nbgrader(nome):
    segnate = [c for c in celle(nome) if "nbgrader" in c["metadata"]]
    segni = [c["metadata"]["nbgrader"] for c in segnate]
    identificativi = [s["grade_id"] for s in segni]
    assert len(set(identificativi)) == len(identificativi)
    attesi = [e for e in EXERCISES.values() if int(e.id.split(".")[0]) == int(nome[:2])]
    assert sum(s["points"] for s in segni if s["grade"]) == sum(e.stars for e in attesi)
    assert sum(s["solution"] for s in segni) == sum(s["grade"] for s in segni) == len(attesi)
    for cella, segno in zip(segnate, segni, strict=True):
        assert set(segno) == {"cell_type", "grade", "grade_id", "locked", "schema_version", "solution", "task"} | (
            {"points"} if segno["grade"] else set())
        assert segno["grade"] == segno["locked"] != segno["solution"]
        assert (INIZIO in unito(cella["source"])) == segno["solution"]


@pytest.mark.parametrize("nome", NOMI)
def test_senza_le_soluzioni_resta_il_capitolo(nome):
    """La versione degli studenti ha gli stessi abbozzi del capitolo: nessuna riga di una soluzione ci resta."""
    prima = {c["id"]: unito(c["source"]) for c in leggi(CAPITOLI / nome)["cells"]}
    for cella in celle(nome):
        assert not cella.get("outputs")
        testo = come_lo_studente(unito(cella["source"]))
        if not cella["id"].endswith("-controllo"):
            assert testo == prima[cella["id"]], cella["id"]


@pytest.mark.parametrize("nome", NOMI)
def test_le_prove_accettano_la_soluzione_e_rifiutano_l_abbozzo(nome):
    """Sui nomi che le soluzioni importano; che il capitolo li abbia tutti lo controlla già `compito`."""
    spazio = {}
    for cella in leggi(CAPITOLI / "soluzioni" / nome)["cells"]:
        if cella["cell_type"] == "code" and not cella["id"].startswith("es-"):
            exec(unito(cella["source"]), spazio)
    for cella in (c for c in celle(nome) if "nbgrader" in c["metadata"]):
        testo = unito(cella["source"])
        if cella["metadata"]["nbgrader"]["solution"]:
            abbozzo = come_lo_studente(testo)
            risposta = testo
        else:
            exec(abbozzo, spazio)
            with pytest.raises(AssertionError):
                exec(testo, spazio)
            exec(risposta, spazio)
            exec(testo, spazio)


def test_una_soluzione_che_usa_un_nome_ignoto_si_vede():
    sorgente = 'def f():\n    return nessuno\n\n\ncheck("1.1", f)'
    with pytest.raises(ValueError, match="nessuno"):
        compiti.corpo_della_soluzione(sorgente, "f", set(), {})
    assert compiti.corpo_della_soluzione(sorgente, "f", set(), {"nessuno": "import nessuno"}) == "import nessuno\nreturn nessuno"


def test_un_capitolo_che_non_c_e(tmp_path, capsys):
    assert compiti.main(["99", "--cartella", str(tmp_path)]) == 1
    assert "99" in capsys.readouterr().err and not list(tmp_path.iterdir())
