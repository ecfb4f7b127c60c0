from __future__ import annotations

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softmax

from actilaw import ActivationCounts, Census, prune, record
from actilaw.errors import InputError, ModelError


def half_idle() -> nn.Sequential:
    """5 → 12 → 8 → 3 with some units that cannot fire on inputs in 0..1."""
    torch.manual_seed(0)
    model = nn.Sequential(
        OrderedDict(
            a=nn.Linear(5, 12),
            relu_a=nn.ReLU(),
            b=nn.Linear(12, 8),
            relu_b=nn.ReLU(),
            c=nn.Linear(8, 3),
        )
    )
    with torch.no_grad():
        model.a.bias[::3] = -100
        model.b.bias[[1, 5]] = -100
    return model


def census_of(model: nn.Module, inputs: Tensor, **arguments) -> Census:
    with record(model, **arguments) as recording:
        model(inputs)
    return recording.census()


INPUTS = torch.rand(64, 5, generator=torch.Generator().manual_seed(0))


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


def test_summary_tells_before_and_after() -> None:
    model = half_idle()
    census = census_of(model, INPUTS, layers="relu_a")
    table = prune(model, census, INPUTS[:4]).summary()
    assert table.loc["units in relu_a", "before"] == 12
    assert table.loc["units in relu_a", "after"] == census["relu_a"].working
    assert table.loc["parameters", "before"] == sum(p.numel() for p in model.parameters())


def test_a_layer_in_which_nothing_fires_keeps_one_unit() -> None:
    model = half_idle()
    with torch.no_grad():
        model.b.bias[:] = -100
    result = prune(model, census_of(model, INPUTS), INPUTS[:4])
    assert result.model.b.out_features == 1
    torch.testing.assert_close(result.model(INPUTS), model(INPUTS))


def test_nothing_idle_removes_nothing() -> None:
    model = half_idle()
    census = Census({"relu_a": ActivationCounts(np.ones(12, int), 64)})
    result = prune(model, census, INPUTS[:4])
    assert result.units_removed == 0
    assert result.parameters_after == result.parameters_before


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


def test_a_census_of_another_model_or_rule_is_refused() -> None:
    model = half_idle()
    with pytest.raises(
        InputError, match="has 12 units but the census counted 2: record the same model"
    ):
        prune(model, Census({"relu_a": ActivationCounts(np.array([0, 1]), 4)}), INPUTS[:4])
    counts = ActivationCounts(np.array([0] * 6 + [1] * 6), 4, criterion="threshold(0.1)")
    with pytest.raises(InputError, match=r"counted by the rule threshold\(0.1\)"):
        prune(model, Census({"relu_a": counts}), INPUTS[:4])
    with pytest.raises(
        ModelError, match=r"expected layer 'b' to be a rectifier .* but it is Linear"
    ):
        prune(model, Census({"b": ActivationCounts(np.array([0] * 4 + [1] * 4), 4)}), INPUTS[:4])
    with pytest.raises(ModelError, match="no module of the model"):
        prune(model, Census({"elsewhere": ActivationCounts(np.array([0, 1]), 4)}), INPUTS[:4])


def test_units_after_a_convolution_are_refused() -> None:
    model = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(ModelError, match="to come straight from a Linear layer, not from Conv1d"):
        prune(
            model, Census({"1": ActivationCounts(np.array([0, 1, 2, 0]), 4)}), torch.rand(2, 1, 5)
        )


def test_units_that_were_nan_are_not_idle() -> None:
    census = Census({"relu_a": ActivationCounts(np.array([0] * 6 + [1] * 6), 4, nonfinite=3)})
    with pytest.raises(
        InputError, match="3 of 4 samples had NaN or infinite ones, which count as idle"
    ):
        prune(half_idle(), census, INPUTS[:4])


def test_examples_that_are_none_are_refused() -> None:
    model = half_idle()
    for examples in (INPUTS[:0], [1.0, 2.0], None):
        with pytest.raises(
            InputError, match="expected example inputs that are tensors with at least one sample"
        ):
            prune(model, census_of(model, INPUTS), examples)


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
