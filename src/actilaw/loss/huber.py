"""Huber's robust regression with the scale of the noise estimated along with the curve (his
Proposal 2; Huber, Robust Statistics, 1981, ch. 7), solved by Levenberg and Marquardt's method.

Losses of large trainings are few, and one of them may be far off. Least squares would follow it;
here one loss far off pulls no harder than one 1.345 σ off, and as long as none lies that far out,
the fit is least squares. k = 1.345 keeps 95 % of the efficiency of least squares under Gaussian
noise. With residuals r_i of weight w_i, u_i = r_i/σ, n = Σ w_i and p parameters:

    (HU1)  minimised over θ and σ:  Q(θ, σ) = σ Σ w_i ρ(u_i) + (n − p) β σ,
           ρ(u) = u² if |u| <= k else 2k|u| − k²
    (HU2)  where ∂Q/∂σ = 0:  Σ w_i ψ(u_i)² = (n − p) β,
           ψ(u) = clip(u, −k, k),  β = E ψ(Z)²,  Z standard normal
    (HU3)  covariance of the estimates  s² (J'WJ)⁻¹,
           s² = h² σ² Σ w_i ψ(u_i)² / (n − p) / m²,  h = 1 + p (1 − m)/(n m),
           m = share of the weight that is not clipped, Σ w_i ψ'(u_i) / n
    (HU4)  law of noise  exp(−ρ(r/σ)/2) / (σ Z),
           Z = √(2π) (2Φ(k) − 1) + (2/k) exp(−k²/2)

(HU3) is Huber's too; without clipping s² is the residual sum of squares over n − p. (HU4) is the
law whose likelihood the curve of (HU1) maximises: Gaussian within k σ, exponential beyond.

Many fits run side by side: the same losses from several starts, or with a parameter held at
several values. The first axis of every array marked (fits, ...) counts them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from actilaw.support.arrays import Floats

Fits = NDArray[np.intp]  # which of the fits side by side, by their positions
Curve = Callable[[Floats, Fits], tuple[Floats, Floats]]

CLIP = 1.345  # k
WITHIN_CLIP = float(2 * ndtr(CLIP) - 1)  # P(|Z| <= k)
DENSITY_AT_CLIP = float(np.exp(-(CLIP**2) / 2) / np.sqrt(2 * np.pi))
BETA = WITHIN_CLIP - 2 * CLIP * DENSITY_AT_CLIP + CLIP**2 * (1 - WITHIN_CLIP)
LEAST_SCALE = 1e-10  # residuals of a curve without noise are rounding: the scale stops here
LONGEST_STEP = 3.0  # e-folds that a parameter may move in one step
STEP_TOLERANCE = 1e-10  # what one more step can still gain, as a share of the noise's variance
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-9, 1e9


@dataclass(frozen=True, eq=False)
class PenaltyTargets:
    """Values that parts of the curve are drawn to, besides the measurements.

    Squared distances from the targets, times the weights, are added to the cost; they are never
    clipped.

    Attributes:
        values: (fits, m).
        weights: (m,).
    """

    values: Floats
    weights: Floats

    def of(self, fits: Fits) -> PenaltyTargets:
        """The targets of these fits alone."""
        return replace(self, values=self.values[fits])


@dataclass(frozen=True, eq=False)
class Problem:
    """A curve to be fitted to measurements.

    Attributes:
        curve: takes parameters (fits, p) and which fits they belong to, (fits,); returns values
            (fits, n + m) and their slopes (fits, n + m, p). The last m meet the penalty targets.
        measured, weights: (n,) each; a weight says how many measurements a value stands for.
        low, high: bounds of the parameters; (p,), or (fits, p).
        scale: σ; estimated by (HU2) where it is None.
        penalty: targets for the last m values of the curve; only with a given scale.
    """

    curve: Curve
    measured: Floats
    weights: Floats
    low: Floats
    high: Floats
    scale: float | None = None
    penalty: PenaltyTargets | None = None

    @property
    def freedom(self) -> float:
        """Degrees of freedom, n − p."""
        return float(self.weights.sum()) - self.low.shape[-1]

    def of(self, fits: Fits) -> Problem:
        """The problem of these fits alone; `low` and `high` are (fits, p)."""
        penalty = None if self.penalty is None else self.penalty.of(fits)
        return replace(self, low=self.low[fits], high=self.high[fits], penalty=penalty)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where each fit ended: parameters (fits, p), σ (fits,), and the cost there (fits,).

    The cost is (HU1) where the scale is estimated; σ² Σ w ρ and the penalty where it is given.
    """

    parameters: Floats
    scale: Floats
    cost: Floats

    def best(self, most: int) -> Solution:
        """The fits of lowest cost, at most `most` of them, the lowest first."""
        fits = np.argsort(self.cost, kind="stable")[:most]
        return Solution(self.parameters[fits], self.scale[fits], self.cost[fits])


