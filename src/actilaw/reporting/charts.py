"""What the figures of a page draw, as plain data in Plotly's words; Plotly itself is not needed.

A page of 200 layers has 800 figures. Plotly's own classes check every value and take 40 ms each;
plain data take one, and `figures` makes Plotly's figures of the same data where somebody wants them
in Python. Everything is binned or on a short grid, and rounded to what a pixel shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.checks.reinforcement import ReinforcementKernel
from actilaw.counts.activation_counts import MOST_SAMPLES, ActivationCounts
from actilaw.counts.log_histogram import log_histogram
from actilaw.fitting.fitted_law import PLOTTED_FACTOR, FittedLaw
from actilaw.forecasting.forecaster import Forecaster
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import log_grid

# Colours, by what is drawn, on a light page; and what each becomes on a dark one.
COUNTED = "#1b1f24"
LAW = "#0b62d6"
FORECAST = "#c2410c"
EARLY = "#7a5c1e"
LANDMARK = "#5a636e"
ON_DARK = {
    COUNTED: "#e8ebef",
    LAW: "#6cb0ff",
    FORECAST: "#ff9a5c",
    EARLY: "#dcb96a",
    LANDMARK: "#a3adb8",
}

ROUNDED_DIGITS = 4  # significant ones: a part in 1,000 is less than a pixel of a figure
LINE_POINTS = 40
FORECAST_POINTS = 17  # of which the ninth is ten times the samples counted
COUNTED_POINTS = 28
TESTED_POINTS = 5  # of the forecast from the early part
LONGEST_WITHOUT_TICKS = 1.5  # decades of an axis on which whole powers of ten are too few ticks


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure before it is drawn.

    Attributes:
        traces: lines, points and bands, as Plotly takes them; numbers are rounded.
        layout: what is special about it: axes, landmarks.
        words: what can be read off it, in sentences, for who cannot see it.
    """

    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    words: str = ""

    def to_json(self) -> str:
        """Compact JSON that can stand inside a <script> whatever names are in it."""
        return script_json({"data": self.traces, "layout": self.layout})


@dataclass(frozen=True, eq=False)
class TestedForecast:
    """A forecast from the first of the samples.

    Attributes:
        early: counts of these.
        table: columns samples, expected, lower, upper; the last row is of all samples.
    """

    __test__ = False  # pytest takes every class called Test... for one of its own

    early: ActivationCounts
    table: pd.DataFrame


