"""L'apostrofo italiano: ’ al posto di ', in «l’attenzione» come in «un po’ di».

Le virgolette automatiche di Sphinx, con l'italiano, scambiano l'apostrofo in fine di parola per una
virgoletta che si chiude; perciò in `_config.yml` sono spente. Le virgolette, nei testi, si scrivono «così».
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

APOSTROFO = re.compile(r"(?<=\w)'")
INTOCCABILI = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment)


def intoccabile(testo: nodes.Text) -> bool:
    """Vero se il testo è codice o una formula, dove ogni segno conta."""
    nodo = testo.parent
    while nodo is not None:
        # Le uscite delle celle sono già come il codice le ha scritte.
        if isinstance(nodo, INTOCCABILI) or "cell_output" in nodo.get("classes", ()):
            return True
        nodo = nodo.parent
    return False


class Apostrofi(SphinxTransform):
    # Dopo la lettura delle celle, prima che i titoli finiscano negli indici.
    default_priority = 750

    def apply(self, **_):
        for testo in list(self.document.findall(nodes.Text)):
            if "'" in testo and not intoccabile(testo):
                testo.parent.replace(testo, nodes.Text(APOSTROFO.sub("’", testo)))


def setup(app):
    app.add_transform(Apostrofi)
