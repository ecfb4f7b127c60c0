"""Counting activations at the speed of reading memory.

A kernel sees activations as the integers of their bits. Floating-point numbers of one sign are
ordered like their bits, so "above a level" is one integer comparison in every precision, and a NaN
or infinity is a number at or above the bits of infinity. One pass counts by unit and by row and
finds what is not finite.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from actilaw.recording.criteria import Criterion, Positive, Relative, Threshold, TopK
from actilaw.recording.kernels import cpu

BITS = {
    torch.float16: (torch.int16, 0x7C00),
    torch.bfloat16: (torch.int16, 0x7F80),
    torch.float32: (torch.int32, 0x7F800000),
    torch.float64: (torch.int64, 0x7FF << 52),
}  # by precision: an integer of the same width, and the bits of infinity
PARALLEL = 1 << 17  # activations from which a second thread pays


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
        keep: (n_rows, n_positions), which positions count; or None for all.
    """

    bits: Tensor
    low: Tensor
    magnitude: bool
    infinity: int
    keep: Tensor | None

    def __getitem__(self, part: slice) -> Rows:
        keep = None if self.keep is None else self.keep[part]
        return Rows(self.bits[part], self.low[part], self.magnitude, self.infinity, keep)

    def mask(self) -> Tensor:
        """(n_rows, n_positions, n_units), true where active; whole in memory, so for a few rows or
        units only.
        """
        bits = self.bits & _magnitude_mask(self.bits.dtype) if self.magnitude else self.bits
        active = (bits > self.low[..., None]) & (bits <= self.infinity)
        return active if self.keep is None else active & self.keep[..., None]


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


def rows_of(x: Tensor, criterion: Criterion, keep: Tensor | None = None) -> Rows:
    """Activations (n_rows, n_positions, n_units) of any precision, with the criterion as a level
    for each row.
    """
    x = x.detach()
    if x.dtype not in BITS:
        x = x.float()
    x = x.contiguous()
    integer, infinity = BITS[x.dtype]
    if isinstance(criterion, Positive | Threshold):
        level = getattr(criterion, "level", 0.0)
        low = (
            _bits_below(torch.tensor(level, dtype=torch.float64), x.dtype)
            .to(x.device)
            .expand(x.shape[:-1])
        )
    elif isinstance(criterion, Relative):
        low = _bits_below(_largest_magnitudes(x).double() * criterion.share, x.dtype)
    else:
        return _rows_of_mask(x, criterion, keep)
    return Rows(x.view(integer), low, not isinstance(criterion, Positive), infinity, keep)


def count(rows: Rows) -> Counted:
    """Count active units by unit and by row, where the activations are: on the CPU, or on a GPU."""
    if rows.bits.device.type == "cpu":
        return _count_on_cpu(rows)
    if rows.bits.device.type == "cuda":
        try:
            from actilaw.recording.kernels.gpu import count_on_gpu
        except ImportError:
            return count_by_torch(rows)
        return count_on_gpu(rows)
    return count_by_torch(rows)


def count_by_torch(rows: Rows) -> Counted:
    """The same with torch's own operations, which hold a mask of all activations: slower, but
    everywhere.
    """
    active = rows.mask().any(1)
    nonfinite = (rows.bits & _magnitude_mask(rows.bits.dtype)).amax(-1) >= rows.infinity
    if rows.keep is not None:
        nonfinite = nonfinite & rows.keep
    return Counted(active.sum(0), active.sum(1), nonfinite.any(1))


def first_rows(rows: Rows, units: Tensor) -> Tensor:
    """The first row in which each of `units` (n,) is active; each of them is in some row. (n,),
    int64.
    """
    if rows.bits.device.type != "cpu":
        part = Rows(rows.bits[..., units], rows.low, rows.magnitude, rows.infinity, rows.keep)
        return part.mask().any(1).to(torch.uint8).argmax(0)
    found = np.zeros(len(units), np.int64)
    keep = None if rows.keep is None else rows.keep.numpy()
    cpu.first_hits(
        rows.bits.numpy(),
        rows.low.numpy(),
        _mask_of(rows),
        keep,
        rows.infinity,
        units.numpy(),
        found,
    )
    return torch.from_numpy(found)


