"""Claims on readings that are made up from the law, and from what contradicts it."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest

from actilaw import ActivationLaw
from actilaw.errors import InputError
from actilaw.study.claims.examine import CLAIMS, examine
from actilaw.study.claims.result import FAILS, HOLDS, UNTOLD
from actilaw.study.claims.width import ELASTICITY

WIDTHS, SAMPLES, SEEDS = (256, 512, 1024, 2048, 4096), (8, 32, 128, 512, 2048, 8192), (0, 1, 2)
ACTIVE = 8.0


def readings(*, w: float = 0.0, b: float = 0.4, rng_seed: int = 0) -> pd.DataFrame:
    """Networks that obey the law: b goes as N^(−w) and is `b` at N = 1024, K is drawn from the law
    (a binomial), the loss is (10) with a noise of 1 %.
    """
    rng = np.random.default_rng(rng_seed)
    rows = []
    for n, d, seed in product(WIDTHS, SAMPLES, SEEDS):
        b_of = b * (n / 1024) ** -w
        law = ActivationLaw(n, ACTIVE, b_of)
        noise = np.exp(0.01 * rng.normal(size=3))
        by_law = float(law.idle_fraction(d))
        working = rng.binomial(n, 1 - by_law)
        idle = 1 - working / n
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
                "working": working,
                "test_loss": (0.1 + 2 * (1 + d / law.knee) ** -b_of) * noise[0],
                "loss_without_layer": 9.0,
                "removable_0.1%": min(idle * noise[1], 1),
                "removable_1%": min(idle * noise[2], 1),
                "b": b_of * noise[1],
                "alpha": 1 - b_of,
                "alpha_lower": 1 - b_of - 0.05,
                "alpha_upper": 1 - b_of + 0.05,
                "idle_by_law": by_law,
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


# What the law does not imply: the paper's words on N > cD, and which of b, bN and α is which.
NOT_THE_LAWS = (
    "K no longer grows",
    "K is near",
    "the test loss does not rise",
    "b is fixed",
    "bN is fixed",
    "α",
)


@pytest.mark.slow
@pytest.mark.parametrize("w", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("b", [0.15, 0.4, 0.9])
def test_networks_that_obey_the_law_never_fail(w: float, b: float) -> None:
    for rng_seed in range(2):
        for result in examine(readings(w=w, b=b, rng_seed=rng_seed)):
            table = result.table()
            failed = table.loc[table["verdict"] == FAILS, "statement"]
            assert [text for text in failed if not text.startswith(NOT_THE_LAWS)] == []


@pytest.mark.slow
def test_idle_shares_follow_the_law_whose_b_changes_with_width_and_data() -> None:
    """The slope of the law's own share is not its elasticity at fixed b: K is that of each
    network's own fitted law, and b goes as N^(−0.6) D^(0.2).
    """
    table = readings()
    b = 0.4 * (table["units"] / 1024) ** -0.6 * table["samples"] ** 0.2
    laws = [
        ActivationLaw(n, ACTIVE, float(b_of)) for n, b_of in zip(table["units"], b, strict=True)
    ]
    by_law = [float(law.idle_fraction(d)) for law, d in zip(laws, table["samples"], strict=True)]
    table = table.assign(idle_by_law=by_law, working=table["units"] * (1 - np.array(by_law)))
    found = verdicts(table, "compressibility")
    assert found["the share of idle units follows N as the law says"] == HOLDS
    assert found["the share of idle units follows D as the law says"] == HOLDS
    assert found["the idle share is that of the fitted law"] == HOLDS


def test_a_law_with_b_fixed_is_told_from_one_with_bn_fixed() -> None:
    fixed = verdicts(readings(), "b_and_width")
    assert (fixed["b is fixed"], fixed["bN is fixed"], fixed["c is fixed"]) == (
        HOLDS,
        FAILS,
        HOLDS,
    )
    shrinking = verdicts(readings(w=1), "b_and_width")
    assert (shrinking["b is fixed"], shrinking["bN is fixed"]) == (FAILS, HOLDS)


@pytest.mark.slow
def test_a_law_has_its_inflection_at_n_over_c() -> None:
    assert verdicts(readings(), "transition")["K/N has its inflection at N/c"] == HOLDS
    later = readings().assign(active=lambda cells: 4 * cells["active"])
    assert verdicts(later, "transition")["K/N has its inflection at N/c"] == FAILS


@pytest.mark.slow
def test_an_inflection_outside_the_grid_can_fail_but_not_hold() -> None:
    """K/N rises by a fifth up to the last size, a quarter of the inflection for b = 4."""
    last = SAMPLES[-1]
    table = readings()
    laws = [ActivationLaw(n, n / (4 * last), 4.0) for n in table["units"]]
    shares = [
        1 - float(law.idle_fraction(d)) for law, d in zip(laws, table["samples"], strict=True)
    ]
    late = table.assign(working=table["units"] * shares)

    def inflection(n_over_c: float) -> tuple[str, float, float]:
        (result,) = examine(late.assign(active=late["units"] / n_over_c), ["transition"])
        row = result.table().iloc[0]
        return row["verdict"], row["lower"], row["upper"]

    assert inflection(4 * last) == (UNTOLD, pytest.approx(np.log(1 / 4)), np.inf)
    assert inflection(last / 4) == (FAILS, pytest.approx(np.log(4)), np.inf)


def steps(place: int) -> pd.DataFrame:
    """Losses of which each width's falls between two neighbouring sizes alone."""
    return readings().assign(
        test_loss=lambda cells: 1.0 + (cells["samples"] <= SAMPLES[place]) + 1e-3 / cells["samples"]
    )