@dataclass
class _Drawing:
    """A chart that is being drawn: traces and landmarks are added one by one."""

    x_title: str
    y_title: str
    log_y: bool = False
    traces: list[dict[str, Any]] = field(default_factory=list)
    shapes: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)

    def line(self, x: ArrayLike, y: ArrayLike, name: str, colour: str, dash: str = "") -> None:
        line: dict[str, Any] = {"color": colour, "width": 2}
        if dash:
            line["dash"] = dash
        self._add(x, y, name=name, mode="lines", line=line)

    def points(
        self,
        x: ArrayLike,
        y: ArrayLike,
        name: str,
        *,
        colour: str = COUNTED,
        symbol: str = "circle",
        bounds: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        """Points, with bars from lower to upper bounds where given."""
        marker = {"color": colour, "size": 6, "symbol": symbol}
        more: dict[str, Any] = {}
        if bounds is not None:
            lower, upper, middle = (np.asarray(values, float) for values in (*bounds, y))
            more["error_y"] = {
                "type": "data",
                "symmetric": False,
                "array": rounded(np.nan_to_num(upper - middle)),
                "arrayminus": rounded(np.nan_to_num(middle - lower)),
                "color": colour,
                "thickness": 1.5,
                "width": 3,
            }
        self._add(x, y, name=name, mode="markers", marker=marker, **more)

    def band(self, x: ArrayLike, lower: ArrayLike, upper: ArrayLike, colour: str) -> None:
        """The area between two bounds, without a name of its own."""
        around = np.concatenate([np.asarray(x), np.asarray(x)[::-1]])
        edge = np.concatenate([np.asarray(upper), np.asarray(lower)[::-1]])
        self._add(
            around,
            edge,
            name="95 % interval",
            mode="lines",
            fill="toself",
            fillcolor=colour,
            opacity=0.18,
            line={"width": 0, "color": colour},
            hoverinfo="skip",
            showlegend=False,
        )

    def upright(self, x: float, label: str, anchor: str) -> None:
        """A landmark on the x axis, its label to the "left" or "right" of it."""
        if not np.isfinite(x) or x <= 0:
            return
        line = {"color": LANDMARK, "width": 1, "dash": "dot"}
        place = _round(x)
        self.shapes.append(
            {"type": "line", "x0": place, "x1": place, "yref": "paper", "y0": 0, "y1": 1}
            | {"line": line}
        )
        # On a log axis lines are placed by value, annotations by its logarithm.
        self.annotations.append(
            {"x": _round(float(np.log10(x))), "y": 1, "yref": "paper", "text": label}
            | {"showarrow": False, "xanchor": {"left": "right", "right": "left"}[anchor]}
            | {"yanchor": "bottom", "font": {"color": LANDMARK, "size": 12}}
        )

    def ceiling(self, y: float, label: str) -> None:
        """A landmark on a linear y axis."""
        line = {"color": LANDMARK, "width": 1, "dash": "dot"}
        self.shapes.append(
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}
        )
        self.annotations.append(
            {"xref": "paper", "x": 0, "y": y, "text": label, "showarrow": False}
            | {"xanchor": "left", "yanchor": "bottom", "font": {"color": LANDMARK, "size": 12}}
        )

    def chart(self, words: str = "", y_range: tuple[float, float] | None = None) -> Chart:
        """The chart as it is now.

        Args:
            words: of `Chart`.
            y_range: lowest and highest value of the y axis; by what is drawn, if left out.
        """
        y_axis = _axis(self.y_title, [trace["y"] for trace in self.traces], self.log_y)
        if y_range is not None:
            bounds = np.log10(y_range) if self.log_y else y_range
            y_axis["range"] = rounded(bounds)
        layout: dict[str, Any] = {
            "xaxis": _axis(self.x_title, [trace["x"] for trace in self.traces], is_log=True),
            "yaxis": y_axis,
        }
        if self.shapes:
            layout |= {"shapes": self.shapes, "annotations": self.annotations}
        return Chart(self.traces, layout, words)

    def _add(self, x: ArrayLike, y: ArrayLike, **more: Any) -> None:
        self.traces.append({"type": "scatter", "x": rounded(x), "y": rounded(y)} | more)


def accumulation_chart(
    counts: ActivationCounts,
    fitted: FittedLaw,
    ahead: pd.DataFrame,
    tested: TestedForecast | None = None,
    seen: tuple[Ints, Floats] | None = None,
) -> Chart:
    """K against log D: counted, by the law, forecast with its interval; what an early part of the
    samples would have forecast; knee and inflection.

    Args:
        counts: of the layer.
        fitted: to them.
        ahead: the forecast from all samples.
        tested: the forecast from the early part, of samples that were then counted.
        seen: `counted_curve`, if it is there.
    """
    drawing = _Drawing("samples D", "working units K")
    drawing.band(ahead["samples"], ahead["lower"], ahead["upper"], FORECAST)
    drawing.line(
        ahead["samples"], ahead["expected"], f"forecast from all {counts.samples:,}", FORECAST
    )
    grid = log_grid(1, int(ahead["samples"].iloc[-1]), LINE_POINTS)
    drawing.line(grid, counts.units * _share_by_law(fitted, grid), _law_name(fitted), LAW, "dash")
    if tested is not None:
        drawing.points(
            tested.table["samples"],
            tested.table["expected"],
            f"back-test: forecast from {tested.early.samples:,} samples",
            colour=EARLY,
            symbol="diamond",
            bounds=(tested.table["lower"], tested.table["upper"]),
        )
    drawing.points(*(seen or counted_curve(counts)), "counted")
    drawing.ceiling(counts.units, f"N = {counts.units:,}")
    _mark_landmarks(drawing, fitted)
    last = ahead.iloc[-1]
    words = (
        f"Counted: {counts.working:,} of {counts.units:,} units work after {counts.samples:,} "
        f"samples. Forecast at {last.samples:,.0f}: {last.expected:,.0f} units, 95 % interval "
        f"{last.lower:,.0f} to {last.upper:,.0f}. Knee at {fitted.law.knee:,.3g} samples, "
        f"inflection at {fitted.law.inflection:,.3g}."
    )
    return drawing.chart(words, (0, 1.12 * max(counts.units, last.upper)))


