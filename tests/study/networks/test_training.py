"""Training learns, repeats itself, and leaves the process as it was."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from actilaw.errors import InputError
from actilaw.study.networks import (
    Task,
    Text,
    TopK,
    evaluate,
    gated,
    learning_curve,
    plain,
    routed,
    train,
    train_autoencoder,
    train_transformer,
)
from actilaw.study.networks.architectures import normalised
from actilaw.study.networks.training import next_token_loss

pytestmark = pytest.mark.slow  # trains networks


def test_training_learns_and_repeats_itself(task: Task) -> None:
    one, other = (train(task, 128, steps=150, seed=3) for _ in range(2))
    loss, accuracy = evaluate(one, task.test_inputs, task.test_labels)
    assert accuracy > 0.9
    assert evaluate(other, task.test_inputs, task.test_labels)[0] == pytest.approx(loss, rel=1e-3)


def test_training_leaves_the_process_as_it_was(task: Task) -> None:
    state = torch.get_rng_state()
    train(task, 16, steps=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert float(torch.tensor(1e-40) * 1) > 0  # denormal numbers are still there


def test_training_works_where_gradients_are_off(task: Task) -> None:
    with torch.no_grad():
        assert evaluate(train(task, 64, steps=100), task.inputs, task.labels)[1] > 0.8


def test_an_l1_penalty_makes_fewer_units_active(task: Task) -> None:
    def active(l1: float) -> float:
        model = train(task, 128, l1=l1, steps=150)
        return float((model[:2](task.inputs) > 0).float().sum(1).mean())

    assert active(0.03) < active(0.0) / 2


def test_every_hidden_layer_has_a_name_and_a_penalty(task: Task) -> None:
    model = train(task, 64, depth=2, steps=150)
    assert [name for name, _ in model.named_children()] == [
        "hidden",
        "relu",
        "hidden2",
        "relu2",
        "output",
    ]
    assert evaluate(model, task.test_inputs, task.test_labels)[1] > 0.9
    sparse = train(task, 64, depth=2, l1=0.03, steps=150)
    for layer in (2, 4):
        assert sparse[:layer](task.inputs).sum() < model[:layer](task.inputs).sum() / 2


def test_a_learning_curve_falls(task: Task) -> None:
    curve = learning_curve(task, [20, 1347], seeds=[0], units=64, steps=150)
    assert list(curve["samples"]) == [20, 1347]
    assert curve["loss"].iloc[1] < curve["loss"].iloc[0] / 2


@pytest.mark.parametrize("samples", [0, -5, 5000])
def test_a_training_set_beyond_the_data_is_refused(task: Task, samples: int) -> None:
    with pytest.raises(
        InputError, match=r"training samples in 1\.\.1347, those the task has, but got"
    ):
        learning_curve(task, [samples])


@pytest.mark.parametrize(
    "feedforward", [plain(64), plain(64, nn.GELU), gated(64), routed(32, hidden=4)]
)
def test_a_transformer_learns_what_follows_a_token(text: Text, feedforward) -> None:
    model = train_transformer(text, feedforward, steps=80)
    assert next_token_loss(model, text.test_inputs) < 0.1 * math.log(text.vocabulary)


@pytest.mark.parametrize("feedforward", [plain(64), gated(64)])
def test_a_penalty_on_a_transformers_activations_lowers_them_and_leaves_no_hook(
    text: Text, feedforward
) -> None:
    magnitudes = []
    for l1 in (0.0, 0.01):
        model = train_transformer(text, feedforward, l1=l1, steps=30)
        assert not any(module._forward_pre_hooks for module in model.modules())
        taken: list[torch.Tensor] = []
        model.blocks[0].feedforward.down_proj.register_forward_pre_hook(
            lambda _, x, taken=taken: taken.append(x[0])
        )
        model(text.test_inputs[:4])
        magnitudes.append(taken[0].abs().sum(-1).mean().item())
    assert magnitudes[1] < magnitudes[0] / 2


def test_autoencoders_explain_most_of_the_variance_with_few_latents(task: Task) -> None:
    found = {}
    for name, activation, l1 in (
        ("top", TopK(4), 0.0),
        ("dense", nn.ReLU(), 0.0),
        ("sparse", nn.ReLU(), 0.03),
    ):
        model = train_autoencoder(task.inputs, 128, activation, l1=l1, steps=100)
        reconstructed, latents = model(task.test_inputs)
        assert (reconstructed - normalised(task.test_inputs)).square().mean() < 0.5
        found[name] = float((latents > 0).float().sum(1).mean())
    assert found["top"] <= 4
    assert found["sparse"] < found["dense"] / 2
