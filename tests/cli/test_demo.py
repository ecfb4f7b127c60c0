"""The main job as a newcomer runs it, its numbers checked against each other."""

from __future__ import annotations

import json

import pytest

from builders.command import actilaw_process

pytestmark = pytest.mark.slow  # half a minute of training


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict:
    done = actilaw_process("demo", "--json", folder=tmp_path_factory.mktemp("demo"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_law_lies_where_a_law_can_lie(demo: dict) -> None:
    assert 0 < demo["working"] < demo["units"]
    assert 0 < demo["active"] < demo["working"]
    assert demo["alpha"] == pytest.approx(1 - demo["b"])
    assert 0 < demo["b_standard_error"] < demo["b"]


def test_the_forecast_stands_beside_the_count(demo: dict) -> None:
    forecast = demo["forecast"]
    assert forecast["from_samples"] == pytest.approx(demo["samples"] / 10, rel=0.1)
    assert forecast["samples"] == demo["samples"]
    assert forecast["counted"] == demo["working"]
    assert forecast["lower"] <= forecast["expected"] <= forecast["upper"] <= demo["units"]


def test_removal_takes_the_idle_units_and_little_else(demo: dict) -> None:
    removal = demo["prune"]
    inputs, outputs = 64, 10
    assert removal["units_removed"] == demo["units"] - demo["working"]
    assert removal["parameters_after"] == demo["working"] * (inputs + 1 + outputs) + outputs
    assert removal["accuracy_before"] > 0.95
    assert removal["accuracy_after"] == pytest.approx(removal["accuracy_before"], abs=0.01)
    assert removal["loss_after"] == pytest.approx(removal["loss_before"], rel=0.05)


def test_the_loss_law_falls_from_above_its_floor(demo: dict) -> None:
    law = demo["loss_law"]
    assert 0 <= law["floor"] < demo["prune"]["loss_before"]
    assert law["b"] > 0
    assert law["knee"] > 0


def test_the_page_is_where_it_says(demo: dict) -> None:
    with open(demo["report"], encoding="utf-8") as page:
        assert "Layer relu" in page.read()
