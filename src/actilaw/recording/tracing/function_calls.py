"""One call of a PyTorch function, and what its arguments mean: shared by the rules of how origins
go through functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from actilaw.recording.tracing.axes import Axes, Axis, Run
from actilaw.recording.tracing.origins import Origin, Origins


@dataclass(frozen=True, eq=False)
class FunctionCall:
    """A function that was called, with what it returned.

    Attributes:
        function: as PyTorch dispatches it.
        name: without the underscore that marks a function in place.
        args: its positional arguments.
        kwargs: its keyword arguments.
        out: what it returned.
        origins: of all tensors so far.
    """

    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    origins: Origins

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        if len(self.args) > index:
            return self.args[index]
        return self.kwargs.get(name, default)

    @property
    def dim(self) -> Any:
        """The axes it works along, as given; None if not given."""
        return self.argument(1, "dim", self.kwargs.get("axis"))

    @property
    def input(self) -> Any:
        """Its first argument, under any of the names that it goes by."""
        if self.args:
            return self.args[0]
        names = ("input", "tensors", "query", "self", "tensor")
        return next((self.kwargs[name] for name in names if name in self.kwargs), None)

    def origin(self, tensor: object) -> Origin | None:
        """Where an argument comes from."""
        return self.origins.of(tensor)

    def tracked(self) -> list[tuple[Tensor, Origin]]:
        """The arguments that depend on samples."""
        found = ((tensor, self.origins.of(tensor)) for tensor in self.tensors())
        return [(tensor, origin) for tensor, origin in found if origin is not None]

    def tensors(self) -> Iterator[Tensor]:
        """The arguments that are tensors, also in lists."""
        for value in (*self.args, *self.kwargs.values()):
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, list | tuple):
                yield from (item for item in value if isinstance(item, Tensor))


def function_name(function: Callable[..., Any]) -> str:
    """The name of a function, of a property for the function that reads it; in place or not."""
    name = getattr(function, "__name__", "")
    if name == "__get__":
        return str(getattr(getattr(function, "__self__", None), "__name__", ""))
    if name.startswith("__"):
        return name
    return name.rstrip("_")


def along(dim: int, n_axes: int) -> int:
    """An axis counted from the front."""
    return dim + n_axes if dim < 0 else dim


def dims_of(dim: Any, n_axes: int) -> list[int]:
    """Axes, given as a number, several, or None for all of them, counted from the front."""
    if dim is None:
        return list(range(n_axes))
    return [along(int(d), n_axes) for d in (dim if isinstance(dim, list | tuple) else (dim,))]


def informative(axis: Axis) -> int:
    """How much an axis says: samples more than positions, these more than units."""
    return max(
        8 * (run.sample is not None and not run.weak)
        + 4 * (run.sample is not None)
        + 2 * (run.position is not None)
        + run.unit
        for run in axis
    )


def merge_axes(shape: Sequence[int], parts: Sequence[tuple[Tensor, Origin]]) -> Axes | None:
    """What the axes of a result mean, from arguments that broadcast to its shape, have as many
    axes, or the same leading ones.
    """
    found: list[Axis] = [(Run(size),) for size in shape]
    sample = position = None
    one_unit = False
    for tensor, origin in parts:
        if origin.axes is None or tensor.ndim == 0:
            continue
        one_unit |= origin.axes.one_unit and tensor.numel() == math.prod(shape)
        sample = origin.axes.sample if sample is None else sample
        position = origin.axes.position if position is None else position
        for dim, axis in zip(*_aligned(tensor.shape, shape, origin.axes), strict=True):
            if informative(axis) > informative(found[dim]):
                found[dim] = axis
    axes = Axes(tuple(found), sample, position, one_unit).with_samples_once()
    before = any(origin.axes is None or origin.axes.has_samples for _, origin in parts)
    return None if before and not axes.has_samples else axes


def _aligned(
    shape: Sequence[int], out: Sequence[int], axes: Axes
) -> tuple[list[int], Sequence[Axis]]:
    """The axes of an argument that are axes of the result, too, and their places there."""
    shift = len(out) - len(shape)
    if shift >= 0 and all(
        size in (1, out[dim + shift]) for dim, size in enumerate(shape)
    ):  # as numbers broadcast
        pairs = [(dim + shift, dim) for dim, size in enumerate(shape) if size == out[dim + shift]]
    elif shift == 0:
        pairs = [(dim, dim) for dim, size in enumerate(shape) if size == out[dim]]
    else:
        pairs = []
        for dim, (one, other) in enumerate(zip(shape, out, strict=False)):
            if one != other:
                break
            pairs.append((dim, dim))
    return [there for there, _ in pairs], [axes.axes[here] for _, here in pairs]


def indices(value: Any) -> bool:
    """Whether a value selects entries by a tensor or a list."""
    return isinstance(value, Tensor | list) or type(value).__module__ == "numpy"
