"""The activation law: how many units have fired after D samples, and how often.

After Zhang & Sui (2024), arXiv 2412.18073 [paper]; the rest follows from it [derived].

    (1) P(unit i fires on the next sample | it fired D_i times before) = c (D_i + b) / (c D + b N)   [paper]
    (4) D_i ~ BetaBinomial(D; b, D* − b),  with the knee D* = b N / c                                [derived]
    (5) E K(D) = N (1 − B(b, D* − b + D) / B(b, D* − b))                                             [derived]
    (6) K(D) = N (1 − (1 + D / D*)^(−b)), its mean field                                             [paper]
    (7) P(D_i = k) ~ k^(−α) with α = 1 − b, up to a cut-off                                          [paper]
    (9) K against log D has its inflection at D = N / c                                              [derived]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln

from actilaw.errors import InputError


@dataclass(frozen=True)
class ActivationLaw:
    """The activation law of a layer of `units` units of which `active` fire on a sample, on average.

    Args:
        units: N, how many units the layer has.
        active: c, mean number of units that one sample activates; 0 < active < units.
        b: prior weight of a unit that has not fired yet; b > 0.

    Raises:
        InputError: if the parameters lie outside these ranges.
    """

    units: float
    active: float
    b: float

    def __post_init__(self) -> None:
        if not 0 < self.active < self.units < np.inf:
            raise InputError(
                f"expected 0 < active < units, but active={self.active:g} and units={self.units:g}: "
                "a layer whose units always fire has no activation law"
            )
        if not 0 < self.b < np.inf:
            raise InputError(f"expected b > 0, but b={self.b:g}: an idle unit needs some weight to wake")

    @property
    def alpha(self) -> float:
        """Exponent of the law of counts P(D_i = k) ~ k^(−alpha), (7): alpha = 1 − b."""
        return 1 - self.b

    @property
    def knee(self) -> float:
        """D* = b N / c, in samples: before it the idle fraction is flat, after it a power law D^(−b)."""
        return self.b * self.units / self.active

    @property
    def inflection(self) -> float:
        """N / c, in samples: where K against log D is steepest, whatever b is, (9)."""
        return self.units / self.active

    def working(self, samples: ArrayLike, exact: bool = True) -> NDArray[np.float64]:
        """Expected number of units that have fired after `samples` inputs: (5), or (6) if not `exact`."""
        return -self.units * np.expm1(self._log_idle(np.asarray(samples, float), exact))

    def idle_fraction(self, samples: ArrayLike, exact: bool = False) -> NDArray[np.float64]:
        """Expected share of units that no sample has activated, (N − K)/N: the paper's (6), or (5) if `exact`."""
        return np.exp(self._log_idle(np.asarray(samples, float), exact))

    def count_pmf(self, k: ArrayLike, samples: int) -> NDArray[np.float64]:
        """Probability that a unit fires on exactly `k` of `samples` inputs, (4)."""
        k, n = np.asarray(k, float), samples
        log_choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        prior = betaln(self.b, self.knee - self.b)
        return np.exp(log_choose + betaln(k + self.b, n - k + self.knee - self.b) - prior)

    def wake_probability(self, samples: ArrayLike, more: ArrayLike) -> NDArray[np.float64]:
        """Probability that a unit idle after `samples` inputs fires within the next `more` of them, (13)."""
        samples = np.asarray(samples, float)
        return -np.expm1(self._log_idle(samples + np.asarray(more, float), True) - self._log_idle(samples, True))

    def _log_idle(self, samples: NDArray[np.float64], exact: bool) -> NDArray[np.float64]:
        if not exact:
            return -self.b * np.log1p(samples / self.knee)
        rest = self.knee - self.b
        return betaln(self.b, rest + samples) - betaln(self.b, rest)
