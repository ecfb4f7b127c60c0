from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw import ActivationCounts
from actilaw.errors import CountsError
from actilaw.fitting.families.catalogue import FAMILIES, Family, FittedFamily
from actilaw.fitting.families.components import ALWAYS_ON, SILENT, Law
from actilaw.fitting.families.heavy_tail import HeavyTail
from builders.drawn import draw_groups

FAMILY_AT: dict[str, tuple[Family, list[float]]] = {
    "law": (Family((Law(),)), [-1.5, 2.0]),
    "zero_inflated": (Family((Law(), SILENT)), [-1.5, 2.0, -0.7]),
    "silent and always on": (Family((Law(), ALWAYS_ON, SILENT)), [-1.5, 2.0, -0.7, 0.3]),
    "mixture": (Family((Law(), Law())), [-4.0, 3.0, -1.0, 0.5, 0.2]),
    "mixture with atoms": (
        Family((Law(), Law(), ALWAYS_ON, SILENT)),
        [-4.0, 3.0, -1.0, 0.5, 0.2, -2.0, -0.5],
    ),
    "heavy_tail": (Family((HeavyTail((-1.0, 1.0)),)), [np.log(0.4), 1.0, 5.0]),
    "heavy, light tail": (Family((HeavyTail((-1.0, 1.0)),)), [np.log(1.6), 1.0, 5.0]),
    "heavy with atoms": (
        Family((HeavyTail((-1.0, 1.0)), ALWAYS_ON, SILENT)),
        [np.log(0.7), 2.0, 3.0, -2.0, -0.5],
    ),
}
EVERY_FAMILY = pytest.mark.parametrize("name", FAMILY_AT)


def family_at(name: str) -> tuple[Family, np.ndarray]:
    family, parameters = FAMILY_AT[name]
    return family, np.array(parameters)


@EVERY_FAMILY
@pytest.mark.parametrize("samples", [1, 2, 40])
def test_probabilities_of_all_counts_add_up_to_one(name: str, samples: int) -> None:
    family, parameters = family_at(name)
    log_p = family.log_pmf(parameters, np.arange(samples + 1), samples)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-13)


@EVERY_FAMILY
@pytest.mark.parametrize("samples", [1, 17, 10**9, 10**15])
def test_idle_is_the_probability_of_count_zero(name: str, samples: int) -> None:
    family, parameters = family_at(name)
    at_zero = np.exp(family.log_pmf(parameters, np.array([0]), samples)[0])
    assert family.idle(parameters, samples) == pytest.approx(at_zero, rel=1e-12)


@EVERY_FAMILY
def test_idle_falls_from_one_with_any_number_of_samples(name: str) -> None:
    family, parameters = family_at(name)
    idle = family.idle(parameters, np.array([[0, 0.5, 1, 2], [1e3, 1e6, 1e12, 1e18]]))
    assert idle.shape == (2, 4)
    assert idle[0, 0] == pytest.approx(1, abs=1e-15)
    assert np.all(np.diff(idle.ravel()) < 1e-15)


