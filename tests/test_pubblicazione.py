"""Ciò che si vede del corso prima di aprirlo: la citazione e la pagina del README."""

import re
import struct
import tomllib
from pathlib import Path

import yaml

RADICE = Path(__file__).resolve().parent.parent
README = (RADICE / "README.md").read_text(encoding="utf-8")


def test_la_citazione_dice_cio_che_dicono_gli_altri_file():
    citazione = yaml.safe_load((RADICE / "CITATION.cff").read_text(encoding="utf-8"))
    progetto = tomllib.loads((RADICE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    configurazione = yaml.safe_load((RADICE / "_config.yml").read_text(encoding="utf-8"))
    # I campi che lo schema 1.2.0 pretende, e un autore che è un ente: ha solo un nome.
    assert citazione["cff-version"] == "1.2.0" and citazione["message"]
    assert citazione["version"] == progetto["version"]
    assert citazione["title"] == configurazione["title"] == README.splitlines()[0].removeprefix("# ")
    assert citazione["authors"] == progetto["authors"] == [{"name": configurazione["author"]}]
    assert citazione["license"] == [progetto["license"], "CC-BY-4.0"]
    assert "(CITATION.cff)" in README


def test_il_readme_mostra_il_sito_chiaro_e_scuro():
    scura, chiara, alt = re.search(
        r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*'
        r'<img src="([^"]+)" width="\d+"\s+alt="([^"]+)">\s*</picture>', README).groups()
    assert len(alt) > 60 and not re.search(r"\.png|screenshot|immagine di", alt)
    dimensioni = set()
    for nome in (chiara, scura):
        byte = (RADICE / nome).read_bytes()
        assert byte[:8] == b"\x89PNG\r\n\x1a\n" and len(byte) < 200_000, nome
        dimensioni.add(struct.unpack(">II", byte[16:24]))
    (larghezza, altezza), = dimensioni
    assert larghezza >= 2000 and 0.5 < altezza / larghezza < 1
    assert (RADICE / chiara).read_bytes() != (RADICE / scura).read_bytes()