def _rows_of_mask(x: Tensor, criterion: Criterion, keep: Tensor | None) -> Rows:
    """A criterion that compares units with each other, or a user's own function, evaluated in
    full.
    """
    if isinstance(criterion, TopK):
        chosen = x.topk(min(criterion.k, x.shape[-1]), dim=-1).indices
        active = torch.zeros_like(x, dtype=torch.bool).scatter_(-1, chosen, True)
    else:
        active = criterion(x).bool()
    # What is not finite stands above "infinity" here, so that it is found, and does not count as
    # activated.
    bits = torch.where(torch.isfinite(x), active.to(torch.int16), 3).to(torch.int16).contiguous()
    return Rows(bits, torch.zeros_like(bits[..., 0]), magnitude=False, infinity=2, keep=keep)


def _largest_magnitudes(x: Tensor) -> Tensor:
    """The largest finite magnitude in each row and position, (n_rows, n_positions), in the
    precision of x.
    """
    integer, infinity = BITS[x.dtype]
    if x.device.type != "cpu":
        return torch.where(torch.isfinite(x), x, 0).abs().amax(-1)
    largest = torch.empty(x.shape[:-1], dtype=integer)
    bits, found = x.view(integer).numpy(), largest.numpy()
    _in_shares(
        len(bits), x.numel(), lambda _, part: cpu.largest_bits(bits[part], infinity, found[part])
    )
    return largest.view(x.dtype)


def _bits_below(level: Tensor, precision: torch.dtype) -> Tensor:
    """Bits of the largest number of `precision` at or below a level >= 0, so that x > level iff
    bits(x) > these.
    """
    rounded = level.to(precision) + 0.0  # a level of −0.0 has the sign bit set, and becomes 0.0
    return rounded.view(BITS[precision][0]) - (rounded.double() > level).to(BITS[precision][0])


def _magnitude_mask(integer: torch.dtype) -> int:
    return torch.iinfo(integer).max


def _mask_of(rows: Rows) -> int:
    return _magnitude_mask(rows.bits.dtype) if rows.magnitude else -1


def _count_on_cpu(rows: Rows) -> Counted:
    """Rows in equal shares, one thread each: compiled loops let go of Python's lock."""
    n_rows, n_positions, n_units = rows.bits.shape
    bits, low = rows.bits.numpy(), rows.low.contiguous().numpy()
    keep = None if rows.keep is None else rows.keep.contiguous().numpy()
    units = np.zeros((torch.get_num_threads(), n_units), np.int32)
    active, nonfinite = np.zeros(n_rows, np.int64), np.zeros(n_rows, np.bool_)
    kernel = cpu.count_rows if n_positions == 1 else cpu.count_any

    def share(thread: int, part: slice) -> None:
        kept = None if keep is None else keep[part]
        kernel(
            bits[part],
            low[part],
            _mask_of(rows),
            kept,
            rows.infinity,
            units[thread],
            active[part],
            nonfinite[part],
        )

    _in_shares(n_rows, rows.bits.numel(), share)
    return Counted(*map(torch.from_numpy, (units.sum(0, dtype=np.int64), active, nonfinite)))


def _in_shares(n_rows: int, size: int, work: Callable[[int, slice], None]) -> None:
    """Call work(thread, part of the rows) for equal parts, at once where there is enough to
    share.
    """
    threads = min(torch.get_num_threads(), n_rows) if size >= PARALLEL else 1
    if threads <= 1:
        return work(0, slice(0, n_rows))
    parts = [slice(n_rows * t // threads, n_rows * (t + 1) // threads) for t in range(threads)]
    others = [
        _pool(threads - 1).submit(work, thread, part)
        for thread, part in enumerate(parts[1:], start=1)
    ]
    work(0, parts[0])
    for other in others:
        other.result()  # where an error of that thread comes out
    return None


_threads: dict[int, ThreadPoolExecutor] = {}


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _threads:
        _threads[threads] = ThreadPoolExecutor(threads, thread_name_prefix="actilaw")
    return _threads[threads]


if hasattr(os, "register_at_fork"):  # a forked process inherits the pools but not their threads
    os.register_at_fork(after_in_child=_threads.clear)
