"""I collegamenti al repository e a Colab, che compaiono solo quando portano da qualche parte.

L'indirizzo sta in `_config.yml`. Finché è quello provvisorio (un account che comincia con un trattino,
che GitHub rifiuta) i pulsanti non ci sono, e nelle pagine i collegamenti scritti così

    [Apri il capitolo 1 in Colab](colab:chapters/01-panoramica)
    [il repository del corso](repository:)

restano semplice testo. Per dire due cose diverse nei due casi ci sono le classi
`se-pubblicato` e `se-provvisorio`: la parte che non vale sparisce dalla pagina.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from docutils import nodes
from sphinx.transforms import SphinxTransform


@dataclass(frozen=True)
class Repository:
    """Dove il corso è pubblicato.

    Args:
        url: l'indirizzo del repository, senza barra finale.
        ramo: il ramo da cui si leggono i notebook.
        colab: l'indirizzo di Colab.
    """

    url: str
    ramo: str = "main"
    colab: str = "https://colab.research.google.com"

    @property
    def proprietario(self) -> str:
        return urlsplit(self.url).path.strip("/").split("/")[0]

    @property
    def pubblicato(self) -> bool:
        return bool(self.proprietario) and not self.proprietario.startswith("-")

    @property
    def su_github(self) -> bool:
        return urlsplit(self.url).hostname in ("github.com", "www.github.com")

    @property
    def sito(self) -> str | None:
        """L'indirizzo del sito su GitHub Pages, con la barra finale; None se per ora non esiste."""
        if not (self.pubblicato and self.su_github):
            return None
        nome = urlsplit(self.url).path.strip("/").split("/")[-1]
        casa = f"{self.proprietario.lower()}.github.io"
        return f"https://{casa}/" if nome.lower() == casa else f"https://{casa}/{nome}/"

    @property
    def radice(self) -> str:
        """Il percorso da cui comincia il sito: «/repo/» su GitHub Pages, «/» se il sito ha un host tutto suo."""
        return urlsplit(self.sito or "/").path

    def colab_per(self, pagina: str) -> str | None:
        """L'indirizzo che apre un notebook in Colab, o None: Colab legge soltanto da GitHub."""
        if not (self.pubblicato and self.su_github and self.colab):
            return None
        percorso = urlsplit(self.url).path.strip("/")
        return f"{self.colab}/github/{percorso}/blob/{quote(self.ramo, safe='')}/{quote(pagina)}.ipynb"

    def risolvi(self, riferimento: str) -> str | None:
        """L'indirizzo vero di `colab:pagina` o di `repository:`; None se per ora non esiste."""
        schema, _, resto = riferimento.partition(":")
        if schema == "colab":
            return self.colab_per(resto.removesuffix(".ipynb"))
        return self.url + (f"/blob/{self.ramo}/{resto}" if resto else "") if self.pubblicato else None


def leggi_indirizzo(app, config):
    """Prende l'indirizzo dalle opzioni del tema, i cui pulsanti sono sostituiti da quelli di `_templates`."""
    opzioni = config.html_theme_options
    config.repository_del_corso = Repository(
        url=opzioni.pop("repository_url", "").rstrip("/"),
        ramo=opzioni.pop("repository_branch", "") or "main",
        colab=opzioni.pop("launch_buttons", {}).get("colab_url", "").rstrip("/"),
    )


def togli(nodo):
    """Toglie un nodo, e con lui il contenitore che resterebbe vuoto: una casella della griglia, per esempio."""
    padre = nodo.parent
    padre.remove(nodo)
    if isinstance(padre, nodes.container) and not padre.children:
        togli(padre)


class Collegamenti(SphinxTransform):
    """Risolve `colab:` e `repository:`, e toglie ciò che vale solo nell'altro caso."""

    default_priority = 400

    def apply(self, **_):
        repository = self.config.repository_del_corso
        da_togliere = "se-provvisorio" if repository.pubblicato else "se-pubblicato"
        for nodo in list(self.document.findall(nodes.Element)):
            if da_togliere in nodo.get("classes", ()):
                togli(nodo)
        for nodo in list(self.document.findall(nodes.reference)):
            riferimento = nodo.get("refuri", "")
            if riferimento.startswith(("colab:", "repository:")):
                indirizzo = repository.risolvi(riferimento)
                if indirizzo:
                    nodo["refuri"] = indirizzo
                else:
                    nodo.replace_self(nodes.inline("", "", *nodo.children, classes=["collegamento-futuro"]))


def aggiungi_indirizzi(app, nome, modello, contesto, albero):
    """Dà ai modelli di pagina gli indirizzi dei pulsanti; dove sono vuoti, il pulsante non c'è."""
    repository = app.config.repository_del_corso
    e_notebook = nome in app.env.found_docs and Path(app.env.doc2path(nome)).suffix == ".ipynb"
    contesto["repository_url"] = repository.url if repository.pubblicato else ""
    contesto["colab_url"] = (repository.colab_per(nome) or "") if e_notebook else ""
    contesto["notebook_url"] = contesto["pathto"](f"_sources/{nome}.ipynb", 1) if e_notebook else ""


def setup(app):
    # Conta per «env»: se cambia l'indirizzo, le pagine si rileggono.
    app.add_config_value("repository_del_corso", None, "env", (Repository,))
    app.connect("config-inited", leggi_indirizzo)
    app.connect("html-page-context", aggiungi_indirizzi)
    app.add_transform(Collegamenti)
