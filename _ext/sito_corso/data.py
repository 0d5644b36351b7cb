"""La data di ogni pagina: quella dell'ultimo commit che ne ha toccato il file.

Senza git, con una copia che non è un clone o con una storia tagliata (`--depth`) nessuna data è vera: allora non
se ne mostra nessuna. sphinx-last-updated-by-git, che fa lo stesso mestiere, in quei casi si ferma con un avviso,
non dà la data in una forma leggibile dalle macchine e non la aggiorna finché la pagina non cambia.
"""

import datetime
import subprocess
from pathlib import Path

from babel.dates import format_date


def git(cartella, *argomenti: str) -> str:
    """Ciò che git risponde, o una stringa vuota se non può rispondere."""
    try:
        corsa = subprocess.run(["git", *argomenti], cwd=cartella, capture_output=True, text=True, encoding="utf-8")
    except OSError:  # git non c'è
        return ""
    return corsa.stdout if corsa.returncode == 0 else ""


def date_dei_file(cartella) -> dict[str, datetime.date]:
    """Per ogni file sotto la cartella, con il percorso relativo a essa, il giorno del suo ultimo commit."""
    if git(cartella, "rev-parse", "--is-shallow-repository").strip() != "false":
        return {}
    date, giorno = {}, None
    # Dal commit più recente: la prima volta che un file compare è l'ultima in cui è cambiato.
    for pezzo in git(cartella, "log", "--relative", "--name-only", "--date=short", "--format=%x01%ad", "-z").split("\0"):
        pezzo = pezzo.strip("\n")
        if pezzo.startswith("\x01"):
            giorno = datetime.date.fromisoformat(pezzo[1:11])
        elif pezzo:
            date.setdefault(pezzo, giorno)
    return date


def in_parole(giorno: datetime.date) -> str:
    """«il 24 novembre 2026», «l’8 novembre 2026», «il 1º novembre 2026»."""
    testo = format_date(giorno, "d MMMM y", locale="it")
    if giorno.day in (8, 11):
        return f"l’{testo}"
    return f"il {testo}" if giorno.day > 1 else f"il 1º{testo[1:]}"


def cerca_le_date(app, env):
    """Annota le date; riscrive anche le pagine che non sono cambiate, se è cambiata la loro data."""
    date = date_dei_file(app.srcdir)
    nuove = {nome: date.get(Path(env.doc2path(nome, False)).as_posix()) for nome in env.found_docs}
    vecchie, env.date_delle_pagine = getattr(env, "date_delle_pagine", nuove), nuove
    return [nome for nome in nuove if nuove[nome] != vecchie.get(nome)]


def mostra_la_data(app, nome, modello, contesto, albero):
    giorno = app.env.date_delle_pagine.get(nome)
    contesto["last_updated"] = giorno.isoformat() if giorno else None
    contesto["data_in_parole"] = in_parole(giorno) if giorno else ""


def setup(app):
    app.connect("env-updated", cerca_le_date)
    app.connect("html-page-context", mostra_la_data)
