from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw.errors import InputError
from actilaw.study.grid import MOST_TOGETHER, Cell, Grid, each_once, in_groups
from actilaw.study.tasks import TASKS, register_task, stacked_up_to, task_function

WIDTHS = st.lists(st.integers(1, 4096), min_size=1, max_size=5)


def test_cells_are_all_combinations_seed_by_seed_widest_first() -> None:
    cells = Grid("digits", (8, 32), (10, 20), (0, 1)).cells()
    assert len(set(cells)) == 8
    assert [cell.seed for cell in cells] == [0] * 4 + [1] * 4
    assert [(cell.width, cell.samples) for cell in cells[:4]] == [
        (32, 20), (32, 10), (8, 20), (8, 10)
    ]  # fmt: skip


@pytest.mark.slow
@given(WIDTHS, st.sets(st.integers(0, 40), min_size=1))
def test_groups_hold_every_cell_once_and_share_a_shape(widths: list[int], seeds: set[int]) -> None:
    cells = Grid("digits", tuple(widths), (10, 20), tuple(seeds)).cells()
    groups = in_groups(cells)
    assert sorted(cell for group in groups for cell in group) == sorted(cells)
    for group in groups:
        assert len({(cell.task, cell.width) for cell in group}) == 1
        largest = MOST_TOGETHER if group[0].width <= stacked_up_to("digits") else 1
        assert 1 <= len(group) <= largest


def test_a_cell_of_two_grids_stands_once() -> None:
    one, other = Grid("digits", (8,), (10, 20), (0,)), Grid("digits", (8, 16), (20,), (0,))
    assert len(each_once([one, other])) == 3


def test_names_of_cells_can_be_names_of_files() -> None:
    assert Cell("my.tasks:one", 8, 20, 1).name == "my.tasks=one-width8-samples20-seed1"


@pytest.mark.parametrize(
    ("field", "given"), [("widths", (0,)), ("samples", (1.5,)), ("seeds", (-1,)), ("widths", ())]
)
def test_what_is_no_grid_is_refused(field: str, given: tuple[int, ...]) -> None:
    values = {"widths": (8,), "samples": (10,), "seeds": (0,)} | {field: given}
    with pytest.raises(InputError, match=field):
        Grid("digits", **values)


def test_every_registered_task_has_five_widths_and_six_sizes() -> None:
    assert len(TASKS) >= 7
    for task in TASKS.values():
        assert len(task.widths) >= 5
        assert len(task.samples) >= 6
        assert list(task.widths) == sorted(task.widths)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "expected a task as module:function, or one of digits, mnist"),
        ("no_such_module:task", "in a module no_such_module, but there is none"),
        ("builders.problems:none", "expected a function none in the module builders"),
        (":", "expected a task as module:function"),
    ],
)
def test_what_is_no_task_is_refused_in_a_sentence(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        task_function(name)


def test_a_registered_name_is_found_and_taken() -> None:
    def task(width: int, seed: int) -> object:
        raise AssertionError

    assert register_task("of-a-test", stacked_up_to=64)(task) is task  # type: ignore[arg-type]
    assert task_function("of-a-test") is task
    assert stacked_up_to("of-a-test") == 64
    with pytest.raises(InputError, match="taken"):
        register_task("of-a-test")(lambda width, seed: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(InputError, match="taken"):
        register_task("digits")(task)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="letters, digits and hyphens"):
        register_task("a b")
