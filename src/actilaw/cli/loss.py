"""The command `actilaw loss`: a table of losses in; a loss curve, its forecast, and its peers
out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from actilaw.cli.tables import multiples, print_json, print_sections, read_columns, records
from actilaw.loss.compare import compare_loss_forms
from actilaw.loss.fit import fit_loss
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.reporting.text import Row, estimate_rows, forecast_rows, number
from actilaw.support.validation import fraction


def loss(
    file: Annotated[
        Path, typer.Argument(help="A CSV file, a row per training.", show_default=False)
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
        str, typer.Option(help="Sizes: numbers, or multiples of the largest, as 10x.")
    ] = "10x",
    form: Annotated[
        str,
        typer.Option(
            help="activation, power, power_floor, M3, M4, bnsl; "
            "with widths activation or chinchilla."
        ),
    ] = "activation",
    compare: Annotated[
        bool, typer.Option("--compare", help="Set every form beside the others, best first.")
    ] = False,
    level: Annotated[
        float, typer.Option(help="Probability that an interval is meant to hold.")
    ] = 0.95,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of a table.")
    ] = False,
) -> None:
    """Fit the loss law L(D) = floor + amplitude (1 + D/knee)^(-b), and forecast the loss at more
    data.
    """
    fraction("level", level)
    names = [samples_column, loss_column] + ([size_column] if size_column else [])
    table = read_columns(file, *names)
    samples, losses = table[samples_column], table[loss_column]
    units = table[size_column] if size_column else None
    fitted = fit_loss(samples, losses, form, size=units)
    sizes = multiples(forecast, float(samples.max()))
    widths = [None] if units is None else sorted(units.unique())
    ahead = {width: fitted.forecast(sizes, level=level, size=width) for width in widths}
    summary, remarks = fitted.summary(level), fitted.remarks(level)
    compared = compare_loss_forms(samples, losses, size=units) if compare else None
    if as_json:
        document = {
            "form": fitted.form.name,
            "formula": fitted.form.formula,
            "parameters": summary.to_dict(orient="index"),
            "undetermined": fitted.undetermined,
            "remarks": remarks,
            "residual": fitted.residual,
            "forecast": records(pd.concat(list(ahead.values()))),
        }
        if compared is not None:
            rows = compared.reset_index(names="form")
            document |= {"comparison": records(rows), "held_out": compared.attrs["held_out"]}
        print_json(document)
        return
    _show(f"Loss in {file}", fitted, summary, remarks, level)
    told = [
        (
            "forecast" if width is None else f"forecast, {number(float(width))} units",
            rows.drop(columns="size"),
        )
        if width is not None
        else ("forecast", rows)
        for width, rows in ahead.items()
    ]
    print_sections("", *forecast_rows(told, level, ".4g"))
    if compared is not None:
        held = compared.attrs["held_out"]
        title = (
            f"forms, by their error in log loss on the {len(held)} largest sizes, "
            f"from {number(held[0])} on"
        )
        head = ("", "held-out error", "scatter", "AICc", "weight", "parameters")
        print_sections(
            "", head, [(title, [_form_row(str(name), row) for name, row in compared.iterrows()])]
        )


def _show(
    title: str, fitted: FittedLoss, summary: pd.DataFrame, remarks: tuple[str, ...], level: float
) -> None:
    rows = [
        (*row, _range(lower, upper))
        for row, lower, upper in zip(
            estimate_rows(summary), summary["lower"], summary["upper"], strict=True
        )
    ]
    head = ("", "estimate", "standard error", f"{level:.0%} interval")
    print_sections(title, head, [(fitted.form.formula, rows)])
    for remark in remarks:
        print(f"  {remark}")
    print(f"  scatter of the losses about the curve: {fitted.residual:.2g} in log loss")


def _range(lower: float, upper: float) -> str:
    if upper == np.inf:
        return "any" if lower in (0, -np.inf) else f"above {number(lower)}"
    return (
        f"below {number(upper)}" if lower in (0, -np.inf) else f"{number(lower)} to {number(upper)}"
    )


def _form_row(name: str, row: pd.Series) -> Row:
    cells = [row["held_out_error"], row["residual"], row["aicc"], row["weight"]]
    styles = (".4f", ".4f", ".1f", ".3f")
    shown = [
        f"{cell:{style}}" if np.isfinite(cell) else "-"
        for cell, style in zip(cells, styles, strict=True)
    ]
    return (name, *shown, str(row["parameters"]))
