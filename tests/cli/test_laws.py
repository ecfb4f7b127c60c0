"""`actilaw fit`, `forecast` and `backtest`: a table per layer, and the same numbers as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from actilaw import ActivationCounts, Census, fit
from builders.command import actilaw, assert_one_sentence
from builders.drawn import draw_counts


@pytest.mark.slow
def test_fit_prints_a_table_and_the_same_as_json(census: Path) -> None:
    expected = fit(draw_counts(800, 20, 0.3, 200, seed=0)).summary()
    table, document = actilaw("fit", census), json.loads(actilaw("fit", census, "--json").stdout)
    assert table.returncode == 0
    assert f"{expected.loc['b', 'estimate']:.4g}" in table.stdout
    assert document["first"]["b"]["estimate"] == pytest.approx(expected.loc["b", "estimate"])
    assert set(document) == {"first", "second"}


@pytest.mark.slow
def test_forecast_takes_numbers_and_multiples(census: Path) -> None:
    document = json.loads(actilaw("forecast", census, "--samples", "500,10x", "--json").stdout)
    assert [row["samples"] for row in document["first"]] == [500, 2000]
    expected = fit(draw_counts(800, 20, 0.3, 200, seed=0)).forecast([500, 2000])
    assert [row["expected"] for row in document["first"]] == pytest.approx(
        list(expected["expected"])
    )
    assert "2,000" in actilaw("forecast", census, "--samples", "10x").stdout


@pytest.mark.slow
def test_forecast_of_widths_names_what_it_assumes(census: Path) -> None:
    document = json.loads(
        actilaw(
            "forecast",
            census,
            "--units",
            "2x",
            "--samples",
            "1x,10x",
            "--assumption",
            "all",
            "--json",
        ).stdout
    )
    assert [row["units"] for row in document["second"]] == [1000] * 6
    fitted = fit(draw_counts(500, 9, 0.6, 200, seed=1))
    expected = fitted.forecast([200, 2000], units=1000, assumption="all")
    assert [row["expected"] for row in document["second"]] == pytest.approx(
        list(expected["expected"])
    )
    assert "study" in actilaw("forecast", census, "--units", "2x").stdout
    every = actilaw("forecast", census, "--units", "2x", "--assumption", "all").stdout
    assert all(name in every for name in ("study", "b fixed", "bN fixed"))


def test_fit_and_forecast_by_a_family(census: Path) -> None:
    document = json.loads(
        actilaw("forecast", census, "--family", "law", "--samples", "10x", "--json").stdout
    )
    expected = fit(draw_counts(800, 20, 0.3, 200, seed=0), "law").forecast(2000)["expected"][0]
    assert document["first"][0]["expected"] == pytest.approx(expected)
    assert json.loads(actilaw("fit", census, "--json").stdout)["first"]["family"] == "law"
    assert_one_sentence(actilaw("fit", census, "--family", "gauss"), "law", "mixture", "gauss")


@pytest.mark.slow
def test_a_backtest_sets_rivals_side_by_side(tmp_path: Path) -> None:
    census = Census({"first": draw_counts(150, 6, 0.5, 60, seed=0)}).save(tmp_path / "layer")
    document = json.loads(actilaw("backtest", census, "--json").stdout)
    assert {row["method"] for row in document["first"]} >= {
        "rate_density",
        "law",
        "chao2",
        "good_toulmin",
        "persistence",
    }
    assert {row["missed"] for row in document["first"] if row["method"] == "persistence"} == {1}
    table = actilaw("backtest", census).stdout
    assert "forecast from the" in table
    assert "chao2" in table


def test_a_layer_without_a_law_is_left_out_with_the_reason(tmp_path: Path) -> None:
    layers = {
        "good": draw_counts(800, 20, 0.3, 200, seed=0),
        "silent": ActivationCounts(np.zeros(9, int), 200),
    }
    path = Census(layers).save(tmp_path / "layers")
    done = actilaw("fit", path, "--json")
    assert done.returncode == 0
    assert set(json.loads(done.stdout)) == {"good"}
    assert "left out layer silent: no unit was ever activated" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_census_without_any_law_is_a_mistake_with_the_reasons(tmp_path: Path) -> None:
    silent = ActivationCounts(np.zeros(9, int), 200)
    path = Census({"one": silent, "other": silent}).save(tmp_path / "layers")
    assert_one_sentence(actilaw("fit", path), "layer one: no unit was ever", "layer other: no unit")


def test_nan_activations_are_refused(tmp_path: Path) -> None:
    counts = ActivationCounts(np.array([1, 5, 3]), 9, nonfinite=2)
    path = Census({"relu": counts}).save(tmp_path / "nan")
    assert_one_sentence(actilaw("fit", path), "2 of 9 samples had NaN or infinite")


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ("many", "but got 'many'"),
        ("0", "whole samples in 1.."),
        ("1e30", "whole samples in 1.."),
    ],
)
def test_samples_that_are_no_number_of_samples_are_refused(
    census: Path, samples: str, said: str
) -> None:
    assert_one_sentence(actilaw("forecast", census, "--samples", samples), said)


def test_a_name_of_a_layer_is_printed_as_it_is(tmp_path: Path) -> None:
    path = Census({"a:bug:[red]b": draw_counts(800, 20, 0.3, 200, seed=0)}).save(tmp_path / "odd")
    assert "a:bug:[red]b" in actilaw("fit", path).stdout
