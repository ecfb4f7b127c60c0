"""Intervals: the textbook's where the curve is a line, brute force where it is not, and how often
they hold.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.stats import t as student

from actilaw import LossLaw, fit_loss
from actilaw.errors import InputError

SIZES = np.geomspace(10, 1e5, 12)
TRUTH = LossLaw(floor=0.2, amplitude=3.0, knee=300.0, b=0.6)
EVEN = 0.02 * np.array([1, -1, 1, 1, -1, -1, 1, -1, 1, -1, -1, 1])  # no residual is far out


def noisy(seed: int, scatter: float = 0.02, off: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, scatter, SIZES.size)
    noise[rng.choice(SIZES.size, off, replace=False)] += 10 * scatter
    return TRUTH.loss(SIZES) * np.exp(noise)


def test_on_a_pure_power_law_intervals_are_those_of_a_straight_line() -> None:
    x, y = np.log(SIZES), np.log(5 * SIZES**-0.4) + EVEN
    design = np.stack([np.ones(12), x], axis=1)
    line, squares, *_ = np.linalg.lstsq(design, y, rcond=None)
    s, inverse, t = (
        np.sqrt(squares[0] / 10),
        np.linalg.inv(design.T @ design),
        student.ppf(0.75, 10),
    )
    fitted = fit_loss(SIZES, np.exp(y), "power")
    row = fitted.summary(0.5).loc["b"]  # so near the best fit that no loss is far out on the way
    assert row.estimate == pytest.approx(-line[1], rel=1e-7)
    assert row.standard_error == pytest.approx(s * np.sqrt(inverse[1, 1]), rel=1e-6)
    assert [row.lower, row.upper] == pytest.approx(
        -line[1] + t * row.standard_error * np.array([-1, 1]), rel=1e-4
    )
    at = np.array([1.0, np.log(1e7)])
    reach = t * s * np.sqrt(1 + at @ inverse @ at)
    told = fitted.forecast(1e7, 0.5).iloc[0]
    assert np.log([told.lower, told.upper]) == pytest.approx(
        at @ line + reach * np.array([-1, 1]), abs=1e-3 * reach
    )


def test_the_bounds_of_the_knee_are_where_brute_force_finds_the_fit_spoilt() -> None:
    loss = TRUTH.loss(SIZES) * np.exp(EVEN)
    row = fit_loss(SIZES, loss).summary().loc["knee"]

    def squares(log_knee: float) -> float:
        def residuals(p: np.ndarray) -> np.ndarray:
            return np.log(LossLaw(*np.exp([p[0], p[1], log_knee, p[2]])).loss(SIZES) / loss)

        return 2 * least_squares(residuals, np.log([0.2, 3.0, 0.6]), xtol=1e-12, ftol=1e-12).cost

    grid = np.linspace(np.log(100), np.log(1000), 700)
    profile = np.array([squares(knee) for knee in grid])
    inside = grid[profile <= profile.min() * (1 + student.ppf(0.975, 8) ** 2 / 8)]
    assert np.log([row.lower, row.upper]) == pytest.approx([inside.min(), inside.max()], abs=0.008)


@pytest.mark.parametrize("off", [0, 1])
def test_intervals_of_parameters_hold_the_truth_as_often_as_they_say(off: int) -> None:
    names = ["floor", "amplitude", "knee", "b"]
    held = np.zeros((80, 4))
    for seed in range(80):
        summary = fit_loss(SIZES, noisy(seed, off=off)).summary()
        held[seed] = [summary.lower[n] <= getattr(TRUTH, n) <= summary.upper[n] for n in names]
    print(
        f"{off} losses far out: 95 % intervals held",
        dict(zip(names, held.mean(axis=0), strict=True)),
    )
    assert np.all(np.abs(held.mean(axis=0) - 0.95) < 3.5 * 0.024)


def test_a_wider_level_gives_wider_intervals() -> None:
    fitted = fit_loss(SIZES, noisy(3))
    narrow, wide = fitted.summary(0.5), fitted.summary(0.99)
    assert np.all(wide["lower"] < narrow["lower"])
    assert np.all(wide["upper"] > narrow["upper"])
    assert fitted.forecast(1e6, 0.5).upper[0] < fitted.forecast(1e6, 0.99).upper[0]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_a_weight_is_a_row_repeated(seed: int, times: list[int]) -> None:
    loss = noisy(seed)
    one = fit_loss(SIZES, loss, weights=times)
    other = fit_loss(np.repeat(SIZES, times), np.repeat(loss, times))
    np.testing.assert_allclose(one.summary(), other.summary(), rtol=1e-3)
    np.testing.assert_allclose(one.forecast(1e6), other.forecast(1e6), rtol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_neither_units_nor_order_matter(seed: int, of_samples: float, of_loss: float) -> None:
    loss, order = noisy(seed), np.random.default_rng(seed).permutation(SIZES.size)
    one, other = fit_loss(SIZES, loss), fit_loss(of_samples * SIZES[order], of_loss * loss[order])
    factors = np.array([of_loss, of_loss, of_samples, 1.0])[:, np.newaxis]
    np.testing.assert_allclose(other.summary(), one.summary() * factors, rtol=2e-3)


def test_what_the_losses_leave_open_is_said_with_its_bound() -> None:
    power = fit_loss(SIZES, 5 * SIZES**-0.4 * np.exp(EVEN))
    assert any(
        said.startswith("knee below ") and said.endswith("no plateau is seen")
        for said in power.remarks()
    )
    assert any(said.startswith("floor below ") for said in power.remarks())
    truth = LossLaw(0.2, 3, 3e5, 0.5)
    early = fit_loss(SIZES, truth.loss(SIZES) * np.exp(EVEN))
    [said] = [said for said in early.remarks() if said.startswith("knee")]
    bound = early.summary().lower["knee"]
    assert said == f"knee above {bound:.4g} (95%): no power law is seen after it"
    assert bound < truth.knee
    assert fit_loss(SIZES, noisy(0)).remarks() == ()


def test_the_local_slope_is_that_of_the_law() -> None:
    fitted = fit_loss(SIZES, noisy(0))
    np.testing.assert_allclose(fitted.local_slope(SIZES), fitted.law.local_slope(SIZES), rtol=1e-6)
    assert isinstance(float(fitted.local_slope(50)), float)


def test_a_level_outside_its_range_and_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="expected level as a fraction"):
        fit_loss(SIZES, noisy(0)).summary(95)
    with pytest.raises(
        InputError,
        match=r"expected samples and weights of one shape \(n,\), but got \(12,\) and \(1,\)",
    ):
        fit_loss(SIZES, noisy(0), weights=[1])
    with pytest.raises(InputError, match="positive, finite weights, but 1 of 12"):
        fit_loss(SIZES, noisy(0), weights=[0, *np.ones(11)])


def test_a_fit_can_be_sent_to_another_process() -> None:
    fitted = fit_loss(SIZES, noisy(0))
    sent = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(sent.forecast(1e6), fitted.forecast(1e6))
