"""What a claim's examination gives: the claim, the rule it is judged by, figures, and a verdict for
each task.

    holds            the 95 % interval of what was measured lies inside the range of the rule
    fails            it lies outside
    cannot be told   it reaches across the range's end, or too little was measured

Ranges are wide enough to be of use rather than to be significant: with many networks every simple
law is refuted by a p-value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import bdtr, stdtrit

from actilaw.checks.result import HOLDS
from actilaw.support.numerics import two_sided_z

FAILS, UNTOLD = "fails", "cannot be told"
LEVEL = 0.95
LEAST = 3  # independent figures from which an interval is made


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval; NaN where nothing was measured.

    Attributes:
        estimate, lower, upper: in the unit of what was measured.
        n: figures it was made from.
    """

    estimate: float
    lower: float
    upper: float
    n: int


@dataclass(frozen=True)
class Verdict:
    """How one statement of a claim fared on one task.

    Attributes:
        task: its name.
        statement: what was tested.
        measured: what the numbers are, with their unit.
        interval: what was found.
        verdict: HOLDS, FAILS or UNTOLD.
        because: why it cannot be told, or "".
    """

    task: str
    statement: str
    measured: str
    interval: Interval
    verdict: str
    because: str = ""


@dataclass(frozen=True)
class Curve:
    """One line of a claim's figure.

    Attributes:
        task: the panel that it belongs to.
        name: of the line.
        x, y: its points.
        is_theory: what the law says, rather than what was measured.
    """

    task: str
    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    is_theory: bool = False


@dataclass(frozen=True)
class Figure:
    """A claim's figure, with a panel for each task.

    Attributes:
        x_title, y_title: with units.
        curves: of all panels.
        log_y: whether its axis is logarithmic; that of x always is.
    """

    x_title: str
    y_title: str
    curves: tuple[Curve, ...]
    log_y: bool = False


@dataclass(frozen=True, eq=False)
class ClaimResult:
    """A claim, examined.

    Attributes:
        name: short, for commands.
        equation: number of the formula in the theory, as "(6)".
        claim: what the paper says, in a sentence.
        rule: when it holds, in a sentence.
        verdicts: one for each task and statement.
        details: a row for each measurement that verdicts rest on.
        figure: what to look at.
    """

    name: str
    equation: str
    claim: str
    rule: str
    verdicts: tuple[Verdict, ...]
    details: pd.DataFrame
    figure: Figure

    def table(self) -> pd.DataFrame:
        """A row for each verdict: claim, equation, task, statement, measured, estimate, lower,
        upper, n, verdict, because.
        """
        rows = [
            {
                "claim": self.name,
                "equation": self.equation,
                "task": verdict.task,
                "statement": verdict.statement,
                "measured": verdict.measured,
                "estimate": verdict.interval.estimate,
                "lower": verdict.interval.lower,
                "upper": verdict.interval.upper,
                "n": verdict.interval.n,
                "verdict": verdict.verdict,
                "because": verdict.because,
            }
            for verdict in self.verdicts
        ]
        return pd.DataFrame(rows)


def judged(
    task: str,
    statement: str,
    measured: str,
    interval: Interval,
    *,
    within: tuple[float, float],
    needs: str,
) -> Verdict:
    """The verdict by a range.

    Args:
        task: its name.
        statement: what is tested.
        measured: what the numbers are.
        interval: what was found.
        within: the range in which the statement holds; ends may be infinite.
        needs: what is missing where nothing was found.
    """
    low, high = within
    verdict, because = UNTOLD, ""
    if not (interval.n >= LEAST and np.isfinite(interval.estimate)):
        because = f"too few of what it needs, {needs}: {interval.n}"
    elif low <= interval.lower and interval.upper <= high:
        verdict = HOLDS
    elif interval.upper < low or interval.lower > high:
        verdict = FAILS
    else:
        because = "the interval reaches across the end of the range"
    return Verdict(task, statement, measured, interval, verdict, because)


def by(readings: pd.DataFrame, *columns: str) -> list[tuple[Any, pd.DataFrame]]:
    """The rows of each combination of values, in the order in which they first come."""
    return list(readings.groupby(list(columns), sort=False))


def log_of(values: pd.Series) -> pd.Series:
    """Logarithms; of what is not positive, no number."""
    return pd.Series(np.log(values.where(values > 0)), values.index)


def mean_of(values: ArrayLike) -> Interval:
    """Mean of independent figures with Student's interval; figures that are no number are left
    out.
    """
    x = np.asarray(values, float)
    x = x[np.isfinite(x)]
    if x.size < LEAST:
        return Interval(float(x.mean()) if x.size else np.nan, np.nan, np.nan, x.size)
    reach = stdtrit(x.size - 1, (1 + LEVEL) / 2) * x.std(ddof=1) / np.sqrt(x.size)
    return Interval(float(x.mean()), float(x.mean() - reach), float(x.mean() + reach), x.size)


def median_of(values: ArrayLike) -> Interval:
    """Median with the interval between order statistics that covers it whatever the distribution
    (the sign test's).
    """
    x = np.sort(np.asarray(values, float)[np.isfinite(values)])
    tails = 2 * bdtr(np.arange(x.size // 2 + 1), x.size, 0.5)  # of so many figures on one side
    outside = int(np.sum(tails <= 1 - LEVEL)) - 1
    if outside < 0:
        return Interval(float(np.median(x)) if x.size else np.nan, -np.inf, np.inf, x.size)
    return Interval(float(np.median(x)), float(x[outside]), float(x[-1 - outside]), x.size)


def share_of(hits: ArrayLike) -> Interval:
    """Share of figures that are true, with Wilson's interval (Wilson 1927)."""
    x = np.asarray(hits, bool)
    if not x.size:
        return Interval(np.nan, np.nan, np.nan, 0)
    n, share, z = x.size, float(x.mean()), two_sided_z(LEVEL)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return Interval(share, float(max(centre - reach, 0)), float(min(centre + reach, 1)), n)


def slopes_of(y: ArrayLike, columns: Sequence[ArrayLike]) -> list[Interval]:
    """Slopes of a linear regression with a constant, with intervals that allow the scatter to
    differ from point to point (HC3, MacKinnon & White 1985).

    Args:
        y: (n,).
        columns: what it depends on; (n,) each.
    """
    y = np.asarray(y, float)
    x = np.column_stack([np.ones(y.size), *(np.asarray(column, float) for column in columns)])
    nothing = [Interval(np.nan, np.nan, np.nan, y.size) for _ in columns]
    if y.size < x.shape[1] + LEAST or np.linalg.matrix_rank(x) < x.shape[1]:
        return nothing
    inverse = np.linalg.inv(x.T @ x)
    slopes = inverse @ x.T @ y
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    scaled = (y - x @ slopes) / np.maximum(1 - leverage, 1e-9)
    covariance = inverse @ (x.T * scaled**2) @ x @ inverse
    reach = stdtrit(y.size - x.shape[1], (1 + LEVEL) / 2) * np.sqrt(np.diag(covariance))
    return [
        Interval(float(slope), float(slope - side), float(slope + side), y.size)
        for slope, side in list(zip(slopes, reach, strict=True))[1:]
    ]
