"""Structured pruning: weight matrices become smaller, and outputs on samples on which no removed
unit is active stay the same.

This file holds the order of the steps; each step has a file of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census, require_census
from actilaw.errors import InputError, ModelError
from actilaw.pruning.forward import arguments, call, checked_inputs, evaluating, outputs
from actilaw.pruning.layer_units import base_name, moments_of
from actilaw.pruning.models import plain_model, require_same_network
from actilaw.pruning.plan import CHANGE, RATE_TIMES_WEIGHT, RemovalPlan, plan_removal
from actilaw.pruning.removal import FollowedModel, Removable, follow, removable
from actilaw.pruning.result import PruneResult
from actilaw.pruning.stand_ins import Moments, StandIn, costs, stand_in
from actilaw.pruning.surgery import shrink
from actilaw.pruning.verification import require_equal
from actilaw.support.arrays import Floats, Ints


def remove_units(
    model: nn.Module,
    census: Census,
    example_inputs: Any,
    budget: float | None = None,
    *,
    plan: RemovalPlan | None = None,
    batches: Iterable[Any] | None = None,
    ranking: str | None = None,
    equal_widths: bool = False,
) -> PruneResult:
    """See `actilaw.prune`."""
    require_census(census)
    args, kwargs = checked_inputs(example_inputs)
    model = plain_model(model)
    compared = require_same_network(model, census)
    for name, counts in census.items():
        _require_finite(name, counts)
    smaller = _copied(model)
    with evaluating(smaller):
        followed = follow(smaller, census, example_inputs)
        seen = list(batches) if batches is not None else [example_inputs]
        moments = _moments(followed, census, seen, len(args), of_pairs=batches is not None)
        if plan is None:
            ranking = ranking or (CHANGE if budget is not None and batches is not None else None)
            importance = _importance(ranking, followed, moments)
            plan = plan_removal(
                census, budget, ranking=ranking, importance=importance, equal_widths=equal_widths
            )
        _require_same_units(plan, census)
        held = _held_at(followed, census, moments, may_add_bias=not equal_widths)
        before = outputs(call(smaller, example_inputs))
        standing_in = partial(_standing_in, followed, census, moments)
        found = removable(followed, plan.units, held, standing_in)
        if equal_widths:
            found = _trimmed(followed, plan, found, held, standing_in)
        _require_some(plan, found)
        exact = _is_exact(census, found, held)
        shrink(followed, found)
        after = _outputs_after(smaller, example_inputs)
    require_equal(after, found.output)
    return PruneResult(
        model=smaller,
        removed={name: np.sort(units) for name, units in found.units.items()},
        units_before={name: counts.units for name, counts in census.items()},
        parameters_before=_parameters(model),
        parameters_after=_parameters(smaller),
        output_change=_largest_change(after, before),
        weights_compared=compared,
        plan=plan,
        kept=found.kept,
        before=model,
        exact=exact,
        n_inputs=len(args) or len(kwargs),
    )


def _require_finite(name: str, counts: ActivationCounts) -> None:
    if counts.nonfinite:
        raise InputError(
            f"expected finite activations in layer {name!r}, but {counts.nonfinite} of "
            f"{counts.samples} samples had NaN or infinite ones, which count as idle: find their "
            "source before removing units"
        )


def _require_same_units(plan: RemovalPlan, census: Census) -> None:
    other = sorted(set(plan.units) ^ set(census))
    other += [
        name
        for name in census
        if name in plan.units and plan.census[name].units != census[name].units
    ]
    if other:
        raise InputError(
            "expected a plan for the layers of the census, but they differ in "
            f"{', '.join(map(repr, other))}: plan with plan_removal(census, ...)"
        )


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:  # whatever a module of the user's holds
        raise ModelError(
            f"expected a model that copy.deepcopy can copy, but {type(error).__name__}: {error}"
        ) from error


def _moments(
    followed: FollowedModel, census: Census, batches: list[Any], n_args: int, *, of_pairs: bool
) -> dict[str, Moments]:
    """Moments of the activations of each layer over the batches."""

    def run() -> None:
        for batch in batches:
            inputs = tuple(batch) if isinstance(batch, list) else batch
            if isinstance(inputs, tuple) and n_args:
                inputs = arguments(inputs)[0][:n_args]  # without targets
            call(followed.model, inputs)

    found = moments_of(followed.model, followed.choice, run, of_pairs=of_pairs)
    nothing = {name: np.zeros(counts.units) for name, counts in census.items()}
    return {
        name: found.get(base_name(name, counts.criterion), Moments(nothing[name], nothing[name], 0))
        for name, counts in census.items()
    }


def _importance(
    ranking: str | None, followed: FollowedModel, moments: Mapping[str, Moments]
) -> dict[str, Floats] | None:
    """What rankings weigh units by: the length of the weights that take a unit in; or the expected
    squared change of what these weights give, once kept units stand in for it, or once it is held
    at its mean where they cannot.
    """
    if ranking not in (RATE_TIMES_WEIGHT, CHANGE):
        return None
    lengths = followed.weight_lengths()
    found = {}
    for name, of_layer in moments.items():
        length = lengths[name] if lengths[name].size else np.ones_like(of_layer.mean)
        known = followed.weights_of(name)
        if ranking == RATE_TIMES_WEIGHT:
            found[name] = length
        elif known is not None and of_layer.second.ndim == 2:
            found[name] = costs(of_layer, known[0], centred=known[1])
        else:
            change = of_layer.variance * length**2
            found[name] = change / max(float(change.sum()), 1e-300)
    return found


def _standing_in(
    followed: FollowedModel,
    census: Census,
    moments: Mapping[str, Moments],
    name: str,
    units: Ints,
) -> StandIn | None:
    """How kept units stand in for those that go, where that is to be: their moments were taken,
    and some of those that go are not simply zero.
    """
    if moments[name].second.ndim != 2:
        return None
    counts = census[name]
    if _zero_while_idle(counts.criterion) and not counts.counts[units].any():
        return None
    known = followed.weights_of(name)
    return None if known is None else stand_in(moments[name], units, centred=known[1])


def _held_at(
    followed: FollowedModel,
    census: Census,
    moments: Mapping[str, Moments],
    *,
    may_add_bias: bool,
) -> dict[str, Floats]:
    """What each unit of a layer is held at: zero where it is idle and idle means zero, else its
    mean; zero too where no bias takes the mean, and none may be added.
    """
    found = {}
    for name, counts in census.items():
        means = moments[name].mean
        if not followed.takes_constants(name, may_add_bias=may_add_bias):
            means = np.zeros_like(means)
        if _zero_while_idle(counts.criterion):
            # Of a layer that is counted as a rectifier and is none, idle units are zero or below.
            positive = counts.criterion == "positive"
            idle = np.minimum(means, 0.0) if positive else np.zeros_like(means)
            means = np.where(counts.counts == 0, idle, means)
        found[name] = means
    return found


def _zero_while_idle(criterion: str) -> bool:
    return criterion in ("positive", "threshold(0.0)") or criterion.startswith("top(")


def _is_exact(census: Census, found: Removable, held: Mapping[str, Floats]) -> bool:
    """Whether all units that go were held at zero and are zero while they are not active."""
    return all(
        _zero_while_idle(counts.criterion)
        and not counts.counts[found.units[name]].any()
        and not held[name][found.units[name]].any()
        for name, counts in census.items()
    )


def _trimmed(
    followed: FollowedModel,
    plan: RemovalPlan,
    found: Removable,
    held: Mapping[str, Floats],
    standing_in: Callable[[str, Ints], StandIn | None],
) -> Removable:
    """The same with layers of one width as narrow as the widest of them, where some had to keep
    units.
    """
    least: dict[int, int] = {}
    for name, units in found.units.items():
        width = plan.census[name].units
        least[width] = min(least.get(width, width), units.size)
    units = {name: own[: least[plan.census[name].units]] for name, own in found.units.items()}
    if all(units[name].size == own.size for name, own in found.units.items()):
        return found
    return replace(removable(followed, units, held, standing_in), kept=found.kept)


def _require_some(plan: RemovalPlan, found: Removable) -> None:
    if plan.units_removed and not any(units.size for units in found.units.values()):
        reasons = "; ".join(f"{name!r}: {why}" for name, why in found.kept.items())
        raise ModelError(
            f"expected units that can be removed, but none of the {plan.units_removed} planned "
            f"ones can: {reasons}; name other layers, record(model, layers=[...])"
        )


def _outputs_after(smaller: nn.Module, inputs: Any) -> list[torch.Tensor]:
    try:
        return outputs(call(smaller, inputs))
    except Exception as error:  # where the model's own code has sizes written into it
        raise ModelError(
            "expected a model whose code takes sizes from its tensors, but without these units it "
            f"fails with {type(error).__name__} ({error}): leave out layers, "
            "Census({name: census[name]}), to find which"
        ) from error


def _largest_change(after: list[torch.Tensor], before: list[torch.Tensor]) -> float:
    changes = [
        float((one.double() - other.double()).abs().max())
        for one, other in zip(after, before, strict=True)
        if one.shape == other.shape and one.numel()
    ]
    return max(changes, default=0.0)


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
