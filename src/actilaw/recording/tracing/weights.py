"""What weights make of the axes of what they take in: units, along the axis that each kind of
function has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from actilaw.recording.tracing.axes import Axes, Axis, Run
from actilaw.recording.tracing.function_calls import FunctionCall, informative
from actilaw.recording.tracing.origins import Origin, together

CONVOLUTIONS = {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                "conv_transpose3d", "convolution"}  # fmt: skip
PRODUCTS = {"matmul", "mm", "bmm", "__matmul__", "__rmatmul__", "mv", "addmm", "addmv", "baddbmm"}

# Of the origin of what a weight, or a norm, makes: from the call, what it takes in, and the weight.
Made = Callable[[FunctionCall, Origin, object], Origin]


def of_linear(call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made) -> Origin:
    """Units along the last axis."""
    origin = call.origin(call.input) or parts[0][1]
    axes = origin.axes
    if axes is not None and call.origin(call.input) is not None:
        unit = (Run(call.out.shape[-1], unit=True),)
        sample = _only_sample(origin, axes) if len(axes) == 1 else axes.sample
        axes = Axes((*axes.without_units().axes[:-1], unit), sample, axes.position)
    weight = call.argument(1, "weight")
    return made(call, origin.moved(axes), weight)


def of_convolution(call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made) -> Origin:
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


def of_product(call: FunctionCall, made: Made) -> Origin:
    """A matrix product; what depends on no sample is a weight."""
    shift = 1 if call.name.startswith(("addm", "badd")) else 0
    one, other = call.args[shift], call.args[shift + 1]
    if call.name == "__rmatmul__":
        one, other = other, one
    left, right = call.origin(one), call.origin(other)
    if left is not None and right is not None:
        axes = None
        if left.axes is not None and right.axes is not None and min(one.ndim, other.ndim) > 1:
            axes = _of_both(call.out.shape, left.axes, right.axes)
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


def _of_both(shape: Sequence[int], left: Axes, right: Axes) -> Axes:
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


def of_einsum(call: FunctionCall, made: Made) -> Origin:
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


def of_embedding(call: FunctionCall, parts: list[tuple[Tensor, Origin]], made: Made) -> Origin:
    """A vector of units for each index."""
    origin = parts[0][1]
    axes = origin.axes
    if axes is not None:
        unit = (Run(call.out.shape[-1], unit=True),)
        axes = Axes((*axes.without_units().axes, unit), axes.sample, axes.position)
    weight = call.argument(1, "weight")
    return made(call, origin.moved(axes), weight)


def of_recurrent(call: FunctionCall, first: Origin, made: Made) -> list[Origin]:
    """Units along the last axis of the outputs; states are not followed."""
    axes = first.axes
    if axes is None or len(axes) != call.out[0].ndim:
        axes = None
    else:
        unit = (Run(call.out[0].shape[-1], unit=True),)
        axes = Axes((*axes.without_units().axes[:-1], unit), axes.sample, axes.position)
    origin = made(call, first.moved(axes), None)
    return [origin] + [origin.moved(None)] * (len(call.out) - 1)
