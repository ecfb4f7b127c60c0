"""Claim (10): the test loss decays as a power law of data, with the exponent b that counts and the
growth of K have.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from actilaw.errors import ActilawError
from actilaw.loss.fit import fit_loss
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
    median_of,
)
from actilaw.study.claims.transition import LEAST_RISE, fit_growth

SCATTER = 0.1  # of log loss about the curve, up to which it is one
EXPONENTS_FACTOR = 1.5  # within which two exponents are the same


def loss_decay(readings: pd.DataFrame) -> ClaimResult:
    """The fitted loss curve of each width, and its exponent beside b of counts and of K."""
    readings = readings.drop_duplicates(["network", "width", "samples", "seed"])
    exponents = pd.DataFrame(
        [
            _exponents(str(network), int(width), rows)
            for (network, width), rows in by(readings, "network", "width")
        ]
    )
    verdicts: list[Verdict] = []
    within = (-np.log(EXPONENTS_FACTOR), np.log(EXPONENTS_FACTOR))
    for network in readings["network"].unique():
        of_network = exponents[exponents["network"] == network]
        verdicts.append(
            judged(
                network,
                "the test loss follows floor + A (1 + D/D*)^(−b)",
                "scatter of log loss about the curve, median over widths",
                median_or_mean(of_network["scatter"].to_numpy(float)),
                within=(-np.inf, SCATTER),
                needs="widths with a loss curve",
            )
        )
        for column, title in (("b_counts", "the counts"), ("b_growth", "the growth of K")):
            verdicts.append(
                judged(
                    network,
                    f"the exponent of the loss is b of {title}",
                    f"log of (exponent of the loss over b of {title}), mean over widths",
                    mean_of(log_of(of_network["b_loss"] / of_network[column])),
                    within=within,
                    needs="widths whose losses determine an exponent",
                )
            )
    return ClaimResult(
        name="loss_decay",
        equation="(10)",
        claim="The test loss decays as a power law of data, with the exponent b of the counts.",
        rule=(
            f"The loss follows the law where losses scatter about it by at most {SCATTER:g} in "
            f"log loss; exponents are the same within a factor of {EXPONENTS_FACTOR:g}, in the "
            "mean over widths."
        ),
        verdicts=tuple(verdicts),
        details=exponents,
        figure=_figure(readings),
    )


def median_or_mean(values: np.ndarray) -> Interval:
    """The interval of the median where there are enough figures for one, else that of the mean."""
    found = median_of(values)
    return found if np.isfinite(found.lower) else mean_of(values)


def _exponents(network: str, width: int, rows: pd.DataFrame) -> dict[str, float | str | int]:
    """Three readings of b of one width; NaN where one cannot be made."""
    means = rows.groupby("samples")[["test_loss", "b", "working", "units"]].mean()
    found: dict[str, float | str | int] = {"network": network, "width": width}
    found |= {"b_loss": np.nan, "scatter": np.nan, "b_growth": np.nan}
    found["b_counts"] = float(means["b"].dropna().iloc[-1]) if means["b"].notna().any() else np.nan
    share = (rows["working"] / rows["units"]).to_numpy()
    if np.ptp(share) >= LEAST_RISE and len(means) >= 4:
        found["b_growth"] = fit_growth(rows["counted"].to_numpy(float), share)[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            losses = means["test_loss"].to_numpy()
            fitted = fit_loss(means.index.to_numpy(float), losses, "activation")
    except ActilawError:
        return found
    found["scatter"] = fitted.residual
    if "b" not in fitted.undetermined:
        found["b_loss"] = fitted.params["b"]
    return found


def _figure(readings: pd.DataFrame) -> Figure:
    """Test loss against D, a line for each width; means over seeds."""
    curves = []
    for (network, width), rows in by(readings, "network", "width"):
        means = rows.groupby("counted")["test_loss"].mean()
        curves.append(
            Curve(str(network), f"width {width}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("samples D", "test loss", tuple(curves), log_y=True)
