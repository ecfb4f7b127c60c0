"""Numbers and rows of tables as text, in the same words on the page and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

Row = tuple[str, ...]
Sections = list[tuple[str, list[Row]]]


def number(value: float) -> str:
    """An estimate, with four significant digits; whole numbers, and those from 1,000 on, with all
    digits before the point; "not determined" where it is infinite or NaN.

    Four digits are more than a standard error supports; `exact_number` is for values without one.
    """
    if not math.isfinite(value):
        return "not determined"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def exact_number(value: float) -> str:
    """A value computed from a law that is given, at least 0, with six significant digits; from
    100,000 on with all digits before the point.

    It has no standard error, so it shows more digits than `number` does.
    """
    return f"{value:,.0f}" if value >= 1e5 else f"{value:,.6g}"


def estimate_rows(summary: pd.DataFrame) -> list[Row]:
    """Name, estimate and standard error of each row of a summary; what has no error was counted."""
    return [
        (
            str(name),
            number(row.estimate),
            f"± {number(row.standard_error)}" if row.standard_error else "counted",
        )
        for name, row in summary.iterrows()
    ]


def percent(level: float) -> str:
    """A confidence level as it was given: 95%, 99.9%."""
    return f"{100 * level:g}%"


def forecast_rows(
    tables: Iterable[tuple[str, pd.DataFrame]],
    level: float,
    style: str,
    *,
    bounds: str = "interval",
) -> tuple[Row, Sections]:
    """Head and sections of a printed forecast.

    Args:
        tables: pairs of heading and forecast, with columns samples, expected, lower and upper.
        level: of the intervals.
        style: format of the values, such as ",.0f".
        bounds: what they are called.
    """
    sections = [
        (heading, [_forecast_row(row, style) for row in table.itertuples(index=False)])
        for heading, table in tables
    ]
    return ("samples", "expected", f"{percent(level)} {bounds}"), sections


def _forecast_row(row: tuple[float, ...], style: str) -> Row:
    samples, expected, lower, upper = row
    return number(samples), f"{expected:{style}}", f"{lower:{style}} to {upper:{style}}"
