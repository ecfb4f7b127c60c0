"""(h) Does the order of samples carry information?  (2) Do units fire independently of each other?

    (H1) trend of unit i: T_i = Σ_j t_j (y_ij − D_i m_j/D) over blocks j, t from −½ to ½; by chance
         of variance v_i
    (H2) if a unit's rate goes from p (1 − δ/2) to p (1 + δ/2), E[T_i²] = v_i + D_i (D_i − 1) S² δ²,
         so that
         δ² = (Σ T_i²/v_i − N') / Σ D_i (D_i − 1) S²/v_i over the N' units that fired, S = Σ t_j²
         m_j/D  [derived]
    (H3) variance of the number of active units: Σ p_i (1 − p_i) if units are independent  [derived]

Chance in (H1) is what other orders of the same blocks show, so activity that comes in bursts does
not look like drift. In (H3) Σ p_i² is estimated without bias by Σ D_i (D_i − 1)/(D (D − 1)).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from actilaw.checks.fitted_layer import Layer
from actilaw.checks.result import DEVIATES, HOLDS, NO_BLOCKS, Question, Row
from actilaw.support.arrays import Floats

ORDERS = 199
LEAST_BLOCKS = 8
DRIFT = Question(
    "exchangeability",
    "(2)",
    "change of a typical unit's rate from start to end, as a share of it; n blocks",
    "0",
)
INDEPENDENCE = Question(
    "independence",
    "(2)",
    "variance of the number of active units, over that of independent units; n {what}",
    "1",
)


def exchangeability(layer: Layer) -> Row:
    """Root mean square drift δ of (H2) beyond what other orders of the blocks show."""
    blocks = layer.counts.blocks
    if blocks is None or len(blocks) < LEAST_BLOCKS:
        return DRIFT.untold(NO_BLOCKS if blocks is None else f"fewer than {LEAST_BLOCKS} blocks")
    fired = layer.counts.counts > 1
    k, share = layer.counts.counts[fired].astype(float), blocks.samples / layer.counts.samples
    away = blocks.counts[:, fired] - np.outer(share, k)
    time = np.linspace(-0.5, 0.5, len(blocks))
    orders = np.array([layer.rng.permutation(time) for _ in range(ORDERS)])
    squares = np.array(
        [_squared_drift(times, away, k, share, layer.counts.samples) for times in (time, *orders)]
    )
    if not np.isfinite(squares[0]):
        return DRIFT.untold("no unit fired twice, and not always")
    by_chance = np.quantile(squares, [1 - layer.level, 0.5, layer.level], method="higher")
    drift, least, most = np.sqrt(np.maximum(squares[0] - by_chance[[1, 2, 0]], 0))
    verdict = HOLDS if squares[0] <= by_chance[2] else f"{DEVIATES} {drift:.0%} of a unit's rate"
    return DRIFT.row(drift, least, most, len(blocks), verdict)


def independence(layer: Layer) -> Row:
    """Variance of the number of active units over (H3): per sample where that was recorded, else
    per block.
    """
    counts = layer.counts
    k, n = counts.counts.astype(float), counts.samples
    alone = float(np.sum(k / n - k * (k - 1) / (n * (n - 1.0))))
    if counts.active_variance is not None and alone > 0:
        rate = k / n
        fourth = 3 * alone**2 + np.sum(rate * (1 - rate) * (1 - 6 * rate * (1 - rate)))
        ratio = counts.active_variance * n / (n - 1) / alone
        reach = layer.reach * np.sqrt(max(fourth / alone**2 - 1, 0.0) / n)
        return _verdict(ratio, ratio * np.exp(-reach), ratio * np.exp(reach), n, "samples")
    blocks = counts.blocks
    if blocks is None or len(blocks) < LEAST_BLOCKS or alone <= 0:
        return _asked("blocks").untold(NO_BLOCKS)
    freedom = len(blocks) - 1
    totals = blocks.counts.sum(axis=1)
    squares = np.sum(
        (totals - counts.active * blocks.samples) ** 2 / np.maximum(blocks.samples * alone, 1e-300)
    )
    low, high = squares / chi2.ppf([(1 + layer.level) / 2, (1 - layer.level) / 2], freedom)
    return _verdict(squares / freedom, low, high, len(blocks), "blocks")


def _squared_drift(time: Floats, away: Floats, k: Floats, share: Floats, samples: int) -> float:
    """δ² of (H2), negative where trends are smaller than chance."""
    time = time - time @ share
    spread = time**2 @ share
    chance = np.maximum(spread * k * (samples - k) / (samples - 1), 0)
    some = chance > 0
    trend = time @ away[:, some]
    chance, k = chance[some], k[some]
    if k.size == 0:
        return np.nan
    return float((np.sum(trend**2 / chance) - k.size) / np.sum(k * (k - 1) * spread**2 / chance))


def _asked(what: str) -> Question:
    return Question(
        INDEPENDENCE.test,
        INDEPENDENCE.claim,
        INDEPENDENCE.statistic.format(what=what),
        INDEPENDENCE.expected,
    )


def _verdict(ratio: float, lower: float, upper: float, n: int, what: str) -> Row:
    how = "units fire together" if ratio > 1 else "units compete, (3)"
    return _asked(what).measured(
        ratio, lower, upper, n, against=1.0, size=f"a factor of {ratio:.3g}: {how}"
    )
