"""Ciò che si vede di una pagina quando qualcuno ne condivide l'indirizzo, o la trova con un motore di ricerca.

Titolo e descrizione vengono dalla pagina: la descrizione sono le prime frasi, intere, finché stanno in una riga
di risultati. L'indirizzo e l'immagine (`_static/anteprima.png`, disegnata da `strumenti/anteprima.py`) devono
essere assoluti: ci sono solo quando il corso è pubblicato. sphinxext-opengraph, che fa questo di mestiere, taglia
le frasi a metà e scrive un indirizzo anche quando non c'è.
"""

import re
from html import escape

from docutils import nodes

IMMAGINE = "_static/anteprima.png"
TESTO_DELL_IMMAGINE = ("La frase «la gatta insegue il topo perché affamat-», un riquadro per token: un arco spesso va "
                       "dall’ultimo a «gatta». Il finale previsto è «-a».")
LUNGHEZZA = 200
FINE_DI_FRASE = re.compile(r"(?<=[.?…])\s+(?=[A-ZÀÈÉÌÒÙ«])")


def descrizione(testo: str) -> str:
    """Le prime frasi di un paragrafo, almeno una, senza superare di misura ciò che si mostra.

    Una frase che finisce con i due punti introduce un elenco, che qui non c'è: si lascia fuori.
    """
    frasi = FINE_DI_FRASE.split(" ".join(testo.split()))
    scelte = frasi[:1]
    for frase in frasi[1:]:
        if frase.endswith(":") or len(" ".join([*scelte, frase])) > LUNGHEZZA:
            break
        scelte.append(frase)
    return " ".join(scelte)


def etichette(titolo: str, testo: str, corso: str, indirizzo: str | None, immagine: str | None) -> list[tuple[str, str, str]]:
    """Le etichette di una pagina, come (attributo, nome, contenuto)."""
    trovate = [("name", "description", testo),
               ("property", "og:type", "website"),
               ("property", "og:site_name", corso),
               ("property", "og:locale", "it_IT"),
               ("property", "og:title", titolo),
               ("property", "og:description", testo),
               ("name", "twitter:card", "summary_large_image" if immagine else "summary"),
               ("name", "twitter:title", titolo),
               ("name", "twitter:description", testo)]
    if indirizzo:
        trovate.append(("property", "og:url", indirizzo))
    if immagine:
        trovate += [("property", "og:image", immagine),
                    ("property", "og:image:width", "1200"),
                    ("property", "og:image:height", "630"),
                    ("property", "og:image:alt", TESTO_DELL_IMMAGINE)]
    return [(attributo, nome, contenuto) for attributo, nome, contenuto in trovate if contenuto]


def presenta(app, nome, modello, contesto, albero):
    paragrafo = next(albero.findall(nodes.paragraph), None) if albero else None
    if paragrafo is None:
        return
    sito = app.config.repository_del_corso.sito
    copertina = nome == app.config.root_doc
    pagina = "" if copertina else app.builder.get_target_uri(nome)
    trovate = etichette(
        titolo=contesto["docstitle"] if copertina else app.env.titles[nome].astext(),
        testo=descrizione(paragrafo.astext()),
        corso=contesto["docstitle"],
        indirizzo=sito + pagina if sito else None,
        immagine=sito + IMMAGINE if sito else None)
    contesto["metatags"] += "".join(f'\n    <meta {attributo}="{nome_}" content="{escape(contenuto)}" />'
                                    for attributo, nome_, contenuto in trovate)


def setup(app):
    app.connect("html-page-context", presenta)
