"""Tests of the theory on one layer: a table with a row per test, each with an effect size, an
interval and a verdict.

Nothing is said by a p-value alone: with many units every simple law is refuted, and what matters is
by how much. The letters (a) to (h) in these modules are those of docs/choose.md, the numbers under
`claim` those of docs/theory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import numpy as np
import pandas as pd

from actilaw.checks.accumulation_curve import (
    BACKTEST,
    INFLECTION,
    forecast_from_first_tenth,
    inflection,
)
from actilaw.checks.alternatives import ALTERNATIVES
from actilaw.checks.consistency import (
    ESTIMATORS_OF_B,
    SAMPLING_UNIT,
    EstimatesOfB,
    all_equal,
    estimates_of_b,
    same_b,
    same_b_claim,
    sampling_unit,
)
from actilaw.checks.exchangeability import EXCHANGEABILITY, INDEPENDENCE, drift, independence
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.checks.goodness_of_fit import (
    GOODNESS_OF_FIT,
    RICHER_FAMILIES,
    against,
    against_claim,
    distance_from_law,
    richer_families,
)
from actilaw.checks.reinforcement import ALPHA, REINFORCEMENT, alpha, next_activations
from actilaw.checks.result import Claim, Inconclusive, TestResult
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.progress import Progress, told
from actilaw.support.validation import one_fraction

__all__ = ["check", "check_fast"]

Test = Callable[[], TestResult]


@one_blas_thread()
def check(
    counts: ActivationCounts,
    *,
    loss: FittedLoss | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Whether the theory holds for one layer: a row per test, with its size, its interval and a
    verdict in words.

    Every row is judged by itself: it deviates by chance in a share 1 − level of layers that follow
    the law.

    Args:
        counts: activation counts of one layer; rows that need blocks or first activations say so
            without them.
        loss: a loss law fitted to trainings of the same network at several sizes, for one more
            estimate of b.
        level: of the intervals, and of what counts as chance.
        rng: for the draws that show what chance does; the same ones each time, if left out.
        progress: called after each test with how many are done, and how many there are.

    Returns:
        Columns test, claim (formula of docs/theory), statistic (with its unit), estimate, lower,
        upper, expected (what the theory says), n, verdict: "holds", "deviates by so much" or
        "inconclusive: reason".

    Raises:
        CountsError: if the counts carry too little to determine a law, with the reason.
        InputError: if the level is not a fraction in (0, 1).
    """
    one_fraction("level", level)
    layer = FittedLayer.of(counts, level, np.random.default_rng(0) if rng is None else rng)
    tests = told(_tests(layer, loss), progress)
    rows = [asdict(_result(claim, test)) for claim, test in tests]
    return pd.DataFrame(rows)


@one_blas_thread()
def check_fast(fitted: FittedLaw, *, level: float = 0.95) -> list[TestResult]:
    """The rows of `check` that take milliseconds each, from a fit that is there: for a page of
    hundreds of layers.

    They are reinforcement, goodness_of_fit, alpha, and the comparisons of b. Left out are the other
    families and simple laws, the back-test, the inflection, the sampling unit, exchangeability and
    independence. Draws are made in another order, so that rows with draws differ a little.

    Args:
        fitted: the law of a layer; where another family was fitted, the law is fitted once more.
        level: of the intervals, and of what counts as chance.

    Returns:
        A row of `check` for each test.

    Raises:
        CountsError: if the counts carry too little to determine a law, with the reason.
    """
    rng = np.random.default_rng(0)
    if fitted.family == "law":
        layer = FittedLayer(fitted.counts, fitted, level, rng)
    else:
        layer = FittedLayer.of(fitted.counts, level, rng)
    return [_result(claim, test) for claim, test in _fast_tests(layer)]


def _fast_tests(layer: FittedLayer) -> list[tuple[Claim, Test]]:
    return [
        (REINFORCEMENT, partial(next_activations, layer)),
        (GOODNESS_OF_FIT, partial(distance_from_law, layer)),
        (ALPHA, partial(alpha, layer)),
        *_comparisons_of_b(layer, estimates_of_b(layer, None)),
    ]


def _comparisons_of_b(layer: FittedLayer, estimates: EstimatesOfB) -> list[tuple[Claim, Test]]:
    """Each estimate of b beside that of the counts, and all of them together."""
    return [
        *(
            (same_b_claim(layer, name), partial(same_b, layer, estimates, name))
            for name in estimates.others
        ),
        (ESTIMATORS_OF_B, partial(all_equal, layer, estimates)),
    ]


def _tests(layer: FittedLayer, loss: FittedLoss | None) -> list[tuple[Claim, Test]]:
    """Every claim with its test, in the order of the table, which is that of the draws too."""
    estimates = estimates_of_b(layer, loss)
    return [
        (REINFORCEMENT, partial(next_activations, layer)),
        (GOODNESS_OF_FIT, partial(distance_from_law, layer)),
        (RICHER_FAMILIES, partial(richer_families, layer)),
        *((against_claim(name), partial(against, layer, name)) for name in ALTERNATIVES),
        (ALPHA, partial(alpha, layer)),
        (BACKTEST, partial(forecast_from_first_tenth, layer)),
        (INFLECTION, partial(inflection, layer)),
        *_comparisons_of_b(layer, estimates),
        (SAMPLING_UNIT, partial(sampling_unit, layer)),
        (EXCHANGEABILITY, partial(drift, layer)),
        (INDEPENDENCE, partial(independence, layer)),
    ]


def _result(claim: Claim, test: Test) -> TestResult:
    try:
        return test()
    except Inconclusive as reason:
        return claim.inconclusive(str(reason))
