"""Fits and forecasts: recovery on drawn counts, forecasts of real networks beside every other
method, and speed.

Three tables in one run, about a quarter of an hour on two cores, most of it training. Networks and
their recordings are fixed in actilaw.study.networks.forecast_cases; bad ones stay in. Names of
parts (recovery, networks, speed) as arguments run those parts alone.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from actilaw import ActivationCounts, ActivationLaw, FittedLaw, fit
from actilaw.backtesting.backtest import METHODS, BacktestResult, backtest_from
from actilaw.backtesting.baselines import BASELINES
from actilaw.errors import CountsError
from actilaw.fitting.families.catalogue import FAMILIES

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
    """Real networks: forecasts of K from about a thirtieth and a tenth of the samples."""
    print("\nreal networks, each forecast from the first thirtieth and tenth of its samples")
    start = time.perf_counter()
    table = _forecasts_of_networks()
    _print_each(table)
    print(
        f"\n  trained and recorded in {time.perf_counter() - start:.0f} s; "
        f"{table['case'].nunique()} cases"
    )
    print(
        "  missed: error of K as a share of the newly working units; 1 is no better than "
        "assuming that no idle unit ever works\n"
    )
    summary = _summary_by_method(table)
    print(summary.to_string(float_format=lambda value: f"{value:.3f}"))
    best = summary["missed, mean"].drop(["rate_density", *FAMILIES]).min()
    ours = summary.loc["rate_density"]
    print(
        f"\n  the rate density misses {ours['missed, mean']:.3f} (target 0.20), "
        f"{ours['missed, mean'] / best:.2f} of the best "
        f"baseline's (target 0.33); its 95 % interval holds {ours['coverage']:.0%} (target 90 %)"
    )


def _forecasts_of_networks() -> pd.DataFrame:
    """A row per case, early part and method; trains the networks on the way."""
    from actilaw.study.networks.forecast_cases import cases  # the other parts need no PyTorch

    rows = []
    for case in cases():
        full = case.full
        print(
            f"  {case.name}: N {full.units:,}, D {full.samples:,}, c {full.active:.1f}, K "
            f"{full.working:,}",
            flush=True,
        )
        for early in (case.early30, case.early10):
            rows += [{"case": case.name, **found} for found in _forecasts(early, full)]
    table = pd.DataFrame(rows)
    table["error"] = (table["expected"] / table["counted"] - 1).abs()
    return table


def _summary_by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Each method's errors and coverage, where the rate density, the law and every baseline gave a
    forecast.
    """
    part = ["case", "from"]
    missed = table.pivot_table(index=part, columns="method", values="missed")
    answered = missed[["rate_density", "law", *BASELINES]].notna().all(axis=1)
    compared = table.set_index(part).index.isin(answered.index[answered])
    by_method = table[compared].groupby("method", sort=False)
    return pd.DataFrame(
        {
            "missed, mean": by_method["missed"].mean(),
            "missed, median": by_method["missed"].median(),
            "missed, worst": by_method["missed"].max(),
            "error of K, mean": by_method["error"].mean(),
            "error of K, worst": by_method["error"].max(),
            "coverage": by_method["inside"].mean(),
            "forecasts": by_method["missed"].count(),
        }
    )


def _forecasts(early: ActivationCounts, full: ActivationCounts) -> list[dict[str, object]]:
    rows = []
    for method in METHODS:
        try:
            result = backtest_from(early, full, method)
        except CountsError as error:
            print(f"    {method} refused: {error}")
            continue
        rows.append({"method": method, **_row(result)})
    asymptote = _chao1_by_copia(early)
    if asymptote is not None:
        result = BacktestResult(
            from_samples=early.samples,
            samples=full.samples,
            expected=asymptote,
            lower=np.nan,
            upper=np.nan,
            counted=full.working,
            newly_working=full.working - early.working,
        )
        rows.append({"method": "copia's Chao1", **_row(result)})
    return rows


def _row(result: BacktestResult) -> dict[str, object]:
    inside = float(result.inside) if np.isfinite(result.lower) else np.nan
    return {
        "from": result.from_samples,
        "expected": result.expected,
        "counted": result.counted,
        "newly_working": result.newly_working,
        "missed": result.missed,
        "inside": inside,
        "interval": f"{result.lower:,.0f} to {result.upper:,.0f}",
    }


def _chao1_by_copia(early: ActivationCounts) -> float | None:
    """The number of units that will ever work: all that copia computes in reasonable time."""
    try:
        from copia.richness import chao1  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return None
    return min(float(chao1(early.counts[early.counts > 0])), early.units)


def _print_each(table: pd.DataFrame) -> None:
    by_density = table[table["method"] == "rate_density"].set_index(["case", "from"])
    missed = table.pivot_table(
        index=["case", "from"], columns="method", values="missed", sort=False
    )
    counted = by_density[["counted", "newly_working", "expected", "interval"]]
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
