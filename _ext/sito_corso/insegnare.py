"""Le tabelle della pagina per chi insegna: il piano delle lezioni e l'elenco degli esercizi.

I numeri vengono dagli esercizi stessi: se cambiano i minuti di uno, cambia la tabella. Qui si dice soltanto quali
esercizi si fanno in aula, e con quale domanda comincia l'ora.
"""

from attnkit.exercises import EXERCISES
from docutils import nodes
from docutils.parsers.rst import Directive

# (capitoli, domanda con cui cominciare, esercizi da fare in aula)
LEZIONI = (
    (("01-panoramica",), "La gatta o il topo: che cosa hai guardato per completare la frase?", ("1.1", "1.2", "1.3")),
    (("02-query-key-value",), "Se la frase è lunga il doppio, che cosa diventa più grande?", ("2.1", "2.3", "2.4")),
    (("03-relevance-scoring",), "Perché non usare i punteggi così come sono?", ("3.1", "3.2", "3.3", "3.8")),
    (("04-combining-information",), "Una media di vettori può uscire dai vettori che media?", ("4.1", "4.2", "4.4")),
    (("05-multi-head-attention",), "Che cosa non può fare una sola riga di pesi?", ("5.1", "5.5", "5.6")),
    (("06-attenzione-imparata",), "Come fai a sapere se un peso grande conta davvero?", ("6.3", "6.4", "6.1")),
    (("07-mqa-e-gqa",), "Che cosa si rilegge, a ogni token che si scrive?", ("7.2", "7.5", "7.6")),
    (("08-sparse-attention",), "Se ogni token guarda solo gli ultimi quattro, da quanto lontano arriva una notizia?", ("8.1", "8.5", "8.7")),
    (("09-ring-attention",), "Quattro dispositivi in cerchio: chi aspetta chi?", ("9.3", "9.5", "9.8")),
    (("10-llama-3-1", "11-leggere-i-paper"), "Questa tabella può essere giusta?", ("10.4", "10.6", "11.1", "11.2", "11.7")),
)


def capitolo_di(numero: str) -> int:
    return int(numero.split(".")[0])


def minuti(numeri) -> int:
    return sum(EXERCISES[numero].minutes for numero in numeri)


def lezioni() -> list[tuple]:
    """Ora per ora: capitoli, domanda, esercizi in aula e a casa con i loro minuti."""
    righe = []
    for ora, (capitoli, domanda, in_aula) in enumerate(LEZIONI, start=1):
        numeri = {int(capitolo[:2]) for capitolo in capitoli}
        a_casa = [numero for numero in EXERCISES if capitolo_di(numero) in numeri and numero not in in_aula]
        righe.append((ora, capitoli, domanda, in_aula, minuti(in_aula), a_casa, minuti(a_casa)))
    return righe


def tabella(intestazione, righe, larghezze) -> nodes.table:
    """Una tabella di docutils, da righe di testi o di nodi."""
    griglia = nodes.tgroup(cols=len(intestazione))
    griglia += [nodes.colspec(colwidth=larghezza) for larghezza in larghezze]
    testa, corpo = nodes.thead(), nodes.tbody()
    for gruppo, sue in ((testa, [intestazione]), (corpo, righe)):
        for riga in sue:
            nodo = nodes.row()
            for voce in riga:
                paragrafo = nodes.paragraph()
                paragrafo += voce if isinstance(voce, list) else [nodes.Text(str(voce))]
                nodo += nodes.entry("", paragrafo)
            gruppo += nodo
    griglia += [testa, corpo]
    return nodes.table("", griglia)


class Piano(Directive):
    """Il piano delle dieci ore."""

    def run(self):
        def link(capitolo):
            return nodes.reference("", str(int(capitolo[:2])), refuri=f"chapters/{capitolo}.html", internal=True)

        righe = []
        for ora, capitoli, domanda, in_aula, quanti, a_casa, altri in lezioni():
            collegamenti = [link(capitoli[0])]
            for altro in capitoli[1:]:
                collegamenti += [nodes.Text(" e "), link(altro)]
            righe.append((ora, collegamenti, domanda, f"{', '.join(in_aula)} ({quanti} minuti)", f"{', '.join(a_casa)} ({altri} minuti)"))
        return [tabella(("Ora", "Capitolo", "Domanda per cominciare", "In aula", "A casa"), righe, (6, 10, 34, 25, 25))]


class Esercizi(Directive):
    """Ogni esercizio, con il suo errore più comune."""

    def run(self):
        righe = [(numero, e.title, e.kind, "★" * e.stars, e.minutes, f"{e.misconceptions[0].name} ({len(e.misconceptions)})")
                 for numero, e in EXERCISES.items()]
        return [tabella(("", "Esercizio", "Tipo", "Stelle", "Minuti", "Un errore da aspettarsi"), righe, (7, 26, 18, 9, 10, 30))]


def setup(app):
    app.add_directive("piano-delle-lezioni", Piano)
    app.add_directive("esercizi-del-corso", Esercizi)
