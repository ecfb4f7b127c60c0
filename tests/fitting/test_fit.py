"""Maximum-likelihood fits, against SciPy and on draws of known laws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import betabinom

from actilaw import ActivationCounts, Census, fit
from actilaw.errors import CountsError, InputError
from builders.drawn import draw_counts


def scipy_fit(counts: ActivationCounts) -> tuple[float, float]:
    """(c, b) by direct maximisation of SciPy's beta-binomial, over all units one by one."""

    def loss(parameters: np.ndarray) -> float:
        return -betabinom.logpmf(counts.counts, counts.samples, *np.exp(parameters)).sum()

    best = minimize(
        loss,
        [0.0, 3.0],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 2000},
    )
    b, beta = np.exp(best.x)
    return counts.units * b / (b + beta), b


@pytest.mark.slow
@pytest.mark.parametrize("b", [0.1, 0.3, 0.7])
def test_fit_recovers_the_truth_and_agrees_with_scipy(b: float) -> None:
    counts = draw_counts(units=4000, active=60, b=b, samples=800, seed=int(100 * b))
    fitted = fit(counts)
    off = (fitted.law.b - b) / fitted.standard_errors["b"]
    print(f"b={b}: fitted {fitted.law.b:.4f}, {off:+.2f} standard errors off")
    assert abs(off) < 5
    assert abs(fitted.law.active - 60) < 5 * fitted.standard_errors["active"]
    for name, by_scipy in zip(("active", "b"), scipy_fit(counts), strict=True):
        assert getattr(fitted.law, name) == pytest.approx(
            by_scipy, abs=1e-3 * fitted.standard_errors[name]
        )


@pytest.mark.slow
def test_the_standard_errors_are_those_of_repeated_draws() -> None:
    fits = [
        fit(draw_counts(units=1000, active=30, b=0.4, samples=300, seed=seed))
        for seed in range(300)
    ]
    scatter = np.std([fitted.law.b for fitted in fits])
    stated = np.mean([fitted.standard_errors["b"] for fitted in fits])
    print(f"scatter of b {scatter:.5f}, stated {stated:.5f}")
    assert stated == pytest.approx(
        scatter, rel=0.15
    )  # the scatter of 300 draws is itself known to 4 %


def test_log_likelihood_is_scipys(counts: ActivationCounts) -> None:
    law = fit(counts).law
    by_scipy = betabinom.logpmf(counts.counts, counts.samples, law.b, law.knee - law.b).sum()
    assert fit(counts).log_likelihood == pytest.approx(by_scipy, rel=1e-10)


def test_the_order_of_units_does_not_matter(counts: ActivationCounts) -> None:
    shuffled = ActivationCounts(np.random.default_rng(0).permutation(counts.counts), counts.samples)
    pd.testing.assert_frame_equal(fit(shuffled).summary(), fit(counts).summary())


@pytest.mark.parametrize(
    ("counts", "samples", "message"),
    [
        ([0, 0, 0], 9, "no unit was ever activated"),
        ([9, 9, 9], 9, "every unit was activated by every sample"),
        ([4, 4, 4], 9, "counts vary no more than chance"),
        ([1, 0, 2, 1], 9, "counts vary no more than chance"),
        ([3], 9, "at least 2 units and 2 samples"),
        ([1, 0], 1, "at least 2 units and 2 samples"),
        ([0, 9, 0, 9, 9], 9, "no maximum within reach"),
    ],
)
def test_counts_without_a_law_are_refused_with_the_reason(
    counts: list[int], samples: int, message: str
) -> None:
    with pytest.raises(CountsError, match=message):
        fit(ActivationCounts(np.array(counts), samples))


def test_activations_that_were_nan_are_refused() -> None:
    with pytest.raises(CountsError, match="3 of 9 samples had NaN or infinite ones"):
        fit(ActivationCounts(np.array([1, 5, 9]), 9, nonfinite=3))


def test_an_unknown_family_is_refused(counts: ActivationCounts) -> None:
    with pytest.raises(InputError, match=r"expected family to be one of law.* but got 'gauss'"):
        fit(counts, "gauss")


def test_a_census_is_not_a_layer() -> None:
    with pytest.raises(
        InputError,
        match=r'expected ActivationCounts of one layer, as census\["relu"\], but got Census',
    ):
        fit(Census({"relu": draw_counts(400, 20, 0.3, 500, seed=2)}))


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=30))
def test_any_counts_are_fitted_or_refused_never_worse(counts: list[int]) -> None:
    try:
        fitted = fit(ActivationCounts(np.array(counts), 6))
    except CountsError:
        return
    assert fitted.law.b > 0
    assert np.all(np.linalg.eigvalsh(fitted.clustered_covariance) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [10**9, 10**12, 10**15])
def test_fit_recovers_the_truth_at_any_number_of_samples(samples: int) -> None:
    for seed in range(5):
        rates = np.random.default_rng(seed).beta(0.3, 20, 800)
        fitted = fit(ActivationCounts(np.rint(samples * rates).astype(np.int64), samples))
        assert abs(fitted.law.b - 0.3) < 5 * fitted.standard_errors["b"]


def test_the_module_and_the_function_have_names_of_their_own() -> None:
    import actilaw
    import actilaw.fitting.fit as module

    assert module.fit is actilaw.fit
