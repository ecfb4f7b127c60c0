"""b and the knee, read from counts and read from losses: the same, or by how much not (theory (10),
(14 f)).

With the counts' estimates taken as Gaussian in their logarithms, independent of each other and of
the losses,

    F = (min over θ of [C(θ) + m s² Σ_j (θ_j − counts_j)²/se_j²] − min over θ of C(θ)) / (2 m s²),
    j = ln knee, ln b

is the likelihood ratio of one b and one knee against two of each, over its 2 degrees of freedom: F
of (2, n − 4) where the curve is linear in its parameters. The interval of a ratio adds the two
readings' own intervals in squares, each side by itself (Zou & Donner 2008), so that a knee bounded
on one side gives a ratio bounded on one side.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import f as fisher
from scipy.stats import norm

from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fitted_loss import Agreement, FittedLoss
from actilaw.loss.huber import Lanes, descend
from actilaw.support.arrays import Floats

NAMES = ("knee", "b")
WITHIN = np.log(2.0)  # readings whose ratio lies surely within this factor are said to agree


def agreement(
    tied: FittedLoss, free: FittedLoss, told: FittedLaw, level: float = 0.95
) -> Agreement:
    """What the losses alone say of b and the knee, beside what the counts say."""
    counts = np.log([told.law.knee, told.law.b])
    errors = [told.standard_errors[name] / getattr(told.law, name) for name in NAMES]
    errors = np.maximum(np.array(errors), 1e-6)
    statistic = _statistic(free, counts, errors)
    freedom = free.valley.problem.freedom
    return Agreement(
        table=_table(free, counts, errors, level),
        level=level,
        statistic=statistic,
        freedom=(2, freedom),
        p_value=float(fisher.sf(statistic, 2, freedom)),
        spoilt=_scatter(tied) / max(_scatter(free), 1e-12),
    )


def _statistic(free: FittedLoss, counts: Floats, errors: Floats) -> float:
    valley = free.valley
    columns = [free.form.parameters.index(name) for name in NAMES]
    low, high = valley.problem.low.copy(), valley.problem.high.copy()
    low[columns] = np.minimum(low[columns], counts - 5 * errors)
    high[columns] = np.maximum(high[columns], counts + 5 * errors)

    def curve(parameters: Floats, lanes: Lanes) -> tuple[Floats, Floats]:
        values, slopes = valley.problem.curve(parameters, lanes)
        unit = np.eye(parameters.shape[1])[columns]
        more = np.broadcast_to(unit, (len(parameters), *unit.shape))
        return np.concatenate([values, parameters[:, columns]], axis=1), np.concatenate(
            [slopes, more], axis=1
        )

    variance = valley.unclipped * valley.noise**2
    starts = np.repeat(valley.fitted.parameters[:1], 2, axis=0)
    starts[1, columns] = counts
    cost = descend(valley.at_scale(), starts[:1]).cost[0]
    aims = np.broadcast_to(counts, (2, 2))
    one = replace(
        valley.at_scale(), curve=curve, aims=(aims, variance / errors**2), low=low, high=high
    )
    return float(max(descend(one, starts).cost.min() - cost, 0.0) / (2 * variance))


def _table(free: FittedLoss, counts: Floats, errors: Floats, level: float) -> pd.DataFrame:
    summary = free.summary(level).loc[list(NAMES)]
    with np.errstate(divide="ignore"):
        logs = np.log(summary[["estimate", "lower", "upper"]].to_numpy()) - counts[:, np.newaxis]
    ratio, lower, upper = logs.T
    reach = norm.ppf((1 + level) / 2) * errors
    below, above = ratio - np.hypot(ratio - lower, reach), ratio + np.hypot(upper - ratio, reach)
    verdicts = [_verdict(*row) for row in zip(ratio, below, above, strict=True)]
    columns = {
        "counts": counts,
        "loss": np.log(summary["estimate"]),
        "ratio": ratio,
        "lower": below,
        "upper": above,
    }
    return pd.DataFrame({name: np.exp(value) for name, value in columns.items()}).assign(
        verdict=verdicts
    )


def _verdict(ratio: float, lower: float, upper: float) -> str:
    if not lower <= 0 <= upper:
        return f"deviates by a factor of {np.exp(ratio):.3g}"
    return "holds" if max(-lower, upper) <= WITHIN else "cannot be told"


def _scatter(fitted: FittedLoss) -> float:
    """Median distance between losses and curve, in log loss."""
    return float(np.median(np.abs(np.log(fitted.predict(fitted.samples) / fitted.loss))))
