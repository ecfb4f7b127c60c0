"""Where the values of a tensor come from: which modules made them, from which samples.

While a network runs, `tracing` keeps the origin of every tensor that depends on the model's inputs,
so that a layer's units, samples and positions are known from what made them.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from actilaw.recording.tracing.axes import Axes

if TYPE_CHECKING:
    from actilaw.recording.batches import Batch

# A module, or a function called in one, by name, and the number of the call.
Feeder = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Origin:
    """Where the values of a tensor come from.

    Attributes:
        batch: the samples that they depend on.
        axes: what the tensor's axes mean, or None where that could not be followed.
        feeders: the calls that made the values: of weights, norms and activations.
        makers: names of the modules whose weights made the units.
        by_convolution: whether units were made by a convolution, so that they are along axis 1.
        rectified: whether the values come from a rectifier, and are zero or above.
        gate: the layer that counts them if they are fed to a weight as they are, or None.
        outside: whether the tensor was made outside the model, and given to it.
    """

    batch: Batch
    axes: Axes | None
    feeders: frozenset[Feeder] = frozenset()
    makers: frozenset[str] = frozenset()
    by_convolution: bool = False
    rectified: bool = False
    gate: str | None = None
    outside: bool = False

    def moved(self, axes: Axes | None) -> Origin:
        """The same values, otherwise arranged."""
        return replace(self, axes=axes, outside=False)

    def changed(self, axes: Axes | None) -> Origin:
        """Other values, made from these alone."""
        return replace(self, axes=axes, rectified=False, gate=None, outside=False)


class Origins:
    """The origins of living tensors; tensors themselves are not kept alive, and stay as they are.

    A note on the tensor object itself would be pickled and copied with it.
    """

    def __init__(self) -> None:
        self._made = _Notes()
        self._weights = _Notes()
        self._given = threading.local()  # what threads were given: it may be one tensor for all

    def of(self, tensor: object) -> Origin | None:
        """The origin of a tensor, or None where it depends on no sample of an open batch."""
        for notes in (self._of_thread(), self._made):
            origin = notes.get(tensor)
            if origin is not None and not origin.batch.closed:
                return origin
        return None

    def note(self, tensor: Tensor, origin: Origin) -> None:
        """Remember where a tensor comes from."""
        given = self._of_thread()
        if origin.outside or given.get(tensor) is not None:  # given, and written to in place
            given.set(tensor, origin)
        else:
            self._made.set(tensor, origin)

    def weight_name(self, tensor: object) -> str | None:
        """The parameter that a tensor was made from alone, by its name."""
        return self._weights.get(tensor)

    def note_weight(self, tensor: Tensor, name: str) -> None:
        """Remember the parameter that a tensor was made from, and from no sample."""
        self._weights.set(tensor, name)

    def clear(self) -> None:
        """Forget everything."""
        self._made, self._weights, self._given = _Notes(), _Notes(), threading.local()

    def _of_thread(self) -> _Notes:
        if not hasattr(self._given, "notes"):
            self._given.notes = _Notes()
        return self._given.notes


class _Notes:
    """Something about each of some tensors, for as long as it lives."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Tensor], Any]] = {}

    def get(self, tensor: object) -> Any:
        """What was noted of a tensor, or None."""
        known = self._known.get(id(tensor))
        return None if known is None or known[0]() is not tensor else known[1]

    def set(self, tensor: Tensor, note: Any) -> None:
        """Note something of a tensor."""
        key, known = id(tensor), self._known

        def forget(gone: weakref.ref[Tensor]) -> None:
            if key in known and known[key][0] is gone:
                del known[key]

        known[key] = (weakref.ref(tensor, forget), note)


def together(origins: Iterable[Origin], axes: Axes | None) -> Origin:
    """The origin of values that are made from several tensors."""
    parts = list(origins)
    return Origin(
        parts[0].batch,
        axes,
        feeders=frozenset().union(*(part.feeders for part in parts)),
        makers=frozenset().union(*(part.makers for part in parts)),
        by_convolution=any(part.by_convolution for part in parts),
    )
