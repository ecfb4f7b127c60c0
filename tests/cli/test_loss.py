"""`actilaw loss` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from actilaw import LossLaw
from builders.command import actilaw, assert_one_sentence
from builders.losses import DATA, GRID_D, GRID_N, SIZES, SURFACE, WIDTHS, noisy, surface

pytestmark = pytest.mark.slow


def test_loss_reads_columns_by_name(tmp_path: Path) -> None:
    sizes = SIZES[:9]
    table = pd.DataFrame({"D": sizes, "nll": LossLaw(0.2, 3, 300, 0.6).loss(sizes)})
    table.to_csv(tmp_path / "loss.csv", index=False)
    columns = ("--samples-column", "D", "--loss-column", "nll")
    document = json.loads(actilaw("loss", tmp_path / "loss.csv", *columns, "--json").stdout)
    assert document["parameters"]["b"]["estimate"] == pytest.approx(0.6, rel=1e-3)
    assert "knee" in actilaw("loss", tmp_path / "loss.csv", *columns).stdout
    found = actilaw("loss", tmp_path / "loss.csv").stdout
    assert "samples from 'D', loss from 'nll'; loss in nats" in found
    table.rename(columns={"D": "how much"}).to_csv(tmp_path / "loss.csv", index=False)
    assert_one_sentence(
        actilaw("loss", tmp_path / "loss.csv"), "samples under a usual name", "how much, nll"
    )


def test_loss_compares_forms_and_takes_sizes_of_network(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"samples": DATA, "width": WIDTHS, "loss": noisy(SURFACE.loss(WIDTHS, DATA), 0)}
    )
    table.to_csv(tmp_path / "grid.csv", index=False)
    table[:8].to_csv(tmp_path / "curve.csv", index=False)
    sizes = ("--size-column", "width")
    joint = json.loads(actilaw("loss", tmp_path / "grid.csv", *sizes, "--compare", "--json").stdout)
    assert set(joint["parameters"]) == {"floor", "A", "B", "alpha", "b", "knee", "g"}
    assert set(joint["weights"]) == {"activation", "chinchilla", "kaplan"}
    assert {row["size"] for row in joint["forecast"]} == {400, 2000, 10_000}
    assert {row["form"] for row in joint["comparison"]} >= {"chinchilla", "knee_alone"}
    shown = actilaw("loss", tmp_path / "grid.csv", *sizes).stdout
    assert "forecast, size 2,000" in shown
    assert "forecasts average over" in shown
    shown = actilaw("loss", tmp_path / "curve.csv", "--form", "power_floor", "--compare").stdout
    assert "held-out error" in shown
    assert "95% interval" in shown


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    pd.DataFrame({"samples": SIZES, "loss": 5 * SIZES**-0.4}).to_csv(file, index=False)
    assert_one_sentence(actilaw("loss", file, "--form", "chinchilla"), "expected size=")
    assert_one_sentence(actilaw("loss", file, "--level", "95"), "level as a fraction")
    assert_one_sentence(actilaw("loss", file, "--forecast", "-1"), "positive, finite samples")


def test_tables_without_the_columns_or_rows_are_one_sentence(tmp_path: Path) -> None:
    file, head = tmp_path / "curve.csv", tmp_path / "head.csv"
    pd.DataFrame({"samples": SIZES, "loss": 5 * SIZES**-0.4}).to_csv(file, index=False)
    head.write_text("samples,loss\n")
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)))
    (tmp_path / "nothing.csv").write_bytes(b"")
    assert_one_sentence(actilaw("loss", head), "expected a row per training run, but")
    assert_one_sentence(actilaw("loss", tmp_path), "cannot be read as one")
    assert_one_sentence(actilaw("loss", tmp_path / "noise.csv"), "cannot be read as one")
    assert_one_sentence(actilaw("loss", tmp_path / "nothing.csv"), "cannot be read as one")
    for option in ("--samples", "--loss", "--size"):
        assert_one_sentence(actilaw("loss", file, option, ""), "expected a column ''")


def test_forecasts_at_sizes_that_were_not_measured(tmp_path: Path) -> None:
    file = tmp_path / "grid.csv"
    losses = noisy(SURFACE.loss(WIDTHS, DATA), 0)
    pd.DataFrame({"samples": DATA, "width": WIDTHS, "loss": losses}).to_csv(file, index=False)
    sizes = ("--size-column", "width", "--at-size", "500,4x")
    rows = json.loads(actilaw("loss", file, *sizes, "--json").stdout)["forecast"]
    assert [row["size"] for row in rows] == [500, 40_000]
    assert "forecast, size 40,000" in actilaw("loss", file, *sizes).stdout
    for junk in ("wide", "", "4x,", "nan"):
        done = actilaw("loss", file, "--size-column", "width", "--at-size", junk)
        assert_one_sentence(done, "expected --at-size as numbers, or as multiples")
    done = actilaw("loss", file, "--size-column", "width", "--at-size", "0")
    assert_one_sentence(done, "size")
    pd.DataFrame({"samples": SIZES, "loss": 5 * SIZES**-0.4}).to_csv(file, index=False)
    done = actilaw("loss", file, "--at-size", "4x")
    assert_one_sentence(done, "expected --at-size together with --size")


def test_budgets_are_split_between_size_and_data(tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    losses = noisy(surface("chinchilla"), 0, scatter=0.005)
    losses[3] = float("nan")  # diverged
    pd.DataFrame({"n_params": GRID_N, "tokens": GRID_D, "val_loss": losses}).to_csv(file)
    document = json.loads(actilaw("loss", file, "--budget", "1e11,1e12", "--json").stdout)
    assert document["columns"] == {"samples": "tokens", "loss": "val_loss", "size": "n_params"}
    assert document["notes"][0].startswith("1 row without a positive, finite loss left out")
    rows = document["allocation"]
    assert [row["compute"] for row in rows] == [1e11, 1e12]
    for row in rows:
        assert 6 * row["size"] * row["samples"] == pytest.approx(row["compute"])
        assert row["size_lower"] < row["size"] < row["size_upper"]
    shown = actilaw("loss", file, "--size", "n_params", "--budget", "1e11").stdout
    assert "best use of a budget of 1e+11" in shown
    assert "trained for another length" in shown
    one_size = tmp_path / "curve.csv"
    pd.DataFrame({"tokens": SIZES, "loss": 5 * SIZES**-0.4}).to_csv(one_size, index=False)
    assert_one_sentence(actilaw("loss", one_size, "--budget", "1e9"), "expected sizes of network")
    assert_one_sentence(actilaw("loss", file, "--budget", "much"), "expected --budget as numbers")
