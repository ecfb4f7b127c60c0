"""The explorer's numbers are those of `ActivationLaw`, `FittedLaw` and `plan_removal`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from actilaw import ActivationLaw, Census, InputError, plan_removal
from actilaw.explorer.answers import (
    Answer,
    Questions,
    landmarks,
    law_answers,
    layer_answers,
    narrowest,
    percent,
    width_for,
)
from actilaw.explorer.census_source import CensusSource
from actilaw.explorer.layer_reading import Readings

LAW = ActivationLaw(4096, 64, 0.3)
ASKED = Questions(share=0.9, working=1000, more="1x", budget=None, after="1x")


def by_question(found: list[Answer]) -> dict[str, str]:
    return dict([text.replace("\N{NO-BREAK SPACE}", " ") for text in row] for row in found)


def numbers_in(text: str) -> list[float]:
    words = text.replace(",", "").replace("(", " ").replace(")", " ").replace("%", " ").split()
    return [float(word) for word in words if word[0].isdigit()]


def test_numbers_beside_the_sliders_are_those_of_the_law() -> None:
    found = by_question(landmarks(LAW, 10_000))
    expected = {
        "working units K, exact": LAW.working(10_000),
        "K by the mean field": LAW.working(10_000, exact=False),
        "idle share, exact": 100 * LAW.idle_fraction(10_000),
        "idle share, mean field": 100 * LAW.idle_fraction(10_000, exact=False),
        "alpha = 1 − b": LAW.alpha,
        "knee D* = bN/c, in samples": LAW.knee,
        "inflection N/c, in samples": LAW.inflection,
        "share working there": 100 * LAW.inflection_height,
        "mean count cD/N": 64 * 10_000 / 4096,
        "cut-off of the counts k*": LAW.cutoff(10_000),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert numbers_in(found[name]) == [pytest.approx(float(value), rel=1e-3)]


def test_answers_by_the_law() -> None:
    found = by_question(law_answers(LAW, 10_000, ASKED))
    samples = found["samples for 90 % of the units to work (mean field)"]
    assert numbers_in(samples) == [pytest.approx(float(LAW.samples_for(0.9)), rel=1e-5)]
    wide = found["widest layer of which 90 % work after 10,000 samples (mean field)"]
    assert numbers_in(wide) == [pytest.approx(float(LAW.units_for(0.9, 10_000)), rel=1e-5)]
    idle = found["units that can be removed as idle"]
    assert numbers_in(idle)[0] == pytest.approx(4096 - float(LAW.working(10_000)), rel=1e-5)
    wakes = found["chance that one of them is active within 10,000 more samples"]
    assert numbers_in(wakes) == [
        pytest.approx(100 * float(LAW.wake_probability(10_000, 10_000)), rel=1e-3)
    ]


@pytest.mark.slow
@given(
    st.floats(0.01, 1e4),
    st.floats(1e-3, 3),
    st.integers(1, 10**12),
    st.floats(1e-6, 0.999),
)
def test_a_width_has_the_working_units_that_it_was_asked_for(
    active: float, b: float, samples: int, part: float
) -> None:
    """From K back to N: a share of the bound cD, above c."""
    working = active * samples * part
    assume(working < 1e14)
    width = width_for(ActivationLaw(2 * active, active, b), working, samples)
    if working <= active:
        assert width == active
    elif math.isfinite(width) and width > working:
        found = float(ActivationLaw(width, active, b).working(samples))
        assert found == pytest.approx(working, rel=1e-6)


def test_no_width_has_more_working_units_than_activations() -> None:
    assert width_for(LAW, 64 * 10, 10) == math.inf
    assert by_question(law_answers(LAW, 10, ASKED))[
        "width for 1,000 working units after 10 samples"
    ].startswith("none")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Questions(1.0, 10, "1x", None, "1x"), "share as a fraction"),
        (Questions(0.9, 0, "1x", None, "1x"), "working units above 0"),
        (Questions(0.9, 10, "soon", None, "1x"), "such as 1x"),
        (Questions(0.9, 10, "0", None, "1x"), "such as 1x"),
    ],
)
def test_questions_that_make_no_sense_are_a_sentence(asked: Questions, said: str) -> None:
    with pytest.raises(InputError, match=said):
        law_answers(LAW, 1000, asked)


@pytest.mark.slow
def test_answers_for_a_layer_are_its_forecasts_and_its_plan(layers: Census) -> None:
    readings = Readings(CensusSource(layers))
    reading = readings.layer("wide")
    assert reading is not None
    assert reading.fitted is not None
    widths = readings.widths(reading, reading.counts.samples)
    asked = Questions(share=0.7, working=200, more="2x", budget=0.05, after="1x")
    found = by_question(layer_answers(reading, widths, asked))

    later = reading.fitted.forecast("10x").iloc[0]
    assert numbers_in(found["working after 5,120 samples"]) == pytest.approx(
        [later.expected, later.lower, later.upper], abs=0.5
    )
    needed = reading.fitted.samples_for(0.7).iloc[0]
    assert numbers_in(found["samples for 70 % of the units to work"]) == pytest.approx(
        [needed.expected, needed.lower, needed.upper], rel=1e-5
    )
    plan = plan_removal(Census({"wide": reading.counts}), 0.05)
    removed = found["can be removed: units within 5 % of samples affected"]
    assert numbers_in(removed)[:2] == [plan.units_removed, 800]
    risk = plan.residual_risk("2x").iloc[0]
    shown = numbers_in(found["share of those active within 1,024 more samples"])
    assert shown[:3] == pytest.approx(
        [100 * risk["expected"], 100 * risk["lower"], 100 * risk["upper"]], rel=1e-3
    )
    b = numbers_in(found["b of the fit, ± its standard error"])
    assert b[0] == pytest.approx(reading.fitted.params["b"], rel=1e-3)


@pytest.mark.slow
def test_a_width_between_those_forecast_is_as_asked_directly(layers: Census) -> None:
    readings = Readings(CensusSource(layers))
    reading = readings.layer("wide")
    assert reading is not None
    assert reading.fitted is not None
    width = round(narrowest(readings.widths(reading, 512), 200, "expected"))
    direct = reading.fitted.forecast(512, units=width).iloc[0]
    assert direct.expected == pytest.approx(200, rel=0.01)
    assert narrowest(readings.widths(reading, 512), 1e9, "expected") == math.inf


def test_a_share_in_percent() -> None:
    assert percent(0.12345) == "12.35\N{NO-BREAK SPACE}%"
    assert np.isclose(float(percent(1e-9).split("\N{NO-BREAK SPACE}")[0]), 1e-7)
