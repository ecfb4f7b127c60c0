"""Which of b and bN stays when width changes: the assumption that every forecast for another width
rests on.

Slopes of log b and log c in log N at one D are found by a regression with a constant for each size
of training set. With b N^(−w): w = 0 where b is fixed, w = 1 where bN is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from actilaw.study.claims.result import (
    ClaimResult,
    Curve,
    Figure,
    Interval,
    Verdict,
    by,
    judged,
    slopes_of,
)

TOLERANCE = 0.25  # of a slope, within which an assumption is good enough


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
                "cells": of_b.n,
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
                    needs="cells of several widths with a fit",
                )
            )
    return ClaimResult(
        name="b_and_width",
        equation="(W)",
        claim="Forecasts for another width assume that b is fixed, or that bN is, and that c is.",
        rule=f"Holds where the slope in log N is that of the assumption within {TOLERANCE:g}.",
        verdicts=tuple(verdicts),
        details=pd.DataFrame(rows),
        figure=_figure(fitted),
    )


def slope_in_width(cells: pd.DataFrame, column: str) -> Interval:
    """Slope of the logarithm of a column in log N, each size of training set with a constant of its
    own.
    """
    if cells.empty:
        return Interval(np.nan, np.nan, np.nan, 0)
    sizes = pd.get_dummies(cells["samples"], drop_first=True).to_numpy(float)
    columns = [np.log(cells["units"]), *sizes.T]
    return slopes_of(np.log(cells[column]), columns)[0]


def _figure(fitted: pd.DataFrame) -> Figure:
    """bN against N, a line for each D; means over seeds."""
    curves = []
    with_mass = fitted.assign(mass=fitted["b"] * fitted["units"])
    for (network, samples), rows in by(with_mass, "network", "samples"):
        means = rows.groupby("units")["mass"].mean()
        curves.append(
            Curve(str(network), f"D = {samples}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("units N", "mass bN", tuple(curves), log_y=True)
