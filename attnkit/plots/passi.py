"""I processi un passo alla volta: tabelle che si sfogliano, senza codice e senza immagini.

Ogni passo è una tabella di testo. A sfogliare bastano i pulsanti di scelta del browser e qualche riga di stile: così la
stessa uscita va bene sul sito, in JupyterLab, in Colab e sulla carta, dove i passi si vedono tutti insieme, e nbval la confronta
alla lettera. Dove lo stile non passa, come su GitHub, i passi restano uno sotto l'altro.
"""

import hashlib
from html import escape
from math import exp

from attnkit.plots.tela import number

_STYLE = """
#ID{border:0;margin:0;padding:0;min-width:0}
#ID>legend{float:none;font-size:1em;font-weight:600;margin:0 0 .4em;width:auto}
#ID>figure{margin:.5em 0;padding:0}
#ID figcaption{color:inherit;font-weight:400;margin:0 0 .5em;max-width:none;min-height:3.2em;padding:0;text-align:left}
#ID table{border-collapse:collapse;font-size:.86em;font-variant-numeric:tabular-nums;margin:0}
#ID :is(th,td){background:none;border:0;border-bottom:1px solid #8886;color:inherit;font-weight:400;padding:.25em .4em;text-align:right;vertical-align:bottom;white-space:nowrap}
#ID tr>:first-child{padding-left:0;text-align:left}
#ID thead th{border-bottom:2px solid;font-weight:600}
#ID .qui{background:#e3af4a55;font-weight:600}
@media screen and (max-width:500px){
#ID table{font-size:.8em}
#ID :is(th,td){padding:.25em .22em}
}
@media screen{
#ID>input{appearance:none;height:1px;margin:0;opacity:0;position:absolute;width:1px}
#ID>label{border:1px solid #888;border-radius:.4em;cursor:pointer;display:inline-block;margin:0 .3em .3em 0;min-width:2.2em;padding:.25em .5em;text-align:center}
#ID>input:checked+label{background:#e3af4a55;border-color:currentColor;font-weight:700}
#ID>input:focus-visible+label{outline:3px solid;outline-offset:2px}
#ID>figure{display:none}
SHOW{display:block}
}
@media print{
#ID{display:grid;gap:0 1.5em;grid-template-columns:repeat(2,minmax(0,1fr))}
#ID>:is(input,label){display:none}
#ID>figure{break-inside:avoid}
}"""


class Steps:
    """I passi di un processo, da mostrare in un notebook.

    Args:
        title: di che cosa sono i passi.
        frames: una tabella per passo, come le scrive `table`.
        captions: una frase per passo, che si legge da sola.

    Raises:
        ValueError: se le frasi non sono tante quante le tabelle, o non ce n'è nessuna.
    """

    def __init__(self, title, frames, captions):
        if not frames or len(frames) != len(captions):
            raise ValueError(f"steps: mi aspettavo una frase per passo, ho trovato {len(frames)} passi e {len(captions)} frasi")
        self.title, self.frames, self.captions = title, list(frames), list(captions)

    def _repr_html_(self):
        count, body = len(self.frames), repr((self.title, self.frames, self.captions))
        name = "passi-" + hashlib.sha256(body.encode()).hexdigest()[:8]      # sempre lo stesso, e diverso per passi diversi
        show = ",\n".join(f"#{name}-{n}:checked~figure:nth-of-type({n})" for n in range(1, count + 1))
        lines = [f'<fieldset id="{name}">', "<style>" + _STYLE.replace("SHOW", show).replace("#ID", f"#{name}") + "\n</style>", f"<legend>{escape(self.title)}</legend>"]
        for n, caption in enumerate(self.captions, 1):
            lines.append(f'<input type="radio" name="{name}" id="{name}-{n}" aria-label="Passo {n} di {count}. {escape(caption)}"{" checked" * (n == 1)}>'
                         f'<label for="{name}-{n}">{n}</label>')
        for n, (frame, caption) in enumerate(zip(self.frames, self.captions), 1):
            lines.append(f"<figure><figcaption>{n}. {escape(caption)}</figcaption>{frame}</figure>")
        return "\n".join([*lines, "</fieldset>"])

    def __repr__(self):
        return "\n".join([f"{self.title}:", *(f"{n}. {caption}" for n, caption in enumerate(self.captions, 1))])


