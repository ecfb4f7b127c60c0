"""Which cells the presets have, and how they are changed."""

from __future__ import annotations

import pytest

from actilaw.errors import InputError
from actilaw.study.grid import Grid
from actilaw.study.presets import grids
from actilaw.study.tasks import TASKS


def test_full_has_all_widths_and_samples_and_three_seeds() -> None:
    for grid, task in zip(grids("full"), TASKS.values(), strict=True):
        assert grid == Grid(task.name, task.widths, task.samples, (0, 1, 2))


def test_small_has_all_tasks_but_the_slowest_at_four_widths_and_a_part_of_full() -> None:
    small, full = grids("small"), grids("full")
    assert [grid.task for grid in small] == [name for name in TASKS if name != "routed"]
    assert grids("small", ["routed"])[0].task == "routed"
    for grid in small:
        assert len(grid.widths) == 4  # slopes in the width need as many
        assert len(grid.samples) == 4
        [whole] = [other for other in full if other.task == grid.task]
        assert set(grid.cells()) < set(whole.cells())


def test_tasks_are_chosen_and_numbers_replaced() -> None:
    [text, digits] = grids("full", ["text", "digits", "text"], widths=[3], seeds=[7])
    assert text == Grid("text", (3,), TASKS["text"].samples, (7,))
    assert digits == Grid("digits", (3,), TASKS["digits"].samples, (7,))
    [own] = grids("small", ["module:function"], widths=[2, 4], samples=[5])
    assert own == Grid("module:function", (2, 4), (5,), (0,))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"preset": "big"}, "expected a preset, small or full, but got 'big'"),
        ({"tasks": ["module:function"], "widths": [2]}, "expected widths and samples for the task"),
        ({"tasks": ["text"], "widths": []}, "expected at least one of the widths"),
        ({"tasks": ["text"], "seeds": [-1]}, "seeds"),
    ],
)
def test_mistakes_are_told(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        grids(**arguments)  # type: ignore[arg-type]