@pytest.mark.slow
def test_steepest_falls_at_the_end_of_the_grid_may_lie_outside_of_it() -> None:
    statement = "the test loss falls most steeply at N/c"
    (inside,) = examine(steps(2), ["transition"])
    assert (inside.details["steepest_from"] == SAMPLES[2]).all()
    assert (inside.details["steepest_to"] == SAMPLES[3]).all()
    (first,) = examine(steps(0), ["transition"])
    assert (first.details["steepest_from"] == 0).all()
    (last,) = examine(steps(4), ["transition"])
    assert (last.details["steepest_to"] == np.inf).all()
    late = readings().assign(active=512.0, test_loss=steps(4)["test_loss"])  # N/c is 0.5 to 8
    assert verdicts(late, "transition")[statement] == FAILS
    near = readings().assign(active=0.5, test_loss=steps(4)["test_loss"])  # N/c is 512 to 8192
    assert verdicts(near, "transition")[statement] == UNTOLD


@pytest.mark.slow
def test_exponents_of_the_loss_are_compared_with_those_of_counts() -> None:
    same = verdicts(readings(), "loss_decay")
    assert same["the test loss follows floor + A (1 + D/D*)^(−b)"] == HOLDS
    assert same["the exponent of the loss is b of the counts"] == HOLDS
    other = readings().assign(b=1.4)
    assert verdicts(other, "loss_decay")["the exponent of the loss is b of the counts"] == FAILS


@pytest.mark.slow
def test_the_loss_of_a_task_counts_once_however_many_layers_it_has() -> None:
    two = pd.concat([readings(), readings().assign(layer="relu2")], ignore_index=True)
    for claim, of_loss in (("loss_decay", 1), ("width", 2)):
        (result,) = examine(two, [claim])
        counted = result.table()
        assert (counted["task"] == "made-up").sum() == of_loss
        alone = examine(readings(), [claim])[0].table()
        assert set(alone["statement"]) == set(counted["statement"])
        for statement in counted.loc[counted["task"] == "made-up", "statement"]:
            once = alone[alone["statement"] == statement].iloc[0]
            twice = counted[counted["statement"] == statement].iloc[0]
            assert (once["estimate"], once["n"]) == (twice["estimate"], twice["n"])


@pytest.mark.slow
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


@pytest.mark.slow
def test_layers_without_which_the_loss_is_the_same_show_nothing_about_removal() -> None:
    useless = readings().assign(loss_without_layer=0.0)
    found = verdicts(useless, "compressibility")
    assert found["the share of units removable at 1 % of the test loss grows with width"] == UNTOLD
    assert found["the share of idle units grows with width"] == HOLDS


def test_alpha_below_zero_fails_and_undecided_networks_count_as_either() -> None:
    assert verdicts(readings(), "exponent")["α > 0 (b < 1)"] == HOLDS
    steep = readings().assign(alpha_lower=-0.4, alpha=-0.3, alpha_upper=-0.2)
    assert verdicts(steep, "exponent")["α > 0 (b < 1)"] == FAILS
    wide = readings().assign(alpha_lower=-0.4, alpha=0.1, alpha_upper=0.6)
    assert verdicts(wide, "exponent")["α > 0 (b < 1)"] == UNTOLD
    half = pd.concat([readings().iloc[::2], wide.iloc[1::2]])
    (result,) = examine(half, ["exponent"])
    (row,) = result.table().itertuples()
    assert (row.verdict, row.estimate, row.remark) == (UNTOLD, 0.5, "undecided in 45 of 90")
    assert row.upper == 1


