"""Sliders and the numbers beside them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw import ActivationLaw, InputError
from actilaw.explorer.parameters import PARAMETERS, SLIDER_STEP, Parameter, law_and_samples

A_PARAMETER = st.sampled_from(PARAMETERS)


@given(A_PARAMETER, st.floats(0, 1))
def test_a_slider_and_its_number_agree_within_a_step(parameter: Parameter, part: float) -> None:
    low, high = parameter.ends
    position = low + part * (high - low)
    number = parameter.value(position)
    if not parameter.is_whole:
        assert number == float(f"{number:.3g}")
    rounding = 0.5 / number if parameter.is_whole else 0.0  # whole numbers below 100 are coarse
    assert abs(parameter.position(number) - position) <= SLIDER_STEP + 0.005 + rounding


@given(A_PARAMETER, st.floats(1e-300, 1e300))
def test_a_slider_stands_at_its_end_for_numbers_beyond_it(
    parameter: Parameter, number: float
) -> None:
    low, high = parameter.ends
    position = parameter.position(number)
    assert low <= position <= high
    if number >= parameter.last:
        assert position == high
    if number <= parameter.first:
        assert position == low


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_where_a_slider_starts_is_within_it(parameter: Parameter) -> None:
    assert parameter.first < parameter.start < parameter.last
    if parameter.is_log:
        assert parameter.position(parameter.start) == pytest.approx(
            math.log10(parameter.start), abs=0.005
        )


def test_four_numbers_are_a_law_and_samples() -> None:
    assert law_and_samples([4096, 1e5, 64, 0.3]) == (ActivationLaw(4096, 64, 0.3), 100_000)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([None, 10, 1, 0.3], "expected a number for N"),
        ([10, 10, 1, None], "expected a number for b"),
        ([10, math.inf, 1, 0.3], "expected a number for D"),
        ([10, 0, 1, 0.3], "whole number of samples D"),
        ([10, 1.5, 1, 0.3], "whole number of samples D"),
        ([10, 1e19, 1, 0.3], "whole number of samples D"),
        ([10, 10, 10, 0.3], "expected 0 < active < units"),
        ([10, 10, 1, -1], "expected a finite b > 0"),
    ],
)
def test_what_is_no_law_is_a_sentence(numbers: list[float | None], said: str) -> None:
    with pytest.raises(InputError, match=said):
        law_and_samples(numbers)
