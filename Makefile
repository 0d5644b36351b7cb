# I comandi del corso. Funziona anche con il make 3.81 di macOS.
# Chi non ha make trova nel README gli stessi passi, uno per uno.

ifeq ($(OS),Windows_NT)
PYTHON ?= py
else
PYTHON ?= python3
endif

# Prepara l'ambiente, se serve, e ci esegue dentro il resto della riga.
CORSO = $(PYTHON) strumenti/ambiente.py

.PHONY: aiuto sito leggi test lab pdf dispensa compiti notebook repository immagini pesi colab minime nuove controlli ambiente pulisci

aiuto:
	@echo "make sito         prepara l'ambiente, esegue i notebook e costruisce il sito"
	@echo "make leggi        apre il sito nel browser"
	@echo "make test         esegue tutte le prove, notebook compresi"
	@echo "make lab          apre i notebook in JupyterLab"
	@echo ""
	@echo "Per chi insegna:"
	@echo "make pdf          stampa il corso intero, in _build/pdf"
	@echo "make dispensa     raccoglie gli esercizi, in _build/dispensa; SOLUZIONI=1, SUGGERIMENTI=1"
	@echo "make compiti      prepara i capitoli come compiti di nbgrader, con i punti"
	@echo ""
	@echo "Per chi scrive:"
	@echo "make notebook     riesegue e normalizza tutti i notebook"
	@echo "make immagini     ridisegna le figure di images/ e l'anteprima del sito"
	@echo "make pesi         riaddestra i modelli del corso e ne salva i pesi"
	@echo "make colab        esegue ogni notebook da solo, come in Colab (un quarto d'ora)"
	@echo "make minime       prova attnkit con le versioni più vecchie che ammette"
	@echo "make nuove        prova attnkit con le ultime versioni pubblicate"
	@echo "make controlli    controlla i workflow e le falle note dei pacchetti"
	@echo "make repository URL=https://github.com/nome/repository"
	@echo "                  scrive l'indirizzo del corso in _config.yml e nei notebook"
	@echo "make pulisci      toglie il sito costruito"
	@echo ""
	@echo "Con un altro Python: make sito PYTHON=python3.12"

ambiente:
	@$(CORSO)

sito:
	@$(CORSO) strumenti/sito.py

leggi:
	@$(CORSO) strumenti/sito.py --leggi

test:
	@$(CORSO) strumenti/prove.py

lab:
	@$(CORSO) -m jupyterlab chapters

pdf:
	@$(CORSO) strumenti/libro.py

dispensa:
	@$(CORSO) strumenti/dispensa.py $(if $(SUGGERIMENTI),--suggerimenti) $(if $(SOLUZIONI),--soluzioni)

compiti:
	@$(CORSO) strumenti/compiti.py

notebook:
	@$(CORSO) strumenti/notebook.py

repository:
	@$(CORSO) strumenti/repository.py '$(URL)'

immagini:
	@$(CORSO) strumenti/immagini.py
	@$(CORSO) strumenti/anteprima.py
	@$(CORSO) strumenti/vista.py

pesi:
	@$(CORSO) -m attnkit.toy

# Questi si fanno un ambiente ciascuno, accanto a quello del corso.
colab:
	@$(PYTHON) strumenti/colab.py

minime:
	@$(PYTHON) strumenti/versioni.py minime

nuove:
	@$(PYTHON) strumenti/versioni.py nuove

controlli:
	@$(PYTHON) strumenti/controlli.py

pulisci:
	@rm -rf _build
