"""Counting on a GPU by a tiled kernel in Triton, at the speed of reading the GPU's memory.

A program reads one tile of rows × positions × units, keeps in registers what was active and the
largest magnitude, and adds its sums to the counts of its units and rows. Sums of a tile fit 32
bits; the counts are 64-bit atomics, so nothing overflows before 2⁶³ rows.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any, cast

import torch
import triton
import triton.language as tl
from torch import Tensor

from actilaw.recording.kernels.rows import Counted, Rows, magnitude_bits

TILE_BYTES = 1 << 14  # that a program holds at a time: 32 registers of each of its 128 threads
TILE_UNITS = 128  # at most: full lines of memory are read, and many rows added up per atomic


def count_on_gpu(rows: Rows, kept: Tensor | None = None) -> Counted:
    """Count active units by unit and by row in one kernel, queued on the current stream; the host
    does not wait.
    """
    bits, low = rows.bits.contiguous(), rows.low.contiguous()
    mask = None if rows.mask is None else rows.mask.contiguous()
    n_rows, n_positions, n_units = bits.shape
    units = torch.zeros(n_units, dtype=torch.int64, device=bits.device)
    active = torch.zeros(n_rows, dtype=torch.int64, device=bits.device)
    nonfinite = torch.zeros(n_rows, dtype=torch.bool, device=bits.device)
    if bits.numel() > 0:
        # Units, then positions, then rows fill the tile: few rows of many positions still keep the
        # whole GPU busy.
        size = TILE_BYTES // bits.element_size()
        tile_units = min(TILE_UNITS, triton.next_power_of_2(n_units))
        tile_positions = min(size // tile_units, triton.next_power_of_2(n_positions))
        tile_rows = size // tile_units // tile_positions
        programs = triton.cdiv(n_rows, tile_rows) * triton.cdiv(n_units, tile_units)
        # With or without Triton installed, pyright sees a plain function.
        launch = cast(Any, _count_tile)[(programs,)]
        # Triton launches on the current device, which may be another.
        with torch.cuda.device_of(bits):
            launch(
                *(bits, low, mask, units, active, nonfinite, kept, n_rows, n_positions, n_units),
                LARGEST=magnitude_bits(bits.dtype),
                INFINITY=rows.infinity,
                MAGNITUDE=rows.magnitude,
                ROWS=tile_rows,
                POSITIONS=tile_positions,
                UNITS=tile_units,
            )
    return Counted(units=units, active=active, nonfinite=nonfinite)


@triton.jit
def _count_tile(
    bits,
    low,
    mask,
    units,
    active,
    nonfinite,
    kept_rows,
    n_rows,
    n_positions,
    n_units,
    LARGEST: tl.constexpr,
    INFINITY: tl.constexpr,
    MAGNITUDE: tl.constexpr,
    ROWS: tl.constexpr,
    POSITIONS: tl.constexpr,
    UNITS: tl.constexpr,
):
    """One tile of ROWS × POSITIONS × UNITS, moved along the positions; program by program along the
    units first.
    """
    across = tl.cdiv(n_units, UNITS)
    # 64 bits, since it multiplies into addresses.
    row = (tl.program_id(0) // across).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    unit = tl.program_id(0) % across * UNITS + tl.arange(0, UNITS)
    hit = tl.zeros((ROWS, POSITIONS, UNITS), tl.int1)
    largest = tl.zeros((ROWS, POSITIONS, UNITS), bits.dtype.element_ty)
    for first in range(0, n_positions, POSITIONS):
        position = first + tl.arange(0, POSITIONS)
        place = row[:, None] * n_positions + position[None, :]
        kept = (row < n_rows)[:, None] & (position < n_positions)[None, :]
        if mask is not None:
            kept = kept & tl.load(mask + place, mask=kept, other=0)
        level = tl.load(low + place, mask=kept, other=0)[:, :, None]
        inside = kept[:, :, None] & (unit < n_units)[None, None, :]
        value = tl.load(
            bits + place[:, :, None] * n_units + unit[None, None, :], mask=inside, other=0
        )
        magnitude = value & LARGEST
        if MAGNITUDE:
            value = magnitude
        hit |= inside & (value > level) & (value <= INFINITY)
        largest = tl.maximum(largest, magnitude)
    any_position = tl.max(hit.to(tl.int32), 1)
    of_unit, of_row = tl.sum(any_position, 0).to(tl.int64), tl.sum(any_position, 1).to(tl.int64)
    if kept_rows is not None:
        inside = (row < n_rows)[:, None] & (unit < n_units)[None, :]
        place = row[:, None] * n_units + unit[None, :]
        tl.store(kept_rows + place, any_position, mask=inside)
    found = tl.max(tl.max(largest, 2), 1) >= INFINITY
    # Beyond the edges all three are zero, so these masks keep to the tensors, and spare the atomics
    # of idle units.
    tl.atomic_add(units + unit, of_unit, mask=of_unit > 0, sem="relaxed")
    tl.atomic_add(active + row, of_row, mask=of_row > 0, sem="relaxed")
    tl.store(nonfinite + row, found, mask=found)  # programs that meet in a row all write true
