"""The loss law: loss on new data against the number of samples trained on, and the size.

    (10)  L(D) falls as a power law in D  [paper]
          L(D) = L_inf + A (1 + D/D*)^(−b), which is flat up to the knee D* and then falls
          with exponent b, as the idle fraction (11) does  [derived]
    (10a) local slope  d ln(L − L_inf) / d ln D = −b D/(D + D*)  [derived]
    (10b) L(N, D) is (10) with D* = b N/c: at fixed L_inf, A, b and c a wider layer needs more
          data in proportion  [derived]
    (10d) L(N, D) = L_inf + A (N/N0)^(−alpha) + B (1 + D/D*)^(−b),  D* = knee (N/N0)^g:
          what a network of N cannot hold, beside what it has not learnt after D samples. The law
          gives the knee, D* = bN/c: g = 1 where b and c stay put as N grows, g = 0 where bN and c
          do [derived]; that the loss follows it, and the capacity term, are hypotheses
    (10c) K(D) times the mean of 1/D_i over working units is Σ_{j<D} (K(D) − K(j)) / (D − j);
          the mean falls as D^(−b) for b < 1, as ln(D)/D for b = 1, as 1/D for b > 1  [derived]

Proof of (10c): let U(n, β) = E[1/D_i; D_i > 0]. From C(n, k)/k = C(n−1, k)/k + C(n, k)/n follows
U(n, β) = β/(b+β) U(n−1, β+1) + P(D_i > 0)/n, whose first factors multiply up to the idle fraction
after j samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actilaw.errors import InputError
from actilaw.support.arrays import Floats
from actilaw.support.validation import at_least_zero, one_whole, positive, positive_array
from actilaw.theory.activation_law import ActivationLaw

HEAD = 2**12  # terms of (10c) that are added one by one
SUM_NODES, SUM_WEIGHTS = np.polynomial.legendre.leggauss(12)


@dataclass(frozen=True)
class LossLaw:
    """Loss as a plateau, a knee, then a power law, (10).

    Args:
        floor: L_inf, loss that no amount of data removes; floor >= 0, in the unit of the loss.
        amplitude: A, loss that data can remove; amplitude > 0, in the unit of the loss.
        knee: D*, in samples; knee > 0.
        b: exponent after the knee; b > 0.

    Raises:
        InputError: if the parameters lie outside these ranges.
    """

    floor: float
    amplitude: float
    knee: float
    b: float

    def __post_init__(self) -> None:
        if not (
            0 <= self.floor < np.inf
            and all(0 < v < np.inf for v in (self.amplitude, self.knee, self.b))
        ):
            raise InputError(
                f"expected floor >= 0 and positive finite amplitude, knee and b, but got {self}"
            )

    @property
    def plateau(self) -> float:
        """Loss before the knee, where data have not begun to count: floor + amplitude."""
        return self.floor + self.amplitude

    def loss(self, samples: ArrayLike) -> Floats:
        """Expected loss after training on `samples` inputs, (10); arrays in, arrays out."""
        samples = at_least_zero("samples", samples)
        return self.floor + self.amplitude * np.exp(-self.b * np.log1p(samples / self.knee))

    def local_slope(self, samples: ArrayLike) -> Floats:
        """Slope of ln(L − L_inf) against ln D, (10a): 0 on the plateau, −b far beyond the knee."""
        samples = at_least_zero("samples", samples)
        return -self.b * samples / (samples + self.knee)

    def samples_for(self, loss: ArrayLike) -> Floats:
        """Samples that bring the loss down to `loss`, which lies above the floor and up to the
        plateau.
        """
        target = np.asarray(loss, float)
        if not np.all((target > self.floor) & (target <= self.plateau)):
            raise InputError(
                f"expected a loss above the floor {self.floor:g} and at most the plateau "
                f"{self.plateau:g}, but got {loss}"
            )
        with np.errstate(over="ignore"):  # infinite where no float is large enough
            return self.knee * np.expm1(np.log(self.amplitude / (target - self.floor)) / self.b)


@dataclass(frozen=True)
class LossSurface:
    """Loss against width and data, (10b); `active` is c, the other parameters are those of LossLaw.

    It describes one thing alone, how the knee moves with the width. What a wider layer gains in
    capacity would show as a lower floor or amplitude, which here stay put.
    """

    floor: float
    amplitude: float
    active: float
    b: float

    def __post_init__(self) -> None:
        positive("active", self.active, "it is the mean number of units that fire on a sample")
        _ = LossLaw(self.floor, self.amplitude, 1.0, self.b)

    def at(self, size: float) -> LossLaw:
        """The loss law of a layer of `size` units, whose knee lies at D* = b N/c."""
        return LossLaw(self.floor, self.amplitude, self.b * size / self.active, self.b)

    def loss(self, size: ArrayLike, samples: ArrayLike) -> Floats:
        """Expected loss of layers of `size` units after `samples` inputs, (10b); arrays
        broadcast.
        """
        size = np.asarray(size, float)
        if not np.all(size > self.active):
            raise InputError(f"expected size > active={self.active:g}, but got {size.min():g}")
        ratio = at_least_zero("samples", samples) * self.active / (self.b * size)
        return self.floor + self.amplitude * np.exp(-self.b * np.log1p(ratio))


@dataclass(frozen=True)
class ActivationSurface:
    """Loss against size and data, (10d): a floor, what a network of the size cannot hold, and what
    it has not learnt from the data yet, with a knee that moves with the size.

    Args:
        floor: L_inf; floor >= 0, in the unit of the loss.
        A: loss that size can remove at the reference size; A > 0, in the unit of the loss.
        B: loss that data can remove; B > 0, in the unit of the loss.
        alpha: exponent of the size; alpha > 0.
        b: exponent of the data after the knee; b > 0.
        knee: D* at the reference size, in samples; knee > 0.
        g: elasticity of the knee in the size; finite.
        reference: N0, size at which A and knee are stated; reference > 0.

    Raises:
        InputError: if the parameters lie outside these ranges.
    """

    floor: float
    A: float
    B: float
    alpha: float
    b: float
    knee: float
    g: float
    reference: float = 1.0

    def __post_init__(self) -> None:
        positives = (self.A, self.B, self.alpha, self.b, self.knee, self.reference)
        if not (
            0 <= self.floor < np.inf
            and all(0 < v < np.inf for v in positives)
            and np.isfinite(self.g)
        ):
            raise InputError(
                "expected floor >= 0, a finite g, and positive finite A, B, alpha, b, knee and "
                f"reference, but got {self}"
            )

    def at(self, size: float) -> LossLaw:
        """The loss law of a network of `size`: its floor is that of all data."""
        ratio = size / self.reference
        floor = self.floor + self.A * ratio**-self.alpha
        return LossLaw(floor, self.B, self.knee * ratio**self.g, self.b)

    def loss(self, size: ArrayLike, samples: ArrayLike) -> Floats:
        """Expected loss of networks of `size` after `samples` inputs, (10d); arrays broadcast."""
        ratio = positive_array("size", size) / self.reference
        samples = at_least_zero("samples", samples)
        by_data = np.exp(-self.b * np.log1p(samples / (self.knee * ratio**self.g)))
        return self.floor + self.A * ratio**-self.alpha + self.B * by_data


def mean_reciprocal_count(law: ActivationLaw, samples: int) -> float:
    """Mean of 1/D_i over the working units after `samples` >= 1 inputs, (10c), in constant time."""
    n = one_whole("samples", samples, least=1)

    def term(j: Floats) -> Floats:
        return law.idle_fraction(j) * law.wake_probability(j, n - j) / (n - j)

    total = term(np.arange(min(n, HEAD), dtype=float)).sum()
    if n > HEAD:
        edges = np.linspace(np.log(HEAD - 0.5), np.log(n - 0.5), 2 + int(8 * np.log(n / HEAD)))
        u = (edges[1:] + edges[:-1])[:, None] / 2 + np.diff(edges)[:, None] / 2 * SUM_NODES
        t = np.minimum(np.exp(u), n - 0.5)
        # The midpoint form of Euler's formula, as (B4).
        total += ((term(t) * t) @ SUM_WEIGHTS * np.diff(edges) / 2).sum()
        total += np.diff(term(np.array([HEAD - 1.0, HEAD])))[0] / 24
    return float(total * law.units / law.working(n))
