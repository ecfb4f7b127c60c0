"""Claims on readings that are made up from the law, and from what contradicts it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from actilaw import ActivationLaw
from actilaw.errors import InputError
from actilaw.study.claims.examine import CLAIMS, examine
from actilaw.study.claims.result import FAILS, HOLDS, UNTOLD
from actilaw.study.claims.transition import fit_growth

WIDTHS, SAMPLES, SEEDS = (256, 512, 1024, 2048, 4096), (8, 32, 128, 512, 2048, 8192), (0, 1, 2)
ACTIVE = 8.0


def readings(*, mass: float | None = None, b: float = 0.4, rng_seed: int = 0) -> pd.DataFrame:
    """Cells of which everything follows the law exactly, but for a little noise: b fixed, or bN
    where a mass is given; the loss as (10).
    """
    rng = np.random.default_rng(rng_seed)
    rows = []
    for n, d, seed in product(WIDTHS, SAMPLES, SEEDS):
        b_of = b if mass is None else mass / n
        law = ActivationLaw(n, ACTIVE, b_of)
        noise = np.exp(0.01 * rng.normal(size=3))
        idle = float(law.idle_fraction(d))
        reinforced = ACTIVE * d
        rows.append(
            {
                "task": "made-up",
                "width": n,
                "samples": d,
                "seed": seed,
                "layer": "relu",
                "units": n,
                "counted": d,
                "active": ACTIVE,
                "working": round(n * (1 - idle)),
                "test_loss": (0.1 + 2 * (1 + d / law.knee) ** -b_of) * noise[0],
                "loss_without_layer": 9.0,
                "removable_0.1%": min(idle * noise[1], 1),
                "removable_1%": min(idle * noise[2], 1),
                "b": b_of * noise[1],
                "alpha": 1 - b_of,
                "alpha_lower": 1 - b_of - 0.05,
                "alpha_upper": 1 - b_of + 0.05,
                "elasticity": b_of * reinforced / (reinforced + b_of * n),
                "idle_by_law": idle,
                "newly": 50.0,
                "law_missed": 0.1 * noise[0],
                "law_inside": 1.0,
                "forecast_missed": 0.05,
                "forecast_inside": 1.0,
            }
        )
    return pd.DataFrame(rows)


def verdicts(table: pd.DataFrame, claim: str) -> dict[str, str]:
    (result,) = examine(table, [claim])
    return dict(zip(result.table()["statement"], result.table()["verdict"], strict=True))


def test_a_law_with_b_fixed_is_told_from_one_with_bn_fixed() -> None:
    fixed = verdicts(readings(), "b_and_width")
    assert (fixed["b is fixed"], fixed["bN is fixed"], fixed["c is fixed"]) == (
        HOLDS,
        FAILS,
        HOLDS,
    )
    shrinking = verdicts(readings(mass=120.0), "b_and_width")
    assert (shrinking["b is fixed"], shrinking["bN is fixed"]) == (FAILS, HOLDS)


def test_a_law_has_its_inflection_at_n_over_c() -> None:
    assert verdicts(readings(), "transition")["K/N has its inflection at N/c"] == HOLDS
    later = readings().assign(active=lambda cells: 4 * cells["active"])
    assert verdicts(later, "transition")["K/N has its inflection at N/c"] == FAILS


def test_growth_is_fitted_to_shares_of_the_law() -> None:
    d = np.geomspace(4, 1e5, 9)
    b, knee = fit_growth(d, 1 - (1 + d / 300) ** -0.7)
    assert (b, knee) == pytest.approx((0.7, 300), rel=1e-4)


def test_exponents_of_the_loss_are_compared_with_those_of_counts() -> None:
    same = verdicts(readings(), "loss_decay")
    assert same["the test loss follows floor + A (1 + D/D*)^(−b)"] == HOLDS
    assert same["the exponent of the loss is b of the counts"] == HOLDS
    other = readings().assign(b=1.4)
    assert verdicts(other, "loss_decay")["the exponent of the loss is b of the counts"] == FAILS


def test_removable_shares_that_follow_the_law_are_seen_to() -> None:
    found = verdicts(readings(), "compressibility")
    for share in ("idle units", "units removable at 1 % of the test loss"):
        assert found[f"the share of {share} grows with width"] == HOLDS
        assert found[f"the share of {share} shrinks with data"] == HOLDS
    assert found["the idle share is that of the fitted law"] == HOLDS
    against = readings()
    against["removable_1%"] = (0.1 * (against["counted"] / against["units"]) ** 0.1).clip(0, 1)
    found = verdicts(against, "compressibility")
    share = "units removable at 1 % of the test loss"
    assert found[f"the share of {share} grows with width"] == FAILS
    assert found[f"the share of {share} shrinks with data"] == FAILS


def test_layers_without_which_the_loss_is_the_same_show_nothing_about_removal() -> None:
    useless = readings().assign(loss_without_layer=0.0)
    found = verdicts(useless, "compressibility")
    assert found["the share of units removable at 1 % of the test loss grows with width"] == UNTOLD
    assert found["the share of idle units grows with width"] == HOLDS


def test_alpha_outside_of_zero_and_one_fails() -> None:
    assert verdicts(readings(), "exponent")["0 < α < 1"] == HOLDS
    steep = readings().assign(alpha_lower=-0.4, alpha=-0.3, alpha_upper=-0.2)
    assert verdicts(steep, "exponent")["0 < α < 1"] == FAILS
    wide = readings().assign(alpha_lower=-0.4, alpha=0.1, alpha_upper=0.6)
    assert verdicts(wide, "exponent")["0 < α < 1"] == UNTOLD


def test_working_units_set_by_data_no_longer_grow_with_width() -> None:
    saturated = readings(mass=120.0)
    found = verdicts(saturated, "width")
    assert found["K no longer grows with width where N > cD"] == HOLDS
    assert found["bN is constant in N"] == HOLDS
    growing = saturated.assign(
        working=lambda cells: (0.2 * cells["units"]).round(),
        test_loss=lambda cells: cells["units"] ** 0.3,
    )
    found = verdicts(growing, "width")
    assert found["K no longer grows with width where N > cD"] == FAILS
    assert found["the test loss does not rise with width where N > cD"] == FAILS


def test_forecasts_that_miss_fail() -> None:
    assert set(verdicts(readings(), "accumulation").values()) == {HOLDS}
    missing = readings().assign(law_missed=0.8, forecast_inside=0.0)
    found = verdicts(missing, "accumulation")
    assert found["the law foretells K from a tenth of the samples"] == FAILS
    assert found["the rate density foretells K from a tenth of the samples"] == HOLDS
    assert found["the forecast's 95 % intervals hold the count"] == FAILS


def test_networks_in_which_nothing_wakes_show_nothing_about_growth() -> None:
    still = readings().assign(newly=0.0)
    assert set(verdicts(still, "accumulation").values()) == {UNTOLD}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_single_cell_settles_nothing(claim: str) -> None:
    assert set(verdicts(readings().iloc[:1], claim).values()) == {UNTOLD}


@pytest.mark.parametrize("claim", CLAIMS)
def test_cells_without_a_fit_settle_nothing_and_break_nothing(claim: str) -> None:
    fitted = ["b", "alpha", "alpha_lower", "alpha_upper", "elasticity", "idle_by_law"]
    backtested = [column for column in readings() if str(column).startswith(("law_", "forecast_"))]
    bare = readings()
    bare[[*fitted, *backtested, "newly"]] = np.nan
    examine(bare, [claim])


def test_tasks_with_several_layers_are_examined_layer_by_layer() -> None:
    two = pd.concat([readings(), readings().assign(layer="relu2")])
    (result,) = examine(two, ["exponent"])
    assert set(result.table()["task"]) == {"made-up, relu", "made-up, relu2"}


def test_unknown_claims_and_empty_studies_are_refused() -> None:
    with pytest.raises(InputError, match="expected claims among accumulation"):
        examine(readings(), ["growth"])
    with pytest.raises(InputError, match="has none yet: run it first"):
        examine(readings().iloc[:0])
