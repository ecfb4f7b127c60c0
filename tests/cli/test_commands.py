"""The command as a user runs it: a process of its own, its two streams and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from actilaw import ActivationCounts, Census, fit
from builders.command import actilaw, assert_one_sentence
from builders.drawn import draw_counts


@pytest.fixture(scope="module")
def census(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = {
        "first": draw_counts(800, 20, 0.3, 200, seed=0),
        "second": draw_counts(500, 9, 0.6, 200, seed=1),
    }
    return Census(layers).save(tmp_path_factory.mktemp("cli") / "layers.census")


def test_fit_prints_a_table_and_the_same_as_json(census: Path) -> None:
    expected = fit(draw_counts(800, 20, 0.3, 200, seed=0)).summary()
    table, document = actilaw("fit", census), json.loads(actilaw("fit", census, "--json").stdout)
    assert table.returncode == 0
    assert f"{expected.loc['b', 'estimate']:.4g}" in table.stdout
    assert document["first"]["b"]["estimate"] == pytest.approx(expected.loc["b", "estimate"])
    assert set(document) == {"first", "second"}


def test_forecast_takes_numbers_and_multiples(census: Path) -> None:
    document = json.loads(actilaw("forecast", census, "--samples", "500,10x", "--json").stdout)
    assert [row["samples"] for row in document["first"]] == [500, 2000]
    expected = fit(draw_counts(800, 20, 0.3, 200, seed=0)).forecast([500, 2000])
    assert [row["expected"] for row in document["first"]] == pytest.approx(
        list(expected["expected"])
    )
    assert "2,000" in actilaw("forecast", census, "--samples", "10x").stdout


def test_forecast_of_widths_names_what_it_assumes(census: Path) -> None:
    document = json.loads(
        actilaw("forecast", census, "--pers", "2x", "--samples", "1x,10x", "--json").stdout
    )
    assert [row["units"] for row in document["second"]] == [1000] * 4
    expected = fit(draw_counts(500, 9, 0.6, 200, seed=1)).forecast([200, 2000], units=1000)
    assert [row["expected"] for row in document["second"]] == pytest.approx(
        list(expected["expected"])
    )
    assert "bN fixed" in actilaw("forecast", census, "--pers", "2x").stdout


def test_fit_and_forecast_by_a_family(census: Path) -> None:
    document = json.loads(
        actilaw("forecast", census, "--family", "law", "--samples", "10x", "--json").stdout
    )
    told = fit(draw_counts(800, 20, 0.3, 200, seed=0), "law").forecast(2000)["expected"][0]
    assert document["first"][0]["expected"] == pytest.approx(told)
    assert json.loads(actilaw("fit", census, "--json").stdout)["first"]["family"] == "law"
    assert_one_sentence(actilaw("fit", census, "--family", "gauss"), "one of auto, law", "gauss")


def test_a_backtest_sets_rivals_side_by_side(census: Path) -> None:
    document = json.loads(actilaw("backtest", census, "--json").stdout)
    assert {row["method"] for row in document["first"]} >= {
        "auto",
        "law",
        "chao2",
        "good_toulmin",
        "persistence",
    }
    assert {row["missed"] for row in document["first"] if row["method"] == "persistence"} == {1}
    table = actilaw("backtest", census).stdout
    assert "forecast from the" in table
    assert "chao2" in table


def test_report_writes_a_page(census: Path, tmp_path: Path) -> None:
    done = actilaw("report", census, "-o", "page.html", folder=tmp_path)
    assert done.returncode == 0
    assert str(tmp_path / "page.html") in done.stdout
    assert "Layer second" in (tmp_path / "page.html").read_text()


def test_a_layer_without_a_law_is_left_out_with_the_reason(tmp_path: Path) -> None:
    layers = {
        "good": draw_counts(800, 20, 0.3, 200, seed=0),
        "zero_inflated": ActivationCounts(np.zeros(9, int), 200),
    }
    path = Census(layers).save(tmp_path / "layers")
    done = actilaw("fit", path, "--json")
    assert done.returncode == 0
    assert set(json.loads(done.stdout)) == {"good"}
    assert "left out layer silent: no unit was ever activated" in done.stderr


def test_mistakes_are_one_sentence_and_exit_status_two(census: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a census")
    assert_one_sentence(actilaw("fit", tmp_path / "nowhere"), "there is no file", "nowhere")
    assert_one_sentence(
        actilaw("fit", tmp_path / "text"), "expected a census, but", "is not one or is damaged"
    )
    assert_one_sentence(
        actilaw("report", census, "-o", "/nowhere/page.html"), "folder /nowhere does not exist"
    )
    assert_one_sentence(
        actilaw("demo", "-o", "/nowhere/page.html"), "folder /nowhere does not exist"
    )
    assert_one_sentence(actilaw("forecast", census, "--samples", "many"), "but got 'many'")
    assert_one_sentence(actilaw("forecast", census, "--samples", "0"), "whole samples in 1..")
    assert_one_sentence(actilaw("forecast", census, "--samples", "1e30"), "whole samples in 1..")
    assert_one_sentence(actilaw("demo", "--seed", "-1"), "--seed")
    (tmp_path / "loss.zip").write_bytes(b"PK no zip")
    assert_one_sentence(actilaw("loss", tmp_path / "loss.zip"), "loss.zip")
    (tmp_path / "ragged.csv").write_text("samples,loss\n1,2\n1,2,3,4\n")
    assert_one_sentence(actilaw("loss", tmp_path / "ragged.csv"), "cannot be read as one")
    assert_one_sentence(actilaw("fit"), "Missing argument")
    assert_one_sentence(actilaw("fit", census, "--jason"), "No such option")
    nan = Census({"relu": ActivationCounts(np.array([1, 5, 3]), 9, nonfinite=2)}).save(
        tmp_path / "nan"
    )
    assert_one_sentence(actilaw("fit", nan), "2 of 9 samples had NaN or infinite")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "loss.zip",
        "nan",
        "ragged.csv",
        "text",
    ]


def test_a_name_of_a_layer_is_printed_as_it_is(tmp_path: Path) -> None:
    path = Census({"a:bug:[red]b": draw_counts(800, 20, 0.3, 200, seed=0)}).save(tmp_path / "odd")
    assert "a:bug:[red]b" in actilaw("fit", path).stdout


def test_a_terminal_that_knows_ascii_alone_and_a_full_disk(census: Path) -> None:
    command = [sys.executable, "-m", "actilaw", "fit", str(census)]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, env=ascii_only, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "actilaw: [Errno 28] No space left on device\n"
