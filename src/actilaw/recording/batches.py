"""One batch on its way through the network: its samples, its mask, and what each layer found so
far.

A batch begins when the model, or a part of it by itself, is called on new tensors, and ends when
that call returns, or for a part when the next batch begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from actilaw.recording.masks import MaskError


class Visited(Protocol):
    """A layer that batches visit."""

    def leave(self, visit: Any, completed: bool) -> None:
        """The batch of this visit is over."""
        ...


class Batch:
    """The samples that run through the network together.

    Attributes:
        size: number of samples, or None where the arguments of the model do not tell.
        mask: which samples (n_samples,), or positions (n_samples, n_positions), count; None for
            all.
        caller: the method of the model that called its parts, where nothing else tells one batch
            from the next.
        entered: parts of the model that were called on tensors from outside.
        visits: what each layer found.
        closed: whether it has ended.
    """

    def __init__(self, size: int | None, mask: Tensor | None = None, caller: Any = None) -> None:
        if mask is not None and size is not None and mask.shape[0] not in (1, size):
            raise MaskError(size, mask)
        self.size, self.mask, self.caller = size, mask, caller
        self.entered: set[Any] = set()
        self.visits: dict[Visited, Any] = {}
        self.closed = False

    def close(self, completed: bool = True) -> None:
        """Let go of what layers keep of it.

        Args:
            completed: whether it went through the whole model, so that the calls of each layer are
                its usual ones.
        """
        self.closed, self.caller = True, None
        for layer, visit in self.visits.items():
            layer.leave(visit, completed)
        self.visits.clear()


def batch_size(tensors: Sequence[Tensor]) -> int | None:
    """The size of the first axis of the first argument that has two or more, or of any."""
    sizes = [tensor.size(0) for tensor in tensors if tensor.ndim > 1]
    sizes += [tensor.size(0) for tensor in tensors if tensor.ndim == 1]
    return sizes[0] if sizes else None
