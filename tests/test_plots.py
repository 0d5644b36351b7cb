"""Le figure: dicono a parole ciò che mostrano, escono uguali due volte, e quelle di images/ sono aggiornate."""

import struct

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

import immagini
from attnkit import masks, plots
from attnkit.config import LLAMA_3_1_8B
from attnkit.plots import combinazione, tela
from attnkit.language import ECHO_VOCABULARY, encode
from attnkit.masks import causal
from attnkit.reference import attention_scores, softmax
from attnkit.ring import LAYOUTS, simulate
from attnkit.toy import load_weights, trace


@pytest.fixture(scope="module")
def figures():
    example, other = trace(), trace("la gatta insegue il topo perché appetitos-")
    weights = load_weights()
    return {
        "self_attention": plots.self_attention(example),
        "compare_rows": plots.compare_rows([example.tokens, other.tokens], [example.weights[-1], other.weights[-1]],
                                           ["… affamat-", "… appetitos-"], [1, 4]),
        "weight_table": plots.weight_table(example.tokens, example.weights),
        "q_k_v": plots.q_k_v(example, (weights["Wq"], weights["Wk"], weights["Wv"])),
        "enriched": plots.enriched(example),
        "path": plots.path(example),
        "relevance": plots.relevance(example),
        "scores_to_weights": plots.scores_to_weights(example.tokens, attention_scores(example.Q, example.K), example.weights),
        "imitations": plots.imitations(*broken_masks(example)),
        "scale": plots.scale([16, 64, 256, 1024], [[4, 8, 16, 32], [1, 1, 1, 1]], [[0.3, 0.2, 0.03, 0.001], [0.13, 0.13, 0.13, 0.13]]),
        "temperature": plots.temperature(example.tokens, [softmax(example.scores[-1] / t) for t in (0.25, 1, 4)], [0.25, 1, 4]),
        "values": plots.values(example.tokens, example.weights[-1], example.V),
        "weighted": plots.weighted(example.tokens, example.weights[-1], example.V),
        "hull": plots.hull(example.tokens, example.V, example.output, (4, 5)),
        "weight_and_contribution": plots.weight_and_contribution(
            example.tokens, example.weights[-1], example.weights[-1] * np.linalg.norm(example.V, axis=1), example.tokens[-1]),
        "push": plots.push(["x", *example.tokens], [-29.2, -0.3, 37.2, 0.01, 0.1, -0.01, 0.1, 0.5], 8.4),
        "cost": plots.cost(T, 100 * T, T ** 2, 10 * T, T ** 2, crossing=100),
        "split_heads": plots.split_heads(example.tokens[:6], OWNERS, OWNERS.reshape(6, 3, 2).transpose(1, 0, 2), OWNERS.reshape(3, 6, 2)),
        "combining": plots.combining(*immagini.due_head("la gatta insegue il topo avanti")),
        "head_tables": plots.head_tables(example.tokens, [example.weights] * 4, ["a", "b", "c", "d"], marked=[(3, 6, 1)]),
        "loss_curve": plots.loss_curve(0.87 + 3 * np.exp(-np.arange(500) / 60), 0.82, 3.89),
        "moments": plots.moments(example.tokens, [np.full(7, 1 / 7), *[example.weights[-1]] * 3], [0, 50, 200, 2000], 1),
        "weight_and_effect": plots.weight_and_effect([0.01, 0.9, 0.95], [0.1, 13, 14], [False, True, False]),
        "composition": plots.composition("oggi la gatta insegue piano il topo perché appetitos-".split(), np.tril(np.ones((9, 9))) / np.arange(1, 10)[:, None], np.eye(9), (3, 6, 8)),
        "lengths": plots.lengths(range(6), {"senza posizioni": [1] * 6, "con le posizioni": [1, 1, 0.9, 0.8, 0.7, 0.6]}, 3),
        "cheating": plots.cheating(["nome", "verbo", "determ.", "nome", "perché", "radice", "finale"], [0.04, 0.03, 0.04, 0.05, 0, 0.01, 0.01],
                                   [9.5, 6.5, 9.8, 9.7, 1.8, 5.9, 0], [2.3, 1.4, 2, 2, 0, 1.4, 0]),
        "sharing": plots.sharing(8, [("MHA", 8, "128 KiB per token"), ("GQA", 2, "32 KiB per token"), ("MQA", 1, "16 KiB per token")]),
        "step_times": plots.step_times([1024, 2048, 4096], {"MHA": [5, 10, 20], "GQA": [2, 4, 8], "MQA": [1, 2, 3]}, {"MHA": [4, 8, 16], "GQA": [1, 2, 4], "MQA": [0.1, 0.2, 0.4]}),
        "roofline": plots.roofline({"MHA": 0.5, "GQA-8": 2, "MQA": 16}, 2.5e10, 1.2e11),
        "size_dots": plots.size_dots({"8B": {"MHA": 64, "GQA": 16, "MQA": 2}, "405B": {"MHA": 1008, "GQA": 63, "MQA": 7.875}}, "GiB", "KV cache"),
        "latent": plots.latent(128, 512, 64),
        "grids": plots.grids([(name, masks.strided(16, 4).astype(int)) for name in ("strided", "fixed", "finestra", "blocchi", "piena")], across=3, legend=("vicini", "lontani")),
        "stack": plots.stack(example.tokens, [("finestra di 3", masks.sliding_window(7, 3)), ("globale", masks.causal(7))], 6),
        "ring": plots.ring(simulate(*torch.zeros(3, 1, 1, 16, 1), ranks=4, layout="contiguous")),
        "shifts": plots.shifts({layout: simulate(*torch.zeros(3, 1, 1, 64, 1), ranks=8, layout=layout) for layout in LAYOUTS}),
        "llama": plots.llama(LLAMA_3_1_8B, immagini.parti(LLAMA_3_1_8B)),
        "turning": plots.turning((1.0, 0.3), [1.0, 0.4, 0.1], [0, 1, 2, 3, 4, 5]),
        "waves": plots.waves({"θ = 10.000": np.logspace(0.8, 4.7, 64), "θ = 500.000": np.logspace(0.8, 6.4, 64)}, {"il contesto": 131072}),
        "shares": plots.shares({"8B": {"feed-forward": 56, "attenzione": 13, "embedding e logit": 10}, "405B": {"feed-forward": 330, "attenzione": 72, "embedding e logit": 4}}),
        "growth": plots.growth([256, 512, 1024], {"piena": [1, 4, 16], "finestra": [1, 2, 4]}, "millisecondi"),
        "seeds": plots.seeds({"una": [0.9, 0.95, 0.955], "due": [0.5, *[1.0] * 19], "tre": [0.7]}, "giuste, %"),
    }


