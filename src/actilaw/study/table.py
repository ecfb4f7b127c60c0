"""The results of a study as a table: a row for each cell and layer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from actilaw.counts.census import Census
from actilaw.errors import needs_extra
from actilaw.study.grid import IN_TRAINING, Cell
from actilaw.support.files import check_writable, write_atomically

OF_THE_CELL = (
    "parameters",
    "steps",
    "test_loss",
    "test_loss_se",
    "training_loss",
    "test_error",
)
OF_THE_LAYER = (
    "loss_without_idle",
    "change_on_training",
    "loss_without_layer",
    "removable_0.1%",
    "removable_1%",
)
VERSIONS = ("actilaw", "torch", "numpy", "python")
TABLE_COLUMNS = (
    "task",
    "width",
    "samples",
    "seed",
    "layer",
    "units",
    "counted",
    "active",
    "working",
    "working_in_training",
    *OF_THE_CELL,
    *OF_THE_LAYER,
    *(f"version_of_{name}" for name in VERSIONS),
)


def table_of(results: Iterable[tuple[Cell, Census]]) -> pd.DataFrame:
    """A row for each cell and layer, with the columns `TABLE_COLUMNS`; what a task does not measure
    is missing.
    """
    rows = [row for cell, census in results for row in _rows(cell, census)]
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def _rows(cell: Cell, census: Census) -> Iterator[dict[str, Any]]:
    about = census.about
    of_the_cell = {
        **cell.settings(),
        **{name: about.get(name) for name in OF_THE_CELL},
        **{f"version_of_{name}": about["versions"].get(name) for name in VERSIONS},
    }
    for layer, counts in census.items():
        if layer.endswith(IN_TRAINING):
            continue
        yield {
            **of_the_cell,
            "layer": layer,
            "units": counts.units,
            "counted": counts.samples,
            "active": counts.active,
            "working": counts.working,
            "working_in_training": census[layer + IN_TRAINING].working,
            **{name: about["removal"][layer].get(name) for name in OF_THE_LAYER},
        }


def write_parquet(table: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write a table as a Parquet file, whole or not at all.

    Raises:
        FileError: if it cannot be written.
        MissingExtraError: if pyarrow is not installed.
    """
    with needs_extra("study"):
        import pyarrow  # noqa: F401  (pandas' own message names no extra of ours)
    path = check_writable(path)
    content = BytesIO()
    table.to_parquet(content, engine="pyarrow", index=False)
    return write_atomically(path, content.getvalue())
