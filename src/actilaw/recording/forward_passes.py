"""Counting one forward pass after another: the mask, the samples and the calls of each layer
belong to one pass, and are put away at its end.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from actilaw.errors import InputError
from actilaw.recording.activations import by_position
from actilaw.recording.masks import mask_by_position
from actilaw.recording.repeated_calls import RepeatedCalls


class ForwardPasses:
    """Hands what layers return to the counts of each layer, with the mask of the present pass.

    Args:
        layers: of the hook points, in the order of their numbers.
        masked: whether a mask is expected, which only a call of the whole model gives.
    """

    def __init__(self, layers: Sequence[RepeatedCalls], masked: bool) -> None:
        self._layers, self._masked = layers, masked
        self._mask: Tensor | None = None
        self._batch: int | None = None
        self._in_forward = False

    def begin(self, mask: Tensor | None, batch: int | None) -> None:
        """A forward pass of the whole model begins, on `batch` samples."""
        self.end(completed=False)
        self._mask, self._batch, self._in_forward = mask, batch, True

    def count(self, index: int, output: Tensor) -> None:
        """Count what one layer returned, or took in.

        Raises:
            InputError: if it cannot be counted, or needs a mask that nothing gave.
        """
        if in_backward():
            return  # a checkpointed layer computes again what was counted before
        layer = self._layers[index]
        if self._masked and not self._in_forward:
            raise InputError(
                "expected the whole model to be called, whose arguments make the mask, but layer "
                f"{layer.name!r} ran by itself: call the model, or record with mask=None"
            )
        # Counts outlive an inference-mode block, so they are no inference tensors.
        with torch.inference_mode(False), torch.no_grad():
            x = by_position(layer.name, output, layer.point.axis)
            if layer.point.chooses_experts and self._in_forward and self._batch:
                x = _unfolded(x, self._batch)
            mask = None if self._mask is None else mask_by_position(layer.name, self._mask, x)
            layer.add(x, mask, self._in_forward)

    def end(self, completed: bool = True) -> None:
        """The forward pass is over, or another begins though it was not `completed`."""
        with torch.inference_mode(False), torch.no_grad():
            for layer in self._layers:
                layer.end_forward(completed)
        self._mask, self._batch, self._in_forward = None, None, False


def in_backward() -> bool:
    """Whether autograd runs, and layers are called to compute something again."""
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


def _unfolded(x: Tensor, batch: int) -> Tensor:
    """(samples × positions, 1, units) as (samples, positions, units): routers flatten the two."""
    return x.reshape(batch, -1, x.shape[-1]) if len(x) % batch == 0 else x
