"""Layers that a batch calls several times, on all of its samples or on some."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actilaw import record
from actilaw.errors import InputError
from builders.recorded import INPUTS, by_hand, recorded


@pytest.mark.slow
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


@pytest.mark.slow
def test_calls_on_some_of_the_samples_are_counted_as_these() -> None:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            self.relu(-x[2:4])
            return self.relu(x)

    batches = [INPUTS[:50], INPUTS[50:]]
    census = recorded(Growing(), batches, per="position")
    assert (census["relu"].samples, census["relu"].entries) == (104, 100)
    active = np.concatenate([batch.numpy() > 0 for batch in batches])
    active[[2, 3, 52, 53]] |= INPUTS.numpy()[[2, 3, 52, 53]] < 0
    census = recorded(Growing(), batches)
    assert census["relu"].counts.tolist() == active.sum(0).tolist()
    assert census["relu"].samples == 100
    assert census["relu"].active_squares == (active.sum(1) ** 2).sum()


class Fragile(nn.Module):
    """Calls one rectifier twice on what one layer makes, unless the batch has three samples."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.make, self.relu = nn.Linear(6, 30), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        once = self.relu(self.make(x))
        if len(x) == 3:
            raise RuntimeError("cut short")
        return once + self.relu(self.make(-x))


def test_a_first_forward_cut_short_teaches_nothing_about_the_calls() -> None:
    model = Fragile()
    with record(model) as recording:
        with pytest.raises(RuntimeError, match="cut short"):
            model(INPUTS[:3])
        model(INPUTS)
    with torch.no_grad():
        once, again = model.make(INPUTS).numpy() > 0, model.make(-INPUTS).numpy() > 0
    expected = once[:3].sum(0) + (once | again).sum(0)
    assert recording.census()["relu"].counts.tolist() == expected.tolist()


class Sometimes(nn.Module):
    """Calls one layer again on some batches."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.make, self.relu = nn.Linear(6, 30), nn.ReLU()

    def forward(self, x: Tensor, again: bool) -> Tensor:
        out = self.relu(self.make(x))
        return self.relu(self.make(-x)) if again else out


def test_a_layer_that_is_called_again_only_later_is_counted_once_per_sample() -> None:
    model = Sometimes()
    with record(model) as recording, torch.no_grad():
        model(INPUTS[:40], False)
        model(INPUTS[40:], True)
    with torch.no_grad():
        once, again = model.make(INPUTS).numpy() > 0, model.make(-INPUTS).numpy() > 0
    active = np.concatenate([once[:40], (once | again)[40:]])
    counts = recording.census()["relu"]
    assert counts.counts.tolist() == active.sum(0).tolist()
    assert counts.active_squares == (active.sum(1) ** 2).sum()
    assert counts.first is not None
    assert counts.first.tolist() == np.where(active.any(0), active.argmax(0), -1).tolist()


def test_what_is_too_large_to_keep_is_refused_when_it_is_called_again(monkeypatch) -> None:
    monkeypatch.setattr("actilaw.recording.counted_layer.MOST_KEPT", 100)
    model = Sometimes()
    with record(model) as recording, torch.no_grad():
        model(INPUTS[:40], False)
        with pytest.raises(InputError, match=r"called once for a batch.*was not kept"):
            model(INPUTS[40:], True)
    assert recording.census()["relu"].samples == 100
