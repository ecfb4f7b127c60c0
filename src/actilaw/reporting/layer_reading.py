"""All that a page says about one layer, read off its counts and a fit: numbers, sentences, charts.

A reading is small whatever the layer is, so that layers can be read in processes side by side. What
is costly is made once: one forecast serves the table, the sentence and two figures; one fit of the
early part the back-test and its points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from actilaw.backtesting.backtest import REPORTED_EARLY_SHARE, early_parts
from actilaw.checks.check import check_fast
from actilaw.checks.reinforcement import ReinforcementKernel, reinforcement_kernel
from actilaw.checks.result import DEVIATES, HOLDS, TestResult
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError, InputError
from actilaw.fitting.degenerate import refuse_degenerate
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.fitting.look_back import remark_on
from actilaw.forecasting.forecaster import rate_density_forecaster
from actilaw.forecasting.hindcast import BacktestResult, hindcast
from actilaw.reporting.charts import (
    Chart,
    TestedForecast,
    accumulation_chart,
    count_chart,
    counted_curve,
    idle_chart,
    reinforcement_chart,
    samples_ahead,
    tested_forecast,
    times,
)
from actilaw.reporting.text import Row, number
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.progress import Progress

LEVEL = 0.95
SECONDS_A_LAYER = 0.15  # measured with few units; those of a census whose layers are read at once
SECONDS_A_UNIT = 1e-6
SECONDS_A_UNIT_AND_BLOCK = 2e-7
SECONDS_TO_START_PROCESSES = 3.0


@dataclass(frozen=True)
class Figure:
    """A figure of a layer's section: its title, the sentence above it, and what it draws."""

    title: str
    sentence: str
    chart: Chart


@dataclass(frozen=True)
class Estimates:
    """What a fitted layer has beside its counts.

    Attributes:
        b, b_error, alpha: of the law, with the standard error of b.
        expected, lower, upper: working units forecast at ten times the samples.
        rows: name, estimate and error of each estimate, as text.
        tests: of `check_fast`.
        sentences: on the forecast, the back-test, and what can be removed.
        remarks: what to beware of.
        figures: in order.
    """

    b: float
    b_error: float
    alpha: float
    expected: float
    lower: float
    upper: float
    rows: list[Row]
    tests: list[TestResult]
    sentences: list[str]
    remarks: list[str]
    figures: list[Figure]

    @property
    def deviating(self) -> int:
        """Number of tests that deviate from the theory."""
        return sum(test.verdict.startswith(DEVIATES) for test in self.tests)

    @property
    def holding(self) -> int:
        """Number of tests that hold."""
        return sum(test.verdict == HOLDS for test in self.tests)


@dataclass(frozen=True)
class LayerReading:
    """What a page says about one layer.

    Attributes:
        name: of the layer, as it was recorded.
        units, samples, working: N, D and K.
        active: c, units active on a sample, on average.
        per: what a sample is.
        estimates: of the law; None where none was fitted.
        refusal: why not, or "".
    """

    name: str
    units: int
    samples: int
    working: int
    active: float
    per: str
    estimates: Estimates | None
    refusal: str = ""

    @property
    def idle(self) -> int:
        """Units that never fired."""
        return self.units - self.working

    @property
    def removable(self) -> int | None:
        """Units that the forecast says stay idle for ten times the samples, whichever they are, but
        for a risk of (1 − level)/2: all units less the upper bound.
        """
        if self.estimates is None:
            return None
        return int(max(0, min(self.idle, np.floor(self.units - self.estimates.upper))))


@one_blas_thread()
def read_layer(
    name: str, counts: ActivationCounts, fitted: FittedLaw | None = None
) -> LayerReading:
    """All that a page says about a layer.

    Args:
        name: of the layer.
        counts: of it.
        fitted: the law, if it was fitted before.
    """
    estimates, refusal = None, ""
    try:
        estimates = _estimates(counts, fit(counts) if fitted is None else fitted)
    except CountsError as error:
        refusal = str(error)
    return LayerReading(
        name=name,
        units=counts.units,
        samples=counts.samples,
        working=counts.working,
        active=counts.active,
        per=counts.per,
        estimates=estimates,
        refusal=refusal,
    )


