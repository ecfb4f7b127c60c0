"""One line of the answer: what the theory claims, what was measured, and whether the two agree, in
words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HOLDS, DEVIATES, UNTOLD = "holds", "deviates by", "cannot be told:"
NO_BLOCKS = "record with blocks"


@dataclass(frozen=True)
class Row:
    """One test.

    Attributes:
        test: its name.
        claim: number of the formula that is tested.
        statistic: what was measured, with its unit.
        estimate, lower, upper: the measurement and its interval; NaN where it cannot be told.
        expected: what the theory says of it.
        n: how many independent things it was measured on; see the statistic.
        verdict: "holds", "deviates by so much" or "cannot be told: reason".
    """

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
class Question:
    """What a row asks, before anything was measured: its name, claim, statistic and what the theory
    says.
    """

    test: str
    claim: str
    statistic: str
    expected: str

    def measured(
        self, estimate: float, lower: float, upper: float, n: int, *, against: float, size: str
    ) -> Row:
        """Holds if `against` lies in the interval; else deviates by `size`, words with the number
        in them.
        """
        verdict = HOLDS if lower <= against <= upper else f"{DEVIATES} {size}"
        return self.row(estimate, lower, upper, n, verdict)

    def row(self, estimate: float, lower: float, upper: float, n: int, verdict: str) -> Row:
        """The row with this verdict."""
        return Row(
            self.test,
            self.claim,
            self.statistic,
            float(estimate),
            float(lower),
            float(upper),
            self.expected,
            n,
            verdict,
        )

    def untold(self, reason: str, n: int = 0) -> Row:
        """Nothing was measured, for this reason."""
        return self.row(np.nan, np.nan, np.nan, n, f"{UNTOLD} {reason}")


def percent(ratio: float) -> str:
    """How far a ratio is from 1, signed."""
    return f"{ratio - 1:+.1%}"


def sized(estimate: float, lower: float, upper: float) -> tuple[str, str]:
    """An estimate and its interval for a table; dashes where it cannot be told."""
    if np.isnan(estimate):
        return "-", "-"
    return f"{estimate:.4g}", f"{lower:.4g} to {upper:.4g}"
