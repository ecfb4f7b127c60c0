"""Following tensors through the functions of PyTorch while a network runs, by a mode that PyTorch
calls for every function (`torch.overrides.TorchFunctionMode`).

Of each result it notes where it comes from (`origins`): linear maps and convolutions make units,
reshapes move axes, everything else keeps what it can. A function that nobody taught here keeps the
axes whose sizes stay. Results are never changed, and a mistake here never stops the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.overrides import (
    TorchFunctionMode,
    _get_current_function_mode_stack,
    _pop_mode,
    _push_mode,
)

from actilaw.recording.tracing.activation_functions import KEEPING_ZERO, rectifies
from actilaw.recording.tracing.axes import Axes, Axis, Run
from actilaw.recording.tracing.function_calls import (
    FunctionCall,
    dims_of,
    function_name,
    informative,
    merge_axes,
)
from actilaw.recording.tracing.moves import MOVES, joined, moved, stacked
from actilaw.recording.tracing.origins import Feeder, Origin, Origins, together

REDUCTIONS = {
    "mean", "sum", "nanmean", "nansum", "amax", "amin", "max", "min", "prod", "logsumexp", "std",
    "var", "std_mean", "var_mean", "norm", "any", "all", "argmax", "argmin", "median", "mode",
    "count_nonzero", "nanmedian",
}  # fmt: skip
NORMS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
CONVOLUTIONS = {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                "conv_transpose3d", "convolution"}  # fmt: skip
PRODUCTS = {"matmul", "mm", "bmm", "__matmul__", "__rmatmul__", "mv", "addmm", "addmv", "baddbmm"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
JOINS = {"cat", "concat", "concatenate", "hstack", "vstack", "dstack"}


class Tracer(TorchFunctionMode):
    """Notes the origin of every tensor that depends on the samples of an open batch.

    Args:
        origins: of all tensors.
        feeder: the name of the call of a weight or norm that runs now, and the module that it is
            of; from the function's name and the weight.
        seen: called with every followed call, and the origin of its first result, before that is
            noted; returns the origin to note.
        taken: called with what a weight takes in.
        name_of: the name of a parameter, if it is known.
    """

    def __init__(
        self,
        origins: Origins,
        feeder: Callable[[str, object], tuple[Feeder, str]],
        seen: Callable[[FunctionCall, Origin], Origin],
        taken: Callable[[Tensor, Origin], None],
        name_of: Callable[[Tensor], str | None],
    ) -> None:
        super().__init__()
        self.origins = origins
        self._feeder, self._seen, self._taken = feeder, seen, taken
        self._name_of = name_of

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if isinstance(out, Tensor):
            results: Sequence[Any] = (out,)
        elif isinstance(out, tuple | list) and any(isinstance(item, Tensor) for item in out):
            results = out
        elif getattr(func, "__name__", "") == "__setitem__":
            results = (args[0],)
        else:
            return out
        call = FunctionCall(func, function_name(func), args, kwargs, out, self.origins)
        parts = call.tracked()
        if parts:
            self._follow(call, parts, results)
        else:
            self._follow_weights(call, results)
        return out

    def _follow_weights(self, call: FunctionCall, results: Sequence[Any]) -> None:
        """What is made of weights alone is a weight, too, by the name of the first."""
        for tensor in call.tensors():
            name = self.origins.weight_name(tensor)
            if name is None and isinstance(tensor, nn.Parameter):
                name = self._name_of(tensor)
            if name is not None:
                for result in results:
                    if isinstance(result, Tensor):
                        self.origins.note_weight(result, name)
                return

    def _follow(
        self, call: FunctionCall, parts: list[tuple[Tensor, Origin]], results: Sequence[Any]
    ) -> None:
        found = _found_origins(call, parts, self._made)
        first = self._seen(call, found[0])
        for result, origin in zip(results, [first, *found[1:]], strict=False):
            if isinstance(result, Tensor):
                self.origins.note(result, origin)

    def _made(self, call: FunctionCall, origin: Origin, weight: object) -> Origin:
        """The origin of what a weight, or a norm, makes of `origin`."""
        feeder, module = self._feeder(call.name, weight)
        made = replace(origin, feeders=frozenset([feeder]), rectified=False, gate=None)
        if call.name in NORMS:
            return made
        taken = call.origin(call.input)
        if taken is not None:
            self._taken(call.input, taken)
        convolution = call.name in CONVOLUTIONS
        return replace(made, makers=frozenset([module]), by_convolution=convolution)


def is_traced(origins: Origins) -> bool:
    """Whether functions are followed now, in this thread, to note their origins here.

    While PyTorch runs a function that a mode was called for, `Tensor.backward` say, the mode is
    off, though modules may run in it.
    """
    modes = _get_current_function_mode_stack()
    return any(isinstance(mode, Tracer) and mode.origins is origins for mode in modes)


def leave(tracer: Tracer) -> None:
    """Follow functions no longer, also from under other modes that were put on after it."""
    above = []
    while _get_current_function_mode_stack():
        top = _pop_mode()
        if top is tracer:
            break
        above.append(top)
    for other in reversed(above):
        _push_mode(other)


Made = Callable[[FunctionCall, Origin, object], Origin]


def _found_origins(
    call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made
) -> list[Origin]:
    """The origin of every result of a call; without axes where they cannot be followed."""
    try:
        return _origins(call, parts, made)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        # An argument in a form that nobody thought of: the samples are known, the axes are not.
        lost = together([origin for _, origin in parts], None)
        return [lost] * (1 if isinstance(call.out, Tensor) or call.out is None else len(call.out))


def _origins(call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made) -> list[Origin]:
    name, first = call.name, call.origin(call.input)
    if name in MOVES and first is not None:
        return _moved(call, first)
    if name in JOINS or name == "stack":
        return [_joined(call)]
    if name in REDUCTIONS and first is not None and not isinstance(call.dim, Tensor):
        return _reduced(call, first)
    if name in NORMS and first is not None:
        return [made(call, first, call.kwargs.get("weight"))]
    if name in ("linear", "bilinear"):
        return [_linear(call, parts, made)]
    if name in CONVOLUTIONS:
        return [_convolved(call, parts, made)]
    if name in PRODUCTS:
        return [_product(call, made)]
    if name == "einsum":
        return [_einsum(call, made)]
    if name == "embedding":
        return [_embedded(call, parts, made)]
    if name in RECURRENT and first is not None:
        return _recurrent(call, first, made)
    if name == "__setitem__" or (_in_place(call) and first is None):
        written = together([origin for _, origin in parts], None if first is None else first.axes)
        return [written]
    return _elementwise(call, parts)


def _moved(call: FunctionCall, first: Origin) -> list[Origin]:
    found = None if first.axes is None else moved(call, first.axes)
    count = 1 if isinstance(call.out, Tensor) else len(call.out)
    axes = found if isinstance(found, list) else [found] * count
    return [first.moved(part) for part in axes]


def _joined(call: FunctionCall) -> Origin:
    origins = [call.origin(tensor) for tensor in call.input if tensor.numel()]
    known = [origin for origin in origins if origin is not None]
    axes = [None if origin is None else origin.axes for origin in origins]
    lost = any(origin.axes is None for origin in known)
    join = stacked if call.name == "stack" else joined
    result = together(known, None if lost else join(call, axes))
    rectified = len(known) == len(origins) and all(origin.rectified for origin in known)
    return replace(result, rectified=rectified)


def _reduced(call: FunctionCall, first: Origin) -> list[Origin]:
    count = 1 if isinstance(call.out, Tensor) else len(call.out)
    axes = first.axes
    if axes is not None:
        out = call.out if isinstance(call.out, Tensor) else call.out[0]
        kept = out.ndim == len(axes)
        for dim in sorted(dims_of(call.dim, len(axes)), reverse=True):
            axes = _without(axes, dim, kept)
    return [first.changed(axes)] * count


def _without(axes: Axes, dim: int, kept: bool) -> Axes:
    """The axes once one is summed over, and kept as one entry or not: it loses its meaning, unless
    it had one entry only.
    """
    axis = axes.axes[dim]
    one = Axes((axis,)).shape == (1,)
    if kept:
        return axes if one else axes.with_axis(dim, (Run(1, unit=any(r.unit for r in axis)),))
    if not one:
        axes = axes.with_axis(dim, (Run(1, unit=any(run.unit for run in axis)),))
    return axes.at(dim, 0)


def _linear(call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made) -> Origin:
    origin = call.origin(call.input) or parts[0][1]
    axes = origin.axes
    if axes is not None and call.origin(call.input) is not None:
        unit = (Run(call.out.shape[-1], unit=True),)
        sample = _only_sample(origin, axes) if len(axes) == 1 else axes.sample
        axes = Axes((*axes.without_units().axes[:-1], unit), sample, axes.position)
    weight = call.argument(1, "weight")
    return made(call, origin.moved(axes), weight)


def _convolved(call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made) -> Origin:
    """Channels are the axis before the places, which may be alone: then there is one sample."""
    origin = call.origin(call.input) or parts[0][1]
    weight, axes = call.argument(1, "weight"), origin.axes
    if axes is not None and call.origin(call.input) is not None:
        channel = call.out.ndim - (weight.ndim - 2) - 1
        found: list[Axis] = [(Run(size),) for size in call.out.shape]
        found[:channel] = axes.without_units().axes[:channel]
        found[channel] = (Run(call.out.shape[channel], unit=True),)
        for dim in range(channel + 1, call.out.ndim):
            axis = axes.axes[dim]
            if call.out.shape[dim] == call.input.shape[dim] and len(axis) == 1:
                found[dim] = (replace(axis[0], unit=False),)
        sample = _only_sample(origin, axes) if channel == 0 else axes.sample
        axes = Axes(tuple(found), sample, axes.position)
    return made(call, origin.moved(axes), weight)


def _only_sample(origin: Origin, axes: Axes) -> int | None:
    """What a weight takes in as a whole is one sample: the model was called without a batch axis,
    if what looked like one is the weight's.
    """
    if axes.sample is None and axes.has_samples:
        origin.batch.size = 1
        return 0
    return axes.sample


def _product(call: FunctionCall, made: Made) -> Origin:
    """A matrix product; what depends on no sample is a weight."""
    shift = 1 if call.name.startswith(("addm", "badd")) else 0
    one, other = call.args[shift], call.args[shift + 1]
    if call.name == "__rmatmul__":
        one, other = other, one
    left, right = call.origin(one), call.origin(other)
    if left is not None and right is not None:
        axes = None
        if left.axes is not None and right.axes is not None and min(one.ndim, other.ndim) > 1:
            axes = _of_product(call.out.shape, left.axes, right.axes)
        return together([left, right], axes)
    if left is not None:
        return made(call, left.moved(_times_weight(call, left.axes, other)), other)
    if right is not None:
        if right.axes is not None and _mixes(right.axes, one, other):
            return right.changed(_mixed(call, right.axes))
        return made(call, right.moved(_weight_times(call, right.axes, one, other)), one)
    return together([origin for _, origin in call.tracked()], None)


def _is_weight(tensor: Tensor) -> bool:
    """Whether it is learned, rather than a fixed matrix."""
    return isinstance(tensor, nn.Parameter) or tensor.requires_grad or tensor._base is not None


def _mixes(axes: Axes, matrix: Tensor, x: Tensor) -> bool:
    """Whether a matrix mixes positions, as a graph's adjacency does, and leaves units as they
    are.
    """
    units = x.ndim > 1 and any(run.unit for run in axes.axes[-1])
    return units and not _is_weight(matrix)


def _mixed(call: FunctionCall, axes: Axes) -> Axes:
    found: list[Axis] = [(Run(size),) for size in call.out.shape]
    found[-len(axes) :] = axes.axes
    same = found[-2] == axes.axes[-2] and Axes((axes.axes[-2],)).shape[0] == call.out.shape[-2]
    found[-2] = axes.axes[-2] if same else (Run(call.out.shape[-2]),)
    return Axes(tuple(found), axes.sample, axes.position)


def _of_product(shape: Sequence[int], left: Axes, right: Axes) -> Axes:
    """Rows of the one, columns of the other, and the leading axes of whichever says more."""
    found: list[Axis] = [(Run(size),) for size in shape]
    for axes in (left, right):
        shift = len(shape) - len(axes)
        for dim in range(len(axes) - 2):
            axis = axes.axes[dim]
            if (
                informative(axis) > informative(found[dim + shift])
                and Axes((axis,)).shape[0] == shape[dim + shift]
            ):
                found[dim + shift] = axis
    found[-2], found[-1] = left.axes[-2], right.axes[-1]
    sample = left.sample if left.sample is not None else right.sample
    position = left.position if left.position is not None else right.position
    return Axes(tuple(found), sample, position).with_samples_once()


def _times_weight(call: FunctionCall, axes: Axes | None, weight: Tensor) -> Axes | None:
    if axes is None:
        return None
    plain = axes.without_units()
    if weight.ndim == 1:
        return Axes(plain.axes[:-1], axes.sample, axes.position)
    shape = call.out.shape
    found: list[Axis] = [(Run(size),) for size in shape]
    for dim in range(-2, -len(shape) - 1, -1):
        axis = plain.axes[dim] if -dim <= len(plain) else (Run(1),)
        weights = weight.shape[dim] if dim < -2 and -dim <= weight.ndim else 1
        if Axes((axis,)).shape[0] == shape[dim] and informative(axis):
            found[dim] = axis
        else:  # a weight of its own for each entry makes units of its own
            found[dim] = (Run(shape[dim], unit=weights > 1),)
    found[-1] = (Run(shape[-1], unit=True),)
    return Axes(tuple(found), axes.sample, axes.position)


def _weight_times(call: FunctionCall, axes: Axes | None, weight: Tensor, x: Tensor) -> Axes | None:
    if axes is None:
        return None
    if x.ndim == 1:
        return Axes(((Run(call.out.shape[-1], unit=True),),), axes.sample, axes.position)
    if informative(axes.axes[-2]) >= 4:  # it mixes samples, as an adjacency matrix does
        return axes if weight.shape[-1] == weight.shape[-2] else None
    plain = axes.without_units()
    found: list[Axis] = [(Run(size),) for size in call.out.shape]
    found[-len(plain) :] = plain.axes
    found[-2] = (Run(call.out.shape[-2], unit=True),)
    return Axes(tuple(found), axes.sample, axes.position)


def _einsum(call: FunctionCall, made: Made) -> Origin:
    """Letters of what depends on samples keep their meaning; those of weights alone are units."""
    equation = str(call.args[0]).replace(" ", "")
    tensors = call.args[1] if isinstance(call.args[1], list | tuple) else call.args[1:]
    known = [(tensor, origin) for tensor in tensors if (origin := call.origin(tensor)) is not None]
    weights = [tensor for tensor in tensors if call.origin(tensor) is None]
    equation = _without_dots(equation, tensors, call.out.ndim)
    lost = any(origin.axes is None for _, origin in known)
    inputs, _, output = equation.partition("->")
    if lost or not output:
        result = together([origin for _, origin in known], None)
        return made(call, result, weights[0]) if weights else result
    meaning: dict[str, Axis] = {}
    of_weights: set[str] = set()
    for letters, tensor in zip(inputs.split(","), tensors, strict=True):
        origin = call.origin(tensor)
        if origin is None or origin.axes is None:
            of_weights |= {
                letter
                for letter, size in zip(letters, tensor.shape, strict=True)
                if size > 1 and isinstance(tensor, Tensor)
            }
            continue
        mixing = weights and not any(_is_weight(weight) for weight in weights)
        kept = [
            letter
            for letter, axis in zip(letters, origin.axes.axes, strict=True)
            if letter in output and any(run.unit for run in axis)
        ]
        mixing = bool(mixing and kept)
        axes = origin.axes.without_units() if weights and not mixing else origin.axes
        for letter, axis in zip(letters, axes.axes, strict=True):
            if informative(axis) >= informative(meaning.get(letter, (Run(1),))):
                meaning[letter] = axis
        if mixing:
            of_weights, weights = set(), []
    found: list[Axis] = []
    for letter, size in zip(output, call.out.shape, strict=True):
        axis = meaning.get(letter, (Run(size),))
        is_unit = letter in of_weights and informative(axis) < 2
        found.append((Run(size, unit=True),) if is_unit else axis)
    first = known[0][1].axes
    sample, position = (None, None) if first is None else (first.sample, first.position)
    axes = Axes(tuple(found), sample, position).with_samples_once()
    result = together([origin for _, origin in known], axes)
    return made(call, result, weights[0]) if weights else result


def _without_dots(equation: str, tensors: Sequence[Tensor], n_out: int) -> str:
    """An equation of einsum with capital letters for the axes that its dots stand for."""
    if "..." not in equation:
        return equation
    inputs, arrow, output = equation.partition("->")
    counts = [
        tensor.ndim - len(letters.replace("...", ""))
        for letters, tensor in zip(inputs.split(","), tensors, strict=True)
        if "..." in letters
    ]
    most = max(counts, default=0)
    names = "ABCDEFGH"[:most]
    written = [
        letters.replace("...", names[most - (tensor.ndim - len(letters.replace("...", ""))) :])
        for letters, tensor in zip(inputs.split(","), tensors, strict=True)
    ]
    return ",".join(written) + arrow + output.replace("...", names[most - most :])


def _embedded(call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made) -> Origin:
    origin = parts[0][1]
    axes = origin.axes
    if axes is not None:
        unit = (Run(call.out.shape[-1], unit=True),)
        axes = Axes((*axes.without_units().axes, unit), axes.sample, axes.position)
    weight = call.argument(1, "weight")
    return made(call, origin.moved(axes), weight)


def _recurrent(call: FunctionCall, first: Origin, made: Made) -> list[Origin]:
    axes = first.axes
    if axes is None or len(axes) != call.out[0].ndim:
        axes = None
    else:
        unit = (Run(call.out[0].shape[-1], unit=True),)
        axes = Axes((*axes.without_units().axes[:-1], unit), axes.sample, axes.position)
    origin = made(call, first.moved(axes), None)
    return [origin] + [origin.moved(None)] * (len(call.out) - 1)


def _in_place(call: FunctionCall) -> bool:
    return call.out is call.input


def _elementwise(call: FunctionCall, parts: list[tuple[Tensor, Origin]]) -> list[Origin]:
    """Anything else: the axes that fit, and all the feeders."""
    results = (call.out,) if isinstance(call.out, Tensor) else call.out
    found: list[Origin] = []
    for result in results:
        if not isinstance(result, Tensor):
            found.append(together([origin for _, origin in parts], None))
            continue
        axes = merge_axes(result.shape, parts)
        origin = together([origin for _, origin in parts], axes)
        zero_or_above = rectifies(call) or (call.name in KEEPING_ZERO and parts[0][1].rectified)
        found.append(replace(origin, rectified=zero_or_above))
    return found
