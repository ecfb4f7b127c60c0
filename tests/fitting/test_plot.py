"""Plots, which are drawn on the axes they are given."""

from __future__ import annotations

import pytest

from actilaw import FittedLaw, fit
from builders.drawn import draw_counts

pytest.importorskip("matplotlib")

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure


@pytest.fixture(scope="module")
def fitted() -> FittedLaw:
    return fit(draw_counts(2000, 40, 0.3, 500, seed=1))


def test_the_accumulation_curve_shows_counts_and_forecast(fitted: FittedLaw) -> None:
    axes = Figure().subplots()
    assert fitted.plot(ax=axes) is axes
    assert axes.get_ylabel() == "working units K"
    assert [line.get_label() for line in axes.lines] == ["counted", "forecast", "all units"]
    [interval] = axes.collections
    assert interval.get_label() == "95% interval"
    assert to_rgb(interval.get_facecolor()[0]) == to_rgb(axes.lines[1].get_color())


def test_counts_are_shown_beside_the_closed_form(fitted: FittedLaw) -> None:
    axes = Figure().subplots()
    assert fitted.plot_counts(ax=axes) is axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [line.get_label() for line in axes.lines] == ["counted", "law"]


def test_new_axes_are_made_where_none_are_given(fitted: FittedLaw) -> None:
    import matplotlib.pyplot as plt

    axes = fitted.plot()
    assert axes.get_ylabel() == "working units K"
    plt.close(axes.figure)
