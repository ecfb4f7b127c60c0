"""Numbers of samples, given as numbers or as multiples of those counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw.errors import InputError
from actilaw.support.validation import samples_from


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("10x", 2_000),
        ("1.5X", 300),
        (" 2 x ", 400),
        ("0.001x", 0),
        ("5000", 5_000),
        ("1e6", 1_000_000),
        (7, 7),
        (7.5, 7.5),
        ("5000,10x", [5_000, 2_000]),
        (["10x", 5_000, np.int64(3), "2.5"], [2_000, 5_000, 3, 2.5]),
        (("1x", "2x"), [200, 400]),
        (np.array(["1x", "3x"]), [200, 600]),
        (pd.Series(["1x", "3x"]), [200, 600]),
        (pd.Series([1, 3]), [1, 3]),
        ([], []),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ],
)
def test_multiples_and_numbers_give_numbers(words: object, numbers: object) -> None:
    found = samples_from(words, 200)
    np.testing.assert_array_equal(found, numbers)
    assert np.shape(found) == np.shape(numbers)


@given(st.integers(1, 2**62), st.integers(0, 1000))
def test_whole_multiples_of_whole_samples_are_exact(counted: int, factor: int) -> None:
    found = samples_from(f"{factor}x", counted)
    if factor * counted < 2**63:
        assert int(found) == factor * counted
    else:
        assert float(found) == float(factor * counted)


def test_multiples_of_fractions_are_not_rounded() -> None:
    assert samples_from("3x", 0.5) == 1.5
    assert samples_from("1.5x", np.int64(201)) == round(1.5 * 201)


def test_plain_numbers_stay_as_they_are() -> None:
    array = np.array([2**62 + 1, 3])
    assert samples_from(array, 10) is array


@pytest.mark.parametrize(
    "junk",
    [
        *("", "x", "ten", "10xx", "10y", "0x10", "-1x", "nanx", "infx", "nan", "5,", ",", "x10"),
        *(["10x", None], ["10x", "ten"], ["1x", True], ["1x", ["2x"]], None, True, [True]),
        *([[1], [2, 3]], {"a": 1}, object(), b"10x", 1j, ["1x", b"1"]),
    ],
)
def test_anything_else_is_refused_in_a_sentence(junk: object) -> None:
    with pytest.raises(InputError, match="expected more as numbers, or as multiples of those"):
        samples_from(junk, 10, "more")
