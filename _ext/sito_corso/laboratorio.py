"""Ciò che serve alla pagina del laboratorio: i pesi dei modelli, le parole della mini-lingua, il suo stile.

I pesi sono gli stessi byte che viaggiano con `attnkit`; le parole vengono da `attnkit.language`. Nessun numero e
nessuna parola si copia a mano: se il modello cambia, il laboratorio cambia con lui.
"""

import json
import shutil
from pathlib import Path

from attnkit.language import ADVERBS, ARTICLES, ENDINGS, EXAMPLE, NEUTRAL, NOUNS, STEMS, VERBS
from attnkit.toy.archivio import DATA

PAGINA = "laboratorio"
MODELLI = ("toy", "toy-due-layer")
GENERI = {"ms": "Nomi maschili", "fs": "Nomi femminili", "mp": "Nomi maschili plurali", "fp": "Nomi femminili plurali"}


def lingua() -> dict:
    """Le parole della mini-lingua, per specie, e la frase del corso."""
    gruppi = {"Articoli": ARTICLES.values(), "Senza genere": [*NEUTRAL["s"], *NEUTRAL["p"]],
              **{GENERI[forma]: nomi for forma, nomi in NOUNS.items()},
              "Verbi": [*VERBS["s"], *VERBS["p"]], "Congiunzione": ["perché"], "Avverbi": ADVERBS,
              "Radici": [radice for radici in STEMS.values() for radice in radici], "Finali": ENDINGS.values()}
    return {"esempio": EXAMPLE.split(), "gruppi": [{"nome": nome, "parole": list(parole)} for nome, parole in gruppi.items()]}


def prepara_la_pagina(app, nome, modello, contesto, albero):
    if nome == PAGINA:
        app.add_css_file("laboratorio/laboratorio.css", priority=700)
        # I moduli si chiamano l'un l'altro: chiesti tutti insieme, con i loro dati, arrivano in un viaggio solo.
        moduli = sorted(Path(app.srcdir, "_static", "laboratorio").glob("*.js"))
        contesto["metatags"] += "".join(f'\n    <link rel="modulepreload" href="_static/laboratorio/{modulo.name}" />' for modulo in moduli)
        contesto["metatags"] += "".join(f'\n    <link rel="preload" as="fetch" crossorigin href="_static/laboratorio/dati/{dati}" />'
                                        for dati in ("lingua.json", f"{MODELLI[0]}.safetensors"))


def spedisci(app, errore):
    if errore is None and app.builder.name == "html":
        cartella = Path(app.outdir, "_static", "laboratorio", "dati")
        cartella.mkdir(parents=True, exist_ok=True)
        for modello in MODELLI:
            shutil.copyfile(DATA / f"{modello}.safetensors", cartella / f"{modello}.safetensors")
        (cartella / "lingua.json").write_text(json.dumps(lingua(), ensure_ascii=False), encoding="utf-8")


def setup(app):
    app.connect("html-page-context", prepara_la_pagina)
    app.connect("build-finished", spedisci)
