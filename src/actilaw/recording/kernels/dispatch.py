"""The choice of a kernel by the device on which the activations are.

Compiled loops on the CPU, Triton on a CUDA GPU, and torch's own operations on everything else and
where Triton is not installed.
"""

from __future__ import annotations

from torch import Tensor

from actilaw.recording.kernels import cpu, torch_ops
from actilaw.recording.kernels.rows import Counted, Rows


def count(rows: Rows, kept: Tensor | None = None) -> Counted:
    """Count active units by unit and by row; which were active in which row is written into `kept`
    (n_rows, n_units), bool, if given.
    """
    if rows.bits.device.type == "cpu":
        return cpu.count_on_cpu(rows, kept)
    if rows.bits.device.type == "cuda":
        try:
            from actilaw.recording.kernels.gpu import count_on_gpu
        except ImportError:
            return torch_ops.count_by_torch(rows, kept)
        return count_on_gpu(rows, kept)
    return torch_ops.count_by_torch(rows, kept)


def first_rows(rows: Rows, units: Tensor) -> Tensor:
    """The first row in which each of `units` (n,) is active; each of them is in some row. (n,),
    int64.
    """
    if rows.bits.device.type == "cpu":
        return cpu.first_rows_on_cpu(rows, units)
    return torch_ops.first_rows_by_torch(rows, units)


def largest_magnitudes(x: Tensor) -> Tensor:
    """The largest finite magnitude in each row and position of x (n_rows, n_positions, n_units), in
    the precision of x. (n_rows, n_positions).
    """
    if x.device.type == "cpu":
        return cpu.largest_magnitudes_on_cpu(x)
    return torch_ops.largest_magnitudes_by_torch(x)
