"""Counting, while a network runs, on how many samples each of its units is activated.

Memory follows the number of units, never the number of samples; the network's outputs, gradients
and random state stay as they are.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping
from types import TracebackType

import torch
from torch import nn

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census, require_census, warn_of_order
from actilaw.counts.feeders import (
    Fed,
    Feeders,
    Group,
    in_order,
    orders_unknown,
    require_told_apart,
    words_of,
)
from actilaw.errors import CountsError, InputError, ModelError
from actilaw.recording.accumulator import Accumulator
from actilaw.recording.activations import canonical_per
from actilaw.recording.compiled_model import CompiledModel, is_compiled
from actilaw.recording.counted_layer import CountedLayer
from actilaw.recording.counted_place import CountedPlace, require_distinct
from actilaw.recording.criteria import Criteria, criteria_from, describe, rule_from
from actilaw.recording.distributed import (
    in_the_order_of_the_first,
    place_among_ranks,
    sum_over_ranks,
)
from actilaw.recording.fingerprint import weights_fingerprint
from actilaw.recording.layers import Layers, choose_layers, listed
from actilaw.recording.masks import Mask, MaskReader
from actilaw.recording.observer import Observer
from actilaw.recording.own_work import own_work
from actilaw.recording.tracing.activation_functions import may_be_counted
from actilaw.recording.unit_makers import makes_units
from actilaw.recording.weight_watch import WeightWatch, regime


class Recorder:
    """Counts activations of a model's layers while a `with` block runs; see `actilaw.record`.

    `first_entry` numbers the entries for blocks and first activations, as of a part of a data set
    that begins there: censuses of the parts merge into that of the whole, to the last bit.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layers = "auto",
        criterion: Criteria = "auto",
        per: str = "sample",
        mask: Mask | None = None,
        resume: Census | None = None,
        first_entry: int = 0,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ModelError(
                f"expected a torch module to record, but got {type(model).__name__}: load the "
                "model first"
            )
        self._per = canonical_per(per)
        compiled = is_compiled(model)
        self._model = model = _unwrapped(model)
        masks = MaskReader(model, mask)
        self._rules = criteria_from(criterion)
        require_distinct(self._rules)
        choice = choose_layers(model, layers)
        self._functions = choice.functions
        rank, self._stride = place_among_ranks()
        self._start = first_entry + rank
        self._observer = Observer(model, choice, self._rules, masks, self._new_accumulator)
        self._observer.choose = lambda: choose_layers(model, layers)
        self._weights = WeightWatch(model)
        self._compiled = CompiledModel(model, self._observer, masks, compiled)
        self._ids = (uuid.uuid4().hex,)
        self._running = False
        if resume is not None:
            require_census(resume)
            self._resume(resume)

    @property
    def uncovered(self) -> list[str]:
        """Names of the modules with weights whose outputs lead to no layer that was counted, norms
        and embeddings aside; of all of them before the first forward pass.
        """
        covered = self._observer.makers
        return [
            name
            for name, module in self._model.named_modules()
            if makes_units(module) and name not in covered
        ]

    def __enter__(self) -> Recorder:
        if self._running:
            raise InputError(
                "this recording is already running: leave its block before entering it again"
            )
        if any(place.counted for place in self._observer.places()):
            self._weights.check()  # they may have changed since the block was left
        self._weights.restart()
        self._observer.before_pass = self._weights.look
        self._compiled.start()
        self._running = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        self._compiled.stop()
        self._weights.check()

    def census(self, across_ranks: bool = False) -> Census:
        """The counts so far, per layer; may be asked for while recording and after it. Of a batch
        that is in the middle of the model, what layers have counted already is in it.

        Args:
            across_ranks: sum over all processes of torch.distributed; every process must ask. What
                k processes count together is, to the last bit, what one would count that saw the
                samples in the order of a DistributedSampler.

        Raises:
            CountsError: if no sample has passed through any of the layers yet.
            InputError: if `across_ranks` is asked for and torch.distributed is not set up.
        """
        with self._observer.lock, own_work():
            self._weights.check()
            layers: dict[str, CountedLayer] = {}
            groups: dict[str, Group] = {}
            fed: Fed = {}
            for place in self._observer.places():
                layers |= place.layers()
                groups |= place.groups()
                fed |= place.fed()
            trained = self._weights.changed
            if across_ranks:
                names, groups, fed = in_the_order_of_the_first(groups, fed)
                layers = {name: layers[mine] for name, mine in names.items()}
            accumulators = [layer.accumulator for layer in layers.values()]
            if across_ranks:
                accumulators, trained = sum_over_ranks(accumulators, trained)
            results = {
                name: accumulator.result(describe(layer.criterion), regime(trained))
                for (name, layer), accumulator in zip(layers.items(), accumulators, strict=True)
            }
        feeders = {name: in_order(fed[group]) for name, group in groups.items()}
        return self._census_of(results, feeders, trained)

    def _census_of(
        self, results: Mapping[str, ActivationCounts | None], feeders: Feeders, trained: bool
    ) -> Census:
        counted = {name: counts for name, counts in results.items() if counts is not None}
        places = [place.name for place in self._observer.places() if not place.dropped]
        dropped = [place.name for place in self._observer.places() if place.dropped]
        if not counted and not places and dropped:
            raise CountsError(
                f"nothing was recorded: it was unknown to which samples {listed(dropped)} belong, "
                "as the warnings say; call the model on tensors whose first axis is the batch"
            )
        if not counted:
            raise CountsError(
                f"nothing was recorded in {listed(places)}: run the model on data inside the "
                "`with` block"
                if places
                else "nothing was recorded, since no activation was found: run the model inside "
                "the `with` block, or name the modules whose outputs are units, layers=['...']"
            )
        missing = [name for name in results if name not in counted]
        missing += [
            place.name
            for place in self._observer.places()
            if not place.layers() and not place.dropped
        ]
        if missing:
            warnings.warn(
                f"no sample passed through {', '.join(missing)}: left out of the census",
                stacklevel=3,
            )
        return Census(
            counted,
            recordings=self._ids,
            weights=self._fingerprint(trained),
            feeders={name: feeders[name] for name in counted},
        )

    def _fingerprint(self, trained: bool) -> str | None:
        """Of the weights that were recorded, if they stayed the same."""
        if trained:
            return None
        try:
            with torch._C.DisableTorchFunction():
                return weights_fingerprint(self._model)
        except ModelError:  # on the meta device, or not initialised
            return None

    def _new_accumulator(self, name: str) -> Accumulator:
        return Accumulator(name, self._per, start=self._start, stride=self._stride)

    def _resume(self, census: Census) -> None:
        """Go on from the counts of an earlier recording."""
        places = {place.name: place for place in self._observer.places()}
        fed: Fed = {}
        for name, counts in census.items():
            base, group, rule = self._parsed(name, counts)
            if base not in places:
                places[base] = self._place_of_function(base, census)
            known = frozenset(frozenset(names) for names in census.feeders.get(name, ()))
            fed[base, group] = known
            self._go_on(places[base], group, rule, counts, known)
            self._weights.changed |= counts.regime != "frozen"
        require_told_apart(fed)
        self._require_known_feeders(fed)
        warn_of_order(orders_unknown(fed), "continued", stacklevel=5)
        self._ids = census.recordings or self._ids

    def _require_known_feeders(self, fed: Fed) -> None:
        """Refuse layers of one place that nothing in this model can feed, and which no call would
        therefore be told to belong to.
        """
        several = {place for place, number in fed if number > 0}
        for (place, number), sets in fed.items():
            if place in several and sets and not any(map(self._has_all, sets)):
                raise InputError(
                    f"expected layer '{place}#{number}' to be fed by modules of this model, but in "
                    f"the census to go on from it was fed by {words_of(sets)}, which it has not: "
                    "record with the same model"
                )

    def _has_all(self, names: frozenset[str]) -> bool:
        """Whether the model has what goes by these names: modules, weights, functions called in
        modules, and layers that feed others.
        """
        modules = {name for name, _ in self._model.named_modules()}
        weights = {name for name, _ in self._model.named_parameters()}
        places = {place.name for place in self._observer.places()}

        def is_known(name: str) -> bool:
            owner, mark, function = name.rpartition(".")
            of_module = owner in modules if mark else hasattr(torch, function)
            whole, layer = name.rpartition("+")[0], name.rpartition("#")[0]
            return name in modules or bool({name, whole} & weights) or layer in places or of_module

        return all(map(is_known, names))

    def _place_of_function(self, base: str, census: Census) -> CountedPlace:
        """The place of a layer that no module is known for: a function that is called."""
        names = [module for module, _ in self._model.named_modules()]
        parent, _, function = base.removesuffix("()").rpartition(".")
        of_function = parent in names and may_be_counted(function)
        if not self._functions or (base not in names and not of_function):
            expected = [place.name for place in self._observer.places()]
            raise InputError(
                f"expected a census of the layers {listed(expected)} to go on from, but it has "
                f"{', '.join(census)}: record with the same model, layers and rules"
            )
        return self._observer.function_place(base)

    def _parsed(self, name: str, counts: ActivationCounts) -> tuple[str, int, str]:
        """The place of a layer, its number there, and its rule, from its name in a census."""
        base = name
        if len(self._rules) > 1:
            base = name.removesuffix(f" {counts.criterion}")
        place, mark, number = base.rpartition("#")
        if mark and number.isdigit():
            return place, int(number), counts.criterion
        return base, 0, counts.criterion

    def _go_on(
        self,
        place: CountedPlace,
        group: int,
        rule: str,
        counts: ActivationCounts,
        fed: frozenset[frozenset[str]],
    ) -> None:
        own = place.point.criterion if place.point is not None else None
        allowed = [describe(known) for known in self._rules or ([own] if own else [])]
        if counts.per != self._per or (allowed and rule not in allowed):
            raise InputError(
                f"layer {place.name!r} was counted by {counts.criterion} per {counts.per}, not by "
                f"{', '.join(allowed) or rule} per {self._per}: go on with the same rules"
            )
        place.expect(group, fed)
        for layer in place.of_group(group, own or rule_from(rule)):
            if describe(layer.criterion) == rule:
                layer.accumulator.resume(counts)


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module itself, without the wrapping of torch.compile or of data parallelism: its layers
    keep their names.
    """
    while isinstance(inner := getattr(model, "_orig_mod", None) or _replica(model), nn.Module):
        model = inner
    if isinstance(model, torch.jit.ScriptModule):
        raise ModelError(
            "expected a module that Python runs, but got a scripted one, whose layers cannot be "
            "seen: record it before scripting"
        )
    return model


def _replica(model: nn.Module) -> nn.Module | None:
    if isinstance(model, nn.DataParallel) and len(model.device_ids) > 1:
        raise ModelError(
            f"expected a model on one device, but DataParallel copies it to {model.device_ids} in "
            "every forward pass: use DistributedDataParallel"
        )
    wrappers = (nn.parallel.DistributedDataParallel, nn.DataParallel)
    return model.module if isinstance(model, wrappers) else None
