"""The choice of layers: from what a user asks for to hook points with names.

By default these are the places that `places` knows, and activation functions wherever they are
called; a user names modules by globs, a list or a function instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from actilaw.errors import InputError, ModelError
from actilaw.recording.hook_points import HookPoint
from actilaw.recording.places import find_places

Layers = str | Iterable[str] | Callable[[str, nn.Module], bool]

NAMES_SHOWN = 20  # of modules, in a message
# Modules of PyTorch that call activation functions though they are no activation modules.
CALLING_FUNCTIONS = (nn.Transformer, nn.TransformerDecoder, nn.TransformerEncoder)


@dataclass(frozen=True)
class Choice:
    """What is to be counted in a model.

    Attributes:
        points: the hook points, by the name of the module.
        wholes: names of modules inside which no activation function is counted.
        functions: whether activation functions are counted where they are called.
    """

    points: dict[str, HookPoint]
    wholes: tuple[str, ...]
    functions: bool


def choose_layers(model: nn.Module, layers: Layers = "auto") -> Choice:
    """What `layers` asks to be counted.

    Raises:
        ModelError: if there is no such layer, or one that is named is not there.
        InputError: if `layers` is no name, glob, list of these, or function.
    """
    places = find_places(model)
    if isinstance(layers, str) and layers == "auto":
        if not places.points and _is_of_torch_alone(model):
            raise _nothing_found(model, layers)
        return Choice(places.points, places.wholes, functions=True)
    known = places.points
    named = {
        name: known.get(name) or HookPoint(model.get_submodule(name), None)
        for name in _named(model, layers)
    }
    if not named:
        raise _nothing_found(model, layers)
    return Choice(named, (), functions=False)


def _is_of_torch_alone(model: nn.Module) -> bool:
    """Whether every module is PyTorch's own, of which it is known that it calls no activation
    function.
    """
    return all(
        type(module).__module__.startswith("torch.nn.")
        and not isinstance(module, CALLING_FUNCTIONS)
        for module in model.modules()
    )


def _nothing_found(model: nn.Module, layers: object) -> ModelError:
    names = [name for name, _ in model.named_modules() if name]
    return ModelError(
        f"expected a model with a layer of units, but layers={layers!r} matches none of the "
        f"{len(names)} modules of {type(model).__name__}: name the modules whose outputs are "
        f"units, layers=['...'] out of {listed(names)}"
    )


def _named(model: nn.Module, layers: Layers) -> list[str]:
    """The modules that a user's globs or function choose, in the order of the model."""
    modules = {name: module for name, module in model.named_modules() if name}
    if callable(layers) and not isinstance(layers, nn.Module):
        return [name for name, module in modules.items() if layers(name, module)]
    globs = [layers] if isinstance(layers, str) else _globs(layers)
    if len(globs) > 1:
        _refuse_unmatched(globs, list(modules))
    return [name for name in modules if any(fnmatchcase(name, glob) for glob in globs)]


def _globs(layers: object) -> list[str]:
    globs: list[object] = []
    if isinstance(layers, list | tuple | set | frozenset | dict):
        globs = list(layers)
    if not globs or not all(isinstance(glob, str) for glob in globs):
        other = next((glob for glob in globs if not isinstance(glob, str)), layers)
        raise InputError(
            "expected layers='auto', a name or glob of modules, a list of them, or a function of "
            f"(name, module), but got {type(other).__name__}: name modules as "
            "model.named_modules() does"
        )
    return [str(glob) for glob in globs]


def _refuse_unmatched(globs: Sequence[str], names: Sequence[str]) -> None:
    """A list in which one name is misspelt must not lose that layer in silence."""
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            raise ModelError(
                f"expected layers that the model has, but {glob!r} matches none of {listed(names)}"
            )


def listed(names: Sequence[str]) -> str:
    """Names in a message, the first ones of many."""
    return ", ".join(names[:NAMES_SHOWN]) or "none"
