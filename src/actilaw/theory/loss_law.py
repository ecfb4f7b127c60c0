"""The loss law: loss on new data against the number of samples trained on.

(10) L(D) = L_inf + A (1 + D / D*)^(−b)      a power law in D [paper]; with its plateau before the knee [derived]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actilaw.errors import InputError


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
        if not (self.floor >= 0 and self.amplitude > 0 and self.knee > 0 and self.b > 0):
            raise InputError(f"expected floor >= 0 and positive amplitude, knee and b, but got {self}")

    def loss(self, samples: ArrayLike) -> NDArray[np.float64]:
        """Expected loss after training on `samples` inputs, (10); arrays in, arrays out."""
        return self.floor + self.amplitude * np.exp(
            -self.b * np.log1p(np.asarray(samples, float) / self.knee)
        )
