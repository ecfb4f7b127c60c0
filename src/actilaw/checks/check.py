"""Does the theory hold for a network? One table: a row per test, each with a size, an interval and
a verdict.

The letters (a) to (h) in these modules are those of docs/choose.md, the numbers under `claim` those
of docs/theory. Nothing is said by a p-value alone: with many units every simple law is refuted, and
what matters is by how much.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from actilaw.checks.accumulation_curve import back_test, inflection
from actilaw.checks.consistency import readings_of_b, sampling_unit
from actilaw.checks.exchangeability import exchangeability, independence
from actilaw.checks.fitted_layer import Layer
from actilaw.checks.goodness_of_fit import deviation, richer_families, rivals
from actilaw.checks.reinforcement import exponent, next_activations
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.validation import fraction

__all__ = ["check"]


def check(
    counts: ActivationCounts,
    *,
    loss: FittedLoss | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Whether the theory holds for one layer: a row per claim, with its size, its interval and a
    verdict in words.

    Every row stands alone: it deviates by chance in a share 1 − level of layers that follow the
    law.

    Args:
        counts: activation counts of one layer; rows that need blocks or first activations say so
            without them.
        loss: a loss law fitted to trainings of the same network at several sizes, for one more
            reading of b.
        level: of the intervals, and of what counts as chance.
        rng: for the draws that tell what chance does; the same ones each time, if left out.

    Returns:
        Columns test, claim (formula of docs/theory), statistic (with its unit), estimate, lower,
        upper, expected (what the theory says), n, verdict: "holds", "deviates by so much" or
        "cannot be told: reason".

    Raises:
        CountsError: if the counts carry too little to determine a law, with the reason.
    """
    fraction("level", level)
    layer = Layer.of(counts, level, np.random.default_rng(0) if rng is None else rng)
    rows = [
        next_activations(layer),
        deviation(layer),
        richer_families(layer),
        *rivals(layer),
        exponent(layer),
        back_test(layer),
        inflection(layer),
        *readings_of_b(layer, loss),
        sampling_unit(layer),
        exchangeability(layer),
        independence(layer),
    ]
    return pd.DataFrame([asdict(row) for row in rows])