@dataclass(frozen=True, eq=False)
class _State:
    """Where fits stand, and the curve there: values (fits, n + m), slopes (fits, n + m, p)."""

    parameters: Floats
    values: Floats
    slopes: Floats
    scale: Floats
    cost: Floats

    def of(self, fits: Fits | NDArray[np.bool_]) -> _State:
        return _State(*(array[fits] for array in self._arrays()))

    def put(self, fits: Fits, other: _State) -> None:
        """Move these fits to where `other` stands."""
        for array, new in zip(self._arrays(), other._arrays(), strict=True):
            array[fits] = new

    def _arrays(self) -> tuple[Floats, ...]:
        return self.parameters, self.values, self.slopes, self.scale, self.cost


# A step too far overflows the curve; its cost is then refused as no better.
@np.errstate(over="ignore", invalid="ignore")
def solve(
    problem: Problem,
    starts: Floats,
    *,
    steps: int = 400,
    tolerance: float = STEP_TOLERANCE,
    enough: float = -np.inf,
) -> Solution:
    """The nearest curve from every start, by Levenberg and Marquardt's method within the bounds.

    Args:
        problem: what is fitted.
        starts: parameters to start from, (fits, p).
        steps: at most so many.
        tolerance: a fit stops where a whole step would gain less than this share of σ²:
            convergence is judged against the noise.
        enough: a fit also stops where its cost is below this.
    """
    low = np.broadcast_to(problem.low, starts.shape)
    high = np.broadcast_to(problem.high, starts.shape)
    problem = replace(problem, low=low, high=high)
    running = np.arange(len(starts))
    state = _state_at(problem, np.clip(starts, low, high), running)
    damping = np.full(len(starts), FIRST_DAMPING)
    for _ in range(steps):
        here, part = state.of(running), problem.of(running)
        step, gain = _damped_step(part, here, damping[running])
        tried = _state_at(part, np.clip(here.parameters + step, part.low, part.high), running)
        better = tried.cost < here.cost
        state.put(running[better], tried.of(better))
        settled = _settled(gain, state.scale[running], damping[running], tolerance)
        settled |= state.cost[running] < enough
        damping[running] = _next_damping(damping[running], better)
        running = running[~settled]
        if running.size == 0:
            break
    return Solution(state.parameters, state.scale, state.cost)


def _state_at(problem: Problem, parameters: Floats, fits: Fits) -> _State:
    values, slopes = problem.curve(parameters, fits)
    scale, cost = _cost(problem, values)
    return _State(parameters, values, slopes, scale, cost)


def _cost(problem: Problem, values: Floats) -> tuple[Floats, Floats]:
    """σ and the cost of each fit; (fits,) each."""
    n = problem.measured.size
    residuals = values[:, :n] - problem.measured
    if problem.scale is None:
        scale = huber_scale(residuals, problem.weights, problem.freedom)
    else:
        scale = np.full(len(values), problem.scale)
    total = _rho(np.abs(residuals) / scale[:, np.newaxis]) @ problem.weights
    if problem.scale is None:
        return scale, scale * (total + problem.freedom * BETA)
    cost = scale**2 * total
    if problem.penalty is not None:
        missed = values[:, n:] - problem.penalty.values
        cost = cost + missed**2 @ problem.penalty.weights
    return scale, cost


def _settled(gain: Floats, scale: Floats, damping: Floats, tolerance: float) -> NDArray[np.bool_]:
    """Which fits have arrived, and which cannot move because every step makes them worse."""
    arrived = (gain < tolerance * scale**2) & (damping < 1)
    return arrived | (damping > MOST_DAMPING)


def _next_damping(damping: Floats, better: NDArray[np.bool_]) -> Floats:
    """Closer to Gauss and Newton's step after a success, shorter after a failure."""
    return np.where(better, np.maximum(damping / 6, LEAST_DAMPING), 5 * damping)


def _damped_step(problem: Problem, state: _State, damping: Floats) -> tuple[Floats, Floats]:
    """The damped step of each fit, (fits, p), and what a linear curve would gain by it, (fits,)."""
    gradient, curvature = _normal_equations(problem, state)
    diagonal = np.einsum("fpp->fp", curvature)
    # A parameter on which nothing depends has curvature 0: keep the system solvable.
    diagonal = diagonal + 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300
    added = diagonal * damping[:, np.newaxis]
    damped = curvature + added[:, :, np.newaxis] * np.eye(gradient.shape[1])
    low = np.maximum(problem.low - state.parameters, -LONGEST_STEP)
    high = np.minimum(problem.high - state.parameters, LONGEST_STEP)
    return _step_in_box(damped, gradient, low, high)


def _normal_equations(problem: Problem, state: _State) -> tuple[Floats, Floats]:
    """Gradient (fits, p) and Gauss and Newton's curvature (fits, p, p) of half the cost.

    A clipped residual counts with the share k/|u| of its weight: Huber's reweighted least squares.
    """
    n = problem.measured.size
    residuals = state.values[:, :n] - problem.measured
    u = np.maximum(np.abs(residuals) / state.scale[:, np.newaxis], CLIP)
    weights = problem.weights * (CLIP / u)
    if problem.penalty is not None:
        targets = problem.penalty
        missed = state.values[:, n:] - targets.values
        residuals = np.concatenate([residuals, missed], axis=1)
        more = np.broadcast_to(targets.weights, targets.values.shape)
        weights = np.concatenate([weights, more], axis=1)
    weighted = state.slopes * weights[:, :, np.newaxis]
    gradient = np.einsum("fnp,fn->fp", weighted, residuals)
    return gradient, np.swapaxes(weighted, 1, 2) @ state.slopes


