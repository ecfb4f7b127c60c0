"""The law's digits and its speed, each beside the plain way of doing the same, in one run.

Times are the best of three, in seconds; a ratio above 1 means that ours is faster.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import betaln

from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.sampling import draw_binomial

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from builders.exact import Point, answers, corners, scattered  # 120 digits, as in the tests

SEED = 31415


def best_of_three(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def beside(what: str, ours: Callable[[], Any], plain_name: str, plain: Callable[[], Any]) -> None:
    seconds, plain_seconds = best_of_three(ours), best_of_three(plain)
    print(
        f"  {what}: {seconds:.3f} s; {plain_name}: {plain_seconds:.3f} s; "
        f"ratio {plain_seconds / seconds:.2f}"
    )


def digits() -> None:
    points = corners() + scattered(np.random.default_rng(SEED), 2500)
    print(f"relative error against 120 digits, {len(points)} points, seed {SEED}")
    print(
        "  N 2..1e12, D 1..1e18, b 1e-6..1e3, c from 1e-18 N to (1 - 1e-15) N; answers above 1e-300"
    )
    errors = pd.DataFrame([errors_at(point) for point in points])
    scipys = errors.pop("SciPy").dropna()
    for name in errors:
        found = errors[name].dropna()
        print(f"  {name:17} worst {found.max():.1e}, median {found.median():.1e}, of {len(found)}")
    print(
        f"  SciPy betabinom.pmf: median {scipys.median():.1e}, beyond 1e-9 at "
        f"{(scipys > 1e-9).mean():.0%} of {len(scipys)}"
    )
    print(f"  all four within 1e-9: {errors.max().max() <= 1e-9}")


def errors_at(point: Point) -> dict[str, float]:
    """Relative errors by name, ours and SciPy's; without the answers too small for doubles."""
    law = ActivationLaw(point.units, point.active, point.b)
    ours = {
        "idle_fraction": law.idle_fraction(point.samples, exact=True),
        "working": law.working(point.samples),
        "count_pmf": law.count_pmf(point.k, point.samples),
        "wake_probability": law.wake_probability(point.samples, point.more),
    }
    exact = {name: value for name, value in answers(point).items() if value > 1e-300}
    errors = {name: relative_error(float(ours[name]), value) for name, value in exact.items()}
    if "count_pmf" in exact:
        with np.errstate(all="ignore"):
            scipys = float(stats.betabinom(point.samples, point.b, law.beta).pmf(point.k))
        errors["SciPy"] = relative_error(scipys, exact["count_pmf"])
    return errors


def relative_error(value: float, exact: Any) -> float:
    """Infinite for a value that is no number."""
    return float(abs(mp.mpf(value) / exact - 1)) if np.isfinite(value) else np.inf


def speed_of_draws() -> None:
    rng = np.random.default_rng(SEED)
    print("draws, ours beside the plain way")
    for active, b in ((1e3, 0.5), (10.0, 0.05), (1e5, 3.0)):
        law, n = ActivationLaw(10**7, active, b), 10**12
        beside(
            f"counts of 1e7 units at D = 1e12, c = {active:g}, b = {b:g}",
            lambda law=law, n=n: law.draw_counts(n, rng),
            "rng.binomial(D, rng.beta(b, β))",
            lambda law=law, n=n, b=b: rng.binomial(n, rng.beta(b, law.beta, size=10**7)),
        )
    for b in (0.5, 1e3):
        law = ActivationLaw(10**12, 10**6, b)
        start = time.perf_counter()
        drawn = law.draw_histogram(10**15, rng)
        first = time.perf_counter() - start
        again = best_of_three(lambda law=law: law.draw_histogram(10**15, rng))
        print(
            f"  histogram of 1e12 units at D = 1e15, b = {b:g}: {first:.3f} s, again {again:.3f} s"
            f"; {drawn.units.size} bins, {drawn.working:,} working, expected "
            f"{law.working(10**15):,.0f}"
        )


def speed_of_expectations() -> None:
    print("expected working units for 1e6 values of D, beside scipy.special.betaln doing the same")
    grid = np.geomspace(1, 1e12, 10**6)
    for units, active, b in ((1e6, 100.0, 0.5), (100.0, 10.0, 0.3)):
        law = ActivationLaw(units, active, b)
        beta = law.beta
        beside(
            f"working, N = {units:g}, c = {active:g}, b = {b:g}",
            lambda law=law: law.working(grid),
            "betaln",
            lambda u=units, b=b, beta=beta: -u * np.expm1(betaln(b, beta + grid) - betaln(b, beta)),
        )
        plain = -units * np.expm1(betaln(b, beta + grid) - betaln(b, beta))
        print(
            "    betaln's worst relative distance from ours: "
            f"{np.abs(plain / law.working(grid) - 1).max():.1e}"
        )


def huge_binomials() -> None:
    rng, size = np.random.default_rng(SEED), 10**6
    print(
        "variance over mean of 1e6 binomial draws with mean 1000 (1 is right, standard error "
        "0.0014)"
    )
    for n in (10**12, 10**15, 10**18):
        ours = draw_binomial(np.full(size, n), np.full(size, 1000 / n), rng).var() / 1000
        numpys = rng.binomial(n, 1000 / n, size=size).var() / 1000
        print(f"  n = {n:.0e}: ours {ours:.4f}, NumPy {numpys:.4f}")


if __name__ == "__main__":
    digits()
    speed_of_draws()
    speed_of_expectations()
    huge_binomials()
