"""Layers that are no rectifier after a Linear layer are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import ActivationCounts, Census, prune
from actilaw.errors import ModelError
from builders.prunable import INPUTS, half_idle


def test_units_after_a_convolution_are_refused() -> None:
    model = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(ModelError, match="to come straight from a Linear layer, not from Conv1d"):
        prune(
            model, Census({"1": ActivationCounts(np.array([0, 1, 2, 0]), 4)}), torch.rand(2, 1, 5)
        )


def test_layers_that_are_no_rectifier_of_the_model_are_refused() -> None:
    model = half_idle()
    with pytest.raises(
        ModelError, match=r"expected layer 'b' to be a rectifier .* but it is Linear"
    ):
        prune(model, Census({"b": ActivationCounts(np.array([0] * 4 + [1] * 4), 4)}), INPUTS[:4])
    with pytest.raises(ModelError, match="no module of the model"):
        prune(model, Census({"elsewhere": ActivationCounts(np.array([0, 1]), 4)}), INPUTS[:4])
