"""Where a network holds units: the sensible places, found by the shapes of modules that people
use.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from actilaw.errors import InputError, ModelError
from actilaw.recording.criteria import Criterion, Positive, Relative, Threshold, TopK, describe

Layers = str | Iterable[str] | Callable[[str, nn.Module], bool]
Criteria = str | Criterion | Iterable[Criterion]

# Exactly zero where a unit does not fire, so that "activated" needs no level.
RECTIFIERS = (nn.ReLU, nn.ReLU6)
# Hardly ever exactly zero: activated is what stands out, by the rule `Relative`.
SMOOTH = (
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.Softplus,
    nn.Tanh,
    nn.Sigmoid,
)
# Sparse autoencoders bring activations of their own; their latents are zero, or not.
LATENTS = ("TopK", "BatchTopK", "JumpReLU", "AuxTopK")
CONVOLUTIONAL = (nn.modules.conv._ConvNd,)
NORMS_AND_TABLES = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.Embedding,
    nn.RMSNorm,
    nn.PReLU,
)
# A gated unit is a product of two: it lives where the last of these modules takes it in.
GATED = (
    ("gate_proj", "up_proj", "down_proj"),
    ("gate_up_proj", "down_proj"),
    ("w1", "w3", "w2"),
    ("wi_0", "wi_1", "wo"),
)


@dataclass(frozen=True)
class HookPoint:
    """A place that holds units.

    Attributes:
        module: the module whose output, or input, holds the units.
        criterion: when a unit counts as activated.
        axis: of the units.
        at_input: whether units are what the module takes in.
        fed_by: names of the parametrised modules that make the units.
        chooses: whether units are experts and the module takes in, or makes, the choice among them.
    """

    module: nn.Module
    criterion: Criterion
    axis: int = -1
    at_input: bool = False
    fed_by: tuple[str, ...] = ()
    chooses: bool = False


def find_hook_points(
    model: nn.Module, layers: Layers = "auto", criterion: Criteria = "auto"
) -> dict[str, HookPoint]:
    """The places of `model` that hold units, by module name, and by rule where several are asked
    for.

    Raises:
        ModelError: if no layer is found.
        InputError: if `criterion` is no rule.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    found = dict(_sensible_hook_points(model))
    if not _is_auto(layers):
        wanted = (
            layers if callable(layers) else ([layers] if isinstance(layers, str) else list(layers))
        )
        _refuse_unmatched(wanted, modules)
        named = [name for name, module in modules.items() if _matches(wanted, name, module)]
        found = {
            name: found.get(name, HookPoint(modules[name], Positive(), _axis(model, name)))
            for name in named
        }
    if not found:
        raise ModelError(
            f"expected a model with a layer of units, but layers={layers!r} matches none of the "
            f"{len(modules)} modules "
            f"of {type(model).__name__}: name the modules whose outputs are units, layers=['...'] "
            "out of "
            f"{', '.join(list(modules)[:20]) or 'none'}"
        )
    rules = _rules(criterion)
    points = {}
    for name, point in found.items():
        for rule in rules or [point.criterion]:
            key = name if len(rules) < 2 else f"{name} {describe(rule)}"
            if key in points:
                raise InputError(
                    f"expected rules that differ in name, but two are {describe(rule)!r}: name the "
                    "functions"
                )
            points[key] = replace(point, criterion=rule)
    return points


def uncovered(model: nn.Module, points: Iterable[HookPoint]) -> list[str]:
    """Parametrised modules that make no units that are counted; norms and embeddings aside."""
    covered = {name for point in points for name in point.fed_by}
    return [
        name
        for name, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
        and not isinstance(module, NORMS_AND_TABLES)
        and "Norm" not in type(module).__name__
        and name not in covered
    ]


