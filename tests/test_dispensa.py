"""La dispensa: tutti gli esercizi, nessuna soluzione, e notebook che girano."""

import ast
import contextlib
import io

import dispensa
import notebook
import pytest
from attnkit.exercises import EXERCISES
from nomi import nomi_di

CAPITOLI = sorted(dispensa.CAPITOLI.glob("[0-9][0-9]-*.ipynb"))


def numeri_di(capitolo):
    return [numero for numero in EXERCISES if numero.split(".")[0] == str(int(capitolo.name[:2]))]


def tutto(nb):
    return "\n".join(dispensa.testo(cella) for cella in nb["cells"])


@pytest.mark.parametrize("capitolo", CAPITOLI, ids=lambda c: c.stem)
def test_ci_sono_tutti_gli_esercizi_interi(capitolo):
    nb = dispensa.compito(capitolo)
    scritto = tutto(nb)
    for numero in numeri_di(capitolo):
        assert f"### Esercizio {numero}" in scritto and f'check("{numero}"' in scritto
    abbozzi = [cella for cella in nb["cells"] if cella["id"].endswith("-tu")]
    assert len(abbozzi) == len(numeri_di(capitolo)) and all("raise NotImplementedError" in dispensa.testo(cella) for cella in abbozzi)
    assert "<details>" not in scritto and "<details>" in tutto(dispensa.compito(capitolo, suggerimenti=True))
    assert not any(cella.get("outputs") for cella in nb["cells"])


def frasi_della_soluzione(capitolo):
    """Ciò che solo la soluzione dice: le righe del suo codice, lunghe abbastanza, che il capitolo non ha, e i suoi paragrafi."""
    svolte = notebook.leggi(dispensa.SOLUZIONI / capitolo.name)
    del_capitolo = tutto(notebook.leggi(capitolo))
    for cella in svolte["cells"]:
        if cella["id"].startswith("es-"):
            for riga in dispensa.testo(cella).splitlines():
                riga = riga.strip()
                if len(riga) > 30 and riga not in del_capitolo:
                    yield riga


@pytest.mark.parametrize("capitolo", CAPITOLI, ids=lambda c: c.stem)
def test_nessuna_soluzione_arriva_agli_studenti(capitolo):
    segrete = list(frasi_della_soluzione(capitolo))
    assert len(segrete) > 10
    studente = tutto(dispensa.compito(capitolo, suggerimenti=True))
    assert [riga for riga in segrete if riga in studente] == []
    docente = tutto(dispensa.compito(capitolo, soluzioni=True))
    assert all(riga in docente for riga in segrete)


@pytest.mark.parametrize("capitolo", CAPITOLI, ids=lambda c: c.stem)
def test_le_celle_bastano_a_se_stesse(capitolo):
    """Ogni nome che una cella usa è definito prima, nella stessa dispensa."""
    noti = set()
    for cella in dispensa.compito(capitolo)["cells"]:
        if cella["cell_type"] == "code" and cella["id"] != "preparazione":
            usati, definiti = nomi_di(dispensa.testo(cella))
            assert usati - noti - {"display"} == set(), cella["id"]
            noti |= definiti


@pytest.mark.parametrize("capitolo", [CAPITOLI[1], CAPITOLI[3], CAPITOLI[9]], ids=lambda c: c.stem)
def test_la_dispensa_gira_e_dice_che_manca_la_risposta(capitolo):
    nomi, detti = {"display": print}, []
    for cella in dispensa.compito(capitolo)["cells"]:
        if cella["cell_type"] != "code" or cella["id"] == "preparazione":
            continue
        albero = ast.parse(dispensa.testo(cella))
        ultima = albero.body.pop() if isinstance(albero.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(albero, cella["id"], "exec"), nomi)
            valore = eval(compile(ast.Expression(ultima.value), cella["id"], "eval"), nomi) if ultima else None
        if cella["id"].endswith("-controllo"):
            detti.append(valore.status)
    assert detti == ["da completare"] * len(numeri_di(capitolo))
