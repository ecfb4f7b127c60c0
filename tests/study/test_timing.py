"""Seconds that were, and those that are to come."""

from __future__ import annotations

from pathlib import Path

import pytest

from actilaw.study.grid import Cell
from actilaw.study.timing import append_seconds, expected_seconds, read_seconds, seconds_left

KNOWN = {Cell("a", 8, 1, 0): 2.0, Cell("a", 8, 2, 0): 4.0, Cell("a", 32, 1, 0): 10.0}


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        (Cell("a", 8, 3, 0), 3.0),  # the median of its width
        (Cell("a", 32, 9, 9), 10.0),
        (Cell("a", 64, 1, 0), 20.0),  # twice the nearest width
        (Cell("a", 4, 1, 0), 1.5),
        (Cell("b", 8, 1, 0), None),
    ],
)
def test_a_cell_should_take_as_long_as_those_like_it(cell: Cell, seconds: float | None) -> None:
    assert expected_seconds(cell, KNOWN) == seconds


def test_time_left_is_shared_by_workers_but_no_group_is_cut() -> None:
    pair = (Cell("a", 8, 3, 0), Cell("a", 8, 4, 0))
    single = (Cell("a", 32, 2, 0),)
    assert seconds_left([pair, single], KNOWN, 1) == 16.0
    assert seconds_left([pair, single], KNOWN, 2) == 10.0  # the longest group
    assert seconds_left([pair, pair, single], KNOWN, 2) == 11.0
    assert seconds_left([], KNOWN, 2) == 0.0
    assert seconds_left([pair], {}, 2) is None
    unknown = (Cell("b", 8, 1, 0),)
    assert seconds_left([unknown], KNOWN, 1) == pytest.approx((2 + 4 + 10) / 3)


def test_the_log_keeps_the_last_word_and_survives_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "seconds.jsonl"
    one, other = Cell("a", 8, 1, 0), Cell("m:f", 8, 1, 1)
    append_seconds(path, {one: 1.0, other: 2.0})
    append_seconds(path, {one: 3.0})
    assert read_seconds(path) == {one: 3.0, other: 2.0}
    path.write_bytes(path.read_bytes()[:-9])  # the last line loses its end
    assert read_seconds(path) == {one: 1.0, other: 2.0}
    append_seconds(path, {one: 4.0})
    assert read_seconds(path) == {one: 4.0, other: 2.0}
    assert read_seconds(tmp_path / "none") == {}
