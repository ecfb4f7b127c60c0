"""Modules that a forward pass calls several times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actilaw import record
from actilaw.errors import InputError
from builders.recorded import INPUTS, by_hand, recorded


@pytest.mark.parametrize("per", ["sample", "position"])
def test_a_module_called_several_times_per_forward(per: str) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.up, self.down, self.relu = nn.Linear(6, 50), nn.Linear(50, 6), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(3):
                x = self.down(self.relu(self.up(x) - 0.5))
            return x

    model = Twice()
    census = recorded(model, INPUTS.split(30), per=per)
    calls: list[np.ndarray] = []
    hook = model.relu.register_forward_hook(lambda _m, _i, out: calls.append((out > 0).numpy()))
    with torch.no_grad():
        model(INPUTS)
    hook.remove()
    active = np.stack(calls, 1)  # (entries, calls, units)
    expected, samples = by_hand(active, np.ones((100, 3), bool), per)
    assert (census["relu"].counts.tolist(), census["relu"].samples) == (expected, samples)
    assert census["relu"].entries == 100


def test_calls_with_more_entries_than_the_first() -> None:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            self.relu(x[:2])
            return self.relu(x)

    census = recorded(Growing(), [INPUTS[:50], INPUTS[50:]], per="position")
    assert (census["relu"].samples, census["relu"].entries) == (104, 100)
    model = Growing()
    with record(model), pytest.raises(InputError, match="saw 2 and then 50"):
        model(INPUTS[:50])


def test_a_first_forward_cut_short_teaches_nothing_about_the_calls() -> None:
    class Fragile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            x = self.relu(x - 1)
            if len(x) == 3:
                raise RuntimeError("cut short")
            return self.relu(1 - x)

    model = Fragile()
    with record(model) as recording:
        with pytest.raises(RuntimeError, match="cut short"):
            model(INPUTS[:3])
        model(INPUTS)
    x = INPUTS.numpy()
    once = x[:3] > 1
    either = (x > 1) | (np.maximum(x - 1, 0) < 1)
    assert recording.census()["relu"].counts.tolist() == (once.sum(0) + either.sum(0)).tolist()
