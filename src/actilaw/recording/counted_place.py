"""The layers of one place in the network: of one module, or of one function called in it.

A place has one layer, unless it is called in several parts of the network and fed by others in each
(`name#0`, `name#1`, ...), and each of these once for every rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from actilaw.counts.feeders import Fed, Group
from actilaw.errors import InputError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.arrangement import Arranged
from actilaw.recording.batches import Batch
from actilaw.recording.counted_layer import CountedLayer, Feeding
from actilaw.recording.criteria import Criterion, describe
from actilaw.recording.hook_points import HookPoint
from actilaw.recording.tracing.origins import Feeder


class CountedPlace:
    """A place whose activations are counted.

    Args:
        name: of the module, or of the function in it.
        point: the hook point, or None for a function.
        rules: when a unit is activated; none where the place has its own.
        accumulator: makes the counts of a layer of this name.

    Attributes:
        calls: which layer each call of the first whole batch went to, in order.
    """

    def __init__(
        self,
        name: str,
        point: HookPoint | None,
        rules: Sequence[Criterion],
        accumulator: Callable[[str], Accumulator],
    ) -> None:
        self.name, self.point = name, point
        self._rules = tuple(rules)
        self._accumulator = accumulator
        self._feeding = Feeding()
        self._layers: list[list[CountedLayer]] = []  # by what feeds them, then by rule
        self.dropped = False

    @property
    def counted(self) -> bool:
        """Whether anything was counted here."""
        return any(layer.accumulator.entries for layers in self._layers for layer in layers)

    def layers(self) -> dict[str, CountedLayer]:
        """The layers by name."""
        return {
            self._layer_name(index, layer.criterion): layer
            for index, layers in enumerate(self._layers)
            for layer in layers
        }

    def group_of(self, feeders: frozenset[Feeder], batch: Batch) -> int:
        """Which of its layers a call belongs to, by what feeds it."""
        visits = [batch.visits.get(layers[0]) for layers in self._layers if layers]
        return self._feeding.layer_of(feeders, visits)

    def add(
        self,
        group: int,
        activations: Arranged,
        feeders: frozenset[Feeder],
        batch: Batch,
        own_rule: Criterion,
    ) -> None:
        """Count one call."""
        for layer in self.of_group(group, own_rule):
            visit = batch.visits.get(layer)
            if visit is None:
                visit = batch.visits[layer] = layer.enter()
            for name, number in feeders:
                visit.feeders.setdefault(name, set()).add(number)
            layer.add(visit, activations)

    def of_group(self, group: int, own_rule: Criterion) -> list[CountedLayer]:
        """The layers fed alike, one for each rule."""
        while len(self._layers) <= group:
            self._layers.append([])
        if not self._layers[group]:
            self._layers[group] = [
                CountedLayer(rule, self._accumulator(self._layer_name(group, rule)))
                for rule in self._rules or (own_rule,)
            ]
        for index, layers in enumerate(self._layers):
            for layer in layers:
                layer.accumulator.name = self._layer_name(index, layer.criterion)
        return self._layers[group]

    def groups(self) -> dict[str, Group]:
        """The number of each layer, with the name of the place, by its name."""
        return {
            self._layer_name(index, layer.criterion): (self.name, index)
            for index, layers in enumerate(self._layers)
            for layer in layers
        }

    def fed(self) -> Fed:
        """What fed the layers of each number."""
        return {group: self._feeding.fed(group[1]) for group in self.groups().values()}

    def expect(self, group: int, fed: Iterable[frozenset[str]]) -> None:
        """Have a layer of this number from the start, for counts to go on from; `fed` are the sets
        of names that fed it, none where that is not known.
        """
        self._feeding.expect(group, fed)

    def _layer_name(self, group: int, rule: Criterion) -> str:
        name = self.name if len(self._layers) < 2 else f"{self.name}#{group}"
        return name if len(self._rules) < 2 else f"{name} {describe(rule)}"


def require_distinct(rules: Sequence[Criterion]) -> None:
    """Raise InputError if two rules go by the same name."""
    names = [describe(rule) for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"expected rules that differ in name, but two are {name!r}: name the functions"
            )
