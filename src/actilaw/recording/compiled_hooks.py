"""Forward hooks in compiled code: they see what layers return or take in, and change nothing.

Compiled code does not show where tensors come from. What the first forward pass showed tells which
layer each call of a module belongs to, and where its samples and units are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.errors import InputError
from actilaw.recording.activations import require_countable
from actilaw.recording.arrangement import Layout, by_layout
from actilaw.recording.batches import Batch, batch_size
from actilaw.recording.callers import is_no_forward_pass
from actilaw.recording.compiled_ops import CompileBridge
from actilaw.recording.counted_place import CountedPlace
from actilaw.recording.criteria import POSITIVE
from actilaw.recording.experts import chosen_experts
from actilaw.recording.masks import MaskReader
from actilaw.recording.own_work import own_work

# Of each call of a place in one forward pass: the number of its layer, and its layout.
Calls = Mapping[CountedPlace, list[tuple[int, Layout]]]


class CompiledHooks:
    """Counts a model's places by hooks, while they are attached.

    Args:
        model: whose forward passes are counted.
        masks: gives the mask of each forward pass.
        lock: held while counts change.
    """

    def __init__(self, model: nn.Module, masks: MaskReader, lock: threading.RLock) -> None:
        self._model, self._masks, self._lock = model, masks, lock
        self._bridge = CompileBridge(self)
        self._places: list[CountedPlace] = []
        self._calls: Calls = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._batch: Batch | None = None
        self._called: dict[int, int] = {}  # calls of each place in the present forward pass

    def attach(self, calls: Calls) -> None:
        """Put the hooks on the model, for places that are called so in every forward pass."""
        self._calls, self._places = calls, list(calls)
        handles, model = self._handles, self._model
        handles.append(
            model.register_forward_pre_hook(_Hook(model, self._begins), with_kwargs=True)
        )
        for index, place in enumerate(self._places):
            assert place.point is not None
            module = place.point.module
            if place.point.at_input:
                hook = _Hook(module, self._takes_in(index))
                handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))
            else:
                hook = _Hook(module, self._returns(index))
                handles.append(module.register_forward_hook(hook))
        handles.append(model.register_forward_hook(_Hook(model, self._ends), always_call=True))

    def detach(self) -> None:
        """Take the hooks off the model."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.end()

    # What the hooks do.

    def _begins(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        mask = self._masks.read(args, kwargs)
        values = (*args, *kwargs.values())
        size = batch_size([value for value in values if isinstance(value, Tensor)])
        if torch.compiler.is_compiling():
            self._bridge.begin(mask, size or 0)
        elif not is_no_forward_pass():
            self.begin(mask, size)

    def _ends(self, model: nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            self._bridge.end()
        elif not is_no_forward_pass():
            self.end()

    def _returns(self, index: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            self._see(index, output[0] if isinstance(output, tuple) else output)

        return hook

    def _takes_in(self, index: int) -> Callable[..., None]:
        point = self._places[index].point
        chooses = point is not None and point.chooses_experts

        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            values = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
            self._see(index, chosen_experts(module, values)[1] if chooses else values[0])

        return hook

    def _see(self, index: int, x: Any) -> None:
        if torch.compiler.is_compiling():
            self._bridge.count(index, x)
        elif not is_no_forward_pass():
            self.count(index, x)

    # What the operators in compiled code call.

    def begin(self, mask: Tensor | None, batch: int | None) -> None:
        """A forward pass of the whole model begins, on `batch` samples."""
        self.end()
        self._batch, self._called = Batch(batch or None, mask), {}

    def count(self, index: int, output: Tensor) -> None:
        """Count what one layer returned, or took in."""
        place, batch = self._places[index], self._batch
        if not require_countable(place.name, output):
            return
        if batch is None:
            raise InputError(
                f"expected the whole model to be called, but its part {place.name!r} ran by "
                "itself: record the model before it is compiled"
            )
        call = self._called.get(index, 0)
        self._called[index] = call + 1
        calls = self._calls[place]
        if call >= len(calls) and len(set(calls)) > 1:
            raise InputError(
                f"expected {len(calls)} calls of layer {place.name!r} in a forward pass, as in the "
                "first, but it is called again: record the model before it is compiled"
            )
        group, where = calls[min(call, len(calls) - 1)]
        own_rule = POSITIVE  # of no effect: the first forward pass has chosen the rules
        with self._lock, own_work():
            x = output.detach()
            place.add(group, by_layout(place.name, x, where, batch), frozenset(), batch, own_rule)

    def end(self) -> None:
        """The forward pass is over."""
        if self._batch is not None:
            with self._lock, own_work():
                self._batch.close()
        self._batch = None


class _Hook:
    """A hook of one module, which a copy of the module has, too, but which does nothing there."""

    def __init__(self, module: nn.Module | None, hook: Callable[..., None]) -> None:
        self._module, self._hook = module, hook

    def __call__(self, module: nn.Module, *given: Any) -> None:
        if module is self._module:
            self._hook(module, *given)

    def __deepcopy__(self, memo: Any) -> _Hook:
        return _idle_hook()

    def __reduce__(self) -> tuple[Callable[[], _Hook], tuple[()]]:
        return _idle_hook, ()


def _idle_hook() -> _Hook:
    return _Hook(None, lambda module, *given: None)
