"""Each test of the theory: its number by another way, its verdict on data that keep to it and on
data that do not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import least_squares, minimize_scalar
from scipy.special import betaln
from scipy.stats import beta, betabinom, binom, norm

from actilaw import ActivationCounts, ActivationLaw, Census, LossLaw, check, fit, fit_loss
from actilaw.checks.alternatives import ALTERNATIVES
from actilaw.checks.estimators_of_b import (
    b_from_accumulation_curve,
    b_from_blocks,
    b_from_counts,
    b_from_first_activations,
    block_log_pmf,
)
from actilaw.checks.exchangeability import drift, independence
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.reinforcement import next_activations
from actilaw.checks.result import Claim
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, InputError
from builders.drawn import draw_counts

BLOCKS, SIZE = 32, 32


def counted(fired: np.ndarray) -> ActivationCounts:
    """Counts with blocks, first activations and squares of (samples, units)."""
    blocks = Blocks(fired.reshape(BLOCKS, SIZE, -1).sum(axis=1), np.full(BLOCKS, SIZE), SIZE)
    first = np.where(fired.any(axis=0), fired.argmax(axis=0), -1)
    squares = int((fired.sum(axis=1) ** 2).sum())
    return ActivationCounts(
        fired.sum(axis=0),
        len(fired),
        entries=len(fired),
        active_squares=squares,
        first=first,
        blocks=blocks,
    )


def drawn_layer(seed: int, units: int = 600, change: float = 0.0) -> ActivationCounts:
    """Of the law with c = N/20 and b = 0.4; each unit's rate changes by this much of it, up or
    down.
    """
    rng = np.random.default_rng(seed)
    rates = rng.beta(0.4, 7.6, units)
    time = np.linspace(-0.5, 0.5, BLOCKS * SIZE)[:, np.newaxis]
    slopes = change * rng.choice([-1.0, 1.0], units)
    return counted(rng.random((BLOCKS * SIZE, units)) < rates * (1 + slopes * time))


@pytest.fixture(scope="module")
def layer() -> FittedLayer:
    return FittedLayer.of(drawn_layer(0), 0.95, np.random.default_rng(0))


def verdict(table: pd.DataFrame, test: str) -> str:
    return table.set_index("test").loc[test, "verdict"]


def test_a_layer_of_the_law_holds_in_nearly_every_row() -> None:
    table = check(drawn_layer(1))
    print(table.to_string())
    assert list(table.columns) == [
        *("test", "claim", "statistic", "estimate", "lower", "upper", "expected", "n", "verdict")
    ]
    assert table["verdict"].str.startswith(("holds", "deviates by", "inconclusive: ")).all()
    assert (
        table["verdict"].str.startswith("deviates").sum() <= 2
    )  # of 15 rows at 5 % each: 3 or more have 2 % or less
    told = table.dropna()
    assert ((told["lower"] <= told["estimate"]) & (told["estimate"] <= told["upper"]))[
        told.test != "goodness_of_fit"
    ].all()


def test_the_same_counts_give_the_same_table_in_any_order_of_units() -> None:
    counts = drawn_layer(2)
    order = np.random.default_rng(0).permutation(counts.units)
    assert counts.first is not None
    assert counts.blocks is not None
    shuffled = ActivationCounts(
        counts.counts[order],
        counts.samples,
        entries=counts.entries,
        active_squares=counts.active_squares,
        first=counts.first[order],
        blocks=Blocks(counts.blocks.counts[:, order], counts.blocks.samples, counts.blocks.size),
    )
    pd.testing.assert_frame_equal(check(counts), check(counts))
    pd.testing.assert_frame_equal(check(shuffled), check(counts), rtol=1e-6)


def test_gamma_is_that_of_weighted_least_squares(layer: FittedLayer) -> None:
    blocks, law = layer.counts.blocks, layer.law
    assert blocks is not None
    n = m = 512
    k, y = blocks.counts[:16].sum(0), blocks.counts[16:].sum(0)
    weights = betabinom.std(m, law.b + k, law.knee - law.b + n - k)
    best = least_squares(
        lambda at: (y - np.exp(at[0]) * (k + law.b) ** at[1]) / weights,
        [0, 1],
        xtol=1e-12,
        ftol=1e-12,
    )
    row = next_activations(layer)
    assert row.estimate == pytest.approx(best.x[1], abs=1e-5)
    assert row.lower < 1 < row.upper


def test_growth_is_read_where_the_laws_curve_meets_the_rarefied_one(layer: FittedLayer) -> None:
    reading = b_from_accumulation_curve(layer)
    counts, step = layer.counts, 1e-3
    d = np.unique(np.geomspace(1, counts.samples, 24).round())

    def working(log_b: float) -> np.ndarray:
        return ActivationLaw(counts.units, counts.active, float(np.exp(log_b))).working(d)

    at = np.log(layer.law.b)
    pull = working(at + step) - working(at - step)
    left, right = (pull @ (counts.rarefied(d) - working(reading.log_b + s)) for s in (-1e-4, 1e-4))
    assert left * right < 0


def test_first_activations_are_read_by_their_likelihood(layer: FittedLayer) -> None:
    counts = layer.counts
    first, knee = counts.first, counts.units / counts.active
    assert first is not None

    def loss(b: float) -> float:
        waited = np.where(first >= 0, first, counts.samples)
        idle = betaln(b, b * knee - b + waited) - betaln(b, b * knee - b)
        return -float(np.sum(idle + np.where(first >= 0, np.log(b / (waited + b * knee)), 0)))

    reading = b_from_first_activations(layer)
    best = minimize_scalar(loss, bounds=(0.1, 2), method="bounded", options={"xatol": 1e-7})
    assert np.exp(reading.log_b) == pytest.approx(best.x, rel=1e-4)


@pytest.mark.parametrize(("b", "rest"), [(0.3, 12.0), (0.05, 0.7), (2.0, 50.0)])
def test_blocks_seen_by_direct_integration(b: float, rest: float) -> None:
    found = np.exp(block_log_pmf(6, 20, b, rest))
    assert found.sum() == pytest.approx(1, abs=1e-6)
    for j in (1, 3, 6):

        def density(x: float, j: int = j) -> float:
            p = 1 / (1 + np.exp(-x))
            return binom.pmf(j, 6, 1 - (1 - p) ** 20) * beta.pdf(p, b, rest) * p * (1 - p)

        assert found[j] == pytest.approx(quad(density, -25, 25, limit=500)[0], rel=1e-4)


def test_the_influence_of_a_unit_is_what_leaving_it_out_does(layer: FittedLayer) -> None:
    counts = layer.counts
    assert counts.first is not None
    assert counts.blocks is not None
    for unit in (0, 17, int(counts.counts.argmax()), int(counts.counts.argmin())):
        keep = np.arange(counts.units) != unit
        blocks = Blocks(counts.blocks.counts[:, keep], counts.blocks.samples, SIZE)
        less = ActivationCounts(
            counts.counts[keep], counts.samples, first=counts.first[keep], blocks=blocks
        )
        without = FittedLayer.of(less, 0.95, np.random.default_rng(0))
        for read in (
            b_from_counts,
            b_from_accumulation_curve,
            b_from_first_activations,
            b_from_blocks,
        ):
            whole, part = read(layer), read(without)
            assert whole.log_b - part.log_b == pytest.approx(
                whole.influence[unit], rel=0.15, abs=2e-4
            )


@pytest.mark.parametrize(
    "read", [b_from_accumulation_curve, b_from_first_activations, b_from_blocks]
)
def test_differences_of_readings_scatter_as_they_say(read) -> None:
    scores = []
    for seed in range(40):
        layer = FittedLayer.of(drawn_layer(seed, units=300), 0.95, np.random.default_rng(0))
        one, other = b_from_counts(layer), read(layer)
        error = np.sqrt(
            layer.standard_error(other.influence - one.influence) ** 2 + other.independent_variance
        )
        scores.append((other.log_b - one.log_b) / error)
    print(
        f"{read.__name__}: mean {np.mean(scores):+.2f}, scatter {np.std(scores):.2f} standard "
        "errors"
    )
    assert abs(np.mean(scores)) < 5 / np.sqrt(40)
    assert 0.6 < np.std(scores) < 1.4  # of 40 draws it is known to 11 %


def test_rivals_by_scipy() -> None:
    counts = draw_counts(300, 20, 0.5, 150, seed=3)
    k, units = counts.histogram()
    found = {name: rival(counts) for name, rival in ALTERNATIVES.items()}
    exponential = max(
        units @ betabinom.logpmf(k, 150, 1, rest) for rest in np.geomspace(1, 100, 3000)
    )
    assert units @ found["exponential"] == pytest.approx(exponential, abs=1e-3)
    sums = [
        units[k > 0] @ np.log(k[k > 0] ** -a / np.sum(np.arange(1.0, 151) ** -a))
        for a in np.linspace(-1, 3, 4001)
    ]
    by_hand = (
        max(sums)
        + counts.working * np.log(counts.working / 300)
        + counts.idle * np.log(counts.idle / 300)
    )
    assert units @ found["power_law"] == pytest.approx(by_hand, abs=1e-3)


def test_the_lognormal_recovers_its_own_counts() -> None:
    rng = np.random.default_rng(4)
    rates = 1 / (1 + np.exp(-rng.normal(-4, 1.5, 3000)))
    counts = ActivationCounts(rng.binomial(400, rates), 400)
    k, units = counts.histogram()

    x = np.arange(-16, 8, 0.002)
    chance = binom.pmf(k[:, np.newaxis], 400, 1 / (1 + np.exp(-x))) @ norm.pdf(x, -4, 1.5) * 0.002
    told, true = ALTERNATIVES["lognormal"](counts), np.log(chance)
    assert 0 <= units @ (told - true) < 10  # a fit gains about as much as it has parameters
    assert verdict(check(counts), "against_lognormal").startswith("deviates by")


def test_independence_is_the_variance_of_the_number_of_active_units() -> None:
    rng = np.random.default_rng(5)
    gain = np.exp(rng.normal(-0.125, 0.5, (BLOCKS * SIZE, 1)))
    fired = rng.random((BLOCKS * SIZE, 600)) < rng.beta(0.4, 7.6, 600) * gain
    row = independence(FittedLayer.of(counted(fired), 0.95, rng))
    rates = fired.mean(axis=0)
    assert row.estimate == pytest.approx(
        fired.sum(axis=1).var() / np.sum(rates * (1 - rates)), rel=0.01
    )
    assert row.verdict.endswith("units fire together")


def test_where_a_fixed_number_fires_units_compete() -> None:
    rng = np.random.default_rng(6)
    weights = rng.beta(0.4, 7.6, 600) + 1e-4
    fired = np.zeros((BLOCKS * SIZE, 600), bool)
    for row in fired:
        row[rng.choice(600, 30, replace=False, p=weights / weights.sum())] = True
    assert independence(FittedLayer.of(counted(fired), 0.95, rng)).verdict.endswith(
        "units compete, (3)"
    )


def test_drift_is_measured_as_a_share_of_the_rate() -> None:
    for change in (0.3, 0.8):
        row = drift(FittedLayer.of(drawn_layer(7, change=change), 0.95, np.random.default_rng(0)))
        print(row)
        assert row.lower < change < 1.1 * row.upper
        assert row.verdict.startswith("deviates by")


def test_broken_assumptions_are_named_by_the_right_row() -> None:
    rng = np.random.default_rng(8)
    humps = np.where(rng.random(600) < 0.5, 0.1, 0.002) * rng.gamma(4, 0.25, 600)
    table = check(counted(rng.random((1024, 600)) < humps))
    assert verdict(table, "goodness_of_fit").startswith("deviates by")
    assert verdict(table, "exchangeability") == verdict(table, "independence") == "holds"
    on = np.repeat(rng.random((256, 600)) < rng.beta(0.4, 7.6, 600), 4, axis=0)
    assert "in b" in verdict(check(counted(on)), "sampling_unit")


def test_a_richer_family_that_gains_nothing_leaves_the_law_standing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from actilaw.fitting.families.catalogue import FAMILIES

    counts = drawn_layer(9)
    monkeypatch.setitem(FAMILIES, "twin", FAMILIES["law"])
    for name in set(FAMILIES) - {"law", "twin"}:
        monkeypatch.delitem(FAMILIES, name)
    row = check(counts).set_index("test").loc["richer_families"]
    assert row["estimate"] == pytest.approx(0, abs=1e-9)
    assert row["verdict"] == "holds"


def test_without_blocks_or_first_activations_rows_say_what_to_record() -> None:
    table = check(draw_counts(800, 20, 0.4, 400, seed=0))
    for test in ("reinforcement", "backtest", "sampling_unit", "exchangeability", "independence"):
        assert verdict(table, test) == "inconclusive: record with blocks"
    assert verdict(table, "b_from_first_activations") == "inconclusive: record first activations"
    assert np.isnan(table.set_index("test").loc["reinforcement", "estimate"])
    assert verdict(table, "b_from_accumulation_curve") == "holds"


def test_too_few_samples_for_the_inflection_are_named() -> None:
    table = check(draw_counts(2000, 10, 0.4, 400, seed=0))
    assert "400 samples are fewer than 3 N/c = " in verdict(table, "inflection")
    assert "N/c is 4" in verdict(check(draw_counts(400, 100, 0.4, 400, seed=0)), "inflection")


def test_an_exponent_outside_the_claim_is_said() -> None:
    table = check(draw_counts(3000, 200, 2.0, 2000, seed=0))
    assert "below 0" in verdict(table, "alpha")


def test_a_loss_is_one_more_reading() -> None:
    sizes = np.geomspace(10, 1e5, 12)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.01, 12))
    counts = drawn_layer(10)
    for b, starts in ((fit(counts, "law").law.b, "holds"), (0.9, "deviates by")):
        table = check(counts, loss=fit_loss(sizes, LossLaw(0.2, 3, 300, b).loss(sizes) * noise))
        assert verdict(table, "b_from_loss").startswith(starts)
        assert table.set_index("test").loc["estimators_of_b", "n"] == 4
    flat = fit_loss(sizes, LossLaw(0.2, 3, 1e9, 0.5).loss(sizes) * noise)
    assert (
        verdict(check(counts, loss=flat), "b_from_loss")
        == "inconclusive: the losses do not determine b"
    )


def test_a_verdict_is_whether_the_interval_holds_the_claim() -> None:
    claim = Claim("t", "(1)", "s", "1")
    assert claim.compared(1.2, 0.9, 1.5, n=3, against=1.0, size="x").verdict == "holds"
    assert (
        claim.compared(1.2, 1.1, 1.3, n=3, against=1.0, size="+20%").verdict == "deviates by +20%"
    )
    assert claim.inconclusive("no data").verdict == "inconclusive: no data"


def test_a_higher_level_is_a_wider_interval() -> None:
    low, high = (check(drawn_layer(11), level=level).set_index("test") for level in (0.5, 0.99))
    for test in (
        "reinforcement",
        "alpha",
        "backtest",
        "inflection",
        "estimators_of_b",
        "sampling_unit",
        "independence",
    ):
        assert (
            high.loc[test, "lower"]
            < low.loc[test, "lower"]
            < low.loc[test, "upper"]
            < high.loc[test, "upper"]
        )


def test_senseless_arguments_are_refused() -> None:
    with pytest.raises(CountsError, match="no unit was ever activated"):
        check(ActivationCounts(np.zeros(9, int), 9))
    with pytest.raises(InputError, match=r"level as a fraction in \(0, 1\)"):
        check(drawn_layer(0), level=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=8, max_size=8), min_size=3, max_size=25))
def test_any_counts_are_judged_or_refused(parts: list[list[int]]) -> None:
    each = np.array(parts, dtype=np.int64).T
    counts = ActivationCounts(each.sum(axis=0), 32, blocks=Blocks(each, np.full(8, 4), 4))
    try:
        table = check(counts)
    except CountsError:
        return
    assert table["verdict"].str.startswith(("holds", "deviates by", "inconclusive: ")).all()


def test_the_command_prints_a_table_per_layer_and_the_same_as_json(tmp_path: Path) -> None:
    census, loss = tmp_path / "layers.census", tmp_path / "loss.csv"
    Census({"one": drawn_layer(0), "two": drawn_layer(1)}).save(census)
    sizes = np.geomspace(10, 1e5, 9)
    pd.DataFrame({"samples": sizes, "loss": LossLaw(0.2, 3, 300, 0.4).loss(sizes)}).to_csv(loss)

    def actilaw(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "actilaw", "check", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    document = json.loads(actilaw(census, "--loss", loss, "--json").stdout)
    assert set(document) == {"one", "two"}
    expected = check(drawn_layer(0)).set_index("test").loc["reinforcement", "estimate"]
    assert document["one"][0]["estimate"] == pytest.approx(expected)
    assert "b_from_loss" in [row["test"] for row in document["two"]]
    table = actilaw(census)
    assert f"{expected:.4g}" in table.stdout
    wrong = actilaw(census, "--loss", census)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "expected a CSV file" in wrong.stderr


def test_a_loss_without_b_leaves_that_reading_untold(counts: ActivationCounts) -> None:
    sizes = np.geomspace(10, 1e5, 12)
    loss = fit_loss(sizes, 0.2 + 3 * sizes**-0.4, "bnsl")
    table = check(counts, loss=loss).set_index("test")
    row = next(row for name, row in table.iterrows() if "loss" in str(name))
    assert "inconclusive" in row.verdict
    assert "no b of its own" in row.verdict
