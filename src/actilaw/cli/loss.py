"""The command `actilaw loss`: fits a loss curve to a table of losses, forecasts it, splits budgets,
and compares forms.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import typer

from actilaw.cli.options import AsJson, Level, completing
from actilaw.cli.progress import bar_if_slow
from actilaw.cli.tables import print_json, print_sections, read_columns, records
from actilaw.cli.terminal import say
from actilaw.errors import InputError
from actilaw.loss.compare import compare_loss_forms
from actilaw.loss.fit import AUTO, fit_loss
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.forms import FORMS
from actilaw.loss.planning import FLOP_PER_PARAMETER_AND_SAMPLE
from actilaw.loss.profile_likelihood import bounded_sides
from actilaw.loss.runs import Runs, read_runs
from actilaw.loss.surfaces import SURFACES
from actilaw.reporting.text import Row, estimate_rows, forecast_rows, number, percent
from actilaw.support.validation import fraction, samples_from

MOST_SIZES_SHOWN = 6  # of many sizes in a file, forecasts are shown for three


class Plan(NamedTuple):
    """`FittedLoss.allocate` of the budgets, and `FittedLoss.other_lengths` of each."""

    allocation: pd.DataFrame
    lengths: dict[float, pd.DataFrame]


def loss_command(
    file: Annotated[
        Path, typer.Argument(help="A CSV file, a row per training run.", show_default=False)
    ],
    samples_column: Annotated[
        str | None,
        typer.Option(
            "--samples",
            "--samples-column",
            help="Column with the size of the training set.",
            show_default="found by its usual names, as samples, tokens, D",
        ),
    ] = None,
    loss_column: Annotated[
        str | None,
        typer.Option(
            "--loss",
            "--loss-column",
            help="Column with the loss on new data.",
            show_default="found by its usual names, as val_loss, loss",
        ),
    ] = None,
    size_column: Annotated[
        str | None,
        typer.Option(
            "--size",
            "--size-column",
            help="Column with the size of the network, parameters or units.",
            show_default="found by its usual names, as parameters, n_params, N",
        ),
    ] = None,
    forecast: Annotated[
        str,
        typer.Option(help="Sizes of training set: numbers, or multiples of the largest, as 10x."),
    ] = "10x",
    at_size: Annotated[
        str | None,
        typer.Option(
            help="Sizes of network to forecast for, with --size: numbers, or multiples of the "
            "largest, as 4x.",
            show_default="those in the file, or three of many",
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            autocompletion=completing(AUTO, *FORMS, *SURFACES),
            help="auto, activation, power, power_floor, M3, M4, bnsl; with sizes of network auto, "
            "activation, chinchilla, kaplan, interpolated, knee_alone.",
        ),
    ] = AUTO,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Budgets in FLOP to split between size and data, 6 N D for each: numbers, or "
            "multiples of the largest in the file, as 10x.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Set every form beside the others, best first.")
    ] = False,
    level: Level = 0.95,
    as_json: AsJson = False,
) -> None:
    """Fit the loss law to measured losses, forecast, and split a budget.

    The law is L(D) = floor + amplitude (1 + D/knee)^(-b), and with sizes N of
    network floor + A N^(-alpha) + B (1 + D/D*)^(-b) with a knee D* that moves
    with N. Forecasts average over it and its peers, by how well each foretold
    held-back losses; --form takes one alone.
    """
    fraction("level", level)
    runs = read_runs(read_columns(file), samples=samples_column, loss=loss_column, size=size_column)
    fitted = _fit(runs, form)
    ahead = _forecasts(fitted, forecast, at_size, level)
    plan = None if budget is None else _plan(fitted, budget, level)
    compared = None
    if compare:
        with bar_if_slow("comparing forms") as progress:
            compared = compare_loss_forms(
                fitted.samples, fitted.loss, size=fitted.size, progress=progress
            )
    if as_json:
        print_json(_document(runs, fitted, ahead, level) | _more(plan, compared))
        return
    _print_fit(f"Loss in {file}", fitted, level)
    _print_source(runs)
    print_sections("", *forecast_rows(_headed(ahead), level, ".4g"))
    if plan is not None:
        _print_plan(plan, level)
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
        "weights": fitted.form_weights.to_dict(orient="index"),
    }


def _fit(runs: Runs, form: str) -> FittedLoss:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is printed with the remarks
        return fit_loss(runs.samples, runs.loss, form, size=runs.size)


def _plan(fitted: FittedLoss, budget: str, level: float) -> Plan:
    """What each budget is best spent on, and what other lengths of training would cost."""
    if fitted.size is None:
        raise InputError(
            "expected sizes of network to split a --budget between size and data: name their "
            "column by --size"
        )
    largest = float((FLOP_PER_PARAMETER_AND_SAMPLE * fitted.size * fitted.samples).max())
    budgets = np.atleast_1d(samples_from(budget, largest, "--budget")).astype(float)
    lengths = {value: fitted.other_lengths(value) for value in budgets.tolist()}
    return Plan(fitted.allocate(budgets, level=level), lengths)


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
                "expected --at-size together with --size, the column with the size of each "
                "network: a curve fitted without sizes forecasts for none"
            )
        return {None: fitted.forecast(grid, level=level)}
    sizes = np.unique(fitted.size)
    if at_size is not None:
        sizes = np.atleast_1d(samples_from(at_size, float(sizes.max()), "--at-size")).astype(float)
    elif sizes.size > MOST_SIZES_SHOWN:
        sizes = sizes[[0, sizes.size // 2, -1]]
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
    runs: Runs, fitted: FittedLoss, ahead: dict[float | None, pd.DataFrame], level: float
) -> dict[str, Any]:
    """What was read, the fit and its forecasts as JSON."""
    return loss_as_json(fitted, level) | {
        "columns": runs.columns,
        "unit": runs.unit,
        "notes": runs.notes,
        "forecast": records(pd.concat(list(ahead.values()))),
    }


def _more(plan: Plan | None, compared: pd.DataFrame | None) -> dict[str, Any]:
    """The plan of budgets and the comparison of forms as JSON, where asked for."""
    document: dict[str, Any] = {}
    if plan is not None:
        lengths = [table.assign(budget=value) for value, table in plan.lengths.items()]
        document["allocation"] = records(plan.allocation)
        document["other_lengths"] = records(pd.concat(lengths))
    if compared is not None:
        document["comparison"] = records(compared.reset_index(names="form"))
        document["held_out"] = compared.attrs["held_out"]
    return document


def _print_fit(title: str, fitted: FittedLoss, level: float) -> None:
    summary = fitted.summary(level)
    intervals = zip(summary["lower"], summary["upper"], strict=True)
    rows = [
        (*row, _range(lower, upper))
        for row, (lower, upper) in zip(estimate_rows(summary), intervals, strict=True)
    ]
    head = ("", "estimate", "standard error", f"{percent(level)} interval")
    print_sections(title, head, [(fitted.form.formula, rows)])
    for remark in fitted.remarks(level):
        say(f"  {remark}")
    say(f"  scatter of the losses about the curve: {fitted.residual:.2g} in log loss")
    if fitted.averaged is not None:
        shares = fitted.form_weights["weight"].items()
        said = ", ".join(f"{name} {share:.2f}" for name, share in shares)
        say(f"  forecasts average over {said}")


def _print_source(runs: Runs) -> None:
    """Which columns were read, and what was left out."""
    said = ", ".join(f"{role} from {name!r}" for role, name in runs.columns.items())
    say(f"  {said}; loss in {runs.unit}")
    for note in runs.notes:
        say(f"  {note}")


def _print_plan(plan: Plan, level: float) -> None:
    sections = [
        (f"best use of a budget of {row['compute']:.3g}, 6 size samples", _plan_rows(row))
        for _, row in plan.allocation.iterrows()
    ]
    print_sections("", ("", "best", f"{percent(level)} interval"), sections)
    head = ("times the samples", "samples", "loss", "least loss for that", "overspent")
    sections = [
        (
            f"the best size for {value:.3g}, trained for another length",
            [
                (
                    f"{row['factor']:g}",
                    f"{row['samples']:.3g}",
                    f"{row['expected']:.4g}",
                    f"{row['best_expected']:.4g}",
                    f"{row['overspent']:.2f}x",
                )
                for _, row in table.iterrows()
            ],
        )
        for value, table in plan.lengths.items()
    ]
    print_sections("", head, sections)


def _plan_rows(row: pd.Series) -> list[Row]:
    loss = f"{row['lower']:.4g} to {row['upper']:.4g}"
    return [
        *(
            (name, f"{row[name]:.3g}", _range(row[f"{name}_lower"], row[f"{name}_upper"], ".3g"))
            for name in ("size", "samples")
        ),
        ("loss", f"{row['expected']:.4g}", loss),
    ]


def _range(lower: float, upper: float, style: str | None = None) -> str:
    """The interval of a parameter in words, on the sides that are bounded."""
    low, high = (number(v) if style is None else f"{v:{style}}" for v in (lower, upper))
    bounded_below, bounded_above = bounded_sides(lower, upper)
    if bounded_below and bounded_above:
        return f"{low} to {high}"
    if bounded_below:
        return f"above {low}"
    return f"below {high}" if bounded_above else "any"


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
