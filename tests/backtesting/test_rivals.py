"""Rivals that benchmarks set beside forecasts, against published figures, exact answers and
vegan.
"""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from actilaw import ActivationCounts, fit_accumulation
from actilaw.backtesting.baselines import chao2

FILE = Path(__file__).parents[2] / "benchmarks" / "rivals.py"
SPEC = spec_from_file_location("rivals", FILE)
assert SPEC is not None
assert SPEC.loader is not None
rivals = module_from_spec(SPEC)
SPEC.loader.exec_module(rivals)

# Word types that occur 1, 2, .. 30 times in Shakespeare's works (Efron & Thisted 1976, table 1).
SHAKESPEARE = (
    *(14376, 4343, 2292, 1463, 1043, 837, 638, 519, 430, 364),
    *(305, 259, 242, 223, 187, 181, 179, 130, 127, 128),
    *(104, 105, 99, 112, 93, 74, 83, 76, 72, 63),
)
VEGAN = """
suppressMessages(library(vegan)); data(BCI)
cat(colSums(BCI > 0), "\\n", nrow(BCI), "\\n", specpool(BCI)$chao, "\\n")
"""


def counted(units: np.ndarray, samples: int, idle: int) -> ActivationCounts:
    """`units[j]` units of j + 1 activations each, and some idle ones."""
    counts = np.repeat(np.arange(1, len(units) + 1), np.rint(units).astype(int))
    return ActivationCounts(np.append(np.zeros(idle, int), counts), samples)


def test_words_that_shakespeare_would_use_next() -> None:
    """As many words again would hold 11,430 new types, with a standard error of 178."""
    counts = counted(np.array(SHAKESPEARE), 884_647, idle=100_000)
    twice = np.array([2 * 884_647])
    found = rivals.rational_function(counts, twice)[0] - counts.working
    assert found == pytest.approx(11_430, abs=2 * 178)


def test_rational_functions_are_exact_where_the_curve_is_one() -> None:
    """Rates of an exponential density of mean μ in all samples: μ^k/(1 + μ)^(k + 1) of the units
    have k activations, and t μ/(1 + t μ) of them work after t times the samples.
    """
    units, mean = 10**9, 1.5
    k = np.arange(1, 40)
    exact = units * mean**k / (1 + mean) ** (k + 1)
    series = exact * (-1.0) ** (k - 1)
    numerator, denominator = rivals._pade(series, 1)
    further = np.array([0.5, 3.0, 30.0])
    found = rivals._value(numerator, denominator, further)
    known = units * ((1 + further) * mean / (1 + (1 + further) * mean) - mean / (1 + mean))
    np.testing.assert_allclose(found, known, rtol=1e-9)
    assert rivals._rises(numerator, denominator, np.linspace(0, 30, 50))


def test_the_negative_binomial_finds_the_one_that_was_drawn() -> None:
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.7, 2.0 / 0.7, 20_000)  # in all samples so far
    drawn = ActivationCounts(np.minimum(rng.poisson(rates), 1000), 1000)
    found = rivals.truncated_negative_binomial(drawn, np.array([3000, 20_000]))
    expected = 20_000 * (1 - (1 + np.array([3, 20]) * 2.0 / 0.7) ** -0.7)
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_heaps_law_goes_on_as_it_was() -> None:
    samples = np.unique(np.geomspace(10, 10_000, 60).astype(int))
    working = np.floor(5 * samples**0.6)
    curve = fit_accumulation(samples, working, units=100_000).curve
    found = rivals.heaps(curve, np.array([100_000]))[0]
    assert found == pytest.approx(5 * 100_000**0.6, rel=0.01)


def test_nothing_exceeds_the_number_of_units() -> None:
    counts = counted(np.array([40, 10, 4, 2, 1]), 100, idle=20)
    for name, rival in rivals.RIVALS.items():
        found = rival(counts, np.array([200, 10_000]))
        assert np.all(found >= counts.working), name
        assert np.all(found <= counts.units), name


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
@pytest.mark.slow
def test_chao2_is_that_of_vegan() -> None:
    run = subprocess.run(["Rscript", "-e", VEGAN], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.skip("vegan is not installed")
    incidence, plots, chao = run.stdout.strip().split("\n")
    trees = ActivationCounts(
        np.append(np.array(incidence.split(), int), np.zeros(100, int)), int(plots)
    )
    assert chao2(trees, np.array([1e12]))[0] == pytest.approx(float(chao), rel=1e-6)
