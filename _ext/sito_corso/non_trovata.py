"""La pagina 404, che il server mostra a qualunque profondità: i suoi indirizzi partono dalla radice del sito.

La costruisce sphinx-notfound-page, dal modello `_templates/404.html`. Qui le si dice qual è la radice: su GitHub
Pages, il nome del repository. Chi serve il sito su questo computer la legge da `data-content_root`.
"""


def radica(app, config):
    config.notfound_urls_prefix = config.repository_del_corso.radice


def dichiara_la_radice(app, nome, modello, contesto, albero):
    if nome == app.config.notfound_pagename:
        contesto["content_root"] = app.config.notfound_urls_prefix


def setup(app):
    app.setup_extension("notfound.extension")
    app.connect("config-inited", radica, priority=600)  # dopo che `repository` ha letto l'indirizzo
    app.connect("html-page-context", dichiara_la_radice)
