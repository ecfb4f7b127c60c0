"""What each function of PyTorch makes of the origins of its arguments.

Linear maps and convolutions make units (`weights`), reshapes move axes (`moves`), everything else
keeps what it can. A function that nobody taught here keeps the axes whose sizes stay.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from actilaw.recording.tracing.activation_functions import KEEPING_ZERO, rectifies
from actilaw.recording.tracing.axes import Axes, Run
from actilaw.recording.tracing.function_calls import FunctionCall, dims_of, merge_axes
from actilaw.recording.tracing.moves import MOVES, joined, moved, stacked
from actilaw.recording.tracing.origins import Origin, together
from actilaw.recording.tracing.weights import (
    CONVOLUTIONS,
    PRODUCTS,
    Made,
    of_convolution,
    of_einsum,
    of_embedding,
    of_linear,
    of_product,
    of_recurrent,
)

REDUCTIONS = {
    "mean", "sum", "nanmean", "nansum", "amax", "amin", "max", "min", "prod", "logsumexp", "std",
    "var", "std_mean", "var_mean", "norm", "any", "all", "argmax", "argmin", "median", "mode",
    "count_nonzero", "nanmedian",
}  # fmt: skip
NORMS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
JOINS = {"cat", "concat", "concatenate", "hstack", "vstack", "dstack"}


def found_origins(
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
        return [of_linear(call, parts, made)]
    if name in CONVOLUTIONS:
        return [of_convolution(call, parts, made)]
    if name in PRODUCTS:
        return [of_product(call, made)]
    if name == "einsum":
        return [of_einsum(call, made)]
    if name == "embedding":
        return [of_embedding(call, parts, made)]
    if name in RECURRENT and first is not None:
        return of_recurrent(call, first, made)
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
