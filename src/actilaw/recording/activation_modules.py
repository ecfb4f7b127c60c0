"""Activation functions as modules, and the criterion that suits each.

After a rectifier an idle unit is exactly zero; after a smooth activation hardly any unit ever is,
so that a unit counts there if it stands out among the others; latents of sparse autoencoders are
zero, or not.
"""

from __future__ import annotations

from torch import nn

from actilaw.recording.criteria import Criterion, Positive, Relative, Threshold

# Exactly zero where a unit is not activated, so that "activated" needs no level.
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
    nn.RReLU,
    nn.PReLU,
    nn.Softplus,
    nn.Softsign,
    nn.Tanh,
    nn.Sigmoid,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Hardtanh,
)
# Zero within a range around zero, and not beyond.
SHRINKING = (nn.Hardshrink, nn.Softshrink)
# Smooth activations that other libraries define, by name.
SMOOTH_ELSEWHERE = (
    "GELU",
    "GELUTanh",
    "GeluTanh",
    "QuickGELU",
    "QuickGelu",
    "BloomGelu",
    "NewGELU",
    "SiLU",
    "Swish",
    "Mish",
    "HardMish",
    "HardSwish",
    "HardSigmoid",
    "Sigmoid",
    "Tanh",
    "PReLU",
    "SmeLU",
)
# Classes of activations that sparse autoencoders bring along, by name.
LATENTS = ("TopK", "BatchTopK", "JumpReLU", "AuxTopK")


def criterion_of_activation(module: nn.Module) -> Criterion | None:
    """When a unit of this activation module is activated, or None if it is no activation module."""
    kind = type(module).__name__
    if isinstance(module, RECTIFIERS):
        return Positive()
    if isinstance(module, SHRINKING) or kind in LATENTS:
        return Threshold(0.0)
    if isinstance(module, SMOOTH) or kind in SMOOTH_ELSEWHERE or _is_of_transformers(module):
        return Relative()
    return None


def _is_of_transformers(module: nn.Module) -> bool:
    """Whether it is one of the activations that Transformers defines, by name; a block of layers
    may be called so, too.
    """
    kind = type(module).__name__
    block = next(module.children(), None) is not None
    return kind.endswith("Activation") and kind != "LinearActivation" and not block
