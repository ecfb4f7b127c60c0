"""Removal that would change outputs is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softmax

from actilaw import ActivationCounts, Census, prune
from actilaw.errors import InputError, ModelError
from builders.prunable import INPUTS, half_idle


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
        return hidden if self.middle == "output" else self.down(hidden)


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        ("norm", "to feed Linear layers alone, but they also feed norm"),
        ("softmax", "outputs differ by .* the units reach the output by another way"),
        ("shift", "outputs differ by .* the units reach the output by another way"),
        ("output", r"outputs of the same shape, but \(4, 6\) became \(4, 3\)"),
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


def test_a_model_without_gradients_to_follow_is_refused_in_a_sentence() -> None:
    class Closed(Net):
        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)

    with pytest.raises(
        ModelError, match="torch-pruning can follow along their gradients, but it failed with"
    ):
        prune(
            Closed("plain"),
            Census({"relu": ActivationCounts(np.array([0, 3, 0, 2, 0, 1]), 64)}),
            torch.rand(4, 6),
        )


def test_a_census_of_another_model_or_rule_is_refused() -> None:
    model = half_idle()
    with pytest.raises(
        InputError, match="has 12 units but the census counted 2: record the same model"
    ):
        prune(model, Census({"relu_a": ActivationCounts(np.array([0, 1]), 4)}), INPUTS[:4])
    counts = ActivationCounts(np.array([0] * 6 + [1] * 6), 4, criterion="threshold(0.1)")
    with pytest.raises(InputError, match=r"counted by the rule threshold\(0.1\)"):
        prune(model, Census({"relu_a": counts}), INPUTS[:4])


def test_units_that_were_nan_are_not_idle() -> None:
    census = Census({"relu_a": ActivationCounts(np.array([0] * 6 + [1] * 6), 4, nonfinite=3)})
    with pytest.raises(
        InputError, match="3 of 4 samples had NaN or infinite ones, which count as idle"
    ):
        prune(half_idle(), census, INPUTS[:4])
