"""Whether a network was training while it was recorded: judged by what parameters and buffers hold,
not by how they came to hold it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, vector_to_parameters

from recording.situations.case import Case, situation
from recording.situations.parts import channels_last, conv, images, linear, net, samples

Change = Callable[[nn.Sequential], object]


def _changed_after_a_pass(change: Change, regime: str) -> Case:
    """A forward pass, and then something done to the weights."""
    model = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 2)).eval()
    x = samples(11, 6)

    def run(_: Any) -> None:
        model(x).square().sum().backward()
        change(model)

    return Case(model, run, {"1": model[0](x)}, regime=regime)


def _steps(kind: str, **options: Any) -> Case:
    def change(model: nn.Sequential) -> None:
        getattr(torch.optim, kind)(model.parameters(), **options).step()

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def step_of_fused_adamw() -> Case:
    return _steps("AdamW", lr=1e-3, fused=True)


@situation(per=["sample"])
def step_of_fused_adam() -> Case:
    return _steps("Adam", lr=1e-3, fused=True)


@situation(per=["sample"])
def step_of_fused_gradient_descent() -> Case:
    return _steps("SGD", lr=1e-3, fused=True)


@situation(per=["sample"])
def step_of_fused_gradient_descent_with_momentum() -> Case:
    return _steps("SGD", lr=1e-3, momentum=0.9, fused=True)


@situation(per=["sample"])
def step_of_fused_adagrad() -> Case:
    return _steps("Adagrad", lr=1e-3, fused=True)


@situation(per=["sample"])
def step_over_lists_of_parameters() -> Case:
    return _steps("AdamW", lr=1e-3, foreach=True)


@situation(per=["sample"])
def step_of_rmsprop() -> Case:
    return _steps("RMSprop", lr=1e-3)


@situation(per=["sample"])
def step_of_length_zero() -> Case:
    def change(model: nn.Sequential) -> None:
        torch.optim.SGD(model.parameters(), lr=0.0).step()

    return _changed_after_a_pass(change, "frozen")


@situation(per=["sample"])
def addition_to_data() -> Case:
    return _changed_after_a_pass(lambda model: model[0].weight.data.add_(0.01), "training")


@situation(per=["sample"])
def copy_into_data() -> Case:
    return _changed_after_a_pass(
        lambda model: model[2].bias.data.copy_(torch.tensor([0.5, 0.25])), "training"
    )


@situation(per=["sample"])
def other_data() -> Case:
    def change(model: nn.Sequential) -> None:
        model[2].weight.data = model[2].weight.data * 2

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def one_number_written_through_numpy() -> Case:
    def change(model: nn.Sequential) -> None:
        model[0].weight.detach().numpy()[-1, -1] += 1.0

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def two_numbers_exchanged() -> Case:
    def change(model: nn.Sequential) -> None:
        row = model[0].weight.data[0]
        row[[0, 1]] = row[[1, 0]]

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def a_sign_turned() -> Case:
    return _changed_after_a_pass(lambda model: model[0].weight.data.neg_(), "training")


@situation(per=["sample"])
def parameters_from_a_vector() -> Case:
    def change(model: nn.Sequential) -> None:
        number = sum(parameter.numel() for parameter in model.parameters())
        vector_to_parameters(torch.ones(number), model.parameters())

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def another_parameter_in_its_place() -> Case:
    def change(model: nn.Sequential) -> None:
        model[0].weight = nn.Parameter(torch.ones(18, 6))

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def other_weights_loaded() -> Case:
    def change(model: nn.Sequential) -> None:
        model.load_state_dict({name: 2 * value for name, value in model.state_dict().items()})

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def the_same_weights_loaded() -> Case:
    def change(model: nn.Sequential) -> None:
        model.load_state_dict(copy.deepcopy(model.state_dict()))

    return _changed_after_a_pass(change, "frozen")


@situation(per=["sample"])
def to_double_and_back() -> Case:
    return _changed_after_a_pass(lambda model: model.double().float(), "frozen")


@situation(per=["sample"])
def gradients_set_to_zero() -> Case:
    return _changed_after_a_pass(lambda model: model.zero_grad(), "frozen")


@situation(per=["sample"])
def no_longer_requiring_gradients() -> Case:
    return _changed_after_a_pass(lambda model: model.requires_grad_(False), "frozen")


@situation(per=["sample"])
def moved_to_where_they_are() -> Case:
    return _changed_after_a_pass(lambda model: model.to("cpu").share_memory(), "frozen")


@situation(per=["sample"])
def a_running_mean_of_the_weights_beside_them() -> Case:
    def change(model: nn.Sequential) -> None:
        averaged = torch.optim.swa_utils.AveragedModel(model)
        averaged.update_parameters(model)
        averaged.update_parameters(model)

    return _changed_after_a_pass(change, "frozen")


@situation(per=["sample"])
def evaluation_alone() -> Case:
    return _changed_after_a_pass(lambda model: None, "frozen")


@situation(per=["sample"])
def dropout_alone() -> Case:
    """A network in training mode whose weights nobody changes."""
    model = nn.Sequential(linear(6, 18), nn.ReLU(), nn.Dropout(0.5), linear(18, 2)).train()
    x = samples(11, 6)
    return Case(model, lambda _: model(x), {"1": model[0](x)}, regime="frozen")


@situation(per=["sample"])
def batch_norm_in_training_mode() -> Case:
    model = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU()).train()
    with torch.no_grad():
        model[1].bias.copy_(torch.linspace(0, -2, 8))
    x = images(7, 3, 8, 8)
    made = copy.deepcopy(model[:2])(x)
    return Case(model, lambda _: model(x), {"2": channels_last(made)}, regime="training")


@situation(per=["sample"])
def batch_norm_in_evaluation_mode() -> Case:
    model = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU()).eval()
    x = images(7, 3, 8, 8)
    return Case(
        model,
        [x, x[:2]],
        {"2": [channels_last(model[0](b)) / (1 + 1e-5) ** 0.5 for b in (x, x[:2])]},
        regime="frozen",
    )


@situation(per=["sample"])
def batch_norm_with_statistics_of_the_batch_only() -> Case:
    """In training mode, but nothing is kept."""
    norm = nn.BatchNorm1d(9, track_running_stats=False)
    with torch.no_grad():
        norm.bias.copy_(torch.linspace(0.5, -1.5, 9))
    model = nn.Sequential(linear(6, 9), norm, nn.ReLU()).train()
    x = samples(12, 6)
    made = norm(model[0](x))
    return Case(model, lambda _: model(x), {"2": made}, regime="frozen")


@situation(per=["sample"])
def spectral_norm_in_training_mode() -> Case:
    """Its estimate of the largest singular value moves with every forward pass."""
    model = nn.Sequential(parametrizations.spectral_norm(linear(6, 9)), nn.ReLU()).train()
    x = samples(12, 6)
    made = copy.deepcopy(model[0])(x)
    return Case(model, lambda _: model(x), {"1": made}, regime="training")


@situation(per=["sample"])
def one_block_trained_and_another_frozen() -> Case:
    def change(model: nn.Sequential) -> None:
        model[0].requires_grad_(False)
        torch.optim.AdamW(model[2].parameters(), fused=True).step()

    return _changed_after_a_pass(change, "training")


@situation(per=["sample"])
def other_weights_for_one_call() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 2)).eval()
    x = samples(11, 6)
    other = {name: value.detach().flip(0) for name, value in model.named_parameters()}

    def run(_: Any) -> None:
        model(x)
        torch.func.functional_call(model, other, (x,))

    seen = [model[0](x), nn.functional.linear(x, other["0.weight"], other["0.bias"])]
    return Case(model, run, {"1": seen}, regime="training")


@situation(per=["sample"])
def steps_between_two_passes() -> Case:
    model = nn.Sequential(linear(6, 18), nn.ReLU(), linear(18, 1)).train()
    x = samples(11, 6)
    twin = copy.deepcopy(model)
    optimizers = [torch.optim.AdamW(m.parameters(), lr=0.1, fused=True) for m in (model, twin)]
    seen = []
    for _ in range(3):
        seen.append(twin[0](x).detach().clone())
        twin(x).square().sum().backward()
        optimizers[1].step()
        optimizers[1].zero_grad()

    def run(_: Any) -> None:
        for _ in range(3):
            model(x).square().sum().backward()
            optimizers[0].step()
            optimizers[0].zero_grad()

    return Case(model, run, {"1": seen}, regime="training")


@situation(per=["sample"])
def table_of_words_scaled_down_when_looked_up() -> Case:
    """`max_norm` writes into the weight during the forward pass."""

    def forward(net: Any, words: Tensor) -> Tensor:
        return net.relu(net.embed(words) - 0.1)

    model = net(forward, embed=nn.Embedding(20, 12, max_norm=0.5), relu=nn.ReLU())
    words = torch.randint(0, 20, (7, 5))
    made = copy.deepcopy(model.embed)(words) - 0.1
    return Case(model, lambda _: model(words), {"relu": made}, regime="training")
