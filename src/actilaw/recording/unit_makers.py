"""Which module made the units of an activation, by the custom of registering modules in the order
of their use.

PyTorch keeps no record of which module feeds which until a network runs, and a recording names its
layers before that. The maker says along which axis the units lie, and which modules are covered.
"""

from __future__ import annotations

import itertools

from torch import nn

from actilaw.recording.activation_modules import criterion_of_activation

CONVOLUTIONAL = (nn.modules.conv._ConvNd,)
# They have parameters, but what they return are no new units.
NORMS_AND_TABLES = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.Embedding,
    nn.RMSNorm,
    nn.PReLU,
)

Siblings = list[tuple[str, nn.Module]]


def maker_of(model: nn.Module, name: str) -> str:
    """Name of the module that makes the units of the activation `name`; "" if there is none."""
    prefix = name.rpartition(".")[0]
    parent = model.get_submodule(prefix)
    siblings = [
        (f"{prefix}.{child}".lstrip("."), module) for child, module in parent.named_children()
    ]
    in_sequence = isinstance(parent, nn.Sequential)
    found = _last_maker_before(name, siblings, in_sequence)
    if not found and not in_sequence:
        found = _first_maker(siblings)  # the activation was registered before everything else
    return found or _last_maker_in_model_before(name, model)


def axis_of_units(model: nn.Module, name: str) -> int:
    """Axis 1 if a convolution makes the units, the last axis if anything else does."""
    maker = model.get_submodule(maker_of(model, name))
    module = model.get_submodule(name)
    return 1 if isinstance(maker, CONVOLUTIONAL) or isinstance(module, CONVOLUTIONAL) else -1


def makes_units(module: nn.Module) -> bool:
    """Whether it has parameters of its own and is neither a norm nor a table."""
    own = next(module.parameters(recurse=False), None)
    return own is not None and not isinstance(module, NORMS_AND_TABLES)


def _last_maker_before(name: str, siblings: Siblings, in_sequence: bool) -> str:
    """Among the modules registered between the activation before and this one, the last.

    An activation is often registered after the projection up and the projection down again; then it
    acts between the two, and the maker is the first.
    """
    before = list(itertools.takewhile(lambda sibling: sibling[0] != name, siblings))
    makers = [sibling for sibling in _since_last_activation(before) if makes_units(sibling[1])]
    if not makers:
        return ""
    first, last = makers[0], makers[-1]
    up_and_down = len(makers) == 2 and _units_out(last[1]) == _units_in(first[1])
    return first[0] if up_and_down and not in_sequence else last[0]


def _since_last_activation(siblings: Siblings) -> Siblings:
    """The siblings after the last activation among them."""
    activations = (
        index
        for index, (name, module) in enumerate(siblings)
        if criterion_of_activation(name, module) is not None
    )
    return siblings[max(activations, default=-1) + 1 :]


def _first_maker(siblings: Siblings) -> str:
    return next((name for name, module in siblings if makes_units(module)), "")


def _last_maker_in_model_before(name: str, model: nn.Module) -> str:
    before = itertools.takewhile(lambda other: other[0] != name, model.named_modules())
    return next((other for other, module in reversed(list(before)) if makes_units(module)), "")


def _units_out(module: nn.Module) -> int | None:
    """Units that a module makes, by the names that linear layers and convolutions use."""
    return _first_attribute(module, ("out_features", "out_channels", "nf"))


def _units_in(module: nn.Module) -> int | None:
    """Units that a module takes in."""
    return _first_attribute(module, ("in_features", "in_channels", "nx"))


def _first_attribute(module: nn.Module, names: tuple[str, ...]) -> int | None:
    return next((getattr(module, name) for name in names if hasattr(module, name)), None)
