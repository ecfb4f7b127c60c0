"""What is removed, planned from counts alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from actilaw import ActivationCounts, Blocks, Census, plan_removal, prune
from actilaw.errors import InputError
from actilaw.pruning.plan import posterior_rates
from builders.prunable import INPUTS, census_of, half_idle


def drawn(units: int = 400, samples: int = 1000, seed: int = 0, b: float = 0.3) -> ActivationCounts:
    rng = np.random.default_rng(seed)
    return ActivationCounts(rng.binomial(samples, rng.beta(b, 20, units)), samples)


def test_a_layer_in_which_nothing_fires_keeps_one_unit() -> None:
    model = half_idle()
    with torch.no_grad():
        model.b.bias[:] = -100
    result = prune(model, census_of(model, INPUTS), INPUTS[:4])
    assert result.model.b.out_features == 1
    torch.testing.assert_close(result.model(INPUTS), model(INPUTS))


def test_nothing_idle_removes_nothing() -> None:
    model = half_idle()
    census = Census({"relu_a": ActivationCounts(np.ones(12, int), 64)})
    result = prune(model, census, INPUTS[:4])
    assert result.units_removed == 0
    assert result.parameters_after == result.parameters_before


def test_idle_units_are_removed_except_the_first_of_a_layer_without_others() -> None:
    census = Census(
        {
            "some": ActivationCounts(np.array([0, 3, 0, 1]), 4),
            "all": ActivationCounts(np.zeros(3, int), 4),
            "none": ActivationCounts(np.array([1, 2]), 4),
        }
    )
    planned = {name: units.tolist() for name, units in plan_removal(census).units.items()}
    assert planned == {"some": [0, 2], "all": [1, 2], "none": []}


def test_posterior_rates_are_those_of_the_beta_prior() -> None:
    """A unit's rate given its count is beta distributed; its mean by SciPy."""
    from scipy.stats import beta

    from actilaw import fit

    counts = drawn()
    law, k = fit(counts).law, counts.counts
    expected = beta.mean(law.b + k, law.knee - law.b + counts.samples - k)
    working = k > 0
    np.testing.assert_allclose(posterior_rates(counts)[working], expected[working], rtol=1e-9)


def test_idle_units_have_the_rate_that_the_forecaster_expects() -> None:
    from actilaw import fit

    counts = drawn()
    risk = fit(counts).residual_risk(1)["expected"].iloc[0]
    np.testing.assert_allclose(posterior_rates(counts)[counts.idle_units], risk, rtol=1e-9)


@pytest.mark.slow
@given(st.floats(0.01, 0.9), st.integers(0, 50), st.sampled_from(["count", "posterior rate"]))
def test_the_samples_affected_stay_within_the_budget_and_no_further_unit_fits(
    budget: float, seed: int, ranking: str
) -> None:
    rng = np.random.default_rng(seed)
    census = Census(
        {
            name: ActivationCounts(rng.integers(0, 12, units), 500)
            for name, units in {"a": 7, "b": 30}.items()
        }
    )
    plan = plan_removal(census, budget, ranking=ranking)
    removed = np.concatenate([plan.rates[name][units] for name, units in plan.units.items()])
    assert plan.affected == pytest.approx(1 - np.prod(1 - removed), abs=1e-12)
    assert plan.affected <= budget + 1e-12
    for name, counts in census.items():
        assert plan.units[name].size < counts.units
        left = np.setdiff1d(np.arange(counts.units), plan.units[name])
        if left.size > 1:  # the rarest that is left would go beyond
            assert 1 - (1 - plan.affected) * (1 - plan.rates[name][left].min()) > budget


@pytest.mark.slow
def test_more_budget_never_removes_fewer_of_the_rarest() -> None:
    census = Census({"a": drawn(seed=1), "b": drawn(seed=2, b=1.0)})
    removed = [plan_removal(census, budget).units_removed for budget in (0.01, 0.05, 0.2, 0.6)]
    assert removed == sorted(removed)
    assert removed[0] < removed[-1]


def test_importance_decides_the_order() -> None:
    census = Census({"a": ActivationCounts(np.array([4, 4, 4, 4, 4]), 1000)})
    importance = {"a": [3.0, 1.0, 5.0, 2.0, 4.0]}
    for ranking in ("change", "rate x weight"):
        plan = plan_removal(census, 0.5, ranking=ranking, importance=importance)
        assert plan.units["a"].tolist() == [1, 3, 0, 4]


