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
    assert [law.floor, law.amplitude, law.knee, law.b] == pytest.approx(
        [0.2, 3.0, 300.0, 0.6], rel=1e-5
    )


def test_the_truth_lies_within_the_standard_errors_as_often_as_it_should() -> None:
    fits = [fit_loss(SIZES, noisy(seed)) for seed in range(100)]
    off = np.array([(fitted.b - TRUTH.b) / fitted.standard_errors["b"] for fitted in fits])
    print(f"(b - truth) / standard error: mean {off.mean():+.2f}, scatter {off.std():.2f}")
    assert (
        np.mean(np.abs(off) < 2.31) > 0.85
    )  # the 95 % point of Student's t with 8 degrees of freedom


def test_intervals_hold_the_next_loss_as_often_as_they_say() -> None:
    inside = []
    for seed in range(100):
        later = TRUTH.loss(1e6) * np.exp(np.random.default_rng(1000 + seed).normal(0, 0.02))
        told = fit_loss(SIZES, noisy(seed)).forecast(1e6).iloc[0]
        inside.append(told.lower <= later <= told.upper)
    print(f"95 % intervals held {np.mean(inside):.1%} of 100 draws")
    assert np.mean(inside) > 0.95 - 4 * 0.022


def test_intervals_hold_the_next_loss_also_before_the_knee_is_passed() -> None:
    truth, sizes = LossLaw(0.2, 3, 3000, 0.5), np.repeat([5, 20, 80, 320, 1347], 3)
    inside = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        told = (
            fit_loss(sizes, truth.loss(sizes) * np.exp(rng.normal(0, 0.05, sizes.size)))
            .forecast(13_470)
            .iloc[0]
        )
        inside.append(told.lower <= truth.loss(13_470) * np.exp(rng.normal(0, 0.05)) <= told.upper)
    print(f"95 % intervals held {np.mean(inside):.1%} of 30 draws")
    assert np.mean(inside) > 0.95 - 3 * 0.04


def test_intervals_amid_the_data_are_as_narrow_as_their_scatter() -> None:
    told = fit_loss(SIZES, noisy(0)).forecast(1000).iloc[0]
    assert 2 * 1.96 * 0.01 < np.log(told.upper / told.lower) < 2 * 2.31 * 0.04


@pytest.mark.parametrize(
    "losses", [[1e-4, 3, 2, 1, 0.9, 0.8], [1, 1.1, 1.2, 1.5, 1.7, 2.0], 1e300 * SIZES[:6] ** -0.3]
)
def test_curves_of_any_shape_are_fitted_and_doubt_is_said(losses: list[float]) -> None:
    fitted = fit_loss(SIZES[:6], losses)
    assert fitted.undetermined
    assert all(error > 0 for error in fitted.standard_errors.values())


@pytest.mark.parametrize("samples", [0, -5, np.nan, [[1, 2]]])
def test_losses_are_told_for_positive_sizes_alone(samples: float) -> None:
    with pytest.raises(InputError, match="positive, finite samples"):
        fit_loss(SIZES, noisy(0)).forecast(samples)


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
    with pytest.raises(
        InputError, match=r"expected form=.activation. or one of power, .*, but got .line."
    ):
        fit_loss(SIZES, noisy(0), form="line")
