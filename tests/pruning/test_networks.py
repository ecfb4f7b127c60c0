"""Every architecture that people have: units that were never active go, and outputs stay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actilaw import Census, PruneResult, load_pruned, prune, record
from actilaw.pruning.forward import call, outputs
from builders.prunable_networks import NETWORKS, OF_LIBRARIES, Network, made, perceptron

SLOW = [
    pytest.param(build, marks=pytest.mark.slow) if build in OF_LIBRARIES else build
    for build in NETWORKS
]


def census_of(network: Network) -> Census:
    with torch.no_grad(), record(network.model, **network.record) as recording:
        call(network.model, network.inputs)
    return recording.census()


def pruned(network: Network) -> PruneResult:
    return prune(network.model, census_of(network), network.inputs)


def returned(model: nn.Module, inputs: object) -> Tensor:
    with torch.no_grad():
        return outputs(call(model, inputs))[0]


@pytest.mark.slow
@pytest.mark.parametrize("build", SLOW)
def test_outputs_on_recorded_samples_stay(build: Callable[[], Network]) -> None:
    network = made(build)
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    result = pruned(network)
    expected = returned(network.model, network.inputs)
    assert result.units_removed >= network.least
    assert result.parameters_after < result.parameters_before
    scale = float(expected.abs().max())
    found = returned(result.model, network.inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6 * scale)
    for name, value in network.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    verified = result.verify([network.inputs])
    assert verified.exact
    assert verified.affected == 0
    assert verified.largest_change <= 2e-6 * scale


@pytest.mark.slow
@pytest.mark.parametrize("build", SLOW)
def test_saved_and_loaded_it_returns_the_same(build: Callable[[], Network], tmp_path) -> None:
    network = made(build)
    result = pruned(network)
    result.save(tmp_path)
    loaded = load_pruned(lambda: made(build).model, tmp_path)
    assert torch.equal(returned(loaded, network.inputs), returned(result.model, network.inputs))
    assert {name: value.shape for name, value in loaded.named_parameters()} == {
        name: value.shape for name, value in result.model.named_parameters()
    }


@pytest.mark.slow
def test_saved_and_loaded_in_a_fresh_process(tmp_path) -> None:
    network = made(perceptron)
    result = pruned(network)
    result.save(tmp_path / "smaller")
    torch.save(network.inputs, tmp_path / "inputs.pt")
    code = (
        "import sys, torch\n"
        "from actilaw import load_pruned\n"
        "from builders.prunable_networks import made, perceptron\n"
        f"model = load_pruned(lambda: made(perceptron).model, {str(tmp_path / 'smaller')!r})\n"
        f"inputs = torch.load({str(tmp_path / 'inputs.pt')!r})\n"
        f"torch.save(model(inputs).detach(), {str(tmp_path / 'outputs.pt')!r})\n"
    )
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=where)
    assert torch.equal(torch.load(tmp_path / "outputs.pt"), returned(result.model, network.inputs))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama", "mixtral", "vision_transformer"])
def test_models_of_transformers_save_themselves(name: str, tmp_path) -> None:
    build = next(build for build in NETWORKS if build.__name__ == name)
    network = made(build)
    result = prune(network.model, census_of(network), network.inputs, equal_widths=True)
    assert result.units_removed
    result.model.save_pretrained(tmp_path)
    loaded = type(network.model).from_pretrained(tmp_path).eval()
    torch.testing.assert_close(
        returned(loaded, network.inputs), returned(result.model, network.inputs)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["perceptron", "residual_network_18"])
def test_parameters_are_those_that_torch_pruning_removes(name: str) -> None:
    """The same units, by the dependency graph of torch-pruning, which follows gradients."""
    tp = pytest.importorskip("torch_pruning")
    build = next(build for build in NETWORKS if build.__name__ == name)
    network = made(build)
    result = pruned(network)
    theirs = made(build).model.requires_grad_(True)
    graph = tp.DependencyGraph().build_dependency(theirs, example_inputs=network.inputs)
    makers = (
        {"1": "0", "4": "3"}
        if name == "perceptron"
        else {
            "relu": "conv1",
            **{
                f"{block}.relu#{number}": f"{block}.conv{number + 1}"
                for block in (f"layer{i}.{j}" for i in range(1, 5) for j in range(2))
                for number in range(2)
                if not (number == 1 and block.endswith(".1"))  # a stream goes once
                and not (number == 1 and block == "layer1.0")
            },
        }
    )
    for layer, maker in makers.items():
        module = theirs.get_submodule(maker)
        prune_out = (
            tp.prune_linear_out_channels
            if isinstance(module, nn.Linear)
            else tp.prune_conv_out_channels
        )
        graph.get_pruning_group(module, prune_out, idxs=result.removed[layer].tolist()).prune()
    ours = dict(result.model.named_parameters())
    for name_of, value in theirs.named_parameters():
        assert torch.equal(value, ours[name_of]), name_of


def test_units_of_a_stream_go_where_all_layers_agree() -> None:
    """A unit that is idle in one layer of a residual stream and works in another stays."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.act, self.add = nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)
            self.out = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.out(x + self.add(self.act(self.into(x))))

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), Block(), nn.Linear(6, 2))
    with torch.no_grad():
        model[0].bias[:3] = -100
        model[2].add.bias[:2] = -100
    inputs = torch.rand(50, 4)
    with record(model) as recording:
        model(inputs)
    census = recording.census()
    both = np.intersect1d(census["1"].idle_units, census["2.out"].idle_units)
    assert census["1"].idle > both.size
    result = prune(model, census, inputs)
    assert result.removed["1"].tolist() == both.tolist() == result.removed["2.out"].tolist()
    assert result.model[0].out_features == 6 - both.size
    assert "other layers share them" in result.summary().attrs["remarks"][0]
    torch.testing.assert_close(result.model(inputs), model(inputs), rtol=0, atol=1e-6)
