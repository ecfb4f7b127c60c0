"""Counting on the CPU by loops that Numba compiles, over integer bits (n_rows, n_positions,
n_units).

`(x > 0).sum(0)` writes a boolean for every activation and reads it again, which takes ten times as
long as one pass that compares and counts. Every step of the loops is cast back to the width of the
bits: Numba would widen sums to 64 bits, and half as many units would fit into a vector register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from actilaw.recording.kernels.rows import BITS, Counted, Rows
from actilaw.recording.kernels.threads import in_shares

Array = NDArray[Any]


def count_on_cpu(rows: Rows, kept: Tensor | None = None) -> Counted:
    """Count active units by unit and by row, with an equal share of the rows for each thread."""
    n_rows, n_positions, n_units = rows.bits.shape
    bits, low = rows.bits.numpy(), rows.low.contiguous().numpy()
    mask = None if rows.mask is None else rows.mask.contiguous().numpy()
    units = np.zeros((torch.get_num_threads(), n_units), np.int32)
    active, nonfinite = np.zeros(n_rows, np.int64), np.zeros(n_rows, np.bool_)
    flags = None if kept is None else kept.view(torch.uint8).numpy()
    loop = _count_one_position if n_positions == 1 else _count_any_position

    def share(thread: int, part: slice) -> None:
        loop(
            bits[part],
            low[part],
            rows.compared_bits,
            None if mask is None else mask[part],
            rows.infinity,
            units[thread],
            active[part],
            nonfinite[part],
            None if flags is None else flags[part],
        )

    in_shares(n_rows, rows.bits.numel(), share)
    return Counted(
        units=torch.from_numpy(units.sum(0, dtype=np.int64)),
        active=torch.from_numpy(active),
        nonfinite=torch.from_numpy(nonfinite),
    )


def first_rows_on_cpu(rows: Rows, units: Tensor) -> Tensor:
    """The first row in which each of `units` (n,) is active."""
    found = np.zeros(len(units), np.int64)
    _first_rows(
        rows.bits.numpy(),
        rows.low.numpy(),
        rows.compared_bits,
        None if rows.mask is None else rows.mask.numpy(),
        rows.infinity,
        units.numpy(),
        found,
    )
    return torch.from_numpy(found)


def largest_magnitudes_on_cpu(x: Tensor) -> Tensor:
    """The largest finite magnitude in each row and position."""
    integer, infinity = BITS[x.dtype]
    largest = torch.empty(x.shape[:-1], dtype=integer)
    bits, found = x.view(integer).numpy(), largest.numpy()

    def share(_: int, part: slice) -> None:
        _largest_bits(bits[part], infinity, found[part])

    in_shares(len(bits), x.numel(), share)
    return largest.view(x.dtype)


def _compiled(loop: Callable[..., None]) -> Callable[..., Any]:
    """Compiled once and kept on disk; compiled in every process where no folder can be written
    to.
    """
    try:
        return numba.njit(nogil=True, cache=True)(loop)
    except RuntimeError:
        return numba.njit(nogil=True)(loop)


@_compiled
def _keep(row: Array, level: int, compared: int, top: int, weight: int, kept: Array) -> None:
    """Which units of a row are active, as bytes; while the row is in the cache."""
    cast = row.dtype.type
    low = top if weight == 0 else level  # nothing is above the top
    for u in range(row.shape[0]):
        value = cast(row[u] & compared)
        kept[u] = np.uint8(value > low) & np.uint8(value <= top)


@_compiled
def _count_one_position(
    bits: Array,
    low: Array,
    compared_bits: int,
    mask: Array | None,
    infinity: int,
    units: Array,
    active: Array,
    nonfinite: Array,
    kept: Array | None,
) -> None:
    """One position per row; two rows at a time, so that the counts by unit are read and written
    half as often.
    """
    cast = bits.dtype.type
    compared, magnitude, top = cast(compared_bits), cast(np.iinfo(bits.dtype).max), cast(infinity)
    last = bits.shape[0] - 1
    for r in range(0, last + 1, 2):
        s = min(r + 1, last)  # an odd last row stands beside itself, with no weight
        row, level = bits[r, 0], low[r, 0]
        other, other_level = bits[s, 0], low[s, 0]
        weight = np.int32(mask is None or mask[r, 0])
        other_weight = np.int32(s > r and (mask is None or mask[s, 0]))
        n, other_n = np.int32(0), np.int32(0)
        largest, other_largest = cast(0), cast(0)
        for u in range(row.shape[0]):
            value, other_value = cast(row[u] & compared), cast(other[u] & compared)
            hit = np.int32(value > level) & np.int32(value <= top) & weight
            other_hit = (
                np.int32(other_value > other_level) & np.int32(other_value <= top) & other_weight
            )
            units[u] = np.int32(units[u] + np.int32(hit + other_hit))
            n, other_n = np.int32(n + hit), np.int32(other_n + other_hit)
            largest = max(largest, cast(row[u] & magnitude))
            other_largest = max(other_largest, cast(other[u] & magnitude))
        if kept is not None:
            _keep(row, level, compared, top, weight, kept[r])
            if s > r:
                _keep(other, other_level, compared, top, other_weight, kept[s])
        if s > r:
            active[s], nonfinite[s] = other_n, other_largest >= top and other_weight > 0
        active[r], nonfinite[r] = n, largest >= top and weight > 0


@_compiled
def _count_any_position(
    bits: Array,
    low: Array,
    compared_bits: int,
    mask: Array | None,
    infinity: int,
    units: Array,
    active: Array,
    nonfinite: Array,
    kept: Array | None,
) -> None:
    """Several positions per row: a unit counts once if it is active at any of them."""
    cast = bits.dtype.type
    compared, magnitude, top = cast(compared_bits), cast(np.iinfo(bits.dtype).max), cast(infinity)
    hits = np.zeros(bits.shape[2], bits.dtype)
    for r in range(bits.shape[0]):
        hits[:] = 0
        largest = cast(0)
        for p in range(bits.shape[1]):
            if mask is not None and not mask[r, p]:
                continue
            row, level = bits[r, p], low[r, p]
            for u in range(row.shape[0]):
                value = cast(row[u] & compared)
                hits[u] = cast(hits[u] | (cast(value > level) & cast(value <= top)))
                largest = max(largest, cast(row[u] & magnitude))
        n = 0
        for u in range(hits.shape[0]):
            units[u] += np.int32(hits[u])
            n += hits[u]
        if kept is not None:
            for u in range(hits.shape[0]):
                kept[r, u] = hits[u]
        active[r] = n
        nonfinite[r] = largest >= top


@_compiled
def _largest_bits(bits: Array, infinity: int, largest: Array) -> None:
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
def _first_rows(
    bits: Array,
    low: Array,
    compared_bits: int,
    mask: Array | None,
    infinity: int,
    units: Array,
    found: Array,
) -> None:
    """Row by row, over the units still looked for; each that is found leaves the list."""
    compared, top = bits.dtype.type(compared_bits), bits.dtype.type(infinity)
    wanted = np.arange(units.shape[0])
    left = wanted.shape[0]
    for r in range(bits.shape[0]):
        for p in range(bits.shape[1]):
            if mask is not None and not mask[r, p]:
                continue
            i = 0
            while i < left:
                value = bits[r, p, units[wanted[i]]] & compared
                if low[r, p] < value <= top:
                    found[wanted[i]] = r
                    left -= 1
                    wanted[i] = wanted[left]
                else:
                    i += 1
        if left == 0:
            return
