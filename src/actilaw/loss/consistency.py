"""Likelihood-ratio test that counts and losses share one b and one knee, (10), and the ratio of the
two estimates of each with its interval: what `FittedLoss.consistency` holds.

The row `b_from_loss` of `check` compares b alone, by standard errors. Here C(θ) is the cost of the
fit, s the noise of a loss and m the share of weight that is not clipped, as in (PL1). The counts'
estimates are taken as Gaussian in their logarithms, with errors se, independent of each other and
of the losses:

    F = (min over θ of [C(θ) + m s² Σ_j (θ_j − counts_j)²/se_j²] − min over θ of C(θ)) / (2 m s²),
    j = ln knee, ln b

is the likelihood ratio of one b and one knee against two of each, over its 2 degrees of freedom: F
of (2, n − 4) where the curve is linear in its parameters. The interval of a ratio adds the squared
distances of the two estimates' own bounds, each side by itself (Zou & Donner 2008), so that a knee
bounded on one side gives a ratio bounded on one side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.huber import Curve, Fits, PenaltyTargets, Problem, solve
from actilaw.loss.profile_likelihood import ProfileLikelihood
from actilaw.support.arrays import Floats
from actilaw.support.numerics import two_sided_z

SHARED = ("knee", "b")
SAME_WITHIN = np.log(2.0)  # estimates agree where their ratio lies surely within this factor
LEAST_ERROR = 1e-6  # of a logarithm of the counts, so that a division by it stays finite
ROOM = 5  # standard errors around the counts that the search may move in, whatever the losses say


@dataclass(frozen=True, eq=False)
class Consistency:
    """How b and the knee estimated from counts compare with those estimated from losses.

    Attributes:
        table: rows knee and b; columns counts, loss (the two estimates), ratio (loss over counts),
            lower, upper (its interval at `level`) and verdict: "holds" (the interval holds 1 and
            stays within a factor of 2), "deviates by ...", or "inconclusive: ...".
        level: of the intervals.
        statistic, freedom, p_value: F of the rise of the cost when both are those of the counts,
            with the counts' own errors granted; (2, n − 4) degrees of freedom.
        scatter_ratio: median distance in log loss from the curve with the counts' b and knee, over
            that from the curve fitted to the losses alone: the size of the difference.
    """

    table: pd.DataFrame
    level: float
    statistic: float
    freedom: tuple[int, float]
    p_value: float
    scatter_ratio: float


def consistency_with_counts(
    law: FittedLaw,
    profile: ProfileLikelihood,
    summary: pd.DataFrame,
    *,
    scatter_ratio: float,
    level: float,
) -> Consistency:
    """The test and the ratios.

    Args:
        law: fitted to the counts.
        profile: of the loss law fitted to the losses alone.
        summary: of that fit, with intervals at `level`; a row per coordinate, in their order.
        scatter_ratio: handed through.
        level: of the intervals of the ratios.
    """
    log_counts = np.log([law.law.knee, law.law.b])
    relative = [law.standard_errors[name] / getattr(law.law, name) for name in SHARED]
    errors = np.maximum(np.array(relative), LEAST_ERROR)
    columns = [list(summary.index).index(name) for name in SHARED]
    statistic = _statistic(profile, columns, log_counts, errors)
    freedom = profile.problem.freedom
    return Consistency(
        table=_table(summary.loc[list(SHARED)], log_counts, errors, level),
        level=level,
        statistic=statistic,
        freedom=(2, freedom),
        p_value=float(fdtrc(2, freedom, statistic)),
        scatter_ratio=scatter_ratio,
    )


def _statistic(
    profile: ProfileLikelihood, columns: list[int], log_counts: Floats, errors: Floats
) -> float:
    """F, from the best fit of the losses alone and the best one drawn to the counts."""
    variance = profile.unclipped * profile.noise**2
    alone = profile.coordinates
    at_counts = alone.copy()
    at_counts[columns] = log_counts
    starts = np.stack([alone, at_counts])
    drawn = _drawn_to_counts(profile.at_scale(), columns, log_counts, errors)
    penalty = PenaltyTargets(np.broadcast_to(log_counts, (2, 2)), variance / errors**2)
    cost_apart = solve(profile.at_scale(), starts[:1]).cost[0]
    cost_together = solve(replace(drawn, penalty=penalty), starts).cost.min()
    return float(max(cost_together - cost_apart, 0.0) / (2 * variance))


def _drawn_to_counts(
    problem: Problem, columns: list[int], log_counts: Floats, errors: Floats
) -> Problem:
    """The problem with ln knee and ln b as further values of its curve, and room for the counts."""
    low, high = problem.low.copy(), problem.high.copy()
    low[columns] = np.minimum(low[columns], log_counts - ROOM * errors)
    high[columns] = np.maximum(high[columns], log_counts + ROOM * errors)
    return replace(problem, curve=_with_coordinates(problem.curve, columns), low=low, high=high)


def _with_coordinates(curve: Curve, columns: list[int]) -> Curve:
    """The curve with some of its coordinates as further values."""

    def extended(parameters: Floats, fits: Fits) -> tuple[Floats, Floats]:
        values, slopes = curve(parameters, fits)
        unit = np.eye(parameters.shape[1])[columns]
        unit_slopes = np.broadcast_to(unit, (len(parameters), *unit.shape))
        return (
            np.concatenate([values, parameters[:, columns]], axis=1),
            np.concatenate([slopes, unit_slopes], axis=1),
        )

    return extended


def _table(summary: pd.DataFrame, log_counts: Floats, errors: Floats, level: float) -> pd.DataFrame:
    with np.errstate(divide="ignore"):  # a lower bound of 0
        logs = np.log(summary[["estimate", "lower", "upper"]].to_numpy())
    ratio, lower, upper = (logs - log_counts[:, np.newaxis]).T
    reach = two_sided_z(level) * errors
    below = ratio - np.hypot(ratio - lower, reach)
    above = ratio + np.hypot(upper - ratio, reach)
    verdicts = [_verdict(*row) for row in zip(ratio, below, above, strict=True)]
    return pd.DataFrame(
        {
            "counts": np.exp(log_counts),
            "loss": summary["estimate"],
            "ratio": np.exp(ratio),
            "lower": np.exp(below),
            "upper": np.exp(above),
            "verdict": verdicts,
        },
        index=summary.index,
    )


def _verdict(ratio: float, lower: float, upper: float) -> str:
    if not lower <= 0 <= upper:
        return f"deviates by a factor of {np.exp(ratio):.3g}"
    if max(-lower, upper) <= SAME_WITHIN:
        return "holds"
    return "inconclusive: the interval of the ratio reaches beyond a factor of 2"
