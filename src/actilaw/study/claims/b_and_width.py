"""Which of b and bN stays when width changes: the assumption that every forecast for another width
rests on.

Slopes of log b and log c in log N are taken between networks trained on as many samples. Where b
goes as N^(−w), w = 0 says that b is fixed, and w = 1 that bN is.
"""

from __future__ import annotations

import pandas as pd

from actilaw.study.claims.result import (
    LEAST_LEVELS,
    ClaimResult,
    Curve,
    Figure,
    Interval,
    Verdict,
    by,
    judged,
    log_of,
    slope_of,
)

TOLERANCE = 0.25  # of a slope, within which an assumption is good enough
NEEDS = f"a fit at {LEAST_LEVELS} widths, at two sizes or more each"


def b_and_width(readings: pd.DataFrame) -> ClaimResult:
    """Slopes of b and of c in N, network by network."""
    fitted = readings[readings["b"] > 0]
    verdicts: list[Verdict] = []
    rows = []
    for network in readings["network"].unique():
        of_network = fitted[fitted["network"] == network]
        of_b, of_c = slope_in_width(of_network, "b"), slope_in_width(of_network, "active")
        rows.append(
            {
                "network": network,
                "w": -of_b.estimate,
                "w_lower": -of_b.upper,
                "w_upper": -of_b.lower,
                "c_slope": of_c.estimate,
                "c_lower": of_c.lower,
                "c_upper": of_c.upper,
                "networks": of_b.n,
                "widths": of_b.groups,
            }
        )
        for statement, interval, centre in (
            ("b is fixed", of_b, 0.0),
            ("bN is fixed", of_b, -1.0),
            ("c is fixed", of_c, 0.0),
        ):
            letter = "c" if interval is of_c else "b"
            verdicts.append(
                judged(
                    network,
                    statement,
                    f"change of log {letter} for each unit of log N at one D",
                    interval,
                    within=(centre - TOLERANCE, centre + TOLERANCE),
                    needs=NEEDS,
                )
            )
    return ClaimResult(
        name="b_and_width",
        equation="(W)",
        claim="Forecasts for another width assume that b is fixed, or that bN is, and that c is.",
        rule=(
            "Holds where the slope of log b, or log c, in log N, between networks trained on as "
            f"many samples, is that of the assumption within {TOLERANCE:g}."
        ),
        verdicts=tuple(verdicts),
        details=pd.DataFrame(rows),
        figure=_figure(fitted),
    )


def slope_in_width(cells: pd.DataFrame, column: str) -> Interval:
    """Slope of the logarithm of a column in log N, between networks trained on as many samples."""
    return slope_of(log_of(cells[column]), cells["units"], cells["samples"])


def _figure(fitted: pd.DataFrame) -> Figure:
    """bN against N, a line for each D; means over seeds."""
    curves = []
    with_mass = fitted.assign(mass=fitted["b"] * fitted["units"])
    for (network, samples), rows in by(with_mass, "network", "samples"):
        means = rows.groupby("units")["mass"].mean()
        curves.append(
            Curve(str(network), f"D = {samples:.0f}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("units N", "mass bN", tuple(curves), log_y=True)
