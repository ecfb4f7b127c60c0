"""Structured pruning of idle units: weight matrices become smaller, and outputs on the recorded
samples stay the same.

A unit of a rectifier that is never active contributes exactly zero, so it can go together with its
row in the layer before and its column in the layer after. This file holds the order of the steps;
each step has a file of its own.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from actilaw.counts.census import Census, require_census
from actilaw.errors import InputError, ModelError
from actilaw.pruning.forward import evaluating, output
from actilaw.pruning.models import plain_model, require_same_network
from actilaw.pruning.plan import units_to_remove
from actilaw.pruning.producers import linear_producers
from actilaw.pruning.removal import remove_units
from actilaw.pruning.result import PruneResult
from actilaw.pruning.verification import require_equal, require_removable, silenced_output


def remove_idle(model: nn.Module, census: Census, example_inputs: Any) -> PruneResult:
    """See `actilaw.prune`."""
    require_census(census)
    inputs = _tensors(example_inputs)
    model = plain_model(model)
    compared = require_same_network(model, census)
    removed = units_to_remove(census)
    smaller = _copied(model)
    with evaluating(smaller), torch.inference_mode(False):
        producers = linear_producers(smaller, tuple(census), inputs)
        before = output(smaller, inputs)
        silenced = silenced_output(smaller, removed, inputs)
        for name, counts in census.items():
            require_removable(name, counts, producers[name])
        after = remove_units(smaller, removed, producers, inputs)
    require_equal(after, silenced)
    return PruneResult(
        model=smaller,
        removed=removed,
        units_before={name: counts.units for name, counts in census.items()},
        parameters_before=_parameters(model),
        parameters_after=_parameters(smaller),
        output_change=float((after - before).abs().max()),
        weights_compared=compared,
    )


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:  # whatever a module of the user's holds
        raise ModelError(
            f"expected a model that copy.deepcopy can copy, but {type(error).__name__}: {error}"
        ) from error


def _tensors(example_inputs: Any) -> tuple[torch.Tensor, ...]:
    """The model's arguments as a tuple of tensors that hold something."""
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    if all(isinstance(x, torch.Tensor) and x.numel() for x in inputs):
        return inputs
    came = ", ".join(
        str(tuple(x.shape)) if isinstance(x, torch.Tensor) else type(x).__name__ for x in inputs
    )
    raise InputError(
        f"expected example inputs that are tensors with at least one sample, but got {came}"
    )


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
