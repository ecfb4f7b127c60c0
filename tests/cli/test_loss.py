"""`actilaw loss` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from actilaw import LossLaw
from builders.command import actilaw, assert_one_sentence
from builders.losses import DATA, SIZES, SURFACE, WIDTHS, noisy

pytestmark = pytest.mark.slow


def test_loss_reads_columns_by_name(tmp_path: Path) -> None:
    sizes = SIZES[:9]
    table = pd.DataFrame({"D": sizes, "nll": LossLaw(0.2, 3, 300, 0.6).loss(sizes)})
    table.to_csv(tmp_path / "loss.csv", index=False)
    columns = ("--samples-column", "D", "--loss-column", "nll")
    document = json.loads(actilaw("loss", tmp_path / "loss.csv", *columns, "--json").stdout)
    assert document["parameters"]["b"]["estimate"] == pytest.approx(0.6, rel=1e-3)
    assert "knee" in actilaw("loss", tmp_path / "loss.csv", *columns).stdout
    assert_one_sentence(
        actilaw("loss", tmp_path / "loss.csv"), "expected a column 'samples'", "it has D, nll"
    )


def test_loss_compares_forms_and_takes_sizes_of_network(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"samples": DATA, "width": WIDTHS, "loss": noisy(SURFACE.loss(WIDTHS, DATA), 0)}
    )
    table.to_csv(tmp_path / "grid.csv", index=False)
    table[:8].to_csv(tmp_path / "curve.csv", index=False)
    sizes = ("--size-column", "width")
    joint = json.loads(actilaw("loss", tmp_path / "grid.csv", *sizes, "--compare", "--json").stdout)
    assert set(joint["parameters"]) == {"floor", "amplitude", "active", "b"}
    assert {row["size"] for row in joint["forecast"]} == {400, 2000, 10_000}
    assert joint["comparison"][0]["form"] == "activation"
    assert "forecast, size 2,000" in actilaw("loss", tmp_path / "grid.csv", *sizes).stdout
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
    for option in ("--samples-column", "--loss-column", "--size-column"):
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
    done = actilaw("loss", file, "--at-size", "4x")
    assert_one_sentence(done, "expected --at-size together with --size-column")
