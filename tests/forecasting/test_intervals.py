"""Intervals and the bound of Good and Turing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import betainc, expit, logit
from scipy.stats import binom

from actilaw import ActivationCounts, fit
from actilaw.forecasting.intervals import count_interval, share_interval


@pytest.mark.parametrize("units", [40, 3000])
def test_an_interval_of_a_known_share_is_binomial(units: int) -> None:
    lower, upper = count_interval(
        units, np.array([0.3]), np.array([0.0]), overdispersion=1.0, level=0.9
    )
    by_scipy = binom.ppf([0.05, 0.95], units, 0.3)
    assert abs(lower[0] - by_scipy[0]) <= 1
    assert abs(upper[0] - by_scipy[1]) <= 1


def test_an_interval_holds_what_it_says() -> None:
    rng = np.random.default_rng(0)
    odds, sd, units, overdispersion = -1.0, 0.4, 2000, 5.0
    share = 1 / (1 + np.exp(-rng.normal(odds, sd, 20_000)))
    groups = (
        rng.binomial(int(units / overdispersion), share) * overdispersion
    )  # units wake five at a time
    lower, upper = count_interval(
        units,
        np.array([1 / (1 + np.exp(-odds))]),
        np.array([sd**2]),
        overdispersion=overdispersion,
        level=0.95,
    )
    assert np.mean((lower <= groups) & (groups <= upper)) == pytest.approx(0.95, abs=0.01)


def quantile_by_dense_quadrature(
    units: float, share: float, variance: float, overdispersion: float, probability: float
) -> float:
    """Log odds of the quantile of beta distributions averaged over 8,001 values of the error."""
    z = np.linspace(-8, 8, 8001)
    weights = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    shares, size = expit(logit(share) + np.sqrt(variance) * z), units / overdispersion

    def excess(log_odds: float) -> float:
        below = betainc(size * shares, size * (1 - shares), expit(log_odds))
        return float(below @ weights) - probability

    return float(brentq(excess, -600, 30))


@pytest.mark.parametrize("units", [40, 300, 700, 2000, 20_000, 1_000_000])
@pytest.mark.parametrize("overdispersion", [1.0, 8.0])
def test_bounds_of_narrow_and_wide_layers_are_those_of_dense_quadrature(
    units: int, overdispersion: float
) -> None:
    for share, level in ((0.3, 0.5), (0.3, 0.9), (0.02, 0.95), (0.6, 0.998)):
        found = share_interval(
            units,
            np.array([share]),
            np.array([0.1]),
            overdispersion=overdispersion,
            level=level,
        )
        for bound, probability in zip(found, ((1 - level) / 2, (1 + level) / 2), strict=True):
            known = quantile_by_dense_quadrature(units, share, 0.1, overdispersion, probability)
            assert bound[0] == pytest.approx(expit(known), rel=0.015, abs=1e-9)


def test_the_risk_of_an_idle_unit_lies_below_good_and_turings_bound() -> None:
    rng = np.random.default_rng(7)
    rates = rng.beta(0.4, 40, 3000)
    first = rng.binomial(300, rates)
    idle = rates[first == 0]
    table = fit(ActivationCounts(first, 300)).residual_risk([1, 30, 300])
    truth = [np.mean(-np.expm1(more * np.log1p(-idle))) for more in (1, 30, 300)]
    assert list(table.columns) == ["more", "expected", "lower", "upper", "bound"]
    assert np.all((table["lower"] <= truth) & (truth <= table["upper"]))
    assert np.all(truth <= table["bound"])
    assert table["bound"][0] == pytest.approx(1.1 * truth[0], rel=0.35)  # and it is not a loose one
