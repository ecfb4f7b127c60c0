"""Numbers and rows as text."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from actilaw.reporting.text import estimate_rows, exact_number, forecast_rows, number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.39456, "0.3946"),
        (20.989, "20.99"),
        (999.94, "999.9"),
        (1000.4, "1,000"),
        (1_234_567.8, "1,234,568"),
        (600, "600"),
        (-1500, "-1,500"),
        (1.2e-7, "1.2e-07"),
        (math.inf, "not determined"),
        (math.nan, "not determined"),
    ],
)
def test_an_estimate_has_four_digits_or_all_before_the_point(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12.8, "12.8"),
        (506.3791, "506.379"),
        (99_999.4, "99,999.4"),
        (123_456.7, "123,457"),
        (1e12, "1,000,000,000,000"),
        (0, "0"),
    ],
)
def test_an_exact_number_has_six_digits_or_all_before_the_point(value: float, shown: str) -> None:
    assert exact_number(value) == shown


def test_what_has_no_standard_error_was_counted() -> None:
    summary = pd.DataFrame(
        {"estimate": [600.0, 0.39456, 5.0], "standard_error": [0.0, 0.02097, math.inf]},
        index=["units", "b", "knee"],
    )
    assert estimate_rows(summary) == [
        ("units", "600", "counted"),
        ("b", "0.3946", "± 0.02097"),
        ("knee", "5", "± not determined"),
    ]


def test_a_forecast_has_a_row_per_number_of_samples() -> None:
    table = pd.DataFrame(
        {"samples": [10, 2000], "expected": [1.5, 1200.4], "lower": [1, 1100], "upper": [2, 1300]}
    )
    head, sections = forecast_rows([("relu", table)], 0.9, ",.0f")
    assert head == ("samples", "expected", "90% interval")
    rows = [("10", "2", "1 to 2"), ("2,000", "1,200", "1,100 to 1,300")]
    assert sections == [("relu", rows)]
