from __future__ import annotations

import numpy as np
import pytest

from actilaw import LossLaw, fit_loss
from actilaw.errors import InputError

SIZES = np.geomspace(10, 1e5, 12)
TRUTH = LossLaw(floor=0.2, amplitude=3.0, knee=300.0, b=0.6)


def noisy(seed: int, scatter: float = 0.02) -> np.ndarray:
    curve = TRUTH.floor + TRUTH.amplitude * (1 + SIZES / TRUTH.knee) ** -TRUTH.b
    return curve * np.exp(np.random.default_rng(seed).normal(0, scatter, SIZES.size))


def test_a_curve_without_noise_gives_its_law_back() -> None:
    law = fit_loss(SIZES, noisy(0, scatter=0)).law
    assert [law.floor, law.amplitude, law.knee, law.b] == pytest.approx([0.2, 3.0, 300.0, 0.6], rel=1e-5)


def test_the_truth_lies_within_the_standard_errors_as_often_as_it_should() -> None:
    fits = [fit_loss(SIZES, noisy(seed)) for seed in range(100)]
    off = np.array([(fitted.b - TRUTH.b) / fitted.standard_errors["b"] for fitted in fits])
    print(f"(b - truth) / standard error: mean {off.mean():+.2f}, scatter {off.std():.2f}")
    assert np.mean(np.abs(off) < 2.31) > 0.85  # the 95 % point of Student's t with 8 degrees of freedom


def test_intervals_hold_the_next_loss_as_often_as_they_say() -> None:
    inside = []
    for seed in range(200):
        later = TRUTH.loss(1e6) * np.exp(np.random.default_rng(1000 + seed).normal(0, 0.02))
        told = fit_loss(SIZES, noisy(seed)).interval(1e6).iloc[0]
        inside.append(told.lower <= later <= told.upper)
    print(f"95 % intervals held {np.mean(inside):.1%} of 200 draws")
    assert np.mean(inside) > 0.95 - 5 * 0.0154


def test_the_unit_of_samples_and_of_loss_does_not_matter() -> None:
    one, other = fit_loss(SIZES, noisy(1)), fit_loss(1000 * SIZES, 5 * noisy(1))
    assert other.b == pytest.approx(one.b, rel=1e-4)
    assert other.knee == pytest.approx(1000 * one.knee, rel=1e-3)
    assert other.floor == pytest.approx(5 * one.floor, rel=1e-3)


def test_a_pure_power_law_says_that_its_knee_is_not_determined() -> None:
    fitted = fit_loss(SIZES, 5 * SIZES**-0.4)
    assert fitted.b == pytest.approx(0.4, rel=0.02)
    assert {"amplitude", "knee"} <= set(fitted.undetermined)
    assert fitted.floor < 0.01 * fitted.loss.min()
    assert fitted.standard_errors["knee"] == np.inf
    np.testing.assert_allclose(fitted.predict(SIZES), 5 * SIZES**-0.4, rtol=0.01)


@pytest.mark.parametrize(
    ("samples", "loss", "message"),
    [
        ([1, 2, 3], [1, 2], r"of one shape \(n,\), but got \(3,\) and \(2,\)"),
        ([1, 2, 3, 4, 0], [1, 1, 1, 1, 1], "positive, finite samples, but 1 of 5"),
        ([1, 2, 3, 4, 5], [1, 1, 1, np.nan, 1], "positive, finite loss, but 1 of 5"),
        ([1, 2, 3, 4, 4], [5, 4, 3, 2, 1], "at least 5 different sizes, but got 4"),
    ],
)
def test_losses_that_cannot_be_fitted_are_refused(samples: list, loss: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_loss(samples, loss)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="expected form='activation', but got 'line'"):
        fit_loss(SIZES, noisy(0), form="line")
