"""Bounds that never fall, by a cumulative maximum (isotonic in the sense of Barlow et al. 1972).

Units do not fall idle again, so a number of working units that holds after some samples holds after
more. Bounds made for one number of samples at a time do not know that: an interval on the log odds
widens with the samples, and its lower end may fall. With ℓ(D) such a lower bound,

    (RB1) P(K(D) >= ℓ(D')) >= P(K(D') >= ℓ(D'))   for D' <= D, since K(D) >= K(D')  [derived]

so that max ℓ(D') over D' <= D is a lower bound of K(D) at the same level: the D' at which the
maximum is reached depends on the counts that forecasts are conditional on, not on what is still to
come. For upper bounds the maximum can only widen the interval.

The maximum is taken over a grid that is fixed before anything is asked, so an answer never depends
on what else is asked. Between two points of the grid a bound is its own value, kept between the
maximum so far and the maximum up to the next point (`kept`), where it hardly changes from one point
to the next, and else lies on a straight line between the two maxima (`between`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from actilaw.support.arrays import Floats, Ints
from actilaw.support.validation import LARGEST_WHOLE


@dataclass(frozen=True, eq=False)
class RisingBounds:
    """The largest values of bounds up to each point of a grid.

    Attributes:
        grid: increasing; (n_grid,).
        largest: -infinity, then the largest value up to each point of the grid; (n_grid + 1, ...).
    """

    grid: Floats | Ints
    largest: Floats

    @staticmethod
    def over(grid: Floats | Ints, values: Floats) -> RisingBounds:
        """From values at each point of the grid, (n_grid, ...)."""
        none_yet = np.full((1, *values.shape[1:]), -np.inf)
        return RisingBounds(grid, np.maximum.accumulate(np.concatenate((none_yet, values))))

    def kept(self, asked: Floats | Ints, values: Floats) -> Floats:
        """Values at `asked`, none beyond the grid, (n,), no lower than the largest so far and no
        higher than the largest up to the next point; (n, ...).
        """
        following = np.searchsorted(self.grid, asked)
        return np.clip(values, self.largest[following], self.largest[following + 1])

    def between(self, asked: Floats) -> Floats:
        """Values at `asked`, none outside the grid, (n,), on the lines of log(1 + value) against
        the logarithm of the grid from one point to the next; values are 0 or above; (n, ...).
        """
        following = np.clip(np.searchsorted(self.grid, asked), 1, self.grid.size - 1)
        before, after = np.log(self.grid[following - 1]), np.log(self.grid[following])
        part = (np.log(asked) - before) / (after - before)
        part = part.reshape(-1, *(1 for _ in self.largest.shape[1:]))
        from_value = np.log1p(self.largest[following])  # the first of `largest` is before the grid
        to_value = np.log1p(self.largest[following + 1])
        return np.expm1(from_value + part * (to_value - from_value))


def doublings(start: int, farthest: int) -> Ints:
    """2, 4, 8, .. times `start`, as far as to pass `farthest`; the last is at most 2⁶³ − 1."""

    def doubled() -> Iterator[int]:
        samples = start
        while samples < min(farthest, LARGEST_WHOLE):
            samples = min(2 * samples, LARGEST_WHOLE)
            yield samples

    return np.array(list(doubled()), np.int64)
