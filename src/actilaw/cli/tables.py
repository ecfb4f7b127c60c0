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

from actilaw.cli.terminal import say
from actilaw.errors import FileError, InputError
from actilaw.reporting.text import Row
from actilaw.support.escapes import printable


def print_json(document: Any) -> None:
    """One JSON document alone on stdout; what is infinite or missing becomes null."""
    say(*json.dumps(_plain(document), indent=2, allow_nan=False).splitlines())


def print_sections(
    title: str,
    head: Row,
    sections: Iterable[tuple[str, Iterable[Row]]],
    *,
    all_numbers: bool = False,
) -> None:
    """A small table under the heading of each section, with columns that line up.

    Args:
        title: above all of them; "" for none.
        head: names of the columns; none is shown if all are empty.
        sections: pairs of heading and rows.
        all_numbers: whether every column holds numbers, not the second alone; they stand flush
            right.
    """
    console = Console()
    if title:
        console.print(Text(printable(title), style="bold"))
    for heading, rows in sections:
        table = _empty_table(head, all_numbers)
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        console.print(Text(f"\n{printable(heading)}", style="bold cyan"))
        console.print(table)


def _empty_table(head: Row, all_numbers: bool) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0 if all_numbers else 2),
        show_header=any(head),
        header_style="dim",
    )
    for column, name in enumerate(head):
        if all_numbers:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(
                name,
                justify="right" if column == 1 else "left",
                min_width=14 if column < 2 else None,
            )
    return table


def read_columns(file: Path, *columns: str) -> pd.DataFrame:
    """A CSV file as a table, in which the named columns hold numbers.

    Raises:
        FileError: if it cannot be read as one.
        InputError: if a column is missing, or holds something else.
    """
    try:
        table = pd.read_csv(file, compression=None)
    except (OSError, ValueError) as error:
        raise FileError(
            f"expected a CSV file, but {file} cannot be read as one ({error})"
        ) from error
    if table.empty:
        raise InputError(f"expected a row per training run, but {file} has no rows below its head")
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
    """What JSON can hold, at any depth."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
