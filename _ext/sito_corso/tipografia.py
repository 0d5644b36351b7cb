"""L'apostrofo italiano: ’ al posto di ', in «l’attenzione» come in «un po’ di»; e la virgola accanto alla sua formula.

Le virgolette automatiche di Sphinx, con l'italiano, scambiano l'apostrofo in fine di parola per una
virgoletta che si chiude; perciò in `_config.yml` sono spente. Le virgolette, nei testi, si scrivono «così».
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

APOSTROFO = re.compile(r"(?<=\w)'")
SEPARATORE = " -- "  # fra un argomento, o un tipo, e la sua descrizione: così lo scrive Sphinx, contando sulle virgolette automatiche
PUNTEGGIATURA = tuple(",.;:)»?")
FORMULA_BREVE = 30
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
            if ("'" in testo or SEPARATORE in testo) and not intoccabile(testo):
                testo.parent.replace(testo, nodes.Text(APOSTROFO.sub("’", testo).replace(SEPARATORE, " – ")))


class Punteggiatura(SphinxTransform):
    """Dopo una formula il browser andrebbe a capo anche davanti a una virgola: le tiene insieme un elemento che non si spezza."""

    default_priority = 760

    def apply(self, **_):
        for formula in list(self.document.findall(nodes.math)):
            testo = formula.next_node(descend=False, siblings=True)
            # Una formula lunga deve potersi spezzare: su un telefono non starebbe nella riga.
            if len(formula.astext()) > FORMULA_BREVE or not isinstance(testo, nodes.Text) or testo[:1] not in PUNTEGGIATURA:
                continue
            insieme = nodes.inline("", "", classes=["formula-e-segno"])
            formula.replace_self(insieme)
            insieme += [formula, nodes.Text(testo[0])]
            # Per posto, non per valore: nella stessa riga un testo uguale, «; », può esserci già prima.
            genitore = insieme.parent
            genitore[genitore.index(insieme) + 1] = nodes.Text(testo[1:])


def setup(app):
    app.add_transform(Punteggiatura)
    app.add_transform(Apostrofi)
