"""What cannot be recorded is refused by a sentence that says what was expected and what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from actilaw import Census, Positive, Threshold, record
from actilaw.errors import ActilawError


def _mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2))


class _NoUnits(nn.Module):
    """Weights, but no activation of any kind."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x) + x)


def _census(model: Any, **arguments: Any) -> Census:
    with record(model, **arguments) as recording:
        model(torch.randn(5, 6))
    return recording.census()


def _assert_refused(model: Any, **arguments: Any) -> None:
    """By an error of actilaw's, whose text is one sentence."""
    with pytest.raises(ActilawError) as refused:
        _census(model, **arguments)
    text = str(refused.value)
    assert len(text) > 30, text
    assert "\n" not in text, text


@pytest.mark.parametrize(
    "criterion",
    [
        0.1,
        3,
        None,
        True,
        [],
        [Positive(), 0.1],
        [Threshold(0.1), Threshold(0.1)],
        "relative",
        "relative(2)",
        "top(0)",
        "",
        {"1": "positive"},
        torch.tensor(0.1),
    ],
)
def test_what_is_no_rule(criterion: Any) -> None:
    _assert_refused(_mlp(), criterion=criterion)


@pytest.mark.parametrize(
    "layers",
    [3, None, [nn.ReLU()], nn.ReLU(), [1], [], "", "9", ["1", "9"], lambda name, module: False],
)
def test_what_names_no_layer(layers: Any) -> None:
    _assert_refused(_mlp(), layers=layers)


@pytest.mark.parametrize(
    "arguments",
    [
        {"per": "pixel"},
        {"per": None},
        {"per": 1},
        {"mask": 3},
        {"mask": torch.ones(3)},
        {"mask": ["input"]},
        {"mask": "inputs"},
        {"mask": lambda input: None},
        {"mask": lambda input: True},
        {"resume": "layers.census"},
    ],
)
def test_other_arguments(arguments: dict[str, Any]) -> None:
    _assert_refused(_mlp(), **arguments)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.jit.script(_mlp()),
        lambda: torch.jit.trace(_mlp(), torch.randn(3, 6)),
        _NoUnits,
        lambda: nn.Linear(6, 6),
        lambda: nn.LSTM(6, 6),
        lambda: nn.Sequential(),
        lambda: nn.Identity(),
        lambda: None,
        lambda: nn.ReLU,
        lambda: [_mlp()],
        lambda: torch.relu,
    ],
)
def test_what_is_no_model_or_has_no_units(make: Callable[[], Any]) -> None:
    _assert_refused(make())


def test_a_rule_that_returns_another_shape() -> None:
    _assert_refused(_mlp(), criterion=lambda x: x.sum(-1) > 0)


def test_a_recording_that_is_entered_twice() -> None:
    model = _mlp()
    with record(model) as recording:
        with pytest.raises(ActilawError, match="already running"), recording:
            pass
        model(torch.randn(5, 6))
    assert recording.census()["1"].samples == 5


def test_words_for_rules_are_those_that_the_rules_print() -> None:
    model, x = _mlp(), torch.randn(9, 6)
    for words in ("positive", "threshold(0.25)", "relative(0.1)", "top(3)"):
        with record(model, criterion=words) as recording:
            model(x)
        assert recording.census()["1"].criterion == words