def test_working_units_set_by_data_no_longer_grow_with_width() -> None:
    saturated = readings(w=1, b=0.12)
    found = verdicts(saturated, "width")
    assert found["K no longer grows with width where N > cD"] == HOLDS
    growing = saturated.assign(
        working=lambda cells: (0.2 * cells["units"]).round(),
        test_loss=lambda cells: cells["units"] ** 0.3,
    )
    found = verdicts(growing, "width")
    assert found["K no longer grows with width where N > cD"] == FAILS
    assert found["the test loss does not rise with width where N > cD"] == FAILS


def test_k_of_the_law_grows_past_n_over_cd_if_b_is_small() -> None:
    """Why the paper's words are judged beside what the law says: its elasticity of K in N is
    1 − x (1 + x/b)^(−b−1)/(K/N), with x = cD/N, which is 0.69 for b = 0.03 at x = 1/2.
    """
    exact = readings(b=0.03)
    exact["working"] = exact["units"] * (1 - exact["idle_by_law"])
    (result,) = examine(exact, ["width"])
    first, _, by_law, *_ = result.verdicts
    assert first.statement == "K no longer grows with width where N > cD"
    assert first.interval.estimate > ELASTICITY
    assert (by_law.statement, by_law.verdict) == (
        "K grows with width as the law says where N > cD",
        HOLDS,
    )


def test_forecasts_that_miss_fail() -> None:
    assert set(verdicts(readings(), "accumulation").values()) == {HOLDS}
    missing = readings().assign(law_missed=0.8, forecast_inside=0.0)
    found = verdicts(missing, "accumulation")
    assert found["the law foretells K from a tenth of the samples"] == FAILS
    assert found["the rate density foretells K from a tenth of the samples"] == HOLDS
    assert found["the forecast's 95 % intervals hold the count"] == FAILS


def test_intervals_can_be_told_to_hold_the_count_from_so_many_networks_as_the_rule_says() -> None:
    statement = "the forecast's 95 % intervals hold the count"
    (result,) = examine(readings(), ["accumulation"])
    least = int(re.findall(r"takes (\d+) networks", result.rule)[0])
    spread = readings().sort_values(["samples", "seed", "width"])  # all widths alike
    assert verdicts(spread.iloc[:least], "accumulation")[statement] == HOLDS
    assert verdicts(spread.iloc[: least - 1], "accumulation")[statement] == UNTOLD
    calibrated = spread.assign(forecast_inside=np.arange(len(spread)) % 31 > 0)  # 97 % inside
    assert verdicts(calibrated, "accumulation")[statement] == HOLDS


def test_networks_in_which_nothing_wakes_show_nothing_about_growth() -> None:
    still = readings().assign(newly=0.0)
    assert set(verdicts(still, "accumulation").values()) == {UNTOLD}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_single_cell_settles_nothing(claim: str) -> None:
    assert set(verdicts(readings().iloc[:1], claim).values()) == {UNTOLD}


@pytest.mark.parametrize("claim", CLAIMS)
def test_cells_without_a_fit_settle_nothing_and_break_nothing(claim: str) -> None:
    fitted = ["b", "alpha", "alpha_lower", "alpha_upper", "idle_by_law"]
    backtested = [column for column in readings() if str(column).startswith(("law_", "forecast_"))]
    bare = readings()
    bare[[*fitted, *backtested, "newly"]] = np.nan
    examine(bare, [claim])


def test_tasks_with_several_layers_are_examined_layer_by_layer() -> None:
    two = pd.concat([readings(), readings().assign(layer="relu2")])
    (result,) = examine(two, ["exponent"])
    assert set(result.table()["task"]) == {"made-up, relu", "made-up, relu2"}


def test_networks_have_the_part_of_the_layers_name_that_tells_them_apart() -> None:
    layers = [readings().assign(layer=f"blocks.{i}.feedforward.act") for i in range(2)]
    (result,) = examine(pd.concat(layers), ["exponent"])
    assert set(result.table()["task"]) == {"made-up, blocks.0", "made-up, blocks.1"}
    (result,) = examine(layers[0], ["exponent"])
    assert set(result.table()["task"]) == {"made-up"}


def test_unknown_claims_and_empty_studies_are_refused() -> None:
    with pytest.raises(InputError, match="expected claims among accumulation"):
        examine(readings(), ["growth"])
    with pytest.raises(InputError, match="has none yet: run it first"):
        examine(readings().iloc[:0])
