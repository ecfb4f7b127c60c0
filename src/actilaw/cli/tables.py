"""Tables for a terminal, and the same numbers as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actilaw.errors import FileError, InputError

Row = tuple[str, ...]


def print_json(document: Any) -> None:
    """One JSON document alone on stdout; what is infinite or missing becomes null."""
    print(json.dumps(_plain(document), indent=2, allow_nan=False))


def print_sections(title: str, head: Row, sections: Iterable[tuple[str, Iterable[Row]]]) -> None:
    """A small table under the heading of each section, with columns that line up."""
    console = Console()
    if title:
        console.print(Text(title, style="bold"))
    for heading, rows in sections:
        table = Table(
            box=None,
            pad_edge=False,
            padding=(0, 2, 0, 2),
            show_header=any(head),
            header_style="dim",
        )
        for column, name in enumerate(head):
            table.add_column(
                name,
                justify="right" if column == 1 else "left",
                min_width=14 if column < 2 else None,
            )
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(Text(f"\n{heading}", style="bold cyan"))
        console.print(table)


def number(value: float) -> str:
    """Four significant digits, whole numbers with thousands apart; words where nothing was
    determined.
    """
    if not math.isfinite(value):
        return "not determined"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def estimate_rows(summary: pd.DataFrame) -> list[Row]:
    """Name, estimate and standard error of each row of a summary; what has no error was counted."""
    return [
        (
            str(name),
            number(row.estimate),
            f"± {number(row.standard_error)}" if row.standard_error else "counted",
        )
        for name, row in summary.iterrows()
    ]


def forecast_rows(
    tables: Iterable[tuple[str, pd.DataFrame]], level: float, style: str
) -> tuple[tuple[str, ...], list[tuple[str, list[tuple[str, ...]]]]]:
    """Head and sections of a printed forecast."""
    sections = [
        (
            name,
            [
                (number(d), f"{expected:{style}}", f"{lower:{style}} to {upper:{style}}")
                for d, expected, lower, upper in t.to_numpy(dtype=float)
            ],
        )
        for name, t in tables
    ]
    return ("samples", "expected", f"{level:.0%} interval"), sections


def multiples(text: str, counted: float) -> list[float]:
    """Numbers of samples from "5000,10x": plain ones, and multiples of those counted."""
    try:
        parts = [part.strip() for part in text.split(",")]
        return [float(part[:-1]) * counted if part.endswith("x") else float(part) for part in parts]
    except ValueError:
        raise InputError(
            f"expected numbers such as 5000,10x (x: times those counted), but got {text!r}"
        ) from None


def read_columns(file: Path, *columns: str) -> pd.DataFrame:
    """The named columns as numbers."""
    try:
        table = pd.read_csv(file, compression=None)
    except (OSError, ValueError) as error:
        raise FileError(
            f"expected a CSV file, but {file} cannot be read as one ({error})"
        ) from error
    for column in columns:
        if column not in table:
            raise InputError(
                f"expected a column {column!r} in {file}, but it has "
                f"{', '.join(map(str, table.columns))}"
            )
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError(
                f"expected numbers in column {column!r} of {file}, but it holds "
                f"{table[column].dtype}"
            )
    return table


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per dictionary, in plain Python numbers."""
    return [
        {str(name): value for name, value in row.items()} for row in table.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
