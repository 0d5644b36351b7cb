"""La mini-lingua italiana del corso, e le sue varianti.

============  ===================================================================
concordanza   il finale concorda con il soggetto o con l'oggetto: l'esempio del corso
eco           la risposta ripete due nomi insieme, nell'ordine chiesto (capitolo 5)
lunghe        la concordanza, con degli avverbi che spostano i posti (capitolo 6)
ricordo       ritrovare in un elenco il colore di un animale (capitolo 7)
============  ===================================================================
"""

from attnkit.language.concordanza import (ARTICLES, ENDINGS, EXAMPLE, FORM, NEUTRAL, NOUNS, STEMS, VERBS, VOCABULARY, batch,
                                          encode, noun_pairs, sample, split_words, surprise_floor)
from attnkit.language.eco import ANIMALS, ECHO_VOCABULARY, ECHOES, ORDERS, echo_sentences
from attnkit.language.lunghe import ADVERBS, LONG_VOCABULARY, long_batch
from attnkit.language.ricordo import COLORS, RECALL_VOCABULARY, REMEMBERED, recall_batch

__all__ = ["ADVERBS", "ANIMALS", "ARTICLES", "COLORS", "ECHOES", "ECHO_VOCABULARY", "ENDINGS", "EXAMPLE", "FORM", "LONG_VOCABULARY", "NEUTRAL",
           "NOUNS", "ORDERS", "RECALL_VOCABULARY", "REMEMBERED", "STEMS", "VERBS", "VOCABULARY", "batch", "echo_sentences", "encode",
           "long_batch", "noun_pairs", "recall_batch", "sample", "split_words", "surprise_floor"]
