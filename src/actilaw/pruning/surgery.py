"""Removing units from a network: its weight matrices become smaller, and its outputs on recorded
samples stay.

A unit of a rectifier that never fires contributes exactly zero, so it can go together with its row
in the layer before and its column in the layer after. torch-pruning knows which layers hang
together.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch_pruning
from numpy.typing import NDArray
from torch import nn

from actilaw.counts.census import Census
from actilaw.errors import InputError, ModelError
from actilaw.pruning.plan import idle_units
from actilaw.recording.activation_modules import RECTIFIERS


@dataclass(frozen=True, eq=False)
class PruneResult:
    """A smaller network, and what was removed to make it.

    Attributes:
        model: the smaller network, in the same mode and on the same device as the one given, which
            is untouched.
        removed: indices of the units removed, by layer.
        units_before: number of units of each layer before.
        parameters_before, parameters_after: number of weights and biases.
        output_change: largest absolute change of an output on the example inputs, in the unit of
            the output.
    """

    model: nn.Module
    removed: dict[str, NDArray[np.int64]]
    units_before: dict[str, int]
    parameters_before: int
    parameters_after: int
    output_change: float

    @property
    def units_removed(self) -> int:
        """Number of units removed, over all layers."""
        return sum(units.size for units in self.removed.values())

    def summary(self) -> pd.DataFrame:
        """One row per layer, units before and after, and one for the parameters of the whole
        network.
        """
        rows = {
            f"units in {name}": (self.units_before[name], self.units_before[name] - units.size)
            for name, units in self.removed.items()
        }
        rows["parameters"] = (self.parameters_before, self.parameters_after)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["before", "after"])
        return table.assign(removed=1 - table["after"] / table["before"])


def remove_idle(model: nn.Module, census: Census, example_inputs: Any) -> PruneResult:
    """See `actilaw.prune`."""
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    if not all(isinstance(x, torch.Tensor) and x.numel() for x in inputs):
        came = ", ".join(
            type(x).__name__ if not isinstance(x, torch.Tensor) else str(tuple(x.shape))
            for x in inputs
        )
        raise InputError(
            f"expected example inputs that are tensors with at least one sample, but got {came}"
        )
    removed = idle_units(census)
    smaller = copy.deepcopy(model)
    with _evaluating(smaller), torch.inference_mode(False):
        producers = _producers(smaller, tuple(census), inputs)
        before, silenced = _output(smaller, inputs), _silenced_output(smaller, removed, inputs)
        for name in removed:
            _refuse_mismatch(name, producers[name], census)
        after = _without(smaller, removed, producers, inputs)
    _verify(after, silenced)
    return PruneResult(
        smaller,
        removed,
        {name: counts.units for name, counts in census.items()},
        _parameters(model),
        _parameters(smaller),
        float((after - before).abs().max()),
    )


def _without(
    model: nn.Module,
    removed: dict[str, NDArray[np.int64]],
    producers: dict[str, nn.Linear],
    inputs: tuple[Any, ...],
) -> torch.Tensor:
    """Remove the units and run what is left."""
    try:
        with _differentiable(model):
            for name, units in removed.items():
                if units.size:
                    _remove(model, name, producers[name], units, inputs)
        return _output(model, inputs)
    except ModelError:
        raise
    except Exception as error:  # whatever torch-pruning meets in a model that it cannot follow
        raise ModelError(
            "expected a model whose layers torch-pruning can follow along their gradients, but it "
            "failed with "
            f"{type(error).__name__} ({error}): run it without no_grad, or prune the part between "
            "Linear layers"
        ) from error


def _producers(
    model: nn.Module, layers: Sequence[str], inputs: tuple[Any, ...]
) -> dict[str, nn.Linear]:
    """The linear layer whose output each recorded layer takes as its input, seen by running the
    model once.
    """
    modules = dict(model.named_modules())
    made_by: dict[int, nn.Module] = {}
    producers: dict[str, nn.Module | None] = {}
    alive: list[torch.Tensor] = []  # so that no tensor's id is used twice

    def note_output(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            alive.append(output)
            made_by[id(output)] = module

    def note_input(name: str) -> Any:
        return lambda _, inputs: producers.update({name: made_by.get(id(inputs[0]))})

    hooks = [
        m.register_forward_hook(note_output) for m in model.modules() if not list(m.children())
    ]
    for name in layers:
        if not isinstance(modules.get(name), RECTIFIERS):
            came = type(modules[name]).__name__ if name in modules else "no module of the model"
            raise ModelError(
                f"expected layer {name!r} to be a rectifier (ReLU, ReLU6), whose idle units are "
                "exactly zero, "
                f"but it is {came}: name such layers alone, record(model, layers=[...])"
            )
        hooks.append(modules[name].register_forward_pre_hook(note_input(name)))
    try:
        _output(model, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for name in layers:
        if not isinstance(producers.get(name), nn.Linear):
            came = (
                type(producers[name]).__name__
                if producers.get(name) is not None
                else "something else"
            )
            raise ModelError(
                f"expected the units of layer {name!r} to come straight from a Linear layer, not "
                f"from {came}: "
                "prune removes units between two Linear layers; record(model, layers=[...]) "
                "without it"
            )
    return {
        name: producer for name, producer in producers.items() if isinstance(producer, nn.Linear)
    }


def _remove(
    model: nn.Module,
    name: str,
    producer: nn.Linear,
    units: NDArray[np.int64],
    inputs: tuple[Any, ...],
) -> None:
    """Take the units out of every weight matrix that holds them."""
    graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=inputs)
    group = graph.get_pruning_group(
        producer, torch_pruning.prune_linear_out_channels, idxs=units.tolist()
    )
    for dependency, _ in group:
        module = dependency.target.module
        consumes = dependency.handler == torch_pruning.prune_linear_in_channels
        if next(module.parameters(), None) is not None and module is not producer and not consumes:
            raise ModelError(
                f"expected the units of layer {name!r} to feed Linear layers alone, but they also "
                "feed "
                f"{dependency.target.name}: prune removes units between two Linear layers; "
                "record(model, layers=[...]) without it"
            )
    group.prune()


def _silenced_output(
    model: nn.Module, removed: dict[str, NDArray[np.int64]], inputs: tuple[Any, ...]
) -> torch.Tensor:
    """What the model returns when the units to be removed are held at zero: what the smaller model
    must return.
    """

    def silence(units: NDArray[np.int64]) -> Any:
        return lambda module, inputs, output: output.index_fill(
            -1, torch.as_tensor(units, device=output.device), 0
        )

    modules = dict(model.named_modules())
    hooks = [modules[name].register_forward_hook(silence(units)) for name, units in removed.items()]
    try:
        return _output(model, inputs)
    finally:
        for hook in hooks:
            hook.remove()


def _verify(after: torch.Tensor, silenced: torch.Tensor) -> None:
    """Sums over fewer terms round differently: equal is within 1,000 roundings of the largest, or 2
    %.
    """
    if after.shape != silenced.shape:
        raise ModelError(
            f"expected a smaller model with outputs of the same shape, but {tuple(silenced.shape)} "
            "became "
            f"{tuple(after.shape)}: units that are the model's outputs cannot be removed; "
            "record(model, layers=[...]) without them"
        )
    difference, scale = float((after - silenced).abs().max()), float(silenced.abs().max())
    if not difference <= min(1e3 * torch.finfo(after.dtype).eps, 0.02) * max(scale, 1e-3):
        raise ModelError(
            "expected the smaller model to return what the model returns with these units at "
            "zero, but outputs differ "
            f"by {difference:.2g} (largest output {scale:.2g}): the units reach the output by "
            "another way than a "
            "Linear layer; record(model, layers=[...]) without it"
        )


def _refuse_mismatch(name: str, producer: nn.Linear, census: Census) -> None:
    counts = census[name]
    if producer.out_features != counts.units:
        raise InputError(
            f"layer {name!r} has {producer.out_features} units but the census counted "
            f"{counts.units}: "
            "record the same model that is to be pruned"
        )
    if counts.nonfinite:
        raise InputError(
            f"expected finite activations in layer {name!r}, but {counts.nonfinite} of "
            f"{counts.samples} samples had "
            "NaN or infinite ones, which count as idle: find their source before removing units"
        )
    if counts.criterion != "positive":
        raise InputError(
            f"layer {name!r} was counted by the rule {counts.criterion}, under which idle units "
            "need not be zero: "
            "record with criterion='positive' to remove units without loss"
        )


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout off while the block runs; every module's own mode comes back after it."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def _differentiable(model: nn.Module) -> Iterator[None]:
    """Gradients on while the block runs, since torch-pruning finds its way along them; then as they
    were.
    """
    wanted = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.requires_grad_(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(wanted[name])


def _output(model: nn.Module, inputs: tuple[Any, ...]) -> torch.Tensor:
    with torch.no_grad():
        output = model(*inputs)
    if not isinstance(output, torch.Tensor):
        raise ModelError(
            f"expected a model that returns one tensor, but it returned {type(output).__name__}"
        )
    return output


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
