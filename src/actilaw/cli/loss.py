"""The command `actilaw loss`: fits a loss curve to a table of losses, forecasts it, and compares
forms.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from actilaw.cli.options import AsJson, Level
from actilaw.cli.progress import bar_if_slow
from actilaw.cli.tables import print_json, print_sections, read_columns, records
from actilaw.cli.terminal import say
from actilaw.errors import InputError
from actilaw.loss.compare import compare_loss_forms
from actilaw.loss.fit import fit_loss
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.profile_likelihood import bounded_sides
from actilaw.reporting.text import Row, estimate_rows, forecast_rows, number
from actilaw.support.validation import fraction, samples_from


def loss_command(
    file: Annotated[
        Path, typer.Argument(help="A CSV file, a row per training run.", show_default=False)
    ],
    samples_column: Annotated[
        str, typer.Option(help="Column with the size of the training set.")
    ] = "samples",
    loss_column: Annotated[str, typer.Option(help="Column with the loss on new data.")] = "loss",
    size_column: Annotated[
        str | None,
        typer.Option(
            help="Column with the size of the network, parameters or units, for a joint fit."
        ),
    ] = None,
    forecast: Annotated[
        str,
        typer.Option(help="Sizes of training set: numbers, or multiples of the largest, as 10x."),
    ] = "10x",
    at_size: Annotated[
        str | None,
        typer.Option(
            help="Sizes of network to forecast for, with --size-column: numbers, or multiples of "
            "the largest, as 4x.",
            show_default="those in the file",
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            help="activation, power, power_floor, M3, M4, bnsl; "
            "with sizes of network activation or chinchilla."
        ),
    ] = "activation",
    compare: Annotated[
        bool, typer.Option("--compare", help="Set every form beside the others, best first.")
    ] = False,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Fit the loss law to measured losses, and forecast at more data.

    The law is L(D) = floor + amplitude (1 + D/knee)^(-b); for others see --form.
    """
    fraction("level", level)
    fitted = _fit_columns(file, samples_column, loss_column, size_column, form=form)
    ahead = _forecasts(fitted, forecast, at_size, level)
    compared = None
    if compare:
        with bar_if_slow("comparing forms") as progress:
            compared = compare_loss_forms(
                fitted.samples, fitted.loss, size=fitted.size, progress=progress
            )
    if as_json:
        print_json(_document(fitted, ahead, compared, level))
        return
    _print_fit(f"Loss in {file}", fitted, level)
    print_sections("", *forecast_rows(_headed(ahead), level, ".4g"))
    if compared is not None:
        _print_comparison(compared)


def loss_as_json(fitted: FittedLoss, level: float = 0.95) -> dict[str, Any]:
    """A fitted loss curve as part of a JSON document."""
    return {
        "form": fitted.form.name,
        "formula": fitted.form.formula,
        "parameters": fitted.summary(level).to_dict(orient="index"),
        "undetermined": fitted.undetermined,
        "remarks": fitted.remarks(level),
        "residual": fitted.residual,
    }


def _fit_columns(file: Path, samples: str, loss: str, size: str | None, *, form: str) -> FittedLoss:
    """The loss curve fitted to the named columns of a CSV file; `size` is None for none."""
    columns = [name for name in (samples, loss, size) if name is not None]
    table = read_columns(file, *columns)
    sizes = None if size is None else table[size]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is printed with the remarks
        return fit_loss(table[samples], table[loss], form, size=sizes)


def _forecasts(
    fitted: FittedLoss, samples: str, at_size: str | None, level: float
) -> dict[float | None, pd.DataFrame]:
    """A forecast for each size of network; under None where there is but one.

    Args:
        fitted: the loss curve.
        samples: sizes of training set as the option --forecast gives them.
        at_size: sizes of network as the option --at-size gives them; None for those measured.
        level: of the intervals.
    """
    grid = np.atleast_1d(samples_from(samples, float(fitted.samples.max()), "--forecast"))
    if fitted.size is None:
        if at_size is not None:
            raise InputError(
                "expected --at-size together with --size-column, the column with the size of each "
                "network: a curve fitted without sizes forecasts for none"
            )
        return {None: fitted.forecast(grid, level=level)}
    sizes = np.unique(fitted.size)
    if at_size is not None:
        sizes = np.atleast_1d(samples_from(at_size, float(sizes.max()), "--at-size")).astype(float)
    return {size: fitted.forecast(grid, level=level, size=size) for size in sizes.tolist()}


def _headed(ahead: dict[float | None, pd.DataFrame]) -> list[tuple[str, pd.DataFrame]]:
    """Each forecast with its heading, which names the size that its rows share."""
    return [
        ("forecast", table)
        if size is None
        else (f"forecast, size {number(size)}", table.drop(columns="size"))
        for size, table in ahead.items()
    ]


def _document(
    fitted: FittedLoss,
    ahead: dict[float | None, pd.DataFrame],
    compared: pd.DataFrame | None,
    level: float,
) -> dict[str, Any]:
    """The fit, its forecasts and, where asked for, the comparison of forms as JSON."""
    document = loss_as_json(fitted, level) | {"forecast": records(pd.concat(list(ahead.values())))}
    if compared is None:
        return document
    return document | {
        "comparison": records(compared.reset_index(names="form")),
        "held_out": compared.attrs["held_out"],
    }


def _print_fit(title: str, fitted: FittedLoss, level: float) -> None:
    summary = fitted.summary(level)
    intervals = zip(summary["lower"], summary["upper"], strict=True)
    rows = [
        (*row, _range(lower, upper))
        for row, (lower, upper) in zip(estimate_rows(summary), intervals, strict=True)
    ]
    head = ("", "estimate", "standard error", f"{level:.0%} interval")
    print_sections(title, head, [(fitted.form.formula, rows)])
    for remark in fitted.remarks(level):
        say(f"  {remark}")
    say(f"  scatter of the losses about the curve: {fitted.residual:.2g} in log loss")


def _range(lower: float, upper: float) -> str:
    """The interval of a parameter in words, on the sides that are bounded."""
    bounded_below, bounded_above = bounded_sides(lower, upper)
    if bounded_below and bounded_above:
        return f"{number(lower)} to {number(upper)}"
    if bounded_below:
        return f"above {number(lower)}"
    return f"below {number(upper)}" if bounded_above else "any"


def _print_comparison(compared: pd.DataFrame) -> None:
    held = compared.attrs["held_out"]
    title = (
        f"forms, by their error in log loss on the {len(held)} largest sizes, "
        f"from {number(held[0])} on"
    )
    head = ("", "held-out error", "scatter", "AICc", "weight", "parameters")
    rows = [_form_row(str(name), row) for name, row in compared.iterrows()]
    print_sections("", head, [(title, rows)])
    for name, remark in compared["remark"].items():
        if remark:
            print(f"  {name}: {remark}")


def _form_row(name: str, row: pd.Series) -> Row:
    cells = [row["held_out_error"], row["residual"], row["aicc"], row["weight"]]
    styles = (".4f", ".4f", ".1f", ".3f")
    shown = [
        f"{cell:{style}}" if np.isfinite(cell) else "-"
        for cell, style in zip(cells, styles, strict=True)
    ]
    return (name, *shown, str(row["parameters"]))
