"""(a) Is the next activation proportional to D_i + b?  (c) Is the exponent between 0 and 1?

    (K1) E[y_i | k_i] = a (k_i + b)^γ, with k_i activations in the first half of the blocks and y_i
         in the rest;
         the theory says γ = 1, exactly and whatever k_i: units not seen so far, k_i = 0, count like
         all others
    (K2) Var[y | k] = m μ (1 − μ) (1 + (m − 1)/(n + D* + 1)), μ = (k + b)/(n + D*), y beta-binomial
         out of m  [derived]

γ and a solve the weighted least squares of (K1) with the weights of (K2), b being that of all
counts; the error of b is carried along. Regressing on the observed k_i, not on a rate estimated
from it, leaves no error in the variable.
"""

from __future__ import annotations

import numpy as np

from actilaw.checks.fitted_layer import Layer
from actilaw.checks.result import DEVIATES, HOLDS, NO_BLOCKS, UNTOLD, Question, Row

KERNEL = Question(
    "kernel", "(1)", "exponent gamma of next activations against count + b; n units", "1"
)
ALPHA = Question(
    "exponent", "(7)", "alpha, exponent of the law of counts; n units", "between 0 and 1"
)


def next_activations(layer: Layer) -> Row:
    """Exponent of the next activations of a unit against its count so far, (K1)."""
    blocks, law = layer.counts.blocks, layer.law
    if blocks is None or len(blocks) < 2:
        return KERNEL.untold(NO_BLOCKS)
    half = len(blocks) // 2
    k, y = blocks.counts[:half].sum(axis=0), blocks.counts[half:].sum(axis=0)
    n, m = float(blocks.samples[:half].sum()), float(blocks.samples[half:].sum())
    if n == 0 or m == 0 or np.unique(k).size < 3 or not y.any():
        return KERNEL.untold("fewer than 3 different counts in the first half of the blocks")
    chance = (k + law.b) / (n + law.knee)
    variance = m * chance * (1 - chance) * (1 + (m - 1) / (n + law.knee + 1))
    terms = np.stack([np.ones(k.size), np.log(k + law.b)])
    at = np.array([np.log(m / (n + law.knee)), 1.0])
    for _ in range(50):
        mean = np.exp(np.clip(at @ terms, -50, 50))
        pull = terms * (mean / variance)
        bend = pull * mean @ terms.T
        step = np.linalg.solve(bend, pull @ (y - mean))
        at = at + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    else:
        return KERNEL.untold("no power of the counts fits the next activations")
    by_b = -(pull * mean) @ (at[1] * law.b / (k + law.b))
    leverage = np.sum(terms * np.linalg.solve(bend, terms), axis=0) * mean**2 / variance
    away = (
        pull * (y - mean) / (1 - leverage)
    )  # as if each unit had been left out (HC3, MacKinnon & White 1985)
    influence = np.linalg.solve(bend, away + np.outer(by_b, layer.log_b_influence))[1]
    reach = layer.reach * layer.standard_error(influence)
    gamma = float(at[1])
    return KERNEL.measured(
        gamma,
        gamma - reach,
        gamma + reach,
        k.size,
        against=1.0,
        size=f"{gamma - 1:+.3f} in the exponent",
    )


def exponent(layer: Layer) -> Row:
    """alpha = 1 − b beside the claim that it lies between 0 and 1; b > 0 in any law, so only alpha
    < 0 can refute.
    """
    b, error = layer.law.b, layer.fitted.standard_errors["b"]
    factor = np.exp(min(layer.reach * error / b, 100.0))
    low, high = 1 - b * factor, 1 - b / factor
    if low > 0:
        verdict = HOLDS
    elif high < 0:
        verdict = f"{DEVIATES} {1 - b:+.3f} below 0"
    else:
        verdict = f"{UNTOLD} the interval holds 0"
    return ALPHA.row(1 - b, low, high, layer.counts.units, verdict)
