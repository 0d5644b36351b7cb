"""Ogni pagina carica solo gli script e gli stili che le servono.

Jupyter Book aggiunge a tutte le pagine ogni .css e .js che trova sotto `_static`, in un ordine che dipende
dal disco. Qui l'ordine è scritto, e KaTeX ne resta fuori: lo aggiunge `formule` dove serve.
"""

import shutil
from pathlib import Path

STILI = ("stile/testo.css", "stile/cornice.css", "stile/notebook.css", "stile/copertina.css", "stile/stampa.css")
SCRIPT = (("js/corso.js", {"defer": "defer"}), ("js/progressi.js", {"defer": "defer"}))

# Serve solo alle schede di sphinx-design, che il corso non usa.
SUPERFLUI = ("design-tabs.js",)

# Servono dopo che la pagina si vede: non la facciano aspettare.
RIMANDABILI = ("clipboard.min.js", "copybutton.js", "sphinx-book-theme.js")

# Ciò che i temi copiano nel sito e che nessuna pagina chiede: Font Awesome, le traduzioni, le mappe dei sorgenti…
INUTILI = ("vendor", "locales", "design-tabs.js", "*webpack-macros.html", "styles/theme.css", "images/logo_*",
           "scripts/*.map", "styles/*.map")


def scegli(app, config):
    config.html_css_files = list(STILI)
    config.html_js_files = list(SCRIPT)


def alleggerisci(app, nome, modello, contesto, albero):
    tenuti = []
    for script in contesto["script_files"]:
        file = str(getattr(script, "filename", script) or "")
        if file.endswith(SUPERFLUI):
            continue
        if file.endswith(RIMANDABILI):
            script.attributes["defer"] = "defer"
        tenuti.append(script)
    contesto["script_files"] = tenuti


def copia_la_copertina(app, errore):
    """Fa di index.html la copertina stessa: altrimenti sarebbe una pagina vuota che rimanda altrove."""
    if errore is None and app.builder.name == "html":
        cartella = Path(app.outdir)
        copertina = cartella / f"{app.config.root_doc}.html"
        if copertina.exists() and copertina.name != "index.html":
            shutil.copyfile(copertina, cartella / "index.html")


def sfoltisci(app, errore):
    for modello in INUTILI:
        for trovato in Path(app.outdir, "_static").glob(modello):
            if trovato.is_dir():
                shutil.rmtree(trovato)
            else:
                trovato.unlink()


def setup(app):
    app.connect("config-inited", scegli)
    app.connect("html-page-context", alleggerisci, priority=900)
    # Prima di sphinx-external-toc, che scriverebbe il rimando.
    app.connect("build-finished", copia_la_copertina, priority=100)
    app.connect("build-finished", sfoltisci)
