"""The smaller model returns what the model returns, and the model is untouched."""

from __future__ import annotations

import copy
import dataclasses
import threading

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import Census, prune
from actilaw.errors import InputError, ModelError
from actilaw.recording.fingerprint import weights_fingerprint
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


def with_weights(model: nn.Module) -> Census:
    """A census that knows its network."""
    return dataclasses.replace(census_of(model, INPUTS), weights=weights_fingerprint(model))


def test_a_census_of_other_weights_is_refused() -> None:
    """Another model, and the same one a step of training later."""
    model = half_idle()
    census = with_weights(model)
    assert prune(model, census, INPUTS).weights_compared
    for name in ("weight", "bias"):
        later = copy.deepcopy(model)
        with torch.no_grad():
            getattr(later.c, name).add_(1e-6)
        said = r"recorded with other weights or buffers \(fingerprint [0-9a-f]{32}, this model's is"
        with pytest.raises(InputError, match=said):
            prune(later, census, INPUTS)


def test_other_buffers_are_another_model() -> None:
    model = half_idle()
    model.register_buffer("scale", torch.ones(1))
    census = with_weights(model)
    model.scale += 1
    with pytest.raises(InputError, match="record this model and prune with that"):
        prune(model, census, INPUTS)


@pytest.mark.parametrize("regime", ["training", "mixed"])
def test_a_census_of_a_model_in_training_is_refused(regime: str) -> None:
    model = half_idle()
    layers = {
        name: dataclasses.replace(counts, regime=regime)
        for name, counts in census_of(model, INPUTS).items()
    }
    with pytest.raises(InputError, match=rf"while weights changed \(regime {regime}\)"):
        prune(model, Census(layers), INPUTS)


def test_a_census_that_does_not_know_its_network_is_taken_with_a_remark() -> None:
    model = half_idle()
    result = prune(model, dataclasses.replace(with_weights(model), weights=None), INPUTS)
    remark = "census not compared with the weights"
    assert remark in str(result.summary())
    assert remark in repr(result)
    assert remark not in repr(dataclasses.replace(result, weights_compared=True))
    assert remark not in str(prune(model, with_weights(model), INPUTS).summary())


@pytest.mark.slow
def test_wrapped_models_are_pruned_inside() -> None:
    model = half_idle()
    census = with_weights(model)
    bare = prune(model, census, INPUTS)
    in_place = copy.deepcopy(model)
    in_place.compile()
    for wrapped in (torch.compile(model), in_place):
        result = prune(wrapped, census, INPUTS)
        assert type(result.model) is nn.Sequential
        assert torch.equal(result.model(INPUTS), bare.model(INPUTS))


def test_distributed_models_are_pruned_inside(tmp_path) -> None:
    model = half_idle()
    census = with_weights(model)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1
    )
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        assert type(prune(wrapped, census, INPUTS).model) is nn.Sequential
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_models_without_ordinary_weights_are_refused() -> None:
    model = half_idle()
    census = dataclasses.replace(with_weights(model), weights=None)
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})
    whole = copy.deepcopy(model).requires_grad_(False)
    whole.a.weight = nn.Parameter(whole.a.weight.to(torch.int8), requires_grad=False)
    refusals = {
        "'a' .* is quantised: prune the model before": [quantised, whole],
        "is scripted or traced": [torch.jit.script(model), torch.jit.trace(model, INPUTS)],
        "expected a torch module to prune, but got str": ["model"],
    }
    for said, models in refusals.items():
        for refused in models:
            with pytest.raises(ModelError, match=said):
                prune(refused, census, INPUTS)
    model.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(ModelError, match=r"expected a model that copy\.deepcopy can copy"):
        prune(model, census, INPUTS)
    with pytest.raises(InputError, match=r"expected a Census, .* but got dict"):
        prune(half_idle(), dict(census), INPUTS)  # type: ignore[arg-type]
