"""Hooks that count, while a network runs, on how many samples each of its units is activated.

Memory follows the number of units, never the number of samples; the network's outputs, gradients
and random state are untouched. Inside compiled code a hook becomes one custom operation, so that no
graph is broken.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.counts.activation_counts import PER, ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError, InputError, ModelError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.compiled_ops import CompileBridge
from actilaw.recording.counter import by_position, kept
from actilaw.recording.criteria import describe
from actilaw.recording.distributed import place_among_ranks, sum_over_ranks
from actilaw.recording.layers import Criteria, Layers, chosen_experts, find_hook_points, uncovered
from actilaw.recording.repeated_calls import RepeatedCalls

Mask = str | Callable[..., Tensor]


class Recorder:
    """Counts activations of a model's layers while a `with` block runs; see `actilaw.record`.

    Attributes:
        uncovered: names of parametrised modules whose outputs lead to no layer that is counted.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layers = "auto",
        criterion: Criteria = "auto",
        per: str = "sample",
        mask: Mask | None = None,
        resume: Census | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ModelError(
                f"expected a torch module to record, but got {type(model).__name__}: load the "
                "model first"
            )
        if per not in PER:
            raise InputError(f"expected per='sample', 'position' or 'token', but got {per!r}")
        model = _unwrapped(model)
        if (
            isinstance(mask, str)
            and getattr(getattr(model, "config", None), "is_encoder_decoder", False) is True
        ):
            raise InputError(
                "expected one mask for all layers, but the model has an encoder and a decoder: "
                "record them apart, with "
                "a function of the model's arguments for each, as mask=lambda **given: "
                "given['attention_mask']"
            )
        points = find_hook_points(model, layers, criterion)
        self.uncovered = uncovered(model, points.values())
        self._model, self._mask = model, mask
        start, stride = place_among_ranks()
        per = "position" if per == "token" else per
        self._visits = [
            RepeatedCalls(name, point, Accumulator(name, per, start, stride))
            for name, point in points.items()
        ]
        self._keep: Tensor | None = None
        self._batch: int | None = None
        self._in_forward = False
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._weights: list[tuple[int, int]] = _weights(model)
        self._trained = False
        self._bridge = CompileBridge(self)
        if resume is not None:
            self._resume(resume)

    def __enter__(self) -> Recorder:
        if self._hooks:
            raise InputError(
                "this recording is already running: leave its block before entering it again"
            )
        if any(visits.accumulator.entries for visits in self._visits):
            self._note_training()  # weights may have moved since the block was left
        _forget_compiled_code()
        self._weights = _weights(self._model)
        self._hooks.append(
            self._model.register_forward_pre_hook(self._begin_hook, with_kwargs=True)
        )
        for index, visits in enumerate(self._visits):
            module = visits.point.module
            hook = self._input_hook(index) if visits.point.at_input else self._output_hook(index)
            attach = (
                module.register_forward_pre_hook
                if visits.point.at_input
                else module.register_forward_hook
            )
            self._hooks.append(attach(hook))
        self._hooks.append(self._model.register_forward_hook(self._end_hook))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self.end(completed=False)
        self._note_training()
        _forget_compiled_code()

    def census(self, across_ranks: bool = False) -> Census:
        """The counts so far; may be asked for while recording and after it.

        Args:
            across_ranks: sum over all processes of torch.distributed; every process must ask. What
                k processes count together is, to the last bit, what one would count that saw the
                samples in the order of a DistributedSampler.

        Raises:
            CountsError: if no sample has passed through any of the layers yet.
        """
        self.end(completed=False)
        self._note_training()
        accumulators = [visits.accumulator for visits in self._visits]
        trained = self._trained
        if across_ranks:
            accumulators, trained = sum_over_ranks(accumulators, trained)
        regime = "training" if trained else "frozen"
        results = {
            visits.name: accumulator.result(describe(visits.point.criterion), regime)
            for visits, accumulator in zip(self._visits, accumulators, strict=True)
        }
        counted = {name: counts for name, counts in results.items() if counts is not None}
        if not counted:
            raise CountsError(
                f"nothing was recorded in {', '.join(results)}: run the model on data inside the "
                "`with` block"
            )
        if len(counted) < len(results):
            silent = ", ".join(name for name in results if name not in counted)
            warnings.warn(
                f"no sample passed through {silent}: left out of the census", stacklevel=2
            )
        return Census(counted)

    def begin(self, keep: Tensor | None, batch: int | None) -> None:
        """A forward pass of the whole model begins."""
        self.end(completed=False)
        self._keep, self._batch, self._in_forward = keep, batch, True

    def visit(self, index: int, output: Tensor) -> None:
        """Count what one layer returned, or took in."""
        if _in_backward():
            return  # a checkpointed layer computes again what was counted before
        visits = self._visits[index]
        if self._mask is not None and not self._in_forward:
            raise InputError(
                "expected the whole model to be called, whose arguments make the mask, but layer "
                f"{visits.name!r} ran "
                "by itself: call the model, or record with mask=None"
            )
        with torch.inference_mode(False), torch.no_grad():
            x = by_position(visits.name, output, visits.point.axis)
            if visits.point.chooses and self._in_forward and self._batch:
                x = _unfolded(x, self._batch)  # routers flatten (samples, positions) into one axis
            keep = None if self._keep is None else kept(visits.name, self._keep, x)
            visits.add(x, keep, self._in_forward)

    def end(self, completed: bool = True) -> None:
        """The forward pass is over, or another begins though it was not `completed`."""
        with torch.inference_mode(False), torch.no_grad():  # counts outlive an inference-mode block
            for visits in self._visits:
                visits.end_forward(completed)
        self._keep, self._batch, self._in_forward = None, None, False

    def _begin_hook(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if model is not self._model or _in_backward():
            return
        keep = self._mask_of(args, kwargs)
        tensors = [
            value for value in (*args, *kwargs.values()) if isinstance(value, Tensor) and value.ndim
        ]
        batch = tensors[0].shape[0] if tensors else 0
        if torch.compiler.is_compiling():
            self._bridge.begin(keep, batch)
        else:
            self.begin(keep, batch)

    def _end_hook(self, model: nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            self._bridge.end()
        elif model is self._model and not _in_backward():
            self.end()

    def _output_hook(self, index: int) -> Callable[..., None]:
        own = self._visits[index].point.module

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if module is own:  # a copy of the model made inside the block has copies of its hooks
                self._visit(index, output[0] if isinstance(output, tuple) else output)

        return hook

    def _input_hook(self, index: int) -> Callable[..., None]:
        point = self._visits[index].point

        def hook(module: nn.Module, inputs: Any) -> None:
            if module is point.module:
                self._visit(index, chosen_experts(module, inputs) if point.chooses else inputs[0])

        return hook

    def _visit(self, index: int, x: Any) -> None:
        if torch.compiler.is_compiling():
            self._bridge.visit(index, x)
        else:
            self.visit(index, x)

    def _mask_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        if self._mask is None:
            return None
        if callable(self._mask):
            keep = self._mask(*args, **kwargs)
            if not isinstance(keep, Tensor):
                raise InputError(
                    "expected the mask's function to return a tensor, but got "
                    f"{type(keep).__name__}"
                )
            return keep.bool()
        given = dict(kwargs)
        given.update(zip(inspect.signature(self._model.forward).parameters, args, strict=False))
        if given.get(self._mask) is None:
            raise InputError(
                f"expected an argument {self._mask!r} of the model as the mask, but it was called "
                "with "
                f"{', '.join(given) or 'none'}: pass it, or leave mask=None to count everything"
            )
        keep = given[self._mask].bool()
        tokens = given.get("input_ids", given.get("inputs_embeds"))
        if given.get("past_key_values") is not None and isinstance(tokens, Tensor):
            keep = keep[
                :, -tokens.shape[1] :
            ]  # with a cache, the mask tells of all tokens, the layers see the last
        return keep

    def _note_training(self) -> None:
        """Weights that changed while recording mean that learning and exposure are mixed in the
        counts.
        """
        weights = _weights(self._model)
        self._trained |= weights != self._weights
        self._weights = weights

    def _resume(self, census: Census) -> None:
        if set(census) != {visits.name for visits in self._visits}:
            raise InputError(
                f"expected a census of the layers {', '.join(v.name for v in self._visits)} to go "
                "on from, but it has "
                f"{', '.join(census)}: record with the same model, layers and rules"
            )
        for visits in self._visits:
            counts: ActivationCounts = census[visits.name]
            rule = describe(visits.point.criterion)
            if (counts.criterion, counts.per) != (rule, visits.accumulator.per):
                raise InputError(
                    f"layer {visits.name!r} was counted by {counts.criterion} per {counts.per}, "
                    "not by "
                    f"{rule} per {visits.accumulator.per}: go on with the same rules"
                )
            visits.accumulator.resume(counts)
            self._trained |= counts.regime != "frozen"


def _in_backward() -> bool:
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module itself, without torch.compile's or DistributedDataParallel's wrapping: names stay
    the same.
    """
    while isinstance(inner := getattr(model, "_orig_mod", None) or _replica(model), nn.Module):
        model = inner
    return model


def _replica(model: nn.Module) -> nn.Module | None:
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else None


def _forget_compiled_code() -> None:
    """Compiled code holds the hooks it was compiled with: make it compile anew, with the present
    ones.
    """
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


def _weights(model: nn.Module) -> list[tuple[int, int]]:
    """Where each parameter is and how often it was written: changes exactly when an optimiser
    steps.
    """
    return [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in model.parameters()]


def _unfolded(x: Tensor, batch: int) -> Tensor:
    """(samples × positions, 1, units) as (samples, positions, units)."""
    return x.reshape(batch, -1, x.shape[-1]) if len(x) % batch == 0 else x
