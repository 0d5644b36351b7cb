"""Le figure del corso: entrano array, esce una figura di matplotlib.

    from attnkit import plots
    plots.relevance(trace)

============  ===================================================================
tela          colori, carattere, e i pezzi comuni a ogni figura
panoramica    capitolo 1
proiezioni    capitolo 2
rilevanza     capitolo 3
combinazione  capitolo 4
============  ===================================================================

Ogni figura porta con sé un testo alternativo che dice che cosa mostra.
"""

from attnkit.plots.combinazione import cost, hull, push, values, weight_and_contribution, weighted
from attnkit.plots.panoramica import compare_rows, self_attention, weight_table
from attnkit.plots.proiezioni import enriched, path, q_k_v
from attnkit.plots.rilevanza import imitations, relevance, scale, scores_to_weights, temperature
from attnkit.plots.tela import CourseFigure, number, percent

__all__ = ["CourseFigure", "compare_rows", "cost", "enriched", "hull", "imitations", "number", "path", "percent", "push", "q_k_v",
           "relevance", "scale", "scores_to_weights", "self_attention", "temperature", "values", "weight_and_contribution",
           "weight_table", "weighted"]
