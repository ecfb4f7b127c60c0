"""Claim (9), the phase transition on the log-data axis: K/N against log D is a sigmoid whose
inflection lies at D = N/c, and there the test loss should fall most steeply.

The inflection is that of the law fitted to K/N of networks trained on different amounts of data, by
least squares over (b, D*): D*/b. The steepest fall of the test loss is found between neighbouring
sizes, so that it is known to half a step.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

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

PLACES_FACTOR = 2.0  # within which two places on the data axis are the same
BEYOND = 4.0  # factor beyond the sizes of the grid up to which an inflection is believed
LEAST_RISE = 0.2  # of K/N over the grid, below which no sigmoid is seen


def transition(readings: pd.DataFrame) -> ClaimResult:
    """Inflection of K/N and steepest fall of the test loss beside N/c, for each width."""
    places = pd.DataFrame(
        [
            _places(str(network), int(width), rows)
            for (network, width), rows in by(readings, "network", "width")
        ]
    )
    verdicts: list[Verdict] = []
    within = (-np.log(PLACES_FACTOR), np.log(PLACES_FACTOR))
    for network in readings["network"].unique():
        of_network = places[places["network"] == network]
        verdicts += [
            judged(
                network,
                "K/N has its inflection at N/c",
                "log of (inflection over N/c), mean over widths",
                mean_of(log_of(of_network["inflection"] / of_network["expected"])),
                within=within,
                needs="widths whose K/N rises within the sizes of the grid",
            ),
            judged(
                network,
                "the test loss falls most steeply at N/c",
                "log of (place of the steepest fall over N/c), mean over widths",
                mean_of(log_of(of_network["steepest"] / of_network["expected"])),
                within=within,
                needs="widths whose steepest fall and N/c lie inside the sizes of the grid",
            ),
        ]
    return ClaimResult(
        name="transition",
        equation="(9)",
        claim=(
            "On the log-data axis K/N passes through an inflection at D = N/c, and generalisation "
            "through its transition there."
        ),
        rule=(
            f"Holds where the place is N/c within a factor of {PLACES_FACTOR:g}, in the mean over "
            f"widths. Left out are widths whose K/N rises by less than {LEAST_RISE:g} over the "
            "grid, and places outside the sizes of the grid."
        ),
        verdicts=tuple(verdicts),
        details=places,
        figure=_figure(readings, places),
    )


def fit_growth(samples: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    """b and D* of the law K/N = 1 − (1 + D/D*)^(−b) nearest to shares of working units, by least
    squares.

    Args:
        samples: D; (n,).
        share: K/N; (n,).
    """

    def residuals(parameters: np.ndarray) -> np.ndarray:
        b, knee = np.exp(parameters)
        return -np.expm1(-b * np.log1p(samples / knee)) - share

    middle = np.log(np.median(samples))
    starts = [(log_b, middle + shift) for log_b in (-2.0, 0.0, 1.0) for shift in (-4.0, 0.0, 4.0)]
    bounds = [-12.0, middle - 25], [6.0, middle + 25]
    fits = [least_squares(residuals, start, bounds=bounds) for start in starts]
    best = min(fits, key=lambda found: found.cost)
    b, knee = np.exp(best.x)
    return float(b), float(knee)


def _places(network: str, width: int, rows: pd.DataFrame) -> dict[str, float | str | int]:
    """The inflection, the steepest fall, and N/c, of one width; NaN where they are not seen."""
    means = rows.groupby("counted")[["working", "units", "active", "test_loss"]].mean()
    samples = means.index.to_numpy(float)
    share = (means["working"] / means["units"]).to_numpy()
    found: dict[str, float | str | int] = {"network": network, "width": width}
    found |= {"inflection": np.nan, "steepest": np.nan, "expected": np.nan, "b": np.nan}
    if samples.size < 4:
        return found
    expected = _expected(samples, (means["units"] / means["active"]).to_numpy())
    found["expected"] = expected
    first, last = samples[0] / BEYOND, samples[-1] * BEYOND
    if np.ptp(share) >= LEAST_RISE:
        b, knee = fit_growth(
            rows["counted"].to_numpy(float), (rows["working"] / rows["units"]).to_numpy()
        )
        found["b"] = b
        if first <= knee / b <= last:
            found["inflection"] = knee / b
    slopes = -np.diff(means["test_loss"].to_numpy()) / np.diff(np.log(samples))
    steepest = int(np.argmax(slopes))
    is_inside = 0 < steepest < slopes.size - 1 and samples[0] <= expected <= samples[-1]
    if is_inside and slopes[steepest] > 0:
        found["steepest"] = float(np.sqrt(samples[steepest] * samples[steepest + 1]))
    return found


def _expected(samples: np.ndarray, n_over_c: np.ndarray) -> float:
    """N/c where it equals D: c changes with D, so the crossing is looked for between the sizes."""
    gap = np.log(n_over_c) - np.log(samples)
    crossing = np.flatnonzero((gap[:-1] >= 0) & (gap[1:] < 0))
    if not crossing.size:
        return float(n_over_c[0] if gap[0] < 0 else n_over_c[-1])
    i = crossing[0]
    part = gap[i] / (gap[i] - gap[i + 1])
    return float(np.exp(np.log(samples[i]) + part * np.log(samples[i + 1] / samples[i])))


def _figure(readings: pd.DataFrame, places: pd.DataFrame) -> Figure:
    """K/N against D c/N, where the law has its inflection at 1; means over seeds."""
    curves = []
    expected = places.set_index(["network", "width"])["expected"].to_dict()
    for key, rows in by(readings, "network", "width"):
        network, width = key
        means = rows.groupby("counted")[["working", "units"]].mean()
        x = means.index.to_numpy(float) / expected[key]
        y = (means["working"] / means["units"]).to_numpy()
        curves.append(Curve(str(network), f"width {width}", tuple(x), tuple(y)))
    return Figure("samples D, as a multiple of N/c", "share of working units K/N", tuple(curves))
