"""The command `actilaw simulate`: what the activation law expects of a layer that nobody has
trained yet, and one draw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from actilaw.cli.options import AsJson, Seed
from actilaw.cli.tables import print_json, print_sections
from actilaw.cli.terminal import say
from actilaw.errors import InputError
from actilaw.reporting.simulation import write_simulation
from actilaw.reporting.text import Row, exact_number
from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.simulation import CountBin, CurvePoint, Simulation, simulate

FEWEST_UNITS = 1e-6  # bins with fewer expected units than this are not printed


def simulate_command(
    units: Annotated[float, typer.Option(help="N, units of the layer; 1e12 is fine.")],
    active: Annotated[float, typer.Option(help="c, mean number of units active on a sample.")],
    b: Annotated[
        float,
        typer.Option(help="Exponent of the law: the share of idle units falls as samples^(-b)."),
    ],
    samples: Annotated[float, typer.Option(help="D, number of samples; 1e18 is fine.")],
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw one layer beside the expectations.")
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
    plot: Annotated[Path | None, typer.Option(help="Write a figure to this .html file.")] = None,
) -> None:
    """Show what the activation law expects of a layer.

    Working and idle units against samples, knee, inflection and counts.
    """
    if plot is not None and plot.suffix != ".html":
        raise InputError(
            f"expected --plot with the suffix .html, but got '{plot}': the figure is one HTML page"
        )
    law = ActivationLaw(units, active, b)
    found = simulate(law, samples, np.random.default_rng(seed) if draw else None)
    if plot is not None:
        write_simulation(found, plot)
    if as_json:
        print_json(asdict(found))
    else:
        _show(found, draw)


def _show(found: Simulation, draw: bool) -> None:
    say(*_landmarks(found).splitlines())
    drawn = ("drawn",) if draw else ()
    curve = [("Accumulation curve", [_curve_row(point) for point in found.accumulation_curve])]
    head = ("samples", "working", "mean field", "idle", *drawn)
    print_sections("", head, curve, all_numbers=True)
    bins = [part for part in found.counts if part.units > FEWEST_UNITS or part.drawn]
    counts = [(f"Counts after {found.samples:,} samples", [_bin_row(part) for part in bins])]
    print_sections("", ("count", "units", *drawn), counts, all_numbers=True)


def _landmarks(found: Simulation) -> str:
    law, marks = found.law, found.landmarks
    return (
        f"{exact_number(law.units)} units, {exact_number(law.active)} active on a sample, "
        f"b = {law.b:g}\n"
        f"knee {exact_number(marks['knee'])} samples · "
        f"inflection {exact_number(marks['inflection'])} samples, "
        f"where {marks['inflection_height']:.1%} work · alpha {marks['alpha']:.6g}\n"
        f"after {found.samples:,} samples: mean count {exact_number(marks['mean_count'])}, "
        f"cut-off {exact_number(marks['cutoff'])}"
    )


def _curve_row(point: CurvePoint) -> Row:
    return (
        f"{point.samples:,}",
        exact_number(point.working),
        exact_number(point.mean_field),
        f"{point.idle_fraction:.4%}",
        *_if_drawn(point.drawn),
    )


def _bin_row(part: CountBin) -> Row:
    count = f"{part.first:,}" if part.first == part.last else f"{part.first:,} to {part.last:,}"
    return (count, exact_number(part.units), *_if_drawn(part.drawn))


def _if_drawn(drawn: int | None) -> Iterable[str]:
    return () if drawn is None else (f"{drawn:,}",)
