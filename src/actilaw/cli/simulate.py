"""`actilaw simulate`: what the activation law says of a layer that nobody has trained yet, and one
draw.

It prints the landmarks of the law, the growth of working units over decades of samples, and how
many units have which counts in the end.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from actilaw.cli.tables import print_json
from actilaw.errors import InputError, needs_extra
from actilaw.support.files import write_atomically
from actilaw.support.validation import one_whole
from actilaw.theory.activation_law import ActivationLaw


@dataclass(frozen=True)
class Growth:
    """Working units after `samples` inputs: expected by (5) and by the mean field (6), and
    drawn.
    """

    samples: int
    working: float
    mean_field: float
    idle_fraction: float
    drawn: int | None


@dataclass(frozen=True)
class Cell:
    """Number of units that fired `first` to `last` times: expected by (4), and drawn."""

    first: int
    last: int
    units: float
    drawn: int | None


@dataclass(frozen=True)
class Simulation:
    """A law, its landmarks, its growth up to `samples`, and its counts there."""

    law: ActivationLaw
    samples: int
    landmarks: dict[str, float]
    growth: list[Growth]
    counts: list[Cell]


def simulate(
    units: Annotated[float, typer.Option(help="N, units of the layer; 1e12 is fine.")],
    active: Annotated[float, typer.Option(help="c, mean number of units that fire on a sample.")],
    b: Annotated[float, typer.Option(help="Prior weight of a unit that has not fired yet.")],
    samples: Annotated[float, typer.Option(help="D, inputs seen; 1e18 is fine.")],
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw one layer beside the expectations.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write a figure to this .html file.")] = None,
) -> None:
    """Working units, idle fraction, knee, inflection and counts of a layer that follows the law."""
    if plot is not None and plot.suffix != ".html":
        raise InputError(
            f"expected --plot with the suffix .html, but got '{plot}': the figure is one HTML page"
        )
    if seed < 0:
        raise InputError(f"expected --seed >= 0, but got {seed}")
    law = ActivationLaw(units, active, b)
    found = simulation(law, samples, np.random.default_rng(seed) if draw else None)
    if plot is not None:
        write_plot(found, plot)
    if as_json:
        print_json(asdict(found))
    else:
        _show(found)


def simulation(law: ActivationLaw, samples: float, rng: np.random.Generator | None) -> Simulation:
    """What `law` says of its units up to `samples` inputs, and a layer drawn from it if `rng` is
    given.

    The drawn growth is one path. The drawn counts are those of a layer with as many working units
    as that path has in the end.
    """
    n = one_whole("samples", samples, least=1)
    grid = np.unique([min(10**j, n) for j in range(len(str(n)) + 1)])
    drawn = law.draw_discovery(grid, rng).tolist() if rng else [None] * grid.size
    expected, mean_field = law.working(grid).tolist(), law.working(grid, exact=False).tolist()
    idle = law.idle_fraction(grid).tolist()
    growth = [
        Growth(*row) for row in zip(grid.tolist(), expected, mean_field, idle, drawn, strict=True)
    ]
    landmarks = {
        "knee": law.knee,
        "inflection": law.inflection,
        "inflection_height": law.inflection_height,
        "alpha": law.alpha,
        "mean_count": law.active * n / law.units,
        "cutoff": float(law.cutoff(n)),
    }
    return Simulation(law, n, landmarks, growth, _cells(law, n, growth[-1].drawn, rng))


def _cells(
    law: ActivationLaw, n: int, working: int | None, rng: np.random.Generator | None
) -> list[Cell]:
    """Units by count: 0, 1, 2..9, 10..99 and so on; of `working` drawn units, where there is an
    `rng`.
    """
    first = np.array([0, 1, 2, *(10**j for j in range(1, 19))])
    first = first[first <= n]
    last = np.append(first[1:] - 1, n)
    share = np.diff(law.count_cdf(last, n), prepend=0.0)
    drawn: list[int | None] = [None] * first.size
    if rng is not None and working is not None:
        among = rng.multinomial(working, share[1:] / share[1:].sum())
        drawn = [round(law.units) - working, *among.tolist()]
    cells = zip(first.tolist(), last.tolist(), (law.units * share).tolist(), drawn, strict=True)
    return [Cell(*cell) for cell in cells]


def _show(found: Simulation) -> None:
    law, marks = found.law, found.landmarks
    console = Console()
    console.print(
        f"{_number(law.units)} units, {_number(law.active)} active on a sample, b = {law.b:g}"
    )
    console.print(
        f"knee {_number(marks['knee'])} samples · inflection {_number(marks['inflection'])} "
        "samples, where "
        f"{marks['inflection_height']:.1%} work · alpha {marks['alpha']:.6g}\n"
        f"after {found.samples:,} samples: mean count {_number(marks['mean_count'])}, "
        f"cut-off {_number(marks['cutoff'])}"
    )
    drew = found.growth[0].drawn is not None
    rows = [
        (
            f"{g.samples:,}",
            _number(g.working),
            _number(g.mean_field),
            f"{g.idle_fraction:.4%}",
            g.drawn,
        )
        for g in found.growth
    ]
    console.print(_table("Growth", ["samples", "working", "mean field", "idle"], rows, drew))
    rows = [
        (
            f"{c.first:,}" if c.first == c.last else f"{c.first:,} to {c.last:,}",
            _number(c.units),
            c.drawn,
        )
        for c in found.counts
        if c.units > 1e-6 or c.drawn
    ]
    console.print(_table(f"Counts after {found.samples:,} samples", ["count", "units"], rows, drew))


def _number(x: float) -> str:
    """Six digits, and all digits before the point of a large number."""
    return f"{x:,.0f}" if x >= 1e5 else f"{x:,.6g}"


def _table(title: str, heads: list[str], rows: list[tuple], drew: bool) -> Table:
    """Rows end with a drawn number, which is shown if there was a draw."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold cyan",
        header_style="dim",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for head in [*heads, "drawn"][: None if drew else -1]:
        table.add_column(head, justify="right", no_wrap=True)
    for *cells, drawn in rows:
        table.add_row(*cells, *([f"{drawn:,}"] if drew else []))
    return table


