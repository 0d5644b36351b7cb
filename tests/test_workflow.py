"""I workflow di GitHub: che cosa possono fare, per quanto, con quali azioni, e se i comandi che danno esistono."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

RADICE = Path(__file__).resolve().parent.parent
FILE = sorted((RADICE / ".github" / "workflows").glob("*.yml"))
WORKFLOW = {f.name: yaml.safe_load(f.read_text(encoding="utf-8")) for f in FILE}
LAVORI = [pytest.param(nome, lavoro, id=f"{nome}:{id}") for nome, w in WORKFLOW.items() for id, lavoro in w["jobs"].items()]
# L'unico lavoro che scrive nel repository, una volta sola: l'indirizzo del corso.
SCRIVONO = {("sito.yml", "indirizzo"): {"contents": "write"}, ("sito.yml", "pubblica"): {"pages": "write", "id-token": "write"}}


def passi(lavoro):
    return lavoro["steps"]


def comandi(lavoro):
    """Ogni riga data al guscio, con i file per cui è scritta."""
    return [riga.strip() for passo in passi(lavoro) for riga in passo.get("run", "").splitlines() if riga.strip()]


def test_ci_sono_le_prove_il_sito_e_la_settimana():
    assert set(WORKFLOW) == {"test.yml", "sito.yml", "settimana.yml"}


@pytest.mark.parametrize("nome", WORKFLOW)
def test_un_workflow_parte_senza_permessi_e_uno_alla_volta(nome):
    assert WORKFLOW[nome]["permissions"] == {}
    assert {"group", "cancel-in-progress"} <= set(WORKFLOW[nome]["concurrency"])
    # YAML 1.1 legge «on» come True.
    assert "pull_request_target" not in (WORKFLOW[nome].get("on") or WORKFLOW[nome][True])


@pytest.mark.parametrize("nome, lavoro", LAVORI)
def test_ogni_lavoro_ha_un_tempo_e_i_suoi_permessi(nome, lavoro):
    assert 1 <= lavoro["timeout-minutes"] <= 90
    id = next(i for i, altro in WORKFLOW[nome]["jobs"].items() if altro is lavoro)
    assert lavoro["permissions"] == SCRIVONO.get((nome, id), {"contents": "read"})


@pytest.mark.parametrize("nome, lavoro", LAVORI)
def test_ogni_azione_e_fissata_a_un_commit_con_la_sua_versione(nome, lavoro):
    testo = (RADICE / ".github" / "workflows" / nome).read_text(encoding="utf-8")
    for passo in passi(lavoro):
        if "uses" not in passo:
            continue
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", passo["uses"]), passo["uses"]
        assert re.search(re.escape(passo["uses"]) + r" # v\d+\.\d+\.\d+\n", testo), f"{passo['uses']}: manca la versione"
        if passo["uses"].startswith("actions/checkout") and "write" not in lavoro["permissions"].values():
            assert passo["with"]["persist-credentials"] is False


def test_ogni_azione_e_fissata_allo_stesso_commit_ovunque():
    usate = {p["uses"] for w in WORKFLOW.values() for lavoro in w["jobs"].values() for p in passi(lavoro) if "uses" in p}
    assert len({u.split("@")[0] for u in usate}) == len(usate)


@pytest.mark.parametrize("nome, lavoro", LAVORI)
def test_i_comandi_dati_esistono(nome, lavoro):
    makefile = (RADICE / "Makefile").read_text(encoding="utf-8")
    for riga in comandi(lavoro):
        for bersaglio in re.findall(r"\bmake ([a-z]+)", riga):
            assert re.search(rf"^{bersaglio}:", makefile, re.M) or "a mano" in riga, riga
        for script in re.findall(r"strumenti/\w+\.py|\.ci/run", riga):
            assert (RADICE / script).exists(), riga
        # Un'espressione nel testo di un comando può contenere comandi: solo ciò che scrive chi ha in cura il corso.
        for espressione in re.findall(r"\$\{\{ *(.*?) *\}\}", riga):
            assert re.fullmatch(r"matrix\.\w+|github\.repository", espressione), riga


def test_le_prove_girano_su_ogni_python_promesso_e_su_ogni_sistema():
    promessi = re.findall(r"3\.\d+", "3.11 3.12 3.13 3.14")
    assert tomllib.loads((RADICE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"] == f">={promessi[0]}"
    lavori = WORKFLOW["test.yml"]["jobs"]
    assert lavori["linux"]["strategy"]["matrix"]["python"] == promessi
    altri = lavori["altri"]["strategy"]["matrix"]
    assert altri["python"] == [promessi[0], promessi[-1]]
    assert {i["sistema"] for i in altri["include"]} == {"macos-latest", "windows-latest"}
    assert {i["nome"] for i in altri["include"]} == set(altri["nome"])
    # Su Windows make manca: lì si danno i passi di «Senza make».
    assert not any("make" in riga for riga in comandi(lavori["altri"]))


def test_dependabot_tiene_aggiornate_azioni_e_pacchetti():
    aggiornamenti = yaml.safe_load((RADICE / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {a["package-ecosystem"] for a in aggiornamenti} == {"github-actions", "pip"}
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", riga) for riga in
               (RADICE / ".github" / "controlli.txt").read_text(encoding="utf-8").splitlines() if not riga.startswith("#"))
