"""Counting by forward hooks, while a network runs, on how many samples each of its units is
activated.

Memory follows the number of units, never the number of samples; the network's outputs, gradients
and random state stay as they are.
"""

from __future__ import annotations

import warnings
from types import TracebackType

from torch import nn

from actilaw.counts.census import Census
from actilaw.errors import CountsError, InputError, ModelError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.activations import canonical_per
from actilaw.recording.criteria import Criteria, describe
from actilaw.recording.distributed import place_among_ranks, sum_over_ranks
from actilaw.recording.forward_passes import ForwardPasses
from actilaw.recording.hooks import Hooks, forget_compiled_code
from actilaw.recording.layers import Layers, find_hook_points, uncovered
from actilaw.recording.masks import Mask, MaskReader
from actilaw.recording.repeated_calls import RepeatedCalls
from actilaw.recording.weight_watch import WeightWatch, regime


class Recorder:
    """Counts activations of a model's layers while a `with` block runs; see `actilaw.record`.

    Attributes:
        uncovered: names of parametrised modules whose outputs lead to no layer that is counted.
    """

    uncovered: list[str]

    def __init__(
        self,
        model: nn.Module,
        layers: Layers = "auto",
        criterion: Criteria = "auto",
        per: str = "sample",
        mask: Mask | None = None,
        resume: Census | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ModelError(
                f"expected a torch module to record, but got {type(model).__name__}: load the "
                "model first"
            )
        per = canonical_per(per)
        model = _unwrapped(model)
        masks = MaskReader(model, mask)
        points = find_hook_points(model, layers, criterion)
        self.uncovered = uncovered(model, points.values())
        start, stride = place_among_ranks()
        self._layers = [
            RepeatedCalls(name, point, Accumulator(name, per, start=start, stride=stride))
            for name, point in points.items()
        ]
        self._passes = ForwardPasses(self._layers, masked=mask is not None)
        self._hooks = Hooks(model, list(points.values()), masks, self._passes)
        self._weights = WeightWatch(model)
        if resume is not None:
            self._resume(resume)

    def __enter__(self) -> Recorder:
        if self._hooks.attached:
            raise InputError(
                "this recording is already running: leave its block before entering it again"
            )
        if any(layer.accumulator.entries for layer in self._layers):
            self._weights.check()  # they may have changed since the block was left
        self._weights.restart()
        self._hooks.attach()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hooks.detach()
        self._passes.end(completed=False)
        self._weights.check()
        forget_compiled_code()

    def census(self, across_ranks: bool = False) -> Census:
        """The counts so far, per layer; may be asked for while recording and after it.

        Args:
            across_ranks: sum over all processes of torch.distributed; every process must ask. What
                k processes count together is, to the last bit, what one would count that saw the
                samples in the order of a DistributedSampler.

        Raises:
            CountsError: if no sample has passed through any of the layers yet.
            InputError: if `across_ranks` is asked for and torch.distributed is not set up.
        """
        self._passes.end(completed=False)
        self._weights.check()
        accumulators = [layer.accumulator for layer in self._layers]
        trained = self._weights.changed
        if across_ranks:
            accumulators, trained = sum_over_ranks(accumulators, trained)
        results = {
            layer.name: accumulator.result(describe(layer.point.criterion), regime(trained))
            for layer, accumulator in zip(self._layers, accumulators, strict=True)
        }
        counted = {name: counts for name, counts in results.items() if counts is not None}
        if not counted:
            raise CountsError(
                f"nothing was recorded in {', '.join(results)}: run the model on data inside the "
                "`with` block"
            )
        if len(counted) < len(results):
            not_reached = ", ".join(name for name in results if name not in counted)
            warnings.warn(
                f"no sample passed through {not_reached}: left out of the census", stacklevel=2
            )
        return Census(counted)

    def _resume(self, census: Census) -> None:
        """Go on from the counts of an earlier recording."""
        names = [layer.name for layer in self._layers]
        if set(census) != set(names):
            raise InputError(
                f"expected a census of the layers {', '.join(names)} to go on from, but it has "
                f"{', '.join(census)}: record with the same model, layers and rules"
            )
        for layer in self._layers:
            counts = census[layer.name]
            rule, per = describe(layer.point.criterion), layer.accumulator.per
            if (counts.criterion, counts.per) != (rule, per):
                raise InputError(
                    f"layer {layer.name!r} was counted by {counts.criterion} per {counts.per}, "
                    f"not by {rule} per {per}: go on with the same rules"
                )
            layer.accumulator.resume(counts)
            self._weights.changed |= counts.regime != "frozen"


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module itself, without the wrapping of torch.compile or DistributedDataParallel: its
    layers keep their names.
    """
    while isinstance(inner := getattr(model, "_orig_mod", None) or _replica(model), nn.Module):
        model = inner
    return model


def _replica(model: nn.Module) -> nn.Module | None:
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else None
