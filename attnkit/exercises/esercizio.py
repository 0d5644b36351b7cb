"""Che cos'è un esercizio: una consegna, un riferimento, gli errori che si fanno davvero."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

KINDS = ("scrivi", "prevedi", "trova il bug", "leggi la tabella")


def _require_text(name, value):
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: mi aspettavo un testo non vuoto, ho trovato {value!r}")


def _require_callable(name, value):
    if not callable(value):
        raise ValueError(f"{name}: mi aspettavo una funzione, ho trovato {value!r}")


def _require_whole(name, value, low, high):
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name}: mi aspettavo un intero da {low} a {high}, ho trovato {value!r}")


def no_arguments(rng):
    """Gli ingressi di una domanda: una sola chiamata, senza argomenti."""
    return [()]


@dataclass(frozen=True)
class Misconception:
    """Un errore tipico: una risposta sbagliata che si scrive davvero, e perché è sbagliata.

    Args:
        name: il nome breve dell'errore, quello che `Result.misconception` riporta.
        wrong: la funzione sbagliata, con gli stessi argomenti del riferimento.
        explanation: perché è un errore, detto a chi lo ha fatto.
    """

    name: str
    wrong: Callable
    explanation: str

    def __post_init__(self):
        _require_text("name", self.name)
        _require_callable(f"wrong di «{self.name}»", self.wrong)
        _require_text(f"explanation di «{self.name}»", self.explanation)


@dataclass(frozen=True)
class Exercise:
    """Un esercizio del corso.

    I testi sono paragrafi separati da una riga vuota; un paragrafo rientrato di quattro spazi è un blocco di
    codice, e `così` si scrive un nome.

    Args:
        id: capitolo e numero, per esempio "2.3".
        title: il titolo breve.
        kind: una delle voci di `KINDS`.
        statement: la consegna.
        stars: difficoltà, da 1 a 3.
        minutes: minuti previsti.
        reference: la risposta giusta.
        inputs: da un generatore di NumPy alla lista delle tuple di argomenti, dalla più piccola. Senza
            argomenti l'esercizio è una domanda, e il riscontro non rivela mai la risposta attesa.
        misconceptions: gli errori noti; se più d'uno spiega la risposta, vale il primo.
        properties: coppie (nome, funzione). La funzione riceve gli argomenti e l'uscita, già in array di
            NumPy, e restituisce None o che cosa non torna. Si provano in ordine, se la risposta è diversa.
        rtol: tolleranza relativa sui numeri reali (gli interi devono coincidere).
        atol: tolleranza assoluta sui numeri reali.
        praise: che cosa portarsi via da una risposta giusta.
    """

    id: str
    title: str
    kind: str
    statement: str
    stars: int
    minutes: int
    reference: Callable
    inputs: Callable = no_arguments
    misconceptions: tuple[Misconception, ...] = ()
    properties: tuple[tuple[str, Callable], ...] = ()
    rtol: float = 1e-4
    atol: float = 1e-6
    praise: str = ""

    def __post_init__(self):
        if not isinstance(self.id, str) or not re.fullmatch(r"[1-9]\d*\.[1-9]\d*", self.id):
            raise ValueError(f"id: mi aspettavo capitolo e numero, come \"2.3\", ho trovato {self.id!r}")
        _require_text(f"title di {self.id}", self.title)
        _require_text(f"statement di {self.id}", self.statement)
        if self.kind not in KINDS:
            kinds = ", ".join(KINDS)
            raise ValueError(f"kind di {self.id}: mi aspettavo uno fra {kinds}, ho trovato {self.kind!r}")
        _require_whole(f"stars di {self.id}", self.stars, 1, 3)
        _require_whole(f"minutes di {self.id}", self.minutes, 1, 120)
        _require_callable(f"reference di {self.id}", self.reference)
        _require_callable(f"inputs di {self.id}", self.inputs)
        self._require_misconceptions()
        self._require_properties()
        for name in ("rtol", "atol"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
                raise ValueError(f"{name} di {self.id}: mi aspettavo un numero ≥ 0, ho trovato {value!r}")
        if not isinstance(self.praise, str):
            raise ValueError(f"praise di {self.id}: mi aspettavo un testo, ho trovato {self.praise!r}")

    def _require_misconceptions(self):
        if not isinstance(self.misconceptions, tuple) or not all(
            isinstance(item, Misconception) for item in self.misconceptions
        ):
            raise ValueError(f"misconceptions di {self.id}: mi aspettavo una tupla di Misconception")
        names = [item.name for item in self.misconceptions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"misconceptions di {self.id}: due hanno lo stesso nome, «{name}»")

    def _require_properties(self):
        if not isinstance(self.properties, tuple):
            raise ValueError(f"properties di {self.id}: mi aspettavo una tupla di coppie (nome, funzione)")
        for item in self.properties:
            if not isinstance(item, tuple) or len(item) != 2:
                raise ValueError(
                    f"properties di {self.id}: mi aspettavo una coppia (nome, funzione), ho trovato {item!r}"
                )
            _require_text(f"nome di una proprietà di {self.id}", item[0])
            _require_callable(f"proprietà «{item[0]}» di {self.id}", item[1])
