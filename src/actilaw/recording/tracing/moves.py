"""Functions that move values without changing them: what the axes of their results mean.

Reshapes, transpositions, selections, repetitions and joins, by the names that PyTorch gives them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from actilaw.recording.tracing import axes as of_axes
from actilaw.recording.tracing.axes import Axes, Axis, Run
from actilaw.recording.tracing.function_calls import FunctionCall, along, dims_of, indices
from actilaw.recording.tracing.reshapes import reshaped

# What a move makes of the axes of its first argument: one set for each tensor that it returns.
Moved = Axes | None | list[Axes | None]
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)


def _same(call: FunctionCall, axes: Axes) -> Moved:
    return axes


def _reshaped(call: FunctionCall, axes: Axes) -> Moved:
    return reshaped(axes, call.out.shape)


def _unsqueezed(call: FunctionCall, axes: Axes) -> Moved:
    dim = along(call.argument(1, "dim"), call.out.ndim)
    new = (*axes.axes[:dim], (Run(1),), *axes.axes[dim:])
    return replace(axes, axes=new)


def _squeezed(call: FunctionCall, axes: Axes) -> Moved:
    given = call.args[1:] if len(call.args) > 2 else call.dim
    for dim in sorted(dims_of(given, len(axes)), reverse=True):
        if of_axes.size(axes.axes[dim]) == 1:
            axes = axes.at(dim, 0)
    return axes


def _permuted(call: FunctionCall, axes: Axes) -> Moved:
    """The order of the axes, read off from an empty tensor whose axes differ in size."""
    if len(axes) > len(PRIMES):
        return None
    sizes = PRIMES[: len(axes)]
    empty = torch.empty(sizes, device="meta")
    out = call.function(empty, *call.args[1:], **_without_input(call))
    return axes.permuted([sizes.index(size) for size in out.shape])


def _without_input(call: FunctionCall) -> dict[str, Any]:
    return {name: value for name, value in call.kwargs.items() if value is not call.input}


def _expanded(call: FunctionCall, axes: Axes) -> Moved:
    shape = call.out.shape
    found: list[Axis] = [(Run(size),) for size in shape[: len(shape) - len(axes)]]
    for axis, size in zip(axes.axes, shape[len(shape) - len(axes) :], strict=True):
        same = of_axes.size(axis) == size
        found.append(axis if same else (*axis, Run(size)))
    return replace(axes, axes=tuple(found))


def _repeated(call: FunctionCall, axes: Axes) -> Moved:
    """Whole copies along an axis: the copy is the outer factor."""
    shape = call.out.shape
    found: list[Axis] = [(Run(size),) for size in shape[: len(shape) - len(axes)]]
    for axis, size in zip(axes.axes, shape[len(shape) - len(axes) :], strict=True):
        copies = size // max(of_axes.size(axis), 1)
        found.append(axis if copies == 1 else (Run(copies), *axis))
    return replace(axes, axes=tuple(found))


def _each_repeated(call: FunctionCall, axes: Axes) -> Moved:
    repeats, dim = call.argument(1, "repeats"), call.argument(2, "dim")
    if dim is None:
        return None
    dim = along(dim, len(axes))
    axis = axes.axes[dim]
    if isinstance(repeats, Tensor):
        times = repeats.expand(of_axes.size(axis)).cpu()
        return axes.with_axis(
            dim, of_axes.select(axis, torch.arange(len(times)).repeat_interleave(times))
        )
    return axes.with_axis(dim, (*axis, Run(repeats)))


def _parts(call: FunctionCall, axes: Axes) -> Moved:
    """Consecutive parts along an axis, with the sizes of what came out."""
    dim = along(call.argument(2, "dim", 0), len(axes))
    found: list[Axes | None] = []
    start = 0
    for part in call.out:
        stop = start + part.shape[dim]
        found.append(axes.with_axis(dim, of_axes.select(axes.axes[dim], slice(start, stop))))
        start = stop
    return found


def _unbound(call: FunctionCall, axes: Axes) -> Moved:
    dim = along(call.argument(1, "dim", 0), len(axes))
    return [axes.at(dim, index) for index in range(len(call.out))]


def _selected(call: FunctionCall, axes: Axes) -> Moved:
    dim, index = along(call.argument(1, "dim"), len(axes)), int(call.argument(2, "index"))
    return axes.at(dim, index % of_axes.size(axes.axes[dim]))


def _narrowed(call: FunctionCall, axes: Axes) -> Moved:
    dim, start = along(call.argument(1, "dim"), len(axes)), int(call.argument(2, "start"))
    stop = start + call.out.shape[dim]
    return axes.with_axis(dim, of_axes.select(axes.axes[dim], slice(start, stop)))


def _index_selected(call: FunctionCall, axes: Axes) -> Moved:
    dim = along(call.argument(1, "dim"), len(axes))
    return axes.with_axis(dim, of_axes.select(axes.axes[dim], call.argument(2, "index")))


def _flipped(call: FunctionCall, axes: Axes) -> Moved:
    given = call.args[1:] if len(call.args) > 2 else call.argument(1, "dims")
    for dim in dims_of(given, len(axes)):
        backwards = torch.arange(of_axes.size(axes.axes[dim])).flip(0)
        axes = axes.with_axis(dim, _rearranged(axes.axes[dim], backwards))
    return axes


def _rolled(call: FunctionCall, axes: Axes) -> Moved:
    dims, shifts = call.argument(2, "dims"), call.argument(1, "shifts")
    if dims is None:
        return None
    shifts = shifts if isinstance(shifts, list | tuple) else [shifts]
    for dim, shift in zip(dims_of(dims, len(axes)), shifts, strict=True):
        order = torch.arange(of_axes.size(axes.axes[dim])).roll(int(shift))
        axes = axes.with_axis(dim, _rearranged(axes.axes[dim], order))
    return axes


def _rearranged(axis: Axis, order: Tensor) -> Axis:
    """An axis in another order; one that says nothing stays as it is."""
    return axis if all(run.plain for run in axis) else of_axes.select(axis, order)


def _reordered_by_value(call: FunctionCall, axes: Axes) -> Moved:
    """Sorted, or gathered, along an axis, every row in its own order: the axis loses its
    meaning.
    """
    first = call.out if isinstance(call.out, Tensor) else call.out[0]
    dim = call.argument(1, "dim", -1)
    if call.name == "topk":
        dim = call.argument(2, "dim", -1)
    dim = along(dim if isinstance(dim, int) and not isinstance(dim, bool) else -1, len(axes))
    unit = any(run.unit for run in axes.axes[dim])
    left = axes.with_axis(dim, (Run(first.shape[dim], unit=unit),))
    return left if isinstance(call.out, Tensor) else [left for _ in call.out]


def _item(call: FunctionCall, axes: Axes) -> Moved:
    """Indexing as in NumPy: slices, numbers, new axes, and one group of tensors of indices."""
    given = call.args[1]
    items = list(given) if isinstance(given, tuple) else [given]
    taken = sum(_axes_taken(item) for item in items)
    places = [i for i, item in enumerate(items) if item is Ellipsis]
    rest: list[Any] = [slice(None)] * (len(axes) - taken)
    if places:
        items[places[0] : places[0] + 1] = rest
    else:
        items += rest
    found: list[Axis] = []
    chosen: list[tuple[int, Axis, Tensor]] = []  # place, axis, and indices
    dim = 0
    left = axes  # what numbers leave
    for item in items:
        if item is None:
            found.append((Run(1),))
        elif isinstance(item, slice):
            found.append(of_axes.select(axes.axes[dim], item))
            dim += 1
        elif isinstance(item, bool):
            return None
        elif indices(item):
            index = item if isinstance(item, Tensor) else torch.as_tensor(item)
            if index.dtype in (torch.bool, torch.uint8):
                axis = tuple(run for part in axes.axes[dim : dim + index.ndim] for run in part)
                chosen.append((len(found), axis, index.flatten().nonzero().squeeze(1)))
                dim += index.ndim
            else:
                chosen.append((len(found), axes.axes[dim], index))
                dim += 1
        else:
            left = replace(left, axes=(axes.axes[dim],))
            left = left.at(0, int(item) % of_axes.size(axes.axes[dim]))
            dim += 1
    placed = _chosen_axes(chosen)
    if placed is None:
        return None
    if chosen:
        first, last = chosen[0][0], chosen[-1][0]
        found[first if first == last else 0 : 0 if first != last else first] = placed
    axes = replace(left, axes=tuple(found))
    return axes if axes.shape == tuple(call.out.shape) else None


def _axes_taken(item: Any) -> int:
    """How many axes one item of an index takes up."""
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, Tensor) and item.dtype in (torch.bool, torch.uint8):
        return item.ndim
    return 1


def _chosen_axes(chosen: list[tuple[int, Axis, Tensor]]) -> list[Axis] | None:
    """The axes that tensors of indices leave: one for each of their own, which are broadcast."""
    if not chosen:
        return []
    shape = torch.broadcast_shapes(*(index.shape for _, _, index in chosen))
    if all(run.plain for _, axis, _ in chosen for run in axis):
        unit = any(run.unit for _, axis, _ in chosen for run in axis)
        return [(Run(size, unit=unit),) for size in shape]
    if len(shape) != 1:
        return None
    runs = [
        of_axes.merged(axis).select(index.expand(shape).long().cpu()) for _, axis, index in chosen
    ]
    return [(_added(runs),)]


def _added(runs: list[Run]) -> Run:
    """Runs of the same entries, each of which says something."""
    together: dict[str, Any] = {}
    for kind in ("sample", "position"):
        numbers = [getattr(run, kind) for run in runs if getattr(run, kind) is not None]
        total = sum(of_axes.as_tensor(part) for part in numbers) if numbers else None
        together[kind] = total
    return Run(runs[0].size, unit=any(run.unit for run in runs), **together)


Move = Callable[[FunctionCall, Axes], Moved]
MOVES: dict[str, Move] = {
    **dict.fromkeys(
        ("contiguous", "clone", "detach", "to", "float", "double", "half", "bfloat16", "type",
         "cpu", "cuda", "type_as", "requires_grad", "data", "alias", "view_as_real_copy", "real",
         "positive", "pin_memory", "fill_diagonal", "retain_grad"),
        _same,
    ),
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "view_as", "reshape_as", "ravel",
         "_unsafe_view", "atleast_2d"),
        _reshaped,
    ),
    **dict.fromkeys(
        ("permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims", "t", "T", "mT", "H",
         "mH", "adjoint"),
        _permuted,
    ),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expanded),
    **dict.fromkeys(("repeat", "tile"), _repeated),
    "repeat_interleave": _each_repeated,
    **dict.fromkeys(
        ("chunk", "split", "tensor_split", "split_with_sizes", "unsafe_chunk", "unsafe_split"),
        _parts,
    ),
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "unbind": _unbound,
    "select": _selected,
    "narrow": _narrowed,
    "index_select": _index_selected,
    **dict.fromkeys(("flip", "fliplr", "flipud"), _flipped),
    "roll": _rolled,
    **dict.fromkeys(("sort", "topk", "argsort", "gather", "take_along_dim"), _reordered_by_value),
    "__getitem__": _item,
}  # fmt: skip


def moved(call: FunctionCall, axes: Axes) -> Moved:
    """What the axes of the results mean, of a call that is one of MOVES."""
    if 0 in axes.shape:
        return None
    found = MOVES[call.name](call, axes)
    if isinstance(found, Axes):
        return found if math.prod(found.shape) == call.out.numel() else None
    return found


def joined(call: FunctionCall, parts: list[Axes | None]) -> Axes | None:
    """The axes of `torch.cat`, of tensors of which all or some can be followed."""
    shape = call.out.shape
    fixed = {"hstack": 0 if len(shape) == 1 else 1, "vstack": 0, "dstack": 2}
    given: int = call.argument(1, "dim", call.kwargs.get("axis", 0))
    dim = along(fixed.get(call.name, given), len(shape))
    tensors = [tensor for tensor in call.input if tensor.numel()]
    together: list[Axis] = []
    known = next(axes for axes in parts if axes is not None)
    for i, size in enumerate(shape):
        if i == dim:
            together.append(
                of_axes.joined(
                    [
                        _along(axes, i, known) if axes is not None else (Run(tensor.shape[i]),)
                        for axes, tensor in zip(parts, tensors, strict=True)
                    ]
                )
            )
        else:
            together.append(known.axes[i] if known.axes else (Run(size),))
    same = all(axes is None or axes.sample == known.sample for axes in parts)
    return Axes(tuple(together), known.sample if same else None, known.position if same else None)


def _along(axes: Axes, dim: int, known: Axes) -> Axis:
    """An axis of one part, with the number of the one sample it is of, where these differ."""
    axis = axes.axes[dim]
    if axes.sample is None or axes.sample == known.sample:
        return axis
    return (_numbered(of_axes.merged(axis), axes),)


def _numbered(run: Run, axes: Axes) -> Run:
    sample = None if axes.sample is None else torch.full((run.size,), axes.sample)
    return Run(run.size, sample, run.position, run.unit)


def stacked(call: FunctionCall, parts: list[Axes | None]) -> Axes | None:
    """The axes of `torch.stack`: the new one has the samples, or positions, of which each tensor
    was one.
    """
    dim = along(call.argument(1, "dim", call.kwargs.get("axis", 0)), call.out.ndim)
    if any(axes is None for axes in parts):
        return None
    known = [axes for axes in parts if axes is not None]
    run = Run(len(known))
    constants: dict[str, int | None] = {}
    for kind in ("sample", "position"):
        numbers = [getattr(axes, kind) for axes in known]
        constants[kind] = numbers[0]
        if any(number != numbers[0] for number in numbers) or (
            len(numbers) == 1 and numbers[0] is not None
        ):
            if None in numbers:
                return None
            whole = of_axes.joined([(_single(kind, n),) for n in numbers])
            run = Run(len(known), **{**_numbers(run), kind: getattr(whole[0], kind)})
            constants[kind] = None
    axes = [*known[0].axes]
    axes.insert(dim, (run,))
    return Axes(tuple(axes), constants["sample"], constants["position"])


def _single(kind: str, number: int) -> Run:
    numbers = range(number, number + 1)
    return Run(1, sample=numbers) if kind == "sample" else Run(1, position=numbers)


def _numbers(run: Run) -> dict[str, Any]:
    return {"sample": run.sample, "position": run.position}
