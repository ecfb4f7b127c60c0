"""Digits: every probability against 120-digit arithmetic, over the whole range that users can
reach.
"""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.beta_binomial import cdf, count_bins, log_pmf
from actilaw.theory.log_gamma import (
    digamma_step,
    log_beta_ratio,
    log_beta_ratio_slope,
    log_binomial,
)
from builders.exact import answers, corners, log_beta, scattered

SEED = 20241218


def ours(p) -> dict[str, float]:
    law = ActivationLaw(p.units, p.active, p.b)
    return {
        "idle_fraction": float(law.idle_fraction(p.samples, exact=True)),
        "working": float(law.working(p.samples)),
        "count_pmf": float(law.count_pmf(p.k, p.samples)),
        "wake_probability": float(law.wake_probability(p.samples, p.more)),
    }


def relative_error(got: float, expected: mp.mpf) -> float:
    return float(abs(mp.mpf(got) / expected - 1))


@pytest.mark.slow
def test_the_law_agrees_with_120_digits_everywhere():
    print("seed", SEED)
    worst = dict.fromkeys(("idle_fraction", "working", "count_pmf", "wake_probability"), 0.0)
    for point in corners() + scattered(np.random.default_rng(SEED), 800):
        got = ours(point)
        for name, expected in answers(point).items():
            if expected > 1e-300:
                worst[name] = max(worst[name], relative_error(got[name], expected))
    print("worst relative errors", worst)
    assert max(worst.values()) < 1e-10
    assert worst["working"] < 1e-14
    assert worst["wake_probability"] < 1e-14


def test_a_hundred_thousandth_of_a_unit_keeps_its_digits():
    law = ActivationLaw(1e12, 1e-5, 1e-6)  # its knee is at 1e11 samples
    assert law.working(1) == pytest.approx(1e-5, rel=1e-14)
    assert law.working(10**18) == pytest.approx(1e6 * np.log1p(1e7), rel=1e-5)


@pytest.mark.slow
def test_the_mixed_difference_of_log_gamma_keeps_all_digits():
    rng = np.random.default_rng(SEED)
    x = np.concatenate((10 ** rng.uniform(-22, 25, 300), 10 ** rng.uniform(-2, 3, 300)))
    m, s = 10 ** rng.uniform(0, 18, 600), 10 ** rng.uniform(-6, 18, 600)
    with mp.workdps(120):
        for x_, m_, s_, got in zip(
            *(a.tolist() for a in (x, m, s, log_beta_ratio(x, m, s))), strict=True
        ):
            exact = log_beta(mp.mpf(x_) + m_, mp.mpf(s_)) - log_beta(mp.mpf(x_), mp.mpf(s_))
            assert relative_error(got, exact) < 2e-15, (x_, m_, s_)


def test_digamma_differences_keep_their_digits():
    rng = np.random.default_rng(SEED)
    x, m, s = (
        10 ** rng.uniform(-6, 20, 200),
        10 ** rng.uniform(0, 18, 200),
        10 ** rng.uniform(-6, 3, 200),
    )
    steps, slopes = digamma_step(x, m).tolist(), log_beta_ratio_slope(x, m, s).tolist()
    with mp.workdps(80):
        for i in range(200):
            x_, m_, s_ = mp.mpf(x[i]), mp.mpf(m[i]), mp.mpf(s[i])
            step = mp.psi(0, x_ + m_) - mp.psi(0, x_)
            assert relative_error(steps[i], step) < 2e-15
            assert (
                relative_error(slopes[i], step - mp.psi(0, x_ + s_ + m_) + mp.psi(0, x_ + s_))
                < 1e-10
            )


def test_scipy_agrees_where_it_is_safe():
    law = ActivationLaw(300, 20, 0.4)
    k = np.arange(1001)
    assert law.count_pmf(k, 1000) == pytest.approx(
        stats.betabinom(1000, 0.4, law.beta).pmf(k), rel=1e-9
    )
    assert law.count_cdf(k, 1000) == pytest.approx(
        stats.betabinom(1000, 0.4, law.beta).cdf(k), rel=1e-9
    )


@pytest.mark.parametrize("concentration", [1e6, 1e15, 1e19])
def test_large_concentrations_tend_to_the_binomial(concentration):
    got = log_pmf(500, 500, concentration / 2, concentration / 2)
    assert got == pytest.approx(
        stats.binom(1000, 0.5).logpmf(500), abs=2 * 1000 / concentration + 1e-11
    )


