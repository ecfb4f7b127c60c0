"""Which modules of a network hold units, and along which axis of their output the units lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from actilaw.errors import InputError, ModelError
from actilaw.record.criteria import Criterion, Positive

Layers = str | Iterable[str] | Callable[[str, nn.Module], bool]

# Their outputs are exactly zero when a unit does not fire, so "activated" needs no threshold.
RECTIFIERS = (nn.ReLU, nn.ReLU6)
# Their outputs are hardly ever exactly zero: a user must say what counts as activated.
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
CONVOLUTIONAL = (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm)


@dataclass(frozen=True)
class Site:
    """A module whose output holds units along `axis`, and the rule by which they count as activated."""

    module: nn.Module
    axis: int
    criterion: Criterion


def find_sites(model: nn.Module, layers: Layers = "auto", active: str | Criterion = "auto") -> dict[str, Site]:
    """The layers of `model` that hold units, by module name.

    Args:
        model: any module.
        layers: "auto" for every rectifier (ReLU, ReLU6); or a name or glob, a list of them, or a function of
            (name, module) that says yes.
        active: "auto" for "above zero" after rectifiers; or a rule such as `Threshold(0.1)`.

    Raises:
        ModelError: if no layer is found.
        InputError: if a layer needs a rule of its own and `active` is "auto".
    """
    modules = {name: module for name, module in model.named_modules() if name}
    chosen = [name for name, module in modules.items() if _matches(layers, name, module)]
    if not chosen:
        raise ModelError(
            f"expected a model with a layer of units, but layers={layers!r} matches none of the {len(modules)} modules "
            f"of {type(model).__name__}: name the modules whose outputs are units, layers=['...'] out of "
            f"{', '.join(modules) or 'none'}"
        )
    axes = _unit_axes(model)
    return {name: Site(modules[name], axes[name], _criterion(name, modules[name], active)) for name in chosen}


def _matches(layers: Layers, name: str, module: nn.Module) -> bool:
    if layers == "auto":
        return isinstance(module, RECTIFIERS)
    if callable(layers):
        return bool(layers(name, module))
    patterns = [layers] if isinstance(layers, str) else layers
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _criterion(name: str, module: nn.Module, active: str | Criterion) -> Criterion:
    if callable(active):
        return active
    if active == "positive" or (active == "auto" and not isinstance(module, SMOOTH)):
        return Positive()
    if active == "auto":
        raise InputError(
            f"layer {name!r} is {type(module).__name__}, whose outputs are hardly ever exactly zero: "
            "say what counts as activated, active=Threshold(0.1) for instance"
        )
    raise InputError(f"expected active='auto', 'positive' or a rule such as Threshold(0.1), but got {active!r}")


def _unit_axes(model: nn.Module) -> dict[str, int]:
    """Axis 1 after convolutions, the last axis after anything else, by the order in which modules are registered."""
    axes, axis = {}, -1
    for name, module in model.named_modules():
        if isinstance(module, CONVOLUTIONAL):
            axis = 1
        elif next(module.parameters(recurse=False), None) is not None:
            axis = -1
        axes[name] = axis
    return axes
