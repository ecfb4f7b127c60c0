"""Experts of a mixture as units: the rows of the router, and what holds the experts themselves.

Which experts a token sees is data, which no operation shows. So experts are found by their shapes:
every parameter of the router whose first axis has one entry for each expert, and beside it every
fused parameter of that kind, and every list of as many modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from actilaw.pruning.following.axis_graph import AxisGraph, OwnedAxis
from actilaw.support.arrays import Ints


@dataclass(frozen=True, eq=False)
class Experts:
    """The experts that one router chooses among.

    Attributes:
        router: the module.
        ids: one for each expert; (n_experts,).
        lists: modules that hold the experts one by one.
        around: modules that may say how many experts there are.
    """

    router: nn.Module
    ids: Ints
    lists: tuple[nn.ModuleList, ...]
    around: tuple[nn.Module, ...]


def find_experts(model: nn.Module, router: str, graph: AxisGraph) -> Experts | None:
    """The experts of a router by its name, whose parts are joined in the graph; None if it has no
    weight to tell them by.
    """
    module = model.get_submodule(router)
    weight = getattr(module, "weight", None)
    if not isinstance(weight, nn.Parameter):
        weight = next((own for own in module.parameters() if own.ndim == 2), None)
    if weight is None or id(weight) not in graph.axes:
        return None
    number, ids = weight.shape[0], graph.axes[id(weight)][0].ids
    for axis in _of_router(module, number, graph):
        graph.join(ids, axis.ids)
    parent = model.get_submodule(router.rpartition(".")[0])
    around, lists = [module, parent], []
    for beside in parent.children():
        if beside is module:
            continue
        if isinstance(beside, nn.ModuleList) and len(beside) == number:
            lists.append(beside)
        for own in beside.parameters(recurse=False):
            if own.ndim >= 2 and own.shape[0] == number and id(own) in graph.axes:
                graph.join(ids, graph.axes[id(own)][0].ids)
                around.append(beside)
    return Experts(module, ids, tuple(lists), tuple(dict.fromkeys(around)))


def _of_router(module: nn.Module, number: int, graph: AxisGraph) -> Iterator[OwnedAxis]:
    for tensor in (*module.parameters(), *module.buffers()):
        axes = graph.axes.get(id(tensor), ())
        if axes and tensor.shape[0] == number:
            yield axes[0]


def keep_experts(experts: Experts, kept: Ints) -> None:
    """Leave only some experts in the lists, and say how many there are where that is said."""
    number = len(experts.ids)
    for modules in experts.lists:
        left = [modules[int(index)] for index in kept]
        del modules[:]
        modules.extend(left)
        # For the manifest of the saved model.
        vars(modules)["kept_places"] = tuple(map(int, kept))
    for module in experts.around:
        for name, value in list(vars(module).items()):
            if "expert" in name and type(value) is int and value == number:
                setattr(module, name, len(kept))
