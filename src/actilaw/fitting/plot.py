"""A fitted law at a glance, for notebooks and papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from actilaw.errors import needs_extra

with needs_extra("report"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

if TYPE_CHECKING:
    from actilaw.fitting.fitted_law import FittedLaw


def plot(fitted: FittedLaw) -> Figure:
    """Two panels: units by count, and working units by samples."""
    figure = Figure(figsize=(10, 4), layout="constrained")  # not one that pyplot keeps
    left, right = figure.subplots(1, 2)
    _count_law(left, fitted)
    _growth(right, fitted)
    return figure


def _count_law(axes: Axes, fitted: FittedLaw) -> None:
    counts = fitted.counts
    edges = np.unique(np.rint(np.geomspace(1, counts.samples + 1, 30)).astype(np.int64))
    units, _ = np.histogram(counts.counts, edges)
    some = units > 0
    axes.loglog(
        np.sqrt(edges[:-1] * (edges[1:] - 1.0))[some],
        (units / np.diff(edges))[some],
        "o",
        label="counted",
    )
    k = np.unique(np.rint(np.geomspace(1, counts.samples, 200)).astype(np.int64))
    family = fitted.described.family
    law = counts.units * np.exp(family.log_pmf(fitted.parameters, k, counts.samples))
    axes.loglog(k, law, label=fitted.family)
    axes.set(
        xlabel="activations of a unit k",
        ylabel="units per count",
        ylim=(units[some].min() / 1e3, None),
    )
    axes.legend()


def _growth(axes: Axes, fitted: FittedLaw) -> None:
    counts = fitted.counts
    seen = np.unique(np.rint(np.geomspace(1, counts.samples, 40)).astype(np.int64))
    ahead = fitted.forecast(
        np.unique(np.rint(np.geomspace(counts.samples, 100 * counts.samples, 40)).astype(np.int64))
    )
    axes.semilogx(seen, counts.rarefied(seen), "o", label="counted")
    axes.semilogx(ahead["samples"], ahead["expected"], label="forecast")
    axes.fill_between(ahead["samples"], ahead["lower"], ahead["upper"], alpha=0.2)
    axes.axhline(counts.units, color="grey", linestyle=":")
    axes.set(xlabel="samples D", ylabel="working units K", ylim=(0, None))
    axes.legend()
