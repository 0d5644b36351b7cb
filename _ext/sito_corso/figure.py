"""Le immagini dichiarano larghezza e altezza, così il browser tiene loro il posto e la pagina non salta."""

import re
from pathlib import Path
from urllib.parse import unquote

import imagesize

IMMAGINE = re.compile(r"<img\b[^>]*>")
ATTRIBUTO = re.compile(r'\b(src|width|height|loading)="([^"]*)"')


def con_misure(etichetta: str, file_di: dict[str, Path]) -> str:
    """L'etichetta `<img …>` con le misure del file, se il file è fra le immagini del libro.

    Args:
        etichetta: come l'ha scritta Sphinx.
        file_di: dal nome pubblicato di un'immagine al file da cui viene.
    """
    attributi = dict(ATTRIBUTO.findall(etichetta))
    file = file_di.get(unquote(attributi.get("src", "")).rsplit("/", 1)[-1])
    if file is None or "width" in attributi or "height" in attributi:
        return etichetta
    larghezza, altezza = imagesize.get(file)
    if larghezza <= 0 or altezza <= 0:
        return etichetta
    misure = f' width="{round(larghezza)}" height="{round(altezza)}"'
    return re.sub(r"\s*/?>$", f"{misure}>", etichetta)


def misura_le_immagini(app, nome, modello, contesto, albero):
    corpo = contesto.get("body")
    if not corpo:
        return
    file_di = {pubblicato: Path(app.srcdir, origine) for origine, pubblicato in app.builder.images.items()}
    contesto["body"] = IMMAGINE.sub(lambda trovata: con_misure(trovata[0], file_di), corpo)


def setup(app):
    app.connect("html-page-context", misura_le_immagini)
