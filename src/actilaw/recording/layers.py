"""The choice of layers: from what a user asks for to hook points with names.

By default these are the places that `places` knows; a user names modules by globs, a list or a
function instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from torch import nn

from actilaw.errors import InputError, ModelError
from actilaw.recording.criteria import Criteria, Criterion, Positive, criteria_from, describe
from actilaw.recording.hook_points import HookPoint
from actilaw.recording.places import sensible_hook_points
from actilaw.recording.unit_makers import axis_of_units, makes_units

Layers = str | Iterable[str] | Callable[[str, nn.Module], bool]

NAMES_SHOWN = 20  # of modules, in a message


def find_hook_points(
    model: nn.Module, layers: Layers = "auto", criterion: Criteria = "auto"
) -> dict[str, HookPoint]:
    """The hook points of `model` by the name of the module, and of the rule where several are asked
    for.

    Raises:
        ModelError: if no layer is found, or one that is named is not there.
        InputError: if `criterion` is no rule.
    """
    found = dict(sensible_hook_points(model))
    if not (isinstance(layers, str) and layers == "auto"):
        found = {name: found.get(name) or _output_of(model, name) for name in _named(model, layers)}
    if not found:
        names = [name for name, _ in model.named_modules() if name]
        raise ModelError(
            f"expected a model with a layer of units, but layers={layers!r} matches none of the "
            f"{len(names)} modules of {type(model).__name__}: name the modules whose outputs are "
            f"units, layers=['...'] out of {_listed(names)}"
        )
    return _by_rule(found, criteria_from(criterion))


def uncovered(model: nn.Module, points: Iterable[HookPoint]) -> list[str]:
    """Parametrised modules that make no units that are counted; norms and embeddings aside."""
    covered = {name for point in points for name in point.made_by}
    return [
        name
        for name, module in model.named_modules()
        if makes_units(module) and "Norm" not in type(module).__name__ and name not in covered
    ]


def _output_of(model: nn.Module, name: str) -> HookPoint:
    """A module that a user names and no rule knows: its output, above zero."""
    return HookPoint(model.get_submodule(name), Positive(), axis=axis_of_units(model, name))


def _named(model: nn.Module, layers: Layers) -> list[str]:
    """The modules that a user's globs or function choose, in the order of the model."""
    modules = {name: module for name, module in model.named_modules() if name}
    if callable(layers):
        return [name for name, module in modules.items() if layers(name, module)]
    globs = [layers] if isinstance(layers, str) else list(layers)
    if len(globs) > 1:
        _refuse_unmatched(globs, list(modules))
    return [name for name in modules if any(fnmatchcase(name, glob) for glob in globs)]


def _refuse_unmatched(globs: Sequence[str], names: Sequence[str]) -> None:
    """A list in which one name is misspelt must not lose that layer in silence."""
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            raise ModelError(
                f"expected layers that the model has, but {glob!r} matches none of {_listed(names)}"
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) or "none"


def _by_rule(found: Mapping[str, HookPoint], rules: Sequence[Criterion]) -> dict[str, HookPoint]:
    """Every hook point by every rule; with its own rule if none is asked for."""
    points: dict[str, HookPoint] = {}
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
