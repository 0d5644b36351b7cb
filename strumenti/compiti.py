"""Prepara i capitoli come compiti di nbgrader, per chi insegna e corregge con quello.

    make compiti                                                    # tutti, in _build/nbgrader/
    python3 strumenti/ambiente.py strumenti/compiti.py 03 05        # solo questi capitoli

Scrive la versione del docente: le soluzioni stanno fra «### BEGIN SOLUTION» e «### END SOLUTION», e sono quelle di
chapters/soluzioni; ogni controllo è una prova che vale tanti punti quante le stelle dell'esercizio. La versione degli
studenti la fa poi nbgrader, che toglie le soluzioni: nella cartella scritta, «nbgrader generate_assignment 03-relevance-scoring».
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from pathlib import Path

from attnkit.exercises import EXERCISES
from nomi import nomi_di
from notebook import CAPITOLI, RADICE, in_righe, in_testo, leggi, scrivi_se_cambia, unito

USCITA = RADICE / "_build" / "nbgrader"
INIZIO, FINE, DA_FARE = "### BEGIN SOLUTION", "### END SOLUTION", "raise NotImplementedError"
CONTROLLO = re.compile(r'check\("(\d+\.\d+)", (\w+)\)')
CONFIGURAZIONE = '''"""La configurazione di nbgrader per i compiti del corso, scritta da strumenti/compiti.py."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "self-attention"
c.ExecutePreprocessor.timeout = 300    # qualche capitolo addestra un modello: la misura di nbgrader, 30 s, non basta
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
'''


def codice_di(nb: dict) -> list[tuple[str, str]]:
    return [(c["id"], unito(c["source"])) for c in nb["cells"] if c["cell_type"] == "code"]


def corpo_della_soluzione(sorgente: str, funzione: str, noti: set[str], importazioni: dict[str, str]) -> str:
    """Il corpo della funzione, preceduto da ciò che la sua cella prepara e da ciò che il capitolo non importa.

    Args:
        sorgente: la cella della soluzione.
        funzione: il nome della funzione che risponde all'esercizio.
        noti: i nomi che il capitolo conosce già.
        importazioni: dal nome alla riga che lo importa, nel notebook delle soluzioni.
    """
    albero, righe = ast.parse(sorgente), sorgente.splitlines()
    corpo, intorno, tenuti = [], [], ast.Module([], [])
    for nodo in albero.body:
        if corpo:    # ciò che segue la funzione la mette alla prova: dentro di lei non ha senso
            break
        tenuti.body.append(nodo)
        if isinstance(nodo, ast.FunctionDef) and nodo.name == funzione:
            dentro = nodo.body[1:] if ast.get_docstring(nodo) else nodo.body
            dopo_di = nodo.body[0].end_lineno if ast.get_docstring(nodo) else nodo.body[0].lineno - 1
            corpo = righe[dopo_di:dentro[-1].end_lineno]
        else:
            intorno += righe[nodo.lineno - 1:nodo.end_lineno]
    mancano = nomi_di(ast.unparse(tenuti))[0] - noti
    senza_origine = mancano - set(importazioni)
    if not corpo or senza_origine:
        raise ValueError(f"{funzione}: nel notebook delle soluzioni non trovo {', '.join(sorted(senza_origine)) or 'la funzione'}")
    intorno = sorted({importazioni[nome] for nome in mancano}) + intorno
    return "\n".join(intorno + textwrap.dedent("\n".join(corpo)).splitlines())


def marca(cella: dict, nome: str, **ruolo) -> dict:
    """I metadati che nbgrader cerca in una cella; quelli del corso restano accanto."""
    segni = {"cell_type": "code", "grade": False, "grade_id": nome, "locked": False, "schema_version": 3,
             "solution": False, "task": False, **ruolo}
    return {**cella, "metadata": {**cella["metadata"], "nbgrader": segni}}


def compito(capitolo: dict, soluzioni: dict) -> dict:
    """Il capitolo, nella versione che nbgrader chiama «source»."""
    noti = set().union(*(nomi_di(testo)[1] for _, testo in codice_di(capitolo)))
    importazioni, risposte = {}, {}
    for _, testo in codice_di(soluzioni):
        for nodo in ast.parse(testo).body:
            if isinstance(nodo, (ast.Import, ast.ImportFrom)):
                riga = ast.unparse(nodo)
                importazioni |= dict.fromkeys(nomi_di(riga)[1], riga)
        if trovato := CONTROLLO.search(testo):
            risposte[trovato[1]] = (trovato[2], testo)
    celle = []
    for cella in capitolo["cells"]:
        if cella["cell_type"] != "code":
            celle.append(cella)
            continue
        testo = unito(cella["source"])
        cella = {**cella, "outputs": [], "execution_count": None}
        nome = re.fullmatch(r"es-(\d+)-(\d+)-(tu|controllo)", cella["id"])
        if nome:
            numero = f"{nome[1]}.{nome[2]}"
            funzione, soluzione = risposte[numero]
        if nome and nome[3] == "tu":
            if testo.count(DA_FARE) != 1:
                raise ValueError(f"{cella['id']}: mi aspettavo un solo «{DA_FARE}»")
            corpo = corpo_della_soluzione(soluzione, funzione, noti, importazioni)
            testo = testo.replace("    " + DA_FARE, textwrap.indent(f"{INIZIO}\n{corpo}\n{FINE}", "    "))
            cella = marca(cella, cella["id"], solution=True)
        elif nome:
            testo = testo.replace(f'check("{numero}", {funzione})',
                                  f'esito = check("{numero}", {funzione})\nassert esito.passed, esito.message')
            cella = marca(cella, cella["id"], grade=True, locked=True, points=EXERCISES[numero].stars)
        celle.append({**cella, "source": in_righe(testo)})
    return {**capitolo, "cells": celle}


def main(argomenti: list[str] | None = None) -> int:
    opzioni = argparse.ArgumentParser(description="Prepara i capitoli come compiti di nbgrader.")
    opzioni.add_argument("capitoli", nargs="*", help="i numeri dei capitoli, per esempio 03; senza: tutti")
    opzioni.add_argument("--cartella", type=Path, default=USCITA, help="dove scrivere (di norma _build/nbgrader)")
    scelte = opzioni.parse_args(argomenti)
    voluti = {numero.zfill(2) for numero in scelte.capitoli}
    percorsi = [p for p in sorted(CAPITOLI.glob("*.ipynb")) if not voluti or p.stem[:2] in voluti]
    ignoti = voluti - {p.stem[:2] for p in percorsi}
    if ignoti:
        print(f"Non c'è nessun capitolo {', '.join(sorted(ignoti))}.", file=sys.stderr)
        return 1
    for percorso in percorsi:
        file = scelte.cartella / "source" / percorso.stem / percorso.name
        file.parent.mkdir(parents=True, exist_ok=True)
        scrivi_se_cambia(file, in_testo(compito(leggi(percorso), leggi(CAPITOLI / "soluzioni" / percorso.name))))
    scrivi_se_cambia(scelte.cartella / "nbgrader_config.py", CONFIGURAZIONE)
    print(f"{len(percorsi)} compiti pronti in {scelte.cartella}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
