"""The loss law, and the mean of 1/count, against sums and slopes taken by other means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from actilaw.errors import InputError
from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.loss_law import LossLaw, LossSurface, mean_reciprocal_count

LAW = LossLaw(1.5, 4.0, 1000.0, 0.4)


def test_loss_is_a_plateau_a_knee_and_a_power_law():
    assert LAW.loss(0) == LAW.plateau == 5.5
    assert LAW.loss(1000) == pytest.approx(1.5 + 4 * 2**-0.4)
    assert LAW.loss(1e30) == pytest.approx(1.5, rel=1e-9)
    far = np.array([1e9, 1e10])
    assert np.diff(np.log(LAW.loss(far) - 1.5)) / np.log(10) == pytest.approx(-0.4, rel=1e-5)


@given(st.floats(0.1, 1e7))
def test_local_slope_is_the_slope_of_the_logarithm(samples):
    step = 1e-4
    high, low = (np.log(LAW.loss(samples * np.exp(s)) - LAW.floor) for s in (step, -step))
    assert LAW.local_slope(samples) == pytest.approx((high - low) / (2 * step), rel=1e-5, abs=1e-9)


@given(st.floats(1.6, 5.49))
def test_samples_for_inverts_the_loss(loss):
    assert LAW.loss(LAW.samples_for(loss)) == pytest.approx(loss, rel=1e-10)


def test_the_surface_moves_the_knee_with_the_width():
    surface = LossSurface(1.5, 4.0, 10.0, 0.4)
    assert surface.at(2000).knee == pytest.approx(80)
    assert surface.loss(2000, 300) == pytest.approx(surface.at(2000).loss(300))
    assert surface.loss(4000, 600) == pytest.approx(surface.loss(2000, 300))  # only N/D matters
    assert surface.loss([[100], [200]], [1, 10, 100]).shape == (2, 3)
    removable = (surface.loss(500, 300) - 1.5) / 4
    assert removable == pytest.approx(ActivationLaw(500, 10, 0.4).idle_fraction(300, exact=False))


@pytest.mark.parametrize(
    ("units", "active", "b", "samples"),
    [
        (1000, 10, 0.5, 50),
        (50, 1, 0.3, 1000),
        (1e6, 100, 0.5, 10**5),
        (1000, 999.9, 0.5, 20_000),
        (1000, 10, 2.5, 30_000),
    ],
)
def test_mean_of_one_over_count_is_its_sum(units, active, b, samples):
    law, k = ActivationLaw(units, active, b), np.arange(1, samples + 1)
    p = stats.betabinom(samples, b, law.beta).pmf(k) if units < 1e6 else law.count_pmf(k, samples)
    expected = (p / k).sum() / p.sum()
    assert mean_reciprocal_count(law, samples) == pytest.approx(expected, rel=1e-9)


def test_mean_of_one_over_count_at_1e18_samples_continues_its_power_law():
    """For b < 1 its exponent is b; for b > 1 it is 1: it stops following the loss."""
    for b, exponent in ((0.3, 0.3), (0.5, 0.5), (2.0, 1.0)):
        law = ActivationLaw(1e5, 50, b)
        fall = np.log(
            mean_reciprocal_count(law, 10**18) / mean_reciprocal_count(law, 10**16)
        ) / np.log(100)
        assert fall == pytest.approx(-exponent, abs=1e-3)
    expected = np.mean(
        1 / np.random.default_rng(5).beta(2.0, ActivationLaw(1e5, 50, 2.0).beta, size=400_000)
    )
    assert mean_reciprocal_count(law, 10**18) == pytest.approx(
        expected / 1e18, rel=0.02
    )  # counts are rates times D


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: LossLaw(-1, 1, 1, 1),
            r"expected floor >= 0 and positive finite amplitude.*floor=-1",
        ),
        (
            lambda: LossLaw(0, 1, 1, np.nan),
            r"expected floor >= 0 and positive finite amplitude.*b=nan",
        ),
        (lambda: LAW.loss(-1), "expected finite samples >= 0, but got -1"),
        (
            lambda: LAW.samples_for(1.5),
            "expected a loss above the floor 1.5 and at most the plateau 5.5, but got 1.5",
        ),
        (lambda: LossSurface(1, 1, 0, 1), "expected a finite active > 0, but active=0"),
        (lambda: LossSurface(1, 1, 5, 1).loss(4, 1), "expected size > active=5, but got 4"),
        (
            lambda: mean_reciprocal_count(ActivationLaw(5, 1, 1), 0),
            r"expected whole samples in 1..*, but got 0",
        ),
    ],
)
def test_a_mistake_is_named_with_its_numbers(mistake, message):
    with pytest.raises(InputError, match=message):
        mistake()
