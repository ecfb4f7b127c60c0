"""The figures of a report as Plotly figures, for notebooks and the explorer: accumulation curve,
law of counts, idle share, reinforcement kernel, and loss.

What they draw is in `charts`; here it becomes Plotly's.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from actilaw.checks.reinforcement import reinforcement_kernel
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.reporting import charts
from actilaw.reporting.charts import (
    COUNTED,
    EARLY,
    FORECAST,
    LANDMARK,
    LAW,
    Chart,
    accumulation_chart,
    count_chart,
    idle_chart,
    loss_chart,
    reinforcement_chart,
    samples_ahead,
    tested_forecast,
)

__all__ = [
    "COUNTED",
    "EARLY",
    "FORECAST",
    "LANDMARK",
    "LAW",
    "accumulation_curve",
    "count_law",
    "drawn",
    "empty_figure",
    "idle_fraction",
    "loss",
    "reinforcement",
]

BASE_LAYOUT: dict[str, Any] = {
    "template": "plotly_white",
    "height": 360,
    "margin": {"l": 64, "r": 16, "t": 36, "b": 48},
    "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.06, "x": 0},
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "hovermode": "x",
}


def drawn(chart: Chart) -> go.Figure:
    """The Plotly figure of a chart, on a light ground."""
    axes = {name: {"exponentformat": "power"} | chart.layout[name] for name in ("xaxis", "yaxis")}
    return go.Figure({"data": chart.traces, "layout": BASE_LAYOUT | chart.layout | axes})


def accumulation_curve(
    counts: ActivationCounts, fitted: FittedLaw, early: FittedLaw | None = None
) -> go.Figure:
    """Working units against samples: counted, by the law, forecast from all samples with its
    interval, and back-tested from an early part; knee and inflection are marked.

    Args:
        counts: of the layer.
        fitted: to them.
        early: fitted to the first of the samples.
    """
    ahead = fitted.forecast(samples_ahead(counts))
    tested = None if early is None else tested_forecast(early.forecaster, counts.samples)
    return drawn(accumulation_chart(counts, fitted, ahead, tested))


def count_law(counts: ActivationCounts, fitted: FittedLaw) -> go.Figure:
    """Share of units that were activated k times, on log axes, counted in bins of equal width in
    log k.
    """
    return drawn(count_chart(counts, fitted))


def idle_fraction(counts: ActivationCounts, fitted: FittedLaw) -> go.Figure:
    """Idle fraction against samples on log axes: flat before the knee, a power law after it."""
    return drawn(idle_chart(counts, fitted, fitted.forecast(samples_ahead(counts))))


def reinforcement(counts: ActivationCounts, fitted: FittedLaw) -> go.Figure:
    """The chance that a unit fires on the next sample, given how often it has fired.

    Raises:
        CountsError: of a single sample, which has no halves.
    """
    kernel = reinforcement_kernel(counts)
    if kernel is None:
        raise CountsError("expected at least 2 samples to compare halves of: record more")
    return drawn(reinforcement_chart(kernel, fitted))


def loss(fitted: FittedLoss) -> go.Figure:
    """Loss on new data against the size of the training set: measured, and forecast with its
    interval.
    """
    return drawn(loss_chart(fitted))


def empty_figure(x: str, y: str, y_type: str = "linear") -> go.Figure:
    """A figure without lines: titles of the axes, the one of x logarithmic."""
    return drawn(charts.curves_chart(x, y, [], log_y=y_type == "log", words=""))
