"""The folder of a study, filled by hand: what a kill may leave, damage, locks, tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from actilaw import ActivationCounts, Census
from actilaw.errors import FileError
from actilaw.study import cells, table
from actilaw.study.cells import Outcome
from actilaw.study.grid import Cell
from actilaw.study.store import Study, opened_for_writing

CELLS = [Cell("digits", 32, samples, seed) for seed in (0, 1) for samples in (20, 60)]
REMOVAL = {
    "loss_without_idle": 0.5,
    "change_on_training": 0.0,
    "removable_0.1%": 0.25,
    "removable_1%": 0.5,
}


def outcome(cell: Cell, **about: object) -> Outcome:
    """A cell with ten units, of which as many work as its seed says."""
    counts = ActivationCounts(np.where(np.arange(10) <= cell.seed, 3, 0), cell.samples)
    words = {
        **cell.settings(),
        "test_loss": 0.5,
        "steps": 7,
        "removal": {"relu": REMOVAL},
        "versions": cells.versions(),
        **about,
    }
    layers = {"relu": counts, "relu (training)": counts}
    return Outcome(cell, Census(layers, words, recordings=(cell.name,)), None, 2.0)


def failed(cell: Cell, reason: str = "no data") -> Outcome:
    return Outcome(cell, None, reason, 1.0)


def fill(folder: Path, *outcomes: Outcome) -> Study:
    """A study of `CELLS` in which this came of some."""
    with opened_for_writing(folder) as writer:
        writer.groups_to_run(CELLS, retry_failed=False)
        writer.keep(outcomes)
        return writer.study


def groups(folder: Path, *, retry_failed: bool = False) -> list[tuple[Cell, ...]]:
    """What the next run has to do."""
    with opened_for_writing(folder) as writer:
        return writer.groups_to_run(CELLS, retry_failed=retry_failed)


def test_what_is_kept_can_be_read(tmp_path: Path) -> None:
    study = fill(tmp_path, outcome(CELLS[0]), failed(CELLS[1]))
    assert study.cells() == CELLS
    assert study.census(CELLS[0])["relu"].working == 1
    assert study.failures() == {CELLS[1]: "no data"}
    [row] = study.status().itertuples()
    assert (row.Index, row.cells, row.done, row.failed, row.seconds) == ("digits", 4, 1, 1, 3.0)
    assert row.seconds_left == 2 * 2.0  # two cells are left, and the one that is done took two
    with pytest.raises(FileError, match=r"there is no file .*samples60-seed1"):
        study.census(CELLS[3])


def test_the_table_has_a_row_for_each_layer_of_each_cell(tmp_path: Path) -> None:
    study = fill(tmp_path, *(outcome(cell) for cell in CELLS[:3]))
    found = study.table()
    assert list(found.columns) == list(table.TABLE_COLUMNS)
    assert list(found["working"]) == list(found["working_in_training"]) == [1, 1, 2]
    assert list(found["counted"]) == [20, 60, 20]
    assert list(found["removable_0.1%"]) == [0.25] * 3
    assert found["test_error"].isna().all()
    written = pd.read_parquet(study.write_table())
    pd.testing.assert_frame_equal(written, found, check_dtype=False)


def test_duckdb_reads_the_table(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = fill(tmp_path, *(outcome(cell) for cell in CELLS)).write_table(tmp_path / "t.parquet")
    query = f"""SELECT seed, max("removable_1%"), sum(working) FROM '{path}'
        GROUP BY seed ORDER BY seed"""
    assert duckdb.sql(query).fetchall() == [(0, 0.5, 2), (1, 0.5, 4)]


def test_a_group_has_to_run_until_all_of_it_is_done_or_failed(tmp_path: Path) -> None:
    fill(tmp_path, *(outcome(cell) for cell in CELLS[:3]))
    assert groups(tmp_path) == [tuple(CELLS)]
    fill(tmp_path, failed(CELLS[3]))
    assert groups(tmp_path) == []
    assert groups(tmp_path, retry_failed=True) == [(CELLS[3],)]
    study = fill(tmp_path, outcome(CELLS[3]))
    assert study.failures() == {}
    assert groups(tmp_path, retry_failed=True) == []


def test_a_cell_that_is_done_is_not_written_again(tmp_path: Path) -> None:
    study = fill(tmp_path, outcome(CELLS[0]))
    before = study.path_of(CELLS[0]).stat().st_mtime_ns
    fill(tmp_path, outcome(CELLS[0], test_loss=0.7), outcome(CELLS[1]))
    assert study.path_of(CELLS[0]).stat().st_mtime_ns == before
    assert study.path_of(CELLS[1]).exists()


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code catches it."""


