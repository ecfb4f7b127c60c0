"""Which modules make units: those with weights of their own, other than norms and tables."""

from __future__ import annotations

from torch import nn

# They have parameters, but what they return are no new units.
NORMS_AND_TABLES = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.Embedding,
    nn.RMSNorm,
    nn.PReLU,
)


def makes_units(module: nn.Module) -> bool:
    """Whether it has parameters of its own and is neither a norm nor a table."""
    own = next(module.parameters(recurse=False), None)
    norm_or_table = isinstance(module, NORMS_AND_TABLES) or "Norm" in type(module).__name__
    return own is not None and not norm_or_table


def starts_with_convolution(model: nn.Module) -> bool:
    """Whether the first module that makes units is a convolution, so that images come in."""
    first = next((module for module in model.modules() if makes_units(module)), None)
    return isinstance(first, nn.modules.conv._ConvNd)
