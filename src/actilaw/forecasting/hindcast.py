"""Hindcasts: a forecast from the first of the samples beside what all of them showed.

The back-test, the checks, the report and the remarks on a fit all compare in this one way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.forecasting.forecaster import Forecaster, Seen


@dataclass(frozen=True)
class BacktestResult:
    """A forecast of working units from an early part of the samples, and what all of them showed.

    Attributes:
        from_samples: samples in the early part.
        samples: samples in all.
        expected: the forecast, in units.
        lower, upper: its interval, in units; NaN where the method has none.
        counted: working units after all samples.
        newly_working: how many of these were idle after the early part.
    """

    from_samples: int
    samples: int
    expected: float
    lower: float
    upper: float
    counted: int
    newly_working: int

    @property
    def inside(self) -> bool:
        """Whether the count lies in the forecast's interval."""
        return self.lower <= self.counted <= self.upper

    @property
    def missed(self) -> float:
        """Error as a share of the newly working units; 1 is no better than assuming that no idle
        unit ever works.
        """
        if self.newly_working == 0:
            return float(self.expected != self.counted)
        return abs(self.expected - self.counted) / self.newly_working

    def __str__(self) -> str:
        """The result in one sentence, without a full stop."""
        where = "inside" if self.inside else "outside"
        return (
            f"From the first {self.from_samples:,} samples it forecast {self.expected:,.0f} "
            f"working units ({self.lower:,.0f} to {self.upper:,.0f}); {self.counted:,} were "
            f"counted, {where} the interval: an error of {self.missed:.0%} of the "
            f"{self.newly_working:,} units that started to work since then"
        )


def compare(forecaster: Forecaster, counts: Seen, *, level: float = 0.95) -> BacktestResult:
    """The forecast of a forecaster made from the first of the samples, compared with the counts of
    all of them.
    """
    forecast = forecaster.at(np.array([counts.samples]), level).iloc[0]
    return hindcast(forecaster.counts, counts, forecast.expected, forecast.lower, forecast.upper)


def hindcast(
    early: Seen, counts: Seen, expected: float, lower: float, upper: float
) -> BacktestResult:
    """The result of a forecast, in units, from an early part of the counts."""
    return BacktestResult(
        from_samples=early.samples,
        samples=counts.samples,
        expected=expected,
        lower=lower,
        upper=upper,
        counted=counts.working,
        newly_working=counts.working - early.working,
    )
