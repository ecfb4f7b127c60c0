"""The commands about one census: `actilaw fit`, `forecast`, `backtest` and `check`, a table per
layer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from actilaw.backtesting.backtest import backtest as backtest_layer
from actilaw.checks.check import check
from actilaw.checks.result import sized
from actilaw.cli.tables import (
    Row,
    estimate_rows,
    forecast_rows,
    multiples,
    number,
    print_json,
    print_sections,
    read_columns,
    records,
)
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census, load
from actilaw.errors import CountsError
from actilaw.fitting.fit import fit
from actilaw.loss.fit import fit_loss
from actilaw.support.validation import fraction

CensusFile = Annotated[
    Path, typer.Argument(help="A census, as written by census.save(path).", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Level = Annotated[float, typer.Option(help="Probability that an interval is meant to hold.")]
Family = Annotated[
    str | None,
    typer.Option(
        help="One closed form to describe and forecast: law, zero_inflated, mixture, heavy_tail."
    ),
]


def fit_command(
    file: CensusFile, family: Family = None, level: Level = 0.95, as_json: AsJson = False
) -> None:
    """Fit the activation law to each layer: estimates with standard errors."""
    fraction("level", level)
    fits = for_each_layer(load(file), lambda counts: fit(counts, family))
    summaries = {name: fitted.summary(level) for name, fitted in fits.items()}
    if as_json:
        print_json(
            {
                name: summaries[name].to_dict(orient="index")
                | {"family": fitted.family, "aic": fitted.aic}
                for name, fitted in fits.items()
            }
        )
        return
    sections = [
        (
            name,
            [*estimate_rows(summaries[name]), ("AIC", number(fitted.aic), f"as {fitted.family}")],
        )
        for name, fitted in fits.items()
    ]
    print_sections(f"Activation law of {file}", ("", "estimate", "standard error"), sections)


def forecast(
    file: CensusFile,
    samples: Annotated[
        str | None,
        typer.Option(
            help="Samples in all: numbers, or multiples of those counted, as 10x.",
            show_default="10x,100x",
        ),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            help="Widths nobody has trained: numbers, or multiples of the layer's, as 2x."
        ),
    ] = None,
    family: Family = None,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Forecast the working units of each layer at more data, or of another width, with
    intervals.
    """
    fraction("level", level)
    if samples is None:
        samples = "10x,100x" if units is None else "1x"

    def forecast_layer(counts: ActivationCounts) -> pd.DataFrame:
        grid = np.rint(multiples(samples, counts.samples))
        widths = None if units is None else np.rint(multiples(units, counts.units))
        return fit(counts, family).forecast(grid, units=widths, level=level)

    tables = for_each_layer(load(file), forecast_layer)
    if as_json:
        print_json({name: records(table) for name, table in tables.items()})
        return
    title = f"Working units forecast from {file}"
    if units is None:
        print_sections(title, *forecast_rows(tables.items(), level, ",.0f"))
        return
    sections = [
        (name, [_width_row(row) for _, row in table.iterrows()]) for name, table in tables.items()
    ]
    print_sections(
        title, ("units", "expected", f"{level:.0%} interval", "samples", "assuming"), sections
    )


def backtest(file: CensusFile, level: Level = 0.95, as_json: AsJson = False) -> None:
    """Forecast each layer from the first of its samples, by every family and its rivals, and look
    what came.
    """
    tables = for_each_layer(load(file), lambda counts: backtest_layer(counts, level=level))
    if as_json:
        print_json({name: records(table) for name, table in tables.items()})
        return
    sections = [
        (
            f"{name}: {part.counted.iloc[0]:,} units worked after {part.samples.iloc[0]:,} "
            "samples; "
            f"forecast from the first {first:,}, since when {part.newly_working.iloc[0]:,} "
            "units started to work",
            [_backtest_row(row) for _, row in part.iterrows()],
        )
        for name, table in tables.items()
        for first, part in table.groupby("from_samples")
    ]
    print_sections(
        f"Back-test of {file}", ("", "forecast", f"{level:.0%} interval", "missed", ""), sections
    )


def check_command(
    file: CensusFile,
    loss: Annotated[
        Path | None,
        typer.Option(help="A CSV file with columns samples and loss, a row per training."),
    ] = None,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Test the theory on each layer: a row per claim, with its size, its interval and a verdict in
    words.
    """
    fitted = None
    if loss is not None:
        measured = read_columns(loss, "samples", "loss")
        fitted = fit_loss(measured["samples"], measured["loss"])
    tables = for_each_layer(load(file), lambda counts: check(counts, loss=fitted, level=level))
    if as_json:
        print_json({name: records(table) for name, table in tables.items()})
        return
    head = ("test", "estimate", f"{level:.0%} interval", "verdict")
    sections = [
        (name, [_check_row(row) for _, row in table.iterrows()]) for name, table in tables.items()
    ]
    print_sections(f"Tests of the theory on {file}", head, sections)


def for_each_layer(census: Census, task: Callable[[ActivationCounts], Any]) -> dict[str, Any]:
    """The task's result for every layer that can be fitted; the others are named on stderr with the
    reason.
    """
    results, refusals = {}, []
    for name, counts in census.items():
        try:
            results[name] = task(counts)
        except CountsError as error:
            refusals.append(f"layer {name}: {error}")
    if not results:
        raise CountsError("; ".join(refusals))
    for refusal in refusals:
        print(f"actilaw: left out {refusal}", file=sys.stderr)
    return results


def _width_row(row: pd.Series) -> Row:
    bounds = f"{row.lower:,.0f} to {row.upper:,.0f}"
    return (
        number(row.units),
        f"{row.expected:,.0f}",
        bounds,
        number(row.samples),
        str(row.assumption),
    )


def _check_row(row: pd.Series) -> Row:
    return (str(row.test), *sized(row.estimate, row.lower, row.upper), str(row.verdict))


def _backtest_row(row: pd.Series) -> Row:
    if np.isnan(row.lower):
        return (str(row.method), f"{row.expected:,.0f}", "", f"{row.missed:.0%}", "")
    inside = "inside" if row.inside else "outside"
    return (
        str(row.method),
        f"{row.expected:,.0f}",
        f"{row.lower:,.0f} to {row.upper:,.0f}",
        f"{row.missed:.0%}",
        inside,
    )
