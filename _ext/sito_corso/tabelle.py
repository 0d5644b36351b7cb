"""Le tabelle con l'angolo in alto a sinistra vuoto: la prima colonna è fatta di intestazioni di riga.

Il Markdown non ha modo di dirlo. Chi ascolta la pagina sente così, per ogni numero, la riga e la colonna;
e l'angolo, che non intesta nulla, torna una cella qualunque.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

ANGOLO_VUOTO = re.compile(r'<th class="head[^"]*">(?:<p></p>)?</th>')


def angolo_vuoto(tabella: nodes.table) -> bool:
    testata = next(tabella.findall(nodes.thead), None)
    prima = next(testata.findall(nodes.entry), None) if testata is not None else None
    return prima is not None and not prima.astext().strip()


class IntestazioniDiRiga(SphinxTransform):
    default_priority = 500

    def apply(self, **_):
        for tabella in self.document.findall(nodes.table):
            if angolo_vuoto(tabella):
                next(tabella.findall(nodes.colspec))["stub"] = 1


def libera_gli_angoli(app, nome, modello, contesto, albero):
    if contesto.get("body"):
        contesto["body"] = ANGOLO_VUOTO.sub("<td></td>", contesto["body"])


def setup(app):
    app.add_transform(IntestazioniDiRiga)
    app.connect("html-page-context", libera_gli_angoli)
