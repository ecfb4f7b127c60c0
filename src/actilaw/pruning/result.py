"""What pruning returns: the smaller network, and what was removed to make it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actilaw.errors import InputError
from actilaw.pruning.plan import RemovalPlan
from actilaw.pruning.saving import save_pruned
from actilaw.support.remarks import with_remarks
from actilaw.support.validation import one_fraction

if TYPE_CHECKING:
    from torch import nn

    from actilaw.pruning.verification import Verification

NOT_COMPARED = "census not compared with the weights"


@dataclass(frozen=True, eq=False)
class PruneResult:
    """A smaller network, and what was removed to make it.

    Attributes:
        model: the smaller network, in the same mode and on the same device as the one given, which
            is untouched.
        removed: indices of the units removed, by layer, ascending.
        units_before: number of units of each layer before.
        parameters_before, parameters_after: number of weights and biases.
        output_change: largest absolute change of an output on the example inputs, in the unit of
            the output.
        weights_compared: whether the census was known to be of this model's very weights; False
            where it has no fingerprint to compare (of an older file, or made by hand).
        plan: what was to be removed, with its risks.
        kept: by layer, why planned units stay; empty if all went.
        before: the network given.
        exact: whether outputs are equal, up to rounding, on every sample on which no removed unit
            is active: where all units removed are exactly zero while they are not active.
        n_inputs: number of arguments of the model.
    """

    model: nn.Module
    removed: dict[str, NDArray[np.intp]]
    units_before: dict[str, int]
    parameters_before: int
    parameters_after: int
    output_change: float
    weights_compared: bool = True
    plan: RemovalPlan | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    before: nn.Module | None = None
    exact: bool = True
    n_inputs: int = 1

    @property
    def units_removed(self) -> int:
        """Number of units removed, over all layers."""
        return sum(units.size for units in self.removed.values())

    def summary(self) -> pd.DataFrame:
        """A row per layer, by name, in units, and last a row "parameters" of the whole network:
        columns before, after and removed, the last as a share in 0..1. The name of the index says
        if the census could not be compared with the model's weights; why planned units stay stands
        below the table, and in `.attrs["remarks"]`.
        """
        rows = {
            name: (self.units_before[name], self.units_before[name] - units.size)
            for name, units in self.removed.items()
        }
        rows["parameters"] = (self.parameters_before, self.parameters_after)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["before", "after"])
        table = table.assign(removed=1 - table["after"] / table["before"])
        table = table if self.weights_compared else table.rename_axis(NOT_COMPARED)
        return with_remarks(table, [f"{name}: {why}." for name, why in self.kept.items()])

    def verify(
        self,
        batches: Iterable[Any],
        *,
        loss: Callable[[nn.Module, Any], Any] | None = None,
        level: float = 0.95,
    ) -> Verification:
        """How the smaller network does on data, beside the one that it was made from.

        On samples on which no removed unit is active, the recorded ones among them, outputs are
        equal up to rounding wherever `exact` is true; that is checked sample by sample.

        Args:
            batches: a loader: tensors, tuples of the model's arguments, or mappings of them; with
                one more tensor at the end as the target. Or one tensor.
            loss: a function of a model and a batch to the losses of its samples, (n_samples,), or
                one number. By default what the model returns as `.loss`, or, with a target,
                cross-entropy (whole numbers) or squared error.
            level: of the intervals of the losses.

        Returns:
            A `Verification`: samples affected, largest change of an output, loss before and after
            and its change with intervals (of the mean over samples, or over batches where the loss
            is one number), speed before and after.

        Raises:
            ModelError: if outputs differ where they must not.
            InputError: if there is no batch, or this result was made without a model to compare.
        """
        from actilaw.pruning.verification import verified

        one_fraction("level", level)
        if self.before is None or self.plan is None:
            raise InputError(
                "expected the result of prune, which knows the model it started from, but this one "
                "does not: prune once more"
            )
        return verified(
            self.before,
            self.model,
            self.plan.census,
            self.removed,
            batches,
            n_inputs=self.n_inputs,
            exact=self.exact,
            loss=loss,
            level=level,
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the smaller network: its tensors as safetensors, and a manifest in JSON of the
        units removed and of what else changed; `actilaw.load_pruned(factory, folder)` reads it.

        A model of Transformers can also be written by its own `save_pretrained`, where all its
        layers have the same width, which its configuration then says.

        Raises:
            FileError: if it cannot be written.
            InputError: if this result was made without a model to compare.
        """
        if self.before is None:
            raise InputError(
                "expected the result of prune, which knows the model it started from, but this one "
                "does not: prune once more"
            )
        about = {
            "removed": {name: units.tolist() for name, units in self.removed.items()},
            "units_before": self.units_before,
            "parameters": [self.parameters_before, self.parameters_after],
            "weights_before": None if self.plan is None else self.plan.census.weights,
            "ranking": None if self.plan is None else self.plan.ranking,
            "budget": None if self.plan is None else self.plan.budget,
        }
        return save_pruned(self.model, self.before, about, folder)

    def __repr__(self) -> str:
        return (
            f"<PruneResult: {self.units_removed:,} units removed, "
            f"{self.parameters_after:,} of {self.parameters_before:,} parameters left"
            f"{'' if self.weights_compared else '; ' + NOT_COMPARED}>"
        )

    def _repr_html_(self) -> str:
        return self.summary().to_html()
