"""Le formule: nella pagina sta il loro sorgente LaTeX, che KaTeX disegna nel browser.

KaTeX è in `_static/katex`, quindi nessuna pagina chiede nulla ad altri siti. `formule.js` disegna ogni
formula appena il browser la legge, prima di mostrarla: chi legge non vede mai il sorgente. Accanto al disegno
KaTeX mette il MathML, che è ciò che leggono gli screen reader.
"""

from sphinx.util.math import get_node_equation_number
from docutils import nodes

STILE = "katex/katex.min.css"
SCRIPT = ("katex/katex.min.js", "js/formule.js")


def visita_in_linea(traduttore, nodo):
    traduttore.body.append(traduttore.starttag(nodo, "span", "", CLASS="formula"))
    traduttore.body.append(f"{traduttore.encode(nodo.astext())}</span>")
    raise nodes.SkipNode


def visita_in_riquadro(traduttore, nodo):
    traduttore.body.append(traduttore.starttag(nodo, "div", "", CLASS="formula-a-parte"))
    if nodo.get("number"):
        traduttore.body.append(f'<span class="eqno">({get_node_equation_number(traduttore, nodo)})</span>')
    traduttore.body.append(f'<span class="formula" data-a-parte>{traduttore.encode(nodo.astext())}</span></div>\n')
    raise nodes.SkipNode


def aggiungi_katex(app, nome, modello, contesto, albero):
    """Carica KaTeX solo dove c'è almeno una formula."""
    if app.env.get_domain("math").has_equations(nome):
        app.add_css_file(STILE, priority=400)
        for script in SCRIPT:
            # Senza «defer», di proposito: devono essere pronti prima della prima formula.
            app.add_js_file(script, priority=400)


def setup(app):
    app.add_html_math_renderer("katex", (visita_in_linea, None), (visita_in_riquadro, None))
    app.connect("html-page-context", aggiungi_katex)
