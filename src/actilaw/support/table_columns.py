"""Columns of tables that users give: plain names to compare, and numbers."""

from __future__ import annotations

import re

import pandas as pd

from actilaw.errors import InputError


def plain_name(name: object) -> str:
    """A name in lower case, with underscores for all but letters and digits: "Val loss" is
    val_loss.
    """
    return re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")


def listed_columns(table: pd.DataFrame) -> str:
    """The names of all columns, for messages."""
    return ", ".join(map(str, table.columns))


def numbers_in(table: pd.DataFrame, name: str) -> pd.Series:
    """A column with numbers.

    Raises:
        InputError: if there is none of that name, or it holds something else.
    """
    if name not in table:
        raise InputError(f"expected a column {name!r}, but there are {listed_columns(table)}")
    if not pd.api.types.is_numeric_dtype(table[name]):
        raise InputError(f"expected numbers in column {name!r}, but it holds {table[name].dtype}")
    return table[name]
