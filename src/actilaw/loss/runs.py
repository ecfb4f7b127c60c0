"""Losses from a table of runs, as logs hold them: columns under their usual names, rows of runs
that diverged, and curves along single training runs beside losses at the ends of runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from actilaw.errors import InputError
from actilaw.support.arrays import Floats
from actilaw.support.table_columns import listed_columns, numbers_in, plain_name

# Usual names in lower case, the likelier first; losses on new data come before those of training.
SAMPLES_NAMES = (
    *("samples", "tokens", "d", "n_tokens", "num_tokens", "train_tokens", "training_tokens"),
    *("tokens_seen", "n_samples", "num_samples", "training_samples", "examples", "images"),
    *("dataset_size", "data"),
)
LOSS_NAMES = (
    *("val_loss", "valid_loss", "validation_loss", "eval_loss", "test_loss", "loss", "nll"),
    *("val_nll", "cross_entropy", "log_perplexity", "val_bpb", "bpb", "bits_per_byte"),
    *("final_loss", "train_loss", "l"),
)
SIZE_NAMES = (
    *("parameters", "params", "n_params", "num_params", "n_parameters", "num_parameters"),
    *("non_embedding_params", "model_size", "size", "n", "width", "units"),
)
RUN_NAMES = ("run", "run_id", "run_name")
NAMED_IN_BITS = re.compile(r"bits|bpb|bpc")


@dataclass(frozen=True, eq=False)
class Runs:
    """Losses of runs.

    Attributes:
        samples, loss: (n,), positive.
        size: of the network, (n,); None where no column tells it, or all rows share one.
        columns: the name of the column that each was read from.
        unit: of the loss, "bits" if its name says so, "nats" otherwise.
        notes: what was left out and why, a sentence each.
    """

    samples: Floats
    loss: Floats
    size: Floats | None
    columns: dict[str, str]
    unit: str
    notes: tuple[str, ...]


def read_runs(
    table: pd.DataFrame,
    *,
    samples: str | None = None,
    loss: str | None = None,
    size: str | None = None,
) -> Runs:
    """The losses of a table with a row per run, or per evaluation along runs.

    Rows without a finite, positive loss are left out, as of runs that diverged. Where a column
    (run, run_id, run_name) names several runs, the last row of each is kept, unless it is such a
    row: losses along a run are no losses of shorter runs, whose learning rate would have come down
    by then.

    Args:
        table: as read from a file.
        samples, loss, size: names of columns; looked for by their usual names if left out.

    Raises:
        InputError: if no column of the name, or of a usual name, is there, or it holds no numbers.
    """
    table = table.reset_index(drop=True)
    found = {
        "samples": _column(table, samples, SAMPLES_NAMES, "samples"),
        "loss": _column(table, loss, LOSS_NAMES, "loss"),
    }
    named = size is not None
    of_size = size if named else _usual(table, SIZE_NAMES)
    if of_size is not None and (named or np.ptp(numbers_in(table, of_size)) > 0):
        found["size"] = of_size
    values = pd.DataFrame({role: numbers_in(table, name) for role, name in found.items()})
    kept, notes = _whole_rows(values)
    run = _usual(table, RUN_NAMES)
    if run is not None:
        kept, more = _ends_of_runs(values, kept, table[run])
        notes += more
    values = values[kept].astype(float)
    unit = "bits" if NAMED_IN_BITS.search(found["loss"].lower()) else "nats"
    return Runs(
        samples=values["samples"].to_numpy(),
        loss=values["loss"].to_numpy(),
        size=values["size"].to_numpy() if "size" in values else None,
        columns=found,
        unit=unit,
        notes=tuple(notes),
    )


def _column(table: pd.DataFrame, given: str | None, usual: tuple[str, ...], role: str) -> str:
    if given is not None:
        return given
    found = _usual(table, usual)
    if found is None:
        raise InputError(
            f"expected a column with the {role} under a usual name ({', '.join(usual[:4])}, ...), "
            f"but there are {listed_columns(table)}: name it"
        )
    return found


def _usual(table: pd.DataFrame, usual: tuple[str, ...]) -> str | None:
    """The column of the first usual name that is there; but for names of runs, one with numbers if
    there is any.
    """
    plain = {plain_name(name): name for name in table}
    there = [str(plain[name]) for name in usual if name in plain]
    numbers = [name for name in there if pd.api.types.is_numeric_dtype(table[name])]
    if usual is not RUN_NAMES and numbers:
        there = numbers
    return there[0] if there else None


def _whole_rows(values: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Which rows have a finite, positive loss; the other columns are validated where they are
    used.
    """
    kept = values["loss"].between(0, np.inf, inclusive="neither")
    left_out = int((~kept).sum())
    if left_out == len(kept):
        raise InputError("expected positive, finite losses, but no row has one")
    note = f"{_rows(left_out)} without a positive, finite loss left out, as of a run that diverged"
    return kept, [note] if left_out else []


def _ends_of_runs(
    values: pd.DataFrame, kept: pd.Series, runs: pd.Series
) -> tuple[pd.Series, list[str]]:
    """The last row of each run, where there are several runs and some have several rows."""
    lengths = runs.value_counts()
    if lengths.size < 2 or lengths.max() < 2:
        return kept, []
    last = values["samples"].groupby(runs).idxmax()
    ends = pd.Series(kept.to_numpy() & values.index.isin(last), index=values.index)
    note = (
        f"{_rows(int(kept.sum()) - int(ends.sum()))} along {lengths.size} runs left out: the last "
        "of each run counts, since losses along a run are not those of shorter runs"
    )
    return ends, [note]


def _rows(n: int) -> str:
    return f"{n} row{'' if n == 1 else 's'}"
