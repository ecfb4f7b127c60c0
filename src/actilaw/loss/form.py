"""The shape that all forms of a loss curve share: a floor plus terms that fall with the data.

    (LF1)  L = floor + Σ_k A_k exp(h_k(D; shape))

A form (`forms`) says what h and its slopes are, how far its shape may go and from where to start;
the loss with its slopes, and the floor and amplitudes of every start, follow here from (LF1).

A fit moves coordinates: the logarithms of the parameters, except of those that may be negative, in
the order floor, amplitudes, shape. Many fits run side by side; see `huber`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from actilaw.support.arrays import Floats

KNEE_MARGIN = np.log(100.0)  # how far beyond the data a knee may lie
EXPONENT_BOUNDS = (float(np.log(1e-2)), float(np.log(1e2)))
MOST_LOG_AMPLITUDE = 1000.0  # far beyond any amplitude that a loss can have
LEAST_FLOOR = np.log(1e-4)  # a floor this far below the least loss is no floor
LEAST_START = 1e-3  # of the least loss: where a floor or amplitude solved to be 0 starts


class Term(NamedTuple):
    """One term of (LF1): h, (fits, n), and its slope in each coordinate of the shape."""

    h: Floats
    slopes: list[Floats]


@dataclass(frozen=True)
class Form:
    """What a form of the loss curve consists of.

    Attributes:
        name: by which `fit_loss` knows it.
        formula: for people.
        shape: names of the parameters of h.
        amplitudes: names of the A_k.
        floor: whether it has one.
        signed: parameters that may be negative; their coordinates are no logarithms.
        uses_size: whether the loss depends on the size of the network; x is then ln D and ln N,
            (2, n), and ln D, (n,), otherwise.
        jointly_unidentified: pairs; when the first ends at a bound, the second means nothing
            either: where no knee is seen, no plateau is.
    """

    name: str
    formula: str
    shape: tuple[str, ...]
    amplitudes: tuple[str, ...] = ("amplitude",)
    floor: bool = True
    signed: tuple[str, ...] = ()
    uses_size: bool = False
    jointly_unidentified: tuple[tuple[str, str], ...] = ()

    def centred(self, x: Floats) -> Form:
        """The form as it is fitted to losses at x; one over sizes may stand at their mean."""
        return self

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of the coordinates."""
        floor = ("floor",) if self.floor else ()
        return floor + self.amplitudes + self.shape

    def terms(self, x: Floats, shape: list[Floats]) -> list[Term]:
        """The terms of (LF1) at x, for coordinates of the shape of (fits, 1) each."""
        raise NotImplementedError

    def grid(self, x: Floats) -> list[tuple[float, ...]]:
        """Coordinates of the shape to start from."""
        raise NotImplementedError

    def shape_bounds(self, x: Floats) -> list[tuple[float, float]]:
        """Least and greatest coordinates of the shape: far outside what data can tell apart."""
        raise NotImplementedError

    def log_loss(self, coordinates: Floats, x: Floats) -> tuple[Floats, Floats]:
        """ln L, (fits, n), and its slopes, (fits, n, p), for coordinates (fits, p)."""
        columns = [coordinates[:, [i]] for i in range(coordinates.shape[1])]
        first_of_shape = len(columns) - len(self.shape)
        linear, shape = columns[:first_of_shape], columns[first_of_shape:]
        terms = self.terms(x, shape)
        log_amplitudes = linear[1:] if self.floor else linear
        logs = [log_a + term.h for log_a, term in zip(log_amplitudes, terms, strict=True)]
        if self.floor:
            logs = [np.broadcast_to(linear[0], logs[0].shape), *logs]
        log_loss = np.logaddexp.reduce(np.stack(logs))
        # The slope of ln L in the logarithm of a summand is the summand's share of the loss.
        shares = [np.exp(log - log_loss) for log in logs]
        shares_of_terms = shares[1:] if self.floor else shares
        by_shape = [
            sum(share * term.slopes[i] for share, term in zip(shares_of_terms, terms, strict=True))
            for i in range(len(shape))
        ]
        return log_loss, np.stack([*shares, *by_shape], axis=-1)

    def bounds(self, x: Floats, log_loss: Floats) -> tuple[Floats, Floats]:
        """Least and greatest coordinates, (p,) each, for measured ln L of (n,)."""
        floor = [(log_loss.min() + LEAST_FLOOR, log_loss.max())] if self.floor else []
        pairs = [*floor, *self.amplitude_bounds(log_loss), *self.shape_bounds(x)]
        return np.array([low for low, _ in pairs]), np.array([high for _, high in pairs])

    def amplitude_bounds(self, log_loss: Floats) -> list[tuple[float, float]]:
        """Bounds of the logarithms of the amplitudes."""
        return [(-MOST_LOG_AMPLITUDE, MOST_LOG_AMPLITUDE)] * len(self.amplitudes)

    def starts(self, x: Floats, log_loss: Floats, weights: Floats) -> Floats:
        """Coordinates to start from, (starts, p): each shape of the grid, with the floor and
        amplitudes that fit it best.
        """
        shapes = self.grid(x)
        linear = [self._best_linear(shape, x, log_loss, weights) for shape in shapes]
        return np.array([[*logs, *shape] for logs, shape in zip(linear, shapes, strict=True)])

    def _best_linear(
        self, shape: tuple[float, ...], x: Floats, log_loss: Floats, weights: Floats
    ) -> Floats:
        """Logarithms of floor and amplitudes: L over the losses is nearest to 1, none negative."""
        from scipy.optimize import nnls  # slow to import

        terms = self.terms(x, [np.full((1, 1), value) for value in shape])
        largest = [term.h.max() for term in terms]  # taken out, so that no exponential overflows
        floor = [np.exp(-log_loss)] if self.floor else []
        rest = [
            np.exp(term.h[0] - top - log_loss) for term, top in zip(terms, largest, strict=True)
        ]
        root = np.sqrt(weights)
        design = np.stack([column * root for column in floor + rest], axis=1)
        linear, _ = nnls(design, root)
        logs = np.log(np.maximum(linear, LEAST_START * np.exp(log_loss.min())))
        logs[len(floor) :] -= largest
        return logs
