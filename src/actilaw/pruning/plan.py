"""What can be removed: units that no recorded sample has activated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actilaw.counts.census import Census


def idle_units(census: Census) -> dict[str, NDArray[np.int64]]:
    """Indices of the units to remove, by layer: those with count zero, but never all units of a
    layer.

    A layer of rectifiers in which nothing fires keeps its first unit, so that the network keeps its
    shape.
    """
    idle = {name: np.flatnonzero(counts.counts == 0) for name, counts in census.items()}
    return {
        name: units[1:] if units.size == census[name].units else units
        for name, units in idle.items()
    }
