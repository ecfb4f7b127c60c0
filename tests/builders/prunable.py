"""A network with idle units between Linear layers, and censuses of it, to be pruned."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from actilaw import Census, record

INPUTS = torch.rand(64, 5, generator=torch.Generator().manual_seed(0))


def half_idle() -> nn.Sequential:
    """5 → 12 → 8 → 3 with some units that cannot fire on inputs in 0..1."""
    torch.manual_seed(0)
    a, b, c = nn.Linear(5, 12), nn.Linear(12, 8), nn.Linear(8, 3)
    with torch.no_grad():
        a.bias[::3] = -100
        b.bias[[1, 5]] = -100
    return nn.Sequential(OrderedDict(a=a, relu_a=nn.ReLU(), b=b, relu_b=nn.ReLU(), c=c))


def census_of(model: nn.Module, inputs: Tensor, **arguments) -> Census:
    with record(model, **arguments) as recording:
        model(inputs)
    return recording.census()
