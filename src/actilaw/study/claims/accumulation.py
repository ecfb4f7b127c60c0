"""Claim (6): working units grow with data as the law says, K(D) = N (1 − (bN/(cD + bN))^b).

Of every trained network the first tenth of its samples is taken, working units after all of them
are foretold, and the error is compared with how many units began to work in between.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from actilaw.study.claims.result import (
    ClaimResult,
    Curve,
    Figure,
    Verdict,
    by,
    judged,
    median_of,
    share_of,
)

MISSED = 0.25  # error as a share of the newly working units, up to which the law is good enough
LEAST_NEWLY = 10  # units that begin to work, from which a miss is more than chance
COVERAGE = 0.95


def accumulation(readings: pd.DataFrame) -> ClaimResult:
    """K against D, by the closed form and by the forecast that is not tied to it."""
    grown = readings[readings.get("newly", pd.Series(0, readings.index)) >= LEAST_NEWLY]
    verdicts: list[Verdict] = []
    for network in readings["network"].unique():
        of_network = grown[grown["network"] == network]
        needs = f"cells in which {LEAST_NEWLY} units or more begin to work"
        for column, what in (("law", "the law"), ("forecast", "the rate density")):
            missed = of_network.get(f"{column}_missed", pd.Series(dtype=float))
            verdicts.append(
                judged(
                    network,
                    f"{what} foretells K from a tenth of the samples",
                    "median error, as a share of the newly working units",
                    median_of(missed.to_numpy(float)),
                    within=(-np.inf, MISSED),
                    needs=needs,
                )
            )
        inside = of_network.get("forecast_inside", pd.Series(dtype=float)).dropna()
        verdicts.append(
            judged(
                network,
                "the forecast's 95 % intervals hold the count",
                "share of cells inside",
                share_of(inside.to_numpy() > 0),
                within=(COVERAGE, 1.0),
                needs=needs,
            )
        )
    return ClaimResult(
        name="accumulation",
        equation="(6)",
        claim="Working units grow with data as K(D) = N (1 − (bN/(cD + bN))^b).",
        rule=(
            "Holds where the median error of K, foretold from the first tenth of a network's "
            f"samples, is at most {MISSED:.0%} of the units that began to work since then; and "
            f"where {COVERAGE:.0%} of the forecast's intervals or more hold the count. "
            f"Networks in which fewer than {LEAST_NEWLY} did are left out."
        ),
        verdicts=tuple(verdicts),
        details=grown,
        figure=_figure(grown),
    )


def _figure(grown: pd.DataFrame) -> Figure:
    """Errors of both, sorted, as shares of the newly working units."""
    curves = []
    for (network,), rows in by(grown, "network"):
        for column, title in (("law", "the law"), ("forecast", "rate density")):
            errors = np.sort(rows[f"{column}_missed"].dropna().to_numpy(float))
            ranks = (np.arange(errors.size) + 1) / max(errors.size, 1)
            curves.append(Curve(str(network), title, tuple(errors), tuple(ranks)))
    return Figure(
        "error of K, as a share of the newly working units", "share of cells", tuple(curves)
    )