def count_chart(counts: ActivationCounts, fitted: FittedLaw) -> Chart:
    """Share of units that were activated k times, on log axes, counted in bins of equal width in
    log k.
    """
    drawing = _Drawing("activations of a unit k", "share of units per count", log_y=True)
    histogram = log_histogram(counts)
    shares = histogram.units / counts.units
    k = log_grid(1, counts.samples, LINE_POINTS)
    closed_form = fitted.closed_form
    pmf = np.exp(closed_form.family.log_pmf(closed_form.parameters, k, counts.samples))
    pmf = np.ravel(pmf)
    lowest, highest = shares.min() / 5, 3 * max(shares.max(), float(pmf.max()))
    visible = pmf > lowest / 10
    drawing.line(k[visible], pmf[visible], _law_name(fitted), LAW)
    drawing.points(histogram.count, shares, "counted")
    words = (
        f"{counts.working:,} units with counts from {counts.counts[counts.counts > 0].min():,} to "
        f"{counts.counts.max():,}; the law's exponent alpha is {fitted.law.alpha:.3g}."
    )
    return drawing.chart(words, (lowest, highest))


def idle_chart(
    counts: ActivationCounts,
    fitted: FittedLaw,
    ahead: pd.DataFrame,
    seen: tuple[Ints, Floats] | None = None,
) -> Chart:
    """Idle share against samples on log axes: flat before the knee, a power law after it.

    Args:
        counts: of the layer.
        fitted: to them.
        ahead: the forecast from all samples.
        seen: `counted_curve`, if it is there.
    """
    drawing = _Drawing("samples D", "idle share (N − K)/N", log_y=True)
    samples = ahead["samples"].to_numpy()
    least = 0.3 / counts.units  # a third of a unit
    expected, highest, lowest = (
        np.maximum(1 - ahead[column].to_numpy() / counts.units, least)
        for column in ("expected", "lower", "upper")
    )
    if counts.idle:
        drawing.band(samples, lowest, highest, FORECAST)
        drawing.line(samples, expected, "forecast", FORECAST)
    grid = log_grid(1, int(samples[-1]), LINE_POINTS)
    exact = 1 - _share_by_law(fitted, grid)
    drawing.line(grid, exact.clip(least), f"{_law_name(fitted)}, exact", LAW, "dash")
    if fitted.family == "law":
        mean_field = np.asarray(fitted.law.idle_fraction(grid, exact=False))
        drawing.line(grid, mean_field.clip(least), "law, mean field", LAW, "dot")
    d, working = seen or counted_curve(counts)
    idle = 1 - working / counts.units
    drawing.points(d[idle > least], idle[idle > least], "counted")
    drawing.upright(fitted.law.knee, "knee", "right")
    words = (
        f"{counts.idle / counts.units:.1%} of the units are idle after {counts.samples:,} samples; "
        f"forecast at {samples[-1]:,}: {expected[-1]:.1%}."
    )
    return drawing.chart(words)


