"""The plan only grows, keeps its groups, and is refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from actilaw.errors import FileError
from actilaw.study.grid import Cell, in_groups
from actilaw.study.plan import Plan

TASK = "digits"  # small networks of it train together
CELLS = [Cell(TASK, 32, samples, seed) for seed in (0, 1) for samples in (20, 60)]
SEED_2 = [Cell(TASK, 32, samples, 2) for samples in (20, 60)]


def test_cells_of_one_shape_form_a_group_and_later_ones_another() -> None:
    plan = Plan().with_cells(CELLS)
    assert plan.groups == (tuple(CELLS),)
    more = plan.with_cells([*CELLS, *SEED_2])
    assert more.groups == (tuple(CELLS), tuple(SEED_2))
    assert more.cells() == [*CELLS, *SEED_2]
    assert more.groups != tuple(in_groups([*CELLS, *SEED_2]))  # as if asked for at once


def test_asking_for_some_gives_the_whole_of_their_groups_once() -> None:
    plan = Plan().with_cells(CELLS).with_cells(SEED_2)
    assert plan.groups_of([CELLS[3], CELLS[0]]) == [tuple(CELLS)]
    assert plan.groups_of([SEED_2[1], CELLS[0]]) == [tuple(SEED_2), tuple(CELLS)]


def test_a_cell_set_apart_is_a_group_by_itself_from_then_on() -> None:
    plan = Plan().with_cells(CELLS).apart([CELLS[1]])
    assert plan.groups_of([CELLS[1]]) == [(CELLS[1],)]
    assert plan.groups_of([CELLS[0]]) == [tuple(CELLS)]
    assert plan.apart([CELLS[1]]) == plan
    assert plan.cells() == CELLS


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    plan = Plan().with_cells(CELLS).with_cells(SEED_2).apart([CELLS[1]])
    plan.save(path)
    assert Plan.load(path) == plan
    Plan().save(path)
    assert Plan.load(path) == Plan() == Plan.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"format": 2, "groups": []}',
        b'{"format": 1, "groups": [3]}',
        b'{"format": 1, "groups": [{"task": "a", "width": 1.5, "samples_and_seeds": [[1, 0]]}]}',
        b'{"format": 1, "groups": [{"task": 7, "width": 1, "samples_and_seeds": [[1, 0]]}]}',
        b'{"format": 1, "groups": [{"task": "a", "width": 1, "samples_and_seeds": [[1]]}]}',
    ],
)
def test_a_damaged_plan_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"plan of a study, but .*plan.json is none or is damaged"):
        Plan.load(path)
