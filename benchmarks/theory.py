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
from scipy import stats
from scipy.special import betaln

from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.sampling import draw_binomial

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from builders.exact import answers, corners, scattered  # the 120-digit answers that the tests use

SEED = 31415


def best_of_three(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def beside(what: str, ours: Callable[[], Any], plain_name: str, plain: Callable[[], Any]) -> None:
    a, b = best_of_three(ours), best_of_three(plain)
    print(f"  {what}: {a:.3f} s; {plain_name}: {b:.3f} s; ratio {b / a:.2f}")


def digits() -> None:
    points = corners() + scattered(np.random.default_rng(SEED), 2500)
    print(f"relative error against 120 digits, {len(points)} points, seed {SEED}")
    print(
        "  N 2..1e12, D 1..1e18, b 1e-6..1e3, c from 1e-18 N to (1 - 1e-15) N; answers above 1e-300"
    )
    errors: dict[str, list[float]] = {}
    peers: list[float] = []
    for p in points:
        law = ActivationLaw(p.units, p.active, p.b)
        got = {
            "idle_fraction": law.idle_fraction(p.samples, exact=True),
            "working": law.working(p.samples),
            "count_pmf": law.count_pmf(p.k, p.samples),
            "wake_probability": law.wake_probability(p.samples, p.more),
        }
        exact = answers(p)
        for name, value in exact.items():
            if value > 1e-300:
                errors.setdefault(name, []).append(float(abs(mp.mpf(float(got[name])) / value - 1)))
        if exact["count_pmf"] > 1e-300:
            with np.errstate(all="ignore"):
                peer = float(stats.betabinom(p.samples, p.b, law.beta).pmf(p.k))
            off = abs(mp.mpf(peer) / exact["count_pmf"] - 1) if np.isfinite(peer) else np.inf
            peers.append(float(off))
    for name, found in errors.items():
        print(f"  {name:17} worst {max(found):.1e}, median {np.median(found):.1e}, of {len(found)}")
    wrong = np.mean(np.array(peers) > 1e-9)
    print(
        f"  SciPy betabinom.pmf: median {np.median(peers):.1e}, beyond 1e-9 at {wrong:.0%} of "
        f"{len(peers)}"
    )
    print(f"  all four within 1e-9: {max(map(max, errors.values())) <= 1e-9}")


def speed() -> None:
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
            f"  histogram of 1e12 units at D = 1e15, b = {b:g}: {first:.3f} s, again {again:.3f} "
            "s; "
            f"{drawn.units.size} bins, {drawn.working:,} working, expected "
            f"{law.working(10**15):,.0f}"
        )
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
    speed()
    huge_binomials()
