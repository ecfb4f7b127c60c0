"""Counting arrays of activations that come from anywhere: NumPy, torch, JAX, a file; no model
needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from actilaw.counts.activation_counts import PER, ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.criteria import Criterion, describe


class Counter:
    """Counts activations array by array; see `actilaw.counter`."""

    def __init__(self, criterion: Criterion, per: str = "sample", name: str = "counter") -> None:
        if per not in PER:
            raise InputError(f"expected per='sample', 'position' or 'token', but got {per!r}")
        self.criterion, self.name = criterion, name
        self.accumulator = Accumulator(name, "position" if per == "token" else per)

    def update(self, activations: Any, mask: Any = None) -> None:
        """Count one array of activations.

        Args:
            activations: (n_samples, n_units), or (n_samples, n_positions, n_units); any array that
                speaks DLPack.
            mask: which of them count, true where they do; (n_samples,) or (n_samples, n_positions),
                booleans. All by default.
        """
        x = by_position(self.name, as_tensor(activations), -1)
        self.accumulator.add(
            x, self.criterion, None if mask is None else kept(self.name, as_tensor(mask), x)
        )

    def update_indices(self, indices: Any, units: int) -> None:
        """Count samples given by their active units alone, at a cost that does not depend on the
        number of units.

        Args:
            indices: (n_samples, n_active), each a unit in 0..units-1 that stands once in its row,
                or -1 for none.
            units: N, number of units of the layer.
        """
        chosen = as_tensor(indices)
        if chosen.ndim != 2 or chosen.is_floating_point():
            raise InputError(
                f"expected whole indices of shape (n_samples, n_active), but got {chosen.dtype} "
                f"{tuple(chosen.shape)}"
            )
        chosen = chosen.long()
        ordered = chosen.sort(1).values
        if bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()):
            raise InputError(
                "expected indices that stand once in their row, but some stand twice: drop the "
                "repeats"
            )
        self.accumulator.add_indices(chosen, units)

    def counts(self) -> ActivationCounts:
        """The counts so far.

        Raises:
            CountsError: before the first sample.
        """
        counts = self.accumulator.result(describe(self.criterion), "unknown")
        if counts is None:
            raise CountsError("nothing was counted yet: call update(activations) first")
        return counts


def as_tensor(array: Any) -> Tensor:
    """A tensor over the same memory where that is possible."""
    if isinstance(array, Tensor):
        return array
    if hasattr(array, "__dlpack__") and not isinstance(array, np.ndarray):
        return torch.from_dlpack(array)
    try:
        array = np.asarray(array)
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        return torch.from_numpy(
            np.require(native, requirements=["C", "W"])
        )  # torch knows no strides below zero
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected an array of numbers, but got {type(array).__name__} ({error})"
        ) from None


def by_position(name: str, output: Any, axis: int) -> Tensor:
    """Activations as (n_samples, n_positions, n_units), whatever axes they came with."""
    if isinstance(output, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(output):  # pyright: ignore[reportAttributeAccessIssue]
        raise InputError(
            f"layer {name!r} runs inside torch.func (vmap, grad), whose tensors cannot be counted"
        )
    if not isinstance(output, Tensor) or output.ndim < 2:
        came = (
            f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        )
        raise InputError(
            f"expected activations (samples, ..., units) at layer {name!r}, but got {came}"
        )
    if output.is_nested:
        raise InputError(
            f"expected a plain tensor at layer {name!r}, but got a nested one: "
            "enable_nested_tensor=False"
        )
    if output.is_complex():
        raise InputError(f"expected real activations at layer {name!r}, but got {output.dtype}")
    x = output.detach().movedim(axis, -1)
    return x[:, None] if x.ndim == 2 else x.flatten(1, -2)


def kept(name: str, keep: Tensor, x: Tensor) -> Tensor:
    """A mask as (n_samples, n_positions), where one of (n_samples,) holds for every position."""
    if keep.ndim == 1:
        keep = keep[:, None]
    if keep.ndim != 2 or keep.shape[0] != x.shape[0] or keep.shape[1] not in (1, x.shape[1]):
        raise InputError(
            "expected a mask of shape (samples,) or (samples, positions), here "
            f"{tuple(x.shape[:2])}, "
            f"at layer {name!r}, but got {tuple(keep.shape)}"
        )
    return keep.to(x.device, torch.bool).expand(x.shape[:2])
