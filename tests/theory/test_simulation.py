"""What a law expects of a layer, gathered, and one draw beside it."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationLaw
from actilaw.errors import InputError
from actilaw.theory.simulation import simulate

LAW = ActivationLaw(1000, 20, 0.5)


def test_expectations_are_those_of_the_law() -> None:
    found = simulate(LAW, 3000)
    samples = [point.samples for point in found.accumulation_curve]
    assert samples == [1, 10, 100, 1000, 3000]
    assert [point.working for point in found.accumulation_curve] == pytest.approx(
        LAW.working(samples)
    )
    assert [point.mean_field for point in found.accumulation_curve] == pytest.approx(
        LAW.working(samples, exact=False)
    )
    assert [point.idle_fraction for point in found.accumulation_curve] == pytest.approx(
        LAW.idle_fraction(samples)
    )
    assert found.landmarks["knee"] == LAW.knee
    assert found.landmarks["mean_count"] == 60
    assert all(point.drawn is None for point in [*found.accumulation_curve, *found.counts])


def test_bins_of_counts_are_decades_that_hold_every_unit() -> None:
    found = simulate(LAW, 3000)
    edges = [(part.first, part.last) for part in found.counts]
    assert edges == [(0, 0), (1, 1), (2, 9), (10, 99), (100, 999), (1000, 3000)]
    for part in found.counts:
        k = np.arange(part.first, part.last + 1)
        assert part.units == pytest.approx(1000 * LAW.count_pmf(k, 3000).sum())
    assert sum(part.units for part in found.counts) == pytest.approx(1000)


def test_a_drawn_layer_is_whole_and_repeats_with_its_seed() -> None:
    one, again, other = (simulate(LAW, 3000, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one == again != other
    drawn = [point.drawn for point in one.accumulation_curve]
    assert drawn == sorted(drawn)
    assert sum(part.drawn for part in one.counts) == 1000
    assert one.counts[0].drawn == 1000 - drawn[-1]


@pytest.mark.parametrize("samples", [0, -1, 3.5])
def test_samples_are_whole_and_at_least_one(samples: float) -> None:
    with pytest.raises(InputError, match=r"expected whole samples in 1\.\."):
        simulate(LAW, samples)
