"""The compiled loops of the CPU kernel, over integer bits (n_rows, n_positions, n_units); see
`actilaw.recording.kernels.dispatch`.

Every step is cast back to the width of the bits: numba would widen sums to 64 bits, and half as
many units would fit into a vector register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _compiled(loop: Callable[..., None]) -> Callable[..., Any]:
    """Compiled once and kept on disk; compiled in every process where no folder can be written
    to.
    """
    try:
        return numba.njit(nogil=True, cache=True)(loop)
    except RuntimeError:
        return numba.njit(nogil=True)(loop)


@_compiled
def count_rows(
    bits: Array,
    low: Array,
    mask: int,
    keep: Array | None,
    infinity: int,
    units: Array,
    active: Array,
    nonfinite: Array,
) -> None:
    """One position per row; two rows at a time, so that the counts by unit are read and written
    half as often.
    """
    cast = bits.dtype.type
    everything, magnitude, top = cast(mask), cast(np.iinfo(bits.dtype).max), cast(infinity)
    last = bits.shape[0] - 1
    for r in range(0, last + 1, 2):
        s = min(r + 1, last)  # an odd last row stands beside itself, with no weight
        row, level, weight = bits[r, 0], low[r, 0], np.int32(keep is None or keep[r, 0])
        other, other_level, other_weight = (
            bits[s, 0],
            low[s, 0],
            np.int32(s > r and (keep is None or keep[s, 0])),
        )
        n, other_n, largest, other_largest = np.int32(0), np.int32(0), cast(0), cast(0)
        for u in range(row.shape[0]):
            value, other_value = cast(row[u] & everything), cast(other[u] & everything)
            fires = np.int32(value > level) & np.int32(value <= top) & weight
            other_fires = (
                np.int32(other_value > other_level) & np.int32(other_value <= top) & other_weight
            )
            units[u] = np.int32(units[u] + np.int32(fires + other_fires))
            n, other_n = np.int32(n + fires), np.int32(other_n + other_fires)
            largest = max(largest, cast(row[u] & magnitude))
            other_largest = max(other_largest, cast(other[u] & magnitude))
        if s > r:
            active[s], nonfinite[s] = other_n, other_largest >= top and other_weight > 0
        active[r], nonfinite[r] = n, largest >= top and weight > 0


@_compiled
def count_any(
    bits: Array,
    low: Array,
    mask: int,
    keep: Array | None,
    infinity: int,
    units: Array,
    active: Array,
    nonfinite: Array,
) -> None:
    """Several positions per row, of which any counts once."""
    cast = bits.dtype.type
    everything, magnitude, top = cast(mask), cast(np.iinfo(bits.dtype).max), cast(infinity)
    hits = np.zeros(bits.shape[2], bits.dtype)
    for r in range(bits.shape[0]):
        hits[:] = 0
        largest = cast(0)
        for p in range(bits.shape[1]):
            if keep is not None and not keep[r, p]:
                continue
            row, level = bits[r, p], low[r, p]
            for u in range(row.shape[0]):
                value = cast(row[u] & everything)
                hits[u] = cast(hits[u] | (cast(value > level) & cast(value <= top)))
                largest = max(largest, cast(row[u] & magnitude))
        n = 0
        for u in range(hits.shape[0]):
            units[u] += np.int32(hits[u])
            n += hits[u]
        active[r] = n
        nonfinite[r] = largest >= top


@_compiled
def largest_bits(bits: Array, infinity: int, largest: Array) -> None:
    """Bits of the largest finite magnitude in each row and position."""
    cast = bits.dtype.type
    magnitude, top = cast(np.iinfo(bits.dtype).max), cast(infinity)
    for r in range(bits.shape[0]):
        for p in range(bits.shape[1]):
            row, found = bits[r, p], cast(0)
            for u in range(row.shape[0]):
                value = cast(row[u] & magnitude)
                found = max(found, value if value < top else cast(0))
            largest[r, p] = found


@_compiled
def first_hits(
    bits: Array,
    low: Array,
    mask: int,
    keep: Array | None,
    infinity: int,
    units: Array,
    found: Array,
) -> None:
    """Row by row, over the units still looked for; each that is found leaves the list."""
    everything, top = bits.dtype.type(mask), bits.dtype.type(infinity)
    wanted = np.arange(units.shape[0])
    left = wanted.shape[0]
    for r in range(bits.shape[0]):
        for p in range(bits.shape[1]):
            if keep is not None and not keep[r, p]:
                continue
            i = 0
            while i < left:
                value = bits[r, p, units[wanted[i]]] & everything
                if low[r, p] < value <= top:
                    found[wanted[i]] = r
                    left -= 1
                    wanted[i] = wanted[left]
                else:
                    i += 1
        if left == 0:
            return
