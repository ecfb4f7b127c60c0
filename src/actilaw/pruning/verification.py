"""Verification of pruning: before it, that the census belongs to the model; after it, that the
smaller model returns what the model returns with the removed units held at zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError, ModelError
from actilaw.pruning.forward import output_with_hooks

# Sums over fewer terms round differently: outputs are equal within this many roundings, or within
# this share of the largest, whichever is less; where all are tiny, of the smallest scale.
ROUNDINGS = 1e3
LARGEST_TOLERANCE = 0.02
SMALLEST_SCALE = 1e-3


def require_removable(name: str, counts: ActivationCounts, producer: nn.Linear) -> None:
    """Raise InputError unless idle units of this layer contribute exactly zero to this model."""
    if producer.out_features != counts.units:
        raise InputError(
            f"layer {name!r} has {producer.out_features} units but the census counted "
            f"{counts.units}: record the same model that is to be pruned"
        )
    if counts.nonfinite:
        raise InputError(
            f"expected finite activations in layer {name!r}, but {counts.nonfinite} of "
            f"{counts.samples} samples had NaN or infinite ones, which count as idle: find their "
            "source before removing units"
        )
    if counts.criterion != "positive":
        raise InputError(
            f"layer {name!r} was counted by the rule {counts.criterion}, under which idle units "
            "need not be zero: record with criterion='positive' to remove units without loss"
        )


def silenced_output(
    model: nn.Module, removed: Mapping[str, NDArray[np.intp]], inputs: tuple[Any, ...]
) -> torch.Tensor:
    """What the model returns with the units held at zero, which the smaller model must return
    too.
    """

    def silence(units: NDArray[np.intp]) -> Any:
        def hook(_: nn.Module, __: Any, activations: torch.Tensor) -> torch.Tensor:
            index = torch.as_tensor(units, device=activations.device)
            return activations.index_fill(-1, index, 0)

        return hook

    modules = dict(model.named_modules())
    hooks = [modules[name].register_forward_hook(silence(units)) for name, units in removed.items()]
    return output_with_hooks(model, inputs, hooks)


def require_equal(after: torch.Tensor, silenced: torch.Tensor) -> None:
    """Raise ModelError unless the smaller model's output is the model's with the units silenced."""
    if after.shape != silenced.shape:
        raise ModelError(
            "expected a smaller model with outputs of the same shape, but "
            f"{tuple(silenced.shape)} became {tuple(after.shape)}: units that are the model's "
            "outputs cannot be removed; record(model, layers=[...]) without them"
        )
    difference = float((after - silenced).abs().max())
    scale = float(silenced.abs().max())
    tolerance = min(ROUNDINGS * torch.finfo(after.dtype).eps, LARGEST_TOLERANCE)
    if not difference <= tolerance * max(scale, SMALLEST_SCALE):  # NaN is refused too
        raise ModelError(
            "expected the smaller model to return what the model returns with these units at "
            f"zero, but outputs differ by {difference:.2g} (largest output {scale:.2g}): the units "
            "reach the output by another way than a Linear layer; record(model, layers=[...]) "
            "without it"
        )
