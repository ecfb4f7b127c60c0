"""Claim (8), over-parameterisation: once a layer is wider than its data can wake, K(D) ≤ min(N, cD)
no longer grows with N, and the test loss does not rise.

These are the paper's words. The law (6) comes to them in the limit alone, of cD much smaller than
bN: just past N = cD, K of a law with a small b that is the same at every width still grows with N,
and its loss (10b) rises. So it is judged besides whether K grows with N as the fitted laws say.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from actilaw.study.claims.result import (
    LEAST_LEVELS,
    ClaimResult,
    Curve,
    Figure,
    Verdict,
    by,
    judged,
    log_of,
    mean_over,
    slope_of,
)

ELASTICITY = 0.25  # of K in N, up to which K is set by the data, and within which it is the law's
LOSS_ELASTICITY = 0.02  # of the test loss in N, up to which it does not rise: 2 % for e times N
NEAR = 0.5  # K/min(N, cD) from which K is near its limit
WIDE = "where N > cD"
GROWTH_OF_K = "change of log K for each unit of log N"
GROWTH_OF_LOSS = "change of log loss for each unit of log N"


def width(readings: pd.DataFrame) -> ClaimResult:
    """K and test loss against N at fixed D."""
    cells = _with_limits(readings)
    wide = cells[cells["is_wide"]]
    losses = _of_task(cells)
    verdicts: list[Verdict] = []
    for network in readings["network"].unique():
        verdicts += _of_working_units(network, wide[wide["network"] == network])
    for task in readings["task"].unique():
        verdicts += _of_loss(task, losses[losses["task"] == task])
    return ClaimResult(
        name="width",
        equation="(8)",
        claim=(
            "An over-parameterised layer generalises: past N = cD the number of working units is "
            "set by the data, near min(N, cD), and the test loss does not rise."
        ),
        rule=(
            "Slopes in log N are taken between networks trained on as many samples. K no longer "
            f"grows where the slope of log K is at most {ELASTICITY:g}; it grows as the law says "
            f"where the slope differs by at most {ELASTICITY:g} from that of the fitted laws' K in "
            f"the same networks. K is near its limit from {100 * NEAR:.0f} % of min(N, cD) on, in "
            "the mean over widths. The loss does not rise where the slope of log loss is at most "
            f"{LOSS_ELASTICITY:g}; of several layers all have to have N > cD. The law implies the "
            "first two statements only for cD much smaller than bN: networks that obey it with b "
            "below 1 can fail them. Whether bN is constant is judged at (W)."
        ),
        verdicts=tuple(verdicts),
        details=cells,
        figure=_figure(readings),
    )


def _with_limits(readings: pd.DataFrame) -> pd.DataFrame:
    """The readings with columns limit, min(N, cD); is_wide, whether N > cD; and working_by_law, K
    of the fitted law.
    """
    activated = readings["active"] * readings["counted"]
    return readings.assign(
        limit=np.minimum(readings["units"], activated),
        is_wide=readings["units"] > activated,
        working_by_law=readings["units"] * (1 - readings["idle_by_law"]),
    )


def _of_task(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each trained network: its loss is one, however many layers it has."""
    keys = ["task", "width", "samples", "seed"]
    all_wide = cells.groupby(keys)["is_wide"].transform("all")
    return cells.assign(is_wide=all_wide).drop_duplicates(keys)


def _of_working_units(network: str, wide: pd.DataFrame) -> list[Verdict]:
    """K of networks with N > cD."""
    log_k = log_of(wide["working"])
    beside_law = log_k - log_of(wide["working_by_law"])
    needs = f"networks with N > cD at {LEAST_LEVELS} widths, at two sizes or more each"
    return [
        judged(
            network,
            f"K no longer grows with width {WIDE}",
            GROWTH_OF_K,
            slope_of(log_k, wide["units"], wide["samples"]),
            within=(-np.inf, ELASTICITY),
            needs=needs,
        ),
        judged(
            network,
            f"K is near min(N, cD) {WIDE}",
            "K/min(N, cD), mean over widths",
            mean_over(wide["working"] / wide["limit"], wide["units"]),
            within=(NEAR, np.inf),
            needs="networks with N > cD at three widths",
        ),
        judged(
            network,
            f"K grows with width as the law says {WIDE}",
            "change of log (K over the law's) for each unit of log N",
            slope_of(beside_law, wide["units"], wide["samples"]),
            within=(-ELASTICITY, ELASTICITY),
            needs=needs,
        ),
    ]


def _of_loss(task: str, cells: pd.DataFrame) -> list[Verdict]:
    """The test loss, of networks with N > cD and of all."""
    of_wide = cells[cells["is_wide"]]
    return [
        judged(
            task,
            f"the test loss does not rise with width {where}",
            GROWTH_OF_LOSS,
            slope_of(log_of(rows["test_loss"]), rows["width"], rows["samples"]),
            within=(-np.inf, LOSS_ELASTICITY),
            needs=f"{which} at {LEAST_LEVELS} widths, at two sizes or more each",
        )
        for rows, where, which in (
            (of_wide, WIDE, "networks with N > cD"),
            (cells, "at any D", "networks"),
        )
    ]


def _figure(readings: pd.DataFrame) -> Figure:
    """K against N, a line for each D; means over seeds."""
    curves = []
    for (network, samples), rows in by(readings, "network", "samples"):
        means = rows.groupby("units")["working"].mean()
        curves.append(
            Curve(str(network), f"D = {samples:.0f}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("units N", "working units K", tuple(curves), log_y=True)
