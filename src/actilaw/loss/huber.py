"""Robust curve fitting, many fits at a time: Huber's loss, summed, with its scale estimated along
with the curve.
from actilaw.support.arrays import Floats

With residuals r_i of weight w_i, u_i = r_i/σ, n = Σ w_i, p parameters and k = 1.345,

    (R1)  Q(θ, σ) = σ Σ w_i ρ(u_i) + (n − p) β σ,   ρ(u) = u² if |u| <= k else 2k|u| − k²
    (R2)  ∂Q/∂σ = 0:  Σ w_i ψ(u_i)² = (n − p) β,   ψ(u) = clip(u, −k, k),   β = E ψ(Z)², Z standard
          normal

which is Huber's Proposal 2 (Huber, Robust Statistics, 1981, ch. 7). Residuals that no law of noise
has named a scale for set it themselves: k = 1.345 keeps 95 % of the efficiency of least squares
under Gaussian noise, and one loss far off pulls no harder than one 1.345 σ off. As long as none
lies that far out, the fit is least squares.

    (R3)  variance of the estimates  s² (J'WJ)⁻¹,   s² = K² σ² Σ w ψ² / (n − p) / m²,   m = mean of
          ψ', weighted
          K = 1 + p (1 − m) / (n m)

(R3) is Huber's too; without clipping s² is the textbook's residual sum of squares over n − p.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from actilaw.support.arrays import Floats

Lanes = NDArray[np.intp]
Aims = tuple[Floats, Floats] | None
Curve = Callable[
    [Floats, Lanes], tuple[Floats, Floats]
]  # parameters (l, p) of lanes (l,) -> (l, n) and (l, n, p)

K = 1.345
LONGEST = 3.0  # e-folds that a parameter may move in one step
BETA = float(2 * norm.cdf(K) - 1 - 2 * K * norm.pdf(K) + 2 * K**2 * norm.sf(K))
EXACT = 1e-10  # residuals of a curve without noise are rounding: the scale stops here
TOLERANCE = 1e-10  # what one more step can still win, as a share of the noise's variance


@dataclass(frozen=True, eq=False)
class Problem:
    """A curve to be laid through measurements.

    Attributes:
        curve: values and slopes for many parameters at once.
        measured, weights: (n,) each; a weight says how many measurements a value stands for.
        low, high: bounds of the parameters; (p,), or (lanes, p).
        scale: σ; estimated by (R2) where it is None.
        aims: what more values of `curve`, behind the measured ones, shall be, (lanes, m), and the
            weights (m,) with which the squares of what they miss are added to the cost; they are
            never clipped.
    """

    curve: Curve
    measured: Floats
    weights: Floats
    low: Floats
    high: Floats
    scale: float | None = None
    aims: Aims = None

    @property
    def freedom(self) -> float:
        """n − p."""
        return float(self.weights.sum()) - self.low.shape[-1]


@dataclass(frozen=True, eq=False)
class Descended:
    """Where each lane ended: parameters (lanes, p), σ (lanes,), and the cost there, σ² Σ w ρ or
    (R1); (lanes,).
    """

    parameters: Floats
    scale: Floats
    cost: Floats

    def best(self, most: int) -> Descended:
        """The lanes of lowest cost, at most `most` of them."""
        lanes = np.argsort(self.cost, kind="stable")[:most]
        return Descended(self.parameters[lanes], self.scale[lanes], self.cost[lanes])


@np.errstate(
    over="ignore", invalid="ignore"
)  # a step too far overflows, and is refused as no better
def descend(
    problem: Problem,
    starts: Floats,
    steps: int = 400,
    tolerance: float = TOLERANCE,
    enough: float = -np.inf,
) -> Descended:
    """Levenberg and Marquardt's descent from every start at once, within the bounds.

    A lane stops where a whole step would win less than `tolerance` of σ²: convergence is judged
    against the noise. It also stops where its cost is down to `enough`.
    """
    shape = starts.shape
    low, high = np.broadcast_to(problem.low, shape), np.broadcast_to(problem.high, shape)
    parameters = np.clip(starts, low, high)
    values, slopes = problem.curve(parameters, np.arange(shape[0]))
    scale, cost = _cost(problem, values, problem.aims)
    damping, running = np.full(shape[0], 1e-3), np.arange(shape[0])
    for _ in range(steps):
        here = running
        aims = None if problem.aims is None else (problem.aims[0][here], problem.aims[1])
        bounds = low[here], high[here]
        step, gain = _step(
            problem,
            values[here],
            slopes[here],
            scale[here],
            parameters[here],
            bounds,
            damping[here],
            aims,
        )
        tried = np.clip(parameters[here] + step, *bounds)
        new_values, new_slopes = problem.curve(tried, here)
        new_scale, new_cost = _cost(problem, new_values, aims)
        better = new_cost < cost[here]
        won = here[better]
        parameters[won], values[won], slopes[won] = (
            tried[better],
            new_values[better],
            new_slopes[better],
        )
        scale[won], cost[won] = new_scale[better], new_cost[better]
        settled = (gain < tolerance * scale[here] ** 2) & (damping[here] < 1) | (
            damping[here] > 1e9
        )
        settled |= cost[here] < enough
        damping[here] = np.where(better, np.maximum(damping[here] / 6, 1e-9), 5 * damping[here])
        running = here[~settled]
        if running.size == 0:
            break
    return Descended(parameters, scale, cost)


def huber_scale(residuals: Floats, weights: Floats, freedom: float) -> Floats:
    """σ of (R2) for residuals (lanes, n): the only one at which the clipped squares add up."""
    order = np.argsort(-np.abs(residuals), axis=-1)
    sizes = np.take_along_axis(np.abs(residuals), order, axis=-1)
    w = weights[order]
    clipped = np.cumsum(w, axis=-1) - w  # weight of those farther out than this one
    inner = np.cumsum((w * sizes**2)[..., ::-1], axis=-1)[..., ::-1]
    room = freedom * BETA - K**2 * clipped
    scales = np.sqrt(inner / np.where(room > 0, room, np.inf))
    first = np.argmax((sizes <= K * scales) & (room > 0), axis=-1)
    return np.maximum(np.take_along_axis(scales, first[..., np.newaxis], axis=-1)[..., 0], EXACT)


def noise(problem: Problem, residuals: Floats, scale: float) -> tuple[float, float]:
    """s of (R3) from residuals (n,), and m, the share of measurements that are not clipped."""
    u, w, p = residuals / scale, problem.weights, problem.low.shape[-1]
    unclipped = float(w @ (np.abs(u) <= K) / w.sum())
    correction = 1 + p * (1 - unclipped) / (w.sum() * unclipped)
    squares = float(w @ np.clip(u, -K, K) ** 2)
    return float(correction * scale * np.sqrt(squares / problem.freedom) / unclipped), unclipped


def log_likelihood(residuals: Floats, weights: Floats) -> float:
    """Of Huber's law of noise, exp(−ρ(r/σ)/2) / (σ Z), at the σ that makes residuals (n,) most
    likely; in nats.
    """
    z = np.sqrt(2 * np.pi) * (2 * norm.cdf(K) - 1) + 2 * np.exp(-(K**2) / 2) / K
    total = float(weights.sum())
    largest = float(np.abs(residuals).max())

    def excess(log_scale: float) -> float:
        u = np.abs(residuals) / np.exp(log_scale)
        return float(weights @ (np.minimum(u, K) * u)) - total

    low, high = np.log(EXACT), np.log(max(K * largest * total, 10 * EXACT))
    log_scale = float(brentq(excess, low, high)) if excess(low) > 0 else low
    u = np.abs(residuals) / np.exp(log_scale)
    return -total * (log_scale + float(np.log(z))) - float(weights @ _rho(u)) / 2


def _rho(u: Floats) -> Floats:
    return np.where(u <= K, u**2, 2 * K * u - K**2)


def _cost(problem: Problem, values: Floats, aims: Aims) -> tuple[Floats, Floats]:
    residuals = values[:, : problem.measured.size] - problem.measured
    if problem.scale is None:
        scale = huber_scale(residuals, problem.weights, problem.freedom)
    else:
        scale = np.full(len(values), problem.scale)
    u = np.abs(residuals) / scale[:, np.newaxis]
    total = _rho(u) @ problem.weights
    if problem.scale is None:
        return scale, scale * (total + problem.freedom * BETA)
    cost = scale**2 * total
    if aims is not None:
        cost = cost + (values[:, problem.measured.size :] - aims[0]) ** 2 @ aims[1]
    return scale, cost


def _step(
    problem: Problem,
    values: Floats,
    slopes: Floats,
    scale: Floats,
    parameters: Floats,
    bounds: tuple[Floats, Floats],
    damping: Floats,
    aims: Aims,
) -> tuple[Floats, Floats]:
    """The damped step of each lane, and what a linear curve would win by it."""
    n = problem.measured.size
    residuals = values[:, :n] - problem.measured
    u = np.maximum(np.abs(residuals) / scale[:, np.newaxis], K)
    weights = problem.weights * (K / u)  # a clipped residual counts as one of its share of weight
    if aims is not None:
        residuals = np.concatenate([residuals, values[:, n:] - aims[0]], axis=1)
        weights = np.concatenate([weights, np.broadcast_to(aims[1], aims[0].shape)], axis=1)
    weighted = slopes * weights[:, :, np.newaxis]
    gradient = np.einsum("lnp,ln->lp", weighted, residuals)
    curvature = np.swapaxes(weighted, 1, 2) @ slopes
    diagonal = np.einsum("lpp->lp", curvature)
    diagonal = (diagonal + 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300) * damping[
        :, np.newaxis
    ]
    curvature = curvature + diagonal[:, :, np.newaxis] * np.eye(parameters.shape[1])
    low, high = bounds
    return _within(
        curvature,
        gradient,
        np.maximum(low - parameters, -LONGEST),
        np.minimum(high - parameters, LONGEST),
    )


def _within(
    curvature: Floats, gradient: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """The step to the lowest point of each parabola in its box, near enough, and what it wins.

    Coordinates that would leave the box are put on its wall and the others are solved for anew: a
    floor on which nothing depends must not hold up, nor mislead, the others.
    """
    step = np.zeros_like(gradient)
    held = ((low >= 0) & (gradient > 0)) | ((high <= 0) & (gradient < 0)) | (low >= high)
    for _ in range(step.shape[1]):
        free = ~held
        both = free[:, :, np.newaxis] & free[:, np.newaxis, :]
        system = np.where(both, curvature, 0.0) + held[:, :, np.newaxis] * np.eye(step.shape[1])
        pulled = gradient + np.einsum("lpq,lq->lp", curvature, np.where(held, step, 0.0))
        solved = np.linalg.solve(system, np.where(held, 0.0, -pulled)[:, :, np.newaxis])[:, :, 0]
        step = np.where(held, step, solved)
        out = free & ((step < low) | (step > high))
        if not out.any():
            break
        step = np.clip(step, low, high)
        held |= out
    return step, -np.sum(step * gradient, axis=1)
