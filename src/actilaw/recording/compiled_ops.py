"""Custom operators of torch (`torch.library.custom_op`), by which compiled code reaches a
recording.

A hook that called Python code would break the graph that `torch.compile` makes; an operator is one
node in it. The operators are declared to write to a tensor, the token, though they leave it as it
is: that keeps the compiler from dropping them or changing their order. Operators take numbers and
tensors alone, so a recording is known to them by a number.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Protocol

import torch
from torch import Tensor


class ForwardCounter(Protocol):
    """What the operators call: something that counts one forward pass after another."""

    def begin(self, mask: Tensor | None, batch: int | None) -> None:
        """A forward pass of the whole model begins, on `batch` samples."""

    def count(self, index: int, output: Tensor) -> None:
        """The layer of this number returned `output`, or took it in."""

    def end(self) -> None:
        """The forward pass is over."""


_numbers = itertools.count()
_counters: weakref.WeakValueDictionary[int, ForwardCounter] = weakref.WeakValueDictionary()


class CompileBridge:
    """A counter of forward passes as compiled code reaches it: by its number."""

    def __init__(self, counter: ForwardCounter) -> None:
        self._key, self._token = next(_numbers), torch.zeros(1)
        _counters[self._key] = counter

    def begin(self, mask: Tensor | None, batch: int) -> None:
        """A forward pass begins, with a mask or without."""
        present = torch.zeros(0, dtype=torch.bool) if mask is None else mask
        torch.ops.actilaw.begin(present, self._token, self._key, batch)

    def count(self, index: int, output: Tensor) -> None:
        """A layer returned `output`, or took it in."""
        torch.ops.actilaw.count(output.detach(), self._token, self._key, index)

    def end(self) -> None:
        """The forward pass is over."""
        torch.ops.actilaw.end(self._token, self._key)


@torch.library.custom_op("actilaw::begin", mutates_args=("token",))
def _begin(mask: Tensor, token: Tensor, key: int, batch: int) -> None:
    _counters[key].begin(mask.clone() if mask.numel() else None, batch)


@torch.library.custom_op("actilaw::count", mutates_args=("token",))
def _count(output: Tensor, token: Tensor, key: int, index: int) -> None:
    _counters[key].count(index, output)


@torch.library.custom_op("actilaw::end", mutates_args=("token",))
def _end(token: Tensor, key: int) -> None:
    _counters[key].end()


for _operation in (_begin, _count, _end):
    _operation.register_fake(lambda *arguments: None)
