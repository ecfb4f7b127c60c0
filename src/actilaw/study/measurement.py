"""What a study measures of a trained network: the counts of its layers on the training samples, its
losses, and what of it can be removed.

Units are removed in the order of their counts, the idle ones first, by setting them to zero. For a
tolerance of t the removable share is the largest found by bisection at which the test loss is at
most (1 + t) times that of the whole network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.recording.record import record
from actilaw.study.problem import Problem
from actilaw.study.stacked_training import Run, Trained
from actilaw.study.training_counts import count_units_last

TOLERANCES = (0.001, 0.01)  # changes of the test loss, as shares of it
STEPS_OF_REMOVAL = 128  # the removable share is found to one part in so many
POSITIONS_AT_ONCE = 1024  # inputs evaluated at once, times their positions where they are text
MOST_TRIED = 16  # inputs on which it is tried where units are
MOST_TRAINING_ENTRIES = 4096  # on which the training loss is measured


def count_frozen(run: Run, trained: Trained) -> dict[str, ActivationCounts]:
    """Counts of the layers over the samples that the network was trained on."""
    problem = run.problem
    criterion = "auto" if problem.indices else problem.criterion
    if not problem.indices:
        _require_units_last(problem, trained.model)
    with (
        torch.no_grad(),
        record(
            trained.model, layers=list(problem.layers), criterion=criterion, per=problem.per
        ) as recording,
    ):
        for inputs in _parts(problem.inputs[: run.samples]):
            trained.model(inputs)
        return dict(recording.census())


def _require_units_last(problem: Problem, model: nn.Module) -> None:
    """Raise InputError unless a layer's units, as `record` finds them, are on its last axis."""
    few = problem.inputs[:MOST_TRIED]
    outputs: dict[str, Any] = {}
    hooks = [
        model.get_submodule(layer).register_forward_hook(
            lambda _, __, output, layer=layer: outputs.__setitem__(layer, output)
        )
        for layer in problem.layers
    ]
    try:
        with torch.no_grad():
            model(few)
    finally:
        for hook in hooks:
            hook.remove()
    with (
        torch.no_grad(),
        record(
            model, layers=list(problem.layers), criterion=problem.criterion, per=problem.per
        ) as recording,
    ):
        model(few)
    for layer, counts in recording.census().items():
        shape = tuple(outputs[layer].shape)
        last, _ = count_units_last(outputs[layer][None], problem.per, problem.criterion)
        if last.shape[1] != counts.units or not np.array_equal(last[0].numpy(), counts.counts):
            raise InputError(
                f"expected the {counts.units} units of layer {layer!r} on the last axis of its "
                f"output, but its shape is {shape}: count a layer of another shape, or move the "
                "axis in the model"
            )


def losses_of(run: Run, trained: Trained) -> dict[str, float]:
    """Mean losses, in the unit of the problem's, and the share of wrong answers where it has one.

    Returns:
        test_loss, its standard error over entries test_loss_se, training_loss, and test_error.
    """
    problem, model = run.problem, trained.model
    size = min(run.samples, MOST_TRAINING_ENTRIES)
    test = evaluate(model, problem, problem.test_inputs, problem.test_targets)
    training = evaluate(model, problem, problem.inputs[:size], problem.targets[:size])
    found = {
        "test_loss": float(test.mean()),
        "test_loss_se": float(test.std(ddof=1) / np.sqrt(test.size)) if test.size > 1 else 0.0,
        "training_loss": float(training.mean()),
    }
    if problem.errors is not None:
        errors = evaluate(
            model, problem, problem.test_inputs, problem.test_targets, of=problem.errors
        )
        found["test_error"] = float(errors.mean())
    return found


def removal_of(
    run: Run, trained: Trained, layer: str, counts: ActivationCounts
) -> dict[str, float]:
    """What happens as the rarest units of a layer are removed.

    Returns:
        loss_without_idle, the test loss without the units that no training sample activated;
        change_on_training, the largest change of a training sample's loss by that, which is zero
        unless idle units still do something; loss_without_layer, the test loss without all its
        units; removable_0.1% and removable_1%, shares of the units whose removal raises the test
        loss by no more.
    """
    problem, model = run.problem, trained.model
    rarest_first = np.argsort(counts.counts, kind="stable")

    def kept_without(n: int) -> dict[str, Tensor]:
        kept = torch.ones(counts.units)
        kept[torch.from_numpy(rarest_first[:n].copy())] = 0
        return {layer: kept}

    known: dict[int, float] = {}

    def test_loss(n: int) -> float:
        if n not in known:
            losses = evaluate(
                model, problem, problem.test_inputs, problem.test_targets, kept=kept_without(n)
            )
            known[n] = float(losses.mean())
        return known[n]

    size = min(run.samples, MOST_TRAINING_ENTRIES)
    trained_on = problem.inputs[:size], problem.targets[:size]
    whole = evaluate(model, problem, *trained_on)
    without = evaluate(model, problem, *trained_on, kept=kept_without(counts.idle))
    found = {
        "loss_without_idle": test_loss(counts.idle),
        "change_on_training": float(np.abs(without - whole).max()),
        "loss_without_layer": test_loss(counts.units),
    }
    for tolerance in TOLERANCES:
        limit = (1 + tolerance) * test_loss(0)
        removable = _largest(counts.units, lambda n, limit=limit: test_loss(n) <= limit)
        found[f"removable_{100 * tolerance:g}%"] = removable / counts.units
    return found


def evaluate(
    model: nn.Module,
    problem: Problem,
    inputs: Tensor,
    targets: Tensor,
    *,
    of: Any = None,
    kept: Mapping[str, Tensor] | None = None,
) -> np.ndarray:
    """Losses of the entries, means over their positions; (n_entries,).

    Args:
        model: the network.
        problem: of it.
        inputs, targets: the entries.
        of: what to take instead of the losses, `problem.errors`.
        kept: masks (n_units,) by layer; units at zero are removed.
    """
    measure = of or problem.losses
    found = []
    with torch.no_grad(), silenced(model, problem, kept or {}):
        for part, wanted in zip(_parts(inputs), _parts(targets, like=inputs), strict=True):
            losses = measure(model(part), part, wanted)
            found.append(losses.double().flatten(1).mean(1) if losses.ndim > 1 else losses)
    return torch.cat(found).double().numpy()


@contextmanager
def silenced(model: nn.Module, problem: Problem, kept: Mapping[str, Tensor]) -> Iterator[None]:
    """The model with units set to zero while the context lasts."""
    hooks = [
        model.get_submodule(layer).register_forward_hook(
            lambda _, __, output, mask=mask: problem.silence(output, mask)
        )
        for layer, mask in kept.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _parts(values: Tensor, *, like: Tensor | None = None) -> tuple[Tensor, ...]:
    """Values in parts small enough to be computed at once; as long as those of another tensor."""
    entries = values if like is None else like
    is_text = entries.ndim == 2 and not entries.is_floating_point()
    return values.split(max(1, POSITIONS_AT_ONCE // (entries.shape[1] if is_text else 1)))


def _largest(units: int, allowed: Any) -> int:
    """The largest number of units, found by bisection, whose removal is allowed.

    Where a measured loss goes up and down, a place where it crosses the limit is found.
    """
    if allowed(units):
        return units
    step = max(1, units // STEPS_OF_REMOVAL)
    low, high = 0, -(-units // step)
    while high - low > 1:
        middle = (low + high) // 2
        if allowed(min(middle * step, units)):
            low = middle
        else:
            high = middle
    return min(low * step, units)
