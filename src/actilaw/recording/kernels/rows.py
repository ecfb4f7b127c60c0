"""Comparing floating-point numbers by their bits: what a counting kernel takes and what it returns.

Floating-point numbers of one sign are ordered like the integers of their bits (IEEE 754), so "above
a level" is one integer comparison in every precision, and a NaN or an infinity is a number at or
above the bits of infinity. One pass over the bits therefore counts by unit and by row and finds
what is not finite.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

# By precision: an integer of the same width, and the bits of infinity.
BITS = {
    torch.float16: (torch.int16, 0x7C00),
    torch.bfloat16: (torch.int16, 0x7F80),
    torch.float32: (torch.int32, 0x7F800000),
    torch.float64: (torch.int64, 0x7FF << 52),
}


@dataclass(frozen=True)
class Rows:
    """Activations ready for counting: unit u of row r is active if low[r, p] < bits[r, p, u] at a
    kept position p.

    Attributes:
        bits: (n_rows, n_positions, n_units), integers; the sign bit is cleared if magnitudes are
            compared.
        low: (n_rows, n_positions), the level in the same integers.
        magnitude: whether the sign bit is to be cleared.
        infinity: bits of infinity; at or above it in magnitude nothing is finite.
        mask: (n_rows, n_positions), which positions count; or None for all.
    """

    bits: Tensor
    low: Tensor
    magnitude: bool
    infinity: int
    mask: Tensor | None

    def __getitem__(self, part: slice) -> Rows:
        mask = None if self.mask is None else self.mask[part]
        return replace(self, bits=self.bits[part], low=self.low[part], mask=mask)

    def flattened(self) -> Rows:
        """Every position as a row of its own."""
        mask = None if self.mask is None else self.mask.reshape(-1, 1)
        bits, low = self.bits.flatten(0, 1)[:, None], self.low.reshape(-1, 1)
        return replace(self, bits=bits, low=low, mask=mask)

    def chosen(self, index: Tensor) -> Rows:
        """The rows of these numbers alone, in this order."""
        mask = None if self.mask is None else self.mask[index]
        return replace(self, bits=self.bits[index], low=self.low[index], mask=mask)

    def of_units(self, units: Tensor) -> Rows:
        """The same rows with the chosen units (n,) alone."""
        return replace(self, bits=self.bits[..., units])

    def active(self) -> Tensor:
        """(n_rows, n_positions, n_units), true where active; whole in memory, so for a few rows or
        units only.
        """
        bits = self.bits & self.compared_bits
        active = (bits > self.low[..., None]) & (bits <= self.infinity)
        return active if self.mask is None else active & self.mask[..., None]

    @property
    def compared_bits(self) -> int:
        """The bits that are compared with the level: all, or all but the sign."""
        return magnitude_bits(self.bits.dtype) if self.magnitude else -1


@dataclass(frozen=True)
class Counted:
    """What a kernel found.

    Attributes:
        units: rows in which each unit was active; (n_units,), int64.
        active: units active in each row; (n_rows,), int64.
        nonfinite: rows with a NaN or infinity at a kept position; (n_rows,), bool.
    """

    units: Tensor
    active: Tensor
    nonfinite: Tensor


def magnitude_bits(integer: torch.dtype) -> int:
    """All bits of an integer of this type but the sign."""
    return torch.iinfo(integer).max
