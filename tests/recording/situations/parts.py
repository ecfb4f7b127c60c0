"""Parts of small networks, and inputs, that tell units, samples and positions apart: each unit has
a rate of its own, and each sample and each position a level of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def net(forward: Callable[..., Any], /, **parts: object) -> Any:
    """A module of named parts, in evaluation mode, whose forward pass is a function of it and its
    inputs.
    """
    module = type("Net", (nn.Module,), {"forward": forward})()
    for name, part in parts.items():
        setattr(module, name, part)
    return module.eval()


def spread(module: M, rarer: float = 0.0) -> M:
    """The same module with biases from often to seldom active."""
    bias = module.bias
    assert isinstance(bias, Tensor)
    with torch.no_grad():
        bias.copy_(torch.linspace(0.3, -2.0, len(bias)) - rarer)
    return module


def linear(inputs: int, units: int) -> nn.Linear:
    """A linear layer whose units are active at different rates."""
    return spread(nn.Linear(inputs, units))


def conv(inputs: int, channels: int, size: int = 3, **options: Any) -> nn.Conv2d:
    """A convolution whose channels are active at different rates."""
    return spread(nn.Conv2d(inputs, channels, size, **options), rarer=1.0)


def conv1(inputs: int, channels: int, size: int = 3, **options: Any) -> nn.Conv1d:
    """A convolution along one axis, whose channels are active at different rates."""
    return spread(nn.Conv1d(inputs, channels, size, **options), rarer=0.6)


def samples(number: int, *shape: int) -> Tensor:
    """Random inputs (number, *shape): from faint to strong along the first axis, and along the
    second if there are three or more.
    """
    x = torch.randn(number, *shape) * level(number, 1 + len(shape), axis=0)
    return x * level(shape[0], 1 + len(shape), axis=1) if len(shape) > 1 else x


def images(number: int, channels: int, height: int, width: int) -> Tensor:
    """Random images (number, channels, height, width), from faint to strong, the right of each
    fainter than the left.
    """
    x = torch.randn(number, channels, height, width) * level(number, 4, axis=0)
    return x * level(width, 4, axis=3).flip(3)


def level(length: int, axes: int, *, axis: int) -> Tensor:
    """Factors from 0.3 to 2.5 along one of a number of axes."""
    shape = [1] * axes
    shape[axis] = length
    return torch.linspace(0.3, 2.5, length).reshape(shape)


def channels_last(x: Tensor) -> Tensor:
    """From (samples, channels, positions...) to (samples, positions..., channels)."""
    return x.movedim(1, -1)


def first_words(number: int, positions: int) -> Tensor:
    """Which of (number, positions) are words: between one and all of them, then padding."""
    lengths = 1 + (torch.arange(number) * 7 + 3) % positions
    return torch.arange(positions) < lengths[:, None]
