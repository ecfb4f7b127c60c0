"""Newton's method on likelihoods whose maxima are known, several climbs side by side."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw.errors import CountsError
from actilaw.fitting.families.components import ALWAYS_ON, SILENT, DistinctCounts, Law
from actilaw.fitting.families.heavy_tail import HeavyTail
from actilaw.fitting.families.mixture import Family
from actilaw.fitting.families.newton import Evaluation, climb, maximise
from actilaw.support.arrays import Floats


def two_hills(parameters: Floats) -> Evaluation:
    """−(x² − 1)² − (y − 2)²: maxima at (±1, 2)."""
    x, y = parameters[:, 0], parameters[:, 1]
    value = -((x**2 - 1) ** 2) - (y - 2) ** 2
    score = np.stack((-4 * x * (x**2 - 1), -2 * (y - 2)), axis=1)
    hessian = np.zeros((len(x), 2, 2))
    hessian[:, 0, 0], hessian[:, 1, 1] = 4 - 12 * x**2, -2
    return value, score, hessian


def slope_without_end(parameters: Floats) -> Evaluation:
    """−1000 e^(−0.4 x) rises for ever, and by less and less."""
    height = -1000 * np.exp(-0.4 * parameters)
    return height[:, 0], -0.4 * height, 0.16 * height[:, :, np.newaxis]


def test_each_climb_goes_its_own_way() -> None:
    starts = np.array([[3.0, 0.0], [-0.4, 5.0], [0.6, 2.0], [-4.0, -4.0]])
    reached, heights = climb(two_hills, starts, steps=60)
    np.testing.assert_allclose(reached, [[1, 2], [-1, 2], [1, 2], [-1, 2]], atol=0.01)
    np.testing.assert_allclose(heights, 0, atol=1e-4)
    for start, end, height in zip(starts, reached, heights, strict=True):
        alone, height_alone = climb(two_hills, start[np.newaxis], steps=60)
        np.testing.assert_array_equal(alone[0], end)
        assert height_alone[0] == height


def test_a_maximum_has_the_inverse_of_its_curvature_as_covariance() -> None:
    found = maximise(two_hills, np.array([0.7, 1.0]))
    np.testing.assert_allclose(found.parameters, [1, 2], atol=1e-9)
    np.testing.assert_allclose(found.covariance, [[1 / 8, 0], [0, 1 / 2]], rtol=1e-6)


def test_a_climb_towards_infinity_is_given_up_where_nothing_is_left_to_gain() -> None:
    asked = []

    def watched(parameters: Floats) -> Evaluation:
        asked.append(parameters[0, 0])
        return slope_without_end(parameters)

    with pytest.raises(CountsError, match="no maximum within reach"):
        maximise(watched, np.array([0.0]))
    # A whole step gains 1000 e^(−0.4 x) nats, and a standard error is √(e^(0.4 x)/160) e-folds:
    # less than 0.01 from 29 on, and more than 55 from 32.7 on.
    assert 32.7 < max(asked) < 36


@pytest.mark.parametrize(
    "components",
    [(Law(),), (Law(), SILENT), (Law(), Law(), ALWAYS_ON, SILENT), (HeavyTail(), SILENT)],
    ids=["law", "silent", "two laws", "heavy tail"],
)
def test_many_fits_side_by_side_are_those_fits(components: tuple) -> None:
    family = Family(components)
    distinct = DistinctCounts.of(np.array([0, 1, 2, 5, 40, 99, 100]), 100)
    units = np.array([30.0, 9, 5, 4, 3, 2, 1])
    log_likelihood = family.log_likelihood_of(distinct, units)
    many = np.random.default_rng(0).normal(0.3, 0.8, (5, family.size))
    together = log_likelihood(many)
    for i, parameters in enumerate(many):
        for part, alone in zip(together, log_likelihood(parameters), strict=True):
            # The Hessian of a heavy tail is a difference, which leaves half of the digits.
            np.testing.assert_allclose(part[i], alone, rtol=1e-7, atol=1e-8)
