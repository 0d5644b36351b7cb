"""Il riscontro di un esercizio, da leggere in un terminale o in un notebook."""

import html
import re
import textwrap
from dataclasses import dataclass

WIDTH = 88
STATES = ("da completare", "giusto", "sbagliato")

# Solo il bordo ha un colore, con almeno 3:1 sul bianco e sullo scuro. Lo stato è sempre scritto in parole.
_BORDERS = {"da completare": "#8a7430", "giusto": "#2e8555", "sbagliato": "#c9485b"}
_BOX = "border-left: 4px solid {border}; padding: 0.4em 0 0.4em 0.9em; margin: 0.4em 0; max-width: 48em;"
_PARAGRAPH = "margin: 0.35em 0; line-height: 1.5;"
# Sfondo e colore ereditati: quelli che i temi danno al codice non sempre si leggono dentro un risultato.
_CODE = "background: transparent; color: inherit; border: 0; padding: 0;"
_WRAP = "white-space: pre-wrap; overflow-wrap: anywhere;"       # niente righe che scorrono di lato
_BLOCK = f"{_CODE} {_WRAP} margin: 0.35em 0 0.35em 1em; line-height: 1.4;"


@dataclass(frozen=True, repr=False)
class Result:
    """L'esito di `check`.

    Args:
        status: "da completare", "giusto" o "sbagliato".
        passed: vero solo se è giusto.
        message: il riscontro, a paragrafi; quelli rientrati di quattro spazi sono codice o numeri.
        misconception: il nome dell'errore tipico riconosciuto, oppure None.
        exercise: il numero dell'esercizio.
    """

    status: str
    passed: bool
    message: str
    misconception: str | None = None
    exercise: str = ""

    def __post_init__(self):
        if self.status not in STATES:
            raise ValueError(f"status: mi aspettavo uno fra {', '.join(STATES)}, ho trovato {self.status!r}")
        if self.passed != (self.status == "giusto"):
            raise ValueError(f"passed={self.passed} non va d'accordo con status={self.status!r}")

    def __bool__(self):
        return self.passed

    @property
    def title(self):
        return f"Esercizio {self.exercise} · {self.status}" if self.exercise else self.status.capitalize()

    def __repr__(self):
        blocks = [self.title]
        for is_code, text in paragraphs(self.message):
            if is_code:
                blocks.append("\n".join("    " + _cut(line, WIDTH - 4) for line in text.splitlines()))
            else:
                blocks.append(textwrap.fill(text, WIDTH, break_on_hyphens=False))
        return "\n\n".join(blocks)

    def _repr_html_(self):
        parts = [f'<p style="{_PARAGRAPH}"><strong>{html.escape(self.title)}</strong></p>']
        for is_code, text in paragraphs(self.message):
            if is_code:
                parts.append(f'<pre style="{_BLOCK}">{html.escape(text)}</pre>')
            else:
                inner = re.sub(r"`([^`]+)`", rf'<code style="{_CODE}">\1</code>', html.escape(text))
                parts.append(f'<p style="{_PARAGRAPH}">{inner}</p>')
        box = _BOX.format(border=_BORDERS[self.status])
        return f'<div lang="it" style="{box}">\n' + "\n".join(parts) + "\n</div>"


def paragraphs(message):
    """Divide un messaggio in coppie (è codice, testo); il testo dei paragrafi sta su una riga sola."""
    for block in re.split(r"\n[ \t]*\n", message.strip("\n")):
        lines = [line for line in block.splitlines() if line.strip()]
        if lines and all(line.startswith("    ") for line in lines):
            yield True, textwrap.dedent("\n".join(lines))
        elif lines:
            yield False, " ".join(" ".join(lines).split())


def code_block(text):
    """Rientra un testo perché un messaggio lo mostri come codice; le righe vuote si perdono."""
    return textwrap.indent("\n".join(line for line in text.splitlines() if line.strip()), "    ")


def _cut(line, width):
    return line if len(line) <= width else line[: width - 1] + "…"
