"""Activation functions that are called as functions, `F.relu(x)` or `x.clamp(min=0)`, by their
names, and what is zero or above after which of them.
"""

from __future__ import annotations

from actilaw.recording.criteria import Criterion, Positive, Relative
from actilaw.recording.tracing.function_calls import FunctionCall

RECTIFYING = ("relu", "relu6")
# Zero below, if given the bound 0.
BOUNDING = ("clamp", "clip", "clamp_min", "hardtanh", "threshold")
SMOOTH_FUNCTIONS = (
    "gelu",
    "silu",
    "mish",
    "elu",
    "celu",
    "selu",
    "leaky_relu",
    "rrelu",
    "prelu",
    "softplus",
    "hardswish",
)
# Also what gates are made of; a unit's activation only where a weight takes it in as it is.
SQUASHING = ("sigmoid", "tanh", "hardsigmoid", "softsign", "logsigmoid", "hardtanh")
# What is zero or above stays so.
KEEPING_ZERO = (
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_dropout",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "boolean_dispatch",
    "adaptive_max_pool2d",
    "pow",
    "__pow__",
    "square",
    "masked_fill",
    "nan_to_num",
)


def may_be_counted(name: str) -> bool:
    """Whether a function of this name may return activations of units."""
    return name in (*RECTIFYING, *BOUNDING, *SMOOTH_FUNCTIONS, *SQUASHING)


def rectifies(call: FunctionCall) -> bool:
    """Whether a function returns zero where its input is not above zero, and else the input, or a
    bound.
    """
    if call.name in RECTIFYING:
        return True
    if call.name == "hardtanh":
        return _is_zero(call.argument(1, "min_val", -1.0))
    if call.name == "threshold":
        return _is_zero(call.argument(1, "threshold")) and _is_zero(call.argument(2, "value"))
    return call.name in BOUNDING and _is_zero(call.argument(1, "min"))


def is_activation(call: FunctionCall) -> bool:
    """Whether what the function returns are activations of units."""
    return rectifies(call) or call.name in SMOOTH_FUNCTIONS


def may_gate(call: FunctionCall) -> bool:
    """Whether it returns activations or gates, as what takes them in decides."""
    return call.name in SQUASHING


def criterion_of_function(call: FunctionCall) -> Criterion:
    """When a unit of this activation is activated."""
    return Positive() if rectifies(call) else Relative()


def _is_zero(bound: object) -> bool:
    return isinstance(bound, int | float) and bound == 0
