"""I controlli sugli ingressi: lasciano passare il giusto, rifiutano il resto dicendo che cosa hanno trovato."""

import numpy as np
import pytest

from attnkit.shapes import as_array, divides, positive_int, same_size


@pytest.mark.parametrize("value", [[[1, 2], [3, 4]], np.float32([[1, 2], [3, 4]]), np.int8([[1, 2], [3, 4]])])
def test_as_array_gives_float64(value):
    array = as_array("x", value, ndim=2)
    assert array.dtype == np.float64
    assert array.tolist() == [[1, 2], [3, 4]]


def test_as_array_copies():
    source = np.ones(3)
    as_array("x", source)[0] = 7
    assert source[0] == 1


@pytest.mark.parametrize("value, found", [
    ([1, float("nan")], "nan in posizione \\(1,\\)"),
    ([[1, 2], [float("inf"), 3]], "inf in posizione \\(1, 0\\)"),
    ([], "shape \\(0,\\)"),
    (np.zeros((3, 0)), "shape \\(3, 0\\)"),
    ([[1, 2], [3]], "righe tutte lunghe uguali"),
    (["a"], "tipo <U1"),
    ([True], "tipo bool"),
    ([1j], "tipo complex128"),
    ([None], "tipo object"),
    ([2 ** 53 + 1], "2\\*\\*53"),
])
def test_as_array_refuses(value, found):
    with pytest.raises(ValueError, match=found):
        as_array("x", value)


@pytest.mark.parametrize("asked", [{"ndim": 2}, {"min_ndim": 2}])
def test_as_array_counts_axes(asked):
    with pytest.raises(ValueError, match=r"x: .*2 assi, ne ho trovati 1 \(shape \(3,\)\)"):
        as_array("x", [1, 2, 3], **asked)


def test_as_array_lets_infinities_pass_when_asked():
    assert np.isneginf(as_array("x", [-np.inf], finite=False)).all()


def test_same_size():
    same_size("Q", 3, "K", 3)
    with pytest.raises(ValueError, match="Q e K devono essere uguali: ho trovato 3 e 4"):
        same_size("Q", 3, "K", 4)


def test_positive_int():
    assert positive_int("T", np.int64(4)) == 4 and type(positive_int("T", np.int64(4))) is int


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True, np.nan])
def test_positive_int_refuses(value):
    with pytest.raises(ValueError, match="T: mi aspettavo un intero"):
        positive_int("T", value)


def test_divides():
    assert divides("n_kv_heads", 2, "n_heads", 8) == 4
    with pytest.raises(ValueError, match="n_heads=7 non è divisibile per n_kv_heads=2"):
        divides("n_kv_heads", 2, "n_heads", 7)
