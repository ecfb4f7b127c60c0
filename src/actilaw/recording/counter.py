"""Counting arrays of activations that come from anywhere (NumPy, torch, JAX, a file) without a
model.

Activations that are known by the indices of their active units are counted at a cost that does not
depend on the number of units, as sparse autoencoders with millions of latents need.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.activations import as_tensor, by_position, canonical_per
from actilaw.recording.criteria import POSITIVE, Criterion, describe
from actilaw.recording.masks import mask_by_position
from actilaw.support.validation import one_whole


class Counter:
    """Counts activations array by array; see `actilaw.counter`.

    Attributes:
        criterion: the rule.
        name: in messages.
        accumulator: the running counts.
    """

    criterion: Criterion
    name: str
    accumulator: Accumulator

    def __init__(
        self, criterion: Criterion = POSITIVE, per: str = "sample", name: str = "counter"
    ) -> None:
        self.criterion, self.name = criterion, name
        self.accumulator = Accumulator(name, canonical_per(per))

    def update(self, activations: Any, mask: Any = None) -> None:
        """Count one array of activations.

        Args:
            activations: (n_samples, n_units), or (n_samples, n_positions, n_units); a list, or any
                array of NumPy or of a library that speaks DLPack.
            mask: which of them count, true where they do; (n_samples,) or (n_samples, n_positions),
                booleans. All by default.

        Raises:
            InputError: if it is no array of real numbers of such a shape, has another number of
                units than the arrays before, or the mask does not fit.
        """
        x = by_position(self.name, as_tensor(activations), -1)
        positions = None if mask is None else mask_by_position(self.name, as_tensor(mask), x)
        self.accumulator.add(x, self.criterion, positions)

    def update_indices(self, indices: Any, units: int) -> None:
        """Count samples given by their active units alone, at a cost that does not depend on the
        number of units.

        Args:
            indices: (n_samples, n_active), each a unit in 0..units-1 that stands once in its row,
                or -1 for none.
            units: N, number of units of the layer.

        Raises:
            InputError: if the indices are no whole numbers in that range, one stands twice in its
                row, or `units` is no whole number >= 1.
        """
        units = one_whole("units", units, least=1)
        chosen = as_tensor(indices)
        if chosen.ndim != 2 or chosen.is_floating_point() or chosen.is_complex():
            raise InputError(
                f"expected whole indices of shape (n_samples, n_active), but got {chosen.dtype} "
                f"{tuple(chosen.shape)}"
            )
        chosen = chosen.long()
        if _has_repeats(chosen):
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


def _has_repeats(indices: Tensor) -> bool:
    """Whether an index, other than the -1 of none, stands twice in a row."""
    ordered = indices.sort(1).values
    return bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any())