def _sensible_hook_points(model: nn.Module) -> Iterator[tuple[str, HookPoint]]:
    """Routers, gated and functional feed-forward layers; then activation modules that stand for
    themselves.
    """
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if any(name.startswith(f"{outer}.") for outer in inside):
            continue
        if _is_experts(module):
            inside += (name,)
            if (router := _router_beside(model, name)) is not None and _fused(module):
                yield (
                    router,
                    HookPoint(
                        module,
                        TopK(_chosen_number(model, router)),
                        -1,
                        True,
                        (router,),
                        chooses=True,
                    ),
                )
        elif _routes(module):
            inside += (name,)
            if not _experts_beside(model, name):
                yield (
                    name,
                    HookPoint(module, TopK(cast(Any, module).top_k), fed_by=(name,), chooses=True),
                )
        elif (parts := _gated_parts(module)) is not None:
            inside += (name,)
            children = tuple(f"{name}.{part}" for part in parts)
            yield (
                children[-1],
                HookPoint(getattr(module, parts[-1]), _gate_rule(module), -1, True, children[:-1]),
            )
        elif isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            rule = (
                Positive()
                if module.activation in (functional.relu, functional.relu6)
                else Relative()
            )
            yield f"{name}.linear2", HookPoint(module.linear2, rule, -1, True, (f"{name}.linear1",))
            inside += (name,)
        elif name and (rule := _activation_rule(name, module)) is not None:
            yield name, HookPoint(module, rule, _axis(model, name), False, (_maker(model, name),))


def _maker(model: nn.Module, name: str) -> str:
    """The module that makes an activation's units, by the custom of registering modules in the
    order of their use.

    Activations are often registered last, after the way up and the way down again: then it is the
    way up.
    """
    prefix = name.rpartition(".")[0]
    parent = model.get_submodule(prefix)
    in_sequence = isinstance(parent, nn.Sequential)
    siblings = [
        (f"{prefix}.{child}".lstrip("."), module) for child, module in parent.named_children()
    ]
    before = list(itertools.takewhile(lambda sibling: sibling[0] != name, siblings))
    makers = [sibling for sibling in _since_activation(before) if _makes_units(sibling[1])]
    if makers:
        first, last = makers[0], makers[-1]
        up_and_down = len(makers) == 2 and _width(last[1], out=True) == _width(first[1], out=False)
        return first[0] if up_and_down and not in_sequence else last[0]
    later = [sibling for sibling, module in siblings if _makes_units(module)]
    if later and not in_sequence:
        return later[0]  # the activation was registered before everything else
    everything = itertools.takewhile(lambda other: other[0] != name, model.named_modules())
    return next((other for other, module in reversed(list(everything)) if _makes_units(module)), "")


