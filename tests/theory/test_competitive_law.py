"""Competing units against enumeration of small urns."""

from itertools import product

import numpy as np
import pytest

from actilaw.errors import InputError
from actilaw.theory.competitive_law import CompetitiveLaw

SEED = 99


def moments_by_enumeration(units: int, b: float, n: int) -> tuple[float, float, float]:
    """Mean and variance of K, correlation of two counts, over all sequences of n firings of a Pólya
    urn.
    """
    mean = square = one = own = cross = 0.0
    for sequence in product(range(units), repeat=n):
        counts, chance = [0] * units, 1.0
        for seen, i in enumerate(sequence):
            chance *= (counts[i] + b) / (seen + b * units)
            counts[i] += 1
        k = sum(d > 0 for d in counts)
        mean, square = mean + chance * k, square + chance * k * k
        one, own, cross = (
            one + chance * counts[0],
            own + chance * counts[0] ** 2,
            cross + chance * counts[0] * counts[1],
        )
    return mean, square - mean**2, (cross - one**2) / (own - one**2)


@pytest.mark.parametrize(
    ("units", "b", "n"), [(2, 0.5, 6), (3, 0.25, 6), (4, 2.0, 5), (5, 1e-3, 4), (3, 40.0, 5)]
)
def test_working_units_and_correlation_agree_with_enumeration(units, b, n):
    law = CompetitiveLaw(units, 1, b)
    mean, variance, correlation = moments_by_enumeration(units, b, n)
    assert law.working(n) == pytest.approx(mean, rel=1e-12)
    assert law.working_variance(n) == pytest.approx(variance, rel=1e-9)
    assert law.count_correlation == pytest.approx(correlation, rel=1e-9)


@pytest.mark.parametrize("units", [3, 50, 10**5 - 1, 10**5, 10**12])
def test_competition_makes_the_number_of_working_units_more_certain(units):
    law = CompetitiveLaw(units, 1, 0.5)
    D = np.array([2, units // 2, units, 100 * units])
    assert np.all(law.working_variance(D) < law.single.working_variance(D))
    assert law.working_variance(1) == pytest.approx(
        0, abs=1e-8
    )  # the first sample wakes one unit, for certain


def test_the_variance_does_not_jump_where_its_formula_changes():
    below, above = CompetitiveLaw(99_999, 1, 0.5), CompetitiveLaw(100_000, 1, 0.5)
    for D in (10, 10**4, 10**6):
        per_unit = below.working_variance(D) / above.working_variance(D)
        assert per_unit == pytest.approx(
            below.single.working_variance(D) / above.single.working_variance(D), rel=3e-5
        )


def test_counts_of_competing_units_add_up_to_the_samples():
    rng = np.random.default_rng(SEED)
    for units, samples, b in ((1000, 10**18, 1e-6), (7, 10**12, 1e3), (100_000, 50, 0.5)):
        drawn = CompetitiveLaw(units, 1, b).draw_counts(samples, rng)
        assert drawn.shape == (units,)
        assert drawn.sum() == samples
        assert drawn.min() >= 0


@pytest.mark.slow
def test_discovery_at_scale_has_the_exact_moments():
    rng = np.random.default_rng(SEED)
    law, grid = CompetitiveLaw(400, 1, 0.2), [1, 50, 500, 10**5]
    paths = np.array([law.draw_discovery(grid, rng) for _ in range(1500)])
    assert np.all(paths[:, 0] == 1)
    assert np.all(np.diff(paths, axis=1) >= 0)
    variance = law.working_variance(grid)[1:]
    z = (paths.mean(0) - law.working(grid))[1:] / np.sqrt(variance / 1500)
    ratio = paths.var(0)[1:] / variance
    print(f"seed {SEED}, z of means {z.round(2)}, ratios of variances {ratio.round(3)}")
    assert np.abs(z).max() < 4.5
    assert ratio == pytest.approx(1, abs=5 * np.sqrt(2 / 1500))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 10, 0.5), "expected 0 < active < units, but active=10 and units=10"),
        ((10.5, 1, 0.5), r"expected whole units in 2..*, but got 10.5"),
        ((10, 0, 0.5), r"expected whole active in 1..*, but got 0"),
        ((10, 1, -1.0), "expected a finite b > 0, but b=-1"),
    ],
)
def test_a_mistake_is_named_with_its_numbers(arguments, message):
    with pytest.raises(InputError, match=message):
        CompetitiveLaw(*arguments)


def test_what_depends_on_how_units_are_drawn_together_is_not_guessed():
    law = CompetitiveLaw(10, 3, 0.5)
    with pytest.raises(
        InputError, match="the variance of working units needs active=1, but active=3"
    ):
        law.working_variance(5)
    with pytest.raises(InputError, match="a draw of counts at once needs active=1, but active=3"):
        law.draw_counts(5, np.random.default_rng(0))
