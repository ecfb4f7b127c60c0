"""Mixtures of experts: which modules are routers, which are experts, and what a router chose."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def is_router(module: nn.Module) -> bool:
    """Whether it chooses the top k of a number of experts by a weight of its own."""
    names = ("top_k", "num_experts", "weight")
    return all(hasattr(module, name) for name in names) and isinstance(module.top_k, int)


def is_experts(module: nn.Module) -> bool:
    """Whether it holds the experts, fused into parameters with three axes or listed: which samples
    each sees is the router's choice.
    """
    return "Experts" in type(module).__name__ and (
        are_fused(module) or isinstance(module, nn.ModuleList)
    )


def are_fused(experts: nn.Module) -> bool:
    """Whether all experts together are parameters (n_experts, ..., ...)."""
    return any(parameter.ndim == 3 for parameter in experts.parameters(recurse=False))


def router_beside(model: nn.Module, experts: str) -> str | None:
    """The router that chooses among these experts, by the names it goes by."""
    parent = experts.rpartition(".")[0]
    siblings = dict(model.get_submodule(parent).named_children())
    names = (f"{parent}.{name}".lstrip(".") for name in ("gate", "router") if name in siblings)
    return next(names, None)


def fused_experts_beside(model: nn.Module, router: str) -> bool:
    """Whether the module that holds this router holds fused experts, too."""
    parent = model.get_submodule(router.rpartition(".")[0])
    return any(is_experts(child) and are_fused(child) for child in parent.children())


def number_chosen(model: nn.Module, router: str) -> int:
    """How many experts are chosen for a sample, as the router or the module around it says."""
    around = (model.get_submodule(router), model.get_submodule(router.rpartition(".")[0]))
    numbers = (
        getattr(module, name, None)
        for module in around
        for name in ("top_k", "num_experts_per_tok")
    )
    return next((number for number in numbers if isinstance(number, int)), 1)


def chosen_experts(experts: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """What the router chose, and the same as ones among zeros (n_tokens, n_experts): of what
    experts take in, the whole numbers (n_tokens, n_chosen).
    """
    indices = next(x for x in inputs if not x.is_floating_point())
    fused = (p for p in experts.parameters(recurse=False) if p.ndim == 3)
    number = next(fused).shape[0]
    # One more column, for tokens that none takes: their index lies beyond the last expert.
    ones = torch.zeros(len(indices), number + 1, device=indices.device)
    return indices, ones.scatter(1, indices.clamp(0, number), 1.0)[:, :number]