def _since_activation(siblings: list[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """The siblings after the last activation among them."""
    last = max(
        (i for i, (name, module) in enumerate(siblings) if _activation_rule(name, module)),
        default=-1,
    )
    return siblings[last + 1 :]


def _width(module: nn.Module, out: bool) -> int | None:
    """Units that a module makes, or takes in."""
    names = ("out_features", "out_channels", "nf") if out else ("in_features", "in_channels", "nx")
    return next((getattr(module, name) for name in names if hasattr(module, name)), None)


def _makes_units(module: nn.Module) -> bool:
    own = next(module.parameters(recurse=False), None)
    return own is not None and not isinstance(module, NORMS_AND_TABLES)


def _activation_rule(name: str, module: nn.Module) -> Criterion | None:
    """When a unit of this activation module is activated, or None if it is no activation module."""
    kind = type(module).__name__
    if isinstance(module, RECTIFIERS):
        return Positive()
    if kind in LATENTS or name.endswith("hook_sae_acts_post"):
        return Threshold(0.0)
    if (
        isinstance(module, SMOOTH)
        or (kind.endswith("Activation") and kind != "LinearActivation")
        or kind == "GELUTanh"
    ):
        return Relative()
    return None


def _routes(module: nn.Module) -> bool:
    """A router of a mixture of experts: it chooses the top k of a number of experts by a weight of
    its own.
    """
    names = ("top_k", "num_experts", "weight")
    return all(hasattr(module, name) for name in names) and isinstance(module.top_k, int)


def _is_experts(module: nn.Module) -> bool:
    """Experts, fused into parameters with three axes or listed: which samples each sees is the
    router's choice.
    """
    return "Experts" in type(module).__name__ and (
        _fused(module) or isinstance(module, nn.ModuleList)
    )


def _fused(module: nn.Module) -> bool:
    return any(parameter.ndim == 3 for parameter in module.parameters(recurse=False))


def _router_beside(model: nn.Module, experts: str) -> str | None:
    """The router that chooses among these experts, by the names it goes by."""
    parent = experts.rpartition(".")[0]
    siblings = dict(model.get_submodule(parent).named_children())
    return next(
        (f"{parent}.{name}".lstrip(".") for name in ("gate", "router") if name in siblings), None
    )


def _experts_beside(model: nn.Module, router: str) -> bool:
    parent = model.get_submodule(router.rpartition(".")[0])
    return any(_is_experts(child) and _fused(child) for child in parent.children())


def _chosen_number(model: nn.Module, router: str) -> int:
    """How many experts are chosen, as the router or the layer around it says."""
    around = (model.get_submodule(router), model.get_submodule(router.rpartition(".")[0]))
    numbers = (
        getattr(module, name, None)
        for module in around
        for name in ("top_k", "num_experts_per_tok")
    )
    return next((number for number in numbers if isinstance(number, int)), 1)


def chosen_experts(experts: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
    """What the router chose, as ones among zeros (n_tokens, n_experts): experts take in whole
    numbers for it.
    """
    indices = next(x for x in inputs if isinstance(x, Tensor) and not x.is_floating_point())
    number = next(
        parameter.shape[0] for parameter in experts.parameters(recurse=False) if parameter.ndim == 3
    )
    ones = torch.zeros(
        len(indices), number + 1, device=indices.device
    )  # one more for tokens that none takes
    return ones.scatter(1, indices.clamp(0, number), 1.0)[:, :number]


def _gated_parts(module: nn.Module) -> tuple[str, ...] | None:
    for parts in GATED:
        if all(isinstance(getattr(module, part, None), nn.Module) for part in parts):
            return parts
    return None


def _gate_rule(module: nn.Module) -> Criterion:
    """A product with a rectifier is zero, or not; with anything smoother, it stands out, or not."""
    rectified = any(isinstance(child, RECTIFIERS) for child in module.children())
    return Threshold(0.0) if rectified else Relative()


def _axis(model: nn.Module, name: str) -> int:
    """Axis 1 if a convolution makes the units, the last axis if anything else does."""
    maker = model.get_submodule(_maker(model, name))
    module = model.get_submodule(name)
    return 1 if isinstance(maker, CONVOLUTIONAL) or isinstance(module, CONVOLUTIONAL) else -1


def _is_auto(layers: Layers) -> bool:
    return isinstance(layers, str) and layers == "auto"


def _refuse_unmatched(
    layers: list[str] | Callable[[str, nn.Module], bool], modules: dict[str, nn.Module]
) -> None:
    """A list in which one name is misspelt shall not lose that layer in silence."""
    if callable(layers) or len(layers) < 2:
        return
    for pattern in layers:
        if not any(fnmatchcase(name, pattern) for name in modules):
            raise ModelError(
                f"expected layers that the model has, but {pattern!r} matches none of "
                f"{', '.join(list(modules)[:20])}"
            )


def _matches(
    layers: list[str] | Callable[[str, nn.Module], bool], name: str, module: nn.Module
) -> bool:
    if callable(layers):
        return bool(layers(name, module))
    return any(fnmatchcase(name, pattern) for pattern in layers)


def _rules(criterion: Criteria) -> list[Criterion]:
    """The rules asked for; none for "auto", where each site has its own."""
    if isinstance(criterion, str):
        if criterion in ("auto", "positive"):
            return [Positive()] if criterion == "positive" else []
        raise InputError(
            "expected criterion='auto', 'positive', or a rule such as Threshold(0.1), but got "
            f"{criterion!r}"
        )
    rules = [criterion] if callable(criterion) else list(criterion)
    if not rules or not all(callable(rule) for rule in rules):
        raise InputError(
            f"expected rules such as Positive() or Threshold(0.1), but got {criterion!r}"
        )
    return rules
