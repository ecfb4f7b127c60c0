"""Counts by hooks against brute force: every activation kept, then counted in NumPy."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from actilaw import Threshold, record
from actilaw.errors import CountsError, InputError, ModelError


def mlp(inplace: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 40),
        nn.ReLU(inplace),
        nn.Dropout(0.5),
        nn.Linear(40, 30),
        nn.ReLU6(inplace),
        nn.Linear(30, 3),
    )


def brute_force(model: nn.Module, names: list[str], batches: list[Tensor]) -> dict[str, np.ndarray]:
    """All outputs of the named modules, as arrays, batches joined."""
    kept: dict[str, list[np.ndarray]] = {name: [] for name in names}
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: kept[name].append(out.detach().numpy().copy())
        )
        for name, module in model.named_modules()
        if name in names
    ]
    for batch in batches:
        model(batch)
    for hook in hooks:
        hook.remove()
    return {name: np.concatenate(outputs) for name, outputs in kept.items()}


@pytest.mark.parametrize("inplace", [False, True])
def test_counts_of_a_multilayer_perceptron(inplace: bool) -> None:
    model = mlp(inplace).eval()
    batches = list(torch.randn(50, 6).split(16))
    with record(model) as recording:
        for batch in batches:
            model(batch)
    census = recording.census()
    assert list(census) == ["1", "4"]
    for name, activations in brute_force(mlp().eval(), ["1", "4"], batches).items():
        np.testing.assert_array_equal(census[name].counts, (activations > 0).sum(0))
        assert census[name].samples == 50
        assert (census[name].criterion, census[name].per, census[name].nonfinite) == (
            "positive",
            "sample",
            0,
        )


@pytest.mark.parametrize("per", ["sample", "position"])
def test_channels_of_a_convolution(per: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 7), nn.ReLU()
    )
    model.eval()
    images = torch.randn(20, 1, 8, 8) - 1
    with record(model, per=per) as recording:
        model(images)
    census = recording.census()
    active = brute_force(model, ["2"], [images])["2"] > 0  # (samples, channels, height, width)
    by_hand = active.any((2, 3)).sum(0) if per == "sample" else active.sum((0, 2, 3))
    np.testing.assert_array_equal(census["2"].counts, by_hand)
    assert census["2"].samples == (20 if per == "sample" else 20 * 36)
    assert census["5"].units == 7


@pytest.mark.parametrize("per", ["sample", "position"])
@pytest.mark.parametrize("masked", [False, True])
def test_sequences_with_and_without_padding(per: str, masked: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 25), nn.ReLU(), nn.Linear(25, 4))
    tokens = torch.randn(10, 7, 4)
    padding = torch.arange(7) < torch.randint(
        0, 8, (10, 1)
    )  # (samples, positions), some samples all padding
    keep = padding if masked else torch.ones_like(padding)
    with record(model, per=per, mask=(lambda inputs: padding) if masked else None) as recording:
        model(tokens)
    counts = recording.census()["1"]
    active = (brute_force(model, ["1"], [tokens])["1"] > 0) & keep.numpy()[..., None]
    by_hand = active.any(1).sum(0) if per == "sample" else active.sum((0, 1))
    np.testing.assert_array_equal(counts.counts, by_hand)
    assert counts.samples == int(keep.any(1).sum() if per == "sample" else keep.sum())


def test_a_mask_sees_the_models_own_arguments() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor, *, attention_mask: Tensor) -> Tensor:
            return self.relu(x)

    model, x = Masked(), torch.ones(3, 2)
    with record(model, mask=lambda x, attention_mask: attention_mask) as recording:
        model(x, attention_mask=torch.tensor([1, 0, 1]))
    assert recording.census()["relu"].counts.tolist() == [2, 2]
    assert recording.census()["relu"].samples == 2


def test_recording_changes_nothing_in_the_model() -> None:
    inputs = torch.randn(12, 6)

    def one_step(recorded: bool) -> tuple[Tensor, list[Tensor], Tensor]:
        model = mlp().train()
        model.insert(1, nn.BatchNorm1d(40))
        torch.manual_seed(1)
        if recorded:
            with record(model):
                outputs = model(inputs)
        else:
            outputs = model(inputs)
        outputs.square().sum().backward()
        state = [p.grad for p in model.parameters()] + list(model.buffers())
        return outputs, state, torch.get_rng_state()

    (plain, plain_state, plain_rng), (outputs, state, rng) = one_step(False), one_step(True)
    assert torch.equal(plain, outputs)
    assert torch.equal(plain_rng, rng)
    assert all(torch.equal(a, b) for a, b in zip(plain_state, state, strict=True))


def test_no_hook_is_left_behind_even_after_an_error() -> None:
    model = mlp()
    recording = record(model)
    with recording:
        model(torch.randn(8, 6))
    with pytest.raises(RuntimeError), recording:
        model(torch.randn(8, 5))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert recording.census()["1"].samples == 8  # what came before the error is kept


def test_a_census_may_be_asked_for_while_recording() -> None:
    model, inputs = mlp().eval(), torch.randn(30, 6)
    with record(model) as recording:
        model(inputs[:10])
        early = recording.census()
        model(inputs[10:])
    assert (early["1"].samples, recording.census()["1"].samples) == (10, 30)
    with record(model) as first:
        model(inputs[:10])
    np.testing.assert_array_equal(early["1"].counts, first.census()["1"].counts)


def test_nan_and_infinite_activations_are_counted_not_hidden() -> None:
    model = nn.Sequential(OrderedDict(relu=nn.ReLU()))
    x = torch.ones(4, 2)
    x[1, 0], x[2, 1], x[3, 0] = (
        torch.nan,
        torch.inf,
        -torch.inf,
    )  # a rectifier turns the last into zero
    with record(model) as recording:
        model(x)
    assert recording.census()["relu"].nonfinite == 2


def test_a_threshold_counts_magnitudes_and_is_written_down() -> None:
    model = nn.Sequential(nn.GELU())
    with record(model, layers="0", criterion=Threshold(0.5)) as recording:
        model(torch.tensor([[3.0, -0.1, 0.2], [1.0, -3.0, 0.7]]))
    counts = recording.census()["0"]
    assert counts.counts.tolist() == [2, 0, 1 if 0.7 * 0.758 > 0.5 else 0]
    assert counts.criterion == "threshold(0.5)"


def test_layers_by_name_glob_list_and_function() -> None:
    model, inputs = mlp().eval(), torch.randn(3, 6)
    for layers, names in [
        ("4", ["4"]),
        ("[14]", ["1", "4"]),
        (["1", "4"], ["1", "4"]),
        (lambda name, module: isinstance(module, nn.ReLU6), ["4"]),
    ]:
        with record(model, layers=layers) as recording:
            model(inputs)
        assert list(recording.census()) == names


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        (
            nn.Sequential(nn.Linear(2, 2)),
            {},
            ModelError,
            "expected a model with a layer of units, but layers='auto'",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"layers": "relu"},
            ModelError,
            r"layers='relu' matches none of the 1 modules",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"layers": ["0", "rleu"]},
            ModelError,
            r"layers that the model has, but 'rleu' matches",
        ),
        (
            "gpt2",
            {},
            ModelError,
            "expected a torch module to record, but got str: load the model first",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"criterion": [3]},
            InputError,
            r"expected rules such as .* but got \[3\]",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"per": "pixel"},
            InputError,
            "per='sample', 'position' or 'token', but got 'pixel'",
        ),
        (nn.Sequential(nn.ReLU()), {"criterion": "big"}, InputError, "but got 'big'"),
    ],
)
def test_models_and_arguments_that_make_no_sense(
    model: nn.Module, arguments: dict, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        record(model, **arguments)


def test_nothing_recorded_is_said() -> None:
    with record(mlp()) as recording:
        pass
    with pytest.raises(CountsError, match="nothing was recorded in 1, 4: run the model"):
        recording.census()


def test_a_module_that_serves_two_widths_is_refused() -> None:
    model = nn.Sequential(OrderedDict(relu=nn.ReLU()))
    with record(model) as recording:
        model(torch.randn(2, 3))
        with pytest.raises(InputError, match="'relu' had 3 units so far but 4 now"):
            model(torch.randn(2, 4))
    assert recording.census()["relu"].samples == 2


def test_a_mask_of_the_wrong_shape_is_refused() -> None:
    model = nn.Sequential(nn.ReLU())
    with (
        record(model, mask=lambda x: torch.ones(5)),
        pytest.raises(InputError, match=r"here \(2, 1\), .* got \(5, 1\)"),
    ):
        model(torch.randn(2, 3))