def write_plot(found: Simulation, path: Path) -> None:
    """Write one self-contained HTML page: growth of working units, and the law of counts."""
    with needs_extra("report"):
        from plotly.subplots import make_subplots
    law, n = found.law, found.samples
    samples = np.unique(np.geomspace(1, n, 400).round())
    k = np.unique(np.geomspace(1, n, 400).astype(np.int64))
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("Working units", f"Counts after {n:,} samples")
    )
    left: dict[str, Any] = {"row": 1, "col": 1}
    right: dict[str, Any] = {"row": 1, "col": 2}
    figure.add_scatter(x=samples, y=law.working(samples), name="expected (5)", **left)
    figure.add_scatter(
        x=samples,
        y=law.working(samples, exact=False),
        name="mean field (6)",
        line_dash="dash",
        **left,
    )
    if found.growth[0].drawn is not None:
        at, drawn = zip(*((g.samples, g.drawn) for g in found.growth), strict=True)
        figure.add_scatter(x=at, y=drawn, mode="markers", name="drawn", **left)
    for name in ("knee", "inflection"):
        if 1 <= found.landmarks[name] <= n:
            # A line of its own: on a log axis Plotly puts the label of a vline elsewhere.
            at = [found.landmarks[name]] * 2
            figure.add_scatter(
                x=at, y=[0, law.units], name=name, mode="lines", line_dash="dot", **left
            )
    log_p = law.log_count_pmf(k, n)
    seen = log_p > -100  # beyond lies only the fall after the cut-off
    figure.add_scatter(x=k[seen], y=np.exp(log_p[seen]), name="probability (4)", **right)
    figure.update_xaxes(type="log", title_text="samples", **left)
    figure.update_xaxes(type="log", title_text="count", **right)
    figure.update_yaxes(type="log", exponentformat="power", **right)
    figure.update_layout(
        template="plotly_white", title=f"{law.units:,g} units, {law.active:g} active, b = {law.b:g}"
    )
    write_atomically(path, figure.to_html(include_plotlyjs=True).encode())
