"""Forecasts held against what was counted afterwards, on the same recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.backtesting.baselines import BASELINES
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.support.validation import fraction

RATE_DENSITY = "rate_density"  # what `fit(counts)` forecasts from
METHODS = (RATE_DENSITY, *FAMILIES, *BASELINES)
PARTS = (1 / 30, 1 / 10, 1 / 3)


@dataclass(frozen=True)
class Backtested:
    """A forecast of working units from an early part of the samples, and what all of them then
    showed.

    Attributes:
        from_samples, samples: the early part, and all; in samples.
        expected, lower, upper: the forecast, in units; without bounds where the method has none.
        counted: working units after all samples.
        newly_working: how many of them newly_working after the early part.
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
        """Error as a share of the units that newly_working; 1 is no better than assuming that
        nothing more wakes.
        """
        return (
            abs(self.expected - self.counted) / self.newly_working
            if self.newly_working
            else float(self.expected != self.counted)
        )

    def __str__(self) -> str:
        told = f"{self.expected:,.0f} ({self.lower:,.0f} to {self.upper:,.0f})"
        where = "inside" if self.inside else "outside"
        return (
            f"From the first {self.from_samples:,} samples it forecast {told}; {self.counted:,} "
            f"were counted, {where} "
            f"the interval, an error of {self.missed:.0%} of the {self.newly_working:,} units that "
            "newly_working "
            "since"
        )


def backtested(early: FittedLaw, counts: ActivationCounts, level: float = 0.95) -> Backtested:
    """The forecast of `early`, a law fitted to the first of the samples, beside the counts of all
    of them.
    """
    told = early.forecast(counts.samples, level=level).iloc[0]
    return _beside(early.counts, counts, told.expected, told.lower, told.upper)


def backtest_from(
    early: ActivationCounts, counts: ActivationCounts, method: str, level: float = 0.95
) -> Backtested:
    """The forecast that one of METHODS makes from `early`, beside `counts`, of which `early` is the
    first part.
    """
    if method in BASELINES:
        expected = float(BASELINES[method](early, np.array([counts.samples], float))[0])
        return _beside(early, counts, expected, np.nan, np.nan)
    family = None if method == RATE_DENSITY else method
    return backtested(fit(early, family, allow_nonfinite=True), counts, level)


def backtest(
    counts: ActivationCounts,
    *,
    parts: ArrayLike = PARTS,
    methods: Iterable[str] = METHODS,
    level: float = 0.95,
) -> pd.DataFrame:
    """Forecasts from the first part of the samples beside what all of them showed, for every family
    and its rivals.

    The parts are made of whole blocks in the order recorded; without blocks they are drawn at
    random from all samples, always in the same way, which hides any drift.

    Args:
        counts: of one layer.
        parts: shares of the samples to forecast from, in (0, 1); the nearest number of blocks is
            taken.
        methods: "rate_density", what `fit(counts)` forecasts from; families of `fit`; "chao2",
            "good_toulmin" and "persistence", which have no interval.
        level: of the intervals.

    Returns:
        A row per part and method: columns from_samples, samples, method, expected, lower, upper,
        counted, newly_working, missed (error as a share of the units that newly_working; 1 is no
        better than "persistence"), inside. What a method refuses to forecast is missing.
    """
    fraction("level", level)
    methods = (methods,) if isinstance(methods, str) else tuple(methods)
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise InputError(
            f"expected methods among {', '.join(METHODS)}, but got {', '.join(unknown)}"
        )
    rows, refusal = [], "no part of them is shorter than all"
    for early in early_parts(counts, parts):
        for method in methods:
            try:
                found = backtest_from(early, counts, method, level)
            except CountsError as error:
                refusal = str(error)
                continue
            inside = found.inside if np.isfinite(found.lower) else None
            row = {"from_samples": found.from_samples, "samples": found.samples, "method": method}
            row |= {
                name: getattr(found, name)
                for name in ("expected", "lower", "upper", "counted", "newly_working", "missed")
            }
            rows.append(row | {"inside": inside})
    if not rows:
        raise CountsError(
            f"no early part of these {counts.samples} samples can be forecast from ({refusal}): "
            "record more, or take "
            "larger parts"
        )
    return pd.DataFrame(rows)


def early_parts(counts: ActivationCounts, parts: ArrayLike) -> list[ActivationCounts]:
    """The first of the samples, as `backtest` takes them: shortest first, each once, never all of
    them.
    """
    shares = [float(part) for part in np.atleast_1d(fraction("parts", parts))]
    if counts.blocks is None:
        sizes = sorted({max(2, round(share * counts.samples)) for share in shares})
        return [_thinned(counts, size) for size in sizes if size < counts.samples]
    n = len(counts.blocks)
    sizes = sorted({max(1, round(share * n)) for share in shares})
    return [
        counts.prefix(size) for size in sizes if size < n and counts.blocks.samples[:size].sum() > 0
    ]


def _beside(
    early: ActivationCounts, counts: ActivationCounts, expected: float, lower: float, upper: float
) -> Backtested:
    newly_working = counts.working - early.working
    return Backtested(
        early.samples, counts.samples, expected, lower, upper, counts.working, newly_working
    )


def _thinned(counts: ActivationCounts, samples: int) -> ActivationCounts:
    """Counts in `samples` of the samples, unit by unit at random."""
    rng, k = np.random.default_rng(0), counts.counts
    if counts.samples < 10**9:
        taken = rng.hypergeometric(k, counts.samples - k, samples)
    else:  # NumPy's hypergeometric ends there, and the two no longer differ
        taken = np.minimum(rng.binomial(k, samples / counts.samples), samples)
    return ActivationCounts(
        taken, samples, per=counts.per, criterion=counts.criterion, regime=counts.regime
    )
