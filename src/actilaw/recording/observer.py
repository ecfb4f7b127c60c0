"""Watching a network while it runs: every call of its modules and of the functions in them, and
what flows between. What are units is handed to the counts of its place.
"""

from __future__ import annotations

import itertools
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.errors import InputError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.activations import is_fake, require_countable
from actilaw.recording.arrangement import Layout, NotOfSamplesError, arranged, layout
from actilaw.recording.batches import Batch, batch_size
from actilaw.recording.callers import is_no_forward_pass, method_of
from actilaw.recording.counted_place import CountedPlace
from actilaw.recording.criteria import Criterion, Positive, Relative
from actilaw.recording.experts import chosen_experts
from actilaw.recording.layers import Choice
from actilaw.recording.masks import MaskReader
from actilaw.recording.module_calls import unwatch, watch
from actilaw.recording.own_work import own_work
from actilaw.recording.places import child, inside
from actilaw.recording.tracing.activation_functions import (
    criterion_of_function,
    is_activation,
    may_gate,
)
from actilaw.recording.tracing.axes import Axes, Run
from actilaw.recording.tracing.function_calls import FunctionCall
from actilaw.recording.tracing.origins import Feeder, Origin, Origins
from actilaw.recording.tracing.tracer import Tracer, is_traced, leave
from actilaw.recording.unit_makers import makes_units, starts_with_convolution


@dataclass
class Running(threading.local):
    """What runs in one thread.

    Attributes:
        modules: of the model, that are running, outermost first.
        batch: that runs through the model as a whole, or did through its parts.
        ignoring: how many calls that are not counted are running.
        activating: modules that called an activation function, with its criterion.
    """

    modules: list[nn.Module] = field(default_factory=list)
    batch: Batch | None = None
    ignoring: int = 0
    activating: dict[nn.Module, Criterion] = field(default_factory=dict)


