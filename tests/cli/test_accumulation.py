"""`actilaw accumulation`: a table, the same as JSON, and mistakes of one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from actilaw import fit_accumulation
from builders.command import actilaw, assert_one_sentence

STEPS = 50 * np.arange(1, 41)
WORKING = np.rint(1000 * (1 - (1 + STEPS / 400) ** -0.4)).astype(int)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A scalar as TensorBoard exports it: dead units."""
    rows = [f"{1.7e9 + step},{step},{1000 - k}" for step, k in zip(STEPS, WORKING, strict=True)]
    path = tmp_path / "run_dead.csv"
    path.write_text("\n".join(["Wall time,Step,Value", *rows]) + "\n")
    return path


@pytest.mark.slow
def test_it_prints_the_forecast_and_the_same_as_json(log: Path) -> None:
    expected = fit_accumulation(STEPS, WORKING, 1000).forecast([20_000, 10**6], level=0.9)
    arguments = ("accumulation", log, "--units", 1000, "--forecast", "10x,1e6", "--level", 0.9)
    shown = actilaw(*arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    for row in expected.itertuples():
        assert f"{row.expected:,.0f}" in shown.stdout
        assert f"{row.lower:,.0f} to {row.upper:,.0f}" in shown.stdout
    assert "'Value' taken as units that are dead, since they fall" in shown.stdout
    document = json.loads(actilaw(*arguments, "--json").stdout)
    assert document["working"] == WORKING[-1]
    assert document["columns"] == {"samples": "Step", "dead": "Value"}
    assert [row["lower"] for row in document["forecast"]] == expected["lower"].tolist()


def test_the_help_has_an_example() -> None:
    shown = actilaw("accumulation", "--help").stdout
    assert "actilaw accumulation log.csv --units 24576 --forecast 10x,1e9" in shown


def test_mistakes_are_one_sentence(log: Path, tmp_path: Path) -> None:
    assert_one_sentence(actilaw("accumulation", log), "no column tells it", "--units 24576")
    assert_one_sentence(actilaw("accumulation", "nowhere.csv"), "nowhere.csv")
    assert_one_sentence(
        actilaw("accumulation", log, "--units", 1000, "--dead", "gone"), "expected a column 'gone'"
    )
    reset = tmp_path / "reset.csv"
    reset.write_text("tokens,dead\n10,90\n20,80\n30,95\n40,60\n50,50\n")
    assert_one_sentence(
        actilaw("accumulation", reset, "--units", 100), "row 3 (samples 30) has 5 after 20"
    )
    assert_one_sentence(
        actilaw("accumulation", log, "--units", 1000, "--forecast", "x"), "--forecast"
    )