def table(header, rows, marked=()):
    """Una tabella HTML; la prima colonna intesta le righe, e `marked` dice quali caselle (riga, colonna) sono in risalto."""
    def cell(i, j, text):
        tag, side = ("th", ' scope="row"') if j == 0 else ("td", "")
        return f'<{tag}{side}{" class=qui" * ((i, j) in marked)}>{escape(str(text))}</{tag}>'

    head = "".join(f'<th scope="col">{escape(str(text))}</th>' for text in header)
    body = "".join("<tr>" + "".join(cell(i, j, text) for j, text in enumerate(row)) + "</tr>\n" for i, row in enumerate(rows))
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def softmax_steps(tokens, scores):
    """La softmax di una riga, un'operazione alla volta: massimo, esponenziali, somma che corre, pesi.

    Args:
        tokens: le etichette delle key.
        scores: i loro punteggi, tutti finiti.

    Returns:
        Gli `Steps`, cinque. Capitolo 3.
    """
    scores = [float(s) for s in scores]
    top = max(scores)
    exponentials = [exp(s - top) for s in scores]
    sums = [sum(exponentials[:j + 1]) for j in range(len(scores))]
    columns = [scores, [s - top for s in scores], exponentials, sums, [e / sums[-1] for e in exponentials]]
    best = scores.index(top)
    captions = [f"I punteggi. Il più alto è {number(top)}, di «{tokens[best]}».",
                "A tutti si toglie il massimo: le differenze restano le stesse, e il più alto diventa zero.",
                "L’esponenziale di ciascuno. Ora sono tutti positivi, e il più alto vale uno.",
                f"Gli esponenziali si sommano, uno dopo l’altro. In fondo la somma è {number(sums[-1])}.",
                f"Ogni esponenziale si divide per quella somma: sono i pesi, e insieme fanno uno. A «{tokens[best]}» tocca {number(columns[-1][best])}."]
    frames = []
    for step in range(len(columns)):
        rows = [[token, *(_short(column[j]) if n <= step else "" for n, column in enumerate(columns))] for j, token in enumerate(tokens)]
        marked = {(best, 1)} if step == 0 else {(j, step + 1) for j in range(len(tokens))}
        frames.append(table(["token", "punt.", "− max", "exp", "somma", "peso"], rows, marked))
    return Steps("La softmax di una riga", frames, captions)


def window_steps(tokens, mask):
    """Una finestra che scorre: che cosa vede ogni token, e chi esce dalla vista.

    Args:
        tokens: le etichette.
        mask: booleani (T, T), causale, True = visibile.

    Returns:
        Gli `Steps`, uno per token. Capitolo 8.
    """
    seen = [[j for j in range(len(tokens)) if mask[i][j]] for i in range(len(tokens))]
    frames, captions = [], []
    for i, token in enumerate(tokens):
        gone = [tokens[j] for j in (seen[i - 1] if i else []) if j not in seen[i]]
        others = [tokens[j] for j in seen[i] if j != i]
        captions.append(f"«{token}» vede {', '.join(others)}{' e ' * bool(others)}sé stesso. " + (f"Esce dalla vista «{', '.join(gone)}»." if gone else "Non è ancora uscito nessuno."))
        rows = [[f"{r} {t}", *(("sì" if mask[r][j] else "no") if j <= r <= i else "" for j in range(len(tokens)))] for r, t in enumerate(tokens)]
        frames.append(table(["chi guarda", *range(len(tokens))], rows, {(i, j + 1) for j in seen[i]}))
    return Steps("Chi vede chi, un token alla volta", frames, captions)


def ring_steps(run, places):
    """L'anello un passo alla volta: chi ha in mano che cosa, e quante coppie calcola.

    Args:
        run: una `Simulation`.
        places: le posizioni che tiene ogni dispositivo.

    Returns:
        Gli `Steps`, uno per passo dell'anello. Capitolo 9.
    """
    frames, captions = [], []
    for n in range(run.ranks):
        now = [s for s in run.steps if s.step == n]
        waits = [str(s.rank) for s in now if not s.pairs]
        most = max(s.pairs for s in now)
        captions.append(("Ciascuno comincia dalle proprie key e value. " if n == 0 else "Key e value sono passati al vicino. ")
                        + (f"Aspetta: {', '.join(waits)}." if waits else "Lavorano tutti" + (", e finiscono insieme." if {s.pairs for s in now} == {most} else ", ma qualcuno finisce prima.")))
        rows = [[s.rank, ", ".join(map(str, (int(p) for p in places[s.rank]))), f"K{s.holds} V{s.holds}", s.pairs or "aspetta"] for s in now]
        frames.append(table(["disp.", "token", "in mano", "coppie"], rows, {(s.rank, 3) for s in now if s.pairs}))
    return Steps("L’anello, un passo alla volta", frames, captions)


def _short(value):
    """Due cifre; un numero positivo non si scrive mai come zero."""
    return "< 0,01" if 0 < value < 0.005 else number(value)
