"""b, read in several ways from the same units, with the influence of each unit on each.

Each reading solves one equation in b, with c as it was counted:

    (R1) growth: Σ_d g(d) (K(d) − N (1 − B(b, β + d)/B(b, β))) = 0 over a grid of d, K rarefied, g =
         ∂K/∂ln b at the law
    (R2) first activations: the likelihood of a hazard b/(d + D*) = cb/(cd + bN), censored at D
         [derived]
    (R3) blocks: the likelihood of the number j of B blocks of m samples in which a unit was seen,
         P(j) = ∫ C(B, j) q^j (1 − q)^(B−j) dBeta(p; b, β),  q = 1 − (1 − p)^m  [derived]

    (R4) units that wake together add Σ_j (x_j − x_{j−1})²/2 − Σ_j Var(x_j) to the variance of the
         score of (R2), with
         x_j the wakes in bin j of log d less those expected; a misfit that bends slowly adds
         nothing  [derived]

(R3) is exact under the law, as (4) is: the same rates, seen in coarser samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln as log_beta
from scipy.special import gammaln

from actilaw.checks.fitted_layer import Layer
from actilaw.checks.result import NO_BLOCKS
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.arrays import Floats
from actilaw.theory.beta_binomial import log_idle
from actilaw.theory.log_gamma import log_beta_ratio

FARTHEST = 5.0  # e-folds of b to either side
STEP = 1e-3
BINS = 80
Equation = Callable[[float, float], Floats]


@dataclass(frozen=True, eq=False)
class Reading:
    """One estimate of b.

    Attributes:
        name: where it was read.
        log_b: its logarithm.
        influence: of each unit on it; (n_units,); 0 where it is from elsewhere.
        apart: variance of log_b that has nothing to do with the units.
    """

    name: str
    log_b: float
    influence: Floats
    apart: float = 0.0


def of_counts(layer: Layer) -> Reading:
    """By the likelihood of the counts."""
    return Reading("counts", float(np.log(layer.law.b)), layer.log_b_influence)


def of_growth(layer: Layer) -> Reading | str:
    """By (R1)."""
    k, where, _ = layer.distinct
    n = layer.counts.samples
    d = np.unique(np.geomspace(1, n, 24).round())
    left = n - k[:, np.newaxis] - d
    seen = np.where(
        left < 0, 1.0, -np.expm1(log_beta_ratio(np.maximum(left, 0) + 1, d, k[:, np.newaxis]))
    )

    def working(log_b: float, log_rate: float) -> Floats:
        b = float(np.exp(log_b))
        return -np.expm1(log_idle(d, b, b * float(np.expm1(-log_rate))))

    at, rate = np.log(layer.law.b), np.log(layer.rate)
    pull = (working(at + STEP, rate) - working(at - STEP, rate)) / (2 * STEP)

    def equation(log_b: float, log_rate: float) -> Floats:
        return ((seen - working(log_b, log_rate)) @ pull)[where]

    return _solved(layer, "growth of K", equation)


def of_first(layer: Layer) -> Reading | str:
    """By (R2)."""
    rests = _samples_before_first(layer)
    if rests is None:
        return "record first activations"
    fired, n = layer.counts.counts > 0, layer.counts.samples

    def log_likelihood(log_b: float, log_rate: float) -> Floats:
        b = float(np.exp(log_b))
        waited = np.where(fired, rests, n)
        hazard = np.where(fired, log_b - np.log(waited + b / np.exp(log_rate)), 0.0)
        return hazard + log_idle(waited, b, b * float(np.expm1(-log_rate)))

    found = _solved(layer, "first activations", _slope(log_likelihood))
    return (
        found
        if isinstance(found, str)
        else replace(found, apart=_shared_wakes(layer, rests, found))
    )


def of_blocks(layer: Layer) -> Reading | str:
    """By (R3), over the blocks that are full."""
    blocks = layer.counts.blocks
    if blocks is None or len(blocks) < 2:
        return NO_BLOCKS
    full = blocks.samples > 0.8 * np.median(blocks.samples)
    total, size = int(full.sum()), float(blocks.samples[full].mean())
    seen = (blocks.counts[full] > 0).sum(axis=0)
    if size < 2 or not 0 < seen.mean() < total:
        return "a block is one sample" if size < 2 else "units are seen in all blocks or in none"

    def log_likelihood(log_b: float, log_rate: float) -> Floats:
        b = float(np.exp(log_b))
        return block_log_pmf(total, size, b, b * float(np.expm1(-log_rate)))

    by_number = _slope(log_likelihood)
    return _solved(layer, "blocks", lambda log_b, log_rate: by_number(log_b, log_rate)[seen])


def of_loss(layer: Layer, loss: FittedLoss) -> Reading | str:
    """As it was fitted to losses, which are independent of the counts."""
    if "b" not in loss.params:
        return f"the loss was fitted by {loss.form.name}, which has no b of its own"
    if "b" in loss.undetermined or not np.isfinite(loss.standard_errors["b"]):
        return "the losses do not determine b"
    error = loss.standard_errors["b"] / loss.b
    return Reading("the loss", float(np.log(loss.b)), np.zeros(layer.counts.units), error**2)


def block_log_pmf(blocks: int, size: float, b: float, beta: float) -> Floats:
    """Log probability that a unit is seen in j of `blocks` blocks of `size` samples, (R3); j =
    0..blocks.
    """
    j = np.arange(1, blocks + 1)[:, np.newaxis]
    x = np.arange(
        -np.log(size * blocks) - 14, 40 / max(beta, 0.5) + 2, 0.05
    )  # log odds of the rate
    log_rest = -np.logaddexp(0, x)  # ln(1 − p)
    prior = b * (x + log_rest) + beta * log_rest - log_beta(b, beta)
    seen = np.log(-np.expm1(size * log_rest))
    ways = gammaln(blocks + 1) - gammaln(j + 1) - gammaln(blocks - j + 1)
    some = np.exp(ways + j * seen + (blocks - j) * size * log_rest + prior).sum(axis=1) * 0.05
    return np.append(log_idle(size * blocks, b, beta), np.log(np.maximum(some, 1e-300)))


def _slope(log_likelihood: Equation) -> Equation:
    """Its slope in ln b."""

    def equation(log_b: float, log_rate: float) -> Floats:
        return (log_likelihood(log_b + STEP, log_rate) - log_likelihood(log_b - STEP, log_rate)) / (
            2 * STEP
        )

    return equation


def _solved(layer: Layer, name: str, equation: Equation) -> Reading | str:
    """The reading, with the influence of each unit, that of c among them."""
    rate, start = float(np.log(layer.rate)), float(np.log(layer.law.b))

    def total(log_b: float) -> float:
        return float(equation(log_b, rate).sum())

    for far in (0.7, FARTHEST):
        if total(start - far) * total(start + far) < 0:
            break
    else:
        return f"no b accounts for {name}"
    log_b = float(brentq(total, start - far, start + far, xtol=1e-6))
    bend = (total(log_b + 10 * STEP) - total(log_b - 10 * STEP)) / (20 * STEP)
    shift = 10 * STEP
    by_rate = (equation(log_b, rate + shift) - equation(log_b, rate - shift)).sum() / (2 * shift)
    influence = -(equation(log_b, rate) + by_rate * layer.log_rate_influence) / bend
    return Reading(name, log_b, influence)


def _shared_wakes(layer: Layer, rests: Floats, found: Reading) -> float:
    """What units that wake together add to the variance of (R2), (R4); 0 where they wake
    independently.
    """
    n, b = layer.counts.samples, float(np.exp(found.log_b))
    knee = b / layer.rate
    edges = np.unique(np.geomspace(1, n, BINS).round())
    wakes = np.histogram(rests[layer.counts.counts > 0] + 1, np.append(edges, n + 1))[0].astype(
        float
    )
    starts, ends = edges - 1, np.append(edges[1:] - 1, n)
    still = log_idle(np.append(starts, n), b, knee - b)
    chance = -np.expm1(np.diff(still))
    asleep = layer.counts.units - np.append(0, np.cumsum(wakes)[:-1])
    weight = (starts + ends) / 2 / ((starts + ends) / 2 + knee)  # slope of the log hazard in ln b
    away = weight * (wakes - asleep * chance)
    independent = np.sum(weight**2 * asleep * chance * (1 - chance))
    together = np.sum(np.diff(away, prepend=0.0, append=0.0) ** 2) / 2
    return float(max(0.0, together - independent) / independent**2)


def _samples_before_first(layer: Layer) -> Floats | None:
    """Samples before the first activation of each unit, from entries; blocks tell how many samples
    entries hold.
    """
    counts = layer.counts
    first, blocks, n = counts.first, counts.blocks, counts.samples
    if first is None:
        return None
    if blocks is None:
        entries = counts.entries or n
        return np.asarray(np.clip(first * (n / entries), 0, n - 1), float)
    widths = np.full(len(blocks), float(blocks.size))
    if counts.entries is not None and counts.entries <= len(blocks) * blocks.size:
        widths[-1] = counts.entries - (len(blocks) - 1) * blocks.size
    elif counts.per == "sample" and blocks.samples[-1] < blocks.size:
        widths[-1] = max(blocks.samples[-1], 1)
    block = np.maximum(first, 0) // blocks.size
    within = (np.maximum(first, 0) - block * blocks.size) / widths[block]
    before = np.append(0, np.cumsum(blocks.samples))[block]
    return np.asarray(np.clip(before + within * blocks.samples[block], 0, n - 1), float)
