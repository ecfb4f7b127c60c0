"""`actilaw simulate` from the outside: what it prints, writes, and refuses."""

import json

import pytest

from actilaw import ActivationLaw
from builders.command import Done, actilaw, assert_one_sentence

LAYER = ["--units", "1e12", "--active", "1e6", "--b", "0.5", "--samples", "1e15"]


def run(*arguments: object) -> Done:
    return actilaw("simulate", *arguments)


def test_json_is_alone_on_stdout_and_agrees_with_the_law():
    found = json.loads(run(*LAYER, "--json").stdout)
    law = ActivationLaw(1e12, 1e6, 0.5)
    assert found["landmarks"]["knee"] == law.knee == 5e5
    assert found["landmarks"]["inflection"] == 1e6
    last = found["accumulation_curve"][-1]
    assert last["samples"] == 10**15
    assert last["working"] == pytest.approx(law.working(10**15))
    assert last["drawn"] is None
    assert sum(cell["units"] for cell in found["counts"]) == pytest.approx(1e12)
    assert [cell["first"] for cell in found["counts"]][:4] == [0, 1, 2, 10]


def test_a_drawn_layer_is_whole_and_repeats_with_its_seed():
    first, again, other = (
        json.loads(run(*LAYER, "--json", "--draw", "--seed", seed).stdout)
        for seed in ("3", "3", "4")
    )
    assert first == again != other
    assert sum(cell["drawn"] for cell in first["counts"]) == 10**12
    assert 10**12 - first["counts"][0]["drawn"] == first["accumulation_curve"][-1]["drawn"]
    for cell in first["counts"]:
        assert abs(cell["drawn"] - cell["units"]) < 6 * (cell["units"] + 1) ** 0.5


def test_the_table_names_the_landmarks():
    shown = run("--units", "512", "--active", "20", "--b", "0.5", "--samples", "1e5").stdout
    assert "knee 12.8 samples · inflection 25.6 samples, where 42.3% work · alpha 0.5" in shown
    assert "506.379" in shown
    assert "drawn" not in shown


@pytest.mark.slow
def test_the_figure_is_one_page_that_holds_everything(tmp_path):
    pytest.importorskip("plotly")
    assert run(*LAYER, "--draw", "--plot", tmp_path / "layer.html").returncode == 0
    page = (tmp_path / "layer.html").read_text()
    assert "mean field (6)" in page
    assert '<script src="http' not in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--units", "5", "--active", "6", "--b", "1", "--samples", "3"],
            "but active=6 and units=5",
        ),
        (
            ["--units", "5", "--active", "1", "--b", "1", "--samples", "3.5"],
            "whole samples in 1.. ... but got 3.5",
        ),
        (
            ["--units", "5", "--active", "1", "--b", "1", "--samples", "0"],
            "whole samples in 1.. ... but got 0",
        ),
        (
            [*LAYER, "--plot", "x.png"],
            "expected --plot with the suffix .html, but got 'x.png'",
        ),
        (
            [*LAYER, "--plot", "/no/such/folder/x.html"],
            "cannot write /no/such/folder/x.html: the folder /no/such/folder does not exist",
        ),
        ([*LAYER, "--draw", "--seed", "-1"], "expected whole --seed in 0.. ... but got -1"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, said):
    done = run(*arguments)
    assert_one_sentence(done, *said.split(" ... "))
