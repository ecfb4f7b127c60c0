"""Which Linear layer feeds each recorded layer, seen by running the model once with hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from actilaw.errors import ModelError
from actilaw.pruning.forward import output_with_hooks
from actilaw.recording.activation_modules import RECTIFIERS


def linear_producers(
    model: nn.Module, layers: Sequence[str], inputs: tuple[Any, ...]
) -> dict[str, nn.Linear]:
    """The Linear layer whose output each of the layers takes as its input, by name of the layer.

    Raises:
        ModelError: if a layer is no rectifier, or takes in something else.
    """
    modules = dict(model.named_modules())
    for name in layers:
        _require_rectifier(name, modules)
    producers = _producers(model, {name: modules[name] for name in layers}, inputs)
    return {name: _linear(name, producers.get(name)) for name in layers}


def _producers(
    model: nn.Module, layers: Mapping[str, nn.Module], inputs: tuple[Any, ...]
) -> dict[str, nn.Module | None]:
    """The module that made the input of each layer, or None where no module did."""
    made_by: dict[int, nn.Module] = {}
    alive: list[torch.Tensor] = []  # so that no tensor's id is used twice
    producers: dict[str, nn.Module | None] = {}

    def note_output(module: nn.Module, _: Any, made: Any) -> None:
        if isinstance(made, torch.Tensor):
            alive.append(made)
            made_by[id(made)] = module

    def note_input_of(name: str) -> Any:
        def note_input(_: nn.Module, taken: tuple[Any, ...]) -> None:
            producers[name] = made_by.get(id(taken[0]))

        return note_input

    innermost = [module for module in model.modules() if not list(module.children())]
    hooks = [
        *(module.register_forward_hook(note_output) for module in innermost),
        *(layer.register_forward_pre_hook(note_input_of(name)) for name, layer in layers.items()),
    ]
    output_with_hooks(model, inputs, hooks)
    return producers


def _require_rectifier(name: str, modules: Mapping[str, nn.Module]) -> None:
    module = modules.get(name)
    if not isinstance(module, RECTIFIERS):
        came = "no module of the model" if module is None else type(module).__name__
        raise ModelError(
            f"expected layer {name!r} to be a rectifier (ReLU, ReLU6), whose idle units are "
            f"exactly zero, but it is {came}: record the rectifiers alone, "
            "record(model, layers=[...])"
        )


def _linear(name: str, producer: nn.Module | None) -> nn.Linear:
    if not isinstance(producer, nn.Linear):
        came = "something else" if producer is None else type(producer).__name__
        raise ModelError(
            f"expected the units of layer {name!r} to come straight from a Linear layer, not "
            f"from {came}: prune removes units between two Linear layers; "
            "record(model, layers=[...]) without it"
        )
    return producer
