"""The explorer's figures, as Plotly figures in plain dictionaries, which browsers draw as they are.

    accumulation   K(D), (5) and its mean field (6), with the inflection (9) and the knee
    counts         the law of counts (4)
    reinforcement  the probability of the next activation given those so far, (1)
    idle           the share of idle units, (11)

Colours of lines are told apart on white and on black; the colours of text and axes come from the
page's style sheet, which follows the reader's preference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from actilaw.explorer.layer_reading import LayerReading
from actilaw.support.arrays import Floats, Ints
from actilaw.support.numerics import log_grid
from actilaw.theory.activation_law import ActivationLaw

FigureDict = dict[str, Any]
LAW_COLOUR, MARK_COLOUR, AHEAD_COLOUR = "#2f7fd6", "#b5548f", "#d2691e"
AHEAD_BAND = "rgba(210, 105, 30, 0.2)"
COUNTED_COLOUR = "#7b8591"
LEAST_DRAWN, MOST_DRAWN = 1e-3, 1e18  # samples
DRAWN_BEYOND = 100.0  # times the last landmark, to which curves are drawn
LEAST_DRAWN_UNITS = 1e-3  # expected units with a count, below which the law of counts is not drawn
ZERO_AT = 0.3  # where a logarithmic axis shows the count 0


def accumulation(law: ActivationLaw, samples: int, reading: LayerReading | None) -> FigureDict:
    """Working units against samples: the law, its landmarks, and what was counted and forecast."""
    d = _drawn_samples(law, samples, reading)
    traces = [
        _line(d, law.working(d), "law, exact"),
        _line(d, law.working(d, exact=False), "law, mean field", dash="dot"),
        *_landmarks(law, samples, lambda at: float(law.working(at))),
    ]
    if reading is not None:
        traces += _ahead(reading.ahead)
        traces.append(_points(reading.seen, reading.rarefied, "counted"))
    return _figure(traces, "samples D", "working units K")


def count_law(law: ActivationLaw, samples: int, reading: LayerReading | None) -> FigureDict:
    """Share of the units per count after D samples, on logarithmic axes."""
    k = log_grid(1, samples, 160)
    pmf = law.count_pmf(k, samples)
    is_drawn = law.units * pmf > LEAST_DRAWN_UNITS
    is_drawn[0] = True
    traces = [_line(k[is_drawn], pmf[is_drawn], f"law after {samples:,} samples")]
    if reading is not None:
        counts, histogram = reading.counts, reading.histogram
        name = f"counted after {counts.samples:,}"
        traces.append(_points(histogram.count, histogram.units / counts.units, name))
    return _figure(traces, "activations of a unit k", "share of units per count", y_type="log")


def reinforcement(law: ActivationLaw, samples: int, reading: LayerReading | None) -> FigureDict:
    """Probability that a unit is active on the next sample, given its activations so far."""
    k = np.concatenate(([0], log_grid(1, samples, 80)))
    traces = _kernel_of(law, k, samples, f"law after {samples:,} samples")
    if reading is not None and reading.kernel is not None:
        kernel = reading.kernel
        if kernel.samples != samples:
            name = f"law after {kernel.samples:,}"
            grid = np.concatenate(([0], log_grid(1, kernel.samples, 80)))
            traces += _kernel_of(law, grid, kernel.samples, name, dash="dash")
        name = f"counted after the first {kernel.samples:,}"
        traces.append(_points(_with_zero(kernel.count), kernel.rate, name))
    figure = _figure(
        traces, "activations of a unit so far k", "probability of the next", y_type="log"
    )
    decades = range(len(str(samples)))
    figure["layout"]["xaxis"] |= {
        "tickvals": [ZERO_AT, *(10**power for power in decades)],
        "ticktext": ["0", *(_power(power) for power in decades)],
    }
    return figure


def idle_share(law: ActivationLaw, samples: int, reading: LayerReading | None) -> FigureDict:
    """Share of idle units against samples on logarithmic axes: how far the layer can shrink."""
    d = _drawn_samples(law, samples, reading)
    traces = [
        _line(d, law.idle_fraction(d), "law, exact"),
        _line(d, law.idle_fraction(d, exact=False), "law, mean field", dash="dot"),
        *_landmarks(law, samples, lambda at: float(law.idle_fraction(at))),
    ]
    if reading is not None:
        units = reading.counts.units
        if reading.ahead is not None:
            ahead = reading.ahead
            share = {name: 1 - ahead[name] / units for name in ("expected", "lower", "upper")}
            turned = {"lower": share["upper"], "upper": share["lower"]}
            traces += _ahead(ahead.assign(expected=share["expected"], **turned))
        traces.append(_points(reading.seen, 1 - reading.rarefied / units, "counted"))
    return _figure(traces, "samples D", "idle share (N − K)/N", y_type="log")


def growth(reading: LayerReading, samples: Ints, working: Ints) -> FigureDict:
    """Working units in the order in which they were counted.

    Args:
        reading: of the layer.
        samples, working: at each reading of the file; (n,) each.
    """
    traces = []
    if reading.by_block is not None:
        traces.append(_line(*reading.by_block, "block by block", colour=COUNTED_COLOUR))
    traces.append(_points(samples, working, "as the file was read", colour=AHEAD_COLOUR, size=9))
    return _figure(traces, "samples counted", "working units K", x_type="linear")


def _drawn_samples(law: ActivationLaw, samples: int, reading: LayerReading | None) -> Floats:
    """Where the curves are drawn: around the landmarks, D, and what was counted."""
    counted = 1 if reading is None else reading.counts.samples
    last = DRAWN_BEYOND * max(law.knee, law.inflection, samples, counted)
    first = min(1.0, law.knee, law.inflection)
    low = 10.0 ** np.floor(np.log10(max(first, LEAST_DRAWN)))
    high = 10.0 ** np.ceil(np.log10(min(last, MOST_DRAWN)))
    return np.geomspace(low, high, 200)


def _landmarks(law: ActivationLaw, samples: int, height: Any) -> list[FigureDict]:
    """Points on the exact curve at the knee, the inflection, and D."""
    return [
        _mark(law.knee, height(law.knee), "knee bN/c", "diamond"),
        _mark(law.inflection, height(law.inflection), "inflection N/c", "square"),
        _mark(samples, height(samples), "D", "circle", colour=LAW_COLOUR),
    ]


def _kernel_of(
    law: ActivationLaw, k: Ints, samples: int, name: str, dash: str = "solid"
) -> list[FigureDict]:
    """The probability of the next activation as a line from k = 1 on, and a mark at 0."""
    rate = law.rate_posterior(k, samples)
    return [
        _line(k[1:], rate[1:], name, dash=dash),
        _mark(ZERO_AT, float(rate[0]), "not active so far", "circle", LAW_COLOUR)
        | {"showlegend": False},
    ]


def _with_zero(count: Floats) -> Floats:
    return np.where(count > 0, count, ZERO_AT)


def _ahead(table: pd.DataFrame | None) -> list[FigureDict]:
    """A forecast, in the band of its 95 % interval."""
    if table is None:
        return []
    around = np.concatenate([table["samples"], table["samples"][::-1]])
    edge = np.concatenate([table["upper"], table["lower"][::-1]])
    band = {
        "type": "scatter",
        "mode": "lines",
        "x": around.tolist(),
        "y": edge.tolist(),
        "fill": "toself",
        "fillcolor": AHEAD_BAND,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    line = _line(table["samples"], table["expected"], "forecast, 95 %", colour=AHEAD_COLOUR)
    return [band, line]


def _line(
    x: ArrayLike, y: ArrayLike, name: str, *, colour: str = LAW_COLOUR, dash: str = "solid"
) -> FigureDict:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": np.asarray(x, float).tolist(),
        "y": np.asarray(y, float).tolist(),
        "line": {"color": colour, "width": 2, "dash": dash},
    }


def _points(
    x: ArrayLike, y: ArrayLike, name: str, *, colour: str = COUNTED_COLOUR, size: int = 6
) -> FigureDict:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": np.asarray(x, float).tolist(),
        "y": np.asarray(y, float).tolist(),
        "marker": {"color": colour, "size": size},
    }


def _mark(x: float, y: float, name: str, symbol: str, colour: str = MARK_COLOUR) -> FigureDict:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x],
        "y": [y],
        "marker": {"color": colour, "size": 11, "symbol": symbol},
    }


def _figure(
    traces: list[FigureDict], x: str, y: str, *, x_type: str = "log", y_type: str = "linear"
) -> FigureDict:
    """A figure on transparent ground, whose zoom stays while the curves move."""
    axis = {"exponentformat": "power", "zeroline": False, "automargin": True, "showline": True}
    return {
        "data": traces,
        "layout": {
            "margin": {"l": 56, "r": 12, "t": 8, "b": 44},
            "legend": {"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
            "font": {"family": "system-ui, sans-serif", "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hovermode": "closest",
            "uirevision": "kept",
            "xaxis": _axis(axis, x, x_type) | ({"dtick": 1} if x_type == "log" else {}),
            "yaxis": _axis(axis, y, y_type) | {"rangemode": "tozero"},
        },
    }


def _axis(axis: FigureDict, title: str, kind: str) -> FigureDict:
    return axis | {"title": {"text": title, "standoff": 8}, "type": kind, "nticks": 8}


def _power(power: int) -> str:
    return "1" if power == 0 else f"10<sup>{power}</sup>"
