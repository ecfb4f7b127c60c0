"""Claim (11): the share of units that carry no signal is (bN/(cD + bN))^b, so that it grows with
width, with elasticity +b cD/(cD + bN), and shrinks with data with the same elasticity.

Two shares are measured: of units that no training sample activated, and of units whose removal
changes the test loss by at most 0.1 % or 1 %. Their slopes are taken in log N, between networks
trained on as many samples, and in log D, between networks of one width. What the law says of them
is taken from the same networks in the same way: b changes with N and D, so that the slopes of the
law's own share are not its elasticities at fixed b.
"""

from __future__ import annotations

import numpy as np
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
    mean_over,
    slope_of,
)

TOLERANCE = 0.25  # by which an elasticity may differ from the law's
LEAST_UNITS = 3  # idle units, and working ones, from which a share is more than chance
USEFUL = 1.01  # times the loss with the layer, the least loss without it for it to be of use
SHARES = {
    "idle": "idle units",
    "removable_0.1%": "units removable at 0.1 % of the test loss",
    "removable_1%": "units removable at 1 % of the test loss",
}
DIRECTIONS = (("N", "units", "samples"), ("D", "samples", "units"))  # and what stays as it is


def compressibility(readings: pd.DataFrame) -> ClaimResult:
    """Idle and removable shares against N and D, beside the law's elasticities."""
    cells = readings.assign(idle=1 - readings["working"] / readings["units"])
    verdicts: list[Verdict] = []
    rows = []
    for network in readings["network"].unique():
        of_network = cells[cells["network"] == network]
        for column, title in SHARES.items():
            usable = _usable(of_network, column)
            measured, by_law = log_of(usable[column]), log_of(usable["idle_by_law"])
            row = {"network": network, "share": title, "networks": len(usable)}
            for letter, along, at in DIRECTIONS:
                slope = slope_of(measured, usable[along], usable[at])
                beside_law = slope_of(measured - by_law, usable[along], usable[at])
                row |= {
                    f"in_{letter}": slope.estimate,
                    f"in_{letter}_lower": slope.lower,
                    f"in_{letter}_upper": slope.upper,
                    f"in_{letter}_by_law": slope_of(by_law, usable[along], usable[at]).estimate,
                }
                verdicts += _verdicts(network, title, letter, slope, beside_law)
            rows.append(row)
        usable = _usable(of_network, "idle")
        verdicts.append(
            judged(
                network,
                "the idle share is that of the fitted law",
                "log of (idle share over the law's), mean over widths",
                mean_over(log_of(usable["idle"] / usable["idle_by_law"]), usable["units"]),
                within=(-TOLERANCE, TOLERANCE),
                needs="three widths with networks that have idle and working units",
            )
        )
    return ClaimResult(
        name="compressibility",
        equation="(11)",
        claim=(
            "The share of units that carry no signal is (bN/(cD + bN))^b: larger networks are more "
            "compressible, and more data make them less so."
        ),
        rule=(
            "A share grows with width where the 95 % interval of the slope of its logarithm in "
            "log N, between networks trained on as many samples, lies above zero; it shrinks with "
            "data where that in log D, between networks of one width, lies below. It follows N, or "
            "D, as the law says where the slope differs by at most "
            f"{TOLERANCE:g} from that of the fitted laws' idle share in the same networks. The "
            f"idle share is the law's where its logarithm is, within {TOLERANCE:g}, in the mean "
            f"over widths. Left out are networks with fewer than {LEAST_UNITS} units in the share "
            "or outside of it, and, for removal, layers without which the test loss rises by less "
            "than 1 %."
        ),
        verdicts=tuple(verdicts),
        details=pd.DataFrame(rows),
        figure=_figure(cells),
    )


def _usable(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Cells of which a share is known to be more than chance."""
    number = cells[column] * cells["units"]
    is_some = (number >= LEAST_UNITS) & (cells["units"] - number >= LEAST_UNITS)
    if column == "idle":
        return cells[is_some]
    return cells[is_some & (cells["loss_without_layer"] > USEFUL * cells["test_loss"])]


def _verdicts(
    network: str, title: str, letter: str, slope: Interval, beside_law: Interval
) -> list[Verdict]:
    """The sign in one direction, and the size beside the law's."""
    levels, others, changes, within = (
        ("widths", "sizes", "grows with width", (0.0, np.inf))
        if letter == "N"
        else ("sizes", "widths", "shrinks with data", (-np.inf, 0.0))
    )
    needs = f"a share that can be measured at {LEAST_LEVELS} {levels}, at two {others} or more each"
    return [
        judged(
            network,
            f"the share of {title} {changes}",
            f"change of the log share for each unit of log {letter}",
            slope,
            within=within,
            needs=needs,
        ),
        judged(
            network,
            f"the share of {title} follows {letter} as the law says",
            f"change of log (share over the law's) for each unit of log {letter}",
            beside_law,
            within=(-TOLERANCE, TOLERANCE),
            needs=needs,
        ),
    ]


def _figure(cells: pd.DataFrame) -> Figure:
    """Idle share of each width, with that of the fitted law, and the share removable at 1 % of the
    test loss, against N/D, which the law says is all that counts.
    """
    curves = []
    for (network, width), rows in by(cells, "network", "width"):
        useful = rows[rows["loss_without_layer"] > USEFUL * rows["test_loss"]]
        for column, title, of_cells in (
            ("removable_1%", "removable", useful),
            ("idle", "idle", rows),
            ("idle_by_law", "idle", rows),
        ):
            means = of_cells.groupby("counted")[column].mean()
            x = float(rows["units"].iloc[0]) / means.index.to_numpy(float)
            name = f"{title}, {width:.0f}"
            is_theory = column == "idle_by_law"
            curves.append(
                Curve(str(network), name, tuple(x), tuple(means.to_numpy()), is_theory=is_theory)
            )
    return Figure("N/D", "share of units, by width", tuple(curves))
