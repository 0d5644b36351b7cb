"""Ciò che il sito del corso chiede e che Jupyter Book, da sé, non fa.

Ogni modulo si occupa di una cosa sola e la registra con la propria funzione `setup`:

- `formule`: le formule, disegnate da KaTeX che viaggia con il sito;
- `italiano`: le parole dell'interfaccia che i temi lasciano in inglese;
- `repository`: i collegamenti a GitHub e a Colab, mostrati solo quando portano da qualche parte;
- `riquadri`: le citazioni che cominciano con una parola in grassetto, come «Precisazione.»;
- `tabelle`: le intestazioni di riga, che il Markdown non sa scrivere;
- `tipografia`: l'apostrofo italiano;
- `figure`: le dimensioni delle immagini, perché la pagina non salti mentre si carica;
- `anteprima`: ciò che si vede di una pagina quando se ne condivide l'indirizzo;
- `data`: la data dell'ultima modifica, presa da git;
- `non_trovata`: la pagina 404, con gli indirizzi che partono dalla radice del sito;
- `laboratorio`: i pesi e le parole con cui la pagina del laboratorio calcola dal vivo;
- `modelli`: le misure dei modelli aperti, per i conti del laboratorio;
- `insegnare`: le tabelle della pagina per chi insegna, dai dati degli esercizi;
- `risorse`: ogni pagina carica solo gli script e gli stili che le servono.

Le parti di pagina riscritte rispetto al tema stanno in `_templates`.
"""

from . import (anteprima, data, figure, formule, insegnare, italiano, laboratorio, modelli, non_trovata, repository,
               riquadri, risorse, tabelle, tipografia)

MODULI = (formule, italiano, repository, riquadri, tabelle, tipografia, figure, anteprima, data, non_trovata,
          laboratorio, modelli, insegnare, risorse)


def setup(app):
    for modulo in MODULI:
        modulo.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
