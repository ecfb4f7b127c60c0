"""A census: the counts of a network's named layers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from actilaw.counts.about import as_json_values, require_text
from actilaw.counts.activation_counts import ActivationCounts, require_one_layer
from actilaw.counts.census_file import CensusParts, decoded, encoded, not_a_census, read
from actilaw.counts.feeders import (
    Feeders,
    checked_feeders,
    counterparts,
    fed_groups,
    group_of,
    in_order,
    orders_unknown,
    translated,
)
from actilaw.errors import CountsError, InputError
from actilaw.support.files import write_atomically
from actilaw.support.progress import Progress, told

SUMMARY = (
    "units",
    "samples",
    "working",
    "idle",
    "active",
    "per",
    "criterion",
    "regime",
    "nonfinite",
)
MOST_NAMED = 6  # layers that a message names
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Census(Mapping[str, ActivationCounts]):
    """Activation counts of a network's layers: a mapping from layer name to `ActivationCounts`.

    Args:
        layers: counts by name of layer.
        about: whatever should be remembered of the recording (model, data, seeds); JSON values by
            name. Numbers of NumPy and paths are converted.
        recordings: identifiers of the recordings whose samples are counted here, so that none is
            counted twice; `record` gives them.
        weights: fingerprint of the recorded network's parameters and buffers, or None where it is
            not known, or they changed while recording.
        feeders: by layer, the names of the modules and functions that fed its calls: a tuple of
            names for each kind of call; `record` gives them. They tell `relu#0` from `relu#1`.

    Raises:
        CountsError: if there is no layer, or a layer is no `ActivationCounts`.
        InputError: if a name or a key is no text, or `about` holds what JSON cannot; with the key.
    """

    layers: Mapping[str, ActivationCounts]
    about: Mapping[str, Any] = field(default_factory=dict)
    recordings: tuple[str, ...] = ()
    weights: str | None = None
    feeders: Feeders = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", _checked_layers(self.layers))
        object.__setattr__(self, "about", as_json_values(self.about))
        if isinstance(self.recordings, str) or not isinstance(self.recordings, Iterable):
            raise InputError(
                f"expected a tuple of identifiers as recordings, but got {self.recordings!r}"
            )
        object.__setattr__(self, "recordings", tuple(self.recordings))
        for identifier in self.recordings:
            require_text("identifiers of recordings", identifier)
        if self.weights is not None:
            require_text("the fingerprint of weights", self.weights)
        object.__setattr__(self, "feeders", checked_feeders(self.feeders, self.layers))

    def __getitem__(self, layer: str) -> ActivationCounts:
        try:
            return self.layers[layer]
        except (KeyError, TypeError):
            raise KeyError(
                f"no layer {layer!r} in this census; it has {', '.join(self.layers)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def map(
        self,
        function: Callable[[ActivationCounts], T],
        *,
        refused: Callable[[str, CountsError], None] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, T]:
        """What a function makes of every layer, by name: `census.map(fit)`.

        A layer that the function refuses with a CountsError, as `fit` does one that is always idle,
        is left out of the result, so that one layer does not cost the others.

        Args:
            function: called with the `ActivationCounts` of each layer.
            refused: called with the name of a refused layer and the error; a warning by default.
            progress: called after each layer with how many are done, and how many there are.

        Raises:
            CountsError: if every layer is refused, with all the reasons.
            InputError: if `function` is none.
        """
        if not callable(function):
            raise InputError(f"expected a function of a layer's counts, but got {function!r}")
        results: dict[str, T] = {}
        reasons = []
        for name, counts in told(list(self.items()), progress):
            try:
                results[name] = function(counts)
            except CountsError as error:
                reasons.append(f"layer {name}: {error}")
                if refused is not None:
                    refused(name, error)
        if not results:
            raise CountsError("; ".join(reasons))
        if refused is None and reasons:
            warnings.warn(f"left out {'; '.join(reasons)}", stacklevel=2)
        return results

    def summary(self) -> pd.DataFrame:
        """A row per layer, by name: columns units, samples, working, idle (numbers of units, and of
        samples), active (units per sample), per, criterion, regime and nonfinite (samples).
        """
        rows = {
            name: {column: getattr(counts, column) for column in SUMMARY}
            for name, counts in self.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(SUMMARY))

    def to_frame(self) -> pd.DataFrame:
        """A row per unit of every layer: columns layer, unit (its index), count, samples, rate
        (share of the samples, in 0..1), and first, the entry at which it was first active (missing
        for idle units, and where no recording told).

        `census.to_frame().to_parquet(path)` writes them all.
        """
        tables = []
        for name, counts in self.items():
            first = pd.array([pd.NA] * counts.units, dtype="Int64")
            if counts.first is not None:
                is_known = counts.first >= 0
                first[is_known] = counts.first[is_known]
            columns = {
                "layer": name,
                "unit": np.arange(counts.units),
                "count": counts.counts,
                "samples": counts.samples,
                "rate": counts.counts / counts.samples,
                "first": first,
            }
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    def __repr__(self) -> str:
        working = sum(counts.working for counts in self.values())
        units = sum(counts.units for counts in self.values())
        return f"<Census of {len(self)} layers, {working:,} of {units:,} units working>"

    def merge(self, other: Census) -> Census:
        """Counts over the samples of both, layer by layer; `about` keeps what is the same in both.

        Layers of one module, `relu#0` and `relu#1`, are matched by what fed them; the result has
        the names they have here. Censuses of earlier versions do not tell, and are matched by name,
        with a warning.

        Where the weights of both are known and differ, as of two moments of a training, those of
        the result are unknown (None).

        Raises:
            InputError: if the two share a recording, whose samples would count twice; if they are
                of two frozen networks; if they name different layers, or a layer differs in units,
                criterion, what a sample is, or in all that fed it.
        """
        require_census(other)
        self._refuse_shared_recording(other)
        self._refuse_other_network(other)
        if set(self) != set(other):
            apart = ", ".join(sorted(set(self) ^ set(other)))
            raise InputError(
                "censuses can be merged only if both hold the same layers, but only one has "
                f"{apart}"
            )
        matched, feeders = self._matched(other)
        about = {
            key: value
            for key, value in self.about.items()
            if key in other.about and other.about[key] == value
        }
        return Census(
            {name: _merge_layer(name, self[name], other[matched[name]]) for name in self},
            about,
            recordings=tuple(sorted({*self.recordings, *other.recordings})),
            weights=self.weights if self.weights == other.weights else None,
            feeders=feeders,
        )

    def _matched(self, other: Census) -> tuple[dict[str, str], Feeders]:
        """The name in the other census of each layer of this one, by what fed it, and all that fed
        it in either.
        """
        own, theirs = fed_groups(self, self.feeders), fed_groups(other, other.feeders)
        as_named = {name: name for name in self}, {}  # rules that differ are refused layer by layer
        if set(own) != set(theirs):
            return as_named
        warn_of_order(orders_unknown(own, theirs), "merged", stacklevel=4)
        found = counterparts(own, theirs)
        there = {mine: group for group, mine in found.items()}
        names = {
            (group_of(name, counts.criterion), counts.criterion): name
            for name, counts in other.items()
        }
        matched: dict[str, str] = {}
        feeders: dict[str, tuple[tuple[str, ...], ...]] = {}
        for name, counts in self.items():
            group = group_of(name, counts.criterion)
            if (there[group], counts.criterion) not in names:
                return as_named
            matched[name] = names[there[group], counts.criterion]
            fed = own[group] | translated(theirs[there[group]], found)
            if fed:
                feeders[name] = in_order(fed)
        return matched, feeders

    def _refuse_shared_recording(self, other: Census) -> None:
        if other is self or not set(self.recordings).isdisjoint(other.recordings):
            raise InputError(
                "expected censuses of disjoint samples, but both hold counts of one and the same "
                "recording, whose samples would count twice: merge different recordings, and of "
                "one recording keep the later census alone"
            )

    def _refuse_other_network(self, other: Census) -> None:
        """Weights that stood still and differ are two networks; in training one has many."""
        known = self.weights is not None and other.weights is not None
        still = all(counts.regime == "frozen" for counts in (*self.values(), *other.values()))
        if known and still and self.weights != other.weights:
            raise InputError(
                f"expected censuses of one network, but their weights differ (fingerprints "
                f"{self.weights} and {other.weights}): analyse each by itself, or, if their "
                "sum is what you want, drop the fingerprint of one, "
                "dataclasses.replace(census, weights=None)"
            )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the census, whole or not at all, as safetensors with a JSON header and a checksum
        of every byte.

        Raises:
            FileError: if it cannot be written.
        """
        return write_atomically(path, content_of(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Census:
        """Read a census that `save` wrote, in this or an earlier format; nothing in the file is
        ever executed.

        Raises:
            FileError: if the file is missing, cut short, no census, or any byte of it is not as it
                was written (files of formats 1 and 2 have no checksum to tell).
        """
        return census_from(read(path), path)


def load(path: str | os.PathLike[str]) -> Census:
    """Read a census: the short way to `Census.load`.

    Raises:
        FileError: if the file is missing, cut short, or no census.
    """
    return Census.load(path)


def content_of(census: Census) -> bytes:
    """The bytes of the file that `Census.save` writes; the same for the same census."""
    return encoded(
        CensusParts(census.layers, census.about, census.recordings, census.weights, census.feeders)
    )


def census_from(content: bytes, path: str | os.PathLike[str]) -> Census:
    """The census in the bytes of a file, whose path messages name.

    Raises:
        FileError: if they are no census, or not as they were written.
    """
    parts = decoded(content, path)
    try:
        return Census(parts.layers, parts.about, parts.recordings, parts.weights, parts.feeders)
    except (InputError, TypeError) as error:
        raise not_a_census(path, error) from error


def warn_of_order(places: list[str], what: str, *, stacklevel: int) -> None:
    """Warn where layers are told apart by the order of their calls alone."""
    if places:
        warnings.warn(
            f"the layers of {', '.join(places)} are {what} by their numbers, since a census does "
            "not say what fed them, as those of earlier versions: where a branch depends on the "
            "data, they may have been called in another order",
            stacklevel=stacklevel,
        )


def require_census(census: object) -> None:
    """Raise InputError unless this is a census."""
    if not isinstance(census, Census):
        raise InputError(
            "expected a Census, as recording.census() or Census({'relu': counts}), but got "
            f"{type(census).__name__}"
        )


def one_layer(counts: ActivationCounts | Census) -> ActivationCounts:
    """Counts of one layer, given as they are or as the only layer of a census.

    Raises:
        InputError: if a census has several layers, or `counts` is neither.
    """
    if isinstance(counts, ActivationCounts):
        return counts
    if not isinstance(counts, Census):
        require_one_layer(counts)
    names = list(counts)
    if len(names) > 1:
        named = ", ".join(map(repr, names[:MOST_NAMED]))
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise InputError(
            f"expected counts of one layer, but this census has {len(names)} layers, {named}{more}:"
            f" choose one, census[{names[0]!r}], or go through all with census.map"
        )
    return counts[names[0]]


def _checked_layers(layers: Mapping[str, ActivationCounts]) -> dict[str, ActivationCounts]:
    if not isinstance(layers, Mapping):
        raise CountsError(
            "expected a mapping from names of layers to their counts, as Census({'relu': counts}), "
            f"but got {type(layers).__name__}"
        )
    if not layers:
        raise CountsError(
            "expected counts of at least one layer, but got none: record a model first"
        )
    for name, counts in layers.items():
        require_text("the name of a layer", name)
        if not isinstance(counts, ActivationCounts):
            raise CountsError(
                f"expected ActivationCounts of layer {name!r}, but got {type(counts).__name__}"
            )
    return dict(layers)


def _merge_layer(name: str, one: ActivationCounts, other: ActivationCounts) -> ActivationCounts:
    try:
        return one.merge(other)
    except InputError as error:
        raise InputError(f"layer {name!r}: {error}") from None
