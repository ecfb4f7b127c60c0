"""What every form of a loss curve shares: names, L with its slopes from the form's terms, bounds
and starts.

    (F)  L = floor + Σ_k A_k exp(h_k(D; shape))
from actilaw.support.arrays import Floats

A form (`loss_forms`) says what h and its slopes are, and where to start; floor and amplitudes
follow from (F).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from actilaw.support.arrays import Floats

Shape = tuple[
    list[Floats], list[list[Floats]]
]  # h of each term, and its slopes in each coordinate of the shape

FAR = np.log(100.0)  # how far beyond the data a knee may lie
EXPONENTS = np.log([1e-2, 1e2])
REACH = 1000.0  # logarithm of an amplitude far beyond any that a loss can have
TINY = np.log(1e-4)  # a floor this far below the least loss is no floor


@dataclass(frozen=True)
class Form:
    """What every form has: names, and L with its slopes from the terms of the form.

    Coordinates are logarithms of the parameters, except those named in `plain`, in the order floor,
    amplitudes, shape.
    """

    name: str
    formula: str
    shape: tuple[str, ...]
    amplitudes: tuple[str, ...] = ("amplitude",)
    floor: bool = True
    plain: tuple[str, ...] = ()
    width: bool = False  # whether the form speaks of units
    entangled: tuple[
        tuple[str, str], ...
    ] = ()  # what loses its meaning along with what: without a knee, its plateau

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of the coordinates."""
        return ("floor",) * self.floor + self.amplitudes + self.shape

    def terms(self, x: Floats, shape: list[Floats]) -> Shape:
        """h of every term at x = ln D, (n,) or ln D and ln N, (2, n); each of `shape` is (lanes,
        1).
        """
        raise NotImplementedError

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        """Coordinates of the shape to start from."""
        raise NotImplementedError

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        """Least and greatest coordinates of the shape: far outside what data can tell apart."""
        raise NotImplementedError

    def log_loss(self, coordinates: Floats, x: Floats) -> tuple[Floats, Floats]:
        """ln L and its slopes: (lanes, p) and ln D to (lanes, n) and (lanes, n, p)."""
        columns = [coordinates[:, [i]] for i in range(coordinates.shape[1])]
        linear, shape = (
            columns[: len(columns) - len(self.shape)],
            columns[len(columns) - len(self.shape) :],
        )
        h, slopes = self.terms(x, shape)
        logs = [a + one for a, one in zip(linear[self.floor :], h, strict=True)]
        if self.floor:
            logs = [np.broadcast_to(linear[0], logs[0].shape), *logs]
        value = np.logaddexp.reduce(np.stack(logs))
        shares = [np.exp(one - value) for one in logs]
        bent = [
            sum(share * slope[i] for share, slope in zip(shares[self.floor :], slopes, strict=True))
            for i in range(len(shape))
        ]
        return value, np.stack([*shares, *bent], axis=-1)

    def bounds(self, x: Floats, log_loss: Floats) -> tuple[Floats, Floats]:
        """Least and greatest coordinates; (p,) each."""
        floor = [(log_loss.min() + TINY, log_loss.max())] * self.floor
        low, high = zip(
            *floor, *self.amplitude_bounds(log_loss), *self.shape_bounds(x), strict=True
        )
        return np.array(low), np.array(high)

    def amplitude_bounds(self, log_loss: Floats) -> list[tuple[float, float]]:
        """Bounds of the logarithms of the amplitudes."""
        return [(-REACH, REACH)] * len(self.amplitudes)

    def starts(self, x: Floats, log_loss: Floats, weights: Floats) -> Floats:
        """A start for each shape in the grid; floor and amplitudes by least squares of L relative
        to the losses.
        """
        found = []
        root = np.sqrt(weights)
        for shape in self.grid(x):
            h, _ = self.terms(x, [np.full((1, 1), value) for value in shape])
            tops = [one.max() for one in h]
            columns = [
                np.exp(one[0] - top - log_loss) * root for one, top in zip(h, tops, strict=True)
            ]
            columns = [np.exp(-log_loss) * root] * self.floor + columns
            linear, _ = nnls(np.stack(columns, axis=1), root)
            least = 1e-3 * np.exp(log_loss.min())
            logs = np.log(np.maximum(linear, least))
            logs[self.floor :] -= tops
            found.append([*logs, *shape])
        return np.array(found)
