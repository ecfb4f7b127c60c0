"""All-reduce over the processes of torch.distributed: k ranks give to the last bit what one gives.

Counts and blocks are sums of whole numbers, and the first activation is the minimum over the global
numbers of the entries, so that the order of the processes does not matter.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch import distributed as dist

from actilaw.counts.feeders import Fed, Group, counterparts, translated
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


def in_the_order_of_the_first(
    groups: Mapping[str, Group], fed: Fed
) -> tuple[dict[str, str], dict[str, Group], Fed]:
    """The layers of process 0 in its order, which is the same in every process; every process must
    call this.

    Args:
        groups: of the layers of this process, by name.
        fed: what fed them.

    Returns:
        The name that each layer of process 0 has in this process, the groups of its layers by name,
        and what fed them in any process.

    Raises:
        InputError: in every process, if torch.distributed is not set up, or the layers of some
            process cannot be matched with those of the first.
    """
    _require_processes()
    of_all: list[tuple[dict[str, Group], Fed]] = [({}, {})] * dist.get_world_size()
    dist.all_gather_object(of_all, (dict(groups), fed))
    first, together = of_all[0]
    mine: dict[str, str] = {}
    for rank, (theirs, their_fed) in enumerate(of_all):
        if set(theirs) != set(first):
            raise InputError(
                "expected the same layers in every process, but only one of the processes 0 and "
                f"{rank} has {', '.join(sorted(set(theirs) ^ set(first)))}: run the model on data "
                "that reach all layers, in every process"
            )
        found = counterparts(of_all[0][1], their_fed)
        together = {
            found[group]: together[found[group]] | translated(sets, found)
            for group, sets in their_fed.items()
        }
        if rank == dist.get_rank():
            mine = _names_by_group(first, theirs, found)
    return mine, first, together


def _names_by_group(
    first: Mapping[str, Group], theirs: Mapping[str, Group], found: Mapping[Group, Group]
) -> dict[str, str]:
    """The name of each layer of process 0 in another one; of several rules, in their order."""
    by_group: dict[Group, list[str]] = {}
    for name, group in theirs.items():
        by_group.setdefault(found[group], []).append(name)
    return {name: by_group[group].pop(0) for name, group in first.items()}


def _require_processes() -> None:
    if not (dist.is_available() and dist.is_initialized()):
        raise InputError(
            "expected torch.distributed to be set up: call init_process_group, or census() without "
            "across_ranks"
        )


def sum_over_ranks(
    accumulators: Sequence[Accumulator], trained: bool
) -> tuple[list[Accumulator], bool]:
    """The counts of all processes together; every process must call this, with the same layers.

    Raises:
        InputError: if torch.distributed is not set up.
    """
    _require_processes()
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
