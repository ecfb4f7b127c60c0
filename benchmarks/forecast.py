"""Fits and forecasts: recovery on drawn counts, forecasts of real networks beside every other
method, and speed.

Three tables in one run, about half an hour on two cores, most of it training. Networks and their
recordings are fixed in actilaw.study.networks.forecast_cases; bad ones stay in. Names of parts
(recovery, networks, speed) as arguments run those parts alone. The environment variable
FORECAST_CASES names a folder in which recordings are kept from one run to the next.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from actilaw import (
    ActivationCounts,
    ActivationLaw,
    Census,
    FittedLaw,
    fit,
    fit_accumulation,
    load,
)
from actilaw.backtesting.backtest import RATE_DENSITY, backtest_from
from actilaw.errors import CountsError
from actilaw.fitting.families.catalogue import FAMILIES
from actilaw.forecasting.hindcast import BacktestResult, compare, hindcast
from rivals import RIVALS, as_incidence, heaps

DRAWS, UNITS, SAMPLES = 500, 8000, 500
MANY = 10**6  # units whose estimates are the truth to a thousandth
Rates = Callable[[np.random.Generator, int], np.ndarray]


def law_rates(rng: np.random.Generator, units: int) -> np.ndarray:
    return rng.beta(0.3, 15, units)


def zero_inflated_rates(rng: np.random.Generator, units: int) -> np.ndarray:
    return rng.beta(0.5, 10, units) * (rng.random(units) < 0.7)


def mixture_rates(rng: np.random.Generator, units: int) -> np.ndarray:
    rare = rng.random(units) < 0.6
    return np.where(rare, rng.beta(0.5, 50, units), rng.beta(4.0, 8.0, units))


def faint_mixture_rates(rng: np.random.Generator, units: int) -> np.ndarray:
    """Rare units whose rate, one in 400 samples, the samples hardly show."""
    rare = rng.random(units) < 0.6
    return np.where(rare, rng.beta(0.5, 200, units), rng.beta(2.0, 6.0, units))


def heavy_tail_rates(rng: np.random.Generator, units: int) -> np.ndarray:
    """Density p^(−1−s) (1 − p)^(β−1) (1 − (1 − p)^m) with s = 0.4, β = 5, m = 3000, by its inverse
    on a grid.
    """
    x = np.linspace(np.log(1e-9), np.log(1 - 1e-9), 40_000)
    p = np.exp(x)
    density = np.exp(-0.4 * x + 4 * np.log1p(-p)) * -np.expm1(3000 * np.log1p(-p))
    below = np.concatenate(([0.0], np.cumsum((density[1:] + density[:-1]) / 2)))
    return np.exp(np.interp(rng.random(units) * below[-1], below, x))


@dataclass(frozen=True)
class Drawn:
    """Layers to be drawn, the family that is fitted to them, and which of its parameters are
    compared.
    """

    family: str
    rates: Rates
    params: tuple[str, ...]


DRAWN = {
    "law": Drawn("law", law_rates, ("b", "knee")),
    "zero_inflated": Drawn("zero_inflated", zero_inflated_rates, ("b", "silent_share")),
    "mixture": Drawn("mixture", mixture_rates, ("b", "b_2")),
    "faint mixture": Drawn("mixture", faint_mixture_rates, ("b", "b_2")),
    "heavy_tail": Drawn("heavy_tail", heavy_tail_rates, ("s",)),
}


def recovery() -> None:
    """Estimates against the Cramér-Rao bound, and how often 95 % intervals hold the truth.

    The bound comes from the information in a million units, whose estimate is the truth to a
    thousandth.
    """
    print(
        f"recovery: {DRAWS} draws of {UNITS:,} units, {SAMPLES} samples; K is forecast at 10 times "
        "the samples"
    )
    print(
        "  variance over the Cramér-Rao bound (target <= 1.05, its standard error about 0.06); "
        "coverage (93 to 97 %)"
    )
    with ProcessPoolExecutor(2) as pool:
        for name in DRAWN:
            _print_recovery(name, pool)


def _print_recovery(name: str, pool: Executor) -> None:
    drawn = DRAWN[name]
    rates = drawn.rates(np.random.default_rng(0), MANY)
    counts = ActivationCounts(np.random.default_rng(1).binomial(SAMPLES, rates), SAMPLES)
    many = fit(counts, drawn.family)
    truth = {param: many.params[param] for param in drawn.params}
    one = partial(_recovered, name, truth)
    found = pd.DataFrame(pool.map(one, range(DRAWS), chunksize=10)).dropna()
    for param, known in truth.items():
        bound = many.standard_errors[param] ** 2 * MANY / UNITS
        print(
            f"  {name:13s} {param:13s} truth {known:.3f}, bias {found[param].mean() - known:+.4f}, "
            f"variance/bound {found[param].var() / bound:.3f}, coverage "
            f"{found[f'{param} held'].mean():.1%}"
        )
    print(
        f"  {name:13s} K(10 D)       coverage {found['K held'].mean():.1%} by {drawn.family}, "
        f"{found['K held by rate_density'].mean():.1%} by the rate density; refused "
        f"{DRAWS - len(found)}",
        flush=True,
    )


def _recovered(name: str, truth: dict[str, float], seed: int) -> dict[str, float]:
    """Estimates from one draw, and whether each interval held its truth; empty if the family
    refused it.
    """
    drawn, rng = DRAWN[name], np.random.default_rng([1, seed])
    rates = drawn.rates(rng, UNITS)
    first = rng.binomial(SAMPLES, rates)
    later = rng.binomial(9 * SAMPLES, rates)
    counts, working = ActivationCounts(first, SAMPLES), int(np.count_nonzero(first + later))
    try:
        fitted = fit(counts, drawn.family)
    except CountsError:
        return {}
    return _estimates(fitted, truth) | {
        "K held": _holds(fitted, working),
        "K held by rate_density": _holds(fit(counts), working),
    }


def _estimates(fitted: FittedLaw, truth: dict[str, float]) -> dict[str, float]:
    """Each parameter's estimate, and whether its interval holds the truth."""
    # A share that is not there is a share of 0.
    table = fitted.summary().reindex(list(truth), fill_value=0.0)
    row = {}
    for param, one in table.iterrows():
        row[str(param)] = float(one.estimate)
        row[f"{param} held"] = float(one.lower <= truth[str(param)] <= one.upper)
    return row