OWNERS = np.repeat(np.arange(6)[:, None], 6, axis=1)
T = 2 ** np.arange(5, 13)
NAMES = ["self_attention", "compare_rows", "weight_table", "q_k_v", "enriched", "path", "relevance", "scores_to_weights", "imitations", "scale",
         "temperature", "values", "weighted", "hull", "weight_and_contribution", "push", "cost",
         "split_heads", "combining", "head_tables", "seeds", "loss_curve", "moments", "weight_and_effect", "composition", "lengths", "cheating", "sharing", "step_times", "roofline",
         "size_dots", "latent", "grids", "stack", "growth", "ring", "shifts", "llama", "turning", "waves", "shares"]


def broken_masks(example):
    """La tabella giusta, una che dà peso al futuro, una con una riga che non esiste."""
    scores = attention_scores(example.Q, example.K)
    empty = np.where(np.tril(np.ones((7, 7)), -1) == 1, softmax(scores), 0)
    empty[0] = np.nan
    return [softmax(np.where(causal(7), scores, -np.inf)), softmax(scores), empty], ["giusta", "senza", "vuota"], ["va", "il futuro", "manca"]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_carries_its_text_and_its_size_and_is_drawn_the_same_twice(figures, name):
    data, metadata = figures[name]._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert alt == figures[name].alt and len(alt) > 60 and alt.endswith(".")
    assert data["text/plain"] == f"<Figura: {alt}>"
    width, _ = struct.unpack(">II", data["image/png"][16:24])
    assert width == 2 * metadata["image/png"]["width"] == 1440
    assert len(data["image/png"]) < 200_000
    assert figures[name].png() == data["image/png"]


def drawn_texts(figure):
    """I testi che si vedono davvero: le tacche fuori dagli assi esistono, ma non si disegnano."""
    for axes in figure.axes:
        ticks = {id(text): axis for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels(which="both")}
        visible = {id(tick.label1) for axis in (axes.xaxis, axes.yaxis) for tick in axis._update_ticks() if axes.axison}
        for text in axes.findobj(Text):
            if text.get_text().strip() and text.get_visible() and (id(text) not in ticks or id(text) in visible):
                yield axes, text


def upright_box(axes, text, renderer):
    """Il rettangolo di un testo, in un sistema di riferimento ruotato quanto lui."""
    angle = text.get_rotation()
    anchor = axes.transData.transform(text.get_position())
    text.set_rotation(0)
    box = text.get_window_extent(renderer)
    text.set_rotation(angle)
    x, y = Affine2D().rotate_deg(-angle).transform(anchor) - anchor
    return box.translated(x, y)


def overlap(a, b):
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(0, width) * max(0, height) / min(a.width * a.height, b.width * b.height)


@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_the_page_or_covers_another(figures, name):
    figure = figures[name]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()                                             # non png(): i nomi degli assi ricordano i punti dell'ultimo disegno
    renderer = canvas.get_renderer()
    texts = list(drawn_texts(figure))
    boxes = [text.get_window_extent(renderer) for _, text in texts]
    page = figure.bbox
    for (_, text), box in zip(texts, boxes):
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text.get_text()
    for i, (axes, text) in enumerate(texts):
        for j, (other_axes, other) in enumerate(texts[:i]):
            a, b = boxes[i], boxes[j]
            if text.get_rotation() and text.get_rotation() == other.get_rotation():
                a, b = upright_box(axes, text, renderer), upright_box(other_axes, other, renderer)
            assert overlap(a, b) < 0.1, (text.get_text(), other.get_text())


