"""All-reduce over the processes of torch.distributed: k ranks give to the last bit what one gives.

Counts and blocks are sums of whole numbers, and the first activation is the minimum over the global
numbers of the entries, so that the order of the processes does not matter.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist

from actilaw.errors import InputError
from actilaw.recording.accumulator import Accumulator, Totals

NEVER = torch.iinfo(torch.int64).max


def place_among_ranks() -> tuple[int, int]:
    """Number of this process's first entry, and the step to its next one: entries are dealt out in
    turn.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def sum_over_ranks(
    accumulators: Sequence[Accumulator], trained: bool
) -> tuple[list[Accumulator], bool]:
    """The counts of all processes together; every process must call this, with the same layers.

    Raises:
        InputError: if torch.distributed is not set up.
    """
    if not (dist.is_available() and dist.is_initialized()):
        raise InputError(
            "expected torch.distributed to be set up: call init_process_group, or census() without "
            "across_ranks"
        )
    any_trained = _reduced(torch.tensor([int(trained)]), dist.ReduceOp.MAX)
    return [_sum(accumulator) for accumulator in accumulators], bool(any_trained)


def _sum(accumulator: Accumulator) -> Accumulator:
    """One layer's counts over all processes."""
    units = 0 if accumulator.totals is None else accumulator.totals.first.numel()
    size, reach, units = _reduced(
        torch.tensor([accumulator.size, accumulator.reach, units]), dist.ReduceOp.MAX
    ).tolist()
    together = copy.copy(accumulator)
    if not units:
        return together
    totals = accumulator.totals or Totals.zeros(units, torch.device("cpu"))
    together.totals = copy.copy(totals)
    together.coarsen(size)
    first = torch.where(together.totals.first < 0, NEVER, together.totals.first)
    first = _reduced(first, dist.ReduceOp.MIN)
    together.totals = Totals(
        _reduced(together.totals.blocks, dist.ReduceOp.SUM),
        _reduced(together.totals.block_samples, dist.ReduceOp.SUM),
        torch.where(first == NEVER, -1, first),
        _reduced(together.totals.sums, dist.ReduceOp.SUM),
    )
    together.entries = int(_reduced(torch.tensor([accumulator.entries]), dist.ReduceOp.SUM))
    together.reach = reach
    return together


def _reduced(values: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
    """All-reduced on a copy, on the device that the backend works on."""
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    moved = values.detach().clone().to(device)
    dist.all_reduce(moved, operation)
    return moved.to(values.device)
