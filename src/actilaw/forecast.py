"""Forecasts held against what was counted afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from actilaw.counts import ActivationCounts
from actilaw.fit import FittedLaw


@dataclass(frozen=True)
class Backtested:
    """A forecast of working units from an early part of the samples, and what all of them then showed.

    Attributes:
        from_samples, samples: the early part, and all; in samples.
        expected, lower, upper: the forecast, in units.
        counted: working units after all samples.
        woke: how many of them woke after the early part.
    """

    from_samples: int
    samples: int
    expected: float
    lower: float
    upper: float
    counted: int
    woke: int

    @property
    def inside(self) -> bool:
        """Whether the count lies in the forecast's interval."""
        return self.lower <= self.counted <= self.upper

    @property
    def missed(self) -> float:
        """Error as a share of the units that woke; 1 is no better than assuming that nothing more wakes."""
        return abs(self.expected - self.counted) / self.woke if self.woke else float(self.expected != self.counted)

    def __str__(self) -> str:
        told = f"{self.expected:,.0f} ({self.lower:,.0f} to {self.upper:,.0f})"
        where = "inside" if self.inside else "outside"
        return (
            f"From the first {self.from_samples:,} samples it forecast {told}; {self.counted:,} were counted, {where} "
            f"the interval, an error of {self.missed:.0%} of the {self.woke:,} units that woke since"
        )


def backtested(early: FittedLaw, counts: ActivationCounts) -> Backtested:
    """The forecast of `early`, a law fitted to the first of the samples, beside the counts of all of them."""
    told = early.forecast(counts.samples).iloc[0]
    return Backtested(
        early.counts.samples,
        counts.samples,
        told.expected,
        told.lower,
        told.upper,
        counts.working,
        counts.working - early.counts.working,
    )
