"""Which models can be pruned, and whether a census is of this one."""

from __future__ import annotations

import torch
from torch import nn

from actilaw.counts.census import Census
from actilaw.errors import InputError, ModelError
from actilaw.recording.fingerprint import weights_fingerprint


def plain_model(model: nn.Module) -> nn.Module:
    """The module itself, without the wrapping of torch.compile or DistributedDataParallel.

    Raises:
        ModelError: if it is no module, or one without ordinary weight matrices to make smaller.
    """
    if not isinstance(model, nn.Module):
        raise ModelError(f"expected a torch module to prune, but got {type(model).__name__}")
    inner = getattr(model, "_orig_mod", None)
    if isinstance(model, nn.parallel.DistributedDataParallel):
        inner = model.module
    if isinstance(inner, nn.Module):
        return plain_model(inner)
    for name, module in model.named_modules():
        _require_ordinary(name or type(model).__name__, module)
    return model


def _require_ordinary(name: str, module: nn.Module) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError(
            f"expected a model of Python modules, but {name!r} is scripted or traced: prune the "
            "model it was made from, then script the smaller one"
        )
    packed = hasattr(module, "_weight_bias")  # a layer of torch.ao.nn.quantized
    if packed or not all(map(_is_ordinary, module.parameters(recurse=False))):
        raise ModelError(
            f"expected ordinary floating-point weights, but {name!r} ({type(module).__name__}) is "
            "quantised: prune the model before quantising it"
        )


def _is_ordinary(weight: torch.Tensor) -> bool:
    return weight.is_floating_point() and not hasattr(weight, "__tensor_flatten__")


def require_same_network(model: nn.Module, census: Census) -> bool:
    """Whether the census is known to be of these very weights; False where it does not say.

    Raises:
        InputError: if it is of other weights, or they changed while it was recorded.
    """
    for name, counts in census.items():
        if counts.regime in ("training", "mixed"):
            raise InputError(
                f"expected counts of the model as it is, but layer {name!r} was counted while "
                f"weights changed (regime {counts.regime}), and what was idle then may work now: "
                "record the trained model once more, without training it, and prune with that"
            )
    if census.weights is None:
        return False
    found = weights_fingerprint(model)
    if found != census.weights:
        raise InputError(
            "expected a census of this model, but it was recorded with other weights or buffers "
            f"(fingerprint {census.weights}, this model's is {found}): of another model, or of "
            "this one before it was trained on or converted; record this model and prune with that"
        )
    return True