def test_layers_of_one_width_can_stay_of_one_width() -> None:
    census = Census(
        {
            "a": ActivationCounts(np.array([0, 0, 0, 1]), 4),
            "b": ActivationCounts(np.array([0, 2, 2, 1]), 4),
            "c": ActivationCounts(np.array([0, 0, 1]), 4),
        }
    )
    planned = plan_removal(census, equal_widths=True).units
    assert {name: units.size for name, units in planned.items()} == {"a": 1, "b": 1, "c": 2}


def test_the_risk_of_idle_units_is_the_forecasters() -> None:
    from actilaw import fit

    counts = drawn()
    risk = plan_removal(Census({"a": counts})).residual_risk(["1x", "10x"])
    expected = fit(counts).residual_risk(["1x", "10x"])
    np.testing.assert_allclose(risk["expected"], expected["expected"], rtol=1e-9)
    np.testing.assert_allclose(risk["bound"], expected["bound"], rtol=1e-9)
    assert (risk["lower"] <= risk["expected"]).all()
    assert (risk["expected"] <= risk["upper"]).all()


@pytest.mark.slow
def test_the_interval_of_the_risk_holds_what_then_happens() -> None:
    """Of 60 layers drawn with NumPy, at least 51 (95 % less three standard errors)."""
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rates = rng.beta(0.4, 30, 300)
        in_blocks = rng.binomial(64, rates, (16, 300))
        blocks = Blocks(in_blocks, np.full(16, 64), 64)
        counts = ActivationCounts(in_blocks.sum(0), 1024, blocks=blocks)
        plan = plan_removal(Census({"a": counts}))
        risk = plan.residual_risk(1024).iloc[0]
        woke = (rng.binomial(1024, rates[plan.units["a"]]) > 0).mean()
        inside += risk["lower"] <= woke <= risk["upper"]
    assert inside >= 51


def test_working_units_are_at_risk_by_their_rates() -> None:
    census = Census({"a": ActivationCounts(np.array([1, 2, 300, 500]), 1000)})
    plan = plan_removal(census, 0.02, ranking="count")
    rates = plan.rates["a"][[0, 1]]
    assert plan.units["a"].tolist() == [0, 1]
    row = plan.residual_risk(100).iloc[0]
    assert row["expected"] == pytest.approx(np.mean(1 - (1 - rates) ** 100))
    assert np.isnan(row["bound"])


@pytest.mark.slow
def test_the_law_stands_beside_what_is_removed() -> None:
    from actilaw import fit

    counts = drawn(units=3000)
    plan = plan_removal(Census({"a": counts}))
    table, law = plan.summary(), fit(counts).law
    b, c, n, d = law.b, law.active, law.units, counts.samples
    assert table.loc["a", "by_law"] == pytest.approx((b * n / (c * d + b * n)) ** b)
    assert table.loc["a", "share"] == counts.idle / counts.units
    later = plan.compressibility("10x").iloc[0]
    assert later["expected"] == pytest.approx(
        1 - fit(counts).forecast("10x")["expected"].iloc[0] / 3000
    )
    wider = plan.compressibility(units="4x")
    assert wider["units"].tolist() == [12_000]
    assert wider["expected"].iloc[0] > table.loc["a", "share"]


@pytest.mark.slow
def test_a_plan_needs_neither_a_model_nor_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from actilaw import ActivationCounts, Census, plan_removal\n"
        "counts = np.random.default_rng(0).binomial(99, np.linspace(0, 0.2, 50))\n"
        "census = Census({'a': ActivationCounts(counts, 99)})\n"
        "plan = plan_removal(census, 0.1)\n"
        "assert plan.units_removed and len(plan.summary()) == len(plan.residual_risk(9)) == 1\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_impossible_plans_are_refused() -> None:
    census = Census({"a": ActivationCounts(np.array([0, 1, 5]), 9)})
    refused = {
        "one of idle, count": {"budget": 0.1, "ranking": "size"},
        "expected a budget, the share": {"ranking": "count"},
        "none with that": {"budget": 0.1, "ranking": "idle"},
        "expected importance=": {"budget": 0.1, "ranking": "change"},
        "for each of the 3 units of layer 'a'": {
            "budget": 0.1,
            "ranking": "change",
            "importance": {"a": [1.0]},
        },
        "budget": {"budget": 1.5},
    }
    for said, arguments in refused.items():
        with pytest.raises(InputError, match=said):
            plan_removal(census, **arguments)
    with pytest.raises(InputError, match="expected a Census"):
        plan_removal({"a": 1})  # type: ignore[arg-type]
