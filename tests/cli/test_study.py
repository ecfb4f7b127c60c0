"""The commands of a study: what they print, and their mistakes in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from actilaw.cli import study
from actilaw.study.tasks import TASKS
from builders.command import actilaw, assert_one_sentence

TASK = "builders.study_tasks:failing"
COMMANDS = ("run", "status", "table", "claims", "report", "tasks")
RUN = ("study", "run", "--tasks", TASK, "--widths", "4", "--samples", "16", "--workers", "1")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_every_parameter_says_what_it_is(command: str) -> None:
    shown = actilaw("study", command, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"actilaw study {command}" in shown.stdout
    assert command in actilaw("study", "--help").stdout
    [described] = [c for c in study.study_commands.registered_commands if c.name == command]
    first, blank, *_ = (described.callback.__doc__ or "").splitlines()
    assert 0 < len(first) <= 70
    assert first.endswith(".")
    assert not blank


def test_tasks_are_listed() -> None:
    document = json.loads(actilaw("study", "tasks", "--json").stdout)
    assert list(document) == list(TASKS)
    assert document["digits"]["widths"] == list(TASKS["digits"].widths)
    shown = actilaw("study", "tasks").stdout
    assert all(f"\n{name} " in shown for name in TASKS)


@pytest.mark.slow
def test_a_study_is_run_looked_at_and_written_as_a_table(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    ran = actilaw(*RUN, "--seeds", "0,1", "-o", folder, "--json")
    assert ran.returncode == study.SOME_CELLS_FAILED
    assert "1 cells failed: actilaw study status" in ran.stderr
    document = json.loads(ran.stdout)
    [failure] = document["failures"]
    assert failure["seed"] == 1
    assert "no data for this seed" in failure["failure"]
    tasks = document["tasks"][TASK]
    assert [tasks[name] for name in ("cells", "done", "failed")] == [2, 1, 1]
    assert json.loads(actilaw("study", "status", folder, "--json").stdout) == document
    status = actilaw("study", "status", folder).stdout.split()
    assert status[status.index(TASK) :][1:4] == ["2", "1", "1"]
    assert "failed:" in status
    [row] = json.loads(actilaw("study", "table", folder, "--json").stdout)
    assert (row["width"], row["samples"], row["seed"], row["units"]) == (4, 16, 0, 4)
    assert "0.0" not in actilaw("study", "table", folder).stdout.split()
    path = tmp_path / "table.parquet"
    assert str(path) in actilaw("study", "table", folder, "-o", path).stdout
    assert len(pd.read_parquet(path)) == 1
    again = actilaw(*RUN, "--seeds", "0", "-o", folder)
    assert (again.returncode, again.stderr) == (0, "")  # the cell that failed was not asked for


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run",), ("Missing option", "--output")),
        (("run", "-o", "s", "--preset", "big"), ("expected a preset, small or full",)),
        (("run", "-o", "s", "--tasks", "a,,b"), ("expected names separated by commas as --tasks",)),
        (("run", "-o", "s", "--tasks", "a"), ("expected widths and samples for the task 'a'",)),
        (("run", "-o", "s", "--widths", "4;5"), ("commas as --widths, but got '4;5'",)),
        (("run", "-o", "s", "--seeds", "-1"), ("seeds",)),
        (("run", "-o", "s", "--workers", "0"), ("--workers",)),
        (("run", "-o", "s", "--retries", "-1"), ("--retries",)),
        (("status", "nowhere"), ("expected the folder of a study",)),
        (("table", "nowhere"), ("expected the folder of a study",)),
        (("look",), ("No such command", "look")),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    assert_one_sentence(actilaw("study", *arguments, folder=tmp_path), *said)
    assert not list(tmp_path.iterdir())
