"""Verification of pruning: the smaller model against the model that it was made from, on the
example inputs when it is made, and on data of the user's when asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from actilaw.counts.census import Census
from actilaw.errors import InputError, ModelError
from actilaw.pruning.forward import arguments, call, evaluating, outputs, tensors_in
from actilaw.pruning.layer_units import LayerInRun, RunOfLayers, base_name, choice_of
from actilaw.recording.batches import batch_size
from actilaw.recording.criteria import Criterion, rule_from
from actilaw.support.arrays import Ints
from actilaw.support.numerics import two_sided_z

# Sums over fewer terms round differently: outputs are equal within this many roundings, or within
# this share of the largest, whichever is less; where all are tiny, of the smallest scale.
ROUNDINGS = 1e3
LARGEST_TOLERANCE = 0.02
SMALLEST_SCALE = 1e-3
LEAST_SECONDS, LEAST_RUNS = 0.3, 5  # of each model, for its speed

Losses = Callable[[nn.Module, Any], Any]


@dataclass(frozen=True, eq=False)
class Verification:
    """How a smaller model did on data, beside the model that it was made from.

    Attributes:
        samples: entries of the first axis seen.
        affected: share of them on which a removed unit was active, in 0..1; NaN where the rule of
            a layer is a function of the user's.
        largest_change: of an output, in the unit of the outputs, over all samples.
        largest_change_elsewhere: the same over samples on which no removed unit was active; NaN if
            there are none.
        exact: whether outputs on these samples had to be equal up to rounding, and were. False
            where units went that are idle without being zero, or that had worked.
        loss: rows before, after and change; columns estimate, lower, upper, in the unit of the
            loss. None where no loss was given or found.
        seconds_before, seconds_after: of a forward pass on the first batch, the median.
    """

    samples: int
    affected: float
    largest_change: float
    largest_change_elsewhere: float
    exact: bool
    loss: pd.DataFrame | None
    seconds_before: float
    seconds_after: float

    @property
    def speed_up(self) -> float:
        """How many times as fast the smaller model is."""
        return self.seconds_before / self.seconds_after

    def summary(self) -> pd.DataFrame:
        """A row per quantity: columns estimate, lower, upper; the last two for losses alone."""
        single = {
            "samples": self.samples,
            "samples affected": self.affected,
            "largest change of an output": self.largest_change,
            "largest change elsewhere": self.largest_change_elsewhere,
            "speed-up": self.speed_up,
        }
        rows = {name: (float(value), np.nan, np.nan) for name, value in single.items()}
        if self.loss is not None:
            for name in self.loss.index:
                estimate, lower, upper = self.loss.loc[name]
                rows[f"loss {name}"] = (float(estimate), float(lower), float(upper))
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "lower", "upper"])

    def __repr__(self) -> str:
        same = "equal up to rounding elsewhere" if self.exact else "not promised to be equal"
        return (
            f"<Verification on {self.samples:,} samples: {self.affected:.3g} of them affected, "
            f"outputs {same} (largest change {self.largest_change:.2g}); "
            f"{self.speed_up:.3g} times as fast>"
        )

    def _repr_html_(self) -> str:
        return self.summary().to_html()


def require_equal(after: Sequence[Tensor], held: Sequence[Tensor]) -> None:
    """Raise ModelError unless the smaller model's outputs are the model's with the units held."""
    for ours, theirs in zip(after, held, strict=True):
        if ours.shape != theirs.shape:
            raise ModelError(
                "expected a smaller model with outputs of the same shape, but "
                f"{tuple(theirs.shape)} became {tuple(ours.shape)}: leave out the layer whose "
                "units are the model's outputs, Census({name: census[name]})"
            )
        difference = _difference(ours, theirs)
        if not difference <= tolerance(theirs):  # NaN is refused too
            raise ModelError(
                "expected the smaller model to return what the model returns with these units "
                f"held still, but outputs differ by {difference:.2g} (largest output "
                f"{float(theirs.abs().max()):.2g}): the units reach the output by another way; "
                "leave out layers, Census({name: census[name]}), to find which"
            )


def tolerance(output: Tensor) -> float:
    """By how much equal outputs may differ, in their unit."""
    if not output.numel():
        return 0.0
    share = min(ROUNDINGS * torch.finfo(output.dtype).eps, LARGEST_TOLERANCE)
    return share * max(float(output.abs().max()), SMALLEST_SCALE)


def _difference(one: Tensor, other: Tensor) -> float:
    if not one.numel():
        return 0.0
    return float((one.double() - other.double()).abs().max())


def verified(
    before: nn.Module,
    after: nn.Module,
    census: Census,
    removed: Mapping[str, Ints],
    batches: Iterable[Any],
    *,
    n_inputs: int,
    exact: bool,
    loss: Losses | None = None,
    level: float = 0.95,
) -> Verification:
    """See `PruneResult.verify`."""
    watch = _ActiveUnits(before, census, removed)
    changes: list[np.ndarray] = []
    active: list[np.ndarray] = []
    losses: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    first, largest_allowed = None, 0.0
    with evaluating(before, after):
        for batch in _batches(batches):
            inputs, target = _split(batch, n_inputs)
            first = inputs if first is None else first
            theirs, flags = watch.run(inputs)
            ours = outputs(call(after, inputs))
            n_samples = len(flags)
            changes.append(_changes(ours, outputs(theirs), n_samples))
            active.append(flags)
            largest_allowed = max(largest_allowed, *map(tolerance, outputs(theirs)))
            for model, found in zip((before, after), losses, strict=True):
                value = _loss(model, batch, inputs, target, loss)
                if value is not None:
                    found.append(value)
        seconds = _seconds(before, after, first)
    change, was_active = np.concatenate(changes), np.concatenate(active)
    elsewhere = change[~was_active.astype(bool)]
    if exact and elsewhere.size and not elsewhere.max() <= largest_allowed:
        raise ModelError(
            "expected equal outputs on samples on which no removed unit was active, but they "
            f"differ by {elsewhere.max():.2g}, where rounding explains {largest_allowed:.2g}: the "
            "data are not those that the model takes, or it is not the model that was pruned"
        )
    return Verification(
        samples=change.size,
        affected=float(was_active.mean()),
        largest_change=float(change.max()),
        largest_change_elsewhere=float(elsewhere.max()) if elsewhere.size else float("nan"),
        exact=exact,
        loss=_table(losses, level),
        seconds_before=seconds[0],
        seconds_after=seconds[1],
    )


class _ActiveUnits:
    """Runs a model, and says on which samples removed units are active."""

    def __init__(self, model: nn.Module, census: Census, removed: Mapping[str, Ints]) -> None:
        self._model, self._choice = model, choice_of(model, census)
        self._units: dict[str, tuple[Tensor, Criterion | None]] = {}
        for name, counts in census.items():
            if removed[name].size:
                units = torch.from_numpy(np.ascontiguousarray(removed[name]))
                base = base_name(name, counts.criterion)
                self._units[base] = (units, _rule(counts.criterion))
        self._kept: list[tuple[LayerInRun, Tensor | None, Tensor]] = []

    def run(self, inputs: Any) -> tuple[Any, np.ndarray]:
        """What the model returns, and whether a removed unit was active on each sample; NaN
        throughout where that is not known.
        """
        self._kept.clear()
        with RunOfLayers(self._model, self._choice, self._note):
            returned = call(self._model, inputs)
        args, kwargs = arguments(inputs)
        size = batch_size(list(tensors_in((*args, *kwargs.values())))) or 1
        flags = np.zeros(size)
        for layer, samples, x in self._kept:
            if layer.name not in self._units:
                continue
            units, rule = self._units[layer.name]
            if rule is None:
                return returned, np.full(size, np.nan)
            entries = rule(x)[..., units.to(x.device)].flatten(1).any(1).cpu().numpy()
            places = np.arange(len(entries)) if samples is None else samples.cpu().numpy()
            inside = (places >= 0) & (places < size)
            np.maximum.at(flags, places[inside], entries[inside].astype(float))
        return returned, flags

    def _note(self, layer: LayerInRun, _: Tensor, x: Tensor) -> None:
        # Layers get their numbers, relu#0 and relu#1, as the model runs.
        self._kept.append((layer, layer.samples, x.clone()))


def _rule(criterion: str) -> Criterion | None:
    try:
        return rule_from(criterion)
    except InputError:
        return None


def _batches(batches: Iterable[Any]) -> list[Any]:
    """The batches, at least one; a tensor or a mapping is one batch."""
    if isinstance(batches, Tensor | Mapping):
        return [batches]
    if not isinstance(batches, Iterable):
        raise InputError(
            f"expected batches, as a loader gives them, but got {type(batches).__name__}"
        )
    found = list(batches)
    if not found:
        raise InputError("expected at least one batch to verify on, but got none")
    return found


def _split(batch: Any, n_inputs: int) -> tuple[Any, Any]:
    """The model's arguments, and the target behind them, if there is one more tensor than the
    model takes.
    """
    if isinstance(batch, tuple | list) and len(batch) == n_inputs + 1:
        return tuple(batch[:n_inputs]), batch[n_inputs]
    return (tuple(batch) if isinstance(batch, list) else batch), None


def _changes(ours: Sequence[Tensor], theirs: Sequence[Tensor], n_samples: int) -> np.ndarray:
    """Largest change of an output by sample; (n_samples,)."""
    largest = np.zeros(n_samples)
    for one, other in zip(ours, theirs, strict=True):
        if one.shape != other.shape or not one.ndim:
            continue  # units that are given back besides the output
        change = (one.double() - other.double()).abs()
        if change.shape[0] == n_samples:
            largest = np.maximum(largest, change.flatten(1).amax(1).cpu().numpy())
        elif change.numel():
            largest = np.maximum(largest, float(change.max()))
    return largest


def _loss(
    model: nn.Module, batch: Any, inputs: Any, target: Any, loss: Losses | None
) -> np.ndarray | None:
    """Losses of each sample, or of the batch as a whole; (n,). None if there is none."""
    if loss is not None:
        value = loss(model, batch)
    elif target is not None:
        value = _usual_loss(outputs(call(model, inputs))[0], target)
    else:
        returned = call(model, inputs)
        value = getattr(returned, "loss", None)
    if value is None:
        return None
    return np.atleast_1d(np.asarray(torch.as_tensor(value).detach().double().cpu()))


def _usual_loss(output: Tensor, target: Tensor) -> Tensor | None:
    """Cross-entropy with whole numbers, squared error with others of the same shape."""
    if not target.is_floating_point() and output.ndim == target.ndim + 1:
        entropy = functional.cross_entropy(output.movedim(-1, 1), target, reduction="none")
        return entropy.flatten(1).mean(1) if entropy.ndim > 1 else entropy
    if target.is_floating_point() and output.shape == target.shape:
        return (output - target).square().flatten(1).mean(1)
    return None


def _table(losses: tuple[list[np.ndarray], list[np.ndarray]], level: float) -> pd.DataFrame | None:
    if not losses[0]:
        return None
    before, after = (np.concatenate(found) for found in losses)
    rows = {}
    for name, values in {"before": before, "after": after, "change": after - before}.items():
        error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else np.nan
        reach = two_sided_z(level) * error
        rows[name] = (values.mean(), values.mean() - reach, values.mean() + reach)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "lower", "upper"])


def _seconds(before: nn.Module, after: nn.Module, inputs: Any) -> tuple[float, float]:
    """Median time of a forward pass of either, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    while len(times[0]) < LEAST_RUNS or sum(times[0]) < LEAST_SECONDS:
        for model, found in zip((before, after), times, strict=True):
            start = time.perf_counter()
            call(model, inputs)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            found.append(time.perf_counter() - start)
    return float(np.median(times[0])), float(np.median(times[1]))
