"""Le parole dell'interfaccia che Sphinx e i temi, pur con `language: it`, lasciano in inglese.

Si aggiungono ai cataloghi già caricati, quello di gettext e quello degli script: chi le cerca le trova da sé.
"""

import json
import re

from sphinx.locale import translators

PAROLE = {
    "Skip to main content": "Vai al contenuto",
    "Back to top": "Torna su",
    "Link to this heading": "Collegamento a questo titolo",
    "Permalink to this heading": "Collegamento a questo titolo",
    "Link to this image": "Collegamento a questa immagine",
    "Link to this table": "Collegamento a questa tabella",
    "Link to this code": "Collegamento a questo codice",
    "Link to this equation": "Collegamento a questa formula",
    "Link to this definition": "Collegamento a questa definizione",
    "Link to this term": "Collegamento a questo termine",
    "Index": "Indice analitico",
    "Search": "Cerca",
    "Error": "Errore",
    "Please activate JavaScript to enable the search functionality.": "Per cercare nel corso serve JavaScript.",
    "Version warning": "Avviso sulla versione",
    "Announcement": "Annuncio",
}
CATALOGO = ("general", "sphinx")

# Le cerca lo script della ricerca, che ha un catalogo suo.
PAROLE_DEGLI_SCRIPT = {
    "Searching": "Cerco",
    "Preparing search...": "Preparo la ricerca…",
    "Search Results": "Pagine trovate",
    "Search finished, found ${resultCount} page(s) matching the search query.": "Pagine trovate: ${resultCount}.",
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that "
    "you've selected enough categories.": "Nessuna pagina contiene tutte queste parole. Prova con una parola sola.",
    "Hide Search Matches": "Togli l’evidenziatore",
}

# MyST-NB dà questo nome inglese, non traducibile, a un comando che il suo testo dice già meglio.
NOME_SUPERFLUO = ' aria-label="Toggle hidden content"'
# Per MyST-NB il comando si chiama allo stesso modo, che apra un codice o un'uscita: qui è un'uscita.
COMANDO_DELLE_USCITE = re.compile(r'(<details class="[^"]*\bbelow-input\b.*?</summary>)', re.S)


def completa(app):
    catalogo = translators.get(CATALOGO)
    if catalogo is not None:
        catalogo._catalog.update(PAROLE)


def completa_gli_script(app, nome, modello, contesto, albero):
    parole = json.dumps(PAROLE_DEGLI_SCRIPT, ensure_ascii=False)
    app.add_js_file(None, body=f"Object.assign(Documentation.TRANSLATIONS, {parole});", priority=900)


def togli_inglese(app, nome, modello, contesto, albero):
    if contesto.get("body"):
        corpo = contesto["body"].replace(NOME_SUPERFLUO, "")
        contesto["body"] = COMANDO_DELLE_USCITE.sub(lambda comando: comando[0].replace("il codice", "il risultato"), corpo)


def setup(app):
    app.connect("builder-inited", completa, priority=1)
    app.connect("html-page-context", completa_gli_script)
    app.connect("html-page-context", togli_inglese)
