"""Central differences, normal quantiles and logarithmic grids, beside what they are by hand."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw.support.numerics import central_difference, log_grid, two_sided_z


def test_central_differences_are_slopes_in_each_parameter() -> None:
    def values(at: np.ndarray) -> np.ndarray:
        return np.array([at[0] ** 2 * at[1], np.exp(at[1])])

    slopes = central_difference(values, [3.0, 0.5], [1e-4, 1e-5])
    np.testing.assert_allclose(slopes, [[3.0, 0.0], [9.0, np.exp(0.5)]], rtol=1e-8, atol=1e-9)


def test_a_log_grid_is_whole_and_holds_both_ends() -> None:
    grid = log_grid(1, 1000, 30)
    assert grid[0] == 1
    assert grid[-1] == 1000
    assert np.all(np.diff(grid) > 0)


def test_95_percent_are_within_196_standard_errors() -> None:
    assert two_sided_z(0.95) == pytest.approx(1.959963984540054, rel=1e-14)
