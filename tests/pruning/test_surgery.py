"""The smaller model returns what the model returns, and the model is untouched."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import prune
from actilaw.errors import InputError
from builders.prunable import INPUTS, census_of, half_idle


def test_outputs_on_recorded_samples_stay_and_matrices_shrink() -> None:
    model = half_idle()
    census = census_of(model, INPUTS)
    result = prune(model, census, INPUTS[:4])
    k_a, k_b = census["relu_a"].working, census["relu_b"].working
    assert k_a <= 8
    assert k_b <= 6
    assert result.model.a.weight.shape == (k_a, 5)
    assert result.model.b.weight.shape == (k_b, k_a)
    assert result.model.c.weight.shape == (3, k_b)
    assert result.parameters_after == (k_a * 5 + k_a) + (k_b * k_a + k_b) + (3 * k_b + 3)
    torch.testing.assert_close(result.model(INPUTS), model(INPUTS), rtol=0, atol=1e-6)
    for name, counts in census.items():
        np.testing.assert_array_equal(result.removed[name], np.flatnonzero(counts.counts == 0))


def test_the_kept_weights_are_those_of_the_working_units() -> None:
    model = half_idle()
    census = census_of(model, INPUTS, layers="relu_a")
    result = prune(model, census, INPUTS[:4])
    working = torch.as_tensor(np.flatnonzero(census["relu_a"].counts))
    assert torch.equal(result.model.a.weight, model.a.weight[working])
    assert torch.equal(result.model.b.weight, model.b.weight[:, working])


def test_the_given_model_is_untouched() -> None:
    model = half_idle().train()
    model.a.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    result = prune(model, census_of(model, INPUTS), INPUTS[:4])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training
    assert result.model.training
    assert not result.model.a.weight.requires_grad
    assert result.model.b.weight.requires_grad
    assert not any(
        m._forward_hooks or m._forward_pre_hooks
        for m in [*model.modules(), *result.model.modules()]
    )


def test_sequences_and_dropout_between_the_linear_layers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Dropout(0.3), nn.Linear(10, 2)).eval()
    with torch.no_grad():
        model[0].bias[:5] = -100
    tokens = torch.rand(3, 7, 4)
    result = prune(model, census_of(model, tokens), tokens)
    assert result.model[0].out_features <= 5
    torch.testing.assert_close(result.model(tokens), model(tokens), rtol=0, atol=1e-6)


def test_examples_that_are_none_are_refused() -> None:
    model = half_idle()
    for examples in (INPUTS[:0], [1.0, 2.0], None):
        with pytest.raises(
            InputError, match="expected example inputs that are tensors with at least one sample"
        ):
            prune(model, census_of(model, INPUTS), examples)