@pytest.mark.parametrize("call", range(6))
def test_a_kill_between_two_files_loses_and_repeats_nothing(tmp_path: Path, call: int) -> None:
    """Killed before the bundle there is nothing of the group; after it, all of it."""
    from actilaw.study import store

    whole = fill(tmp_path / "whole", *(outcome(cell) for cell in CELLS))
    calls = 0

    def write(path: Path, content: bytes) -> Path:
        nonlocal calls
        if calls == call:
            raise Killed
        calls += 1
        return write_atomically(path, content)

    def append(path: Path, seconds: dict[Cell, float]) -> None:
        if call == 5:
            raise Killed
        append_seconds(path, seconds)

    write_atomically, append_seconds = store.write_atomically, store.append_seconds
    with opened_for_writing(tmp_path / "killed") as writer:
        writer.groups_to_run(CELLS, retry_failed=False)
        with (
            mock.patch.object(store, "write_atomically", write),
            mock.patch.object(store, "append_seconds", append),
            pytest.raises(Killed),
        ):
            writer.keep(outcome(cell) for cell in CELLS)
    left = groups(tmp_path / "killed")
    assert left == ([tuple(CELLS)] if call == 0 else [])
    if call:
        for cell in CELLS:
            copy = Study(tmp_path / "killed").path_of(cell)
            assert copy.read_bytes() == whole.path_of(cell).read_bytes()
        assert Study(tmp_path / "killed").status()["seconds"].item() == 8.0
        assert not list((tmp_path / "killed" / "pending").iterdir())


@pytest.mark.parametrize("damage", ["cut", "flipped", "other cell", "emptied"])
def test_a_damaged_file_is_told_and_counts_as_not_done(tmp_path: Path, damage: str) -> None:
    study = fill(tmp_path, *(outcome(cell) for cell in CELLS))
    path = study.path_of(CELLS[0])
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-5])
    elif damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "other cell":
        path.write_bytes(study.path_of(CELLS[1]).read_bytes())
    else:
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match=r"seed0.* until then the cell counts as not done"):
        assert study.status()["done"].item() == 3
    with pytest.raises(FileError, match="seed0"):
        study.census(CELLS[0])
    with pytest.warns(UserWarning, match="counts as not done"):
        assert groups(tmp_path) == [tuple(CELLS)]
    with pytest.warns(UserWarning, match="counts as not done"):
        fill(tmp_path, *(outcome(cell) for cell in CELLS))
    assert study.status()["done"].item() == 4


def test_a_damaged_bundle_is_told_and_its_cells_run_again(tmp_path: Path) -> None:
    study = fill(tmp_path)
    bundle = tmp_path / "pending" / "x.zip"
    for content in (b"", b"PK\x03\x04 and so on", b"\x00" * 100):
        bundle.write_bytes(content)
        with pytest.warns(UserWarning, match=r"x.zip holds none or is damaged.*run again"):
            assert groups(tmp_path) == [tuple(CELLS)]
        assert not bundle.exists()
    assert study.status()["done"].item() == 0


def test_damage_beside_the_cells_does_no_harm(tmp_path: Path) -> None:
    """A line of the log that a kill cut short, and the reason of a failure."""
    study = fill(tmp_path, outcome(CELLS[0]), failed(CELLS[1]))
    log = tmp_path / "seconds.jsonl"
    log.write_bytes(log.read_bytes()[:-10])
    fill(tmp_path, outcome(CELLS[2]))
    assert study.status()["seconds"].item() == 2.0 + 2.0  # of the first and the third
    [reason] = (tmp_path / "cells").glob("*.failed.json")
    for content in ("", "[1]", json.dumps({"cell": CELLS[0].settings(), "failure": "other"})):
        reason.write_text(content)
        assert list(study.failures()) == [CELLS[1]]
        assert "is damaged" in study.failures()[CELLS[1]]


def test_folders_that_are_no_study_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"folder of a study, but there is no .*plan.json"):
        Study(tmp_path)
    (tmp_path / "letter.txt").write_text("dear")
    with (
        pytest.raises(FileError, match="expected an empty folder, or that of a study"),
        opened_for_writing(tmp_path),
    ):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]
    with (
        pytest.raises(FileError, match="cannot make a study"),
        opened_for_writing(tmp_path / "letter.txt" / "study"),
    ):
        pass


def test_two_runs_on_one_folder_are_refused(tmp_path: Path) -> None:
    with (
        opened_for_writing(tmp_path),
        pytest.raises(FileError, match=f"in use by process {os.getpid()} on .*wait until it ends"),
        opened_for_writing(tmp_path),
    ):
        pass
    with opened_for_writing(tmp_path):
        pass


@pytest.mark.slow
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from actilaw.support.locks import locked
with locked(Path({str(tmp_path / "lock")!r})):
    os.kill(os.getpid(), signal.SIGKILL)"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (tmp_path / "lock").read_text().startswith("process ")
    with opened_for_writing(tmp_path):
        pass
