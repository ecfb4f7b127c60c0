"""One operation of PyTorch's core (ATen), with the labels of what it takes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from actilaw.pruning.following.axis_graph import AxisGraph
from actilaw.pruning.following.labels import Labels, ids_in


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation that has run.

    Attributes:
        function: as PyTorch dispatches it.
        name: without the underscore that marks an operation in place.
        args, kwargs: its arguments.
        out: what it returned.
        graph: of all ids.
        labels_of: the labels of a tensor.
        is_counted: whether a counted layer has had these ids already.
        is_weight: whether a tensor lies in the memory of a parameter.
        taken: called with what each product takes in.
    """

    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    graph: AxisGraph
    labels_of: Callable[[object], Labels]
    is_counted: Callable[[Tensor], bool]
    is_weight: Callable[[Tensor], bool]
    taken: Callable[[Taken], None]

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        if len(self.args) > index:
            return self.args[index]
        return self.kwargs.get(name, default)

    def tensors(self) -> list[Tensor]:
        """The arguments that are tensors, also in lists."""
        found: list[Tensor] = []
        for value in (*self.args, *self.kwargs.values()):
            if isinstance(value, Tensor):
                found.append(value)
            elif isinstance(value, list | tuple):
                found += [item for item in value if isinstance(item, Tensor)]
        return found

    def pin(self, label: Tensor, why: str) -> None:
        """The ids of a label have to stay."""
        self.graph.pin(ids_in(label), f"{self.name} {why}")

    def pin_all(self, why: str) -> None:
        """All ids of what the operation takes in have to stay."""
        for tensor in self.tensors():
            for label in self.labels_of(tensor):
                self.pin(label, why)


@dataclass(frozen=True, eq=False)
class Taken:
    """Units that a product takes in and sums over.

    Attributes:
        values: what it takes in; (..., n).
        weight: the other factor as it was given.
        ids: of the weight's entries; (n,), int64.
        padded: whether zeros are put around the values, as by convolutions.
    """

    values: Tensor
    weight: Tensor
    ids: Tensor
    padded: bool = False
