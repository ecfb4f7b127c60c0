"""The commands about a census, `actilaw fit`, `forecast`, `backtest` and `check`: a table per
layer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import pandas as pd
import typer

from actilaw.backtesting.backtest import backtest
from actilaw.checks.check import check
from actilaw.checks.result import sized
from actilaw.cli.options import AsJson, CensusFile, Family, Level
from actilaw.cli.tables import multiples, print_json, print_sections, read_columns, records
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError
from actilaw.fitting.fit import fit
from actilaw.loss.fit import fit_loss
from actilaw.reporting.text import Row, estimate_rows, forecast_rows, number
from actilaw.support.validation import fraction

T = TypeVar("T")


def fit_command(
    file: CensusFile, family: Family = None, level: Level = 0.95, as_json: AsJson = False
) -> None:
    """Fit the activation law to each layer: estimates with standard errors."""
    fraction("level", level)
    fits = _by_layer(file, lambda counts: fit(counts, family))
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


def forecast_command(
    file: CensusFile,
    samples: Annotated[
        str | None,
        typer.Option(
            help="Total samples: numbers, or multiples of those counted such as 10x.",
            show_default="10x,100x; with --units, 1x",
        ),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            help="Widths to forecast for: numbers of units, or multiples of the layer's such as 2x."
        ),
    ] = None,
    family: Family = None,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Forecast how many units of each layer work after more data, or at another width."""
    fraction("level", level)
    if samples is None:
        samples = "10x,100x" if units is None else "1x"

    def forecast_layer(counts: ActivationCounts) -> pd.DataFrame:
        grid = np.rint(multiples(samples, counts.samples))
        widths = None if units is None else np.rint(multiples(units, counts.units))
        return fit(counts, family).forecast(grid, units=widths, level=level)

    tables = _by_layer(file, forecast_layer)
    if as_json:
        print_json({name: records(table) for name, table in tables.items()})
        return
    title = f"Working units forecast from {file}"
    if units is None:
        print_sections(title, *forecast_rows(tables.items(), level, ",.0f"))
        return
    head = ("units", "expected", f"{level:.0%} interval", "samples", "assuming")
    sections = [
        (name, [_width_row(row) for _, row in table.iterrows()]) for name, table in tables.items()
    ]
    print_sections(title, head, sections)


def backtest_command(file: CensusFile, level: Level = 0.95, as_json: AsJson = False) -> None:
    """Forecast each layer from the first part of its samples by every method, and compare with
    what all samples showed.
    """
    tables = _by_layer(file, lambda counts: backtest(counts, level=level))
    if as_json:
        print_json({name: records(table) for name, table in tables.items()})
        return
    head = ("", "forecast", f"{level:.0%} interval", "missed", "")
    sections = [
        (
            f"{name}: {_backtest_heading(part.iloc[0])}",
            [_backtest_row(row) for _, row in part.iterrows()],
        )
        for name, table in tables.items()
        for _, part in table.groupby("from_samples")
    ]
    print_sections(f"Backtest of {file}", head, sections)


def check_command(
    file: CensusFile,
    loss: Annotated[
        Path | None,
        typer.Option(
            help="A CSV file with columns samples and loss, a row per training run: "
            "adds the test of b against the loss curve."
        ),
    ] = None,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Test the theory's claims on each layer: an estimate, its interval and a verdict for each."""
    fitted = None
    if loss is not None:
        measured = read_columns(loss, "samples", "loss")
        fitted = fit_loss(measured["samples"], measured["loss"])
    tables = _by_layer(file, lambda counts: check(counts, loss=fitted, level=level))
    if as_json:
        print_json({name: records(table) for name, table in tables.items()})
        return
    head = ("test", "estimate", f"{level:.0%} interval", "verdict")
    sections = [
        (name, [_check_row(row) for _, row in table.iterrows()]) for name, table in tables.items()
    ]
    print_sections(f"Tests of the theory on {file}", head, sections)


def _by_layer(file: Path, function: Callable[[ActivationCounts], T]) -> dict[str, T]:
    """The function's result for each layer of a census; layers it refuses are named on stderr, with
    the reason.
    """
    refusals: list[str] = []

    def note(layer: str, error: CountsError) -> None:
        refusals.append(f"layer {layer}: {error}")

    results = Census.load(file).map(function, refused=note)
    for refusal in refusals:
        print(f"actilaw: left out {refusal}", file=sys.stderr)
    return results


def _width_row(row: pd.Series) -> Row:
    return (
        number(row.units),
        f"{row.expected:,.0f}",
        f"{row.lower:,.0f} to {row.upper:,.0f}",
        number(row.samples),
        str(row.assumption),
    )


def _backtest_heading(row: pd.Series) -> str:
    return (
        f"forecast from the first {row.from_samples:,} of {row.samples:,} samples; "
        f"{row.counted:,} units work after all of them, {row.newly_working:,} of them newly"
    )


def _backtest_row(row: pd.Series) -> Row:
    expected, missed = f"{row.expected:,.0f}", f"{row.missed:.0%}"
    if np.isnan(row.lower):  # the method gives no interval
        return (str(row.method), expected, "", missed, "")
    interval = f"{row.lower:,.0f} to {row.upper:,.0f}"
    return (str(row.method), expected, interval, missed, "inside" if row.inside else "outside")


def _check_row(row: pd.Series) -> Row:
    return (str(row.test), *sized(row.estimate, row.lower, row.upper), str(row.verdict))
