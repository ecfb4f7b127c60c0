"""Finding the units of a census in a model: which ids of parameters each unit of each layer has.

The model runs once as it ran when it was recorded, watched by the same observer, so that layers
have the same names. In the place of counts stands what asks for the labels of the activations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actilaw.counts.census import Census
from actilaw.errors import InputError, ModelError
from actilaw.pruning.stand_ins import MOST_STANDING_IN, Moments
from actilaw.recording.criteria import Criterion
from actilaw.recording.layers import Choice, choose_layers
from actilaw.recording.masks import MaskReader
from actilaw.recording.observer import Observer
from actilaw.support.arrays import Ints

MOST_IN_DOUBLE = 2048  # units of a layer whose products are summed in double precision
NAMES_TOLD = 6  # layers that a message names

Activations = Callable[["LayerInRun", Tensor, Tensor], None]


class LayerInRun:
    """One layer while the model runs, in the place of an accumulator of its counts.

    Attributes:
        name: as in the census.
        entries: whether it has been called, as a number.
        samples: to which samples of the batch the entries of this call belong; None for all of
            them, in order.
    """

    per = "position"

    def __init__(self, name: str, run: RunOfLayers) -> None:
        self.name, self._run, self.entries = name, run, 0
        self.samples: Tensor | None = None

    def add(self, x: Tensor, criterion: Criterion, *_: Any, **__: Any) -> None:
        """The layer was called, with activations (n_entries, n_positions, n_units)."""
        self.samples = None
        self._tell(x)

    def add_some(
        self,
        x: Tensor,
        criterion: Criterion,
        mask: Tensor | None,
        base: int,
        samples: Tensor,
        size: int,
    ) -> None:
        """The same for some of the samples of a batch."""
        self.samples = samples
        self._tell(x)

    def _tell(self, x: Tensor) -> None:
        self.entries += 1
        self._run.told(self, x)


class RunOfLayers(Observer):
    """Watches a model run, and tells of the activations of every layer of a census.

    Args:
        model: the network.
        choice: where the units are.
        tell: called with the layer, the activations in the model, as they are, and the same as
            (n_entries, n_positions, n_units).
    """

    def __init__(self, model: nn.Module, choice: Choice, tell: Activations) -> None:
        super().__init__(model, choice, (), MaskReader(model, None), self._layer)
        self._tell = tell
        self._whole: Any = None
        self.layers: list[LayerInRun] = []

    def told(self, layer: LayerInRun, x: Tensor) -> None:
        """A layer had activations."""
        self._tell(layer, self._whole, x)

    def _layer(self, name: str) -> Any:
        self.layers.append(LayerInRun(name, self))
        return self.layers[-1]

    def _count(self, place: Any, x: Any, origin: Any, rule: Any, running: Any) -> Any:
        self._whole = x
        return super()._count(place, x, origin, rule, running)

    def __enter__(self) -> RunOfLayers:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def base_name(name: str, criterion: str) -> str:
    """The name of a layer without the rule, which ends it where there were several."""
    return name.removesuffix(f" {criterion}")


def place_of(name: str) -> str:
    """The name of the module or function of a layer, without its number there."""
    place, mark, number = name.rpartition("#")
    return place if mark and number.isdecimal() else name


def choice_of(model: nn.Module, census: Census) -> Choice:
    """Where the layers of a census are in a model.

    Raises:
        InputError: if the census has two rules for one layer.
        ModelError: if the model has no such layers at all.
    """
    names = [base_name(name, counts.criterion) for name, counts in census.items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"expected each layer counted by one rule, but {_listed(twice)} has several: choose "
            "one, Census({name: census[name]})"
        )
    places = {place_of(name) for name in names}
    modules = {name for name, _ in model.named_modules() if name}
    choice = choose_layers(model, "auto") if _has_places(model) else None
    if choice is not None and places <= {*choice.points}:
        return choice
    if places <= modules:
        found = choose_layers(model, lambda name, _: name in places)
        return Choice(found.points, found.wholes, functions=False)
    if choice is None:
        raise ModelError(_apart(sorted(places), []))
    return choice


def _has_places(model: nn.Module) -> bool:
    try:
        choose_layers(model, "auto")
    except ModelError:
        return False
    return True


def require_same_layers(census: Census, found: Sequence[str], units: dict[str, int]) -> None:
    """Raise InputError unless the model has every layer of the census, with as many units; with
    the names that differ.
    """
    names = {base_name(name, counts.criterion): counts for name, counts in census.items()}
    missing = [name for name in names if name not in found]
    if missing:
        raise ModelError(_apart(missing, [name for name in found if name not in names]))
    for name, counts in names.items():
        if name in units and units[name] != counts.units:
            others = [
                f"{other!r} {units[other]} for {their.units}"
                for other, their in names.items()
                if other in units and units[other] != their.units and other != name
            ]
            also = f" (also {', '.join(others[:NAMES_TOLD])})" if others else ""
            raise InputError(
                f"layer {name!r} has {units[name]} units but the census counted {counts.units}"
                f"{also}: record the same model that is to be pruned"
            )


def _apart(missing: Sequence[str], others: Sequence[str]) -> str:
    has = f"; it has {_listed(others)}, which the census has not" if others else ""
    return (
        f"expected a model with the layers of the census, but {_listed(missing)} is no layer of it "
        f"that the example inputs reach{has}: record this model and prune with that, or give "
        "example inputs that reach every layer"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return ", ".join(map(repr, names[:NAMES_TOLD])) + more


def ids_along_units(x: Tensor, labels: Sequence[Tensor]) -> Ints | None:
    """The ids of the units of activations (n_entries, n_positions, n_units), (n_units,); None where
    they do not depend on the unit alone.
    """
    for label in labels:
        if all(size == 1 for size in label.shape[:-1]) and label.shape[-1] == x.shape[-1]:
            return np.asarray(label.reshape(-1).cpu(), np.int64)
    return None


def moments_of(
    model: nn.Module, choice: Choice, run: Callable[[], object], *, of_pairs: bool
) -> dict[str, Moments]:
    """Moments of the activations of each layer while `run` runs the model, by name.

    Args:
        model: the network.
        choice: where its layers are.
        run: runs it.
        of_pairs: whether those of two units are wanted, too.
    """
    sums: dict[LayerInRun, list[Any]] = {}

    def add(layer: LayerInRun, _: Tensor, x: Tensor) -> None:
        rows = x.reshape(-1, x.shape[-1])
        wide = rows.shape[1] > (MOST_STANDING_IN if of_pairs else 0)
        # Large products in single precision, which their sum over batches is not.
        part = rows.double() if rows.shape[1] <= MOST_IN_DOUBLE or wide else rows.float()
        second = part.square().sum(0) if wide else part.T @ part
        found = (part.sum(0).double(), second.double(), len(rows))
        before = sums.get(layer)
        sums[layer] = [a + b for a, b in zip(before, found, strict=True)] if before else [*found]

    with torch.no_grad(), RunOfLayers(model, choice, add):
        run()
    return {
        layer.name: Moments(
            np.asarray((total / rows).cpu()), np.asarray((second / rows).cpu()), rows
        )
        for layer, (total, second, rows) in sums.items()
    }