def read_layers(
    census: Census,
    fits: Mapping[str, FittedLaw],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[LayerReading]:
    """A reading of every layer, in processes side by side where that is faster.

    Args:
        census: the layers.
        fits: laws that were fitted before, by name.
        workers: processes; as many as there are processors by default.
        progress: called after each layer with how many are done, and how many there are.
    """
    readings = []
    for reading in _readings(census, fits, workers):
        readings.append(reading)
        if progress is not None:
            progress(len(readings), len(census))
    return readings


def checked_fits(census: Census, fits: Mapping[str, FittedLaw] | None) -> Mapping[str, FittedLaw]:
    """The fits, if each is of the counts of the layer that it is named after.

    Raises:
        InputError: if one is not.
    """
    if fits is None:
        return {}
    if not isinstance(fits, Mapping):
        raise InputError(
            f"expected fits by name of layer, as census.map(fit), but got {type(fits).__name__}"
        )
    for name, fitted in fits.items():
        if name not in census:
            raise InputError(
                f"expected fits of the census's layers, but it has no {name!r}; it has "
                f"{', '.join(census)}"
            )
        if not isinstance(fitted, FittedLaw):
            raise InputError(
                f"expected fits[{name!r}] to be what fit returns, but got {type(fitted).__name__}"
            )
        mine, its = census[name], fitted.counts
        if mine.samples != its.samples or not np.array_equal(mine.counts, its.counts):
            raise InputError(
                f"expected fits[{name!r}] to be of the counts in the census, but they differ: use "
                "census.map(fit) of this very census"
            )
    return fits


def _readings(
    census: Census, fits: Mapping[str, FittedLaw], workers: int | None
) -> Iterator[LayerReading]:
    from joblib import Parallel, cpu_count, delayed

    processes = min(workers or cpu_count(), len(census))
    seconds = [_seconds(counts) for counts in census.values()]
    spared = sum(seconds) - max(max(seconds), sum(seconds) / processes)
    if processes == 1 or spared < SECONDS_TO_START_PROCESSES:
        for name, counts in census.items():
            yield read_layer(name, counts, fits.get(name))
        return
    jobs = (delayed(read_layer)(name, counts, fits.get(name)) for name, counts in census.items())
    parallel = Parallel(n_jobs=processes, return_as="generator")
    yield from cast("Iterator[LayerReading]", parallel(jobs))


def _seconds(counts: ActivationCounts) -> float:
    """About how long a layer takes to read."""
    blocks = 0 if counts.blocks is None else len(counts.blocks)
    a_unit = SECONDS_A_UNIT + blocks * SECONDS_A_UNIT_AND_BLOCK
    return SECONDS_A_LAYER + counts.units * a_unit


def _estimates(counts: ActivationCounts, fitted: FittedLaw) -> Estimates:
    # Not `fitted.forecast`, which looks back for its remarks: that is done here, once.
    ahead = fitted.forecaster.at(samples_ahead(counts), LEVEL)
    tested = _tested(counts)
    found = None if tested is None else _hindcast(tested, counts)
    errors = fitted.standard_errors
    at_two, at_ten = (
        ahead[ahead["samples"] == times(factor, counts)].iloc[0] for factor in (2, 10)
    )
    active_remark, failed = fitted.remark_on_active(), remark_on(found)
    return Estimates(
        b=fitted.law.b,
        b_error=errors["b"],
        alpha=fitted.law.alpha,
        expected=float(at_ten["expected"]),
        lower=float(at_ten["lower"]),
        upper=float(at_ten["upper"]),
        rows=[
            (name, number(value), f"± {number(errors[name])}")
            for name, value in fitted.params.items()
        ],
        tests=check_fast(fitted, level=LEVEL),
        sentences=_sentences(fitted, at_two, at_ten, found),
        remarks=[remark for remark in (active_remark, failed) if remark],
        figures=_figures(counts, fitted, ahead, tested),
    )


def _tested(counts: ActivationCounts) -> TestedForecast | None:
    """What the first tenth of the samples would have forecast, if it can be forecast from."""
    try:
        for early in early_parts(counts, REPORTED_EARLY_SHARE):
            refuse_degenerate(early, allow_nonfinite=True)
            return tested_forecast(rate_density_forecaster(early), counts.samples)
    except CountsError:
        pass
    return None


def _hindcast(tested: TestedForecast, counts: ActivationCounts) -> BacktestResult:
    last = tested.table.iloc[-1]
    return hindcast(tested.early, counts, last["expected"], last["lower"], last["upper"])


def _sentences(
    fitted: FittedLaw, at_two: pd.Series, at_ten: pd.Series, found: BacktestResult | None
) -> list[str]:
    counts = fitted.counts
    sentences = [
        f"After ten times the samples {at_ten['expected']:,.0f} units are expected to work "
        f"({at_ten['lower']:,.0f} to {at_ten['upper']:,.0f}), "
        f"{at_ten['expected'] - counts.working:,.0f} more than now."
    ]
    if found is not None:
        sentences.append(f"{found}.")
    if counts.idle:
        expected, lower, upper = (
            (at_two[column] - counts.working) / counts.idle
            for column in ("expected", "lower", "upper")
        )
        sentences.append(
            f"Of the {counts.idle:,} idle units {expected:.2%} ({lower:.2%} to {upper:.2%}) are "
            "expected to fire within as many samples again: the risk of removing them all."
        )
    if fitted.forecasts_from != "rate_density":
        sentences.append(f"The forecast is made by the closed form, {fitted.forecasts_from}.")
    return sentences


def _figures(
    counts: ActivationCounts,
    fitted: FittedLaw,
    ahead: pd.DataFrame,
    tested: TestedForecast | None,
) -> list[Figure]:
    seen = counted_curve(counts)
    figures = [
        Figure(
            "Accumulation curve",
            "How many units work after D samples: counted, by the law, and forecast with its 95 % "
            "interval"
            + ("." if tested is None else "; diamonds were forecast from the first tenth."),
            accumulation_chart(counts, fitted, ahead, tested, seen),
        ),
        Figure(
            "Law of counts",
            f"What share of the units fired k times; the {counts.idle:,} idle units lie left of "
            "the axis.",
            count_chart(counts, fitted),
        ),
    ]
    kernel = reinforcement_kernel(counts)
    if kernel is not None:
        figures.append(
            Figure(
                "Reinforcement kernel",
                _kernel_sentence(kernel),
                reinforcement_chart(kernel, fitted),
            )
        )
    figures.append(
        Figure(
            "Idle share",
            "What share of the units has never fired after D samples: flat before the knee, by the "
            "law a straight line after it.",
            idle_chart(counts, fitted, ahead, seen),
        )
    )
    return figures


def _kernel_sentence(kernel: ReinforcementKernel) -> str:
    halves = (
        "counts are of the first half of the recording, chances of the second."
        if kernel.in_order
        else "the samples were halved at random, since no blocks were recorded."
    )
    return (
        f"The chance that a unit fires next, given how often it has fired; {halves} The law says "
        "that it grows in proportion."
    )
