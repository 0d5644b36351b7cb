"""Le citazioni che cominciano con una parola in grassetto diventano riquadri.

Nei notebook si scrive Markdown che ogni lettore sa mostrare: `> **Precisazione.** …`. Sul sito quella
citazione prende le classi `riquadro` e `riquadro-precisazione`, e lo stile ne fa un riquadro.
"""

from docutils import nodes
from sphinx.transforms import SphinxTransform


def titolo_di(citazione: nodes.block_quote) -> nodes.strong | None:
    """Le parole in grassetto con cui la citazione comincia, se comincia così."""
    paragrafo = citazione.children[0] if citazione.children else None
    if not isinstance(paragrafo, nodes.paragraph):
        return None
    # Il lettore di Markdown può lasciare un testo vuoto davanti al grassetto.
    inizio = next((nodo for nodo in paragrafo.children if nodo.astext()), None)
    return inizio if isinstance(inizio, nodes.strong) else None


class Riquadri(SphinxTransform):
    default_priority = 500

    def apply(self, **_):
        for citazione in self.document.findall(nodes.block_quote):
            titolo = titolo_di(citazione)
            if titolo is not None:
                titolo["classes"].append("riquadro-titolo")
                citazione["classes"] += ["riquadro", f"riquadro-{nodes.make_id(titolo.astext())}"]


def setup(app):
    app.add_transform(Riquadri)
