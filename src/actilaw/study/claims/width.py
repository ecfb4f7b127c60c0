"""Claim (8), over-parameterisation: once a layer is wider than its data can wake, K(D) ≤ min(N, cD)
no longer grows with N, and the test loss does not rise.

Compared are networks of neighbouring widths on the same data and seed, where the narrower one has
more units than its samples activate one by one, N > cD: there K should be set by the data alone.
Without such networks in the grid the claim is left open.
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
    log_of,
    mean_of,
)

ELASTICITY = 0.25  # of K in N, up to which K is set by the data
LOSS_ELASTICITY = 0.02  # of the test loss in N, up to which it does not rise: 2 % for e times N
NEAR = 0.5  # K/min(N, cD) from which K is near its limit
CONSTANT = 0.1  # elasticity of bN in N, of either sign, up to which bN is constant


def width(readings: pd.DataFrame) -> ClaimResult:
    """K, test loss and bN against N at fixed D."""
    pairs = neighbours(readings)
    verdicts: list[Verdict] = []
    for network in readings["network"].unique():
        of_network = pairs[pairs["network"] == network]
        wide = of_network[of_network["is_wide"]]
        needs = "pairs of neighbouring widths with N > cD"
        verdicts += [
            judged(
                network,
                "K no longer grows with width where N > cD",
                "change of log K for each unit of log N",
                _elasticity(wide, "log_k"),
                within=(-np.inf, ELASTICITY),
                needs=needs,
            ),
            judged(
                network,
                "K is near min(N, cD) where N > cD",
                "K/min(N, cD)",
                mean_of(wide["share_of_limit"]),
                within=(NEAR, np.inf),
                needs=needs,
            ),
            judged(
                network,
                "the test loss does not rise with width where N > cD",
                "change of log loss for each unit of log N",
                _elasticity(wide, "log_loss"),
                within=(-np.inf, LOSS_ELASTICITY),
                needs=needs,
            ),
            judged(
                network,
                "the test loss does not rise with width at any D",
                "change of log loss for each unit of log N",
                _elasticity(of_network, "log_loss"),
                within=(-np.inf, LOSS_ELASTICITY),
                needs="pairs of neighbouring widths",
            ),
            judged(
                network,
                "bN is constant in N",
                "change of log bN for each unit of log N",
                _elasticity(of_network, "log_mass"),
                within=(-CONSTANT, CONSTANT),
                needs="pairs of neighbouring widths with a fit",
            ),
        ]
    return ClaimResult(
        name="width",
        equation="(8)",
        claim=(
            "An over-parameterised layer generalises: past N = cD the number of working units is "
            "set by the data, near min(N, cD), and the test loss does not rise."
        ),
        rule=(
            f"K is set by the data where its elasticity in N is at most {ELASTICITY}; it is near "
            f"its limit from {NEAR:.0%} of min(N, cD) on; the loss does not rise where its "
            f"elasticity is at most {LOSS_ELASTICITY}; bN is constant where its elasticity lies "
            f"within {CONSTANT} of zero."
        ),
        verdicts=tuple(verdicts),
        details=pairs,
        figure=_figure(readings),
    )


def neighbours(readings: pd.DataFrame) -> pd.DataFrame:
    """A row for each two neighbouring widths of one network, size and seed.

    Columns network, samples, seed, width (the narrower), log_n, log_k, log_loss and log_mass (by
    how much the logarithms of N, K, the test loss and bN change), share_of_limit (K/min(N, cD) of
    the wider) and is_wide (whether the narrower has N > cD).
    """
    rows = []
    for (network, samples, seed), cells in by(readings, "network", "samples", "seed"):
        ordered = cells.sort_values("units")
        logs = pd.DataFrame(
            {
                "log_n": log_of(ordered["units"]),
                "log_k": log_of(ordered["working"]),
                "log_loss": log_of(ordered["test_loss"]),
                "log_mass": log_of(ordered["b"] * ordered["units"]),
            }
        )
        steps = logs.diff().iloc[1:].reset_index(drop=True)
        activated = (ordered["active"] * ordered["counted"]).to_numpy()
        units, working = ordered["units"].to_numpy(), ordered["working"].to_numpy()
        steps["network"], steps["samples"], steps["seed"] = network, samples, seed
        steps["width"] = ordered["width"].to_numpy()[:-1]
        steps["is_wide"] = units[:-1] > activated[:-1]
        steps["share_of_limit"] = (working / np.minimum(units, activated))[1:]
        rows.append(steps)
    return pd.concat(rows, ignore_index=True)


def _elasticity(pairs: pd.DataFrame, column: str) -> Interval:
    """Mean change of a logarithm for each unit of log N."""
    return mean_of(pairs[column] / pairs["log_n"])


def _figure(readings: pd.DataFrame) -> Figure:
    """K against N, a line for each D; means over seeds."""
    curves = []
    for (network, samples), rows in by(readings, "network", "samples"):
        means = rows.groupby("units")["working"].mean()
        curves.append(
            Curve(str(network), f"D = {samples}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("units N", "working units K", tuple(curves), log_y=True)
