"""A loss curve with its measurements, on Matplotlib axes, for notebooks and papers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from actilaw.errors import needs_extra
from actilaw.fitting.plot import draw_forecast, given_or_new
from actilaw.loss.measurements import Measurements

with needs_extra("report"):
    from matplotlib.axes import Axes


def plot_loss(
    measured: Measurements, forecasts: dict[str, pd.DataFrame], level: float, ax: Axes | None
) -> Axes:
    """Measured losses, and each forecast as a line in the band of its interval; log-log axes.

    Args:
        measured: drawn as dots; losses of several sizes in the colours of their forecasts.
        forecasts: tables of samples, expected, lower, upper, by the name of the curve, one for
            each size of `measured` in increasing order.
        level: of the intervals, for the legend.
        ax: what to draw on; a new figure if None.
    """
    axes = given_or_new(ax)
    sizes = [None] if measured.size is None else np.unique(measured.size)
    for size, (name, table) in zip(sizes, forecasts.items(), strict=True):
        part = measured if size is None else measured.where(measured.size == size)
        band = f"{level:.0%} interval" if size is None else None
        line = draw_forecast(axes, table, name, band=band)
        dots = "measured" if size is None else None
        axes.plot(part.samples, part.loss, "o", color=line.get_color(), label=dots)
    axes.set(xscale="log", yscale="log", xlabel="training samples D", ylabel="loss")
    axes.legend()
    return axes
