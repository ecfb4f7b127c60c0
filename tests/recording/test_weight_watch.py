"""Whether a census says that the network was in training."""

from __future__ import annotations

import torch

from actilaw import record
from builders.recorded import INPUTS, mlp


def test_weights_that_move_between_two_blocks_are_noticed() -> None:
    model = mlp()
    recording = record(model)
    for _ in range(2):
        with recording:
            model(INPUTS)
        with torch.no_grad():
            model[0].weight.mul_(2)
    assert recording.census()["1"].regime == "training"


def test_weights_that_change_while_recording_are_noticed() -> None:
    model = mlp()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model) as recording:
        model(INPUTS).sum().backward()
        assert recording.census()["1"].regime == "frozen"
        optimiser.step()
        model(INPUTS)
    assert recording.census()["1"].regime == "training"