# Samples, b, β: the corners of the range, and shapes with a mode, a hole, one or two humps.
LAWS = [
    (10**18, 1e3, 1e3),
    (10**18, 1e-6, 1e-6),
    (10**18, 1e-6, 1e3),
    (10**18, 1e3, 1e-15),
    (10**18, 1e3, 1e15),
    (10**18, 0.3, 1e21),
    (10**15, 0.5, 5e5),
    (10**6, 0.5, 0.3),
    (10**9, 1.0, 1.0),
    (40000, 1e3, 2e3),
    (1, 0.5, 2.0),
]


@pytest.mark.parametrize(("samples", "b", "beta"), LAWS)
def test_probabilities_of_all_counts_sum_to_one(samples, b, beta):
    bins = count_bins(samples, b, beta)
    assert bins.first[0] == 0
    assert bins.last[-1] == samples
    assert np.all(bins.first[1:] == bins.last[:-1] + 1)
    assert bins.mass.sum() == pytest.approx(1, abs=2e-11)


@pytest.mark.slow
@given(st.floats(0, 18).map(lambda e: int(10**e)), st.floats(-6, 3), st.floats(-12, 15))
def test_bins_of_any_law_tile_all_counts_and_sum_to_one(samples, log_b, log_beta):
    bins = count_bins(samples, 10**log_b, 10**log_beta)
    assert bins.first[0] == 0
    assert bins.last[-1] == samples
    assert np.all(bins.first[1:] == bins.last[:-1] + 1)
    assert bins.mass.sum() == pytest.approx(1, abs=2e-11)
    assert np.all((bins.evenness >= 0) & (bins.evenness <= 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("b", "beta"), [(0.5, 0.3), (1e3, 1e3), (1e3, 2e4), (1e-6, 5.0), (30.0, 1e-3)]
)
def test_the_cdf_is_the_sum_of_probabilities(b, beta):
    n = 500_000
    k = np.arange(n + 1)
    summed = np.cumsum(np.exp(log_pmf(k, n - k, b, beta)))
    got = count_bins(n, b, beta).cdf(k[::97])
    likely = summed[::97] > 1e-12
    assert got[likely] == pytest.approx(summed[::97][likely], rel=1e-10)
    assert got[~likely] == pytest.approx(summed[::97][~likely], rel=1e-7, abs=1e-100)


@settings(max_examples=30)
@given(st.floats(0.01, 20), st.floats(0.01, 500), st.integers(2, 60_000), st.floats(0, 1))
def test_the_cdf_without_the_bins_beyond_is_the_same(b, beta, samples, reach):
    k = np.unique(np.linspace(0, reach * samples, 7).astype(int))
    whole = count_bins(samples, b, beta).cdf(k)
    np.testing.assert_allclose(cdf(k, samples, b, beta), whole, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(("b", "beta"), [(0.5, 0.3), (1e3, 1e3), (30.0, 1e-3), (0.3, 1e2)])
def test_the_cdf_at_1e18_samples_is_that_of_the_hidden_rate(b, beta):
    """P(count <= k) = E I_Q(b, β) with Q ~ Beta(k+1, n−k), to second order in the tiny spread of
    Q.
    """
    n = 10**18
    bins = count_bins(n, b, beta)
    for k in (10**15, 10**17, 3 * 10**17, 5 * 10**17 + 1, 999 * 10**15):
        with mp.workdps(50):
            q = mp.mpf(k + 1) / (n + 1)
            density = mp.exp(
                (b - 1) * mp.log(q) + (beta - 1) * mp.log(1 - q) - log_beta(mp.mpf(b), mp.mpf(beta))
            )
            bend = density * ((b - 1) / q - (beta - 1) / (1 - q)) * q * (1 - q) / (n + 2) / 2
            expected = mp.betainc(b, beta, 0, q, regularized=True) + bend
        if expected > 1e-250:
            assert relative_error(float(bins.cdf(k)), expected) < 1e-10


@pytest.mark.parametrize(("n", "k"), [(0, 0), (7, 3), (10**6, 30), (10**12, 30), (10**15, 30)])
def test_log_binomial_keeps_its_digits_at_any_number_of_samples(n: int, k: int) -> None:
    with mp.workdps(60):
        exact = float(mp.log(mp.binomial(n, k)))
    assert log_binomial(n, k) == pytest.approx(exact, rel=1e-12, abs=1e-12)
