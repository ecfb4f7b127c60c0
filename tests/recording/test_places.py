"""Kinds of places that hold units, in real architectures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from actilaw import record
from actilaw.recording.places import find_places
from builders.recorded import (
    INPUTS,
    PADDING,
    TOKENS,
    above_a_tenth,
    by_hand,
    kept_activations,
    recorded,
    tiny_language_model,
)


@pytest.mark.slow
@pytest.mark.parametrize("per", ["sample", "token"])
@pytest.mark.parametrize(
    ("kind", "layer", "at_input"),
    [("llama", "model.layers.1.mlp.down_proj", True), ("gpt2", "transformer.h.1.mlp.act", False)],
)
def test_decoders_without_padding_counted(kind: str, layer: str, at_input: bool, per: str) -> None:
    model = tiny_language_model(kind)
    with record(model, per=per, mask="attention_mask") as recording, torch.no_grad():
        model(TOKENS, attention_mask=PADDING)
    counts = recording.census()[layer]
    x = kept_activations(model, layer, at_input, lambda: model(TOKENS, attention_mask=PADDING))
    expected, samples = by_hand(above_a_tenth(x), PADDING.bool().numpy(), per)
    assert counts.counts.tolist() == expected
    assert counts.samples == samples
    assert counts.criterion == "relative(0.1)"
    assert len(recording.census()) == 2
    assert any("attn" in name for name in recording.uncovered)
    assert not any(name.endswith(("gate_proj", "up_proj", "c_fc")) for name in recording.uncovered)


def test_functional_activations_inside_a_transformer_layer() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, dim_feedforward=30, batch_first=True).eval()
    x = torch.randn(5, 7, 8)
    census = recorded(nn.Sequential(model), [x], per="position")
    hidden = kept_activations(model, "linear2", True, lambda: model(x))
    assert census["0.linear2"].counts.tolist() == (hidden > 0).sum((0, 1)).tolist()


class TopK(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values, indices = x.topk(4, -1)
        return torch.zeros_like(x).scatter(-1, indices, values)


def test_latents_of_a_sparse_autoencoder() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 60), TopK(), nn.Linear(60, 8))
    inputs = torch.randn(100, 8)
    with record(model) as recording:
        model(inputs)
    latents = kept_activations(model, "1", False, lambda: model(inputs))
    assert recording.census()["1"].counts.tolist() == (latents != 0).sum(0).tolist()
    assert recording.census()["1"].active == 4
    assert recording.uncovered == ["2"]


class Gated(nn.Module):
    """A gated feed-forward layer, whose gate has an activation."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.gate_proj, self.up_proj, self.down_proj = (
            nn.Linear(6, 20),
            nn.Linear(6, 20),
            nn.Linear(20, 6),
        )
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x))


@pytest.mark.parametrize(
    ("activation", "criterion"), [(nn.ReLU(), "threshold(0.0)"), (nn.SiLU(), "relative(0.1)")]
)
def test_gated_units_are_what_the_last_projection_takes_in(
    activation: nn.Module, criterion: str
) -> None:
    model = nn.Sequential(Gated(activation))
    census = recorded(model, [INPUTS])
    x = kept_activations(model, "0.down_proj", True, lambda: model(INPUTS))
    active = x != 0 if criterion == "threshold(0.0)" else above_a_tenth(x)
    assert list(census) == ["0.down_proj"]
    assert census["0.down_proj"].criterion == criterion
    assert census["0.down_proj"].counts.tolist() == active.sum(0).tolist()


def test_a_gated_layer_that_is_itself_the_model_has_names_without_a_leading_dot() -> None:
    points = find_places(Gated(nn.SiLU())).points
    assert list(points) == ["down_proj"]  # and its activation is not counted beside it
    assert points["down_proj"].at_input
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=30)
    assert list(find_places(layer).points) == ["linear2"]
    model = Gated(nn.SiLU())
    with record(model) as recording:
        model(INPUTS)
    assert recording.uncovered == ["down_proj"]


def test_the_first_rule_that_knows_a_module_decides() -> None:
    class Router(nn.Linear):
        top_k, num_experts = 2, 4

    class Layer(nn.Module):
        """A router beside listed experts, each a gated layer."""

        def __init__(self) -> None:
            super().__init__()
            self.gate = Router(6, 4)
            self.experts = ListedExperts(Gated(nn.SiLU()) for _ in range(4))

    class ListedExperts(nn.ModuleList):
        pass

    points = find_places(nn.Sequential(Layer(), nn.Linear(6, 9), nn.ReLU())).points
    assert list(points) == ["0.gate", "2"]
    assert str(points["0.gate"].criterion) == "top(2)"
    assert points["0.gate"].chooses_experts
