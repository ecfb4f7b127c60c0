"""A small network, its inputs, and recordings of it to compare bit for bit."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from actilaw import Census, record


def mlp(width: int = 40) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 30), nn.GELU(), nn.Linear(30, 3)
    )


INPUTS = torch.randn(100, 6, generator=torch.Generator().manual_seed(1))


def assert_same(one: Census, other: Census) -> None:
    """Bit for bit: counts, samples, first activations, blocks, squares."""
    assert list(one) == list(other)
    for name in one:
        a, b = one[name], other[name]
        assert (a.samples, a.entries, a.active_squares, a.nonfinite) == (
            b.samples,
            b.entries,
            b.active_squares,
            b.nonfinite,
        )
        for x, y in ((a.counts, b.counts), (a.first, b.first), (a.blocks.counts, b.blocks.counts)):
            np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(a.blocks.samples, b.blocks.samples)
        assert a.blocks.size == b.blocks.size


def recorded(model: nn.Module, batches, **arguments) -> Census:
    with record(model, **arguments) as recording:
        for batch in batches:
            model(batch)
    return recording.census()
