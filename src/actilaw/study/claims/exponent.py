"""Claim (7): counts of working units obey a power law k^(−α) with 0 < α < 1, that is 0 < b < 1.

The half that can be tested is α > 0: the law has b > 0, so that α < 1 whatever the counts.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from actilaw.study.claims.result import (
    ClaimResult,
    Curve,
    Figure,
    Interval,
    Verdict,
    by,
    judged,
    share_of,
)

LEAST_POSITIVE = 0.75  # of the networks, from which the claim holds
ALPHA_POSITIVE, ALPHA_NEGATIVE, ALPHA_UNDECIDED = "positive", "negative", "undecided"


def exponent(readings: pd.DataFrame) -> ClaimResult:
    """α of every network with its interval, and the share of networks where it is positive."""
    fitted = readings.dropna(subset=["alpha", "alpha_lower", "alpha_upper"]).copy()
    fitted["alpha_is"] = ALPHA_UNDECIDED
    fitted.loc[fitted["alpha_lower"] > 0, "alpha_is"] = ALPHA_POSITIVE
    fitted.loc[fitted["alpha_upper"] < 0, "alpha_is"] = ALPHA_NEGATIVE
    verdicts: list[Verdict] = []
    for network in readings["network"].unique():
        of_network = fitted[fitted["network"] == network]
        undecided = int((of_network["alpha_is"] == ALPHA_UNDECIDED).sum())
        verdicts.append(
            judged(
                network,
                "α > 0 (b < 1)",
                "share of networks whose interval of α lies above 0",
                _share_positive(of_network),
                within=(LEAST_POSITIVE, 1.0),
                needs="three widths with a fit",
                remark=f"undecided in {undecided} of {len(of_network)}" if undecided else "",
            )
        )
    return ClaimResult(
        name="exponent",
        equation="(7)",
        claim="The counts of working units obey a power law k^(−α) with 0 < α < 1.",
        rule=(
            "Whether α < 1 cannot be tested: a fitted law has b > 0, and so α = 1 − b < 1, always. "
            f"α > 0 holds where in {100 * LEAST_POSITIVE:.0f} % of the networks or more the 95 % "
            "interval of α lies above zero. Networks whose interval holds zero are undecided: the "
            "interval of the share has its lower end as if α were negative in all of them, and its "
            "upper end as if it were positive."
        ),
        verdicts=tuple(verdicts),
        details=fitted,
        figure=_figure(fitted),
    )


def _share_positive(fitted: pd.DataFrame) -> Interval:
    """The share for sure, up to that with what is undecided."""
    for_sure = share_of(fitted["alpha_is"] == ALPHA_POSITIVE, fitted["units"])
    at_most = share_of(fitted["alpha_is"] != ALPHA_NEGATIVE, fitted["units"])
    return replace(for_sure, upper=at_most.upper)


def _figure(fitted: pd.DataFrame) -> Figure:
    """α against D, a line for each width; means over seeds."""
    curves = []
    for (network, width), rows in by(fitted, "network", "width"):
        means = rows.groupby("counted")["alpha"].mean()
        curves.append(
            Curve(str(network), f"width {width:.0f}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("samples D", "α = 1 − b", tuple(curves))
