"""The command `actilaw accumulation`: forecasts from a logged curve of working or dead units."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actilaw.cli.options import AsJson, Level, Simultaneous
from actilaw.cli.tables import print_json, print_sections, read_columns, records
from actilaw.cli.terminal import say
from actilaw.fitting.accumulation_log import read_accumulation
from actilaw.fitting.fit_accumulation import fit_accumulation
from actilaw.reporting.text import forecast_rows
from actilaw.support.validation import fraction, samples_from


def accumulation_command(
    file: Annotated[
        Path, typer.Argument(help="A CSV file, a row per logged step.", show_default=False)
    ],
    units: Annotated[
        int | None,
        typer.Option(
            help="Number of all units of the layer.",
            show_default="read from a column, or working and dead units together",
        ),
    ] = None,
    samples_column: Annotated[
        str | None,
        typer.Option(
            "--samples",
            "--samples-column",
            help="Column with the samples seen so far.",
            show_default="found by its usual names, as samples, tokens, Step",
        ),
    ] = None,
    working_column: Annotated[
        str | None,
        typer.Option(
            "--working",
            "--working-column",
            help="Column with the units that have ever been active, as numbers or shares.",
            show_default="found by its usual names, as working, alive",
        ),
    ] = None,
    dead_column: Annotated[
        str | None,
        typer.Option(
            "--dead",
            "--dead-column",
            help="Column with the units that never have, in its place.",
            show_default="found by its usual names, as dead, dead_latents",
        ),
    ] = None,
    forecast: Annotated[
        str, typer.Option(help="Samples in all: numbers, or multiples of the last, as 10x.")
    ] = "10x,100x",
    simultaneous: Simultaneous = False,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Forecast working units from a logged curve alone.

    The file has a row per logged step: samples (or tokens, or steps) seen so
    far, and how many units have ever been active, or never. A scalar exported
    by TensorBoard (Wall time,Step,Value) will do.
    """
    fraction("level", level)
    log = read_accumulation(
        read_columns(file),
        units=units,
        samples=samples_column,
        working=working_column,
        dead=dead_column,
    )
    fitted = fit_accumulation(log.samples, log.working, log.units)
    curve = fitted.curve
    asked = samples_from(forecast, curve.samples, "--forecast")
    table = fitted.forecast(asked, level=level, simultaneous=simultaneous)
    remarks = fitted.remarks()
    if as_json:
        logged = {"units": curve.units, "samples": curve.samples, "working": curve.working}
        read = {"columns": log.columns, "notes": log.notes, "remarks": remarks}
        print_json(logged | read | {"forecast": records(table)})
        return
    heading = f"{curve.working:,} of {curve.units:,} units working after {curve.samples:,} samples"
    bounds = "band" if simultaneous else "interval"
    head, sections = forecast_rows([(heading, table)], level, ",.0f", bounds=bounds)
    print_sections(f"Working units forecast from {file}", head, sections)
    say("  " + ", ".join(f"{role} from {name!r}" for role, name in log.columns.items()))
    for remark in (*log.notes, *remarks):
        say(f"  {remark}")
