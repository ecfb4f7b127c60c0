"""Following units through a model while it runs, by a mode that PyTorch calls for every operation
of its core (`torch.utils._python_dispatch.TorchDispatchMode`).

It needs no gradients, and sees what functions, modules and fused layers are made of. While units
are held at constants (`Silence`), it also sees what each product takes in of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from actilaw.pruning.following.axis_graph import AxisGraph, OwnedAxis
from actilaw.pruning.following.labels import NO_LABELS, Labels, ids_in, numbers
from actilaw.pruning.following.operation import Operation, Taken
from actilaw.pruning.following.rules import compared_axis, labels_of_results
from actilaw.support.arrays import Floats, Ints


@dataclass
class Silence:
    """Units that are held at constants while a model runs.

    Attributes:
        removed: whether each id is of such a unit; (size,), bool.
        taken: by the memory of a weight, what its products took in of such units.
    """

    removed: np.ndarray
    taken: list[Taken] = field(default_factory=list)


class Follower(TorchDispatchMode):
    """Follows units from operation to operation.

    Args:
        graph: of the ids of the model's parameters and buffers.
        silence: units that are held at constants in this run, or None.
    """

    def __init__(self, graph: AxisGraph, silence: Silence | None = None) -> None:
        super().__init__()
        self.graph, self.silence = graph, silence
        self.takers: dict[int, OwnedAxis] = {}  # axes of weights that take units in
        self.uses: dict[int, list[str]] = {}  # by id of a parameter, operations that took it in
        self._labels = WeakTensorKeyDictionary()
        self._counted: list[Ints] = []  # ids that counted layers have had
        self._memory: set[int] = set()  # of parameters
        for owned in graph.axes.values():
            if owned:
                self._memory.add(owned[0].tensor.untyped_storage().data_ptr())
                self._labels[owned[0].tensor] = _of_parameter(owned[0].tensor, owned, graph)

    def labels_of(self, tensor: object) -> Labels:
        """The labels of a tensor; none where it holds no units that are known."""
        if not isinstance(tensor, Tensor) or tensor.ndim == 0:
            return NO_LABELS
        return self._labels.get(tensor) or NO_LABELS

    def note_counted(self, ids: Ints) -> None:
        """A counted layer has these ids."""
        self._counted.append(ids)

    def is_counted(self, label: Tensor) -> bool:
        """Whether a counted layer has had units of these ids."""
        if not self._counted:
            return False
        units = self.graph.units()
        return bool(np.isin(units[ids_in(label)], units[np.concatenate(self._counted)]).any())

    def is_removed(self, label: Tensor) -> Tensor:
        """Which ids of a label are held at constants in this run; bool, as the label."""
        if self.silence is None:
            return torch.zeros_like(label, dtype=torch.bool)
        return torch.from_numpy(self.silence.removed).to(label.device)[label]

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = _name(func)
        for tensor in args:
            if isinstance(tensor, nn.Parameter):
                self.uses.setdefault(id(tensor), []).append(name)
        if self.silence is not None:
            args = self._losing_comparisons(name, args, kwargs)
        out = func(*args, **kwargs)
        results = [out] if isinstance(out, Tensor) else out
        if not isinstance(results, list | tuple):
            return out
        operation = Operation(
            func,
            name,
            args,
            kwargs,
            out,
            graph=self.graph,
            labels_of=self.labels_of,
            is_counted=self.is_counted,
            is_weight=self._is_weight,
            taken=self._take,
        )
        if not any(self.labels_of(tensor) for tensor in operation.tensors()):
            for result in results:
                if isinstance(result, Tensor) and result in self._labels:
                    del self._labels[result]
            return out
        for result, labels in zip(results, labels_of_results(operation), strict=False):
            if isinstance(result, Tensor):
                fitting = tuple(label for label in labels if label.ndim == result.ndim)
                self._labels[result] = fitting
        return out

    def _losing_comparisons(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...]:
        """Arguments in which units that are removed lose every comparison with others."""
        dim = compared_axis(name, args, kwargs)
        if dim is None or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
            return args
        x = args[0]
        for label in self.labels_of(x):
            if label.shape[dim] > 1:
                lost = x.masked_fill(self.is_removed(label), -torch.inf)
                self._labels[lost] = self.labels_of(x)
                x = lost
        return (x, *args[1:])

    def _is_weight(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._memory

    def _take(self, taken: Taken) -> None:
        if self.silence is None:
            axis = self.graph.owner(ids_in(taken.ids))
            if axis is not None:
                self.takers[axis.first] = axis
        if self.silence is not None and bool(self.is_removed(taken.ids).any()):
            self.silence.taken.append(taken)

    def hold(self, x: Tensor, constants: Floats) -> None:
        """Hold units of a tensor at constants, by id, (size,), from now on in this run."""
        for label in self.labels_of(x):
            removed = self.is_removed(label)
            values = torch.from_numpy(constants).to(x.device, x.dtype)[label]
            x.copy_(torch.where(removed, values, x))


def graph_of(model: nn.Module) -> AxisGraph:
    """The ids of all floating-point parameters and buffers of a model."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return AxisGraph(
        {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}
    )


def _of_parameter(tensor: Tensor, owned: Sequence[Any], graph: AxisGraph) -> Labels:
    labels = []
    for axis in owned:
        if tensor.shape[axis.dim] > 1:
            shape = [1] * tensor.ndim
            shape[axis.dim] = -1
            labels.append(numbers(axis.ids, tensor).reshape(shape))
    return tuple(labels)


def _name(function: Callable[..., Any]) -> str:
    """An operation's name, the same whether it works in place or not."""
    name = str(getattr(getattr(function, "_schema", None), "name", function))
    name = name.rpartition("::")[2]
    return name if name.startswith("_") and name.endswith("__") else name.rstrip("_")
