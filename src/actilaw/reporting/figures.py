"""The figures of a report, as Plotly figures: the accumulation curve, the law of counts, the idle
fraction, and the loss.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.log_histogram import log_histogram
from actilaw.fitting.fitted_law import PLOTTED_FACTOR, FittedLaw
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.numerics import log_grid

# Colours, by what is drawn.
COUNTED = "#1b1f24"
LAW = "#0b62d6"
FORECAST = "#c2410c"
EARLY = "#8a6d3b"
LANDMARK = "#8a929c"


def accumulation_curve(
    counts: ActivationCounts, fitted: FittedLaw, early: FittedLaw | None = None
) -> go.Figure:
    """Working units against samples: counted, by the law, and forecast from all samples and from an
    early part.
    """
    figure = empty_figure("samples D", "working units K")
    _band(figure, fitted.curve(log_grid(1, PLOTTED_FACTOR * counts.samples)), "activation law", LAW)
    if early is not None:
        forecast = early.forecast(log_grid(early.counts.samples, PLOTTED_FACTOR * counts.samples))
        _band(
            figure, forecast, f"forecast from {early.counts.samples:,} samples", EARLY, dash="dash"
        )
    ahead = fitted.forecast(log_grid(counts.samples, PLOTTED_FACTOR * counts.samples))
    _band(figure, ahead, f"from all {counts.samples:,}", FORECAST)
    seen = log_grid(1, counts.samples, 40)
    _points(figure, seen, counts.rarefied(seen))
    figure.add_hline(
        counts.units,
        line={"color": LANDMARK, "dash": "dot"},
        annotation_text=f"N = {counts.units:,}",
    )
    return figure


def count_law(counts: ActivationCounts, fitted: FittedLaw) -> go.Figure:
    """Share of units that were activated k times, on log axes, counted in bins of equal width in
    log k.
    """
    figure = empty_figure("activations of a unit k", "share of units per count", y_type="log")
    histogram = log_histogram(counts)
    shares = histogram.units / counts.units
    k = log_grid(1, counts.samples)
    pmf = fitted.law.count_pmf(k, counts.samples)
    _line(figure, k, pmf, "activation law", LAW)
    _points(figure, histogram.count, shares, size=7)
    lowest = np.log10(shares.min() / 5)
    figure.update_yaxes(range=[lowest, np.log10(max(shares.max(), pmf.max()) * 3)])
    return figure


def idle_fraction(counts: ActivationCounts, fitted: FittedLaw) -> go.Figure:
    """Idle fraction against samples on log axes: flat before the knee, a power law after it."""
    figure = empty_figure("samples D", "idle fraction (N − K)/N", y_type="log")
    d = log_grid(1, PLOTTED_FACTOR * counts.samples)
    law = fitted.law
    _line(figure, d, law.idle_fraction(d), "law, exact", LAW)
    _line(figure, d, law.idle_fraction(d, exact=False), "law, mean field", LAW, dash="dot")
    seen = log_grid(1, counts.samples, 40)
    _points(figure, seen, 1 - counts.rarefied(seen) / counts.units)
    figure.add_vline(law.knee, line={"color": LANDMARK, "dash": "dot"})
    # On a log axis lines are placed by value, annotations by its logarithm.
    figure.add_annotation(
        x=np.log10(law.knee), y=1, yref="paper", text="knee D*", showarrow=False, xanchor="left"
    )
    return figure


def loss(fitted: FittedLoss) -> go.Figure:
    """Loss on new data against the size of the training set: measured, and forecast with its
    interval.
    """
    figure = empty_figure("training samples D", "loss on test data (nats)", y_type="log")
    grid = np.geomspace(fitted.samples.min(), 10 * fitted.samples.max(), 25)
    _band(figure, fitted.forecast(grid), "forecast", LAW)
    _points(figure, fitted.samples, fitted.loss, name="measured")
    return figure


def empty_figure(x: str, y: str, y_type: str = "linear") -> go.Figure:
    """A figure without lines: titles of the axes, the one of x logarithmic."""
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        height=360,
        margin={"l": 64, "r": 16, "t": 36, "b": 48},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        font={"family": "system-ui, sans-serif", "size": 13},
        hovermode="x",
    )
    figure.update_xaxes(title=x, type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(title=y, type=y_type, exponentformat="power", rangemode="tozero")
    return figure


def _band(
    figure: go.Figure, table: pd.DataFrame, name: str, colour: str, dash: str = "solid"
) -> None:
    """A line of what is expected, in the band of its 95 % interval."""
    around = np.concatenate([table["samples"], table["samples"][::-1]])
    edge = np.concatenate([table["upper"], table["lower"][::-1]])
    figure.add_scatter(
        x=around,
        y=edge,
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        mode="lines",
    )
    _line(figure, table["samples"], table["expected"], name, colour, dash=dash)


def _line(
    figure: go.Figure,
    x: ArrayLike,
    y: ArrayLike,
    name: str,
    colour: str,
    *,
    dash: str = "solid",
) -> None:
    line = {"color": colour, "width": 2, "dash": dash}
    figure.add_scatter(x=x, y=y, name=name, mode="lines", line=line)


def _points(
    figure: go.Figure, x: ArrayLike, y: ArrayLike, *, name: str = "counted", size: int = 6
) -> None:
    marker = {"color": COUNTED, "size": size}
    figure.add_scatter(x=x, y=y, name=name, mode="markers", marker=marker)
