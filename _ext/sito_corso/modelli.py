"""Le misure dei modelli aperti e le macchine del capitolo 10, per i conti del laboratorio.

Nessun numero si copia a mano: i modelli vengono da `attnkit.config`, le macchine dalla cella del capitolo che chiede che
cosa ci sta. Se cambiano lì, cambiano anche nella pagina.
"""

import ast
import json
from dataclasses import asdict
from pathlib import Path

from attnkit.config import MODELS

PAGINA = "laboratorio"
CAPITOLO, CELLA, NOME = "10-llama-3-1.ipynb", "che-cosa-ci-sta", "macchine"


def macchine(capitoli: Path) -> list[dict]:
    """Le macchine che il capitolo 10 mette a confronto, con i loro gigabyte.

    Returns:
        Una lista di dizionari con `nome`, come continua la frase «sta…», e `gigabyte`.

    Raises:
        ValueError: se la cella non c'è, o non scrive più quel dizionario.
    """
    celle = json.loads((capitoli / CAPITOLO).read_text(encoding="utf-8"))["cells"]
    for cella in celle:
        if cella["id"] == CELLA:
            for istruzione in ast.parse("".join(cella["source"])).body:
                if isinstance(istruzione, ast.Assign) and getattr(istruzione.targets[0], "id", None) == NOME:
                    return [{"nome": nome, "gigabyte": gb} for nome, gb in ast.literal_eval(istruzione.value).items()]
    raise ValueError(f"{CAPITOLO}: mi aspettavo il dizionario «{NOME}» nella cella «{CELLA}», e non l'ho trovato")


def dati(capitoli: Path) -> dict:
    """Tutto ciò che la pagina deve sapere: i modelli, per nome, e le macchine."""
    return {"modelli": {nome: asdict(modello) for nome, modello in MODELS.items()}, "macchine": macchine(capitoli)}


def aggiungi_lo_stile(app, nome, modello, contesto, albero):
    if nome == PAGINA:
        app.add_css_file("stile/laboratorio-strumenti.css", priority=750)


def scrivi(app, errore):
    if errore is None and app.builder.name == "html":
        file = Path(app.outdir, "_static", "laboratorio", "modelli.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(dati(Path(app.srcdir, "chapters")), ensure_ascii=False), encoding="utf-8")


def setup(app):
    app.connect("html-page-context", aggiungi_lo_stile)
    app.connect("build-finished", scrivi)
