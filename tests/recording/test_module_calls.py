"""Calls are seen, and the network stays as it is."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from actilaw import record
from builders.recorded import INPUTS, mlp, rectified_mlp


def test_recording_changes_nothing_in_the_model() -> None:
    inputs = torch.randn(12, 6)

    def one_step(recorded: bool) -> tuple[Tensor, list[Tensor], Tensor]:
        model = rectified_mlp().train()
        model.insert(1, nn.BatchNorm1d(40))
        torch.manual_seed(1)
        if recorded:
            with record(model):
                outputs = model(inputs)
        else:
            outputs = model(inputs)
        outputs.square().sum().backward()
        state = [p.grad for p in model.parameters()] + list(model.buffers())
        return outputs, state, torch.get_rng_state()

    (plain, plain_state, plain_rng), (outputs, state, rng) = one_step(False), one_step(True)
    assert torch.equal(plain, outputs)
    assert torch.equal(plain_rng, rng)
    assert all(torch.equal(a, b) for a, b in zip(plain_state, state, strict=True))


def test_no_hook_is_left_behind_even_after_an_error() -> None:
    model = rectified_mlp()
    recording = record(model)
    with recording:
        model(torch.randn(8, 6))
    with pytest.raises(RuntimeError), recording:
        model(torch.randn(8, 5))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert recording.census()["1"].samples == 8  # what came before the error is kept


def test_a_copy_made_while_recording_is_not_counted() -> None:
    model = mlp()
    with record(model) as recording:
        copy.deepcopy(model)(INPUTS)
        model(INPUTS)
    assert recording.census()["1"].samples == 100


def test_two_recordings_of_one_model_see_the_same_and_end_in_any_order() -> None:
    model = mlp()
    one, other = record(model), record(model, per="position")
    one.__enter__()
    other.__enter__()
    model(INPUTS[:60])
    one.__exit__(None, None, None)
    model(INPUTS[60:])
    other.__exit__(None, None, None)
    model(INPUTS)
    assert (one.census()["1"].samples, other.census()["1"].samples) == (60, 100)
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"
