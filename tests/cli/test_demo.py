"""The main job as a newcomer runs it, its numbers checked against each other."""

from __future__ import annotations

import json

import pytest

from builders.command import actilaw

pytestmark = pytest.mark.slow  # under a minute of training


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict:
    done = actilaw("demo", "--json", folder=tmp_path_factory.mktemp("demo"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def estimate(demo: dict, name: str) -> float:
    return demo["fit"]["relu"][name]["estimate"]


def test_the_law_lies_where_a_law_can_lie(demo: dict) -> None:
    assert 0 < estimate(demo, "working") < estimate(demo, "units")
    assert 0 < estimate(demo, "active") < estimate(demo, "working")
    assert estimate(demo, "alpha") == pytest.approx(1 - estimate(demo, "b"))
    assert 0 < demo["fit"]["relu"]["b"]["standard_error"] < estimate(demo, "b")
    assert demo["fit"]["relu"]["family"] == "law"


def test_the_forecast_stands_beside_the_count(demo: dict) -> None:
    forecast = demo["forecast"]
    assert forecast["from_samples"] == pytest.approx(estimate(demo, "samples") / 10, rel=0.1)
    assert forecast["samples"] == estimate(demo, "samples")
    assert forecast["counted"] == estimate(demo, "working")
    assert forecast["lower"] <= forecast["expected"] <= forecast["upper"]
    assert forecast["upper"] <= estimate(demo, "units")


def test_removal_takes_the_idle_units_and_little_else(demo: dict) -> None:
    removal, working = demo["prune"], estimate(demo, "working")
    inputs, outputs = 64, 10
    assert removal["units_removed"] == estimate(demo, "units") - working
    assert removal["parameters_after"] == working * (inputs + 1 + outputs) + outputs
    assert removal["accuracy_before"] > 0.95
    assert removal["accuracy_after"] == pytest.approx(removal["accuracy_before"], abs=0.01)
    assert removal["loss_after"] == pytest.approx(removal["loss_before"], rel=0.05)


def test_the_loss_law_falls_from_above_its_floor(demo: dict) -> None:
    assert demo["loss"]["form"] == "activation"
    law = {name: row["estimate"] for name, row in demo["loss"]["parameters"].items()}
    assert 0 <= law["floor"] < demo["prune"]["loss_before"]
    assert law["b"] > 0
    assert law["knee"] > 0


def test_the_page_is_where_it_says(demo: dict) -> None:
    with open(demo["report"], encoding="utf-8") as page:
        assert "Layer relu" in page.read()
