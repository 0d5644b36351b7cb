"""Disegna le figure di images/, con i nomi degli appunti, dalla frase d'esempio.

    make immagini                                                  # le ridisegna
    python3 strumenti/ambiente.py strumenti/immagini.py --verifica # dice quali non sono aggiornate

Sono le stesse figure dei capitoli, prese dalle stesse funzioni di attnkit.plots.
"""

import argparse
import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.image import imread

from attnkit import plots
from attnkit.config import LLAMA_3_1_8B
from attnkit.costs import kv_cache_bytes
from attnkit.language import ECHO_VOCABULARY, encode
from attnkit.llama import Llama
from attnkit.masks import block_local, causal, fixed, sliding_window, strided
from attnkit.reference import attention
from attnkit.ring import simulate
from attnkit.toy import load_echoes, load_weights, rms_norm, trace

IMMAGINI = Path(__file__).resolve().parent.parent / "images"
SEME = 15                                                     # il modello con due head del capitolo 5


def figure() -> dict:
    """Ogni nome degli appunti con la sua figura."""
    esempio, pesi = trace(), load_weights()
    eco = due_head("la gatta insegue il topo indietro")
    return {
        "self-attention-1.png": plots.self_attention(esempio),
        "q-k-v.png": plots.q_k_v(esempio, (pesi["Wq"], pesi["Wk"], pesi["Wv"])),
        "enriched.png": plots.enriched(esempio),
        "relevance.png": plots.relevance(esempio),
        "values.png": plots.values(esempio.tokens, esempio.weights[-1], esempio.V),
        "weighted.png": plots.weighted(esempio.tokens, esempio.weights[-1], esempio.V),
        "combining.png": plots.combining(*eco),
        "mqa.png": plots.sharing(8, [("MHA", 8, cache(8)), ("MQA", 1, cache(1))]),
        "sparse.png": plots.stack(esempio.tokens, [("finestra di 3", sliding_window(7, 3)), ("tutto il passato", causal(7))] * 2, 6),
        "attend.png": plots.grids([("tutto il passato", causal(7).astype(int)), ("finestra di 3", sliding_window(7, 3).astype(int))],
                                  rows=esempio.tokens, columns=esempio.tokens),
        "sparse-attention.png": plots.grids(
            [("tutto il passato", causal(16).astype(int)), ("strided", strided(16, 4).astype(int) + (strided(16, 4) & ~sliding_window(16, 4))),
             ("fixed", fixed(16, 4).astype(int) + (fixed(16, 4) & ~block_local(16, 4)))], legend=("vicini", "lontani: colonne e riassunti")),
        "ring-attention.png": plots.ring(simulate(*torch.zeros(3, 1, 1, 16, 1), ranks=4, causal=False, layout="contiguous")),
        "llama3.png": plots.llama(LLAMA_3_1_8B, parti(LLAMA_3_1_8B)),
        "gqa.png": plots.sharing(8, [("MHA", 8, cache(8)), ("GQA", 2, cache(2)), ("MQA", 1, cache(1))]),
    }


def parti(config) -> dict:
    """I parametri di ogni pezzo di un modello, contati su tensori senza contenuto."""
    with torch.device("meta"):
        modello = Llama(replace(config, n_layers=1))
    pezzi = {"embedding": modello.embedding, "attenzione": modello.blocks[0].attention, "feed-forward": modello.blocks[0].feed_forward,
             "norma": modello.norm, "logit": modello.output}
    return {nome: sum(p.numel() for p in pezzo.parameters()) for nome, pezzo in pezzi.items()}


def cache(n_kv_heads: int) -> str:
    """Quanto occupa un token nella cache di un modello con 32 layer e 8 query head larghe 128."""
    config = replace(LLAMA_3_1_8B, n_heads=8, n_kv_heads=n_kv_heads, head_dim=128)
    return f"{kv_cache_bytes(config, 1) // 1024} KiB per token"


def due_head(frase: str) -> tuple:
    """I token di un'eco e, per ogni head, i pesi, l'uscita e l'aggiunta dell'ultimo token."""
    p, token = load_echoes(2)[SEME].arrays(), frase.split()
    x = p["embedding"][encode(token, ECHO_VOCABULARY)] + p["position"][:len(token)]
    q, k, v = ((rms_norm(x, p["norm"]) @ p[nome]).reshape(len(token), 2, 4).transpose(1, 0, 2) for nome in ("Wq", "Wk", "Wv"))
    uscite, pesi = attention(q, k, v, mask=causal(len(token)))
    return token, pesi[:, -1], uscite[:, -1], (uscite @ p["Wo"].reshape(2, 4, 8))[:, -1]


def differenza(primo: bytes, secondo: bytes) -> float:
    """La differenza media fra due PNG, da 0 a 1; 1 se hanno dimensioni diverse."""
    a, b = (imread(io.BytesIO(png)) for png in (primo, secondo))
    return 1.0 if a.shape != b.shape else float(np.abs(a - b).mean())


def non_aggiornate() -> list[str]:
    """I nomi che mancano, che sono di troppo o che non somigliano più alla figura disegnata ora."""
    attese = figure()
    presenti = {percorso.name for percorso in IMMAGINI.glob("*")}
    diverse = [nome for nome, disegno in attese.items()
               if nome in presenti and differenza((IMMAGINI / nome).read_bytes(), disegno.png()) > 1e-3]
    return sorted(diverse + [*(set(attese) ^ presenti)])


def main(argomenti=None) -> int:
    parser = argparse.ArgumentParser(description="Disegna le figure di images/.")
    parser.add_argument("--verifica", action="store_true", help="non scrive nulla: dice quali non sono aggiornate")
    if parser.parse_args(argomenti).verifica:
        vecchie = non_aggiornate()
        print("Da rifare con «make immagini»: " + ", ".join(vecchie) if vecchie else "Le figure sono aggiornate.")
        return bool(vecchie)
    IMMAGINI.mkdir(exist_ok=True)
    for nome, disegno in figure().items():
        (IMMAGINI / nome).write_bytes(disegno.png())
        print(f"images/{nome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
