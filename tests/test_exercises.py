"""Ogni esercizio mantiene ciò che promette: il riferimento passa, ogni errore noto è chiamato per nome."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from attnkit.exercises import EXERCISES, autoverifica, check

ALL = [pytest.param(exercise, id=exercise.id) for exercise in EXERCISES.values()]
MISTAKES = [pytest.param(exercise, mistake, id=f"{exercise.id} {mistake.name}")
            for exercise in EXERCISES.values() for mistake in exercise.misconceptions]


@pytest.mark.parametrize("exercise", ALL)
def test_the_reference_passes(exercise):
    result = check(exercise.id, exercise.reference)
    assert result.passed and result.status == "giusto", result.message
    autoverifica(exercise)


@pytest.mark.parametrize("exercise, mistake", MISTAKES)
def test_each_misconception_is_named_and_explained(exercise, mistake):
    result = check(exercise.id, mistake.wrong)
    assert not result.passed and result.status == "sbagliato"
    assert result.misconception == mistake.name
    squeeze = "".join(result.message.split())
    assert "".join(mistake.explanation.split()) in squeeze


@pytest.mark.parametrize("exercise", ALL)
def test_an_untouched_stub_is_to_be_completed(exercise):
    def stub(*arguments):
        """Da scrivere."""
        raise NotImplementedError

    assert check(exercise.id, stub).status == "da completare"


@pytest.mark.parametrize("chapter", sorted({id.split(".")[0] for id in EXERCISES}))
def test_every_chapter_has_the_kinds_it_must_have(chapter):
    exercises = [exercise for id, exercise in EXERCISES.items() if id.split(".")[0] == chapter]
    assert len(exercises) >= 4
    assert {"prevedi", "trova il bug"} <= {exercise.kind for exercise in exercises}
    assert [exercise.id for exercise in exercises] == [f"{chapter}.{n + 1}" for n in range(len(exercises))]
    assert all(len(exercise.misconceptions) >= 3 for exercise in exercises)


def test_no_constant_answers_a_question_with_inputs():
    for exercise in EXERCISES.values():
        inputs = exercise.inputs(np.random.default_rng(0))
        if inputs[0]:
            first = exercise.reference(*inputs[0])
            assert not check(exercise.id, lambda *arguments: first).passed, exercise.id


def rows_by_hand(tabella):
    return [[value / sum(row) for value in row] for row in tabella.tolist()]


def projection_by_hand(X, W):
    return [[sum(x * w for x, w in zip(row, column)) for column in W.T] for row in X]


def causal_weights_by_hand(punteggi):
    rows = []
    for i, row in enumerate(punteggi.tolist()):
        top = max(row[:i + 1])
        exponentials = [math.exp(s - top) for s in row[:i + 1]]
        rows.append([e / sum(exponentials) for e in exponentials] + [0.0] * (len(row) - i - 1))
    return rows


def masked_weights_by_hand(punteggi, maschera):
    rows = []
    for row, visible in zip(punteggi.tolist(), maschera.tolist()):
        top = max((s for s, seen in zip(row, visible) if seen), default=0)
        exponentials = [math.exp(s - top) if seen else 0.0 for s, seen in zip(row, visible)]
        rows.append([e / (sum(exponentials) or 1) for e in exponentials])
    return rows


def causal_like(scores, mask):
    return np.array(masked_weights_by_hand(scores, mask))


def layer_from_torch(X, Wq, Wk, Wv, Wo, n_heads):
    layer = torch.nn.MultiheadAttention(X.shape[1], n_heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.from_numpy(np.concatenate([Wq.T, Wk.T, Wv.T])))
        layer.out_proj.weight.copy_(torch.from_numpy(Wo.T))
    x = torch.from_numpy(X)[None]
    hidden = torch.ones(len(X), len(X)).triu(1).bool()
    return layer(x, x, x, attn_mask=hidden, need_weights=False)[0][0].detach()


def gradient_from_torch(pesi, V, g):
    scores = torch.from_numpy(np.log(pesi)).requires_grad_()
    (scores.softmax(-1) @ torch.from_numpy(V) @ torch.from_numpy(g)).backward()
    return scores.grad


def step_from_torch(logit, bersaglio, lr):
    logits = torch.tensor(logit, requires_grad=True)
    torch.nn.functional.cross_entropy(logits[None], torch.tensor([bersaglio])).backward()
    return logits.detach() - lr * logits.grad


def heads_one_by_one(Q, K, V, Wo, tolta):
    H, T, Dh = V.shape
    total = np.zeros((T, Wo.shape[1]))
    for h in range(H):
        if h != tolta:
            weights = np.array(causal_weights_by_hand(Q[h] @ K[h].T / math.sqrt(Dh)))
            total += weights @ V[h] @ Wo[h * Dh:(h + 1) * Dh]
    return total


def decode_from_torch(q, k, v, K, V):
    K, V = torch.from_numpy(np.vstack([K, k])), torch.from_numpy(np.vstack([V, v]))
    return torch.nn.functional.scaled_dot_product_attention(torch.from_numpy(q)[None, None, None], K[None, None], V[None, None])[0, 0, 0], K, V


def grouped_head_by_head(Q, K, V):
    out = []
    for h, head in enumerate(Q):
        shared = h // (len(Q) // len(K))
        out.append(np.array(causal_weights_by_hand(head @ K[shared].T / math.sqrt(head.shape[1]))) @ V[shared])
    return out


def fixed_block_by_block(T, stride, summary):
    mask = torch.zeros(T, T)
    for start in range(0, T, stride):
        end = min(start + stride, T)
        mask[start:end, start:end] = torch.ones(end - start, end - start).tril()
        mask[end:, end - summary:end] = 1
    return mask


def window_by_hand(Q, K, V, window):
    rows = []
    for i, q in enumerate(Q.tolist()):
        seen = [j for j in range(len(K)) if 0 <= i - j < window]
        exponentials = [math.exp(sum(a * b for a, b in zip(q, K[j].tolist())) / math.sqrt(len(q))) for j in seen]
        rows.append([sum(e * V[j][d] for e, j in zip(exponentials, seen)) / sum(exponentials) for d in range(V.shape[1])])
    return rows


def window_from_views(Q, K, V, window):
    before = torch.full((window - 1,), -torch.inf, dtype=torch.float64)
    Q, K, V = (torch.from_numpy(X) for X in (Q, K, V))
    K, V = (torch.nn.functional.pad(X, (0, 0, window - 1, 0)).unfold(0, window, 1) for X in (K, V))     # (T, D, window)
    hidden = torch.cat([before, torch.zeros(len(Q), dtype=torch.float64)]).unfold(0, window, 1)
    weights = (torch.einsum("td,tdw->tw", Q, K) / Q.shape[1] ** 0.5 + hidden).softmax(-1)
    return torch.einsum("tw,tdw->td", weights, V)


def window_by_slices(Q, K, V, window, start=lambda i, window: i - window + 1, weigh=lambda s: np.exp(s - s.max())):
    out = np.zeros_like(V)
    for i, q in enumerate(Q):
        seen = slice(start(i, window), i + 1)
        weights = weigh(K[seen] @ q / np.sqrt(len(q)))
        out[i] = weights / weights.sum() @ V[seen]
    return out


def merge_from_torch(a, la, b, lb):
    both = torch.from_numpy(np.stack([la, lb]))
    return (both.softmax(0)[..., None] * torch.from_numpy(np.stack([a, b]))).sum(0), both.logsumexp(0)


def merge_by_hand(a, la, b, lb):
    rows, lse = [], []
    for x, y, p, q in zip(a.tolist(), b.tolist(), la, lb):
        top = max(p, q)
        left, right = math.exp(p - top), math.exp(q - top)
        rows.append([(left * u + right * v) / (left + right) for u, v in zip(x, y)])
        lse.append(top + math.log(left + right))
    return rows, lse


def flash_by_blocks(Q, K, V, block, hidden=-np.inf, start=-np.inf, keys=lambda first, block: range(0, first + 1, block)):
    out = np.zeros_like(V)
    for first in range(0, len(Q), block):
        q = Q[first:first + block]
        top, total, weighted = np.full(len(q), start), np.zeros(len(q)), np.zeros((len(q), V.shape[1]))
        for other in keys(first, block):
            k = K[other:other + block]
            scores = q @ k.T / math.sqrt(Q.shape[1])
            scores = np.where(other + np.arange(len(k)) > first + np.arange(len(q))[:, None], hidden, scores)
            new = np.maximum(top, scores.max(1))
            total = total * np.exp(top - new) + np.exp(scores - new[:, None]).sum(1)
            weighted = weighted * np.exp(top - new)[:, None] + np.exp(scores - new[:, None]) @ V[other:other + block]
            top = new
        out[first:first + block] = weighted / total[:, None]
    return out


def blocks_merged_in_torch(Q, K, V, block):
    Q, K, V = (torch.from_numpy(X) for X in (Q, K, V))
    rows = []
    for i, q in enumerate(Q):
        parts = [K[first:first + block][:i + 1 - first] @ q / len(q) ** 0.5 for first in range(0, i + 1, block)]
        weights = torch.stack([part.logsumexp(0) for part in parts]).softmax(0)
        rows.append(sum(w * (part.softmax(0) @ V[n * block:n * block + len(part)]) for n, (w, part) in enumerate(zip(weights, parts))))
    return torch.stack(rows)


def llama_norm(x, g, eps):
    return torch.nn.functional.rms_norm(torch.from_numpy(x), g.shape, torch.from_numpy(g), eps)


def swiglu_by_hand(x, W1, W2, W3):
    rows = []
    for token in x.tolist():
        gate, rest = ([sum(w * v for w, v in zip(row, token)) for row in W.tolist()] for W in (W1, W3))
        hidden = [z / (1 + math.exp(-z)) * r for z, r in zip(gate, rest)]
        rows.append([sum(w * h for w, h in zip(row, hidden)) for row in W2.tolist()])
    return rows


def rope_with_complex_numbers(x, posizioni, theta):
    half = x.shape[1] // 2
    turned = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * np.outer(posizioni, theta ** (-np.arange(half) / half)))
    return np.concatenate([turned.real, turned.imag], axis=1)


def rope_as_published(x, posizioni, theta):
    x, posizioni = torch.tensor(x, dtype=torch.float32), torch.tensor(posizioni)
    inverse = 1.0 / (theta ** (torch.arange(0, x.shape[1], 2).float() / x.shape[1]))
    angles = torch.cat([torch.outer(posizioni.float(), inverse)] * 2, dim=-1)
    a, b = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-b, a], dim=-1) * angles.sin()


def rope_by_hand(x, posizioni, theta):
    out = x.tolist()
    half = x.shape[1] // 2
    for row, place in zip(out, posizioni.tolist()):
        for p in range(half):
            angle, a, b = place / theta ** (2 * p / x.shape[1]), row[p], row[p + half]
            row[p], row[p + half] = a * math.cos(angle) - b * math.sin(angle), b * math.cos(angle) + a * math.sin(angle)
    return out


def rope_of_the_course(x, posizioni, theta):
    from attnkit.rope import Rope
    return Rope(x.shape[1], theta=theta)(torch.from_numpy(x), torch.from_numpy(posizioni))


def parameters_of_a_block(d_model, n_heads, n_kv_heads, head_dim, d_ff):
    with torch.device("meta"):
        shapes = [(n_heads * head_dim, d_model), (n_kv_heads * head_dim, d_model), (n_kv_heads * head_dim, d_model), (d_model, n_heads * head_dim)]
        shapes += [(d_ff, d_model), (d_model, d_ff), (d_ff, d_model), (d_model,), (d_model,)]
        return sum(torch.empty(shape).numel() for shape in shapes)


SHIFTED = ("query ruotate", "key nella cache", "value", "punteggi", "uscita")

WAITS = ("passi in cui lavora", "blocchi ricevuti senza maschera", "coppie del primo, in percentuale", "efficienza, in percentuale")


def edge_cut(T, i, j):
    mask = torch.ones(T, T).tril().bool()
    mask[i, j] = False
    return mask


@pytest.mark.parametrize("id, answer", [
    ("1.3", lambda pesi: np.array([divmod(int((pesi - 2 * np.eye(len(pesi))).argmax()), len(pesi))]).ravel()),
    ("1.5", lambda pesi, V: [sum((p * v) ** 2 for v in row) ** 0.5 for p, row in zip(pesi, V)]),
    ("1.5", lambda pesi, V: (torch.from_numpy(pesi)[:, None] * torch.from_numpy(V)).norm(dim=1)),
    ("1.4", rows_by_hand),
    ("1.4", lambda tabella: (tabella / tabella.sum(-1)[:, None]).astype(np.float32)),
    ("2.1", lambda T, D, Dh: {"pesi": [T, T], "Q": torch.Size([T, Dh]), "Wq": [D, Dh], "X": (T, D)}),
    ("2.2", projection_by_hand),
    ("2.2", lambda X, W: np.einsum("td,dh->th", X, W)),
    ("2.2", lambda X, W: torch.nn.functional.linear(torch.from_numpy(X), torch.from_numpy(W.T)).requires_grad_()),
    ("2.5", lambda uscita, ordine: np.stack([uscita[i] for i in ordine])),
    ("2.4", lambda X, Wq, Wk, Wv: [np.float32(X @ W) for W in (Wq, Wk, Wv)]),
    ("3.1", lambda: ["affamat-", "topo"]),
    ("3.3", lambda punteggi: torch.softmax(torch.from_numpy(punteggi), dim=-1)),
    ("3.3", lambda punteggi: [[1 / sum(math.exp(min(other - s, 700)) for other in row) for s in row] for row in punteggi.tolist()]),
    ("3.4", lambda Q, K: (lambda p: [np.var(p), np.var(p) / Q.shape[1]])(np.einsum("nd,nd->n", Q, K))),
    ("3.4", lambda Q, K: (lambda p: (p.var(correction=0), (p * Q.shape[1] ** -0.5).var(correction=0)))(
        (torch.from_numpy(Q) * torch.from_numpy(K)).sum(-1))),
    ("3.5", lambda X, Wq, Wk: [[sum((X[i] @ Wq[:, d]) * (X[j] @ Wk[:, d]) for d in range(Wq.shape[1])) / Wq.shape[1] ** 0.5
                                for j in range(len(X))] for i in range(len(X))]),
    ("3.6", causal_weights_by_hand),
    ("3.6", lambda punteggi: torch.from_numpy(punteggi).masked_fill(torch.ones(punteggi.shape).triu(1).bool(), -torch.inf).softmax(-1)),
    ("3.7", masked_weights_by_hand),
    ("3.7", lambda punteggi, maschera: torch.from_numpy(punteggi).masked_fill(~torch.from_numpy(maschera), -torch.inf).softmax(-1).nan_to_num()),
    ("3.8", lambda: np.array([[0.5, 0.5, 0], [0.333, 0.333, 0.334]])),
    ("4.1", lambda pesi, X, K, V: [[sum(p * v for p, v in zip(row, column)) for column in V.T] for row in pesi]),
    ("4.2", lambda: {"zero": "sì", "più lunga": "no", "fuori dai value": 0, "uguale a un value": 1, "flusso fuori": True}),
    ("4.3", lambda Q, K, V, maschera: torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(x) for x in (Q, K, V)), attn_mask=torch.from_numpy(maschera))),
    ("4.4", lambda x, uscita, Wo: np.stack([row + out @ Wo for row, out in zip(x, uscita)])),
    ("4.5", lambda pesi, V, Wo, direzione: [float(p * v @ (Wo @ direzione)) for p, v in zip(pesi, V)]),
    ("4.6", lambda T, Dk, Dv: np.array([2 * Dk, 2 * Dv]) * T ** 2),
    ("4.7", lambda pesi, V, g: (np.diag(pesi) - np.outer(pesi, pesi)) @ V @ g),
    ("4.7", gradient_from_torch),
    ("5.1", lambda X, n_heads: np.split(X, n_heads, axis=1)),
    ("5.1", lambda X, n_heads: torch.from_numpy(X).view(len(X), n_heads, -1).transpose(0, 1)),
    ("5.2", lambda uscite: np.concatenate(list(uscite), axis=1)),
    ("5.2", lambda uscite: np.einsum("htd->thd", uscite).reshape(uscite.shape[1], -1)),
    ("5.3", layer_from_torch),
    ("5.5", lambda: {"parametri": "no", "larghezza di una head": "sì", "numero di tabelle": True, "FLOP dei punteggi": False, "memoria dei pesi": 1}),
    ("5.4", lambda Q, K, maschere: np.stack([[causal_like(q @ k.T / np.sqrt(q.shape[1]), mask) for q, k in zip(Qb, Kb)]
                                             for Qb, Kb, mask in zip(Q, K, maschere)])),
    ("5.6", lambda: [16, 25.8 - 24.9]),
    ("6.1", lambda logit, token: torch.nn.functional.cross_entropy(torch.from_numpy(logit), torch.from_numpy(token[1:]))),
    ("6.1", lambda logit, token: sum(math.log(sum(math.exp(s) for s in row)) - row[t] for row, t in zip(logit, token[1:])) / len(logit)),
    ("6.2", step_from_torch),
    ("6.3", lambda frasi: [[row[:-1] for row in frasi.tolist()], [row[1:] for row in frasi.tolist()]]),
    ("6.4", lambda: {"toy: taglio gatta": "sì", "toy: taglio topo": "no", "senza norme: taglio perché": True, "senza norme: taglio topo": 0,
                     "senza norme: topo diventa rana": 1}),
    ("6.6", heads_one_by_one),
    ("6.5", lambda Q, K, V, i, j: torch.nn.functional.scaled_dot_product_attention(*(torch.from_numpy(x) for x in (Q, K, V)), attn_mask=edge_cut(len(Q), i, j))),
    ("6.7", lambda E, W, s: (np.concatenate([E, E[[s]]]), np.insert(W, W.shape[1], W[:, s], axis=1))),
    ("7.1", decode_from_torch),
    ("7.2", lambda n_layers, n_heads, n_kv_heads, head_dim, token, byte: float(np.prod([2, n_layers, n_kv_heads, head_dim, token, byte]))),
    ("7.3", lambda T, Hq, Hkv, Dh, b: [4 * T * Hq * Dh, 2 * T * Hkv * Dh * b, 2 * Hq / (Hkv * b)]),
    ("7.4", lambda Q, K, V: torch.nn.functional.scaled_dot_product_attention(*(torch.from_numpy(x)[None] for x in (Q, K, V)), is_causal=True, enable_gqa=True)[0]),
    ("7.4", grouped_head_by_head),
    ("7.5", lambda: {"byte della cache": 4.0, "byte letti a ogni passo": 4, "FLOP dell'attenzione": 1, "query head": 1, "tabelle di pesi": 1}),
    ("7.6", lambda: [5.39, 46.76]),
    ("8.1", lambda T, W: [[0 <= i - j < W for j in range(T)] for i in range(T)]),
    ("8.1", lambda T, W: torch.ones(T, T, dtype=torch.bool).tril().triu(1 - W)),
    ("8.1", lambda T, W: np.tri(T) - np.tri(T, k=-W)),
    ("8.2", lambda T, s: np.array([[j <= i and (i - j <= s or (i - j) % s == 0) for j in range(T)] for i in range(T)])),
    ("8.2", lambda T, s: [[int(j in range(max(0, i - s + 1), i + 1) or j in range(i, -1, -s)) for j in range(T)] for i in range(T)]),
    ("8.2", lambda T, s: torch.ones(T, T).tril().bool() & (torch.ones(T, T).triu(1 - s).bool() | (torch.arange(T)[:, None] % s == torch.arange(T) % s))),
    ("8.3", lambda T, s, c: np.array([[j <= i and (i // s == j // s or j % s in range(s - c, s)) for j in range(T)] for i in range(T)])),
    ("8.3", lambda T, s, c: [[i - i % s <= j <= i or (j < i and (j // s + 1) * s - j <= c) for j in range(T)] for i in range(T)]),
    ("8.3", fixed_block_by_block),
    ("8.4", lambda Q, K, V, W: torch.nn.functional.scaled_dot_product_attention(*(torch.from_numpy(x)[None, None] for x in (Q, K, V)), attn_mask=torch.ones(len(Q), len(Q), dtype=torch.bool).tril().triu(1 - W))[0, 0]),
    ("8.4", window_by_hand),
    ("8.4", window_from_views),
    ("8.4", lambda Q, K, V, W: window_by_slices(Q, K, V, W, start=lambda i, W: max(0, i - W + 1))),
    ("8.5", lambda: {"1 layer, finestra 4": 4.0, "3 layer, finestra 4": 10, "32 layer, finestra 4096": 131041, "finestra 4, globale, finestra 4": 2e5}),
    ("8.5", lambda: {"1 layer, finestra 4": "4", "3 layer, finestra 4": np.int64(10), "32 layer, finestra 4096": "131.041", "finestra 4, globale, finestra 4": "200.000"}),
    ("8.6", lambda s, m: np.nan_to_num(torch.from_numpy(np.where(m, s, -np.inf)).softmax(-1).numpy())),
    ("8.6", masked_weights_by_hand),
    ("8.6", lambda s, m: torch.tensor(s, dtype=torch.float32).masked_fill(~torch.from_numpy(m), -1e9).softmax(-1) * torch.from_numpy(m)),
    ("8.6", lambda s, m: np.exp(s) * m / ((np.exp(s) * m).sum(-1, keepdims=True) + 1e-12)),
    ("8.7", lambda: (2.38, 0.13)),
    ("8.7", lambda: np.array([1.31 / 0.55, 1.13 - 1.00])),
    ("8.7", lambda: [2.382, 0.13]),
    ("9.1", merge_from_torch),
    ("9.1", merge_by_hand),
    ("9.1", lambda a, la, b, lb: (lambda w: (w[:, None] * a + (1 - w)[:, None] * b, np.maximum(la, lb) + np.log1p(np.exp(-np.abs(la - lb)))))(1 / (1 + np.exp(lb - la)))),
    ("9.2", flash_by_blocks),
    ("9.2", lambda Q, K, V, block: flash_by_blocks(Q, K, V, block, hidden=-1e9, start=-1e30)),
    ("9.2", lambda Q, K, V, block: flash_by_blocks(Q, K, V, block, keys=lambda first, block: range(first, -1, -block))),
    ("9.2", lambda Q, K, V, block: flash_by_blocks(Q, K, V, block, keys=lambda first, block: range(0, len(K), block))),
    ("9.2", blocks_merged_in_torch),
    ("9.3", lambda P: [np.roll(np.arange(P), n) for n in range(P)]),
    ("9.3", lambda P: (np.arange(P) - np.arange(P)[:, None]) % P),
    ("9.3", lambda P: torch.stack([torch.arange(P).roll(n) for n in range(P)])),
    ("9.3", lambda P: tuple(tuple(range(P - n, P)) + tuple(range(P - n)) for n in range(P))),
    ("9.4", lambda F, B, H, Hkv, causal: (2 * 2 * Hkv / B) / (4 * H * (0.5 if causal else 1) / F)),
    ("9.4", lambda F, B, H, Hkv, causal: int((1 + causal) * F * Hkv / (B * H))),
    ("9.4", lambda F, B, H, Hkv, causal: torch.tensor(F / B * Hkv / H * 2 ** causal)),
    ("9.5", lambda: dict(zip(WAITS, ([1, 2, 3, 4], 3, 6.25, 57.14)))),
    ("9.5", lambda: dict(zip(WAITS, (np.arange(1, 5), 3.0, 6, 57)))),
    ("9.5", lambda: dict(zip(WAITS, ((1, 2, 3, 4), "3", "6,25", "57,1")))),
    ("9.6", lambda T, P: [np.concatenate([f, b]) for f, b in zip(np.split(np.arange(T), 2 * P)[:P], np.split(np.arange(T), 2 * P)[::-1])]),
    ("9.6", lambda T, P: torch.stack([torch.cat([f, b]) for f, b in zip(torch.arange(T).chunk(2 * P)[:P], torch.arange(T).chunk(2 * P)[::-1])])),
    ("9.6", lambda T, P: tuple((*range(r * T // (2 * P), (r + 1) * T // (2 * P)), *range(T - (r + 1) * T // (2 * P), T - r * T // (2 * P))) for r in range(P))),
    ("9.6", lambda T, P: np.array([[p for p in range(T) if p * 2 * P // T in (r, 2 * P - 1 - r)] for r in range(P)])),
    ("9.7", lambda q, k: [[int(j <= i) for j in k] for i in q]),
    ("9.7", lambda q, k: torch.from_numpy(q)[:, None] >= torch.from_numpy(k)),
    ("9.7", lambda q, k: np.tri(100)[np.ix_(q, k)]),
    ("9.7", lambda q, k: np.subtract.outer(q, k) >= 0),
    ("9.8", lambda: [4096 / 32, 4096 / 128]),
    ("9.8", lambda: np.array([128, 32])),
    ("10.1", llama_norm),
    ("10.1", lambda x, g, eps: [[v / math.sqrt(sum(u * u for u in row) / len(row) + eps) * w for v, w in zip(row, g)] for row in x.tolist()]),
    ("10.1", lambda x, g, eps: (x * ((x * x).sum(1) / x.shape[1] + eps)[:, None] ** -0.5 * g).astype(np.float32)),
    ("10.1", lambda x, g, eps: torch.tensor(x, dtype=torch.float32) * torch.rsqrt(torch.tensor(x, dtype=torch.float32).pow(2).mean(-1, keepdim=True) + eps) * torch.tensor(g)),
    ("10.2", swiglu_by_hand),
    ("10.2", lambda x, W1, W2, W3: torch.nn.functional.silu(torch.from_numpy(x @ W1.T)).mul(torch.from_numpy(x @ W3.T)) @ torch.from_numpy(W2.T)),
    ("10.2", lambda x, W1, W2, W3: (W2 @ (W1 @ x.T / (1 + np.exp(-W1 @ x.T)) * (W3 @ x.T))).T),
    ("10.2", lambda x, W1, W2, W3: (lambda x, W1, W2, W3: x @ W1.T / (1 + np.exp(-x @ W1.T)) * (x @ W3.T) @ W2.T)(*(np.float32(a) for a in (x, W1, W2, W3)))),
    ("10.3", rope_with_complex_numbers),
    ("10.3", rope_as_published),
    ("10.3", rope_by_hand),
    ("10.3", rope_of_the_course),
    ("10.4", lambda: dict(zip(SHIFTED, ("sì", "sì", "no", "no", "no")))),
    ("10.4", lambda: dict(zip(SHIFTED, (1, 1, 0, 0, 0)))),
    ("10.5", parameters_of_a_block),
    ("10.5", lambda D, H, K, h, F: float(D * (2 * h * (H + K) + 3 * F + 2))),
    ("10.5", lambda *sizes: torch.tensor(EXERCISES["10.5"].reference(*sizes))),
    ("10.6", lambda: {"layer": 32, "larghezza": 4096, "FFN": 14336.0, "query head": 32, "head di key": 8, "larghezza di una head": 128, "vocabolario": 128000 + 256}),
    ("10.6", lambda: {"ffn": "14.336", "Vocabolario": np.int64(128256), "Layer": 32, "Larghezza": 4096, "Query head": 32, "head di key": 8.0, "larghezza di una head": 128}),
    ("10.8", lambda M, L, H, h, T: sum([2 * M] + [2 * h * T + 2 * T * h for _ in range(L * H)])),
    ("10.8", lambda M, L, H, h, T: float(2 * M + 4 * L * H * h * T)),
    ("10.8", lambda M, L, H, h, T: np.int64(2) * M + L * 2 * (2 * H * T * h)),
    ("10.7", lambda N, L, K, h: 2 * N / (2 * 2 * L * K * h)),
    ("10.7", lambda N, L, K, h: torch.tensor(float(N), dtype=torch.float64) / np.prod([2, L, K, h])),
    ("10.7", lambda N, L, K, h: np.float32(N / 2 / L / K / h)),
    ("11.1", lambda: {**EXERCISES["11.1"].reference(), "intermediate_size": math.ceil(1.2 * 8 * 16384 / 3 / 4096) * 4096.0, "rms_norm_eps": "1e-05", "rope_theta": 500_000}),
    ("11.2", lambda: {name: family.upper() for name, family in reversed(EXERCISES["11.2"].reference().items())}),
    ("11.3", lambda: {"Attenzione": "gqa", "query head per gruppo": 64 / 8, "larghezza delle head in fila": 64 * 128, "KiB per token": 2 * 64 * 8 * 128 * 2 / 2**10}),
    ("11.4", lambda: {"attenzione": "mqa", "parametri": float(EXERCISES["11.4"].reference()["parametri"]), "quota degli embedding": 20.9}),
    ("11.5", lambda: {"gib": "4,75", "Quante volte meno": 3.37}),
    ("11.6", lambda: {"percentuale": torch.tensor(17.26), "miliardi": 3.61}),
    ("11.7", lambda: {"valore": "32", "colonna": "Head di key"}),
    ("10.9", lambda W, n: np.concatenate([np.concatenate([head[::2], head[1::2]]) for head in np.split(W, n)])),
    ("10.9", lambda W, n: torch.from_numpy(W).view(n, W.shape[0] // n // 2, 2, W.shape[1]).transpose(1, 2).reshape(W.shape)),
    ("10.9", lambda W, n: W[[h * len(W) // n + i for h in range(n) for start in (0, 1) for i in range(start, len(W) // n, 2)]].tolist()),
    ("10.9", lambda W, n: np.float32(np.einsum("hpsd->hspd", W.reshape(n, -1, 2, W.shape[1])).reshape(-1, W.shape[1]))),
    ("7.7", lambda W, H, G: torch.from_numpy(W).unflatten(1, (G, H // G, -1)).mean(2).flatten(1)),
    ("2.6", lambda parole, T, D, Dh: sum(np.prod(s) for s in [(parole, D), (T, D), (D,), (D,), (D, Dh), (D, Dh), (D, Dh), (Dh, D), (D, parole)])),
])
def test_right_answers_in_another_style_are_accepted(id, answer):
    result = check(id, answer)
    assert result.passed, result.message


def test_the_parameters_counted_are_those_of_the_course_model():
    from attnkit.language import VOCABULARY
    from attnkit.toy import load_weights
    assert EXERCISES["2.6"].reference(len(VOCABULARY), 7, 8, 8) == sum(value.size for value in load_weights().values())


@pytest.mark.parametrize("sentence, noun, letter", [("tre volpi cercano ogni rana perché gustos-", "rana", "-a")])
def test_the_model_agrees_with_the_prediction_asked(sentence, noun, letter):
    from attnkit.toy import trace
    result = trace(sentence)
    assert result.tokens[int(result.weights[-1].argmax())] == noun and result.prediction == letter
    assert check("1.1", (noun, letter)).passed and check("1.1", (noun, letter.strip("-"))).passed


def test_a_prediction_is_not_given_away_by_its_first_mistake():
    result = check("2.3", {"X": True, "Wq": True, "Q": False, "pesi": True, "Wo": False})
    assert result.misconception is None and "3 su 5" in result.message
    assert not any(f"«{key}»" in result.message for key in ("X", "Wq", "Q", "pesi", "Wo"))


def test_the_table_read_in_3_1_is_the_model_s():
    from attnkit.toy import trace
    example = trace()
    row = example.Q[4] @ example.K.T
    expected = example.tokens[int(row.argmax())], example.tokens[int(row[:5].argmax())]
    assert check("3.1", expected).passed


def test_the_limits_of_3_8_are_those_of_a_real_softmax():
    from attnkit.reference import softmax
    scores = np.array([2.0, 2.0, -1.0])
    assert check("3.8", (softmax(scores / 1e-3), softmax(scores / 1e4))).passed


@pytest.mark.parametrize("chapter, wanted", [("3", 6), ("4", 6)])
def test_the_heart_of_the_course_has_enough_to_practise(chapter, wanted):
    exercises = [exercise for id, exercise in EXERCISES.items() if id.split(".")[0] == chapter]
    assert len(exercises) >= wanted
    assert len({item.name for exercise in exercises for item in exercise.misconceptions}) >= 16


def test_the_interventions_of_6_4_are_those_of_the_models():
    from attnkit.language import VOCABULARY, encode
    from attnkit.toy import load

    def answer(model, sentence, cut=None):
        numbers = torch.from_numpy(encode(sentence.split()))[None]
        with model.layers[0].attention.cut(edges=[] if cut is None else [(0, 6, cut)]):
            return VOCABULARY[int(model(numbers)[0, -1].argmax())]

    toy, bare = load("toy"), load("toy-senza-norme")
    hungry, tasty = (f"la gatta insegue il topo perché {stem}" for stem in ("affamat-", "appetitos-"))
    assert answer(toy, hungry) == "-a" and answer(bare, tasty) == "-o"
    found = {"toy: taglio gatta": answer(toy, hungry, 1) != "-a", "toy: taglio topo": answer(toy, hungry, 4) != "-a",
             "senza norme: taglio perché": answer(bare, tasty, 5) != "-o", "senza norme: taglio topo": answer(bare, tasty, 4) != "-o",
             "senza norme: topo diventa rana": answer(bare, tasty.replace("il topo", "la rana")) != "-o"}
    assert check("6.4", found).passed


@pytest.mark.parametrize("wrong, says", [
    (lambda X, Wq, Wk, Wv, Wo, n_heads: X, "il primo token vede solo sé stesso"),
])
def test_a_wrong_layer_is_told_what_fails_first(wrong, says):
    assert says in check("5.3", wrong).message


@pytest.mark.parametrize("id, chapter, name", [("8.6", "08-sparse-attention", "pesi_male"), ("9.7", "09-ring-attention", "maschera_male"),
                                               ("10.9", "10-llama-3-1", "converti_male")])
def test_the_bug_to_find_is_recognised_as_the_chapter_shows_it(id, chapter, name):
    cells = json.loads(Path(__file__).parents[1].joinpath("chapters", f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    source = next("".join(cell["source"]) for cell in cells if "".join(cell["source"]).startswith(f"def {name}"))
    names = {"np": np}
    exec(source.split("\n\n")[0], names)
    assert check(id, names[name]).misconception == "la funzione di partenza"


@pytest.mark.parametrize("weigh, name", [
    (lambda s: np.exp(s - s.max()), "slice vuoto, nessun massimo"),
    (lambda s: np.exp(s - max(s, default=0)), "slice vuoto, righe di zeri"),
    (lambda s: torch.from_numpy(s).softmax(-1).numpy(), "slice vuoto, righe di zeri"),
    (lambda s: np.exp([x - max(s.tolist()) for x in s] if len(s) else [max(s.tolist())]), "lista vuota, nessun massimo"),
])
def test_an_empty_slice_is_recognised_however_it_ends(weigh, name):
    assert check("8.4", lambda Q, K, V, window: window_by_slices(Q, K, V, window, weigh=weigh)).misconception == name


@pytest.mark.parametrize("pair, says", [((2.38, 7.0), "Il primo numero è giusto"), ((7.0, 0.13), "Il secondo numero è giusto"), ((7.0, 7.0), "I valori non tornano")])
def test_half_an_answer_to_8_7_is_told_which_half(pair, says):
    result = check("8.7", pair)
    assert says in result.message and result.misconception is None


@pytest.mark.parametrize("id", ["8.1", "8.2", "8.3"])
def test_a_mask_never_seen_is_shown_next_to_the_right_one(id):
    message = check(id, lambda T, *sizes: np.eye(T)[::-1] > 0).message
    assert "Atteso:" in message and "[[ True False False False False False False]" in message


@pytest.mark.parametrize("keep, name", [
    (lambda best, now: np.maximum(best, now), None),
    (lambda best, now: np.where(np.isneginf(best), now, best), "il massimo del primo blocco"),
    (lambda best, now: now, "il massimo dell'ultimo blocco"),
    (lambda best, now: np.maximum(best, now.max()), "un massimo per tutte le righe"),
    (lambda best, now: np.maximum(np.maximum(best, now), 0), "il massimo parte da zero"),
    (lambda best, now: 0 * now, "senza massimo"),
])
def test_the_scores_of_9_2_are_large_enough_to_ask_for_the_right_maximum(keep, name):
    def answer(Q, K, V, block):
        out = []
        for first in range(0, len(Q), block):
            q = Q[first:first + block]
            best, total, weighted = np.full((len(q), 1), -np.inf), 0, 0
            for other in range(0, first + 1, block):
                scores = q @ K[other:other + block].T / np.sqrt(Q.shape[1])
                if other == first:
                    scores[np.triu_indices(len(q), 1)] = -np.inf
                new = keep(best, scores.max(1, keepdims=True))
                total = total * np.exp(best - new) + np.exp(scores - new).sum(1, keepdims=True)
                weighted = weighted * np.exp(best - new) + np.exp(scores - new) @ V[other:other + block]
                best = new
            out.extend(weighted / total)
        return out

    result = check("9.2", answer)
    assert result.misconception == name and result.passed == (name is None), result.message


def test_a_list_rotated_in_place_is_recognised_in_9_3():
    def answer(P):
        row, table = list(range(P)), []
        for n in range(P):
            table.append(row)
            row.insert(0, row.pop())
        return table

    assert "una copia" in check("9.3", answer).message


def test_a_blind_triangle_is_recognised_whether_it_multiplies_or_hides():
    def answer(hide):
        return lambda Q, K, V, block: flash_with_triangle(Q, K, V, hide)

    def flash_with_triangle(Q, K, V, hide):
        scores = hide(Q @ K.T / np.sqrt(Q.shape[1]))
        weights = np.exp(scores - scores.max(1, keepdims=True))
        return weights / weights.sum(1, keepdims=True) @ V

    assert check("9.2", answer(np.tril)).misconception == "zeri al posto di meno infinito, in tutti i blocchi"
    assert check("9.2", answer(lambda s: s + np.triu(np.ones_like(s), 1) * -np.inf)).misconception == "NaN dappertutto"


@pytest.mark.parametrize("pair, says", [((128, 7), "Il primo numero è giusto"), ((7, 32), "Il secondo numero è giusto"), ((7, 7), "I valori non tornano"),
                                        ((4096, 1024), "va diviso per i dispositivi"), ((128, 1024), "Il primo numero è giusto. Il secondo")])
def test_half_an_answer_to_9_8_is_told_which_half(pair, says):
    assert says in " ".join(check("9.8", pair).message.split())


def test_the_numbers_of_9_5_are_those_of_the_ring():
    from attnkit.ring import simulate
    q = torch.randn(3, 1, 1, 512, 2, dtype=torch.float64)
    run = simulate(*q, ranks=4, layout="contiguous")
    pairs = [[s.pairs for s in run.steps if s.rank == r] for r in range(4)]
    answer = [sum(n > 0 for n in steps) for steps in pairs], 3, 100 * sum(pairs[0]) / sum(map(sum, pairs)), 100 * run.efficiency
    assert check("9.5", dict(zip(WAITS, answer))).passed


def test_the_zigzag_of_9_6_is_that_of_the_ring():
    from attnkit.ring import places
    assert check("9.6", lambda T, P: places(T, P, "zigzag")).passed


def test_the_numbers_said_in_chapter_10_are_those_of_the_formulas():
    from dataclasses import replace

    from attnkit.config import LLAMA_3_1_8B as model
    from attnkit.costs import forward_flops, parameters

    def billions(**changes):
        return round(parameters(replace(model, **changes)) / 1e9, 1)

    layer = EXERCISES["10.5"].reference(model.d_model, model.n_heads, model.n_kv_heads, model.head_dim, model.d_ff)
    assert layer == 218_112_000 and 32 * layer + 2 * 128256 * 4096 + 4096 == parameters(model) == 8_030_261_248
    assert parameters(replace(model, vocabulary=128000)) == 8_028_164_096 == parameters(model) - 512 * 4096
    assert (billions(d_ff=6144), billions(d_ff=6144, n_kv_heads=32)) == (4.8, 5.6)
    assert billions(n_kv_heads=32) == billions(n_kv_heads=32, vocabulary=128000) == 8.8
    assert round(EXERCISES["10.7"].reference(parameters(model), 32, 8, 128), -2) == 122_500
    last = forward_flops(model, 8192) - forward_flops(model, 8191)
    matrices = (forward_flops(model, 1) - 4 * 32 * 32 * 128) // 2
    assert EXERCISES["10.8"].reference(matrices, 32, 32, 128, 8192) == last
    assert round(2 * matrices / (4 * 32 * 32 * 128), -2) == 28_600


def test_the_answer_to_10_4_is_what_a_rotation_does():
    from attnkit.rope import Rope
    Q, K, V = torch.randn(3, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rope, places = Rope(8), torch.arange(6)
    seen = []
    for shift in (0, 100):
        q, k = (rope(x, places + shift) for x in (Q, K))
        scores = q @ k.T
        seen.append((q, k, V, scores, scores.softmax(-1) @ V))
    assert check("10.4", dict(zip(SHIFTED, (not torch.allclose(*pair, atol=1e-9) for pair in zip(*seen))))).passed


@pytest.mark.parametrize("id, wrong, says", [
    ("10.1", lambda x, g, eps: x / torch.from_numpy(x).pow(2).mean(-1).add(eps).sqrt(), "asse"),
    ("10.2", lambda x, W1, W2, W3: x @ W1, "trasporre"),
    ("10.3", lambda x, posizioni, theta: posizioni * theta ** (-2 * np.arange(x.shape[1] // 2) / x.shape[1]), "qui le shape sono (3,) (2,)"),
])
def test_shapes_that_do_not_fit_are_told_in_chapter_10(id, wrong, says):
    assert says in check(id, wrong).message