def _holds(fitted: FittedLaw, working: int) -> float:
    """1 if the forecast at 10 times the samples holds the units that work by then, or 0."""
    forecast = fitted.forecast(10 * SAMPLES).iloc[0]
    return float(forecast.lower <= working <= forecast.upper)


def networks() -> None:
    """Real networks: forecasts of K at about 10, 30 and 100 times the samples, from counts with
    blocks, from counts alone, and from curves alone.
    """
    print("\nreal networks, each forecast from the first hundredth, thirtieth and tenth")
    start = time.perf_counter()
    table = _forecasts_of_networks()
    table.to_csv("forecasts_of_networks.csv", index=False)
    print_networks(table)
    print(
        f"\n  trained (unless kept), recorded and forecast in {time.perf_counter() - start:.0f} s"
    )


def print_networks(table: pd.DataFrame) -> None:
    """Each forecast, then means by view, horizon, half and group."""
    _print_each(table)
    print(
        f"\n  {table['case'].nunique()} cases; each forecast in forecasts_of_networks.csv\n"
        "  missed: error of K as a share of the newly working units; 1 is no better than "
        "assuming that no idle unit ever works\n"
        "  error: of K. score: interval score (Gneiting & Raftery 2007) of the 95 % interval, as a "
        "share of the idle units, its width plus 40 times what lies outside"
    )
    for view in VIEWS:
        _print_view(table[table["view"] == view], view)
    print("\ncases that came later, each by its own view")
    later = table[table["group"].isin(LATER_GROUPS) & (table["view"] == table["own view"])]
    _print_summary(later, ["group"])


def _print_view(table: pd.DataFrame, view: str) -> None:
    print(f"\nfrom {VIEWS[view]}, by horizon")
    _print_summary(table, ["horizon"])
    print(f"\nfrom {VIEWS[view]}, the nineteen and those that came later, all horizons")
    _print_summary(table, ["came later"])


def _print_summary(table: pd.DataFrame, by: list[str]) -> None:
    summary = _summary(table, by)
    print(summary.to_string(float_format=lambda value: f"{value:.3f}"))


