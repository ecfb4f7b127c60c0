"""Tables of runs as logs hold them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from actilaw.errors import InputError
from actilaw.loss.runs import read_runs

TABLE = pd.DataFrame({"N": [10, 20], "Train Tokens": [1e3, 2e3], "val/loss": [3.0, 2.5]})


@pytest.mark.parametrize(
    ("names", "unit"),
    [
        (("tokens", "val_loss", "n_params"), "nats"),
        (("D", "loss", "N"), "nats"),
        (("Training-Tokens", "Val BPB", "parameters"), "bits"),
        (("samples", "bits_per_byte", "width"), "bits"),
    ],
)
def test_columns_are_found_by_their_usual_names(names: tuple[str, str, str], unit: str) -> None:
    table = pd.DataFrame(dict(zip(names, ([1e3, 2e3], [3.0, 2.5], [10, 20]), strict=True)))
    runs = read_runs(table.assign(seed=[0, 1], note=["a", "b"]))
    assert runs.columns == dict(zip(("samples", "loss", "size"), names, strict=True))
    assert runs.samples.tolist() == [1e3, 2e3]
    assert runs.size is not None
    assert runs.size.tolist() == [10, 20]
    assert runs.unit == unit


def test_losses_on_new_data_come_before_those_of_training() -> None:
    table = TABLE.assign(loss=[9.0, 9.0])
    assert read_runs(table).columns["loss"] == "val/loss"
    assert read_runs(table, loss="loss").loss.tolist() == [9.0, 9.0]


def test_one_size_is_none_unless_it_is_named() -> None:
    table = TABLE.assign(N=[10, 10])
    assert read_runs(table).size is None
    assert read_runs(table, size="N").size is not None


def test_whole_numbers_do_not_overflow() -> None:
    """Size times samples of large runs lies beyond 64 bits."""
    table = pd.DataFrame({"N": [10**10, 10**10 + 1], "D": [10**12, 10**12], "loss": [2.0, 2.0]})
    runs = read_runs(table)
    assert runs.size is not None
    assert np.all(runs.size * runs.samples > 9e21)


def test_rows_of_runs_that_diverged_are_left_out() -> None:
    table = pd.DataFrame({"tokens": [1, 2, 3, 4], "loss": [3.0, np.nan, np.inf, 2.0]})
    runs = read_runs(table)
    assert runs.loss.tolist() == [3.0, 2.0]
    assert runs.notes == (
        "2 rows without a positive, finite loss left out, as of a run that diverged",
    )
    with pytest.raises(InputError, match="but no row has one"):
        read_runs(table[1:3])


def test_of_curves_along_runs_the_ends_count() -> None:
    table = pd.DataFrame(
        {
            "run": ["a"] * 3 + ["b"] * 2 + ["c"] * 2,
            "tokens": [1, 2, 3, 10, 20, 5, 6],
            "loss": [5.0, 4.0, 3.0, 3.5, 2.5, 4.0, np.nan],
        },
        index=[7, 7, 7, 1, 2, 3, 4],
    )
    runs = read_runs(table)
    assert runs.samples.tolist() == [3, 20]  # c diverged at its end
    assert "4 rows along 3 runs left out" in runs.notes[1]
    alone = read_runs(table[:3])
    assert alone.samples.tolist() == [1, 2, 3]


def test_columns_that_are_not_there_are_named() -> None:
    with pytest.raises(InputError, match=r"samples under a usual name \(samples, tokens, d, "):
        read_runs(pd.DataFrame({"x": [1.0], "loss": [1.0]}))
    with pytest.raises(InputError, match="expected a column 'y', but there are N, Train Tokens"):
        read_runs(TABLE, samples="y")
    with pytest.raises(InputError, match="expected numbers in column 'loss', but it holds"):
        read_runs(TABLE.assign(loss=["a", "b"]), loss="loss")
