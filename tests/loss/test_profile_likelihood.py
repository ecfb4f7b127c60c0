"""Intervals: the textbook's where the curve is a line, brute force where it is not, and how often
they hold the truth.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.stats import t as student

from actilaw import LossLaw, fit_loss
from actilaw.loss.profile_likelihood import bounded_sides
from builders.losses import EVEN, SIZES, TRUTH, even_law, noisy_law


def test_on_a_pure_power_law_intervals_are_those_of_a_straight_line() -> None:
    x, y = np.log(SIZES), np.log(5 * SIZES**-0.4) + 0.02 * EVEN
    design = np.stack([np.ones(12), x], axis=1)
    line, squares, *_ = np.linalg.lstsq(design, y, rcond=None)
    s = np.sqrt(squares[0] / 10)
    inverse = np.linalg.inv(design.T @ design)
    t = student.ppf(0.75, 10)
    fitted = fit_loss(SIZES, np.exp(y), "power")
    row = fitted.summary(0.5).loc["b"]  # so near the best fit that no loss is far out on the way
    assert row.estimate == pytest.approx(-line[1], rel=1e-7)
    assert row.standard_error == pytest.approx(s * np.sqrt(inverse[1, 1]), rel=1e-6)
    assert [row.lower, row.upper] == pytest.approx(
        -line[1] + t * row.standard_error * np.array([-1, 1]), rel=1e-4
    )
    at = np.array([1.0, np.log(1e7)])
    reach = t * s * np.sqrt(1 + at @ inverse @ at)
    ahead = fitted.forecast(1e7, level=0.5).iloc[0]
    assert np.log([ahead.lower, ahead.upper]) == pytest.approx(
        at @ line + reach * np.array([-1, 1]), abs=1e-3 * reach
    )


@pytest.mark.slow
def test_the_bounds_of_the_knee_are_where_brute_force_finds_the_fit_rejected() -> None:
    loss = even_law()
    row = fit_loss(SIZES, loss, "activation").summary().loc["knee"]

    def squares(log_knee: float) -> float:
        def residuals(p: np.ndarray) -> np.ndarray:
            return np.log(LossLaw(*np.exp([p[0], p[1], log_knee, p[2]])).loss(SIZES) / loss)

        return 2 * least_squares(residuals, np.log([0.2, 3.0, 0.6]), xtol=1e-12, ftol=1e-12).cost

    grid = np.linspace(np.log(100), np.log(1000), 700)
    profile = np.array([squares(knee) for knee in grid])
    inside = grid[profile <= profile.min() * (1 + student.ppf(0.975, 8) ** 2 / 8)]
    assert np.log([row.lower, row.upper]) == pytest.approx([inside.min(), inside.max()], abs=0.008)


@pytest.mark.slow
@pytest.mark.parametrize("far_out", [0, 1])
def test_intervals_of_parameters_hold_the_truth_as_often_as_they_say(far_out: int) -> None:
    names = ["floor", "amplitude", "knee", "b"]
    held = np.zeros((80, 4))
    for seed in range(80):
        summary = fit_loss(SIZES, noisy_law(seed, far_out=far_out), "activation").summary()
        held[seed] = [summary.lower[n] <= getattr(TRUTH, n) <= summary.upper[n] for n in names]
    shares = dict(zip(names, held.mean(axis=0), strict=True))
    print(f"{far_out} losses far out: 95 % intervals held {shares}")
    assert np.all(np.abs(held.mean(axis=0) - 0.95) < 3.5 * 0.024)


@pytest.mark.slow
def test_intervals_hold_the_next_loss_as_often_as_they_say() -> None:
    inside = []
    for seed in range(100):
        later = TRUTH.loss(1e6) * np.exp(np.random.default_rng(1000 + seed).normal(0, 0.02))
        ahead = fit_loss(SIZES, noisy_law(seed), "activation").forecast(1e6).iloc[0]
        inside.append(ahead.lower <= later <= ahead.upper)
    print(f"95 % intervals held {np.mean(inside):.1%} of 100 draws")
    assert np.mean(inside) > 0.95 - 4 * 0.022


@pytest.mark.slow
def test_intervals_hold_the_next_loss_also_before_the_knee_is_passed() -> None:
    truth, sizes = LossLaw(0.2, 3, 3000, 0.5), np.repeat([5, 20, 80, 320, 1347], 3)
    inside = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        loss = truth.loss(sizes) * np.exp(rng.normal(0, 0.05, sizes.size))
        ahead = fit_loss(sizes, loss, "activation").forecast(13_470).iloc[0]
        later = truth.loss(13_470) * np.exp(rng.normal(0, 0.05))
        inside.append(ahead.lower <= later <= ahead.upper)
    print(f"95 % intervals held {np.mean(inside):.1%} of 30 draws")
    assert np.mean(inside) > 0.95 - 3 * 0.04


def test_intervals_amid_the_data_are_as_narrow_as_their_scatter() -> None:
    ahead = fit_loss(SIZES, noisy_law(0), "activation").forecast(1000).iloc[0]
    assert 2 * 1.96 * 0.01 < np.log(ahead.upper / ahead.lower) < 2 * 2.31 * 0.04


def test_a_wider_level_gives_wider_intervals() -> None:
    fitted = fit_loss(SIZES, noisy_law(3), "activation")
    narrow, wide = fitted.summary(0.5), fitted.summary(0.99)
    assert np.all(wide["lower"] < narrow["lower"])
    assert np.all(wide["upper"] > narrow["upper"])
    upper = [fitted.forecast(1e6, level=level).upper[0] for level in (0.5, 0.99)]
    assert upper[0] < upper[1]


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_a_weight_is_a_row_repeated(seed: int, times: list[int]) -> None:
    loss = noisy_law(seed)
    one = fit_loss(SIZES, loss, "activation", weights=times)
    other = fit_loss(np.repeat(SIZES, times), np.repeat(loss, times), "activation")
    np.testing.assert_allclose(one.summary(), other.summary(), rtol=1e-3)
    np.testing.assert_allclose(one.forecast(1e6), other.forecast(1e6), rtol=1e-3)


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 2**32), st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_neither_units_nor_order_matter(seed: int, of_samples: float, of_loss: float) -> None:
    loss, order = noisy_law(seed), np.random.default_rng(seed).permutation(SIZES.size)
    one, other = (
        fit_loss(SIZES, loss, "activation"),
        fit_loss(of_samples * SIZES[order], of_loss * loss[order], "activation"),
    )
    factors = np.array([of_loss, of_loss, of_samples, 1.0])[:, np.newaxis]
    np.testing.assert_allclose(other.summary(), one.summary() * factors, rtol=2e-3)


@pytest.mark.parametrize(
    ("lower", "upper", "bounded"),
    [
        (1.0, 2.0, (True, True)),
        (-2.0, 3.0, (True, True)),
        (0.0, 2.0, (False, True)),
        (1.0, np.inf, (True, False)),
        (-np.inf, np.inf, (False, False)),
    ],
)
def test_an_interval_without_an_end_is_open(
    lower: float, upper: float, bounded: tuple[bool, bool]
) -> None:
    assert bounded_sides(lower, upper) == bounded