def reinforcement_chart(kernel: ReinforcementKernel, fitted: FittedLaw) -> Chart:
    """The chance that a unit fires on the next sample, given how often it has fired: by (1) a
    straight line of slope 1 in D_i + b.
    """
    law = fitted.law
    drawing = _Drawing("activations so far + b", "chance of firing next", log_y=True)
    x, some = kernel.count + law.b, kernel.chance > 0
    drawing.line(x, kernel.by_law(law), "law: (Dᵢ + b)/(D + D*)", LAW)
    reach = 1.96 * np.nan_to_num(kernel.error[some])
    chance = kernel.chance[some]
    drawing.points(
        x[some],
        chance,
        "measured",
        bounds=(np.maximum(chance - reach, chance / 10), np.minimum(chance + reach, 1.0)),
    )
    words = (
        f"{int(kernel.units.sum()):,} units in {kernel.count.size} bins by their activations in "
        f"{kernel.samples:,} samples. Chance of firing next, measured and by the law: "
        + "; ".join(
            f"after {kernel.count[i]:,.3g} activations {kernel.chance[i]:.2g} and "
            f"{kernel.by_law(law)[i]:.2g}"
            for i in sorted({0, kernel.count.size // 2, kernel.count.size - 1})
        )
        + "."
    )
    return drawing.chart(words)


def loss_chart(fitted: FittedLoss) -> Chart:
    """Loss on new data against the size of the training set: measured, and forecast with its
    interval.
    """
    drawing = _Drawing("training samples D", "loss on test data (nats)", log_y=True)
    grid = np.geomspace(fitted.samples.min(), 10 * fitted.samples.max(), 25)
    table = fitted.forecast(grid)
    drawing.band(grid, table["lower"], table["upper"], LAW)
    drawing.line(grid, table["expected"], "forecast", LAW)
    drawing.points(fitted.samples, fitted.loss, "measured")
    last = table.iloc[-1]
    words = (
        f"{fitted.loss.size} losses of {fitted.samples.min():,.4g} to {fitted.samples.max():,.4g} "
        f"samples; forecast at {last.samples:,.4g}: {last.expected:.4g}, 95 % interval "
        f"{last.lower:.4g} to {last.upper:.4g}."
    )
    return drawing.chart(words)


def curves_chart(
    x_title: str, y_title: str, traces: list[dict[str, Any]], *, log_y: bool, words: str
) -> Chart:
    """A chart of traces that are there, on a logarithmic x axis."""
    drawing = _Drawing(x_title, y_title, log_y, traces)
    return drawing.chart(words)


def samples_ahead(counts: ActivationCounts) -> Ints:
    """Where forecasts are drawn: from the samples counted to a hundred times as many, twice and ten
    times among them.
    """
    farthest = min(PLOTTED_FACTOR * counts.samples, MOST_SAMPLES)
    grid = log_grid(counts.samples, farthest, FORECAST_POINTS)
    return np.unique(np.append(grid, [times(2, counts), times(10, counts)]))


def times(factor: int, counts: ActivationCounts) -> int:
    """So many times the samples counted, or as many as can be counted at all."""
    return min(factor * counts.samples, MOST_SAMPLES)


def counted_curve(counts: ActivationCounts) -> tuple[Ints, Floats]:
    """Samples d, and K(d) by rarefaction, as two figures draw them; (n,) each."""
    seen = log_grid(1, counts.samples, COUNTED_POINTS)
    return seen, counts.rarefied(seen)


def tested_forecast(early: Forecaster, samples: int) -> TestedForecast:
    """What was forecast from the early part, up to the samples counted since."""
    grid = log_grid(early.counts.samples, samples, TESTED_POINTS + 1)[1:]
    return TestedForecast(early.counts, early.at(grid, 0.95))


def rounded(values: ArrayLike) -> list[float | int | None]:
    """Numbers with four significant digits, whole ones as integers; None for what is none."""
    array = np.ravel(np.asarray(values, float))
    return [_round(value) for value in array.tolist()]


def script_json(value: object) -> str:
    """Compact JSON in which no name ends the <script> around it, or opens another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _round(value: float) -> float | int | None:
    if not np.isfinite(value):
        return None
    short = float(f"{value:.{ROUNDED_DIGITS}g}")
    return int(short) if short.is_integer() else short


def _axis(title: str, values: list[list[Any]], is_log: bool) -> dict[str, Any]:
    """An axis with its ticks: whole powers of ten where there are enough of them."""
    axis: dict[str, Any] = {"title": {"text": title}}
    if not is_log:
        return axis | {"rangemode": "tozero"}
    axis |= {"type": "log"}
    positive = [value for part in values for value in part if value is not None and value > 0]
    if positive and np.log10(max(positive) / min(positive)) > LONGEST_WITHOUT_TICKS:
        axis["dtick"] = 1
    return axis


def _mark_landmarks(drawing: _Drawing, fitted: FittedLaw) -> None:
    """Knee and inflection, each label on the side away from the other."""
    law = fitted.law
    sides = ("left", "right") if law.knee < law.inflection else ("right", "left")
    drawing.upright(law.knee, "knee", sides[0])
    drawing.upright(law.inflection, "inflection", sides[1])


def _share_by_law(fitted: FittedLaw, samples: Ints) -> Floats:
    """Share of the units that work by the closed form; of the samples' shape."""
    closed_form = fitted.closed_form
    return 1 - np.asarray(closed_form.family.idle(closed_form.parameters, samples))


def _law_name(fitted: FittedLaw) -> str:
    return "activation law" if fitted.family == "law" else fitted.closed_form.family.description
