"""Quanto pesa ogni pagina del sito, e dopo quanto mostra qualcosa con il processore rallentato quattro volte.

    python3 strumenti/ambiente.py tests/bench/pagine_lente.py       # il sito dev'essere costruito

Di ogni pagina si tiene la mediana di cinque aperture, ciascuna in un profilo vuoto: nulla viene dalla memoria del browser.
L'obiettivo è meno di 1,5 secondi e meno di 3 MB per pagina, senza compressione.
"""

import statistics
import sys
from pathlib import Path

RADICE = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(RADICE / "strumenti"), str(RADICE / "tests")]

from browser import apri  # noqa: E402
from pagine import PESO_MASSIMO, nomi_pagine  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402
from sito import in_ascolto  # noqa: E402
from test_browser import LARGO, misure  # noqa: E402
from tqdm import tqdm  # noqa: E402

APERTURE, RALLENTATO, MASSIMO = 5, 4, 1500


def una_volta(browser, indirizzo):
    """Millisecondi prima del primo contenuto, e byte arrivati."""
    contesto = browser.new_context(viewport=LARGO)
    pagina = contesto.new_page()
    contesto.new_cdp_session(pagina).send("Emulation.setCPUThrottlingRate", {"rate": RALLENTATO})
    pagina.goto(indirizzo, wait_until="load")
    misurato = misure(pagina)
    contesto.close()
    return misurato["primo_contenuto"], misurato["peso"]


def main():
    righe = []
    with in_ascolto() as radice, sync_playwright() as playwright:
        browser = apri(playwright)
        for nome in tqdm(nomi_pagine(), leave=False):
            volte = [una_volta(browser, radice + nome) for _ in range(APERTURE)]
            righe.append((statistics.median(ms for ms, _ in volte), max(byte for _, byte in volte), nome))
        browser.close()
    print(f"{'primo contenuto, ms':>20} {'MB':>6}   pagina (processore rallentato {RALLENTATO} volte)")
    for ms, byte, nome in sorted(righe, reverse=True):
        mancato = "   mancato" * (ms >= MASSIMO or byte >= PESO_MASSIMO)
        print(f"{ms:20.0f} {byte / 1e6:6.2f}   {nome}{mancato}")


if __name__ == "__main__":
    main()
