"""The figure of `actilaw simulate`: the accumulation curve and the law of counts of a layer that
follows the law.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from actilaw.errors import needs_extra
from actilaw.support.files import write_atomically
from actilaw.support.numerics import log_grid
from actilaw.theory.simulation import Simulation

if TYPE_CHECKING:
    import plotly.graph_objects as go

LEFT_PANEL: dict[str, Any] = {"row": 1, "col": 1}
RIGHT_PANEL: dict[str, Any] = {"row": 1, "col": 2}
POINTS_OF_A_CURVE = 400  # of each curve
LOWEST_LOG_PROBABILITY = -100  # below it lies only the fall after the cut-off


def write_simulation(found: Simulation, path: Path) -> Path:
    """Write one self-contained HTML page: the accumulation curve, and the law of counts.

    Raises:
        FileError: if it cannot be written.
        MissingExtraError: if Plotly is not installed.
    """
    with needs_extra("report"):
        from plotly.subplots import make_subplots
    law, titles = found.law, ("Working units", f"Counts after {found.samples:,} samples")
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles)
    _draw_working(figure, found)
    _draw_counts(figure, found)
    figure.update_layout(
        template="plotly_white", title=f"{law.units:,g} units, {law.active:g} active, b = {law.b:g}"
    )
    return write_atomically(path, figure.to_html(include_plotlyjs=True).encode())


def _draw_working(figure: go.Figure, found: Simulation) -> None:
    """Working units against samples: expected, drawn, and where knee and inflection lie."""
    law = found.law
    samples = log_grid(1, found.samples, POINTS_OF_A_CURVE).astype(float)
    figure.add_scatter(x=samples, y=law.working(samples), name="expected (5)", **LEFT_PANEL)
    figure.add_scatter(
        x=samples,
        y=law.working(samples, exact=False),
        name="mean field (6)",
        line_dash="dash",
        **LEFT_PANEL,
    )
    if found.accumulation_curve[0].drawn is not None:
        figure.add_scatter(
            x=[point.samples for point in found.accumulation_curve],
            y=[point.drawn for point in found.accumulation_curve],
            mode="markers",
            name="drawn",
            **LEFT_PANEL,
        )
    for name in ("knee", "inflection"):
        if 1 <= found.landmarks[name] <= found.samples:
            # A line of its own: on a log axis Plotly puts the label of a vline elsewhere.
            figure.add_scatter(
                x=[found.landmarks[name]] * 2,
                y=[0, law.units],
                name=name,
                mode="lines",
                line_dash="dot",
                **LEFT_PANEL,
            )
    figure.update_xaxes(type="log", title_text="samples", **LEFT_PANEL)


def _draw_counts(figure: go.Figure, found: Simulation) -> None:
    """Probability of each count after all samples, on log axes."""
    k = log_grid(1, found.samples, POINTS_OF_A_CURVE)
    log_p = found.law.log_count_pmf(k, found.samples)
    shown = log_p > LOWEST_LOG_PROBABILITY
    figure.add_scatter(x=k[shown], y=np.exp(log_p[shown]), name="probability (4)", **RIGHT_PANEL)
    figure.update_xaxes(type="log", title_text="count", **RIGHT_PANEL)
    figure.update_yaxes(type="log", exponentformat="power", **RIGHT_PANEL)
