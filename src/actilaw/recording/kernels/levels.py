"""Criteria as levels: one number per row and position that an activation must exceed.

`Positive` and `Threshold` have a constant level, `Relative` a share of the largest magnitude. The
level is rounded down to the precision of the activations, so that x > level holds exactly where
bits(x) > bits(level). A criterion that compares units with each other, or a user's own function, is
evaluated in full, and its answer (0 or 1) is counted in place of the activations.
"""

from __future__ import annotations

import torch
from torch import Tensor

from actilaw.errors import InputError
from actilaw.recording.criteria import Criterion, Positive, Relative, Threshold, describe
from actilaw.recording.kernels.dispatch import largest_magnitudes
from actilaw.recording.kernels.rows import BITS, Rows


def rows_of(x: Tensor, criterion: Criterion, mask: Tensor | None = None) -> Rows:
    """Activations (n_rows, n_positions, n_units) of any precision, with the criterion as a level
    for each row.
    """
    x = x.detach()
    if x.dtype not in BITS:
        x = x.float()
    x = x.contiguous()
    integer, infinity = BITS[x.dtype]
    if isinstance(criterion, Positive | Threshold):
        level = torch.tensor(getattr(criterion, "level", 0.0), dtype=torch.float64)
        low = _bits_at_or_below(level, x.dtype).to(x.device).expand(x.shape[:-1])
    elif isinstance(criterion, Relative):
        low = _bits_at_or_below(largest_magnitudes(x).double() * criterion.share, x.dtype)
    else:
        return rows_of_booleans(_activated(x, criterion), ~torch.isfinite(x), mask)
    magnitude = not isinstance(criterion, Positive)
    return Rows(x.view(integer), low, magnitude=magnitude, infinity=infinity, mask=mask)


def rows_of_booleans(active: Tensor, nonfinite: Tensor | None, mask: Tensor | None) -> Rows:
    """Rows of which it is known what was active, (n_rows, n_positions, n_units), and what was not
    finite; nothing if None.

    As in numbers, what stands at "infinity" is not finite, and is active; what stands above it, as
    a NaN does, is not.
    """
    bits = active.to(torch.int16)
    if nonfinite is not None:
        bits = torch.where(nonfinite, 3 - bits, bits).to(torch.int16).contiguous()
    low = torch.zeros_like(bits[..., 0])
    return Rows(bits, low, magnitude=False, infinity=2, mask=mask)


def _activated(x: Tensor, criterion: Criterion) -> Tensor:
    active = criterion(x)
    if not isinstance(active, Tensor) or active.shape != x.shape:
        came = tuple(active.shape) if isinstance(active, Tensor) else type(active).__name__
        raise InputError(
            f"expected the rule {describe(criterion)} to return booleans of the shape of the "
            f"activations, {tuple(x.shape)}, but got {came}"
        )
    return active.bool() & ~x.isnan()


def _bits_at_or_below(level: Tensor, precision: torch.dtype) -> Tensor:
    """Bits of the largest number of `precision` at or below a level >= 0."""
    rounded = level.to(precision) + 0.0  # a level of −0.0 has the sign bit set, and becomes 0.0
    integer = BITS[precision][0]
    return rounded.view(integer) - (rounded.double() > level).to(integer)
