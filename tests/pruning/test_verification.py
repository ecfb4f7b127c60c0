"""Removal that would change outputs is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softmax

from actilaw import ActivationCounts, Census, prune
from actilaw.errors import InputError, ModelError
from builders.prunable import INPUTS, census_of, half_idle


class Net(nn.Module):
    """Linear-ReLU-Linear with something in the middle that removal must not pass over in
    silence.
    """

    def __init__(self, middle: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.middle = middle
        self.up, self.relu, self.down = nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.up(x))
        if self.middle == "norm":
            hidden = self.norm(hidden)
        if self.middle == "softmax":
            hidden = softmax(hidden, -1)
        if self.middle == "shift":
            hidden = hidden + 1
        if self.middle == "noise":
            hidden = hidden + x
        return hidden if self.middle == "output" else self.down(hidden)


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        ("norm", "native_layer_norm takes its statistics over them"),
        ("softmax", "_softmax compares them with each other"),
        ("output", "they are the model's output"),
    ],
)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_units_that_are_not_only_between_linear_layers_are_refused(
    middle: str, message: str, precision
) -> None:
    model = Net(middle).to(precision)
    census = Census({"relu": ActivationCounts(np.array([0, 3, 0, 2, 0, 1]), 64)})
    with pytest.raises(ModelError, match=message):
        prune(model, census, torch.rand(4, 6).to(precision))


def test_units_that_get_other_values_on_the_way_are_refused() -> None:
    census = Census({"relu": ActivationCounts(np.array([0, 3, 0, 2, 0, 1]), 64)})
    with pytest.raises(ModelError, match="add meets them with a tensor of fixed size"):
        prune(Net("noise"), census, torch.rand(4, 6))


def test_a_constant_that_is_added_on_the_way_goes_into_the_next_bias() -> None:
    model = Net("shift")
    with torch.no_grad():
        model.up.bias[::2] = -100
    census = census_of(model, torch.rand(64, 6))
    result = prune(model, census, torch.rand(4, 6))
    assert result.model.up.out_features == census["relu"].working
    inputs = torch.rand(9, 6)
    torch.testing.assert_close(result.model(inputs), model(inputs), rtol=0, atol=1e-6)


def test_a_model_without_gradients_is_followed_all_the_same() -> None:
    class Closed(Net):
        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)

    census = Census({"relu": ActivationCounts(np.array([0, 3, 0, 2, 0, 1]), 64)})
    assert prune(Closed("plain"), census, torch.rand(4, 6)).model.up.out_features == 3


def test_a_census_of_another_model_or_rule_is_refused() -> None:
    model = half_idle()
    with pytest.raises(
        InputError, match="has 12 units but the census counted 2: record the same model"
    ):
        prune(model, Census({"relu_a": ActivationCounts(np.array([0, 1]), 4)}), INPUTS[:4])
    layers = {"relu_a": ActivationCounts(np.zeros(3, int), 4)}
    layers |= {"relu_b": ActivationCounts(np.zeros(5, int), 4)}
    with pytest.raises(InputError, match=r"counted 3 .also 'relu_b' 8 for 5"):
        prune(model, Census(layers), INPUTS[:4])
    elsewhere = Census({"elsewhere": ActivationCounts(np.array([0, 1]), 4)})
    with pytest.raises(
        ModelError, match=r"'elsewhere' is no layer of it .* it has 'relu_a', 'relu_b', which the"
    ):
        prune(model, elsewhere, INPUTS[:4])


def test_units_that_were_nan_are_not_idle() -> None:
    census = Census({"relu_a": ActivationCounts(np.array([0] * 6 + [1] * 6), 4, nonfinite=3)})
    with pytest.raises(
        InputError, match="3 of 4 samples had NaN or infinite ones, which count as idle"
    ):
        prune(half_idle(), census, INPUTS[:4])
