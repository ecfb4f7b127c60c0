"""Claim (10): the test loss decays as a power law of data, with the exponent b that counts and the
growth of K have.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from actilaw.errors import ActilawError
from actilaw.loss.fit import fit_loss
from actilaw.study.claims.growth import fit_growth
from actilaw.study.claims.result import (
    ClaimResult,
    Curve,
    Figure,
    Verdict,
    by,
    judged,
    log_of,
    mean_of,
)

SCATTER = 0.1  # of log loss about the curve, up to which it is one
EXPONENTS_FACTOR = 1.5  # within which two exponents are the same


def loss_decay(readings: pd.DataFrame) -> ClaimResult:
    """The fitted loss curve of each width, and its exponent beside b of counts and of K."""
    losses = readings.drop_duplicates(["task", "width", "samples", "seed"])  # one for all layers
    curves = pd.DataFrame(
        [
            {"task": task, "width": width} | _loss_curve(rows)
            for (task, width), rows in by(losses, "task", "width")
        ]
    )
    exponents = pd.DataFrame(
        [
            {"network": network, "task": task, "width": width} | _exponents(rows)
            for (network, task, width), rows in by(readings, "network", "task", "width")
        ]
    ).merge(curves, on=["task", "width"])
    verdicts = [_of_curve(str(task), of_task) for (task,), of_task in by(curves, "task")]
    for network in readings["network"].unique():
        verdicts += _of_exponents(network, exponents[exponents["network"] == network])
    return ClaimResult(
        name="loss_decay",
        equation="(10)",
        claim="The test loss decays as a power law of data, with the exponent b of the counts.",
        rule=(
            "The loss follows the law where the residual standard error of log loss about the "
            "curve of each width, which allows for the curve's four parameters, is at most "
            f"{SCATTER:g} in the mean over widths. Losses are means over seeds. Exponents are the "
            f"same within a factor of {EXPONENTS_FACTOR:g}, in the mean over widths of the "
            "logarithm of their ratio, at widths that determine both; b of the counts is that of "
            "the largest training set."
        ),
        verdicts=tuple(verdicts),
        details=exponents,
        figure=_figure(losses),
    )


def _of_curve(task: str, curves: pd.DataFrame) -> Verdict:
    """Whether losses of one task lie on the curve."""
    return judged(
        task,
        "the test loss follows floor + A (1 + D/D*)^(−b)",
        "residual standard error of log loss, mean over widths",
        mean_of(curves["scatter"]),
        within=(-np.inf, SCATTER),
        needs="three widths with a loss curve",
    )


def _of_exponents(network: str, exponents: pd.DataFrame) -> list[Verdict]:
    """Whether the exponent of the loss is that of the counts, and of the growth of K."""
    return [
        judged(
            network,
            f"the exponent of the loss is b of {title}",
            f"log of (exponent of the loss over b of {title}), mean over widths",
            mean_of(log_of(exponents["b_loss"] / exponents[column])),
            within=(-np.log(EXPONENTS_FACTOR), np.log(EXPONENTS_FACTOR)),
            needs=f"three widths that determine the exponent of the loss and b of {title}",
        )
        for column, title in (("b_counts", "the counts"), ("b_growth", "the growth of K"))
    ]


def _loss_curve(rows: pd.DataFrame) -> dict[str, float]:
    """Exponent of the loss of one width, and scatter about its curve; NaN where there is none."""
    means = rows.groupby("samples")["test_loss"].mean()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples = means.index.to_numpy(float)
            fitted = fit_loss(samples, means.to_numpy(), "activation")
    except ActilawError:
        return {"b_loss": np.nan, "scatter": np.nan}
    is_known = "b" not in fitted.undetermined
    return {"b_loss": fitted.params["b"] if is_known else np.nan, "scatter": fitted.residual}


def _exponents(rows: pd.DataFrame) -> dict[str, float]:
    """b of the counts and of the growth of K of one width; NaN where one cannot be found."""
    means = rows.assign(share=rows["working"] / rows["units"]).groupby("counted")
    samples, of_counts = means["share"].mean(), means["b"].mean().dropna()
    growth = fit_growth(samples.index.to_numpy(float), samples.to_numpy())
    return {
        "b_counts": float(of_counts.iloc[-1]) if len(of_counts) else np.nan,
        "b_growth": np.nan if growth is None else growth.b,
    }


def _figure(losses: pd.DataFrame) -> Figure:
    """Test loss against D, a line for each width; means over seeds."""
    curves = []
    for (task, width), rows in by(losses, "task", "width"):
        means = rows.groupby("samples")["test_loss"].mean()
        curves.append(
            Curve(str(task), f"width {width:.0f}", tuple(means.index), tuple(means.to_numpy()))
        )
    return Figure("samples D", "test loss", tuple(curves), log_y=True)
