"""Claim (11): the share of units that carry no signal is (bN/(cD + bN))^b, so that it grows with
width, with elasticity +b cD/(cD + bN), and shrinks with data with the same elasticity.

Two shares are measured: of units that no training sample activated, and of units whose removal
changes the test loss by at most 0.1 % or 1 %. Elasticities are the slopes of a regression of the
log share on log N and log D.
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
    slopes_of,
)

TOLERANCE = 0.25  # by which an elasticity may differ from the law's
LEAST_UNITS = 3  # idle units, and working ones, from which a share is more than chance
USEFUL = 1.01  # times the loss with the layer, the least loss without it for it to be of use
SHARES = {
    "idle": "idle units",
    "removable_0.1%": "units removable at 0.1 % of the test loss",
    "removable_1%": "units removable at 1 % of the test loss",
}


def compressibility(readings: pd.DataFrame) -> ClaimResult:
    """Idle and removable shares against N and D, beside the law's elasticities."""
    cells = readings.assign(idle=1 - readings["working"] / readings["units"])
    verdicts: list[Verdict] = []
    rows = []
    for network in readings["network"].unique():
        of_network = cells[cells["network"] == network]
        for column, title in SHARES.items():
            usable = _usable(of_network, column)
            in_width, in_data = _elasticities(usable, column)
            law = mean_of(usable["elasticity"])
            rows.append(
                {
                    "network": network,
                    "share": title,
                    "cells": len(usable),
                    "in_width": in_width.estimate,
                    "in_data": in_data.estimate,
                    "by_law": law.estimate,
                }
            )
            verdicts += _verdicts(network, title, in_width, in_data, law)
        ratio = log_of(of_network["idle"] / of_network["idle_by_law"])[_countable(of_network)]
        verdicts.append(
            judged(
                network,
                "the idle share is that of the fitted law",
                "log of (idle share over the law's), mean over cells",
                mean_of(ratio),
                within=(-TOLERANCE, TOLERANCE),
                needs="cells with idle and working units",
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
            "A share grows with width, or shrinks with data, where the 95 % interval of its "
            f"elasticity has that sign; it does so as the law says within {TOLERANCE:g}. Left out "
            f"are cells with fewer than {LEAST_UNITS} such units or others, and, for removal, "
            "layers without which the test loss rises by less than 1 %."
        ),
        verdicts=tuple(verdicts),
        details=pd.DataFrame(rows),
        figure=_figure(cells),
    )


def _countable(cells: pd.DataFrame) -> pd.Series:
    """Cells with some idle and some working units."""
    idle = cells["units"] - cells["working"]
    return (idle >= LEAST_UNITS) & (cells["working"] >= LEAST_UNITS)


def _usable(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Cells of which a share is known to be more than chance."""
    number = cells[column] * cells["units"]
    is_some = (number >= LEAST_UNITS) & (cells["units"] - number >= LEAST_UNITS)
    if column == "idle":
        return cells[is_some]
    return cells[is_some & (cells["loss_without_layer"] > USEFUL * cells["test_loss"])]


def _elasticities(cells: pd.DataFrame, column: str) -> tuple[Interval, Interval]:
    """Slopes of the log share in log N and in log D."""
    in_width, in_data = slopes_of(
        np.log(cells[column]), [np.log(cells["units"]), np.log(cells["counted"])]
    )
    return in_width, in_data


def _verdicts(
    network: str, title: str, in_width: Interval, in_data: Interval, law: Interval
) -> list[Verdict]:
    """Signs, and sizes beside the law's."""
    needs = "cells with a share between 0 and 1, of several widths and sizes"
    measured = "change of the log share for each unit of log"
    found = [
        judged(
            network,
            f"the share of {title} grows with width",
            f"{measured} N",
            in_width,
            within=(0.0, np.inf),
            needs=needs,
        ),
        judged(
            network,
            f"the share of {title} shrinks with data",
            f"{measured} D",
            in_data,
            within=(-np.inf, 0.0),
            needs=needs,
        ),
    ]
    for interval, sign, letter in ((in_width, 1, "N"), (in_data, -1, "D")):
        expected = sign * law.estimate
        found.append(
            judged(
                network,
                f"the share of {title} follows {letter} as the law says",
                f"{measured} {letter}, less {expected:+.2f} by the law",
                Interval(
                    interval.estimate - expected,
                    interval.lower - expected,
                    interval.upper - expected,
                    interval.n,
                ),
                within=(-TOLERANCE, TOLERANCE),
                needs=needs,
            )
        )
    return found


def _figure(cells: pd.DataFrame) -> Figure:
    """Removable share at 1 % against N/D, which the law says is all that counts."""
    curves = []
    for (network, width), rows in by(cells, "network", "width"):
        useful = rows[rows["loss_without_layer"] > USEFUL * rows["test_loss"]]
        for column, title in (("removable_1%", "removable at 1 %"), ("idle", "idle")):
            means = useful.groupby("counted")[column].mean()
            x = float(rows["units"].iloc[0]) / means.index.to_numpy(float)
            curves.append(
                Curve(str(network), f"{title}, width {width}", tuple(x), tuple(means.to_numpy()))
            )
    return Figure("units over samples, N/D", "share of units", tuple(curves))
