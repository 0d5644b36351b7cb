"""Il browser con cui il corso si prova, si stampa e si fotografa: uno della famiglia di Chromium, guidato da Playwright."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NOMI = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
# Nessuna richiesta d'ufficio del browser deve confondersi con quelle delle pagine.
OPZIONI = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"]


class NessunBrowser(Exception):
    """Perché non si può aprire, detto a chi deve rimediare."""


def trova(playwright) -> str | None:
    """Un browser già installato, o quello che Playwright ha scaricato da sé; None se non c'è."""
    for nome in NOMI:
        if percorso := shutil.which(nome):
            return percorso
    proprio = playwright.chromium.executable_path
    return proprio if Path(proprio).exists() else None


def apri(playwright):
    """Il browser, senza finestra.

    Raises:
        NessunBrowser: se su questa macchina non ce n'è uno.
    """
    percorso = trova(playwright)
    if percorso is None:
        raise NessunBrowser(f"serve un browser: nel PATH non trovo nessuno fra {', '.join(NOMI)}")
    # Nei contenitori, dove si è root, il recinto di Chromium non si può aprire.
    radice = hasattr(os, "geteuid") and os.geteuid() == 0
    return playwright.chromium.launch(executable_path=percorso, args=OPZIONI + ["--no-sandbox"] * radice)
