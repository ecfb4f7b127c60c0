"""Claim (6): working units grow with data as the law says, K(D) = N (1 − (bN/(cD + bN))^b).

Of every trained network the first tenth of its samples is taken, working units after all of them
are foretold, and the error is compared with how many units began to work in between.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from actilaw.study.claims.result import (
    LEVEL,
    ClaimResult,
    Curve,
    Figure,
    Verdict,
    by,
    effective_number,
    judged,
    mean_over,
    share_of,
)
from actilaw.support.numerics import two_sided_z

FORECASTS = ("law_missed", "forecast_missed", "forecast_inside")
MISSED = 0.25  # error as a share of the newly working units, up to which the law is good enough
LEAST_NEWLY = 30  # units that begin to work: their number then scatters by 18 % by chance alone
COVERAGE = 0.85  # of 95 % intervals: they miss three times as often as they say, and no more


def accumulation(readings: pd.DataFrame) -> ClaimResult:
    """K against D, by the closed form and by the forecast that is not tied to it."""
    newly = readings.get("newly", pd.Series(0.0, readings.index))
    grown = readings[newly >= LEAST_NEWLY]
    grown = grown.reindex(columns=[*dict.fromkeys([*grown.columns, *FORECASTS])])
    verdicts: list[Verdict] = []
    for network in readings["network"].unique():
        of_network = grown[grown["network"] == network]
        needs = f"three widths with networks in which {LEAST_NEWLY} units or more begin to work"
        for column, what in (("law", "the law"), ("forecast", "the rate density")):
            verdicts.append(
                judged(
                    network,
                    f"{what} foretells K from a tenth of the samples",
                    "median error as a share of the newly working units, mean over widths",
                    mean_over(
                        of_network[f"{column}_missed"], of_network["units"], summary="median"
                    ),
                    within=(-np.inf, MISSED),
                    needs=needs,
                )
            )
        inside = of_network["forecast_inside"].dropna()
        verdicts.append(
            judged(
                network,
                "the forecast's 95 % intervals hold the count",
                "share of intervals that do",
                share_of(inside > 0, of_network["units"][inside.index]),
                within=(COVERAGE, 1.0),
                needs=needs,
            )
        )
    return ClaimResult(
        name="accumulation",
        equation="(6)",
        claim="Working units grow with data as K(D) = N (1 − (bN/(cD + bN))^b).",
        rule=(
            "K after all samples is foretold from the first tenth of them, in networks in which "
            f"{LEAST_NEWLY} units or more began to work since then. A forecast is good where its "
            f"error is at most {100 * MISSED:.0f} % of these units, by the median of each width in "
            "the mean over widths. Intervals hold the count where they do so in "
            f"{100 * COVERAGE:.0f} % of the networks or more, that is where they miss at most "
            "three times as often as they say; of five widths that takes "
            f"{_least_to_hold(5)} networks or more, even if none misses."
        ),
        verdicts=tuple(verdicts),
        details=grown,
        figure=_figure(grown),
    )


def _least_to_hold(groups: int) -> int:
    """Networks from which intervals can be told to hold the count, if all do."""
    z = two_sided_z(LEVEL)
    # Wilson's lower end of a share of 1 is m/(m + z²) for m independent figures.
    needed = z**2 * COVERAGE / (1 - COVERAGE)
    return math.ceil(needed / effective_number(1, groups))


def _figure(grown: pd.DataFrame) -> Figure:
    """Errors of both, sorted, as shares of the newly working units."""
    curves = []
    for (network,), rows in by(grown, "network"):
        for column, title in (("law", "the law"), ("forecast", "rate density")):
            errors = np.sort(rows[f"{column}_missed"].dropna().to_numpy(float))
            ranks = (np.arange(errors.size) + 1) / max(errors.size, 1)
            curves.append(Curve(str(network), title, tuple(errors), tuple(ranks)))
    return Figure("error of K over newly working units", "share of networks", tuple(curves))
