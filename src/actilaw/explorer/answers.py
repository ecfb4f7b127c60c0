"""What the explorer says in numbers: the law's landmarks, and answers to questions of design.

By the law alone these are the methods of `ActivationLaw`; for a counted layer, the forecasts of
`FittedLaw` and the plan of `plan_removal`, with their intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from actilaw.counts.census import Census
from actilaw.errors import ActilawError, InputError
from actilaw.explorer.layer_reading import LayerReading
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.pruning.plan import plan_removal
from actilaw.reporting.text import exact_number, number
from actilaw.support.validation import at_least_zero, one_fraction, one_whole, samples_from
from actilaw.theory.activation_law import ActivationLaw

WIDEST_LAYER = 1e15  # units, at which the search for a width gives up
LATER = 10  # times the samples counted, to which a layer is forecast
LEVEL = 0.95
AsText = Callable[[float], str]


class Answer(NamedTuple):
    """A question and what the law says, as text."""

    question: str
    answer: str


@dataclass(frozen=True)
class Questions:
    """What a design is asked for.

    Attributes:
        share: of the units that is to work, in (0, 1).
        working: number of units that is to work.
        more: further samples through which a removed unit should stay idle; a number, or a
            multiple of the samples such as "1x".
        budget: share of samples that removed units may affect, in (0, 1); None for idle units.
        after: samples after which a layer of another width is asked for; a number or a multiple.
    """

    share: float
    working: float
    more: str
    budget: float | None
    after: str


def landmarks(law: ActivationLaw, samples: int) -> list[Answer]:
    """The numbers beside the sliders: each is the attribute or method of `ActivationLaw`."""
    return [
        Answer("working units K, exact", exact_number(float(law.working(samples)))),
        Answer("K by the mean field", exact_number(float(law.working(samples, exact=False)))),
        Answer("idle share, exact", percent(float(law.idle_fraction(samples)))),
        Answer("idle share, mean field", percent(float(law.idle_fraction(samples, exact=False)))),
        Answer("alpha = 1 − b", f"{law.alpha:.6g}"),
        Answer("knee D* = bN/c, in samples", exact_number(law.knee)),
        Answer("inflection N/c, in samples", exact_number(law.inflection)),
        Answer("share working there", percent(law.inflection_height)),
        Answer("mean count cD/N", exact_number(law.active * samples / law.units)),
        Answer("cut-off of the counts k*", exact_number(float(law.cutoff(samples)))),
    ]


def law_answers(law: ActivationLaw, samples: int, asked: Questions) -> list[Answer]:
    """What the law alone says of a layer with these N, c and b.

    Raises:
        InputError: if a question is outside the values that make sense.
    """
    share, working = one_fraction("share", asked.share), _units_asked(asked.working)
    more = _further("further samples", asked.more, samples)
    waking = float(law.wake_probability(samples, more))
    idle = law.units * float(law.idle_fraction(samples))
    widest = float(law.units_for(share, samples))
    return [
        Answer(
            f"samples for {percent(share)} of the units to work (mean field)",
            _samples(float(law.samples_for(share))),
        ),
        Answer(
            f"widest layer of which {percent(share)} work after {samples:,} samples (mean field)",
            f"{exact_number(widest)} units" if widest > law.active else "none",
        ),
        Answer(
            f"width for {exact_number(working)} working units after {samples:,} samples",
            _width(width_for(law, working, samples)),
        ),
        Answer(
            "units that can be removed as idle",
            f"{exact_number(idle)} ({percent(idle / law.units)})",
        ),
        Answer(f"chance that one of them is active within {more:,} more samples", percent(waking)),
    ]


def width_for(law: ActivationLaw, working: float, samples: int) -> float:
    """Units N of a layer, with the same c and b, of which `working` work after `samples` inputs.

    Found by bisection of E K(D), (5), in ln N; E K grows with N, up to cD.

    Returns:
        N; infinity if no width up to 1e15 has as many, and c if one sample activates as many.
    """
    from scipy.optimize import brentq

    if working <= law.active:
        return law.active

    def excess(log_units: float) -> float:
        wider = ActivationLaw(math.exp(log_units), law.active, law.b)
        return float(wider.working(samples)) - working

    least, most = math.log(working) + 1e-9, math.log(WIDEST_LAYER)
    if least >= most or excess(most) < 0:
        return math.inf
    if excess(least) >= 0:
        return working
    return math.exp(float(brentq(excess, least, most, xtol=1e-12)))


def layer_answers(reading: LayerReading, widths: pd.DataFrame, asked: Questions) -> list[Answer]:
    """What the forecasts and the plan of removal say of a counted layer.

    Args:
        reading: of the layer, which has a fit.
        widths: its forecast at other widths, `Readings.widths`.
        asked: the questions.

    Raises:
        InputError: if a question is outside the values that make sense.
    """
    fitted, counts = reading.fitted, reading.counts
    assert fitted is not None
    share, working = one_fraction("share", asked.share), _units_asked(asked.working)
    later = fitted.forecast(f"{LATER}x", level=LEVEL).iloc[0]
    needed = fitted.samples_for(share, level=LEVEL).iloc[0]
    samples = int(widths["samples"].iloc[0])
    width = narrowest(widths, working, "expected")
    low, high = narrowest(widths, working, "upper"), narrowest(widths, working, "lower")
    return [
        *[
            Answer(f"{name} of the fit, ± its standard error", _with_error(fitted, name))
            for name in ("active", "b", "knee")
        ],
        Answer(f"working after {later.samples:,.0f} samples", _interval(later, number)),
        Answer(f"samples for {percent(share)} of the units to work", _interval(needed, _samples)),
        Answer(
            f"width for {exact_number(working)} working units after {samples:,} samples",
            _between(width, low, high, _width),
        ),
        *_removal(reading, asked, counts.samples),
    ]


def narrowest(widths: pd.DataFrame, working: float, column: str) -> float:
    """The least width of which a column of a forecast reaches so many working units, between the
    widths of the table by interpolation of the logarithms; infinity where none does.
    """
    units, reached = widths["units"].to_numpy(float), widths[column].to_numpy(float)
    above = np.flatnonzero(reached >= working)
    if not above.size:
        return math.inf
    at = int(above[0])
    if at == 0:
        return float(units[0])
    low, high = np.log(np.maximum(reached[[at - 1, at]], 1e-9))
    part = (math.log(working) - low) / (high - low)
    return float(np.exp(np.log(units[at - 1]) + part * np.log(units[at] / units[at - 1])))


def after_samples(asked: Questions, samples: int) -> int:
    """The number of samples after which a layer of another width is asked for."""
    return _further("samples of the other width", asked.after, samples)


def percent(share: float) -> str:
    """A share in percent, to four significant digits."""
    return f"{100 * share:.4g}\N{NO-BREAK SPACE}%"


def _with_error(fitted: FittedLaw, name: str) -> str:
    return f"{number(fitted.params[name])} ± {fitted.standard_errors[name]:.2g}"


def _removal(reading: LayerReading, asked: Questions, samples: int) -> list[Answer]:
    """What can be removed of the layer, and at what risk."""
    more = _further("further samples", asked.more, samples)
    budget = None if asked.budget is None else one_fraction("budget", asked.budget)
    plan = plan_removal(Census({reading.name: reading.counts}), budget)
    row, size = plan.summary().iloc[0], reading.counts.units
    what = "idle units" if budget is None else f"units within {percent(budget)} of samples affected"
    removed = f"{row.removed:,.0f} of {size:,} ({percent(row['share'])})"
    answers = [
        Answer(f"can be removed: {what}", removed),
        Answer("samples expected to be affected", percent(plan.affected)),
    ]
    if row.removed:
        risk = plan.residual_risk(more, level=LEVEL).iloc[0]
        text = _interval(risk, percent)
        if math.isfinite(risk["bound"]):
            text += f"; by Good and Turing at most {percent(risk['bound'])}"
        answers.append(Answer(f"share of those active within {more:,} more samples", text))
    return answers


def _units_asked(working: float) -> float:
    if not float(at_least_zero("working units", working)) > 0:
        raise InputError(f"expected a number of working units above 0, but got {working:g}")
    return float(working)


def _further(name: str, given: str, counted: int) -> int:
    """A whole number of samples, at least 1, from a number or a multiple."""
    try:
        found = samples_from(given, counted, name)
        return one_whole(name, found, least=1)
    except ActilawError as error:
        raise InputError(f"{error}: type a number, or a multiple such as 1x") from None


def _interval(row: pd.Series, as_text: AsText) -> str:
    return _between(row["expected"], row["lower"], row["upper"], as_text)


def _between(expected: float, lower: float, upper: float, as_text: AsText) -> str:
    return f"{as_text(expected)} ({as_text(lower)} to {as_text(upper)})"


def _samples(value: float) -> str:
    return exact_number(round(value)) if math.isfinite(value) else "never"


def _width(value: float) -> str:
    return f"{number(round(value))} units" if math.isfinite(value) else "none so wide"
