"""A loss curve with its measurements, and what a surface says of budgets, on Matplotlib axes, for
notebooks and papers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from actilaw.errors import needs_extra
from actilaw.fitting.plot import draw_forecast, given_or_new
from actilaw.loss.measurements import Measurements

with needs_extra("report"):
    from matplotlib.axes import Axes

FAR_UP = 1e30  # where a band without an upper bound ends, off every figure


def plot_loss(
    measured: Measurements, forecasts: dict[str, pd.DataFrame], level: float, ax: Axes | None
) -> Axes:
    """Measured losses, and each forecast as a line in the band of its interval; log-log axes.

    Args:
        measured: drawn as dots; losses of several sizes in the colour of the forecast for the
            nearest size.
        forecasts: tables of samples, (size,) expected, lower, upper, by the name of the curve; one
            for each size to be shown.
        level: of the intervals, for the legend.
        ax: what to draw on; a new figure if None.
    """
    axes = given_or_new(ax)
    if measured.size is None:
        [(name, table)] = forecasts.items()
        line = draw_forecast(axes, table, name, band=f"{level:.0%} interval")
        axes.plot(measured.samples, measured.loss, "o", color=line.get_color(), label="measured")
    else:
        shown = np.array([float(table["size"].iloc[0]) for table in forecasts.values()])
        nearest = np.abs(np.log(measured.size[:, np.newaxis] / shown)).argmin(axis=1)
        for i, (name, table) in enumerate(forecasts.items()):
            part = measured.where(nearest == i)
            line = draw_forecast(axes, table, name, band=None)
            axes.plot(part.samples, part.loss, "o", color=line.get_color())
    axes.set(xscale="log", yscale="log", xlabel="training samples D", ylabel="loss")
    axes.legend()
    return axes


def plot_allocation(
    measured: Measurements, table: pd.DataFrame, level: float, ax: Axes | None
) -> Axes:
    """Best size and samples against the budget, each in the band of its interval.

    Args:
        measured: their sizes and samples are drawn as dots at what they cost, if `cost` of the
            table's attrs says it.
        table: of `FittedLoss.allocate`; attrs["spent"] is what each measured run cost, (n,).
        level: of the intervals, for the legend.
        ax: what to draw on; a new figure if None.
    """
    axes = given_or_new(ax)
    for name, values in (("size", measured.size), ("samples", measured.samples)):
        [line] = axes.plot(table["compute"], table[name], label=f"best {name}")
        axes.fill_between(
            table["compute"],
            table[f"{name}_lower"],
            table[f"{name}_upper"],
            alpha=0.2,
            color=line.get_color(),
            label=f"{level:.0%} interval",
        )
        assert values is not None
        axes.plot(table.attrs["spent"], values, ".", color=line.get_color(), alpha=0.5)
    axes.set(xscale="log", yscale="log", xlabel="budget", ylabel="size N, samples D")
    axes.legend()
    return axes


def plot_iso_loss(measured: Measurements, curves: list[pd.DataFrame], ax: Axes | None) -> Axes:
    """Samples against size along curves of equal loss, with the runs that were measured.

    Args:
        measured: drawn as dots.
        curves: tables of `FittedLoss.iso_loss`.
        ax: what to draw on; a new figure if None.
    """
    axes = given_or_new(ax)
    for table in curves:
        seen = np.isfinite(table["expected"])
        name = f"loss {table['loss'].iloc[0]:.4g}"
        [line] = axes.plot(table.loc[seen, "size"], table.loc[seen, "expected"], label=name)
        upper = table["upper"].where(np.isfinite(table["upper"]), FAR_UP)
        axes.fill_between(
            table["size"], table["lower"], upper, where=seen, alpha=0.2, color=line.get_color()
        )
    assert measured.size is not None
    axes.plot(measured.size, measured.samples, ".", color="grey", label="measured")
    axes.set(xscale="log", yscale="log", xlabel="size N", ylabel="training samples D")
    axes.set_ylim(measured.samples.min() / 3, measured.samples.max() * 30)
    axes.legend()
    return axes


def plot_iso_flop(curves: dict[float, pd.DataFrame], ax: Axes | None) -> Axes:
    """Loss against size along curves of equal cost, each in the band of its interval.

    Args:
        curves: tables of `FittedLoss.iso_flop` by their budgets.
        ax: what to draw on; a new figure if None.
    """
    axes = given_or_new(ax)
    for compute, table in curves.items():
        [line] = axes.plot(table["size"], table["expected"], label=f"budget {compute:.3g}")
        axes.fill_between(
            table["size"], table["lower"], table["upper"], alpha=0.2, color=line.get_color()
        )
        best = table.iloc[[int(np.argmin(table["expected"]))]]
        axes.plot(best["size"], best["expected"], "o", color=line.get_color())
    axes.set(xscale="log", xlabel="size N", ylabel="loss")
    axes.legend()
    return axes
