"""How compiled code reaches a recorder: custom operations, so that no graph is broken and none is
left out.

The operations write to a token on paper only: that keeps the compiler from dropping them or
changing their order.
"""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from actilaw.recording.recorder import Recorder

_keys = itertools.count()
_recorders: weakref.WeakValueDictionary[int, Recorder] = weakref.WeakValueDictionary()


class CompileBridge:
    """A recorder as operations know it: by a number, since they take numbers and tensors alone."""

    def __init__(self, recorder: Recorder) -> None:
        self._key, self._token = next(_keys), torch.zeros(1)
        _recorders[self._key] = recorder

    def begin(self, keep: Tensor | None, batch: int) -> None:
        """A forward pass begins, with a mask or without."""
        mask = torch.zeros(0, dtype=torch.bool) if keep is None else keep
        torch.ops.actilaw.begin(mask, self._token, self._key, batch)

    def visit(self, index: int, x: Tensor) -> None:
        """A layer returned x, or took it in."""
        torch.ops.actilaw.visit(x.detach(), self._token, self._key, index)

    def end(self) -> None:
        """The forward pass is over."""
        torch.ops.actilaw.end(self._token, self._key)


@torch.library.custom_op("actilaw::visit", mutates_args=("token",))
def _visit(x: Tensor, token: Tensor, key: int, index: int) -> None:
    _recorders[key].visit(index, x)


@torch.library.custom_op("actilaw::begin", mutates_args=("token",))
def _begin(keep: Tensor, token: Tensor, key: int, batch: int) -> None:
    _recorders[key].begin(keep.clone() if keep.numel() else None, batch)


@torch.library.custom_op("actilaw::end", mutates_args=("token",))
def _end(token: Tensor, key: int) -> None:
    _recorders[key].end()


for _operation in (_visit, _begin, _end):
    _operation.register_fake(lambda *arguments: None)
