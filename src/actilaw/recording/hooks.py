"""Forward hooks of PyTorch: they see what layers return or take in, and change nothing.

Inside compiled code a hook becomes one custom operator, so that no graph is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.recording.compiled_ops import CompileBridge, ForwardCounter
from actilaw.recording.experts import chosen_experts
from actilaw.recording.forward_passes import in_backward
from actilaw.recording.hook_points import HookPoint
from actilaw.recording.masks import MaskReader


class Hooks:
    """Hooks of a model that call a counter of its forward passes, while they are attached.

    Args:
        model: whose forward passes are counted.
        points: where units are; a hook point is known to the counter by its place in this list.
        masks: gives the mask of each forward pass.
        counter: what the hooks call.
    """

    def __init__(
        self,
        model: nn.Module,
        points: Sequence[HookPoint],
        masks: MaskReader,
        counter: ForwardCounter,
    ) -> None:
        self._model, self._points, self._masks = model, points, masks
        self._counter, self._bridge = counter, CompileBridge(counter)
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    @property
    def attached(self) -> bool:
        """Whether the hooks are on the model."""
        return bool(self._handles)

    def attach(self) -> None:
        """Put the hooks on the model."""
        forget_compiled_code()
        handles = self._handles
        handles.append(self._model.register_forward_pre_hook(self._begin, with_kwargs=True))
        for index, point in enumerate(self._points):
            if point.at_input:
                hook = self._input_hook(index, point)
                handles.append(point.module.register_forward_pre_hook(hook))
            else:
                hook = self._output_hook(index, point)
                handles.append(point.module.register_forward_hook(hook))
        handles.append(self._model.register_forward_hook(self._end))

    def detach(self) -> None:
        """Take the hooks off the model."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _begin(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if model is not self._model or in_backward():
            return
        mask = self._masks.read(args, kwargs)
        tensors = [
            value for value in (*args, *kwargs.values()) if isinstance(value, Tensor) and value.ndim
        ]
        batch = tensors[0].shape[0] if tensors else 0
        if torch.compiler.is_compiling():
            self._bridge.begin(mask, batch)
        else:
            self._counter.begin(mask, batch)

    def _end(self, model: nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            self._bridge.end()
        elif model is self._model and not in_backward():
            self._counter.end()

    # A copy of the model that is made while the hooks are attached has copies of them; each hook
    # therefore compares the module that calls it with its own.

    def _output_hook(self, index: int, point: HookPoint) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if module is point.module:
                self._count(index, output[0] if isinstance(output, tuple) else output)

        return hook

    def _input_hook(self, index: int, point: HookPoint) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any) -> None:
            if module is point.module:
                chooses = point.chooses_experts
                self._count(index, chosen_experts(module, inputs) if chooses else inputs[0])

        return hook

    def _count(self, index: int, x: Any) -> None:
        if torch.compiler.is_compiling():
            self._bridge.count(index, x)
        else:
            self._counter.count(index, x)


def forget_compiled_code() -> None:
    """Have compiled code compiled again, since it holds the hooks that it was compiled with."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()
