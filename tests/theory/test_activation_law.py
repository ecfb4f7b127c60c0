"""The law against enumeration and against truths that hold for any layer."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from actilaw.errors import InputError
from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.buffet_law import BuffetLaw

BS = [1e-3, 0.1, 0.5, 1.0, 3.0, 100.0]


@st.composite
def laws(draw):
    units = draw(st.integers(2, 10**12))
    share = 10 ** -draw(st.floats(1e-3, 9))
    return ActivationLaw(units, units * share, 10 ** draw(st.floats(-6, 3)))


samples = st.floats(0, 18).map(lambda e: int(10**e))


def counts_by_enumeration(law: ActivationLaw, n: int) -> list[Fraction]:
    """P(count = k) after n samples, in fractions, by stepping through (1) as it is written."""
    N, c, b = (Fraction(v) for v in (law.units, law.active, law.b))
    chances = [Fraction(1)]
    for seen in range(n):
        after = [Fraction(0)] * (seen + 2)
        for k, chance in enumerate(chances):
            fires = c * (k + b) / (c * seen + b * N)
            after[k] += chance * (1 - fires)
            after[k + 1] += chance * fires
        chances = after
    return chances


@pytest.mark.parametrize(
    ("units", "active", "b"), [(10, 2, 0.5), (5, 4.5, 0.25), (8, 0.5, 2.0), (2, 1, 1.0)]
)
def test_counts_are_those_of_the_urn_stepped_by_hand(units, active, b):
    law = ActivationLaw(units, active, b)
    for n in (1, 2, 7, 30):
        exact = [float(p) for p in counts_by_enumeration(law, n)]
        assert law.count_pmf(np.arange(n + 1), n) == pytest.approx(exact, rel=1e-12)
        assert law.idle_fraction(n, exact=True) == pytest.approx(exact[0], rel=1e-13)
        assert law.working(n) == pytest.approx(units * (1 - exact[0]), rel=1e-12)


@pytest.mark.slow
@given(laws(), st.integers(1, 300))
def test_probabilities_sum_to_one_and_counts_to_all_activations(law, n):
    k = np.arange(n + 1)
    p = law.count_pmf(k, n)
    assert p.sum() == pytest.approx(1, abs=1e-11)
    assert p @ k == pytest.approx(law.active * n / law.units, rel=1e-9)
    assert law.count_cdf(k, n) == pytest.approx(np.cumsum(p), rel=1e-9)


@given(laws(), samples, samples)
def test_working_units_grow_and_stay_below_units_and_activations(law, n, m):
    fewer, more = sorted((n, m))
    for exact in (True, False):
        assert law.working(fewer, exact) <= law.working(more, exact) * (1 + 1e-14)
        assert law.working(more, exact) <= law.working_bound(more) * (1 + 1e-14)


@given(laws(), samples, samples)
def test_the_idle_fraction_falls_from_one_and_never_below_zero(law, n, m):
    fewer, more = sorted((n, m))
    for exact in (True, False):
        assert 0 <= law.idle_fraction(more, exact) <= law.idle_fraction(fewer, exact) <= 1
    assert law.idle_fraction(0, exact=True) == 1
    assert law.idle_fraction(more, exact=True) <= law.idle_fraction(more) * (
        1 + 1e-12
    )  # (6) is the pessimist


@given(laws(), samples, samples)
def test_a_unit_that_does_not_wake_stays_idle(law, n, more):
    idle, later = law.idle_fraction(n, exact=True), law.idle_fraction(float(n) + more, exact=True)
    assume(idle > 1e-300)
    assert 1 - law.wake_probability(n, more) == pytest.approx(later / idle, abs=1e-12)


@given(laws(), st.floats(1e-6, 1 - 1e-9))
def test_samples_for_inverts_the_idle_fraction(law, working):
    needed = law.samples_for(working)
    assume(needed < 1e300)
    assert law.idle_fraction(needed, exact=False) == pytest.approx(1 - working, rel=1e-9)
    assert law.units_for(working, needed) == pytest.approx(law.units, rel=1e-9)


@given(laws(), st.floats(1e-6, 1 - 1e-9), st.floats(0, 18))
def test_units_for_gives_the_width_at_which_that_share_works(law, working, log_samples):
    width = law.units_for(working, 10**log_samples)
    assume(width > law.active * 1.001)
    wide = ActivationLaw(width, law.active, law.b)
    assert wide.idle_fraction(10**log_samples, exact=False) == pytest.approx(1 - working, rel=1e-9)


@pytest.mark.parametrize("b", BS)
def test_growth_is_steepest_at_units_over_active(b):
    law = ActivationLaw(4000, 25, b)

    def share(u):
        return law.working(np.exp(u), exact=False) / law.units

    def bend(u):
        return share(u + 0.01) - 2 * share(u) + share(u - 0.01)

    found = np.exp(optimize.brentq(bend, np.log(law.inflection) - 3, np.log(law.inflection) + 3))
    assert found == pytest.approx(law.inflection, rel=1e-3)
    u = np.log(law.inflection)
    assert law.inflection == 160
    assert law.inflection_height == pytest.approx(share(u), rel=1e-12)
    assert law.inflection_slope == pytest.approx(
        (share(u + 1e-4) - share(u - 1e-4)) / 2e-4, rel=1e-6
    )


@pytest.mark.parametrize("b", BS)
def test_the_mean_field_tends_to_the_exact_law_as_the_knee_grows(b):
    """ln(exact / mean field) = −b(b+1)D / 2D*(D*+D) to first order in 1/D*."""
    for units in (1e5, 1e8, 1e11):
        law = ActivationLaw(units, 1, b)
        D = law.knee * np.array([0.1, 1.0, 10.0])
        gap = np.log(law.idle_fraction(D)) - np.log(law.idle_fraction(D, exact=False))
        first = -b * (b + 1) * D / (2 * law.knee * (law.knee + D))
        assert gap == pytest.approx(first, rel=2 * (b + 1) / law.knee, abs=1e-13 * b)


def test_elasticities_are_the_slopes_of_the_idle_fraction():
    for exact in (False, True):
        for D in (3.0, 50.0, 4000.0):
            law, step = ActivationLaw(100, 5, 0.7), 1e-5

            def log_idle(units, samples, exact=exact):
                return np.log(ActivationLaw(units, 5, 0.7).idle_fraction(samples, exact))

            in_samples = (log_idle(100, D * np.exp(step)) - log_idle(100, D * np.exp(-step))) / (
                2 * step
            )
            in_units = (log_idle(100 * np.exp(step), D) - log_idle(100 * np.exp(-step), D)) / (
                2 * step
            )
            assert law.idle_elasticity(D, exact) == pytest.approx(in_samples, rel=1e-6)
            assert law.idle_elasticity_in_units(D, exact) == pytest.approx(in_units, rel=1e-6)
    assert law.idle_elasticity(D, exact=False) == -law.idle_elasticity_in_units(D, exact=False)


@given(laws(), st.integers(1, 300))
def test_working_units_have_the_law_without_its_zeros(law, n):
    k = np.arange(n + 1)
    p = law.working_count_pmf(k, n)
    assert p[0] == 0
    assert p.sum() == pytest.approx(1, abs=1e-9)
    assert p @ k == pytest.approx(
        law.active * n / law.working(n), rel=1e-9
    )  # activations per working unit


def test_counts_follow_a_power_law_up_to_the_cutoff_and_an_exponential_beyond():
    law, n = ActivationLaw(1e6, 1.0, 0.3), 10**12
    assert law.alpha == pytest.approx(0.7)
    k = np.array([1000, 100_000])
    slope = np.diff(law.log_count_pmf(k, n)) / np.diff(np.log(k))
    assert slope == pytest.approx(-law.alpha, abs=0.05)
    far = np.array([20, 21]) * int(law.cutoff(n))
    fall = np.diff(law.log_count_pmf(far, n)) - (law.b - 1) * np.diff(np.log(far))
    assert fall == pytest.approx(-1, abs=0.01)
    assert law.cutoff(n) == pytest.approx(n / law.knee, rel=1e-6)


def test_equation_one_is_the_posterior_rate():
    law = ActivationLaw(50, 4, 0.6)
    k = np.array([0, 3, 20])
    assert law.rate_posterior(k, 20) == pytest.approx(4 * (k + 0.6) / (4 * 20 + 0.6 * 50))
    assert law.rate_posterior(0, 20) == pytest.approx(law.wake_probability(20, 1))
    posterior = stats.beta(3 + 0.6, 20 - 3 + law.beta)
    assert law.rate_posterior(3, 20) == pytest.approx(posterior.mean())


def test_variance_of_working_units_is_binomial():
    law = ActivationLaw(80, 3, 0.5)
    p = law.working(40) / 80
    assert law.working_variance(40) == pytest.approx(80 * p * (1 - p))


def test_an_endless_layer_at_fixed_b_never_repeats_itself():
    for units in (1e6, 1e12):
        assert ActivationLaw(units, 10, 0.5).working(1000) == pytest.approx(10_000, rel=2e6 / units)


def test_an_endless_layer_at_fixed_mass_is_the_buffet():
    layer, buffet = ActivationLaw(1e12, 10, 2e-10), BuffetLaw(200, 10)
    D = np.array([1, 5, 100, 10**6, 10**18])
    assert layer.working(D) == pytest.approx(buffet.working(D), rel=1e-8)
    assert layer.working(D, exact=False) == pytest.approx(buffet.working(D, exact=False), rel=1e-8)
    assert buffet.working(D[:3]) == pytest.approx(
        [200 * sum(1 / (20 + j) for j in range(d)) for d in D[:3]]
    )
    k = np.arange(1, 101)
    assert 1e12 * layer.count_pmf(k, 100) == pytest.approx(buffet.units_with(k, 100), rel=1e-7)
    assert buffet.units_with(k, 100).sum() == pytest.approx(buffet.working(100))
    decade = buffet.working(1e9) - buffet.working(1e8)
    assert decade == pytest.approx(200 * np.log(10), rel=1e-6)


def test_arrays_in_arrays_out():
    law = ActivationLaw(100, 10, 0.5)
    grid = np.arange(6).reshape(2, 3)
    for f in (
        law.working,
        law.idle_fraction,
        law.working_variance,
        law.idle_elasticity,
        law.cutoff,
    ):
        assert f(grid).shape == (2, 3)
    assert law.count_pmf(grid, 5).shape == (2, 3)
    assert law.count_pmf(grid[:, :, None], [5, 6, 7, 8]).shape == (2, 3, 4)
    assert law.count_cdf(grid, 5).shape == (2, 3)
    assert (
        np.ndim(law.working(5)) == np.ndim(law.count_pmf(1, 5)) == np.ndim(law.count_cdf(1, 5)) == 0
    )


def test_impossible_counts_have_probability_zero():
    law = ActivationLaw(100, 10, 0.5)
    assert law.count_pmf([-1, 6], 5).tolist() == [0, 0]
    assert law.count_cdf([-1, 5, 6], 5).tolist() == [0, pytest.approx(1), pytest.approx(1)]


MISTAKES = [
    (lambda: ActivationLaw(10, 10, 1), "expected 0 < active < units, but active=10 and units=10"),
    (lambda: ActivationLaw(10, 0, 1), "expected 0 < active < units, but active=0 and units=10"),
    (lambda: ActivationLaw(10, 1, 0), "expected a finite b > 0, but b=0"),
    (lambda: ActivationLaw(10, 1, -2), "expected a finite b > 0, but b=-2"),
    (lambda: ActivationLaw(10, 1, np.nan), "expected a finite b > 0, but b=nan"),
    (lambda: LAW.working(-1), "expected finite samples >= 0, but got -1"),
    (lambda: LAW.working([1, np.inf]), "expected finite samples >= 0, but got inf"),
    (lambda: LAW.wake_probability(1, -3), "expected finite more >= 0, but got -3"),
    (
        lambda: LAW.count_pmf(1, 2.5),
        r"expected whole samples in 0..9223372036854775807, but got 2.5",
    ),
    (
        lambda: LAW.count_pmf(1.5, 2),
        r"expected whole count k in 0..9223372036854775807, but got 1.5",
    ),
    (
        lambda: LAW.count_pmf(1, 10**30),
        r"expected whole samples in 0..9223372036854775807, but got 1000",
    ),
    (
        lambda: LAW.count_cdf(1, [2, 3]),
        r"expected one number for samples, but got an array of shape \(2,\)",
    ),
    (lambda: LAW.samples_for(1), r"expected working as a fraction in \(0, 1\), but got 1"),
    (
        lambda: LAW.samples_for(95),
        r"expected working as a fraction in \(0, 1\), but got 95: 0.95 means 95 %",
    ),
    (lambda: LAW.units_for(0, 10), r"expected working as a fraction in \(0, 1\), but got 0"),
    (
        lambda: LAW.rate_posterior(5, 4),
        "expected count of at most the samples, but count=5 exceeds samples=4",
    ),
    (lambda: LAW.draw_counts(1.5, np.random.default_rng(0)), "expected whole samples in 0"),
    (
        lambda: LAW.draw_discovery([3, 2], np.random.default_rng(0)),
        r"expected samples as an increasing grid \(n,\)",
    ),
    (
        lambda: ActivationLaw(10.5, 1, 1).draw_counts(5, np.random.default_rng(0)),
        "expected whole units in 0..*10.5",
    ),
    (
        lambda: ActivationLaw(1e12, 1, 1).draw_counts(5, np.random.default_rng(0)),
        "at most 10,000,000,000 units for a count",
    ),
    (lambda: BuffetLaw(0, 1), "expected a finite mass > 0, but mass=0"),
    (
        lambda: BuffetLaw(1, 1).units_with(3, 2),
        "expected k of at most the samples, but k=3 exceeds samples=2",
    ),
]
LAW = ActivationLaw(10, 1, 1)


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_numbers_and_the_range(mistake, message):
    with pytest.raises(InputError, match=message):
        mistake()
