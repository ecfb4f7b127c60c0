from __future__ import annotations

import warnings
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest

from actilaw import backtest, fit
from actilaw.study import readings as room
from actilaw.study.claims.examine import CLAIMS, examine
from actilaw.study.readings import readings
from actilaw.study.store import Study
from builders.filled_study import SAMPLES, SEEDS, WIDTHS, drawn_census, filled_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return filled_study(tmp_path_factory.mktemp("study") / "drawn")


@pytest.fixture(scope="module")
def table(study: Study) -> pd.DataFrame:
    return readings(study, workers=1)


@pytest.mark.slow
def test_a_reading_has_the_fit_and_the_backtests_of_its_layer(
    study: Study, table: pd.DataFrame
) -> None:
    assert len(table) == len(WIDTHS) * len(SAMPLES) * len(SEEDS)
    row = table[(table["width"] == 400) & (table["samples"] == 256)].iloc[0]
    cell = next(one for one in study.cells() if (one.width, one.samples) == (400, 256))
    counts = study.census(cell)["relu"]
    fitted = fit(counts, "law")
    assert row["b"] == pytest.approx(fitted.params["b"])
    assert row["alpha_upper"] - row["alpha"] == pytest.approx(
        1.959964 * fitted.standard_errors["b"], rel=1e-5
    )
    tested = backtest(counts, parts=0.1, methods=("law", "rate_density")).set_index("method")
    for column, method in (("law", "law"), ("forecast", "rate_density")):
        assert row[f"{column}_missed"] == pytest.approx(tested["missed"][method])
        assert bool(row[f"{column}_inside"]) == tested["inside"][method]
    assert row["newly"] == tested["newly_working"]["law"]


@pytest.mark.slow
def test_readings_are_kept_and_only_changed_cells_are_read_again(tmp_path: Path) -> None:
    study = filled_study(tmp_path / "study")
    first = readings(study, workers=1)
    with mock.patch.object(room, "readings_of", side_effect=AssertionError("read again")):
        assert readings(study, workers=1).equals(first)
    changed = study.cells()[0]
    drawn_census(changed).map(lambda counts: counts)  # as it is
    census = drawn_census(changed)
    about = {**census.about, "test_loss": 9.0}
    type(census)(census.layers, about).save(study.path_of(changed))
    told: list[tuple[int, int]] = []
    again = readings(study, workers=1, progress=lambda *steps: told.append(steps))
    assert told == [(1, 1)]
    assert len(again) == len(first)
    assert (again["test_loss"] == 9.0).sum() == 1


@pytest.mark.slow
def test_a_damaged_file_of_readings_is_made_anew(tmp_path: Path) -> None:
    study = filled_study(tmp_path / "study")
    (study.folder / room.FILE).write_bytes(b"damaged")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(readings(study, workers=1)) == len(study.cells())


@pytest.mark.slow
def test_claims_can_be_judged_by_readings(table: pd.DataFrame) -> None:
    for result in examine(table):
        assert set(result.table()["task"]) == {"digits"}
        assert result.figure.curves
    (law,) = examine(table, ["accumulation"])
    inside = law.table().set_index("statement")
    assert inside["estimate"]["the forecast's 95 % intervals hold the count"] >= 0.95
    assert list(CLAIMS) == [result.name for result in examine(table)]
