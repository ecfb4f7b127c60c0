"""Labels: which entries of parameters' axes (`axis_graph`) the entries of a tensor belong to.

A label is an integer tensor of ids with as many axes as the tensor it describes, of size 1 along
each axis on which the ids do not depend. Most tensors have one, along the axis of the units; a
weight has one for each of its axes. Whatever moves entries, moves labels alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from actilaw.pruning.following.axis_graph import FREE, AxisGraph
from actilaw.support.arrays import Ints

Labels = tuple[Tensor, ...]
NO_LABELS: Labels = ()


def ids_in(label: Tensor) -> Ints:
    """All ids of a label; (n,)."""
    return label.reshape(-1).cpu().numpy()


def varying(label: Tensor) -> set[int]:
    """The axes along which ids differ."""
    return {dim for dim, size in enumerate(label.shape) if size > 1}


def compressed(label: Tensor) -> Tensor | None:
    """The label without the axes that ids do not depend on; None if none is left, or no ids."""
    if label.numel() == 0:
        return None
    for dim in range(label.ndim):
        if label.shape[dim] == 1:
            continue
        first = label.narrow(dim, 0, 1)
        if label.stride(dim) == 0 or bool((label == first).all()):
            label = first
    return label if varying(label) and bool((label != FREE).any()) else None


def moved(labels: Labels, shape: Sequence[int], move: Callable[[Tensor], Tensor]) -> Labels:
    """Labels of what a function that only moves entries makes of a tensor of this shape."""
    found = (compressed(move(label.expand(tuple(shape)))) for label in labels)
    return tuple(label for label in found if label is not None)


def with_axes(label: Tensor, n_axes: int) -> Tensor:
    """The label for a tensor with more axes in front."""
    return label.reshape((1,) * (n_axes - label.ndim) + tuple(label.shape))


def combined(
    shape: Sequence[int], parts: Iterable[tuple[Tensor, Labels]], graph: AxisGraph, what: str
) -> Labels:
    """Labels of what an operation makes, entry by entry, of tensors that broadcast to a shape.

    Ids that meet in an entry are joined. Where ids meet a tensor of fixed size, they have to stay.
    """
    n_axes = len(shape)
    of_parts = [
        (tensor, [with_axes(label, n_axes) for label in labels]) for tensor, labels in parts
    ]
    found: list[Tensor] = []
    for _, labels in of_parts:
        for label in labels:
            _join_to(found, label, graph)
    for label in found:
        for dim in varying(label):
            for tensor, labels in of_parts:
                at = dim - n_axes + tensor.ndim
                fixed = at >= 0 and tensor.shape[at] > 1
                if fixed and not any(dim in varying(own) for own in labels):
                    graph.pin(ids_in(label), f"{what} meets them with a tensor of fixed size")
    return tuple(found)


def _join_to(found: list[Tensor], label: Tensor, graph: AxisGraph) -> None:
    for place, other in enumerate(found):
        if varying(other) & varying(label):
            one, two = torch.broadcast_tensors(other, label)
            graph.join(ids_in(one), ids_in(two))
            met = compressed(torch.where(one == FREE, two, one))
            found[place] = other if met is None else met
            return
    found.append(label)


def numbers(values: Ints, like: Tensor) -> Tensor:
    """Whole numbers as a tensor on the same device."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.device)
