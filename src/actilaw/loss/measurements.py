"""Validation of measured losses: positive, finite numbers of one shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actilaw.errors import InputError
from actilaw.support.arrays import Floats
from actilaw.support.validation import positive_array


@dataclass(frozen=True, eq=False)
class Measurements:
    """Losses, and after how many samples, at which size and by how many measurements each came.

    Attributes:
        samples, loss, weights: (n,), positive.
        size: of the network, (n,), positive; None where all losses are of one network.
    """

    samples: Floats
    loss: Floats
    weights: Floats
    size: Floats | None = None

    @property
    def distinct_sizes(self) -> int:
        """How many different sizes, of data and, where given, of network."""
        sizes = [self.samples] if self.size is None else [self.samples, self.size]
        return np.unique(np.stack(sizes), axis=1).shape[1]

    @property
    def log_sizes(self) -> Floats:
        """ln D, (n,); with sizes of network ln D and ln N, (2, n)."""
        if self.size is None:
            return np.log(self.samples)
        return np.stack([np.log(self.samples), np.log(self.size)])

    def where(self, chosen: NDArray[np.bool_]) -> Measurements:
        """Those of `chosen`, (n,)."""
        size = None if self.size is None else self.size[chosen]
        return Measurements(self.samples[chosen], self.loss[chosen], self.weights[chosen], size)


def read_measurements(
    samples: ArrayLike,
    loss: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    size: ArrayLike | None = None,
) -> Measurements:
    """What was given as floats; weights are 1 where left out.

    Raises:
        InputError: if shapes differ, or values are not positive and finite.
    """
    given = {"samples": samples, "loss": loss, "weights": weights, "size": size}
    arrays = {name: np.asarray(v, float) for name, v in given.items() if v is not None}
    shape = arrays["samples"].shape
    for name in [name for name in arrays if name != "samples"]:
        if len(shape) != 1 or arrays[name].shape != shape:
            raise InputError(
                f"expected samples and {name} of one shape (n,), but got {shape} and "
                f"{arrays[name].shape}"
            )
    for name, values in arrays.items():
        positive_array(name, values)
    arrays.setdefault("weights", np.ones(shape))
    return Measurements(**arrays)
