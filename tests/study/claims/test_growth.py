from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from actilaw.study.claims.growth import MOST_LOG_SE, fit_growth

SAMPLES = np.geomspace(4, 1e5, 9)


def shares(b: float, knee: float) -> np.ndarray:
    return 1 - (1 + SAMPLES / knee) ** -b


def test_growth_is_fitted_to_shares_of_the_law() -> None:
    found = fit_growth(SAMPLES, shares(0.7, 300))
    assert found is not None
    assert (found.b, found.inflection) == pytest.approx((0.7, 300 / 0.7), rel=1e-4)


def test_an_exponent_at_the_bound_of_the_search_is_none_but_the_inflection_stays() -> None:
    """K/N = 1 − exp(−D/s) is the law's limit of b to infinity, where D*/b goes to s."""
    found = fit_growth(SAMPLES, 1 - np.exp(-SAMPLES / 300))
    assert found is not None
    assert np.isnan(found.b)
    assert found.inflection == pytest.approx(300, rel=0.01)


@pytest.mark.parametrize("noise", [0.002, 0.01, 0.05])
@pytest.mark.parametrize("b", [0.7, 5.0])
def test_exponents_with_a_large_standard_error_are_none(b: float, noise: float) -> None:
    """The standard error of log b is that of SciPy's curve_fit."""

    def law(d: np.ndarray, log_b: float, log_knee: float) -> np.ndarray:
        return 1 - (1 + d / np.exp(log_knee)) ** -np.exp(log_b)

    share = shares(b, 300 * b) + noise * np.random.default_rng(0).normal(size=SAMPLES.size)
    found = fit_growth(SAMPLES, share)
    best, covariance = curve_fit(law, SAMPLES, share, (np.log(b), np.log(300 * b)))
    is_known = np.sqrt(covariance[0, 0]) <= MOST_LOG_SE and best[0] < 6
    assert found is not None
    assert np.isfinite(found.b) == is_known
    if is_known:
        assert found.b == pytest.approx(np.exp(best[0]), rel=1e-2)


def test_too_few_sizes_and_shares_that_hardly_rise_show_no_growth() -> None:
    assert fit_growth(SAMPLES[:3], shares(0.7, 300)[:3]) is None
    assert fit_growth(SAMPLES, 0.5 + 0.1 * shares(0.7, 300)) is None
