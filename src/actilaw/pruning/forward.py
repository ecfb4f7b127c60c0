"""Running a model on inputs, without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.errors import InputError, ModelError


def checked_inputs(example_inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The model's positional and keyword arguments, from a tensor, a tuple or a mapping of them.

    Raises:
        InputError: if there is no tensor with at least one sample among them.
    """
    args, kwargs = arguments(example_inputs)
    tensors = list(tensors_in((*args, *kwargs.values())))
    if tensors and all(tensor.numel() for tensor in tensors):
        return args, kwargs
    values = (*args, *kwargs.values())
    came = ", ".join(
        str(tuple(x.shape)) if isinstance(x, Tensor) else type(x).__name__ for x in values
    )
    raise InputError(
        "expected example inputs that are tensors with at least one sample, but got "
        f"{came or 'none'}"
    )


def arguments(batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A batch as positional and keyword arguments of a model."""
    if isinstance(batch, Mapping):
        return (), dict(batch)
    return (tuple(batch) if isinstance(batch, tuple) else (batch,)), {}


def call(model: nn.Module, batch: Any) -> Any:
    """What the model returns for a batch: a tensor, a tuple, or a mapping of its arguments."""
    args, kwargs = arguments(batch)
    return model(*args, **kwargs)


def outputs(returned: Any) -> list[Tensor]:
    """The floating-point tensors of what a model returned, in order.

    Raises:
        ModelError: if there is none.
    """
    found = [tensor for tensor in tensors_in(returned) if tensor.is_floating_point()]
    if not found:
        raise ModelError(
            f"expected a model that returns tensors, but it returned {type(returned).__name__}"
        )
    return found


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in a value, inside mappings, lists, tuples and data classes."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from tensors_in([getattr(value, part.name) for part in fields(value)])


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout), no gradients and no fused layers inside the block; every
    module's own mode comes back after it.
    """
    modes = {module: module.training for model in models for module in model.modules()}
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    for model in models:
        model.eval()
    try:
        with torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, training in modes.items():
            module.training = training
