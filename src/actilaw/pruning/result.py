"""What pruning returns: the smaller network, and what was removed to make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

NOT_COMPARED = "census not compared with the weights"


@dataclass(frozen=True, eq=False)
class PruneResult:
    """A smaller network, and what was removed to make it.

    Attributes:
        model: the smaller network, in the same mode and on the same device as the one given, which
            is untouched.
        removed: indices of the units removed, by layer.
        units_before: number of units of each layer before.
        parameters_before, parameters_after: number of weights and biases.
        output_change: largest absolute change of an output on the example inputs, in the unit of
            the output.
        weights_compared: whether the census was known to be of this model's very weights; False
            where it has no fingerprint to compare (of an older file, or made by hand).
    """

    model: nn.Module
    removed: dict[str, NDArray[np.intp]]
    units_before: dict[str, int]
    parameters_before: int
    parameters_after: int
    output_change: float
    weights_compared: bool = True

    @property
    def units_removed(self) -> int:
        """Number of units removed, over all layers."""
        return sum(units.size for units in self.removed.values())

    def summary(self) -> pd.DataFrame:
        """A row per layer, by name, in units, and last a row "parameters" of the whole network:
        columns before, after and removed, the last as a share in 0..1. The name of the index says
        if the census could not be compared with the model's weights.
        """
        rows = {
            name: (self.units_before[name], self.units_before[name] - units.size)
            for name, units in self.removed.items()
        }
        rows["parameters"] = (self.parameters_before, self.parameters_after)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["before", "after"])
        table = table.assign(removed=1 - table["after"] / table["before"])
        return table if self.weights_compared else table.rename_axis(NOT_COMPARED)

    def __repr__(self) -> str:
        return (
            f"<PruneResult: {self.units_removed:,} units removed, "
            f"{self.parameters_after:,} of {self.parameters_before:,} parameters left"
            f"{'' if self.weights_compared else '; ' + NOT_COMPARED}>"
        )

    def _repr_html_(self) -> str:
        return self.summary().to_html()
