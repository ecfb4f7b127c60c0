"""Pruned models as files: tensors in safetensors, and a manifest in JSON of what else changed.

The architecture stays the user's own: `load_pruned` makes the model by the user's function, then
gives every module its smaller tensors and sizes. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actilaw.errors import FileError, InputError, ModelError, needs_extra
from actilaw.support.files import write_atomically
from actilaw.support.version import installed_version

if TYPE_CHECKING:
    from torch import Tensor, nn

TENSORS, MANIFEST = "model.safetensors", "pruned.json"
MANIFEST_FORMAT = 1
NAMES_SHOWN_AT_MOST = 6  # of tensors, in a message


def save_pruned(
    model: nn.Module, before: nn.Module, about: Mapping[str, Any], folder: str | os.PathLike[str]
) -> Path:
    """Write a pruned model into a folder, which is made if it is not there.

    Args:
        model: the smaller one.
        before: the one that it was made from.
        about: what else the manifest says.

    Raises:
        FileError: if it cannot be written.
    """
    from safetensors.torch import save

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {error.strerror}") from error
    tensors, same = _tensors(model)
    lists = _lists(model, before)
    manifest = {
        "format": MANIFEST_FORMAT,
        "actilaw": installed_version(),
        "lists": lists,
        "sizes": _sizes(model, before, lists),
        "same": same,
        **about,
    }
    write_atomically(folder / TENSORS, save(tensors))
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return folder


def load_pruned(factory: Callable[[], nn.Module], folder: str | os.PathLike[str]) -> nn.Module:
    """The pruned model that `PruneResult.save` wrote.

    Args:
        factory: makes the model as it was before pruning, a class or function without arguments;
            its weights do not matter.
        folder: that `save` wrote to.

    Returns:
        What the factory made, with the smaller weights and sizes, in the mode that it had.

    Raises:
        FileError: if the files are missing, or are none of a pruned model.
        ModelError: if the factory makes another architecture; with the names that differ.
        MissingExtraError: if torch is not installed.
    """
    with needs_extra("prune"):
        from safetensors.torch import load
        from torch import nn
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        tensors = load((folder / TENSORS).read_bytes())
        parts = [dict(manifest[name]) for name in ("lists", "sizes", "same")]
    except OSError as error:
        raise FileError(
            f"cannot read the pruned model in {folder}: {error.strerror}; name the folder that "
            "save wrote to"
        ) from error
    except Exception as error:  # whatever else safetensors and JSON find wrong
        raise FileError(
            f"expected a pruned model in {folder}, but its files cannot be understood ({error}): "
            "save it once more"
        ) from error
    if not callable(factory):
        raise InputError(
            "expected a function that makes the model as it was before pruning, but got "
            f"{type(factory).__name__}"
        )
    model = factory() if not isinstance(factory, nn.Module) else factory
    lists, sizes, same = parts
    try:
        for name, kept in lists.items():
            _keep(model, name, kept)
        _put(model, {**tensors, **{name: tensors[one] for name, one in same.items()}}, same)
        for name, values in sizes.items():
            owner = _owner(model, name)
            for attribute, value in values.items():
                setattr(owner, attribute, value)
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ModelError(
            f"expected a factory of the model that was pruned, but {error}: give the one that made "
            "it"
        ) from error
    return model


def _tensors(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Parameters and buffers by name, each once, and the other names of shared ones."""
    tensors: dict[str, Tensor] = {}
    names: dict[int, str] = {}
    same: dict[str, str] = {}
    for owner, module in model.named_modules(remove_duplicate=False):
        prefix = f"{owner}." if owner else ""
        for name, tensor in {**module._parameters, **module._buffers}.items():
            if tensor is None:
                continue
            if id(tensor) in names:
                same[prefix + name] = names[id(tensor)]
            else:
                names[id(tensor)] = prefix + name
                tensors[prefix + name] = tensor.detach().clone().contiguous().cpu()
    return tensors, {name: one for name, one in same.items() if name != one}


def _lists(model: nn.Module, before: nn.Module) -> dict[str, list[int]]:
    """Lists of modules that became shorter, with the places in them that were kept."""
    from torch import nn

    found = {}
    for name, modules in before.named_modules():
        if not isinstance(modules, nn.ModuleList):
            continue
        left = getattr(model.get_submodule(name), "kept_places", None)
        if left is not None:
            found[name] = [int(place) for place in left]
    return found


def _sizes(
    model: nn.Module, before: nn.Module, lists: Mapping[str, list[int]]
) -> dict[str, dict[str, int]]:
    """Whole numbers that modules, and the configuration, keep and that changed, by name."""
    found: dict[str, dict[str, int]] = {}
    for name, module in model.named_modules():
        old = before.get_submodule(_name_before(name, lists))
        changed = _changed(old, module)
        if changed:
            found[name] = changed
    for name in ("config", "cfg"):
        if hasattr(model, name):
            changed = _changed(getattr(before, name), getattr(model, name))
            if changed:
                found[f"@{name}"] = changed
    return found


def _changed(before: Any, after: Any) -> dict[str, int]:
    try:
        one, other = vars(before), vars(after)
    except TypeError:
        return {}
    return {
        name: value
        for name, value in other.items()
        if type(value) is int and one.get(name) != value
    }


def _name_before(name: str, lists: Mapping[str, list[int]]) -> str:
    for prefix, kept in lists.items():
        if name.startswith(f"{prefix}."):
            place, mark, rest = name.removeprefix(f"{prefix}.").partition(".")
            name = f"{prefix}.{kept[int(place)]}{mark}{rest}"
    return name


def _owner(model: nn.Module, name: str) -> Any:
    return getattr(model, name[1:]) if name.startswith("@") else model.get_submodule(name)


def _keep(model: nn.Module, name: str, kept: list[int]) -> None:
    modules: Any = model.get_submodule(name)
    left = [modules[place] for place in kept]
    del modules[:]
    modules.extend(left)


def _put(model: nn.Module, tensors: Mapping[str, Tensor], same: Mapping[str, str]) -> None:
    """Give every module its tensors, whatever their shapes."""
    from torch import nn

    put: dict[str, Any] = {}
    for name, tensor in tensors.items():
        owner, _, own = name.rpartition(".")
        module: Any = model.get_submodule(owner)
        if name in same and same[name] in put:
            value = put[same[name]]
        elif own in module._buffers:
            value = tensor
        else:
            old = module._parameters.get(own)
            if old is None and own != "bias":
                raise KeyError(f"it has no {name}")
            value = nn.Parameter(tensor, requires_grad=old is None or old.requires_grad)
        there = module._buffers if own in module._buffers else module._parameters
        old = there.get(own)
        if old is not None and value.device != old.device:
            value = value.to(old.device)
            value = nn.Parameter(value) if there is module._parameters else value
        there[own] = value
        put[name] = value
    ours, _ = _tensors(model)
    extra = sorted(set(ours) - set(tensors))
    if extra:
        raise KeyError(f"it has {', '.join(extra[:NAMES_SHOWN_AT_MOST])} besides")
