"""What can be removed: units that no recorded sample has activated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census


def units_to_remove(census: Census) -> dict[str, NDArray[np.intp]]:
    """Indices of the units to remove, by layer: the idle ones, but never all units of a layer.

    A layer in which every unit is idle keeps its first, so that the network keeps its shape.
    """
    return {name: _removable(counts) for name, counts in census.items()}


def _removable(counts: ActivationCounts) -> NDArray[np.intp]:
    idle = counts.idle_units
    return idle[1:] if idle.size == counts.units else idle