def _step_in_box(
    curvature: Floats, gradient: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """The step to the lowest point of each parabola in its box, nearly, and what it gains.

    Active set: coordinates that would leave the box are put on its wall, and the step of the
    others is solved again. A floor on which nothing depends must not stop the others.
    """
    step = np.zeros_like(gradient)
    held = ((low >= 0) & (gradient > 0)) | ((high <= 0) & (gradient < 0)) | (low >= high)
    for _ in range(step.shape[1]):
        step = _solve_free(curvature, gradient, step, held)
        outside = ~held & ((step < low) | (step > high))
        if not outside.any():
            break
        step = np.clip(step, low, high)
        held |= outside
    return step, -np.sum(step * gradient, axis=1)


def _solve_free(
    curvature: Floats, gradient: Floats, step: Floats, held: NDArray[np.bool_]
) -> Floats:
    """The step in which held coordinates keep theirs and the others are solved for, (fits, p)."""
    free = ~held
    both_free = free[:, :, np.newaxis] & free[:, np.newaxis, :]
    identity = held[:, :, np.newaxis] * np.eye(step.shape[1])  # held rows solve to 0
    system = np.where(both_free, curvature, 0.0) + identity
    pull = gradient + np.einsum("fpq,fq->fp", curvature, np.where(held, step, 0.0))
    right = np.where(held, 0.0, -pull)
    solved = np.linalg.solve(system, right[:, :, np.newaxis])[:, :, 0]
    return np.where(held, step, solved)


def huber_scale(residuals: Floats, weights: Floats, freedom: float) -> Floats:
    """Scale of the noise by Huber's Proposal 2: the σ of (HU2), (fits,), for residuals (fits, n).

    If the j largest residuals are clipped, (HU2) gives σ² = (Σ w r² of the others) /
    ((n − p) β − k² times the weight of the j). The answer is the σ of the first j at which the
    largest of the others lies within k σ; sorting the residuals finds it without iteration.
    """
    order = np.argsort(-np.abs(residuals), axis=-1)
    sizes = np.take_along_axis(np.abs(residuals), order, axis=-1)
    w = weights[order]
    weight_clipped = np.cumsum(w, axis=-1) - w  # of the residuals larger than this one
    squares_inside = np.cumsum((w * sizes**2)[..., ::-1], axis=-1)[..., ::-1]
    left = freedom * BETA - CLIP**2 * weight_clipped
    scales: Floats = np.sqrt(squares_inside / np.where(left > 0, left, np.inf))
    first = np.argmax((sizes <= CLIP * scales) & (left > 0), axis=-1)
    scale = np.take_along_axis(scales, first[..., np.newaxis], axis=-1)[..., 0]
    return np.maximum(scale, LEAST_SCALE)


def noise_scale(problem: Problem, residuals: Floats, scale: float) -> tuple[float, float]:
    """Residual standard error s of (HU3), and m, the share of the weight that is not clipped.

    Args:
        problem: what was fitted.
        residuals: of the fitted curve, (n,).
        scale: σ of the fit.
    """
    u, w = residuals / scale, problem.weights
    p = problem.low.shape[-1]
    # Of a curve without noise the rounding may all lie beyond the least scale.
    unclipped = max(float(w @ (np.abs(u) <= CLIP) / w.sum()), 1 / w.size)
    correction = 1 + p * (1 - unclipped) / (w.sum() * unclipped)
    squares = float(w @ np.clip(u, -CLIP, CLIP) ** 2)
    s = correction * scale * np.sqrt(squares / problem.freedom) / unclipped
    return max(float(s), LEAST_SCALE), unclipped


def log_likelihood(residuals: Floats, weights: Floats) -> float:
    """Log-likelihood of residuals (n,) under Huber's law of noise (HU4), in nats, at the σ that
    makes it greatest.

    That σ solves Σ w ψ(u) u = n.
    """
    from scipy.optimize import brentq  # slow to import

    total = float(weights.sum())
    largest = float(np.abs(residuals).max())

    def excess(log_scale: float) -> float:
        u = np.abs(residuals) / np.exp(log_scale)
        return float(weights @ (np.minimum(u, CLIP) * u)) - total

    low = np.log(LEAST_SCALE)
    high = np.log(max(CLIP * largest * total, 10 * LEAST_SCALE))
    log_scale = float(brentq(excess, low, high)) if excess(low) > 0 else low
    u = np.abs(residuals) / np.exp(log_scale)
    z = np.sqrt(2 * np.pi) * WITHIN_CLIP + 2 * np.exp(-(CLIP**2) / 2) / CLIP
    return -total * (log_scale + float(np.log(z))) - float(weights @ _rho(u)) / 2


def _rho(u: Floats) -> Floats:
    """ρ of (HU1), for u >= 0."""
    return np.where(u <= CLIP, u**2, 2 * CLIP * u - CLIP**2)
