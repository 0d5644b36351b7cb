"""Le maschere contro un predicato scritto nel modo più lento, e contro i conteggi pubblicati."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnkit.masks import block_local, causal, edges, fixed, sliding_window, strided

SIZES = st.integers(1, 24)


def slow(T, sees):
    """La maschera elemento per elemento, da un predicato su i e j."""
    return [[j <= i and sees(i, j) for j in range(T)] for i in range(T)]


@given(SIZES)
def test_causal(T):
    assert causal(T).tolist() == slow(T, lambda i, j: True)
    assert edges(causal(T)) == T * (T + 1) // 2


@given(SIZES, st.integers(1, 30))
def test_sliding_window(T, window):
    mask = sliding_window(T, window)
    assert mask.tolist() == slow(T, lambda i, j: j in range(i - window + 1, i + 1))
    assert mask.sum(1).tolist() == [min(i + 1, window) for i in range(T)]


@given(SIZES, st.integers(1, 30))
def test_block_local(T, block):
    starts = [i - i % block for i in range(T)]
    assert block_local(T, block).tolist() == slow(T, lambda i, j: starts[i] <= j)


@given(SIZES, st.integers(1, 30))
def test_strided(T, stride):
    far = [set(range(i, -1, -stride)) for i in range(T)]
    assert strided(T, stride).tolist() == slow(T, lambda i, j: j > i - stride or j in far[i])


@given(SIZES, st.integers(1, 12), st.data())
def test_fixed(T, stride, data):
    summary = data.draw(st.integers(1, stride))
    blocks = [list(range(s, s + stride)) for s in range(0, T, stride)]
    summaries = {j for block in blocks for j in block[-summary:]}
    assert fixed(T, stride, summary).tolist() == slow(T, lambda i, j: j in blocks[i // stride] or j in summaries)


@given(SIZES, st.integers(1, 12))
def test_everyone_sees_itself_and_no_future(T, n):
    for mask in (causal(T), sliding_window(T, n), block_local(T, n), strided(T, n), fixed(T, n)):
        assert mask.dtype == bool and mask.shape == (T, T)
        assert mask.diagonal().all() and not np.triu(mask, 1).any()


def test_published_counts():
    assert edges(causal(16)) == 136
    assert edges(strided(16, 4)) == 82
    assert edges(fixed(16, 4)) == 64


def test_the_rows_of_fixed_that_the_notes_describe():
    rows = [(np.flatnonzero(row) + 1).tolist() for row in fixed(7, 4)]        # contate da 1, come negli appunti
    assert rows[4:] == [[4, 5], [4, 5, 6], [4, 5, 6, 7]]


@pytest.mark.parametrize("call, message", [
    (lambda: causal(0), "T: mi aspettavo un intero maggiore di zero, ho trovato 0"),
    (lambda: causal(2.5), "T: mi aspettavo un intero, ho trovato 2.5"),
    (lambda: sliding_window(4, 0), "window: .* ho trovato 0"),
    (lambda: sliding_window(4, -3), "window: .* ho trovato -3"),
    (lambda: block_local(4, 0), "block: .* ho trovato 0"),
    (lambda: strided(4, 0), "stride: .* ho trovato 0"),
    (lambda: fixed(4, 2, 0), "summary: .* ho trovato 0"),
    (lambda: fixed(4, 2, 3), "summary=3 supera stride=2"),
    (lambda: edges(np.ones((2, 2))), "mask: mi aspettavo booleani, ho trovato elementi di tipo float64"),
])
def test_bad_sizes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
