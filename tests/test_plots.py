"""Le figure: dicono a parole ciò che mostrano, escono uguali due volte, e quelle di images/ sono aggiornate."""

import struct

import numpy as np
import pytest

import immagini
from attnkit import plots
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
    }


NAMES = ["self_attention", "compare_rows", "weight_table", "q_k_v", "enriched", "path"]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_carries_its_text_and_its_size(figures, name):
    data, metadata = figures[name]._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert alt == figures[name].alt and len(alt) > 60 and alt.endswith(".")
    assert data["text/plain"] == f"<Figura: {alt}>"
    width, _ = struct.unpack(">II", data["image/png"][16:24])
    assert width == 2 * metadata["image/png"]["width"] == 1440
    assert len(data["image/png"]) < 200_000


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_drawn_the_same_twice(figures, name):
    assert figures[name].png() == figures[name].png()


@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_the_page_or_covers_another(figures, name):
    figure = figures[name]
    figure.png()
    renderer = figure.canvas.get_renderer()
    texts = [text for axes in figure.axes for text in axes.findobj(lambda artist: hasattr(artist, "get_text"))
             if text.get_text().strip() and text.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    page = figure.bbox
    for text, box in zip(texts, boxes):
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text.get_text()
    for i, a in enumerate(boxes):
        for j in range(i):
            b = boxes[j]
            width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
            overlap = max(0, width) * max(0, height)
            assert overlap < 0.1 * min(a.width * a.height, b.width * b.height), (texts[i].get_text(), texts[j].get_text())


def test_figures_follow_the_data():
    example = trace("tre volpi cercano ogni rana perché golos-")
    figure = plots.self_attention(example)
    assert "volpi" in figure.alt and "«-e»" in figure.alt
    assert plots.self_attention(trace()).png() != figure.png()


@pytest.mark.parametrize("value, text", [(0.931, "93 %"), (0.004, "< 1 %"), (1.0, "100 %"), (0.998, "> 99 %"), (0.0, "< 1 %")])
def test_percentages_never_round_to_nothing_or_all(value, text):
    assert plots.percent(value) == text


def test_numbers_are_written_in_italian():
    assert plots.number(-0.5) == "−0,50" and plots.number(np.float64(1234.567), 1) == "1234,6"


def test_text_is_readable_on_paper():
    def luminance(color):
        channels = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(w * (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4) for w, c in zip((0.2126, 0.7152, 0.0722), channels))

    for color in (plots.QUERY, plots.KEY, plots.VALUE, plots.WEIGHT, plots.OUTPUT, plots.INK, plots.SOFT):
        assert 1.05 / (luminance(color) + 0.05) >= 4.5, color


def test_the_images_of_the_notes_are_current(tmp_path, monkeypatch):
    assert immagini.non_aggiornate() == []
    monkeypatch.setattr(immagini, "IMMAGINI", tmp_path)
    immagini.main([])
    (tmp_path / "enriched.png").write_bytes((tmp_path / "q-k-v.png").read_bytes())
    (tmp_path / "di-troppo.png").write_bytes(b"")
    assert immagini.non_aggiornate() == ["di-troppo.png", "enriched.png"] and immagini.main(["--verifica"]) == 1
