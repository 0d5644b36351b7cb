"""Llama intero: il modello, i pesi pubblicati, la generazione.

===========  ==================================================================
modello      Llama: embedding, blocchi, norma, logit
pesi         da config.json e safetensors al modello
generazione  un token alla volta
===========  ==================================================================

    python -m attnkit.llama CARTELLA "domanda"
"""

from attnkit.llama.modello import Block, Llama
from attnkit.llama.pesi import find, read_config

__all__ = ["Block", "Llama", "find", "read_config"]
