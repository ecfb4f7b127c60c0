"""Accumulation curves from tables as loggers export them: columns under their usual names, working
or dead units, as numbers or as shares, and rows that logged something else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from actilaw.errors import InputError
from actilaw.support.arrays import Floats, Ints
from actilaw.support.table_columns import listed_columns, numbers_in, plain_name
from actilaw.support.validation import one_whole, whole

# Usual names in lower case, the likelier first; also as the last part of a name, "train/dead".
SAMPLE_COLUMNS = (
    *("samples", "tokens", "n_tokens", "tokens_seen", "n_samples", "samples_seen", "num_tokens"),
    *("train_tokens", "training_tokens", "n_training_tokens", "n_training_samples", "examples"),
    *("images", "d", "step", "global_step", "trainer_global_step", "steps", "iteration"),
)
WORKING_COLUMNS = (
    *("working", "alive", "live", "working_units", "alive_units", "alive_latents"),
    *("live_latents", "alive_features", "alive_neurons", "n_alive", "num_alive"),
    *("fraction_alive", "frac_alive", "alive_fraction", "ever_active", "k"),
)
DEAD_COLUMNS = (
    *("dead", "idle", "dead_units", "idle_units", "dead_latents", "dead_features"),
    *("dead_neurons", "dead_experts", "n_dead", "num_dead", "dead_count"),
    *("fraction_dead", "frac_dead", "dead_fraction", "dead_frac", "never_active"),
)
UNIT_COLUMNS = ("units", "n_units", "n_latents", "latents", "width", "d_sae", "n_features")
UNNAMED_VALUES = ("value",)  # of a scalar that TensorBoard exports


@dataclass(frozen=True, eq=False)
class AccumulationLog:
    """A curve as a table holds it, for `fit_accumulation`.

    Attributes:
        samples: seen by each row; (n_rows,).
        working: units that work; (n_rows,).
        units: N.
        columns: the name of the column that each was read from.
        notes: what was assumed or left out, a sentence each.
    """

    samples: Ints
    working: Floats
    units: int
    columns: dict[str, str]
    notes: tuple[str, ...]


def read_accumulation(
    table: pd.DataFrame,
    *,
    units: int | None = None,
    samples: str | None = None,
    working: str | None = None,
    dead: str | None = None,
) -> AccumulationLog:
    """The accumulation curve of a table with a row per logged step.

    A scalar as TensorBoard exports it ("Wall time,Step,Value") counts working units if its values
    rise, and dead ones if they fall. Rows without both numbers are left out, as where a logger
    wrote other metrics.

    Args:
        table: as read from a file.
        units: N; read from a column, if left out, or from working and dead units together.
        samples, working, dead: names of columns; looked for by their usual names if left out.

    Raises:
        InputError: if no such column is there, it holds no numbers, or the number of units is told
            nowhere.
    """
    table = table.reset_index(drop=True)
    columns = {"samples": _named_or_usual(table, samples, SAMPLE_COLUMNS, "samples")}
    notes: list[str] = []
    of_working = working or (None if dead else _usual_column(table, WORKING_COLUMNS))
    of_dead = dead or (None if working else _usual_column(table, DEAD_COLUMNS))
    unnamed = _usual_column(table, UNNAMED_VALUES)
    if of_working is None and of_dead is None and unnamed is not None:
        values = numbers_in(table, unnamed).dropna()
        falls = len(values) > 0 and values.iloc[-1] < values.iloc[0]
        of_working, of_dead = (None, unnamed) if falls else (unnamed, None)
        kind = "dead, since they fall" if falls else "working, since they do not fall"
        notes.append(f"{unnamed!r} taken as units that are {kind}")
    if of_working is None and of_dead is None:
        raise InputError(
            "expected a column with working or dead units under a usual name (working, alive, "
            f"dead, dead_latents, ...), but there are {listed_columns(table)}: name it"
        )
    columns |= {"working": of_working} if of_working is not None else {"dead": of_dead or ""}
    values = pd.DataFrame({role: numbers_in(table, name) for role, name in columns.items()})
    kept = values.notna().all(axis=1)
    if not kept.any():
        raise InputError("expected rows with samples and units, but no row has both")
    if not kept.all():
        missing = int((~kept).sum())
        notes.append(f"{missing} row{'' if missing == 1 else 's'} without both numbers left out")
    n_units = _units_of(table, units, of_working, of_dead, columns)
    values = values[kept]
    if of_working is None:
        idle = _as_numbers(values["dead"].to_numpy(float), n_units)
        counted = n_units - idle
    else:
        counted = _as_numbers(values["working"].to_numpy(float), n_units)
    return AccumulationLog(
        samples=whole("samples", values["samples"].to_numpy()),
        working=counted,
        units=n_units,
        columns=columns,
        notes=tuple(notes),
    )


def _units_of(
    table: pd.DataFrame,
    given: int | None,
    of_working: str | None,
    of_dead: str | None,
    columns: dict[str, str],
) -> int:
    """N: as given, from a column of its own, or as the sum of working and dead units."""
    if given is not None:
        return one_whole("units", given, least=2)
    name = _usual_column(table, UNIT_COLUMNS)
    if name is not None:
        values = numbers_in(table, name).dropna().unique()
        columns["units"] = name
    elif of_working is not None and of_dead is not None:
        both = table[[of_working, of_dead]].dropna()
        values = (both[of_working] + both[of_dead]).unique()
        columns["units"] = f"{of_working} + {of_dead}"
    else:
        raise InputError(
            "expected the number of all units, but no column tells it: give it, as --units 24576"
        )
    if len(values) != 1:
        raise InputError(
            f"expected one number of units in {columns['units']!r}, but it holds {len(values)}: "
            "keep the rows of one layer, or give the number, as --units 24576"
        )
    return one_whole("units", values[0], least=2)


def _as_numbers(values: Floats, units: int) -> Floats:
    """Numbers of units from numbers, or from shares of the units: none above 1, and fractions among
    them.
    """
    are_shares = np.all((values >= 0) & (values <= 1)) and np.any(values % 1 > 0)
    return np.rint(values * units) if are_shares else values


def _named_or_usual(
    table: pd.DataFrame, given: str | None, usual: tuple[str, ...], role: str
) -> str:
    found = given or _usual_column(table, usual)
    if found is None:
        raise InputError(
            f"expected a column with the {role} under a usual name ({', '.join(usual[:3])}, step, "
            f"...), but there are {listed_columns(table)}: name it"
        )
    return found


def _usual_column(table: pd.DataFrame, usual: tuple[str, ...]) -> str | None:
    """The column of the first usual name that is there with numbers, by itself or after a prefix
    such as "train/".
    """
    plain = {str(name): plain_name(name) for name in table}
    for whole_name in (True, False):
        for wanted in usual:
            for name, short in plain.items():
                fits = short == wanted if whole_name else short.endswith(f"_{wanted}")
                if fits and pd.api.types.is_numeric_dtype(table[name]):
                    return name
    return None
