"""The commands about a census, `actilaw fit`, `forecast`, `backtest` and `check`: a table per
layer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import pandas as pd
import typer

from actilaw.backtesting.backtest import backtest
from actilaw.checks.check import check
from actilaw.checks.result import sized
from actilaw.cli.options import AsJson, CensusFile, Family, Level, Simultaneous
from actilaw.cli.progress import bar_if_slow
from actilaw.cli.tables import print_json, print_sections, read_columns, records
from actilaw.cli.terminal import say, warn
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError, InputError
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fit import fit_loss
from actilaw.reporting.text import Row, Sections, estimate_rows, forecast_rows, number, percent
from actilaw.support.remarks import REMARKS
from actilaw.support.validation import fraction, samples_from

T = TypeVar("T")


def fit_command(
    file: CensusFile, family: Family = None, level: Level = 0.95, as_json: AsJson = False
) -> None:
    """Fit the activation law to each layer: estimates, standard errors."""
    fraction("level", level)
    fits = _by_layer(Census.load(file), lambda counts: fit(counts, family))
    if as_json:
        print_json({name: law_as_json(fitted, level) for name, fitted in fits.items()})
        return
    sections = [(name, _estimates(fitted)) for name, fitted in fits.items()]
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
    assumption: Annotated[
        str,
        typer.Option(
            help="About b and c at another width: study (as in networks trained at several "
            "widths), b fixed, bN fixed, or all."
        ),
    ] = "study",
    family: Family = None,
    together: Annotated[
        bool,
        typer.Option(
            "--together", help="Let layers lend each other the shape of their density of rates."
        ),
    ] = False,
    simultaneous: Simultaneous = False,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Forecast working units after more data, or at another width.

    For each layer: the number of units expected, and its interval.
    """
    fraction("level", level)
    if together and family is not None:
        raise InputError(
            f"expected --together or a family, but got both: a {family} has no shape to lend"
        )
    if simultaneous and units is not None:
        raise InputError("expected --simultaneous or --units, but got both: leave one out")
    census = Census.load(file)
    if samples is None:
        samples = "10x,100x" if units is None else "1x"

    def forecast_layer(counts: ActivationCounts) -> pd.DataFrame:
        grid = samples_from(samples, counts.samples)
        widths = None if units is None else samples_from(units, counts.units, "units")
        fitted = fit(counts, family, like=census if together else None)
        return fitted.forecast(
            grid, units=widths, assumption=assumption, level=level, simultaneous=simultaneous
        )

    tables = _by_layer(census, forecast_layer)
    if units is None:
        head, sections = forecast_rows(
            tables.items(), level, ",.0f", bounds="band" if simultaneous else "interval"
        )
    else:
        head = ("units", "expected", f"{percent(level)} interval", "samples", "assuming")
        sections = _sections(tables, _width_row)
    title = f"Working units forecast from {file}"
    _print_tables(tables, as_json, title=title, head=head, sections=sections)


def backtest_command(file: CensusFile, level: Level = 0.95, as_json: AsJson = False) -> None:
    """Forecast from the first samples, and compare with what all showed.

    Every method forecasts for each layer, so that their errors can be compared.
    """
    tables = _by_layer(Census.load(file), lambda counts: backtest(counts, level=level))
    parts = {
        f"{name}: {_backtest_heading(part.iloc[0])}": part
        for name, table in tables.items()
        for _, part in table.groupby("from_samples")
    }
    head = ("", "forecast", f"{percent(level)} interval", "missed", "")
    sections = _sections(parts, _backtest_row)
    _print_tables(tables, as_json, title=f"Backtest of {file}", head=head, sections=sections)


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
    """Test the theory's claims on each layer.

    Each test gives an estimate, its interval and a verdict.
    """
    fitted = None
    if loss is not None:
        measured = read_columns(loss, "samples", "loss")
        fitted = fit_loss(measured["samples"], measured["loss"], "activation")
    tables = _by_layer(Census.load(file), lambda counts: check(counts, loss=fitted, level=level))
    head = ("test", "estimate", f"{percent(level)} interval", "verdict")
    sections = _sections(tables, _check_row)
    title = f"Tests of the theory on {file}"
    _print_tables(tables, as_json, title=title, head=head, sections=sections)


def law_as_json(fitted: FittedLaw, level: float = 0.95) -> dict[str, Any]:
    """A fitted law as part of a JSON document: its summary, its family and its AIC."""
    summary = fitted.summary(level).to_dict(orient="index")
    return {str(name): row for name, row in summary.items()} | {
        "family": fitted.family,
        "aic": fitted.aic,
    }


def _by_layer(census: Census, function: Callable[[ActivationCounts], T]) -> dict[str, T]:
    """The function's result for each layer of a census; layers it refuses are named on stderr, with
    the reason.
    """
    refusals: list[str] = []

    def note(layer: str, error: CountsError) -> None:
        refusals.append(f"layer {layer}: {error}")

    with bar_if_slow("computing, layer by layer") as progress:
        results = census.map(function, refused=note, progress=progress)
    for refusal in refusals:
        warn(f"left out {refusal}")
    return results


def _sections(tables: dict[str, pd.DataFrame], row: Callable[[pd.Series], Row]) -> Sections:
    """A section per table under its heading, with a printed row for each of its rows."""
    return [
        (heading, [row(series) for _, series in table.iterrows()])
        for heading, table in tables.items()
    ]


def _print_tables(
    tables: dict[str, pd.DataFrame], as_json: bool, *, title: str, head: Row, sections: Sections
) -> None:
    """Print the tables of layers as one JSON document, or the sections made of them."""
    if as_json:
        print_json({name: records(table) for name, table in tables.items()})
        return
    print_sections(title, head, sections)
    for name, table in tables.items():
        for remark in table.attrs.get(REMARKS, ()):
            say(f"  {name}: {remark}")


def _estimates(fitted: FittedLaw) -> list[Row]:
    rows = estimate_rows(fitted.summary())
    return [*rows, ("AIC", number(fitted.aic), f"as {fitted.family}")]


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
