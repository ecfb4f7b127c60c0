from __future__ import annotations

from itertools import combinations

import mpmath
import numpy as np
import pytest
from hypothesis import given

from actilaw import ActivationCounts
from actilaw.errors import InputError
from builders.strategies import SAMPLES, small_layers


def test_rarefied_is_the_mean_over_every_subset_of_samples() -> None:
    fired = np.random.default_rng(3).random((7, 5)) < 0.25  # (samples, units)
    layer = ActivationCounts(fired.sum(0), 7)
    for d in range(8):
        by_enumeration = np.mean(
            [fired[list(part)].any(0).sum() for part in combinations(range(7), d)]
        )
        assert layer.rarefied(d) == pytest.approx(by_enumeration, rel=1e-12)


@given(small_layers)
def test_rarefied_rises_from_nothing_through_active_to_working(layer: ActivationCounts) -> None:
    curve = layer.rarefied(np.arange(SAMPLES + 1))
    assert curve[0] == pytest.approx(0, abs=1e-12)
    assert curve[1] == pytest.approx(layer.active)
    assert curve[-1] == pytest.approx(layer.working)
    assert np.all(np.diff(curve) >= -1e-9)


@pytest.mark.parametrize("samples", [-1, 8, 2.5])
def test_rarefied_looks_only_inside_the_samples(samples: float) -> None:
    with pytest.raises(InputError, match=r"whole numbers in 0\.\.7"):
        ActivationCounts(np.array([1]), 7).rarefied(samples)


@pytest.mark.parametrize(
    ("total", "count", "d"), [(10**9, 5, 10**8), (10**12, 1000, 10**9), (10**15, 2, 10**14)]
)
def test_rarefied_keeps_its_digits_at_any_number_of_samples(total: int, count: int, d: int) -> None:
    with mpmath.workdps(60):
        gone = mpmath.loggamma(total - count + 1) - mpmath.loggamma(total - count - d + 1)
        exact = 1 - mpmath.exp(gone - mpmath.loggamma(total + 1) + mpmath.loggamma(total - d + 1))
    assert ActivationCounts(np.array([count]), total).rarefied(d) == pytest.approx(
        float(exact), rel=1e-12
    )
