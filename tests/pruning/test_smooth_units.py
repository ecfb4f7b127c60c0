"""Units that are idle without being zero are held at their mean output, in the next bias."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import prune, record
from builders.prunable_networks import gpt2, llama, made


def smooth() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 12), nn.GELU(), nn.Linear(12, 3))
    with torch.no_grad():
        model[0].weight[::4] *= 0.05
        model[0].bias[::4] = -0.7
        model[0].weight[1] = 3.0
        model[0].bias[1] = 3.0
    return model


@pytest.mark.parametrize("given", [False, True])
def test_the_mean_goes_into_the_next_bias(given: bool) -> None:
    model, inputs, more = smooth(), torch.rand(30, 4), torch.rand(500, 4)
    with record(model, criterion="relative(0.2)") as recording:
        model(inputs)
    census = recording.census()
    idle = census["1"].idle_units
    assert idle.size
    result = prune(model, census, inputs, batches=None)
    assert not result.exact
    kept = np.setdiff1d(np.arange(12), idle)
    mean = nn.functional.gelu(model[0](inputs))[:, idle].mean(0)
    bias = model[2].bias + model[2].weight[:, idle] @ mean
    torch.testing.assert_close(result.model[2].bias, bias)
    assert torch.equal(result.model[2].weight, model[2].weight[:, kept])
    if given:  # of other data, from which kept units also stand in
        with_more = prune(model, census, inputs, batches=[more[:200], more[200:]])
        changes = [
            float((one.model(more) - model(more)).square().mean()) for one in (result, with_more)
        ]
        assert changes[1] < changes[0]


@pytest.mark.slow
def test_units_that_are_exactly_zero_need_no_mean() -> None:
    network = made(gpt2)
    with torch.no_grad(), record(network.model, criterion="threshold(0.0)") as recording:
        network.model(**network.inputs)
    result = prune(network.model, recording.census(), network.inputs)
    assert result.exact
    old, new = network.model.transformer.h[0].mlp, result.model.transformer.h[0].mlp
    assert torch.equal(old.c_proj.bias, new.c_proj.bias)
    kept = np.setdiff1d(np.arange(64), result.removed["transformer.h.0.mlp.act"])
    assert torch.equal(new.c_proj.weight, old.c_proj.weight[kept])
    assert new.c_fc.nf == len(kept)


@pytest.mark.slow
def test_a_layer_without_bias_gets_one_unless_it_has_to_keep_its_architecture() -> None:
    network = made(llama)
    with torch.no_grad(), record(network.model, criterion="relative(0.9)") as recording:
        network.model(network.inputs)
    census = recording.census()
    free = prune(network.model, census, network.inputs)
    assert free.model.model.layers[0].mlp.down_proj.bias is not None
    fixed = prune(network.model, census, network.inputs, equal_widths=True)
    assert fixed.model.model.layers[0].mlp.down_proj.bias is None
    assert (
        fixed.model.config.intermediate_size == fixed.model.model.layers[1].mlp.up_proj.out_features
    )
