"""Where the units of common architectures are: a table of rules, one for each kind of place.

The rules are asked in order for every module, outer modules first, and the first that knows the
module decides. Experts, routers, gated feed-forward layers and transformer layers are known as a
whole, so that no rule looks inside them; what is left are activation modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from actilaw.recording.unit_makers import axis_of_units, maker_of

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


def sensible_hook_points(model: nn.Module) -> Iterator[tuple[str, HookPoint]]:
    """The hook points that the rules find in a model, in the order of its modules."""
    inside: tuple[str, ...] = ()  # prefixes of the names in places that are known as a whole
    for name, module in model.named_modules():
        if name.startswith(inside):
            continue
        place = _first_place(model, name, module)
        if place is None:
            continue
        if place.point is not None:
            yield place.point
        if place.whole:
            inside += (_child(name, ""),)


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
    point = HookPoint(
        module,
        TopK(number_chosen(model, router)),
        at_input=True,
        made_by=(router,),
        chooses_experts=True,
    )
    return Place((router, point), whole=_is_part(name))


def _router(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """A router, unless the experts beside it tell its choice."""
    if not is_router(module):
        return None
    if fused_experts_beside(model, name):
        return Place(None, whole=_is_part(name))
    top_k = TopK(cast(Any, module).top_k)
    point = HookPoint(module, top_k, made_by=(name,), chooses_experts=True)
    return Place((name, point), whole=_is_part(name))


def _gated_feed_forward(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """A gated feed-forward layer: its units are what the last projection takes in."""
    for parts in GATED_PROJECTIONS:
        if all(isinstance(getattr(module, part, None), nn.Module) for part in parts):
            names = [_child(name, part) for part in parts]
            point = HookPoint(
                getattr(module, parts[-1]),
                _criterion_of_gate(module),
                at_input=True,
                made_by=tuple(names[:-1]),
            )
            return Place((names[-1], point), whole=True)
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
    point = HookPoint(
        module.linear2,
        Positive() if rectified else Relative(),
        at_input=True,
        made_by=(_child(name, "linear1"),),
    )
    return Place((_child(name, "linear2"), point), whole=True)


def _activation(model: nn.Module, name: str, module: nn.Module) -> Place | None:
    """An activation module: its output."""
    criterion = criterion_of_activation(name, module)
    if criterion is None or not _is_part(name):
        return None
    made_by = (maker_of(model, name),)
    point = HookPoint(module, criterion, axis=axis_of_units(model, name), made_by=made_by)
    return Place((name, point), whole=False)


Rule = Callable[[nn.Module, str, nn.Module], Place | None]
RULES: tuple[Rule, ...] = (
    _experts,
    _router,
    _gated_feed_forward,
    _transformer_layer,
    _activation,
)


def _is_part(name: str) -> bool:
    """Whether a module is a part of the model, not the model itself, whose name is empty."""
    return name != ""


def _child(name: str, part: str) -> str:
    """The name of a part of the module `name`."""
    return f"{name}.{part}" if name else part