def test_figures_follow_the_data():
    example = trace("tre volpi cercano ogni rana perché golos-")
    figure = plots.self_attention(example)
    assert "volpi" in figure.alt and "«-e»" in figure.alt
    assert plots.self_attention(trace()).png() != figure.png()


def test_the_mask_figure_names_what_leaks_and_what_breaks():
    alt = plots.imitations(*broken_masks(trace())).alt
    assert "sopra la diagonale: senza." in alt and "senza numeri: vuota." in alt


def test_the_hull_holds_every_value_and_ignores_the_order():
    points = np.random.default_rng(0).normal(size=(30, 2))
    corners = combinazione._around(points)
    assert sorted(corners) == sorted(combinazione._around(points[::-1])) and set(corners) <= set(map(tuple, points))
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]]):
        assert ((x1 - x0) * (points[:, 1] - y0) - (y1 - y0) * (points[:, 0] - x0) >= -1e-12).all()


@pytest.mark.parametrize("left, right, total, winner", [("o", "a", 8.4, "a"), ("o", "a", -2.0, "o")])
def test_the_pushes_name_the_winner(left, right, total, winner):
    figure = plots.push(["x", "gatta"], [total - 1, 1.0], total, left, right)
    assert figure.alt.endswith(f"e vince «{winner}».") and plots.number(total, 1) in figure.alt


@pytest.mark.parametrize("value, text", [(0.931, "93 %"), (0.004, "< 1 %"), (1.0, "100 %"), (0.998, "> 99 %"), (0.0, "< 1 %")])
def test_percentages_never_round_to_nothing_or_all(value, text):
    assert plots.percent(value) == text


def test_numbers_are_written_in_italian():
    assert plots.number(-0.5) == "−0,50" and plots.number(np.float64(1234.567), 1) == "1234,6"
    assert plots.number(-0.004) == "0,00"                     # uno zero non ha segno


def test_text_is_readable_on_paper():
    def luminance(color):
        channels = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(w * (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4) for w, c in zip((0.2126, 0.7152, 0.0722), channels))

    for color in (tela.QUERY, tela.KEY, tela.VALUE, tela.WEIGHT, tela.OUTPUT, tela.INK, tela.SOFT):
        assert 1.05 / (luminance(color) + 0.05) >= 4.5, color


def test_the_images_of_the_notes_are_current(tmp_path, monkeypatch):
    drawn = immagini.figure()
    monkeypatch.setattr(immagini, "figure", lambda: drawn)
    assert immagini.non_aggiornate() == []
    few = {name: drawn[name] for name in ("enriched.png", "q-k-v.png")}
    monkeypatch.setattr(immagini, "figure", lambda: few)
    monkeypatch.setattr(immagini, "IMMAGINI", tmp_path)
    assert immagini.main([]) == 0 and immagini.non_aggiornate() == []
    (tmp_path / "enriched.png").write_bytes((tmp_path / "q-k-v.png").read_bytes())
    (tmp_path / "di-troppo.png").write_bytes(b"")
    assert immagini.non_aggiornate() == ["di-troppo.png", "enriched.png"] and immagini.main(["--verifica"]) == 1


def test_the_split_figure_counts_what_is_out_of_place():
    right, direct = OWNERS.reshape(6, 3, 2).transpose(1, 0, 2), OWNERS.reshape(3, 6, 2)
    assert "14 righe su 18 contengono altri token." in plots.split_heads(list("abcdef"), OWNERS, right, direct).alt
    assert "0 righe su 18" in plots.split_heads(list("abcdef"), OWNERS, right, right).alt


def test_the_figure_of_the_heads_is_the_model():
    from attnkit.toy import load_echoes
    tokens, weights, heads, updates = immagini.due_head("la gatta insegue il topo indietro")
    model = load_echoes(2)[immagini.SEME]
    numbers = torch.from_numpy(encode(tokens, ECHO_VOCABULARY))[None]
    np.testing.assert_allclose(weights, model.all_weights(numbers)[0][0, :, -1].detach(), atol=1e-12)
    x = model._embed(numbers)
    np.testing.assert_allclose(updates.sum(0), (model.layers[0](x) - x)[0, -1].detach(), atol=1e-12)
    assert heads.shape == (2, 4)


def test_the_figure_of_the_cuts_counts_them():
    alt = plots.weight_and_effect([0.01, 0.02, 0.9, 0.95], [0.1, 0.0, 13, 14], [False, True, True, False]).alt
    assert "si ribaltano 1 risposte su 2; sopra, 1 su 2" in alt