def _summary(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Each method's errors, coverage and interval score, in each group."""
    grouped = table.groupby([*by, "method"], sort=False)
    return pd.DataFrame(
        {
            "missed, mean": grouped["missed"].mean(),
            "median": grouped["missed"].median(),
            "worst": grouped["missed"].max(),
            "error, mean": grouped["error"].mean(),
            "coverage": grouped["inside"].mean(),
            "score": grouped["score"].mean(),
            "forecasts": grouped["missed"].count(),
            "refused": grouped["missed"].apply(lambda missed: missed.isna().sum()),
        }
    )


VIEWS = {
    "blocks": "counts with blocks",
    "counts": "counts without blocks",
    "curve": "curves alone",
}
HORIZONS = {"early100": 100, "early30": 30, "early10": 10}
# The view by which each case that came later was meant to be judged; all are shown by every view.
LATER_GROUPS = {
    "routed": ("blocks", "text-routed-4", "characters-routed"),
    "top-k": ("blocks", "text-batch-topk-latents", "characters-topk-latents"),
    "without blocks": ("counts", "text-squared-relu", "characters-relu"),
    "curve alone": ("curve", "text-squared-relu-second", "characters-l1-latents"),
}


def _forecasts_of_networks() -> pd.DataFrame:
    """A row per case, early part, view and method; trains the networks on the way, or takes those
    kept in the folder that the environment variable FORECAST_CASES names.
    """
    from actilaw.study.networks.forecast_cases import CASES, LATER_CASES

    names = (*CASES, *LATER_CASES)
    return pd.DataFrame([row for name in names for row in rows_of_case(name, kept_case(name))])


def rows_of_case(name: str, case: Census) -> list[dict[str, Any]]:
    """A row for each early part, view and method of one case."""
    full = case["full"]
    print(
        f"  {name}: N {full.units:,}, D {full.samples:,}, c {full.active:.1f}, K {full.working:,}",
        flush=True,
    )
    groups = [group for group, (_, *names) in LATER_GROUPS.items() if name in names]
    group = groups[0] if groups else "the nineteen"
    about = {
        "case": name,
        "group": group,
        "came later": bool(groups),
        "own view": LATER_GROUPS[group][0] if groups else "blocks",
    }
    rows = []
    for stage, horizon in HORIZONS.items():
        early = case[stage]
        if early.working == 0 or early.idle == 0:
            continue
        for view in VIEWS:
            rows += [
                about | {"horizon": horizon, "view": view, **found}
                for found in _forecasts(early, full, view)
            ]
    return rows


def kept_case(name: str) -> Census:
    """The counts of a case, from the folder where they are kept, if there is one."""
    from actilaw.study.networks.forecast_cases import make_case  # the other parts need no PyTorch

    folder = os.environ.get("FORECAST_CASES")
    if folder is None:
        return make_case(name).census()
    kept = Path(folder) / f"{name}.safetensors"
    if not kept.exists():
        make_case(name).census().save(kept)
    return load(kept)


def _forecasts(early: ActivationCounts, full: ActivationCounts, view: str) -> list[dict[str, Any]]:
    """The forecasts of every method from one early part, seen in one way."""
    at = np.array([full.samples], float)
    if view == "curve":
        return _forecasts_of_curve(early, full, at)
    seen = early if view == "blocks" else replace(early, blocks=None, first=None)
    rows = []
    for method in (RATE_DENSITY, *FAMILIES):
        try:
            result = backtest_from(seen, full, method)
        except CountsError as error:
            print(f"    {method} refused: {error}")
            continue
        rows.append({"method": method, **scored(result, early.idle)})
    incidence = as_incidence(seen)
    ahead = at * incidence.samples / early.samples
    for method, rival in RIVALS.items():
        expected = float(rival(incidence, ahead)[0])
        rows.append(
            {"method": method, **scored(_without_interval(early, full, expected), early.idle)}
        )
    asymptote = _chao1_by_copia(incidence)
    if asymptote is not None:
        result = _without_interval(early, full, asymptote)
        rows.append({"method": "copia's Chao1", **scored(result, early.idle)})
    return rows


def _chao1_by_copia(early: ActivationCounts) -> float | None:
    """The number of units that will ever work: all that copia computes in reasonable time."""
    try:
        from copia.richness import chao1  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return None
    return min(float(chao1(early.counts[early.counts > 0])), early.units)


def _forecasts_of_curve(
    early: ActivationCounts, full: ActivationCounts, at: np.ndarray
) -> list[dict[str, Any]]:
    """The same from the curve of first activations alone."""
    try:
        fitted = fit_accumulation(early)
    except CountsError as error:
        print(f"    a curve was refused: {error}")
        return []
    expected = {
        "heaps": float(heaps(fitted.curve, at)[0]),
        "persistence": float(early.working),
    }
    return [
        {"method": RATE_DENSITY, **scored(compare(fitted.forecaster, full), early.idle)},
        *(
            {"method": method, **scored(_without_interval(early, full, value), early.idle)}
            for method, value in expected.items()
        ),
    ]


def _without_interval(
    early: ActivationCounts, full: ActivationCounts, expected: float
) -> BacktestResult:
    return hindcast(early, full, expected, np.nan, np.nan)


def scored(result: BacktestResult, idle: int) -> dict[str, Any]:
    """A forecast and its scores; `idle` units were left to forecast."""
    has_interval, answered = np.isfinite(result.lower), np.isfinite(result.expected)
    outside = max(result.lower - result.counted, result.counted - result.upper, 0.0)
    score = (result.upper - result.lower + 40 * outside) / idle
    return {
        "from": result.from_samples,
        "expected": result.expected,
        "lower": result.lower,
        "upper": result.upper,
        "counted": result.counted,
        "newly_working": result.newly_working,
        "missed": result.missed if answered else np.nan,
        "error": abs(result.expected / result.counted - 1),
        "inside": float(result.inside) if has_interval else np.nan,
        "score": score if has_interval else np.nan,
    }


def _print_each(table: pd.DataFrame) -> None:
    """Every forecast of the rate density, and what each method missed."""
    index = ["case", "horizon", "view"]
    ours = table[table["method"] == RATE_DENSITY].set_index(index)
    missed = table.pivot_table(index=index, columns="method", values="missed", sort=False)
    counted = ours[["from", "newly_working", "counted", "expected", "lower", "upper"]]
    print(counted.join(missed).to_string(float_format=lambda value: f"{value:.2f}"))


def speed() -> None:
    """A million units, beside `powerlaw` on the same counts."""
    law = ActivationLaw(units=1_000_000, active=20_000, b=0.3)
    counts = ActivationCounts(law.draw_counts(10_000, np.random.default_rng(0)), 10_000)
    print(
        f"\nspeed: {counts.units:,} units drawn with alpha {law.alpha}, {counts.samples:,} "
        "samples; best of three"
    )
    targets = {"law": 0.1, None: 2.0, "mixture": 1.0}  # seconds; None is the rate density
    for family in (None, *FAMILIES):
        seconds = min(_timed(lambda family=family: fit(counts, family)) for _ in range(3))
        target = f" (target {targets[family]})" if family in targets else ""
        alpha = fit(counts, family).law.alpha
        print(f"  fit(counts, {family!r}): {seconds:.3f} s{target}; alpha {alpha:.4f}")
    _time_powerlaw(counts)


def _time_powerlaw(counts: ActivationCounts) -> None:
    """Seconds and exponents of the package powerlaw, on the counts of working units."""
    try:
        import powerlaw  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        print("  powerlaw is not installed: pip install 'actilaw[bench]'")
        return
    warnings.simplefilter("ignore")
    working = counts.counts[counts.counts > 0]
    start = time.perf_counter()
    fitted = powerlaw.Fit(working, discrete=True, verbose=False)
    seconds = time.perf_counter() - start
    print(
        f"  powerlaw.Fit(discrete=True): {seconds:.1f} s; alpha {fitted.alpha:.3f} from xmin "
        f"{fitted.xmin:g}"
    )
    start = time.perf_counter()
    truncated = powerlaw.Fit(working, discrete=True, xmin=1, verbose=False).truncated_power_law
    exponent, seconds = truncated.parameter1, time.perf_counter() - start
    print(f"  its truncated power law, xmin=1: {seconds:.1f} s; alpha {exponent:.3f}")


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    parts = {"recovery": recovery, "networks": networks, "speed": speed}
    for name in sys.argv[1:] or parts:
        parts[name]()
