"""(f) Do counts, growth and first activations tell the same b?  (g) Does b depend on what a sample
is?

All are read from the same units, so errors of their differences come from differences of
influences, (C2). In the last row of (f) every pair is compared at once: the interval is as wide as
the largest of the pairs demands (Tukey's way, with the correlations drawn).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from actilaw.checks.estimators_of_b import (
    Reading,
    of_blocks,
    of_counts,
    of_first,
    of_growth,
    of_loss,
)
from actilaw.checks.fitted_layer import Layer
from actilaw.checks.result import DEVIATES, HOLDS, Question, Row, percent
from actilaw.loss.fitted_loss import FittedLoss

DRAWS = 4000
SAMPLING = Question(
    "sampling unit", "(4)", "b with a block of samples as one sample, over b; n units", "1"
)
READINGS = Question(
    "readings of b", "(10)", "largest ratio between two readings of b; n readings", "1"
)
CLAIMS = {"growth of K": "(5)", "first activations": "(1)", "the loss": "(10)"}


def readings_of_b(layer: Layer, loss: FittedLoss | None) -> list[Row]:
    """b of each reading beside that of the counts, and whether all are equal."""
    found, rows = [of_counts(layer)], []
    told = {"growth of K": of_growth(layer), "first activations": of_first(layer)}
    if loss is not None:
        told["the loss"] = of_loss(layer, loss)
    for name, reading in told.items():
        question = Question(
            f"b from {name}", CLAIMS[name], "b; n units", f"{layer.law.b:.4g}, b of the counts"
        )
        if isinstance(reading, str):
            rows.append(question.untold(reading))
        else:
            found.append(reading)
            rows.append(_beside_counts(layer, question, found[0], reading))
    return [*rows, _all_equal(layer, found)]


def sampling_unit(layer: Layer) -> Row:
    """b read from blocks, each taken as one sample, over b of the counts."""
    reading = of_blocks(layer)
    if isinstance(reading, str):
        return SAMPLING.untold(reading)
    ratio, lower, upper = _ratio(layer, of_counts(layer), reading, layer.reach)
    n = layer.counts.units
    return SAMPLING.measured(ratio, lower, upper, n, against=1.0, size=f"{percent(ratio)} in b")


def _ratio(layer: Layer, one: Reading, other: Reading, reach: float) -> tuple[float, float, float]:
    """other/one with its interval."""
    error = np.sqrt(
        layer.standard_error(other.influence - one.influence) ** 2 + one.apart + other.apart
    )
    log_ratio = other.log_b - one.log_b
    low, middle, high = (float(np.exp(log_ratio + sign * reach * error)) for sign in (-1, 0, 1))
    return middle, low, high


def _beside_counts(layer: Layer, question: Question, counted: Reading, reading: Reading) -> Row:
    """b with an interval of its own; the verdict is of its ratio to b of the counts."""
    ratio, low, high = _ratio(layer, counted, reading, layer.reach)
    error = np.sqrt(layer.standard_error(reading.influence) ** 2 + reading.apart)
    low_b, b, high_b = np.exp(reading.log_b + layer.reach * error * np.array([-1, 0, 1]))
    verdict = HOLDS if low <= 1 <= high else f"{DEVIATES} {percent(ratio)} from b of the counts"
    return question.row(b, low_b, high_b, layer.counts.units, verdict)


def _all_equal(layer: Layer, found: list[Reading]) -> Row:
    """The pair that differs most, with an interval that holds for all pairs at once."""
    if len(found) < 2:
        return READINGS.untold("b was read in one way only")
    influences = np.array([reading.influence for reading in found])
    covariance = layer.design_effect * influences @ influences.T + np.diag(
        [reading.apart for reading in found]
    )
    pairs = list(combinations(range(len(found)), 2))
    signs = np.zeros((len(pairs), len(found)))
    for row, (i, j) in enumerate(pairs):
        signs[row, [i, j]] = -1, 1
    errors = np.sqrt(np.einsum("pi,ij,pj->p", signs, covariance, signs))
    drawn = layer.rng.multivariate_normal(np.zeros(len(found)), covariance, DRAWS, method="eigh")
    reach = float(np.quantile(np.abs(drawn @ signs.T / errors).max(axis=1), layer.level))
    i, j = pairs[int(np.argmax(np.abs(signs @ [reading.log_b for reading in found]) / errors))]
    if found[i].log_b > found[j].log_b:
        i, j = j, i
    ratio, low, high = _ratio(layer, found[i], found[j], reach)
    size = f"{percent(ratio)} between {found[i].name} and {found[j].name}"
    return READINGS.measured(ratio, low, high, len(found), against=1.0, size=size)
