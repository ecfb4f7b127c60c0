"""What is remembered of a recording: JSON values alone, refused where they are given."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw import ActivationCounts, Census, load
from actilaw.errors import InputError

LAYERS = {"relu": ActivationCounts(np.array([1, 0]), 2)}
texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.none() | st.booleans() | st.integers(-(2**200), 2**200) | texts
plain |= st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@pytest.mark.slow
@given(st.dictionaries(texts, json_values, max_size=4))
def test_json_values_come_back_from_a_file_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, about: dict
) -> None:
    path = tmp_path_factory.getbasetemp() / "about.census"
    census = Census(LAYERS, about)
    assert census.about == about
    assert load(census.save(path)).about == about


def test_numbers_of_numpy_and_paths_are_converted(tmp_path) -> None:
    given = {"n": np.int64(3), "x": np.float32(0.5), "b": np.bool_(True), "p": Path("a/b")}
    given["many"] = (np.uint8(1), [Path("c")], {"d": np.float64(2)})
    kept = Census(LAYERS, given).about
    assert kept == {"n": 3, "x": 0.5, "b": True, "p": "a/b", "many": [1, ["c"], {"d": 2.0}]}
    assert [type(kept[name]) for name in "nxbp"] == [int, float, bool, str]
    assert load(Census(LAYERS, given).save(tmp_path / "a")).about == kept


def test_what_is_remembered_is_a_copy() -> None:
    seeds = [1]
    census = Census(LAYERS, {"seeds": seeds})
    seeds.append(2)
    assert census.about["seeds"] == [1]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"n": {1, 2}}, r"as about\['n'\], but got \{1, 2\}: write it as text"),
        ({"x": math.nan}, r"as about\['x'\], but got nan"),
        ({"x": np.float64("inf")}, r"as about\['x'\], but got inf"),
        ({"a": {"b": [0, b"c"]}}, r"as about\['a'\]\['b'\]\[1\], but got b'c'"),
        ({"o": object()}, r"as about\['o'\], but got <object"),
        ({"o": np.arange(3)}, r"as about\['o'\], but got array\(\[0, 1, 2\]\)"),
        ({"o": 1j}, r"as about\['o'\], but got 1j"),
        ({1: "a"}, "expected the keys of `about` as a string, but got 1"),
        ({"a": {None: 1}}, r"expected the keys of `about\['a'\]` as a string, but got None"),
        ({"\ud800": 1}, r"'\\ud800' has half of a surrogate pair"),
        ({"a": "x\udc00"}, r"expected `about\['a'\]` as text .*'x\\udc00' has half"),
        ({"a": "x" * 99 and set(range(99))}, r"\.\.\.: write it as text"),
        ({"a": 10**5000}, "expected JSON values in `about`, but Exceeds the limit"),
        ([("a", 1)], r"expected `about` as a mapping from names to JSON values, but got \[\('a'"),
        (3, "expected `about` as a mapping"),
    ],
)
def test_anything_else_is_refused_with_its_key(about: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Census(LAYERS, about)


def test_values_within_themselves_are_refused() -> None:
    endless: list = []
    endless.append(endless)
    with pytest.raises(InputError, match="expected at most 50 levels in `about`, but"):
        Census(LAYERS, {"a": endless})