class Observer:
    """Counts the units of a model's places while it watches.

    Args:
        model: the network.
        choice: where its units are.
        rules: when a unit is activated; none where each place has its own.
        masks: give the mask of each batch.
        accumulator: makes the counts of a layer of this name.

    Attributes:
        lock: held while counts change.
        before_pass: called before every forward pass of the whole model.
        keeps_calls: whether the calls of each forward pass are kept, for `calls_of_pass`.
        passes: forward passes of the whole model that were completed.
        choose: chooses layers again, when a module was put into the model.
        before_compiled: called before any module runs; whether compiled code counts from now on.
    """

    def __init__(
        self,
        model: nn.Module,
        choice: Choice,
        rules: Sequence[Criterion],
        masks: MaskReader,
        accumulator: Callable[[str], Accumulator],
    ) -> None:
        self._model, self._choice, self._rules, self._masks = model, choice, rules, masks
        self._accumulator = accumulator
        self._names = {module: name for name, module in model.named_modules()}
        self._weights = dict(_weights(model))
        self._points = {
            point.module: CountedPlace(name, point, rules, accumulator)
            for name, point in choice.points.items()
        }
        self._functions: dict[str, CountedPlace] = {}
        self._images = starts_with_convolution(model)
        self._made: set[str] = set()  # names of the modules that made units that were counted
        self._numbers = itertools.count()
        self._origins = Origins()
        self._running = Running()
        self._partial: dict[int, Batch] = {}  # by thread, batches that ran through parts alone
        self._calls: dict[CountedPlace, list[tuple[int, Layout | None]]] = {}
        self.lock = threading.RLock()
        self.passes = 0
        self.keeps_calls = False
        self._strangers: weakref.WeakSet[nn.Module] = weakref.WeakSet()  # not of the model
        self.before_pass: Callable[[], None] = _nothing
        self.choose: Callable[[], Choice] = lambda: choice
        self.before_compiled: Callable[[], bool] = _never

    # What was counted.

    def places(self) -> list[CountedPlace]:
        """Where units are counted, functions after modules."""
        return [*self._points.values(), *self._functions.values()]

    @property
    def makers(self) -> set[str]:
        """Names of the modules that made units that were counted."""
        return self._made

    def function_place(self, name: str) -> CountedPlace:
        """The place of a function, or of a module that calls one, of this name."""
        if name not in self._functions:
            self._functions[name] = CountedPlace(name, None, self._rules, self._accumulator)
        return self._functions[name]

    def calls_of_pass(self) -> dict[CountedPlace, list[tuple[int, Layout]]] | None:
        """The calls of every place in the last forward pass of the whole model, in order, each with
        the number of its layer and its layout; None if that may differ from batch to batch.
        """
        found: dict[CountedPlace, list[tuple[int, Layout]]] = {}
        for place, calls in self._calls.items():
            where = [(group, where) for group, where in calls if where is not None]
            if place.point is None or len(where) < len(calls):
                return None
            found[place] = where
        return found

    # Watching.

    def start(self) -> None:
        """Watch from now on; functions between calls of modules in this thread."""
        watch(self)
        self._tracer = self._new_tracer()
        self._tracer.__enter__()

    def stop(self) -> None:
        """Watch no longer."""
        unwatch(self)
        leave(self._tracer)
        with self.lock, own_work():
            for batch in self._partial.values():
                batch.close()
            self._partial.clear()
        self._origins.clear()

    def watches(self, module: nn.Module) -> bool:
        """Whether a module is one of the model, or wraps it for torch.compile."""
        return (
            module in self._names
            or getattr(module, "_orig_mod", None) is self._model
            or self._is_newcomer(module)
        )

    def _is_newcomer(self, module: nn.Module) -> bool:
        """Whether a module that the running model calls was put into it after recording began, as
        SAELens does with autoencoders for one call; it is counted from then on.
        """
        if not self._running.modules or module in self._strangers:
            return False
        names = {part: name for name, part in self._model.named_modules()}
        if module not in names:
            self._strangers.add(module)
            return False
        with self.lock:
            self._welcome({part: name for part, name in names.items() if part not in self._names})
        return True

    def _welcome(self, newcomers: Mapping[nn.Module, str]) -> None:
        """Count in modules that were put into the model as if they had been there before."""
        choice = self.choose()
        counted = {place.name for place in self.places() if place.counted}
        for name, point in choice.points.items():
            if point.module not in newcomers:
                continue
            if name in counted:
                raise InputError(
                    f"expected one model while recording, but another module was put in the place "
                    f"of {name!r}, which was counted already: record each of them by itself"
                )
            self._points[point.module] = CountedPlace(name, point, self._rules, self._accumulator)
        self._choice = replace(choice, wholes=(*self._choice.wholes, *choice.wholes))
        self._names |= newcomers
        self._weights |= dict(_weights(self._model))

    def call(
        self,
        module: nn.Module,
        run: Callable[[], Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a module of the model and count."""
        if self.before_compiled():
            return run()
        if module not in self._names:  # the wrapping keeps the call of the model that it was given
            module = self._model
        running = self._running
        if running.ignoring or is_no_forward_pass(outermost=not running.modules):
            running.ignoring += 1
            try:
                return run()
            finally:
                running.ignoring -= 1
        if running.modules:
            return self._run(running, module, run, args, kwargs)
        return self._run_outermost(running, module, run, args, kwargs)

    def _run_outermost(
        self,
        running: Running,
        module: nn.Module,
        run: Callable[[], Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """A call of the whole model, or of a part of it by itself."""
        whole = module is self._model
        self._begin(running, module, args, kwargs)
        tracer = None
        if not is_traced(self._origins):
            tracer = self._new_tracer()
            tracer.__enter__()
        completed = False
        try:
            out = self._run(running, module, run, args, kwargs)
            completed = True
            return out
        finally:
            if tracer is not None:
                leave(tracer)
            if whole and running.batch is not None:
                with self.lock, own_work():
                    running.batch.close(completed)
                running.batch = None
                self.passes += completed

    def _run(
        self,
        running: Running,
        module: nn.Module,
        run: Callable[[], Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        running.modules.append(module)
        try:
            place = self._points.get(module)
            if place is not None and place.point is not None and place.point.at_input:
                self._count_input(running, place, args, kwargs)
            out = run()
        finally:
            running.modules.pop()
            own_rule = running.activating.pop(module, None)
        if place is None and own_rule is not None:
            place = self.function_place(self._names[module])
        if place is not None and (place.point is None or not place.point.at_input):
            self._count_output(running, place, module, out, own_rule)
        return out

    # Batches.

    def _begin(
        self, running: Running, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Know the batch that a call of an outermost module runs on."""
        tensors = list(_tensors((*args, *kwargs.values())))
        if module is self._model:
            self._close_partial()
            self.before_pass()
            self._calls = {}
            mask = self._masks.read(args, kwargs)
            with torch._C.DisableTorchFunction():
                batch = Batch(batch_size(tensors), mask)
                self._note_inputs(tensors, batch)
            running.batch = batch
            return
        self._begin_part(running, module, tensors)

    def _begin_part(self, running: Running, module: nn.Module, tensors: list[Tensor]) -> None:
        """A part of the model runs by itself: on what came out of parts before, or on new
        tensors.
        """
        name = self._names[module]
        known = [origin for tensor in tensors if (origin := self._origins.of(tensor)) is not None]
        batch = known[0].batch if known else None
        fresh = batch is not None and all(origin.outside for origin in known)
        if batch is not None and fresh and name in batch.entered:
            caller = method_of(self._names)
            if caller is None or caller is not batch.caller:
                batch = None  # the same method once more, or the same part
        if batch is None:
            if self._masks.expected and self._counts_inside(name):
                raise InputError(
                    "expected the whole model to be called, whose arguments make the mask, but "
                    f"its part {name!r} ran by itself: call the model, or record with mask=None"
                )
            self._close_partial()
            with torch._C.DisableTorchFunction():
                batch = Batch(batch_size(tensors), caller=method_of(self._names))
                self._note_inputs(tensors, batch)
            self._partial[threading.get_ident()] = batch
        batch.entered.add(name)
        running.batch = batch

    def _close_partial(self) -> None:
        """The batch that ran through parts of the model in this thread is over."""
        with self.lock, own_work():
            batch = self._partial.pop(threading.get_ident(), None)
            if batch is not None:
                batch.close()

    def _counts_inside(self, name: str) -> bool:
        return any(
            place.name == name or place.name.startswith(child(name, "")) for place in self.places()
        )

    def _note_inputs(self, tensors: list[Tensor], batch: Batch) -> None:
        positions = batch.mask.shape[1] if batch.mask is not None and batch.mask.ndim == 2 else None
        main = next((tensor for tensor in tensors if tensor.ndim > 1), None)
        for tensor in tensors:
            if not tensor.is_nested and tensor.ndim and tensor.shape[0] == batch.size:
                weak = tensor is not main and (tensor.ndim == 1 or _is_square(tensor))
                axes = Axes.of_input(tensor.shape, positions, weak)
                self._origins.note(tensor, Origin(batch, axes, outside=True))

    # Functions.

    def _new_tracer(self) -> Tracer:
        return Tracer(self._origins, self._feeder, self._seen, self._taken, self._name_of)

    def _seen(self, call: FunctionCall, origin: Origin) -> Origin:
        """A function was called: count it if it is an activation."""
        running = self._running
        wanted = self._choice.functions and not running.ignoring
        if not (wanted and (is_activation(call) or may_gate(call))):
            return origin
        if not (isinstance(call.out, Tensor) and call.out.is_floating_point()):
            return origin
        if not running.modules and method_of(self._names) is None:
            return origin  # the caller's own function, on what came out of a part of the model
        module = running.modules[-1] if running.modules else self._model
        if any(self._is_counted_as_a_whole(outer) for outer in (module, *running.modules)):
            return origin
        if module is not self._model and _is_simple(module):
            running.activating[module] = criterion_of_function(call)
            return origin
        name = child(self._names[module], call.name)
        if name in self._names.values():
            name += "()"
        if not is_activation(call):
            return replace(origin, gate=name)
        return self._count(
            self.function_place(name), call.out, origin, criterion_of_function(call), running
        )

    def _is_counted_as_a_whole(self, module: nn.Module) -> bool:
        name = self._names[module]
        wholes = self._choice.wholes
        return module in self._points or name in wholes or inside(name, wholes)

    def _taken(self, tensor: Tensor, origin: Origin) -> None:
        """A weight takes in what a squashing function returned: these are activations of units."""
        if origin.gate is None:
            return
        place = self.function_place(origin.gate)
        counted = self._count(place, tensor, origin, Relative(), self._running)
        self._origins.note(tensor, replace(counted, gate=None))

    def _feeder(self, function: str, weight: object) -> tuple[Feeder, str]:
        """The name and number of a call of a weight, and the module that the weight is of."""
        running, number = self._running, next(self._numbers)
        module = running.modules[-1] if running.modules else self._model
        name = self._names[module]
        if makes_units(module) and _number_of_weights(module) == 1 and _is_leaf(module):
            return (name, number), name
        if isinstance(weight, Tensor):
            known = self._name_of(weight)
            if known is not None:
                return (f"{known}+{weight.storage_offset()}", number), known.rpartition(".")[0]
            known = self._origins.weight_name(weight)
            if known is not None:
                return (known, number), known.rpartition(".")[0]
        return (f"{name}.{function}" if running.modules else function, number), name

    def _name_of(self, weight: Tensor) -> str | None:
        """The parameter in whose memory a tensor lies."""
        if weight.layout != torch.strided or weight.is_meta or is_fake(weight):
            return None
        return self._weights.get(_memory(weight))

    # Counting.

    def _count_input(
        self, running: Running, place: CountedPlace, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        assert place.point is not None
        values = list(_tensors((*args, *kwargs.values())))
        if place.point.chooses_experts:
            with torch._C.DisableTorchFunction():
                index, chosen = chosen_experts(place.point.module, values)
            origin = self._origins.of(index)
            if origin is not None and origin.axes is not None:
                experts = (Run(chosen.shape[-1], unit=True),)
                axes = origin.axes.without_units().with_axis(-1, experts)
                origin = replace(origin, axes=axes)
            self._count(place, chosen, origin, Positive(), running)
        elif values:
            self._count(place, values[0], self._origins.of(values[0]), Relative(), running)

    def _count_output(
        self,
        running: Running,
        place: CountedPlace,
        module: nn.Module,
        out: Any,
        own_rule: Criterion | None,
    ) -> None:
        if isinstance(out, tuple | list) and out:
            out = out[0]
        if type(out).__module__.startswith("torch.fx"):
            return
        origin = self._origins.of(out)
        rule = own_rule or Relative()
        if origin is not None and origin.rectified:
            rule = Positive()
        origin = self._count(place, out, origin, rule, running)
        if isinstance(out, Tensor) and origin is not None and not makes_units(module):
            self._origins.note(out, origin)

    def _count(
        self,
        place: CountedPlace,
        x: Any,
        origin: Origin | None,
        rule: Criterion,
        running: Running,
    ) -> Any:
        """Count one call of a place; the origin of what it returned."""
        if place.dropped or running.ignoring or not require_countable(place.name, x):
            return origin
        batch = origin.batch if origin is not None else running.batch
        with self.lock, own_work():
            if batch is None:
                batch = running.batch = Batch(x.shape[0])
                self._partial[threading.get_ident()] = batch
            if self._masks.expected and batch.mask is None:
                raise InputError(
                    "expected the whole model to be called, whose arguments make the mask, but "
                    f"layer {place.name!r} ran by itself: call the model, or record with mask=None"
                )
            whole, x, fallback = x, x.detach(), self._fallback(x, origin)
            try:
                if origin is None and self._origins.weight_name(whole) is not None:
                    raise NotOfSamplesError("it depends on weights alone, and on no sample")
                activations = arranged(place.name, x, origin, batch, fallback)
            except NotOfSamplesError as error:
                self._drop(place, error)
                return origin
            feeders = frozenset() if origin is None else origin.feeders
            if place.point is not None and makes_units(place.point.module):
                feeders = frozenset([(place.name, next(self._numbers))])
            group = place.group_of(feeders, batch)
            if self.keeps_calls:
                where = layout(x, origin, batch, fallback)
                self._calls.setdefault(place, []).append((group, where))
            if place.point is not None and place.point.criterion is not None:
                rule = place.point.criterion
            place.add(group, activations, feeders, batch, rule)
        if origin is None:
            return None
        self._made |= origin.makers
        number = next(self._numbers)
        return replace(origin, feeders=frozenset([(f"{place.name}#{group}", number)]))

    def _fallback(self, x: Tensor, origin: Origin | None) -> int:
        """The axis of the units where nothing made them that is known."""
        by_convolution = origin.by_convolution if origin is not None else False
        unmade = origin is None or not origin.makers
        return 1 if x.ndim > 2 and (by_convolution or (unmade and self._images)) else -1

    def _drop(self, place: CountedPlace, error: NotOfSamplesError) -> None:
        """Leave out a layer that nobody asked for by name, before anything of it is counted."""
        if place.counted or not self._choice.functions:
            raise error
        place.dropped = True
        warnings.warn(f"left out {place.name}: {error}", stacklevel=2)


def _nothing() -> None: ...


def _never() -> bool:
    return False


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    """The tensors among arguments, also inside mappings, tuples and data classes, and in lists
    unless these may be samples one by one, as images are.
    """
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping):
            yield from _tensors(list(value.values()))
        elif isinstance(value, tuple) or (isinstance(value, list) and not _are_samples(value)):
            yield from _tensors(value)
        elif is_dataclass(value) and not isinstance(value, type):
            yield from _tensors([getattr(value, part.name) for part in fields(value)])


def _are_samples(values: list[Any]) -> bool:
    """Whether a list may hold samples one by one: several tensors with as many axes."""
    axes = [value.ndim for value in values if isinstance(value, Tensor)]
    return len(axes) > 1 and len(set(axes)) == 1


def _is_square(tensor: Tensor) -> bool:
    return tensor.ndim == 2 and tensor.shape[0] == tensor.shape[1]


def _weights(model: nn.Module) -> Iterator[tuple[int, str]]:
    """Names of weights by where they are in memory."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and parameter.device.type != "meta":
            yield _memory(parameter), name


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _number_of_weights(module: nn.Module) -> int:
    return sum(parameter.ndim > 1 for parameter in module.parameters(recurse=False))


def _is_simple(module: nn.Module) -> bool:
    """Whether a module has neither parts nor weights: an activation module of any library."""
    return _is_leaf(module) and next(module.parameters(recurse=False), None) is None
