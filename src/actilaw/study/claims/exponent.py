"""Claim (7): counts of working units obey a power law k^(−α) with 0 < α < 1, that is 0 < b < 1."""

from __future__ import annotations

import pandas as pd

from actilaw.study.claims.result import (
    ClaimResult,
    Curve,
    Figure,
    Verdict,
    by,
    judged,
    share_of,
)

LEAST_INSIDE = 0.75  # of the cells that decide, from which the claim holds
INSIDE, OUTSIDE, STRADDLES = "inside", "outside", "reaches across"


def exponent(readings: pd.DataFrame) -> ClaimResult:
    """α of every cell with its interval, and the share of cells where it lies in (0, 1)."""
    fitted = readings.dropna(subset=["alpha", "alpha_lower", "alpha_upper"]).copy()
    fitted["alpha_is"] = [
        _place(lower, upper)
        for lower, upper in zip(fitted["alpha_lower"], fitted["alpha_upper"], strict=True)
    ]
    verdicts: list[Verdict] = []
    for network in readings["network"].unique():
        places = fitted.loc[fitted["network"] == network, "alpha_is"]
        decided = places[places != STRADDLES]
        verdicts.append(
            judged(
                network,
                "0 < α < 1",
                "share of cells whose interval of α lies in (0, 1), among those that decide",
                share_of((decided == INSIDE).to_numpy()),
                within=(LEAST_INSIDE, 1.0),
                needs="cells whose interval lies wholly inside or outside (0, 1)",
            )
        )
    return ClaimResult(
        name="exponent",
        equation="(7)",
        claim="The counts of working units obey a power law k^(−α) with 0 < α < 1.",
        rule=(
            f"Holds where in {LEAST_INSIDE:.0%} of the cells or more the 95 % interval of α lies "
            "inside (0, 1), among cells where it lies wholly inside or outside."
        ),
        verdicts=tuple(verdicts),
        details=fitted,
        figure=_figure(fitted),
    )


def _place(lower: float, upper: float) -> str:
    if lower > 0 and upper < 1:
        return INSIDE
    return OUTSIDE if upper < 0 or lower > 1 else STRADDLES


def _figure(fitted: pd.DataFrame) -> Figure:
    """α against D, a line for each width; means over seeds."""
    curves = []
    for (network, width), rows in by(fitted, "network", "width"):
        means = rows.groupby("counted")["alpha"].mean()
        curves.append(
            Curve(str(network), f"width {width}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("samples D", "α = 1 − b", tuple(curves))
