"""Runs of a study that are killed, stopped, or lose a process, beside one that nothing disturbs."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest

from actilaw.errors import InputError, MissingExtraError
from actilaw.study.run import Progress, run_study
from actilaw.study.store import Study
from builders.command import actilaw, assert_one_sentence
from builders.study_runs import (
    cells_in,
    in_this_process,
    number_done,
    started,
    wait_until,
    words_of,
)
from builders.study_tasks import CALLS, grid_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The task `slow`, whose networks train one by one, and `stacked`, whose train together."""
    with in_this_process():
        folder = tmp_path_factory.mktemp("undisturbed")
        return run_study(folder, [grid_of("slow"), grid_of("stacked")])


def of_task(study: Study, task: str) -> dict[str, bytes]:
    return {name: content for name, content in cells_in(study.folder).items() if task in name}


def test_every_cell_has_its_row(undisturbed: Study) -> None:
    assert undisturbed.failures() == {}
    table = undisturbed.table()
    assert len(table) == 2 * 2 * 2 * 2
    assert set(zip(table["width"], table["units"], strict=True)) == {(4, 4), (8, 8)}
    assert (table["counted"] == table["samples"]).all()


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    undisturbed: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Killed with SIGKILL after a cell and again after five, its workers left to themselves."""
    folder, calls = tmp_path / "study", tmp_path / "calls"
    for done in (1, 5):
        run = started(folder, "slow", calls=calls)
        wait_until(lambda done=done: calls.exists() and number_done(folder) >= done, run)
        run.kill()
        run.communicate()
    kept = cells_in(folder)
    before = calls.read_text().splitlines()
    monkeypatch.setenv(CALLS, str(calls))
    run_study(folder, grid_of("slow"), workers=2)
    assert cells_in(folder) == of_task(undisturbed, "slow")
    assert kept.items() <= cells_in(folder).items()
    # What is finished is not trained again; two processes of each killed run had begun another.
    assert len(before) <= len(kept) + 2 * 2
    again = len(calls.read_text().splitlines()) - len(before)
    assert again <= 8 - len(kept) + 2  # and may have noted it after the kill


def test_ctrl_c_keeps_what_is_done_and_says_so(undisturbed: Study, tmp_path: Path) -> None:
    run = started(tmp_path / "study", "slow")
    wait_until(lambda: number_done(tmp_path / "study") >= 2, run)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does, the workers too
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.count("\n") == 1
    done = number_done(tmp_path / "study")
    assert f"stopped; {done} of 8 cells are done" in errors
    assert cells_in(tmp_path / "study").items() <= of_task(undisturbed, "slow").items()


def test_a_dead_process_costs_its_own_group_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first process kills itself once; the network it was about to train is trained again."""
    calls = tmp_path / "calls"
    monkeypatch.setenv(CALLS, str(calls))
    study = run_study(tmp_path / "study", grid_of("deadly_once"), workers=2)
    assert number_done(study.folder) == 8
    assert study.failures() == {}
    assert len(calls.read_text().splitlines()) == 8


def test_what_kills_or_fails_again_and_again_is_told_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    monkeypatch.setenv(CALLS, str(calls))
    shape = {"widths": (4,), "samples": (16,)}
    grids = [grid_of("deadly", **shape), grid_of("failing", **shape)]
    steps: list[Progress] = []
    study = run_study(tmp_path / "study", grids, workers=2, retries=1, progress=steps.append)
    assert number_done(study.folder) == 2
    [failed, killed] = sorted(study.failures().values())
    assert failed.startswith("RuntimeError: no data for this seed")
    assert killed.startswith("none of 2 processes came to its end (TerminatedWorkerError: ")
    assert "SIGKILL" in killed
    assert Counter(calls.read_text().splitlines())["killed"] == 2
    assert [step.done + step.failed for step in steps] == sorted(
        step.done + step.failed for step in steps
    )
    assert steps[0] == Progress(4, 0, 0, None)
    assert (steps[-1].done, steps[-1].failed, steps[-1].seconds_left) == (2, 2, 0.0)
    # Failed cells wait until they are asked for.
    calls.unlink()
    run_study(study.folder, grids, workers=2)
    assert not calls.exists()
    run_study(study.folder, grids, workers=1, retries=0, retry_failed=True)
    assert Counter(calls.read_text().splitlines()) == {"killed": 1}


def test_a_group_whose_process_dies_is_run_cell_by_cell(tmp_path: Path) -> None:
    """In a stack of four, one seed of two kills."""
    with in_this_process(kills=lambda group: any(cell.seed == 1 for cell in group)):
        study = run_study(tmp_path, grid_of("stacked_deadly", widths=(4,)), retries=0)
    assert {cell.seed for cell in study.failures()} == {1}
    assert {cell.seed for cell, _ in study.results()} == {0}
    assert len(study.failures()) == 2


def test_seeds_that_are_added_leave_the_files_as_they_are(tmp_path: Path) -> None:
    small = grid_of("stacked", widths=(4,), seeds=(0,))
    with in_this_process():
        study = run_study(tmp_path, small)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    content = cells_in(tmp_path)
    assert len(files) == 2
    with in_this_process():
        run_study(tmp_path, grid_of("stacked", widths=(4,)))
    assert number_done(study.folder) == 4
    assert all(path.stat().st_mtime_ns == time for path, time in files.items())
    assert content.items() <= cells_in(tmp_path).items()


def test_a_second_run_on_the_folder_is_refused(tmp_path: Path) -> None:
    first = started(tmp_path, "slow")
    wait_until(lambda: number_done(tmp_path) >= 1, first)
    os.killpg(first.pid, signal.SIGSTOP)  # or it could end before the second begins
    second = actilaw(*words_of(tmp_path, "slow"))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert_one_sentence(second, f"in use by process {first.pid}")


def test_mistakes_are_told_before_anything_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with pytest.raises(InputError, match="expected a function nothing in the module"):
        run_study(folder, grid_of("nothing"))
    with pytest.raises(InputError, match="retries"):
        run_study(folder, grid_of("tiny"), retries=-1)
    assert not folder.exists()
    with pytest.raises(InputError, match="workers"):
        run_study(folder, grid_of("tiny"), workers=0)
    with (
        mock.patch.dict("sys.modules", {"joblib": None}),
        pytest.raises(MissingExtraError, match=r"actilaw\[study\]"),
    ):
        run_study(folder, grid_of("tiny"))
