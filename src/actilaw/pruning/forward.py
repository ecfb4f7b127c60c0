"""Running a model on the example inputs, without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn

from actilaw.errors import ModelError


class _Hook(Protocol):
    """What registering a hook returns."""

    def remove(self) -> None: ...


def output(model: nn.Module, inputs: tuple[Any, ...]) -> torch.Tensor:
    """What the model returns for the inputs, without gradients.

    Raises:
        ModelError: if that is not one tensor.
    """
    with torch.no_grad():
        returned = model(*inputs)
    if not isinstance(returned, torch.Tensor):
        raise ModelError(
            f"expected a model that returns one tensor, but it returned {type(returned).__name__}"
        )
    return returned


def output_with_hooks(
    model: nn.Module, inputs: tuple[Any, ...], hooks: Iterable[_Hook]
) -> torch.Tensor:
    """The same for a model with hooks, which are removed afterwards whatever happens."""
    try:
        return output(model, inputs)
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout) inside the block; every module's own mode comes back after
    it.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
