"""Mistakes in tasks of users' own, told in a sentence before anything is trained."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actilaw.errors import InputError
from actilaw.recording.criteria import Threshold
from actilaw.study.cells import run_group, runs_of
from actilaw.study.grid import Cell, Grid
from actilaw.study.presets import grids
from actilaw.study.problem import Problem, Schedule, Stop
from actilaw.study.run import run_study
from actilaw.study.store import Study
from actilaw.study.tasks import register_task, task_function
from builders.study_runs import in_this_process
from builders.study_tasks import squared_errors, tiny


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def task(:", "importing it fails with SyntaxError"),
        ("import no_such_library", "importing it fails with ModuleNotFoundError: No module"),
        ("raise AttributeError('of its own')", "fails with AttributeError: of its own"),
        ("task = 7", "expected a function task in the module own_task, but it is int"),
        ("", "expected a function task in the module own_task, but it has none"),
    ],
)
def test_a_module_that_has_no_task_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    (tmp_path / "own_task.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("own_task", None)
    with pytest.raises(InputError, match=said):
        task_function("own_task:task")


def test_cells_of_another_version_of_a_task_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file, folder = tmp_path / "changing_task.py", tmp_path / "study"
    name = "changing_task:task"

    def run(steps: int, seeds: tuple[int, ...], comment: str = "") -> Study:
        file.write_text(
            "from builders.study_tasks import tiny\n"
            f"def task(width, seed):  # {comment}\n    return tiny(width, seed, steps={steps})\n"
        )
        sys.modules.pop("changing_task", None)
        with in_this_process():
            return run_study(folder, Grid(name, (4,), (16,), seeds))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(steps=5, seeds=(0,))
        run(steps=5, seeds=(0, 1), comment="a comment makes no other task")
    with pytest.warns(UserWarning, match="changing_task:task has changed since 2 of its 2 cells"):
        study = run(steps=6, seeds=(0, 1, 2))
    with pytest.warns(UserWarning, match="changed since 2 of its 3 cells"):
        run(steps=6, seeds=(0,), comment="nothing is left to train, and it is said all the same")
    sources = {cell.seed: census.about["task_source"] for cell, census in study.results()}
    assert sources[0] == sources[1] != sources[2]


@pytest.mark.parametrize("steps", [0, -1, 2.5, "many"])
def test_a_training_that_would_not_end_is_refused(steps: object) -> None:
    with pytest.raises(InputError, match="expected whole steps"):
        Stop(steps=steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"rate": 0.0}, {"rate": -1e-3}, {"l1": -1.0}])
def test_a_schedule_that_trains_nothing_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        Schedule(Stop(steps=1), **wrong)


def _problem(model: nn.Module, layer: str, losses=squared_errors, **options) -> Problem:
    inputs = torch.randn(24, 3, 4)
    schedule = Schedule(Stop(steps=3), batch=4)
    return Problem(
        model, (layer,), inputs, inputs.sum((1, 2))[:, None], inputs, inputs.sum((1, 2))[:, None],
        losses, schedule, **options,
    )  # fmt: skip


def _outcome(name: str, problem: Problem):
    register_task(name)(lambda width, seed: problem)
    [outcome] = run_group([Cell(name, 4, 24, 0)])
    return outcome


def test_losses_that_are_averaged_already_are_refused_before_training() -> None:
    def averaged(outputs: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return squared_errors(outputs, inputs, targets).mean()

    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 1))
    outcome = _outcome("averaged", _problem(model, "2", averaged))
    assert "one for each of its 2 samples, but got ()" in outcome.failure


@pytest.mark.slow
def test_units_on_another_axis_than_the_last_are_refused_whatever_the_sizes() -> None:
    for places in (4, 6):  # as many places as channels, and more
        model = nn.Sequential(
            nn.Conv1d(3, 4, 5 - places + 4 if places == 4 else 1, padding=places - 4),
            nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 1),
        )  # fmt: skip
        model[0] = nn.Conv1d(3, 4, 1)
        outcome = _outcome(f"convolved{places}", _problem(model, "1"))
        assert "expected the 4 units of layer '1' on the last axis" in outcome.failure


def test_layers_are_counted_by_the_rule_of_the_problem() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Sigmoid(), nn.Linear(5, 1))
    outcome = _outcome("sigmoid", _problem(model, "2", criterion=Threshold(0.6)))
    frozen, training = outcome.census["2"], outcome.census["2 (training)"]
    assert frozen.criterion == training.criterion == "threshold(0.6)"
    assert 0 < frozen.active < 5
    assert 0 < training.active < 5


def test_dropout_draws_the_same_numbers_whatever_ran_before() -> None:
    def dropped() -> Problem:
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Flatten(), nn.Linear(12, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 1)
        )
        return _problem(model, "2")

    register_task("dropout")(lambda width, seed: dropped())
    cell = Cell("dropout", 9, 24, 0)
    first = run_group([cell])[0].census
    torch.randn(100)
    again = run_group([cell])[0].census
    assert first.weights == again.weights
    np.testing.assert_array_equal(first["2"].counts, again["2"].counts)


def test_a_task_registered_in_a_script_is_refused_at_once(tmp_path: Path) -> None:
    def mine(width: int, seed: int) -> Problem:
        return tiny(width, seed)

    mine.__module__ = "__main__"
    register_task("mine")(mine)
    with pytest.raises(InputError, match="registered in a script or a notebook"):
        run_study(tmp_path, Grid("mine", 4, 8, 0))


@pytest.mark.slow  # by a process of its own, which has to find the module
def test_a_task_registered_in_a_module_runs_by_its_name(tmp_path: Path) -> None:
    study = run_study(tmp_path, Grid("stacked", 4, (8, 16), 0), workers=1)
    assert study.failures() == {}
    assert len(study.table()) == 2


def test_one_number_or_name_stands_for_a_list() -> None:
    assert Grid("digits", 8, 20, 0) == Grid("digits", (8,), (20,), (0,))
    assert [grid.task for grid in grids(tasks="digits")] == ["digits"]
    with pytest.raises(InputError, match="expected grids, such as Grid"):
        run_study("anywhere", "digits")  # type: ignore[arg-type]


def test_tasks_whose_names_differ_in_a_sign_have_files_of_their_own() -> None:
    names = {Cell(task, 4, 8, 0).name for task in ("a:b", "a-b")}
    assert len(names) == 2
    assert runs_of([]) == []
