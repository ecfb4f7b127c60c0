"""Claim (9), the phase transition on the log-data axis: K/N against log D is a sigmoid whose
inflection lies at D = N/c, and there the test loss should fall most steeply.

The inflection is that of the law fitted to K/N of networks trained on different amounts of data,
D*/b. The steepest fall of the test loss is only known to lie between two neighbouring sizes. What
lies outside the sizes of the grid, or may, is known from one side alone: it counts against the
claim where it is surely far from N/c, and never for it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from actilaw.study.claims.growth import LEAST_RISE, LEAST_SIZES, fit_growth
from actilaw.study.claims.result import (
    ClaimResult,
    Curve,
    Figure,
    Verdict,
    by,
    judged,
    mean_between,
)

INFLECTION_FACTOR = 2.0  # within which an inflection is N/c
FALL_FACTOR = 4.0  # the same for the steepest fall of the loss: a step of the presets' sizes
PLACES = ("inflection", "steepest")


def transition(readings: pd.DataFrame) -> ClaimResult:
    """Inflection of K/N and steepest fall of the test loss beside N/c, for each width."""
    places = pd.DataFrame(
        [
            _places(str(network), int(width), rows)
            for (network, width), rows in by(readings, "network", "width")
        ]
    )
    verdicts: list[Verdict] = []
    for network in readings["network"].unique():
        of_network = places[places["network"] == network]
        for place, statement, factor, needs in (
            (
                "inflection",
                "K/N has its inflection at N/c",
                INFLECTION_FACTOR,
                f"three widths whose K/N rises by {LEAST_RISE:g} or more",
            ),
            (
                "steepest",
                "the test loss falls most steeply at N/c",
                FALL_FACTOR,
                f"three widths with {LEAST_SIZES} sizes or more",
            ),
        ):
            what = "inflection" if place == "inflection" else "place of the steepest fall"
            with np.errstate(divide="ignore"):  # a lower end of zero, where there is none
                low = np.log(of_network[f"{place}_from"] / of_network["expected"])
                high = np.log(of_network[f"{place}_to"] / of_network["expected"])
            verdicts.append(
                judged(
                    network,
                    statement,
                    f"log of ({what} over N/c), mean over widths",
                    mean_between(low, high),
                    within=(-np.log(factor), np.log(factor)),
                    needs=needs,
                )
            )
    return ClaimResult(
        name="transition",
        equation="(9)",
        claim=(
            "On the log-data axis K/N passes through an inflection at D = N/c, and generalisation "
            "through its transition there."
        ),
        rule=(
            f"Holds where the inflection is N/c within a factor of {INFLECTION_FACTOR:g}, and the "
            f"steepest fall within {FALL_FACTOR:g}, in the mean over widths. N/c is taken where "
            "it equals D, by the c of the nearest size where it lies outside the grid. The "
            "steepest fall lies between the two sizes between which the loss fell most for each "
            "unit of log D. If these are the first two or the last two, it may lie outside the "
            "grid, and an inflection outside is known to lie there, no more: the mean then has an "
            "interval without end on that side, which can fail but not hold. Widths whose K/N "
            f"rises by less than {LEAST_RISE:g} over the grid show no inflection, and are left out."
        ),
        verdicts=tuple(verdicts),
        details=places,
        figure=_figure(readings, places),
    )


def _places(network: str, width: int, rows: pd.DataFrame) -> dict[str, float | str | int]:
    """Between what the inflection and the steepest fall of one width lie, and N/c; NaN where they
    are not seen.
    """
    means = rows.groupby("counted")[["working", "units", "active", "test_loss"]].mean()
    samples = means.index.to_numpy(float)
    found: dict[str, float | str | int] = {"network": network, "width": width, "expected": np.nan}
    found |= {f"{place}_{end}": np.nan for place in PLACES for end in ("from", "to")}
    if samples.size < LEAST_SIZES:
        return found
    found["expected"] = _expected(samples, (means["units"] / means["active"]).to_numpy())
    growth = fit_growth(samples, (means["working"] / means["units"]).to_numpy())
    if growth is not None:
        low, high = _inside_or_beyond(growth.inflection, samples)
        found |= {"inflection_from": low, "inflection_to": high}
    low, high = _steepest_fall(samples, means["test_loss"].to_numpy())
    found |= {"steepest_from": low, "steepest_to": high}
    return found


def _inside_or_beyond(place: float, samples: np.ndarray) -> tuple[float, float]:
    """The place from both sides; where it lies outside the sizes, only that it does."""
    if place < samples[0]:
        return 0.0, samples[0]
    if place > samples[-1]:
        return samples[-1], np.inf
    return place, place


def _steepest_fall(samples: np.ndarray, loss: np.ndarray) -> tuple[float, float]:
    """Sizes between which a loss falls most for each unit of log D; open at the grid's ends, NaN
    where it never falls.
    """
    slopes = -np.diff(loss) / np.diff(np.log(samples))
    steepest = int(np.argmax(slopes))
    if not slopes[steepest] > 0:
        return np.nan, np.nan
    is_first, is_last = steepest == 0, steepest == slopes.size - 1
    return (
        0.0 if is_first else samples[steepest],
        np.inf if is_last else samples[steepest + 1],
    )


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
        curves.append(Curve(str(network), f"width {width:.0f}", tuple(x), tuple(y)))
    return Figure("samples D over N/c", "share of working units K/N", tuple(curves))
