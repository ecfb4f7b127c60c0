"""64 ranks as threads of one process: what torch.distributed does between processes, a barrier and
a list do here.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist

from actilaw import Census, record

RANKS = 64


class Ranks:
    """Stands in for torch.distributed; each thread is a rank."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.own = threading.local()
        self.barrier = threading.Barrier(RANKS, timeout=120)
        self.given: list[Any] = [None] * RANKS
        for name in ("is_initialized", "get_rank", "get_world_size", "get_backend"):
            patch.setattr(dist, name, getattr(self, name))
        patch.setattr(dist, "all_reduce", self.all_reduce)
        patch.setattr(dist, "all_gather_object", self.all_gather_object)

    def is_initialized(self) -> bool:
        return hasattr(self.own, "rank")

    def get_rank(self) -> int:
        return self.own.rank

    def get_world_size(self) -> int:
        return RANKS

    def get_backend(self) -> str:
        return "gloo"

    def exchanged(self, value: Any) -> list[Any]:
        """What all ranks gave, in their order."""
        self.given[self.own.rank] = value
        self.barrier.wait()
        found = list(self.given)
        self.barrier.wait()  # nobody gives the next value before all have these
        return found

    def all_reduce(self, values: Tensor, operation: Any) -> None:
        function = {
            dist.ReduceOp.SUM: torch.add,
            dist.ReduceOp.MIN: torch.minimum,
            dist.ReduceOp.MAX: torch.maximum,
        }[operation]
        values.copy_(reduce(function, self.exchanged(values.clone())))

    def all_gather_object(self, found: list[Any], value: Any) -> None:
        found[:] = self.exchanged(value)

    def run(self, work: Callable[[int], Census]) -> list[Census]:
        """What the work gives on each rank; all run at once."""

        def rank(number: int) -> Census:
            self.own.rank = number
            try:
                return work(number)
            except BaseException:
                self.barrier.abort()  # so that nobody waits for this one
                raise

        with ThreadPoolExecutor(RANKS) as threads:
            return list(threads.map(rank, range(RANKS)))


@pytest.mark.slow
def test_64_ranks_count_to_the_last_bit_what_one_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 200), nn.ReLU())
    with torch.no_grad():
        model[0].bias.sub_(1.5)  # so that first activations come late, on many ranks
    samples = torch.randn(RANKS * 37, 6)
    with torch.no_grad(), record(model) as alone:
        for sample in samples:
            model(sample[None])

    def work(rank: int) -> Census:
        replica = copy.deepcopy(model)
        with torch.no_grad(), record(replica, layers="1") as recording:
            for sample in samples[rank::RANKS]:  # dealt out in turn, as samplers do
                replica(sample[None])
        return recording.census(across_ranks=True)

    together = Ranks(monkeypatch).run(work)
    expected = alone.census()["1"]
    for census in together:
        counts = census["1"]
        assert (counts.counts == expected.counts).all()
        assert counts.first is not None
        assert expected.first is not None
        assert (counts.first == expected.first).all()
        assert counts.samples == expected.samples == len(samples)
        assert counts.active_squares == expected.active_squares
        assert counts.blocks is not None
        assert counts.blocks.counts.sum(0).tolist() == expected.counts.tolist()


@pytest.mark.slow
def test_64_censuses_merge_to_what_one_counts() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 200), nn.ReLU())
    samples = torch.randn(RANKS * 16, 6)

    def counted(part: torch.Tensor) -> Census:
        with torch.no_grad(), record(model) as recording:
            model(part)
        return recording.census()

    merged, *others = map(counted, samples.chunk(RANKS))
    for other in others:
        merged = merged.merge(other)
    whole = counted(samples)["1"]
    assert (merged["1"].counts == whole.counts).all()
    assert (merged["1"].samples, merged["1"].active_squares) == (
        whole.samples,
        whole.active_squares,
    )
    order = np.random.default_rng(0).permutation(RANKS)
    parts = list(map(counted, samples.chunk(RANKS)))
    shuffled = parts[order[0]]
    for number in order[1:]:
        shuffled = shuffled.merge(parts[number])
    assert (shuffled["1"].counts == whole.counts).all()
