"""Whether a census says that the network was in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from actilaw import record
from actilaw.recording.weight_watch import WeightWatch
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


def _assert_regime(expected: str, change, model: nn.Module | None = None) -> None:
    model = mlp() if model is None else model
    with record(model) as recording:
        model(INPUTS)
        change(model)
        model(INPUTS)
    assert {counts.regime for counts in recording.census().values()} == {expected}


def _fused_step(kind) -> None:
    def step(model: nn.Module) -> None:
        optimiser = kind(model.parameters(), fused=True)
        model(INPUTS).sum().backward()
        optimiser.step()

    return step


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.Adam, torch.optim.Adagrad])
def test_fused_optimisers_train(kind) -> None:
    _assert_regime("training", _fused_step(kind))


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model[0].weight.data.add_(1),
        lambda model: model[2].bias.data.copy_(torch.ones(30)),
        lambda model: model[2].weight.detach().numpy().__setitem__((3, 4), 7.0),
        lambda model: setattr(model[0], "weight", nn.Parameter(model[0].weight * 2)),
    ],
)
def test_writes_that_autograd_does_not_see_are_noticed(change) -> None:
    _assert_regime("training", change)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.double().float(),
        lambda model: model.load_state_dict(model.state_dict()),
        lambda model: model.eval(),
        lambda model: model[0].weight.data.clone(),
    ],
)
def test_moving_weights_without_changing_them_is_no_training(change) -> None:
    _assert_regime("frozen", change)


def test_running_statistics_are_weights_too() -> None:
    model = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU())
    _assert_regime("training", lambda model: None, model.train())
    _assert_regime("frozen", lambda model: None, model.eval())


def test_calls_with_other_weights_are_noticed_though_the_model_keeps_its_own() -> None:
    def call(scale: float):
        def change(model: nn.Module) -> None:
            other = {name: scale * weight for name, weight in model.named_parameters()}
            torch.func.functional_call(model, other, (INPUTS,))

        return change

    _assert_regime("training", call(2.0))
    _assert_regime("frozen", call(1.0))


@pytest.mark.parametrize("place", [(0, 0), (17, 900), (1999, 999)])
def test_any_write_to_a_large_weight_is_noticed(place: tuple[int, int]) -> None:
    layer = nn.Linear(1000, 2000)  # of which one number of every row is compared
    watch = WeightWatch(layer)
    with torch.no_grad():
        layer.weight[place] += 1
    watch.check()
    assert watch.changed


def test_an_unseen_write_to_a_row_of_a_large_weight_is_noticed() -> None:
    layer = nn.Linear(1000, 2000)
    watch = WeightWatch(layer)
    layer.weight.data[1234] += 1
    watch.check()
    assert watch.changed
