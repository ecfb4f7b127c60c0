"""Arrays from anywhere, and sparse activations, against dense counting in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw import counter
from actilaw.errors import CountsError, InputError


@pytest.mark.parametrize("kind", ["numpy", "read-only numpy", "torch", "list"])
def test_arrays_from_anywhere(kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(40, 9)).astype(np.float32)
    if kind == "read-only numpy":
        x.flags.writeable = False
    counting = counter()
    counting.update({"torch": torch.from_numpy(x.copy()), "list": x.tolist()}.get(kind, x))
    assert counting.counts().counts.tolist() == (x > 0).sum(0).tolist()
    assert counting.counts().samples == 40


def test_anything_that_speaks_dlpack() -> None:
    class Foreign:
        """An array of another library."""

        def __init__(self, values: list) -> None:
            self._values = torch.tensor(values)

        def __dlpack__(self, **arguments):
            return self._values.__dlpack__(**arguments)

        def __dlpack_device__(self):
            return self._values.__dlpack_device__()

    counting = counter()
    counting.update(Foreign([[1.0, -1.0], [2.0, 3.0]]))
    assert counting.counts().counts.tolist() == [2, 1]


def test_arrays_of_jax() -> None:
    numpy = pytest.importorskip("jax.numpy")
    counting = counter()
    counting.update(numpy.array([[1.0, -1.0], [2.0, 3.0]]))
    assert counting.counts().counts.tolist() == [2, 1]


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(1, 70), st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_indices_count_what_the_dense_array_counts(
    entries: int, units: int, seed: int, parts: int
) -> None:
    rng = np.random.default_rng(seed)
    active = rng.random((entries, units)) < 0.2
    width = max(1, int(active.sum(1).max()))
    indices = np.full((entries, width), -1)
    for row, units_active in enumerate(active):
        indices[row, : units_active.sum()] = np.flatnonzero(units_active)
    sparse, dense = counter(), counter()
    for rows in np.array_split(np.arange(entries), parts):
        if rows.size:
            sparse.update_indices(indices[rows], units)
    dense.update(active.astype(np.float32))
    a, b = sparse.counts(), dense.counts()
    assert (a.samples, a.entries, a.active_squares) == (b.samples, b.entries, b.active_squares)
    np.testing.assert_array_equal(a.counts, active.sum(0))
    np.testing.assert_array_equal(a.first, np.where(active.any(0), active.argmax(0), -1))
    np.testing.assert_array_equal(a.first, b.first)
    np.testing.assert_array_equal(a.blocks.counts, b.blocks.counts)


def test_views_and_foreign_byte_orders() -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
    for same in (x[::-1], np.asfortranarray(x), x.astype(">f4"), x[:, ::-1][:, ::-1]):
        counting = counter()
        counting.update(same)
        assert counting.counts().counts.tolist() == (x > 0).sum(0).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda c: c.update(np.ones(3)),
            InputError,
            r"activations \(samples, ..., units\) .* got shape \(3,\)",
        ),
        (
            lambda c: c.update_indices(np.array([[5]]), 5),
            InputError,
            r"indices in 0\.\.4, or -1 for none, .* got 5\.\.5",
        ),
        (
            lambda c: c.update_indices(np.array([1]), 5),
            InputError,
            r"shape \(n_samples, n_active\), but got .*\(1,\)",
        ),
        (
            lambda c: c.update(np.ones((3, 2)), mask=np.ones(4)),
            InputError,
            r"here \(3, 1\), .* got \(4, 1\)",
        ),
        (lambda c: c.update([[1.0], [1.0, 2.0]]), InputError, "expected an array of numbers"),
        (lambda c: c.update(None), InputError, "expected an array of numbers"),
        (lambda c: c.update_indices([[1.7]], 5), InputError, "expected whole indices"),
        (
            lambda c: c.update_indices([[1, 1]], 5),
            InputError,
            "stand once in their row, but some stand twice",
        ),
        (lambda c: c.counts(), CountsError, "nothing was counted yet"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_lost(
    call, error: type, message: str
) -> None:
    counting = counter()
    with pytest.raises(error, match=message):
        call(counting)
    counting.update(np.ones((2, 5)))
    assert (counting.counts().samples, counting.counts().entries) == (2, 2)


@pytest.mark.parametrize("units", [2.5, 0, -1, "3", None, [3, 4], float("nan"), 2**64])
def test_a_number_of_units_that_is_none_is_refused(units: object) -> None:
    counting = counter()
    with pytest.raises(InputError, match=r"expected (whole|one number for) units"):
        counting.update_indices([[0, 1]], units)  # type: ignore[arg-type]
    with pytest.raises(CountsError, match="nothing was counted yet"):
        counting.counts()


def test_whole_units_of_any_kind_are_taken() -> None:
    counting = counter()
    counting.update_indices([[0, 1]], np.int64(3))
    counting.update_indices([[2, -1]], 3.0)  # type: ignore[arg-type]
    assert counting.counts().counts.tolist() == [1, 1, 1]
