"""Counting by torch's own operations: slower, since they hold a boolean for every activation, but
on every device.

The other kernels are tested against these.
"""

from __future__ import annotations

import torch
from torch import Tensor

from actilaw.recording.kernels.rows import Counted, Rows, magnitude_bits


def count_by_torch(rows: Rows, kept: Tensor | None = None) -> Counted:
    """Count active units by unit and by row."""
    active = rows.active().any(1)
    if kept is not None:
        kept.copy_(active)
    nonfinite = (rows.bits & magnitude_bits(rows.bits.dtype)).amax(-1) >= rows.infinity
    if rows.mask is not None:
        nonfinite = nonfinite & rows.mask
    return Counted(
        units=active.sum(0),
        active=active.sum(1),
        nonfinite=nonfinite.any(1),
    )


def first_rows_by_torch(rows: Rows, units: Tensor) -> Tensor:
    """The first row in which each of `units` (n,) is active."""
    return rows.of_units(units).active().any(1).to(torch.uint8).argmax(0)


def largest_magnitudes_by_torch(x: Tensor) -> Tensor:
    """The largest finite magnitude in each row and position."""
    return torch.where(torch.isfinite(x), x, 0).abs().amax(-1)
