"""Taking units out of a model: every parameter and buffer that holds them becomes smaller, what
later weights took in of them goes into their biases, and modules are told their new sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actilaw.errors import ModelError
from actilaw.pruning.expert_units import keep_experts
from actilaw.pruning.following.axis_graph import AxisGraph
from actilaw.pruning.removal import FollowedModel, Removable, places_of
from actilaw.pruning.stand_ins import StandIn
from actilaw.support.arrays import Ints

# What a configuration of Transformers calls the width of feed-forward layers and the number of
# experts.
WIDTHS_IN_CONFIG = (
    "intermediate_size", "n_inner", "ffn_dim", "d_ff", "mlp_dim", "encoder_ffn_dim",
    "decoder_ffn_dim", "hidden_dim", "ffn_hidden_size", "d_sae", "moe_intermediate_size",
)  # fmt: skip
EXPERTS_IN_CONFIG = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


@torch.no_grad()
def shrink(followed: FollowedModel, removable: Removable) -> None:
    """Make the model itself smaller.

    Raises:
        ModelError: if a constant has to go into a bias, and there is none to take it.
    """
    model, graph = followed.model, followed.graph
    _fold(followed, removable)
    smaller = _smaller_tensors(graph, removable.ids)
    for module in model.modules():
        _replace(module, smaller)
    for name, experts in followed.experts.items():
        kept = np.setdiff1d(np.arange(len(experts.ids)), removable.units[name])
        if len(kept) < len(experts.ids):
            keep_experts(experts, kept)
    _update_config(followed, removable)


def _smaller_tensors(graph: AxisGraph, removed: np.ndarray) -> dict[int, Tensor]:
    """By the id of each tensor that changes, the smaller one."""
    found: dict[int, Tensor] = {}
    for key, axes in graph.axes.items():
        smaller: Tensor | None = None
        for axis in axes:
            goes = removed[axis.ids]
            if goes.any():
                kept = torch.from_numpy(np.flatnonzero(~goes)).to(axis.tensor.device)
                whole = axis.tensor.detach() if smaller is None else smaller
                smaller = whole.index_select(axis.dim, kept)
        if smaller is not None:
            tensor = axes[0].tensor
            if isinstance(tensor, nn.Parameter):
                smaller = nn.Parameter(smaller, requires_grad=tensor.requires_grad)
            found[key] = smaller
    return found


def _replace(module: nn.Module, smaller: Mapping[int, Tensor]) -> None:
    """Put smaller tensors into a module, and its sizes right."""
    old: list[tuple[Tensor, Tensor]] = []
    stores: Any = (module._parameters, module._buffers)
    for tensors in stores:
        for name, tensor in tensors.items():
            if tensor is not None and id(tensor) in smaller:
                old.append((tensor, smaller[id(tensor)]))
                tensors[name] = smaller[id(tensor)]
    if old:
        set_sizes(module, [(tuple(one.shape), tuple(other.shape)) for one, other in old])


def set_sizes(module: nn.Module, shapes: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """The sizes that a module keeps as attributes, after its tensors changed shape.

    Args:
        module: whose tensors are the new ones already.
        shapes: of each tensor that changed, before and after.
    """
    weight: Any = getattr(module, "weight", None)
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = weight.shape
        return
    if isinstance(module, nn.modules.conv._ConvNd):
        if module.groups > 1:  # each channel by itself
            each = module.out_channels // module.groups
            module.groups = weight.shape[0] // each
        axes = (1, 0) if module.transposed else (0, 1)
        module.out_channels = weight.shape[axes[0]]
        module.in_channels = weight.shape[axes[1]] * module.groups
        return
    if isinstance(module, nn.modules.batchnorm._NormBase):
        module.num_features = len(next(t for t in (weight, module.running_mean) if t is not None))
        return
    staying = {
        size
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False))
        for size in tensor.shape
    }
    changed: dict[int, int] = {}
    for before, after in shapes:
        changed |= {one: other for one, other in zip(before, after, strict=True) if one != other}
    for before, after in list(changed.items()):  # gate and up in one matrix
        if before % 2 == 0 and after % 2 == 0:
            changed.setdefault(before // 2, after // 2)
    for name, value in list(vars(module).items()):
        if type(value) is int and value in changed and value not in staying:
            setattr(module, name, changed[value])


def _fold(followed: FollowedModel, removable: Removable) -> None:
    """Put what weights take in of constant units into the biases beside them, and what kept
    units stand in for into their weights.
    """
    model, graph = followed.model, followed.graph
    owners = {id(own): module for module in model.modules() for own in module._parameters.values()}
    by_memory = {
        tensor.untyped_storage().data_ptr(): tensor
        for tensor in model.parameters()
        if tensor.device.type != "meta"
    }
    units = graph.units()
    standing = {
        int(unit): name
        for name, one in removable.stand_ins.items()
        for unit in units[_ids(followed, name)[one.removed]]
    }
    folded: dict[int, Tensor] = {}
    for taken in removable.taken:
        ids = np.asarray(taken.ids.cpu(), np.int64)
        values = taken.values.reshape(-1, taken.values.shape[-1])
        if not len(values):
            continue
        goes = removable.ids[ids]
        layers = {standing[unit] for unit in units[ids[goes]].tolist() if unit in standing}
        stood_in = np.isin(units[ids], list(standing))
        at_constant = torch.from_numpy(goes & ~stood_in).to(values.device)
        constant = torch.where(at_constant, values[0], 0.0)
        if not layers and not bool(constant.any()):
            continue
        weight = by_memory.get(taken.weight.untyped_storage().data_ptr())
        axis = graph.owner(ids)
        if weight is None or axis is None or axis.tensor is not weight:
            raise _no_bias("a weight that is made of others")
        added = _product(weight, axis.dim, constant, ids - axis.first)
        if id(weight) in folded:
            if not torch.allclose(folded[id(weight)], added, rtol=1e-3, atol=1e-6):
                raise _no_bias("a weight that is called more than once")
            continue
        folded[id(weight)] = added.clone()
        for name in layers:
            places = places_of(followed, name, axis.ids)
            added = added + _mixed_in(weight, axis.dim, places, removable.stand_ins[name])
        if bool(added.any()):
            other = next(one for one in graph.axes[id(weight)] if one.dim != axis.dim)
            kept = torch.from_numpy(np.flatnonzero(~removable.ids[other.ids])).to(added.device)
            _add_to_bias(owners[id(weight)], weight, added, followed.bias_beside(axis), kept)


def _ids(followed: FollowedModel, name: str) -> Ints:
    ids = followed.ids[name]
    assert ids is not None
    return ids


def _mixed_in(weight: Tensor, dim: int, places: Ints | None, one: StandIn) -> Tensor:
    """Add to the weights of kept units what they stand in for; what is left for the bias,
    (n_out,).
    """
    assert places is not None
    along = weight.detach().movedim(dim, 0)  # a view
    removed = along[torch.from_numpy(places[one.removed]).to(weight.device)].double()
    mix = torch.from_numpy(one.mix).to(weight.device)
    added = torch.tensordot(mix.T, removed, dims=1)
    kept = torch.from_numpy(places[one.kept]).to(weight.device)
    along[kept] = (along[kept].double() + added).to(weight.dtype)
    constant = torch.from_numpy(one.constant).to(weight.device)
    left = torch.tensordot(constant, removed, dims=1)
    left = left.flatten(1).sum(-1) if left.ndim > 1 else left
    return left.to(weight.dtype)


def _product(weight: Tensor, dim: int, constant: Tensor, indices: Ints) -> Tensor:
    """What the weight makes of constants along its axis `dim`; (n_out,)."""
    along = weight.detach().movedim(dim, 0)
    along = along.flatten(2).sum(-1) if along.ndim > 2 else along
    chosen = along[torch.from_numpy(indices).to(weight.device)]
    return (constant.double() @ chosen.double()).to(weight.dtype)


def _add_to_bias(
    module: nn.Module, weight: Tensor, added: Tensor, bias: nn.Parameter | None, kept: Tensor
) -> None:
    """Add constants (n_out,) to the bias beside a weight, or make one of the outputs that are
    kept.
    """
    if bias is not None:
        bias.add_(added)
    elif isinstance(module, nn.Linear | nn.modules.conv._ConvNd) and module.bias is None:
        values = added.index_select(0, kept)
        module.bias = nn.Parameter(values.clone(), requires_grad=weight.requires_grad)
    else:
        raise _no_bias(f"{type(module).__name__}, which has no bias to take it")


def _no_bias(where: str) -> ModelError:
    return ModelError(
        f"expected a bias for the constant that removed units leave, but they feed {where}: record "
        "this layer with criterion='threshold(0.0)', under which units are idle that are exactly "
        "zero, or prune without it"
    )


def _update_config(followed: FollowedModel, removable: Removable) -> None:
    """Say new widths in the model's configuration, where all layers of a width have the same."""
    config: Any = getattr(followed.model, "config", None) or getattr(followed.model, "cfg", None)
    if config is None:
        return
    widths: dict[int, set[int]] = {}
    numbers: dict[int, set[int]] = {}
    for name, ids in followed.ids.items():
        if ids is not None:
            sizes = numbers if name in followed.experts else widths
            sizes.setdefault(len(ids), set()).add(len(ids) - removable.units[name].size)
    for names, sizes in ((WIDTHS_IN_CONFIG, widths), (EXPERTS_IN_CONFIG, numbers)):
        for name in names:
            value = getattr(config, name, None)
            if name == "n_inner" and value is None and hasattr(config, "n_embd"):
                value = 4 * config.n_embd
            if type(value) is int and len(sizes.get(value, ())) == 1:
                setattr(config, name, next(iter(sizes[value])))
