"""Where the units of common architectures are: a table of rules, one for each kind of place.

The rules are asked in order for every module, outer modules first, and the first that knows the
module decides. Experts, routers, gated feed-forward layers and transformer layers are known as a
whole, so that no rule looks inside them; what is left are activation modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from torch import nn
from torch.nn import functional

from actilaw.recording.activation_modules import RECTIFIERS, criterion_of_activation
from actilaw.recording.criteria import Criterion, Positive, Relative, Threshold, TopK
from actilaw.recording.experts import (
    are_fused,
    fused_experts_beside,
    is_experts,
    is_router,
    number_chosen,
    router_beside,
)
from actilaw.recording.hook_points import HookPoint

# A gated unit is a product of two: it is what the last of these modules takes in.
GATED_PROJECTIONS = (
    ("gate_proj", "up_proj", "down_proj"),
    ("gate_up_proj", "down_proj"),
    ("w1", "w3", "w2"),
    ("wi_0", "wi_1", "wo"),
)


@dataclass(frozen=True)
class Place:
    """What a rule found in one module.

    Attributes:
        point: the hook point by its name, or None if the units are counted elsewhere.
        whole: whether the modules inside belong to it, and are not looked at.
    """

    point: tuple[str, HookPoint] | None
    whole: bool


@dataclass(frozen=True)
class Places:
    """Where the units of a model are.

    Attributes:
        points: the hook points, by name, in the order of the model's modules.
        wholes: names of modules that are known as a whole: no activation inside is looked for.
    """

    points: dict[str, HookPoint]
    wholes: tuple[str, ...]


def find_places(model: nn.Module) -> Places:
    """The places that the rules find in a model."""
    points: dict[str, HookPoint] = {}
    wholes: list[str] = []
    for name, module in model.named_modules():
        if inside(name, wholes):
            continue
        place = _first_place(model, name, module)
        if place is None:
            continue
        if place.point is not None:
            points[place.point[0]] = place.point[1]
        if place.whole:
            wholes.append(name)
    return Places(points, tuple(wholes))


def inside(name: str, wholes: Iterable[str]) -> bool:
    """Whether a module is part of one that is known as a whole."""
    return any(name.startswith(child(whole, "")) for whole in wholes)


def _first_place(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    for rule in RULES:
        place = rule(model, name, module)
        if place is not None:
            return place
    return None


def _experts(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """Experts: counted where they take in the router's choice, so that groups and biases of the
    router are in it.
    """
    if not is_experts(module):
        return None
    router = router_beside(model, name)
    if router is None or not are_fused(module):
        return Place(None, whole=_is_part(name))
    top_k = TopK(number_chosen(model, router))
    point = HookPoint(module, top_k, at_input=True, chooses_experts=True)
    return Place((router, point), whole=_is_part(name))


def _router(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """A router, unless the experts beside it tell its choice."""
    if not is_router(module):
        return None
    if fused_experts_beside(model, name):
        return Place(None, whole=_is_part(name))
    top_k = TopK(cast(Any, module).top_k)
    point = HookPoint(module, top_k, chooses_experts=True)
    return Place((name, point), whole=_is_part(name))


def _gated_feed_forward(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """A gated feed-forward layer: its units are what the last projection takes in."""
    for parts in GATED_PROJECTIONS:
        if all(isinstance(getattr(module, part, None), nn.Module) for part in parts):
            last = getattr(module, parts[-1])
            point = HookPoint(last, _criterion_of_gate(module), at_input=True)
            return Place((child(name, parts[-1]), point), whole=True)
    return None


def _criterion_of_gate(module: nn.Module) -> Criterion:
    """A product with a rectifier is zero, or not; with anything smoother, it stands out, or not."""
    rectified = any(isinstance(child, RECTIFIERS) for child in module.children())
    return Threshold(0.0) if rectified else Relative()


def _transformer_layer(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """A transformer layer of PyTorch, whose activation is a function: what `linear2` takes in."""
    if not isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        return None
    rectified = module.activation in (functional.relu, functional.relu6)
    criterion = Positive() if rectified else Relative()
    point = HookPoint(module.linear2, criterion, at_input=True)
    return Place((child(name, "linear2"), point), whole=True)


def _sparse_autoencoder(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """A sparse autoencoder of SAELens: its latents, once, and not the activation before them."""
    latents = getattr(module, "hook_sae_acts_post", None)
    if not isinstance(latents, nn.Module):
        return None
    point = HookPoint(latents, Threshold(0.0))
    return Place((child(name, "hook_sae_acts_post"), point), whole=True)


def _hooked_feed_forward(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """A feed-forward layer of TransformerLens: what its hook after the activation sees."""
    after = getattr(module, "hook_post", None)
    if not isinstance(after, nn.Module) or not hasattr(module, "hook_pre"):
        return None
    return Place((child(name, "hook_post"), HookPoint(after, None)), whole=True)


def _activation(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """An activation module: its output."""
    criterion = criterion_of_activation(module)
    if criterion is None or not _is_part(name):
        return None
    return Place((name, HookPoint(module, criterion)), whole=True)


Rule = Callable[[nn.Module, str, nn.Module], Place | None]
RULES: tuple[Rule, ...] = (
    _experts,
    _router,
    _gated_feed_forward,
    _transformer_layer,
    _sparse_autoencoder,
    _hooked_feed_forward,
    _activation,
)


def _is_part(name: str) -> bool:
    """Whether a module is a part of the model, not the model itself, whose name is empty."""
    return name != ""


def child(name: str, part: str) -> str:
    """The name of a part of the module `name`."""
    return f"{name}.{part}" if name else part
