"""Entries of the axes of parameters, and which of them can only be removed together.

Every entry of every axis of a parameter or buffer has a number, its id. Operations join ids: row 3
of one matrix and column 3 of the next. Joined ids are a unit of the network as a whole, and the
ids of a unit go together or not at all. Some cannot go: of the model's inputs and outputs, or
where an operation would change what other units give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from actilaw.support.arrays import Ints

FREE = 0  # the id of entries that no parameter owns: samples, positions


@dataclass(frozen=True, eq=False)
class OwnedAxis:
    """One axis of a parameter or buffer.

    Attributes:
        tensor: the parameter or buffer.
        dim: its axis.
        first: id of the first entry; the others follow.
    """

    tensor: Tensor
    dim: int
    first: int

    @property
    def ids(self) -> Ints:
        """Of its entries, in order; (size,)."""
        return np.arange(self.first, self.first + self.tensor.shape[self.dim])


class AxisGraph:
    """The ids of a model's parameters, with what was found to join them.

    Args:
        tensors: parameters and buffers by name; one that has several names counts once.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.axes: dict[int, tuple[OwnedAxis, ...]] = {}  # by the id of the tensor
        count = FREE + 1
        for tensor in tensors.values():
            if id(tensor) in self.axes:
                continue
            owned = []
            for dim, size in enumerate(tensor.shape):
                owned.append(OwnedAxis(tensor, dim, count))
                count += size
            self.axes[id(tensor)] = tuple(owned)
        self.size = count
        self._firsts = np.array([axis.first for axis in self.all_axes()], np.int64)
        self._joined: list[NDArray[np.int64]] = []  # pairs of ids, (n, 2)
        self._found: Ints | None = None  # the unit of each id, once asked for
        self._pins: list[tuple[Ints, str]] = []

    def all_axes(self) -> list[OwnedAxis]:
        """All axes, by their ids."""
        return [axis for axes in self.axes.values() for axis in axes]

    def owner(self, ids: Ints) -> OwnedAxis | None:
        """The one axis that these ids are of; None if there are several."""
        places = np.unique(np.searchsorted(self._firsts, ids, side="right") - 1)
        return self.all_axes()[places[0]] if places.size == 1 else None

    def join(self, one: Ints, other: Ints) -> None:
        """These ids can only go together, pair by pair; (n,) each."""
        both = (one != FREE) & (other != FREE) & (one != other)
        if both.any():
            pairs = np.unique(np.stack((one[both], other[both]), axis=1), axis=0)
            self._joined.append(pairs)
            self._found = None

    def pin(self, ids: Ints, reason: str) -> None:
        """These ids have to stay."""
        ids = np.unique(ids[ids != FREE])
        if ids.size:
            self._pins.append((ids, reason))

    def units(self) -> Ints:
        """The unit that each id belongs to, as a number; (size,)."""
        if self._found is None:
            pairs = np.concatenate([np.zeros((0, 2), np.int64), *self._joined])
            self._joined = [pairs]
            ones = np.ones(len(pairs), bool)
            shape = (self.size, self.size)
            _, found = connected_components(
                coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=shape), directed=False
            )
            self._found = np.asarray(found, np.int64)
        return self._found

    def pinned(self) -> dict[int, str]:
        """Units that have to stay, with the first reason found."""
        units, reasons = self.units(), {}
        for ids, reason in self._pins:
            for unit in np.unique(units[ids]):
                reasons.setdefault(int(unit), reason)
        return reasons