@EVERY_FAMILY
@pytest.mark.parametrize("samples", [30, 10**9])
def test_scores_and_hessian_are_slopes(name: str, samples: int) -> None:
    family, at = family_at(name)
    k = np.unique(np.array([0, 1, 2, 9, samples // 2, samples - 1, samples]))
    units = np.arange(1.0, k.size + 1)
    counts = ActivationCounts(np.repeat(k, units.astype(int)), samples)
    log_likelihood, step = family.log_likelihood(counts), 1e-5
    value, score, hessian = log_likelihood(at)
    scores = family.scores(at, k, samples)
    assert value == pytest.approx(units @ family.log_pmf(at, k, samples), rel=1e-12)
    np.testing.assert_allclose(score, units @ scores, rtol=1e-10, atol=1e-8)
    for i, shift in enumerate(step * np.eye(at.size)):
        by_k = (family.log_pmf(at + shift, k, samples) - family.log_pmf(at - shift, k, samples)) / (
            2 * step
        )
        np.testing.assert_allclose(scores[:, i], by_k, rtol=1e-6, atol=1e-8)
        bend = (log_likelihood(at + shift)[1] - log_likelihood(at - shift)[1]) / (2 * step)
        np.testing.assert_allclose(hessian[i], bend, rtol=1e-5, atol=1e-6)


def is_a_maximum(fitted: FittedFamily, counts: ActivationCounts) -> bool:
    value, score, hessian = fitted.family.log_likelihood(counts)(fitted.parameters)
    assert value == pytest.approx(fitted.log_likelihood, rel=1e-12)
    assert np.all(np.linalg.eigvalsh(-hessian) > 0)
    np.testing.assert_allclose(fitted.covariance @ -hessian, np.eye(score.size), atol=1e-4)
    return float(score @ fitted.covariance @ score) < 1e-10  # 1e-5 of a standard error


def standard_errors(fitted: FittedFamily, counts: ActivationCounts) -> dict[str, float]:
    """By the delta method."""
    steps = 1e-3 * np.sqrt(np.diag(fitted.covariance))

    def at(shift: np.ndarray) -> np.ndarray:
        rows = fitted.family.estimates(fitted.parameters + shift, counts.units, counts.samples)
        return np.array(list(rows.values()))

    slopes = np.array([(at(d) - at(-d)) / (2 * d.sum()) for d in np.diag(steps)])
    variances = np.einsum("ip,ij,jp->p", slopes, fitted.covariance, slopes)
    return dict(
        zip(fitted.estimates(counts.units, counts.samples), np.sqrt(variances), strict=True)
    )


def assert_recovered(
    fitted: FittedFamily, counts: ActivationCounts, truth: dict[str, float], seed: int
) -> None:
    found, errors = fitted.estimates(counts.units, counts.samples), standard_errors(fitted, counts)
    off = {name: (found[name] - value) / errors[name] for name, value in truth.items()}
    print(
        f"seed {seed}: standard errors off", {name: round(value, 2) for name, value in off.items()}
    )
    assert is_a_maximum(fitted, counts)
    assert max(map(abs, off.values())) < 4


@pytest.mark.parametrize("seed", range(3))
def test_a_law_is_recovered(seed: int) -> None:
    counts = draw_groups(np.random.default_rng(seed), 500, (4000, 0.4, 15.0))
    fitted = FAMILIES["law"](counts)
    assert list(fitted.estimates(9, 9)) == [
        "active",
        "b",
        "alpha",
        "knee",
        "inflection",
        "expected_working",
    ]
    assert_recovered(fitted, counts, {"b": 0.4, "knee": 15.4, "active": 4000 * 0.4 / 15.4}, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_silent_share_is_recovered(seed: int) -> None:
    counts = draw_groups(np.random.default_rng(seed), 500, (3000, 0.6, 15.0), (1500, 0, 1))
    fitted = FAMILIES["zero_inflated"](counts)
    assert (fitted.name, fitted.family.description) == ("zero_inflated", "law + silent units")
    assert_recovered(
        fitted, counts, {"b": 0.6, "active": 3000 * 0.6 / 15.6, "silent_share": 1 / 3}, seed
    )


@pytest.mark.parametrize("seed", range(3))
def test_always_on_units_are_recovered(seed: int) -> None:
    counts = draw_groups(
        np.random.default_rng(seed), 500, (3000, 0.6, 15.0), (1500, 0, 1), (60, 1, 0)
    )
    fitted = FAMILIES["zero_inflated"](counts)
    assert fitted.family.description == "law + always-on units + silent units"
    truth = {
        "b": 0.6,
        "active": 3000 * 0.6 / 15.6,
        "always_on_share": 60 / 4560,
        "silent_share": 1500 / 4560,
    }
    assert_recovered(fitted, counts, truth, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_two_laws_are_recovered_the_rarer_first(seed: int) -> None:
    counts = draw_groups(np.random.default_rng(seed), 2000, (3000, 0.5, 4.0), (4000, 1.0, 500.0))
    fitted = FAMILIES["mixture"](counts)
    assert fitted.name == "mixture"
    truth = {"active": 4000 / 501, "active_2": 3000 * 0.5 / 4.5, "b_2": 0.5, "share": 4 / 7}
    assert_recovered(fitted, counts, truth, seed)
    law = fitted.family.law(fitted.parameters, counts.units)
    assert law.active == pytest.approx(fitted.estimates(counts.units, 2000)["active"])


def heavy_rates(
    rng: np.random.Generator, units: int, s: float, beta: float, m: float
) -> np.ndarray:
    """Rates of density (HT1) for 0 < s < 1: p^(−s) below 1/m and p^(−1−s) above, thinned to the
    rest of it.
    """
    kept = np.empty(0)
    below, above = m**s / (1 - s), (m**s - 1) / s  # areas of m p^(−s) and of p^(−1−s)
    while kept.size < units:
        u, low = rng.random(4 * units), rng.random(4 * units) < below / (below + above)
        p = np.where(low, u ** (1 / (1 - s)) / m, (m**s - u * (m**s - 1)) ** (-1 / s))
        envelope = np.where(p < 1 / m, m * p, 1.0)
        rest = np.log1p(-np.minimum(p, 1 - 1e-16))
        keep = rng.random(p.size) < np.exp((beta - 1) * rest) * -np.expm1(m * rest) / envelope
        kept = np.append(kept, p[keep])
    return kept[:units]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_units_of_rare_contexts_are_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = ActivationCounts(rng.binomial(5000, heavy_rates(rng, 6000, 0.5, 2.0, 1000.0)), 5000)
    fitted = FAMILIES["heavy_tail"](counts)
    assert fitted.name == "heavy_tail"
    assert_recovered(fitted, counts, {"s": 0.5, "rarest_rate": 1e-3}, seed)
    law = FAMILIES["law"](counts)
    assert fitted.family.law(fitted.parameters, 6000).b == pytest.approx(
        law.estimates(6000, 5000)["b"], rel=1e-6
    )
    assert fitted.aic < law.aic - 10


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(2, 40), st.data())
def test_a_larger_family_is_never_less_likely(samples: int, data: st.DataObject) -> None:
    few = data.draw(st.lists(st.integers(0, samples), min_size=2, max_size=25))
    counts = ActivationCounts(np.array(few), samples)
    fits: dict[str, FittedFamily] = {}
    for name, fit in FAMILIES.items():
        try:
            fits[name] = fit(counts)
        except CountsError as error:
            assert "no maximum within reach" in str(error)  # noqa: PT017
    heights = [
        fits[name].log_likelihood for name in ("law", "zero_inflated", "mixture") if name in fits
    ]
    assert all(np.diff(heights) > -1e-6)
    assert set(fits) >= {"zero_inflated", "mixture", "heavy_tail"} or "law" not in fits
    for fitted in fits.values():
        assert np.all(np.linalg.eigvalsh(fitted.covariance) > 0)


def test_a_family_that_the_counts_do_not_support_is_the_law() -> None:
    drawn: Callable[[int], ActivationCounts] = lambda seed: draw_groups(  # noqa: E731
        np.random.default_rng(seed), 500, (2000, 0.4, 15.0)
    )
    shares = []
    for seed in range(6):
        counts = drawn(seed)
        law, silent = FAMILIES["law"](counts), FAMILIES["zero_inflated"](counts)
        shares.append(silent.name == "law")
        if shares[-1]:
            assert silent.log_likelihood == pytest.approx(law.log_likelihood, abs=1e-8)
            np.testing.assert_allclose(silent.parameters, law.parameters, atol=1e-6)
    print("no silent share in", sum(shares), "of 6 layers, expected in half of them")
    assert 0 < sum(shares) < 6


def test_scores_at_another_number_of_samples_average_to_zero() -> None:
    """As the score of a law does over its own counts, whatever the number of samples."""
    for name in FAMILY_AT:
        family, parameters = family_at(name)
        for samples in (7, 90):
            k = np.arange(samples + 1)
            mean = np.exp(family.log_pmf(parameters, k, samples)) @ family.scores(
                parameters, k, samples
            )
            np.testing.assert_allclose(mean, 0, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("samples", [20, 10**15])
def test_extreme_numbers_of_samples(name: str, samples: int) -> None:
    rng = np.random.default_rng(0)
    rates = np.concatenate((rng.beta(0.5, 8, 400), rng.beta(1, 300, 400), np.zeros(100)))
    counts = (
        rng.binomial(samples, rates) if samples < 10**6 else np.rint(samples * rates).astype(int)
    )
    fitted = FAMILIES[name](ActivationCounts(counts, samples))
    assert is_a_maximum(fitted, ActivationCounts(counts, samples))
    assert (
        fitted.log_likelihood
        >= FAMILIES["law"](ActivationCounts(counts, samples)).log_likelihood - 1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["law", "mixture"])
def test_a_million_units_are_fitted(name: str) -> None:
    counts = draw_groups(np.random.default_rng(0), 10_000, (10**6, 0.3, 15.0))
    assert is_a_maximum(FAMILIES[name](counts), counts)


def test_a_law_of_very_rare_units_keeps_its_digits() -> None:
    """Where D* is 10^12, slopes of ln P that were taken as plain differences would have none
    left.
    """
    rng, samples = np.random.default_rng(0), 2**50
    counts = ActivationCounts(rng.poisson(samples * rng.beta(0.3, 1e12, 20_000)), samples)
    fitted = FAMILIES["law"](counts)
    assert_recovered(fitted, counts, {"b": 0.3, "knee": 1e12}, seed=0)
