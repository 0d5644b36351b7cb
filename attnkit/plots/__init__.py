"""Le figure del corso: entrano array, esce una figura di matplotlib.

    from attnkit import plots
    plots.relevance(trace)

============  ===================================================================
tela          colori, carattere, e i pezzi comuni a ogni figura
panoramica    capitolo 1
proiezioni    capitolo 2
rilevanza     capitolo 3
combinazione  capitolo 4
piu_head      capitolo 5
imparata      capitolo 6
memoria       capitolo 7
sparsa        capitolo 8
anello        capitolo 9
modello       capitolo 10
passi         capitoli 3, 8 e 9: tabelle che si sfogliano, un passo alla volta
============  ===================================================================

Ogni figura porta con sé un testo alternativo che dice che cosa mostra; i passi sono già testo.
"""

from attnkit.plots.anello import ring, shifts
from attnkit.plots.combinazione import cost, hull, push, values, weight_and_contribution, weighted
from attnkit.plots.imparata import cheating, composition, lengths, loss_curve, moments, weight_and_effect
from attnkit.plots.memoria import latent, roofline, sharing, size_dots, step_times
from attnkit.plots.modello import llama, shares, turning, waves
from attnkit.plots.panoramica import compare_rows, self_attention, weight_table
from attnkit.plots.passi import Steps, ring_steps, softmax_steps, window_steps
from attnkit.plots.piu_head import combining, head_tables, seeds, split_heads
from attnkit.plots.proiezioni import enriched, path, q_k_v
from attnkit.plots.rilevanza import imitations, relevance, scale, scores_to_weights, temperature
from attnkit.plots.sparsa import grids, growth, stack
from attnkit.plots.tela import CourseFigure, number, percent

__all__ = ["Steps", "ring_steps", "softmax_steps", "window_steps", "llama", "shares", "turning", "waves", "ring", "shifts", "stack", "growth", "grids", "CourseFigure", "cheating", "combining", "compare_rows", "composition", "cost", "enriched", "head_tables", "hull", "imitations",
           "latent", "lengths", "loss_curve", "moments", "number", "path", "percent", "push", "q_k_v", "relevance", "roofline", "scale",
           "scores_to_weights", "seeds", "self_attention", "sharing", "size_dots", "split_heads", "step_times", "temperature", "values",
           "weight_and_contribution", "weight_and_effect", "weight_table", "weighted"]
