"""One row of the table of `check`: the claim of the theory, what was measured, and the verdict.

A verdict follows from an interval, not from a p-value: with many units every simple law is refuted,
and what matters is by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HOLDS, DEVIATES, INCONCLUSIVE = "holds", "deviates by", "inconclusive:"
NO_BLOCKS = "record with blocks"


class Inconclusive(Exception):  # noqa: N818 (a verdict, and no mistake of anyone)
    """A test or an estimate cannot be made from these counts; its message says why.

    It stays inside this room: `check` makes a row of it.
    """


@dataclass(frozen=True)
class TestResult:
    """One test.

    Attributes:
        test: its name.
        claim: number of the formula that is tested.
        statistic: what was measured, with its unit.
        estimate, lower, upper: the measurement and its interval; NaN where nothing was measured.
        expected: what the theory says of it.
        n: how many independent things it was measured on; see the statistic.
        verdict: "holds", "deviates by so much" or "inconclusive: reason".
    """

    __test__ = False  # pytest takes every class called Test... for one of its own

    test: str
    claim: str
    statistic: str
    estimate: float
    lower: float
    upper: float
    expected: str
    n: int
    verdict: str


@dataclass(frozen=True)
class Claim:
    """What is tested: name of the test, formula, statistic, and its value by the theory.

    It makes the rows of the table once something was measured, or could not be.
    """

    test: str
    formula: str
    statistic: str
    expected: str

    def compared(
        self, estimate: float, lower: float, upper: float, *, n: int, against: float, size: str
    ) -> TestResult:
        """Holds if the interval covers `against`; else deviates by `size`, words with the number in
        them.
        """
        verdict = HOLDS if lower <= against <= upper else f"{DEVIATES} {size}"
        return self.result(estimate, lower, upper, n=n, verdict=verdict)

    def result(
        self, estimate: float, lower: float, upper: float, *, n: int, verdict: str
    ) -> TestResult:
        """The row with this verdict."""
        return TestResult(
            test=self.test,
            claim=self.formula,
            statistic=self.statistic,
            estimate=float(estimate),
            lower=float(lower),
            upper=float(upper),
            expected=self.expected,
            n=n,
            verdict=verdict,
        )

    def inconclusive(self, reason: str) -> TestResult:
        """Nothing was measured, for this reason."""
        return self.result(np.nan, np.nan, np.nan, n=0, verdict=f"{INCONCLUSIVE} {reason}")


def percent(ratio: float) -> str:
    """How far a ratio is from 1, signed."""
    return f"{ratio - 1:+.1%}"


def sized(estimate: float, lower: float, upper: float) -> tuple[str, str]:
    """An estimate and its interval as text for a table; dashes where nothing was measured."""
    if np.isnan(estimate):
        return "-", "-"
    return f"{estimate:.4g}", f"{lower:.4g} to {upper:.4g}"
