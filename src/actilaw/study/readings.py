"""What the claims are judged by: for every cell and layer of a study the fitted law, and what it
foretold from the first tenth of the samples.

A reading needs a fit and two back-tests, a second or so of a wide layer. They are kept in the file
`readings.parquet` of the study, with the digest of the cell's file and of the code that read it, so
that only what changed is read again.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pandas as pd

from actilaw.backtesting.backtest import RATE_DENSITY, backtest_from, early_parts
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError, FileError, needs_extra
from actilaw.fitting.fit import fit
from actilaw.study.grid import Cell
from actilaw.study.store import Study
from actilaw.study.table import table_of, write_parquet
from actilaw.support.numerics import two_sided_z
from actilaw.support.progress import Progress
from actilaw.support.version import installed_version
from actilaw.theory import ActivationLaw

FILE = "readings.parquet"  # in the folder of a study
KEYS = ["digest", "read_by"]
EARLY_SHARE = 0.1
READING_ROOMS = ("theory", "counts", "forecasting", "fitting", "backtesting")
LEVEL = 0.95
BACKTESTED = {
    "law": "law",
    "forecast": RATE_DENSITY,
}  # columns, and the method of each


def readings(
    study: Study, *, workers: int | None = None, progress: Progress | None = None
) -> pd.DataFrame:
    """A row for each layer of each cell that is done.

    Columns are those of `Study.table`, and
        b, b_se, alpha, alpha_lower, alpha_upper: of the fitted law, with its interval;
        elasticity: b c D/(c D + b N), the law's for the idle share in N;
        idle_by_law: the idle share by the fitted law;
        newly: units that began to work after the first tenth of the samples;
        law_error, law_missed, law_inside, and the same of the rate density as forecast_...: how far
        K foretold from that tenth was off, as a share of K and of the newly working units, and 1
        where its interval held K.
    What cannot be fitted is missing.

    Args:
        study: whose cells are read.
        workers: processes; as many as there are processors by default.
        progress: called after each cell that had to be read with how many of them are done, and how
            many there are.

    Raises:
        MissingExtraError: if joblib or pyarrow is not installed.
    """
    with needs_extra("study"):
        from joblib import Parallel, cpu_count, delayed
    known = _known(study.folder / FILE)
    digests = {cell: _digest(study.path_of(cell)) for cell, _ in study.results()}
    version = _reader()
    missing = [cell for cell, digest in digests.items() if (digest, version) not in known.index]
    jobs = (delayed(_readings_of_cell)(study, cell) for cell in missing)
    tables = []
    parallel = Parallel(n_jobs=workers or cpu_count(), return_as="generator")
    found = cast("Iterator[tuple[Cell, pd.DataFrame]]", parallel(jobs))
    for done, (cell, rows) in enumerate(found, start=1):
        tables.append(rows.assign(digest=digests[cell], read_by=version))
        if progress is not None:
            progress(done, len(missing))
    together = pd.concat([known.reset_index(), *tables], ignore_index=True)
    is_here = together["digest"].isin(list(digests.values())) & (together["read_by"] == version)
    together = together[is_here].reset_index(drop=True)
    if missing:
        _keep(together, study.folder / FILE)
    return together.drop(columns=KEYS)


def readings_of(cell: Cell, census: Census) -> pd.DataFrame:
    """The rows of one cell; see `readings`."""
    table = table_of([(cell, census)])
    fits = [_of_law(census[layer]) | _of_forecasts(census[layer]) for layer in table["layer"]]
    return pd.concat([table, pd.DataFrame(fits, index=table.index)], axis=1)


def _reader() -> str:
    """The version of actilaw, and a digest of the code that fits and forecasts."""
    package = Path(__file__).parents[1]
    digest = hashlib.blake2b(digest_size=8)
    for room in READING_ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return f"{installed_version()} {digest.hexdigest()}"


def _readings_of_cell(study: Study, cell: Cell) -> tuple[Cell, pd.DataFrame]:
    return cell, readings_of(cell, study.census(cell))


def _known(path: Path) -> pd.DataFrame:
    """Readings of before, by digest and version; none where there is no such file."""
    nothing = pd.DataFrame(columns=KEYS).set_index(KEYS)
    if not path.exists():
        return nothing
    try:
        return pd.read_parquet(path).set_index(KEYS)
    except Exception:  # whatever a damaged file makes of it: all is read again
        return nothing


def _keep(table: pd.DataFrame, path: Path) -> None:
    """Write the readings for the next time; a study that may only be read is left as it is."""
    try:
        write_parquet(table, path)
    except FileError as error:
        warnings.warn(f"readings of the study are not kept: {error}", stacklevel=3)


def _digest(path: str | os.PathLike[str]) -> str:
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def _of_law(counts: ActivationCounts) -> dict[str, float]:
    """The fitted law's figures; nothing where the counts allow no fit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = fit(counts, "law", allow_nonfinite=True)
            b, b_se = fitted.params["b"], fitted.standard_errors["b"]
    except CountsError:
        return {}
    law = ActivationLaw(counts.units, min(counts.active, counts.units * (1 - 1e-9)), b)
    shown = counts.active * counts.samples
    reach = two_sided_z(LEVEL) * b_se
    return {
        "b": b,
        "b_se": b_se,
        "alpha": 1 - b,
        "alpha_lower": 1 - b - reach,
        "alpha_upper": 1 - b + reach,
        "elasticity": b * shown / (shown + b * counts.units),
        "idle_by_law": float(law.idle_fraction(counts.samples)),
    }


def _of_forecasts(counts: ActivationCounts) -> dict[str, float]:
    """How forecasts from the first tenth of the samples did; nothing where none can be made."""
    parts = early_parts(counts, EARLY_SHARE)
    if not parts:
        return {}
    found: dict[str, float] = {}
    for column, method in BACKTESTED.items():
        try:
            result = backtest_from(parts[0], counts, method, level=LEVEL)
        except CountsError:
            continue
        found |= {
            "newly": float(result.newly_working),
            f"{column}_error": result.expected / result.counted - 1,
            f"{column}_missed": result.missed,
            f"{column}_inside": float(result.inside),
        }
    return found
