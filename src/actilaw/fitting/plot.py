"""Plots of a layer's counts and forecasts with Matplotlib, for notebooks and papers."""

from __future__ import annotations

import pandas as pd

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.log_histogram import log_histogram
from actilaw.errors import needs_extra
from actilaw.forecasting.forecaster import Seen
from actilaw.support.numerics import log_grid

with needs_extra("report"):
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


def plot_accumulation(
    counts: Seen, forecast: pd.DataFrame, *, simultaneous: bool = False, ax: Axes | None = None
) -> Axes:
    """Working units against samples: counted (rarefied), and forecast with its interval.

    Args:
        counts: of one layer, or its curve.
        forecast: columns samples, expected, lower, upper; the bounds at a level of 95 %.
        simultaneous: whether they are those of a band, for the legend.
        ax: axes to draw on; new ones if left out.

    Returns:
        The axes.
    """
    axes = given_or_new(ax)
    part = log_grid(1, counts.samples, 40)
    axes.semilogx(part, counts.rarefied(part), "o", label="counted")
    draw_forecast(axes, forecast, "forecast", band="95% band" if simultaneous else "95% interval")
    axes.axhline(counts.units, color="grey", linestyle=":", label="all units")
    axes.set(xlabel="samples D", ylabel="working units K", ylim=(0, None))
    axes.legend()
    return axes


def plot_counts(counts: ActivationCounts, expected: pd.Series, ax: Axes | None = None) -> Axes:
    """Units per count on logarithmic axes: counted, in bins of equal width in log k, and expected.

    Args:
        counts: of one layer.
        expected: units expected at each count k >= 1, its index; its name is shown in the legend.
        ax: axes to draw on; new ones if left out.

    Returns:
        The axes.
    """
    axes = given_or_new(ax)
    counted = log_histogram(counts)
    axes.loglog(counted.count, counted.units, "o", label="counted")
    axes.loglog(expected.index, expected, label=expected.name)
    axes.set(
        xlabel="activations of a unit k",
        ylabel="units per count",
        ylim=(counted.units.min() / 1e3, None),
    )
    axes.legend()
    return axes


def given_or_new(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def draw_forecast(axes: Axes, forecast: pd.DataFrame, name: str, *, band: str | None) -> Line2D:
    """A forecast as a line in the band of its interval.

    Args:
        axes: to draw on.
        forecast: columns samples, expected, lower, upper.
        name: of the line, for the legend.
        band: name of the band, for the legend, or None to leave it out.

    Returns:
        The line.
    """
    [line] = axes.plot(forecast["samples"], forecast["expected"], label=name)
    axes.fill_between(
        forecast["samples"],
        forecast["lower"],
        forecast["upper"],
        color=line.get_color(),
        alpha=0.2,
        linewidth=0,
        label=band,
    )
    return line
