"""The robust objective against SciPy's solvers, and what it is for: losses far out, and none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq, least_squares, minimize
from scipy.stats import norm

from actilaw import LossLaw, fit_loss
from actilaw.loss.huber import BETA, K, huber_scale, log_likelihood

SIZES = np.geomspace(10, 1e5, 12)
TRUTH = LossLaw(floor=0.2, amplitude=3.0, knee=300.0, b=0.6)
finite = st.floats(-10, 10).filter(lambda x: abs(x) > 1e-6)


def noisy(seed: int, scatter: float = 0.02, off: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, scatter, SIZES.size)
    noise[rng.choice(SIZES.size, off, replace=False)] += 20 * scatter
    return TRUTH.loss(SIZES) * np.exp(noise)


def test_constants_are_those_of_the_normal_law() -> None:
    assert (
        pytest.approx(
            quad(lambda z: np.clip(z, -K, K) ** 2 * norm.pdf(z), -30, 30, limit=200)[0], rel=1e-7
        )
        == BETA
    )


@given(st.lists(finite, min_size=6, max_size=30), st.integers(0, 10**6), st.floats(0.1, 0.9))
def test_the_scale_solves_its_equation(residuals: list[float], seed: int, share: float) -> None:
    r = np.array(residuals)
    w = np.random.default_rng(seed).uniform(0.5, 3, r.size)
    freedom = share * w.sum()

    def excess(log_scale: float) -> float:
        return float(w @ np.clip(r / np.exp(log_scale), -K, K) ** 2) - freedom * BETA

    expected = np.exp(brentq(excess, -40, 20, xtol=1e-12))
    assert huber_scale(r[np.newaxis], w, freedom)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_scipys_huber_fit_at_the_same_scale(seed: int) -> None:
    loss = noisy(seed, off=1)
    fitted = fit_loss(SIZES, loss)
    scale = float(fitted.valley.fitted.scale[0])

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.log(LossLaw(*np.exp(p)).loss(SIZES) / loss)

    start = np.log([TRUTH.floor, TRUTH.amplitude, TRUTH.knee, TRUTH.b])
    found = least_squares(
        residuals, start, loss="huber", f_scale=K * scale, xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    assert np.log(list(fitted.params.values())) == pytest.approx(found.x, abs=1e-4)
    assert fitted.valley.fitted.cost[0] == pytest.approx(
        scale * (2 * found.cost / scale**2 + fitted.valley.problem.freedom * BETA), rel=1e-8
    )


@pytest.mark.parametrize("seed", range(3))
def test_no_start_drawn_at_random_leads_lower(seed: int) -> None:
    loss = noisy(seed, scatter=0.1, off=2)
    fitted = fit_loss(SIZES, loss)
    problem, rng = fitted.valley.problem, np.random.default_rng(seed)
    ones, lane = np.ones(SIZES.size), np.array([0])

    def objective(p: np.ndarray) -> float:
        r = problem.curve(p[np.newaxis], lane)[0] - problem.measured
        scale = huber_scale(r, ones, problem.freedom)[0]
        u = np.abs(r[0]) / scale
        return float(
            scale * (np.where(u <= K, u**2, 2 * K * u - K**2).sum() + problem.freedom * BETA)
        )

    box = list(zip(problem.low, problem.high, strict=True))
    tried = [
        minimize(objective, rng.uniform(problem.low, problem.high), bounds=box).fun
        for _ in range(15)
    ]
    assert fitted.valley.fitted.cost[0] <= min(tried) * (1 + 1e-6)


def test_one_loss_far_out_moves_the_fit_by_less_than_its_standard_error() -> None:
    moved, plain = [], []
    for seed in range(20):
        clean, dirty = noisy(seed), noisy(seed)
        dirty[6] *= 1.5  # 20 times the scatter
        one, other = fit_loss(SIZES, clean), fit_loss(SIZES, dirty)
        moved.append(abs(other.b - one.b) / one.standard_errors["b"])
        start = np.log(list(one.params.values()))
        found = least_squares(lambda p, y=dirty: np.log(LossLaw(*np.exp(p)).loss(SIZES) / y), start)
        plain.append(abs(np.exp(found.x[3]) - one.b) / one.standard_errors["b"])
    print(
        f"moved by {np.median(moved):.2f} standard errors, least squares by {np.median(plain):.2f}"
    )
    assert np.median(moved) < 1
    assert np.median(plain) > 2 * np.median(moved)


def test_without_a_loss_far_out_the_residual_is_the_mean_square() -> None:
    noise = 0.02 * np.array([1, -1, 1, 1, -1, -1, 1, -1, 1, -1, -1, 1])
    loss = TRUTH.loss(SIZES) * np.exp(noise)
    fitted = fit_loss(SIZES, loss)
    squares = np.sum(np.log(fitted.predict(SIZES) / loss) ** 2)
    assert fitted.residual == pytest.approx(np.sqrt(squares / 8), rel=1e-9)


def test_the_likelihood_is_that_of_hubers_law_at_its_best_scale() -> None:
    r, w = np.random.default_rng(0).standard_t(2, 30), np.random.default_rng(1).uniform(0.5, 2, 30)

    def rho(u: np.ndarray) -> np.ndarray:
        return np.where(np.abs(u) <= K, u**2, 2 * K * np.abs(u) - K**2)

    z = quad(lambda u: np.exp(-rho(u) / 2), -60, 60, points=[-K, K], limit=200)[0]
    best = max(
        float(np.sum(w * (-rho(r / s) / 2 - np.log(s * z)))) for s in np.geomspace(0.05, 20, 4001)
    )
    assert log_likelihood(r, w) == pytest.approx(best, abs=1e-4)
