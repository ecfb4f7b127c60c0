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
from actilaw.loss.huber import (
    BETA,
    CLIP,
    PenaltyTargets,
    Problem,
    huber_scale,
    log_likelihood,
    solve,
)
from builders.losses import SIZES, TRUTH, even_law, noisy_law

finite = st.floats(-10, 10).filter(lambda x: abs(x) > 1e-6)


def test_constants_are_those_of_the_normal_law() -> None:
    def density(z: float) -> float:
        return np.clip(z, -CLIP, CLIP) ** 2 * norm.pdf(z)

    assert pytest.approx(quad(density, -30, 30, limit=200)[0], rel=1e-7) == BETA


@pytest.mark.slow
@given(st.lists(finite, min_size=6, max_size=30), st.integers(0, 10**6), st.floats(0.1, 0.9))
def test_the_scale_solves_its_equation(residuals: list[float], seed: int, share: float) -> None:
    r = np.array(residuals)
    w = np.random.default_rng(seed).uniform(0.5, 3, r.size)
    freedom = share * w.sum()

    def excess(log_scale: float) -> float:
        return float(w @ np.clip(r / np.exp(log_scale), -CLIP, CLIP) ** 2) - freedom * BETA

    expected = np.exp(brentq(excess, -40, 20, xtol=1e-12))
    assert huber_scale(r[np.newaxis], w, freedom)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_scipys_huber_fit_at_the_same_scale(seed: int) -> None:
    loss = noisy_law(seed, far_out=1, by=20)
    fitted = fit_loss(SIZES, loss, "activation")
    problem, solution = fitted.profile.problem, fitted.profile.solution
    scale = float(solution.scale[0])

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.log(LossLaw(*np.exp(p)).loss(SIZES) / loss)

    start = np.log([TRUTH.floor, TRUTH.amplitude, TRUTH.knee, TRUTH.b])
    found = least_squares(
        residuals, start, loss="huber", f_scale=CLIP * scale, xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    assert np.log(list(fitted.params.values())) == pytest.approx(found.x, abs=1e-4)
    cost = scale * (2 * found.cost / scale**2 + problem.freedom * BETA)
    assert solution.cost[0] == pytest.approx(cost, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_start_drawn_at_random_leads_lower(seed: int) -> None:
    loss = noisy_law(seed, scatter=0.1, far_out=2, by=20)
    profile = fit_loss(SIZES, loss, "activation").profile
    problem, rng = profile.problem, np.random.default_rng(seed)
    ones, only = np.ones(SIZES.size), np.array([0])

    def objective(p: np.ndarray) -> float:
        r = problem.curve(p[np.newaxis], only)[0] - problem.measured
        scale = huber_scale(r, ones, problem.freedom)[0]
        u = np.abs(r[0]) / scale
        rho = np.where(u <= CLIP, u**2, 2 * CLIP * u - CLIP**2)
        return float(scale * (rho.sum() + problem.freedom * BETA))

    box = list(zip(problem.low, problem.high, strict=True))
    tried = [
        minimize(objective, rng.uniform(problem.low, problem.high), bounds=box).fun
        for _ in range(15)
    ]
    assert profile.solution.cost[0] <= min(tried) * (1 + 1e-6)


def test_a_penalty_draws_the_curve_as_one_more_measurement_would() -> None:
    """On a straight line with a wide scale: the weighted mean of measurements and target."""

    def level(parameters: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.repeat(parameters, 4, axis=1), np.ones((len(parameters), 4, 1))

    problem = Problem(
        curve=level,
        measured=np.array([1.0, 2.0, 3.0]),
        weights=np.ones(3),
        low=np.array([-10.0]),
        high=np.array([10.0]),
        scale=100.0,
        penalty=PenaltyTargets(values=np.array([[4.0], [-2.0]]), weights=np.array([5.0])),
    )
    found = solve(problem, np.zeros((2, 1)), tolerance=1e-20)
    assert found.parameters[:, 0] == pytest.approx([26 / 8, -4 / 8], rel=1e-9)


@pytest.mark.slow
def test_one_loss_far_out_moves_the_fit_by_less_than_its_standard_error() -> None:
    moved, plain = [], []
    for seed in range(20):
        clean, dirty = noisy_law(seed), noisy_law(seed)
        dirty[6] *= 1.5  # 20 times the scatter
        one, other = fit_loss(SIZES, clean, "activation"), fit_loss(SIZES, dirty, "activation")
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
    loss = even_law()
    fitted = fit_loss(SIZES, loss, "activation")
    squares = np.sum(np.log(fitted.predict(SIZES) / loss) ** 2)
    assert fitted.residual == pytest.approx(np.sqrt(squares / 8), rel=1e-9)


def test_the_likelihood_is_that_of_hubers_law_at_its_best_scale() -> None:
    r, w = np.random.default_rng(0).standard_t(2, 30), np.random.default_rng(1).uniform(0.5, 2, 30)

    def rho(u: np.ndarray) -> np.ndarray:
        return np.where(np.abs(u) <= CLIP, u**2, 2 * CLIP * np.abs(u) - CLIP**2)

    z = quad(lambda u: np.exp(-rho(u) / 2), -60, 60, points=[-CLIP, CLIP], limit=200)[0]
    best = max(
        float(np.sum(w * (-rho(r / s) / 2 - np.log(s * z)))) for s in np.geomspace(0.05, 20, 4001)
    )
    assert log_likelihood(r, w) == pytest.approx(best, abs=1e-4)
