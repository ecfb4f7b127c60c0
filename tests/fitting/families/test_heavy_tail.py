"""The heavy-tailed law of counts, against gamma functions of 50 digits, quadrature and SciPy."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import betabinom

from actilaw.fitting.families.heavy_tail import HeavyTail
from actilaw.fitting.families.mixture import Family


def exact_heavy(k: int, samples: int, s: float, beta: float, m: float) -> float:
    """ln P(k) by gamma functions of 50 digits, where their differences leave enough."""
    with mpmath.workdps(50):

        def part(a: mpmath.mpf) -> mpmath.mpf:
            return mpmath.gamma(a) * (
                mpmath.gammaprod([beta], [beta + a]) - mpmath.gammaprod([beta + m], [beta + m + a])
            )

        s, beta, m, rest = mpmath.mpf(s), mpmath.mpf(beta), mpmath.mpf(m), samples - k
        scale, beta = part(-s), beta + rest
        return float(mpmath.log(mpmath.binomial(samples, k) * part(k - s) / scale))


@pytest.mark.parametrize("samples", [20, 10**9, 10**15])
@pytest.mark.parametrize("t", [2.3, 1.2, 1.001, 1.00003, 0.99997, 0.999, 0.7, 0.1])
@pytest.mark.parametrize(("beta", "m"), [(0.4, 30.0), (25.0, 2000.0), (5.0, 0.5), (3.0, 1e9)])
def test_heavy_is_its_closed_form_to_the_last_digits(
    samples: int, t: float, beta: float, m: float
) -> None:
    family, parameters = Family((HeavyTail(),)), np.log([t, beta, m])
    t, beta, m = np.exp(parameters)
    k = [0, 1, 2, 7, samples // 2, samples - 1, samples]
    with mpmath.workdps(50):
        exact = [exact_heavy(one, samples, 1 - mpmath.mpf(t), beta, m) for one in k]
    np.testing.assert_allclose(
        family.log_pmf(parameters, np.array(k), samples), exact, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("s", [-0.8, -1e-4, 1e-4, 0.5, 0.9])
def test_heavy_is_the_integral_over_its_rates(s: float) -> None:
    beta, m, n = 3.0, 50.0, 12

    def integral(k: int) -> float:
        """∫ of the density times p^k (1−p)^(n−k), over the logarithm of p."""

        def density(log_p: float) -> float:
            rest = np.log1p(-np.exp(log_p))
            return np.exp((k - s) * log_p + (beta - 1 + n - k) * rest) * -np.expm1(m * rest)

        return sum(
            quad(density, a, b, epsabs=0)[0]
            for a, b in ((-300, -40), (-40, -8), (-8, -2), (-2, -1e-12))
        )

    weights = np.array([integral(k) * float(mpmath.binomial(n, k)) for k in range(n + 1)])
    log_p = Family((HeavyTail(),)).log_pmf(np.log([1 - s, beta, m]), np.arange(n + 1), n)
    np.testing.assert_allclose(np.exp(log_p), weights / weights.sum(), rtol=1e-6)


def test_heavy_with_many_earlier_samples_is_the_law() -> None:
    k = np.arange(41)
    log_p = Family((HeavyTail(),)).log_pmf(np.array([np.log(1.4), np.log(7.0), 45.0]), k, 40)
    np.testing.assert_allclose(log_p, betabinom.logpmf(k, 40, 0.4, 7), atol=1e-6)
