"""Fotografa una pagina del sito costruito, chiara e scura, per il README: .github/vista.png e vista-scura.png.

    make immagini                                      # le rifà, dopo le altre figure
    python3 strumenti/ambiente.py strumenti/vista.py   # solo queste

Servono il sito (make sito) e Chromium o Chrome. Se mancano lo dice, e lascia le immagini come sono: ogni
browser disegna i caratteri a modo suo, quindi qui non c'è una verifica byte per byte.
"""

import io
import sys

from PIL import Image
from playwright.sync_api import Error, sync_playwright

import browser
from sito import RADICE, SITO, in_ascolto

VISTE = {"light": RADICE / ".github" / "vista.png", "dark": RADICE / ".github" / "vista-scura.png"}
# Una figura del capitolo 3, con sopra il testo, la formula e il codice da cui nasce.
PAGINA, FIGURA = "chapters/03-relevance-scoring.html", "#tutte-le-coppie-insieme .cell_output img"
FINESTRA, SOTTO = {"width": 1180, "height": 916}, 20
PESO_MASSIMO = 200_000


def leggera(png: bytes) -> bytes:
    """La stessa immagine con una tavolozza di 256 colori: una pagina ne ha pochi, e pesa un terzo."""
    # Così restano anche le tinte rare, come una cornice sottile: nessun punto cambia più di 11 su 255.
    immagine = Image.open(io.BytesIO(png)).convert("RGB").quantize(
        256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    memoria = io.BytesIO()
    immagine.save(memoria, "PNG", optimize=True)
    return memoria.getvalue()


def fotografa() -> dict[str, bytes]:
    """La finestra del browser sulla pagina scelta, a due punti per pixel, in ciascun tema."""
    viste = {}
    with in_ascolto() as indirizzo, sync_playwright() as playwright:
        aperto = browser.apri(playwright)
        for tema in VISTE:
            pagina = aperto.new_page(viewport=FINESTRA, device_scale_factor=2, color_scheme=tema,
                                      locale="it-IT", reduced_motion="reduce")
            pagina.goto(indirizzo + PAGINA, wait_until="networkidle")
            pagina.evaluate("([figura, sotto]) => scrollBy({behavior: 'instant', top: sotto - innerHeight"
                            " + document.querySelector(figura).getBoundingClientRect().bottom})", [FIGURA, SOTTO])
            pagina.wait_for_timeout(500)                       # l'indice a destra segna la sezione in vista
            viste[tema] = leggera(pagina.screenshot())
        aperto.close()
    return viste


def main() -> int:
    if not (SITO / PAGINA).exists():
        print("La vista del README resta com'è: manca il sito. Prima «make sito».")
        return 0
    try:
        viste = fotografa()
    except (browser.NessunBrowser, Error) as errore:
        print(f"La vista del README resta com'è: non riesco ad aprire un browser.\n{str(errore).splitlines()[0]}")
        return 0
    for tema, png in viste.items():
        if len(png) > PESO_MASSIMO:
            print(f"{VISTE[tema].name} pesa {len(png) // 1000} kB, più di {PESO_MASSIMO // 1000}.", file=sys.stderr)
            return 1
        VISTE[tema].write_bytes(png)
        print(f".github/{VISTE[tema].name}: {len(png) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
