"""A census: the counts of a network's named layers, and the safetensors file that holds them.

The file has a JSON header and arrays of whole numbers. Nothing in it is ever executed, so files of
strangers are safe to load.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, FileError, InputError
from actilaw.support.files import write_atomically
from actilaw.support.progress import Progress, told
from actilaw.support.version import installed_version

FORMAT = 2
SCALARS = ("samples", "per", "criterion", "nonfinite", "regime", "entries", "active_squares")
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
# Names that format 1 had for what it kept of a layer, and of a run of `actilaw record`.
RENAMED_LAYER = {"unit": "per"}
RENAMED_ABOUT = {"unit": "per", "active": "criterion"}
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Census(Mapping[str, ActivationCounts]):
    """Activation counts of a network's layers: a mapping from layer name to `ActivationCounts`.

    Args:
        layers: counts by name of layer.
        about: whatever should be remembered of the recording (model, data, seeds); JSON values by
            name.
    """

    layers: Mapping[str, ActivationCounts]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise CountsError(
                "expected counts of at least one layer, but got none: record a model first"
            )
        object.__setattr__(self, "layers", dict(self.layers))
        object.__setattr__(self, "about", dict(self.about))

    def __getitem__(self, layer: str) -> ActivationCounts:
        try:
            return self.layers[layer]
        except KeyError:
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
        """
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

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    def __repr__(self) -> str:
        working = sum(counts.working for counts in self.values())
        units = sum(counts.units for counts in self.values())
        return f"<Census of {len(self)} layers, {working:,} of {units:,} units working>"

    def merge(self, other: Census) -> Census:
        """Counts over the samples of both, layer by layer; `about` keeps what is the same in both.

        Raises:
            InputError: if the two name different layers, or a layer differs in units, criterion or
                what a sample is.
        """
        if set(self) != set(other):
            apart = ", ".join(sorted(set(self) ^ set(other)))
            raise InputError(
                "censuses can be merged only if both hold the same layers, but only one has "
                f"{apart}"
            )
        about = {
            key: value
            for key, value in self.about.items()
            if key in other.about and other.about[key] == value
        }
        return Census({name: _merge_layer(name, self[name], other[name]) for name in self}, about)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the census, whole or not at all, as safetensors with a JSON header.

        Raises:
            FileError: if it cannot be written.
            InputError: if `about` holds what JSON cannot.
        """
        layers = {name: _header(counts) for name, counts in self.items()}
        header = {
            "format": FORMAT,
            "version": installed_version(),
            "about": self.about,
            "layers": layers,
        }
        arrays = {
            f"{name}/{part}": array
            for name, counts in self.items()
            for part, array in _arrays(counts).items()
        }
        return write_atomically(path, to_safetensors(arrays, metadata={"actilaw": _json(header)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Census:
        """Read a census that `save` wrote, in this or an earlier format; nothing in the file is
        ever executed.

        Raises:
            FileError: if the file is missing, cut short, or no census.
        """
        if not Path(path).is_file():
            raise FileError(
                f"expected a census file, but there is no file {path}: write one with "
                "census.save(path)"
            )
        try:
            with safe_open(path, framework="numpy") as file:
                header = json.loads((file.metadata() or {})["actilaw"])
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            layers, about = _understood(header, path)
            return cls({name: _layer(name, words, arrays) for name, words in layers.items()}, about)
        except FileError:
            raise
        except (
            SafetensorError,
            ArithmeticError,
            AttributeError,
            LookupError,
            OSError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise FileError(
                f"expected a census, but {path} is not one or is damaged ({error}): record it again"
            ) from error


def load(path: str | os.PathLike[str]) -> Census:
    """Read a census: the short way to `Census.load`.

    Raises:
        FileError: if the file is missing, cut short, or no census.
    """
    return Census.load(path)


def require_census(census: object) -> None:
    """Raise InputError unless this is a census."""
    if not isinstance(census, Census):
        raise InputError(
            "expected a Census, as recording.census() or Census({'relu': counts}), but got "
            f"{type(census).__name__}"
        )


def _understood(
    header: Mapping[str, Any], path: str | os.PathLike[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The words about each layer, and about the recording, under the names they have today."""
    layers, about = header["layers"], header["about"]
    if header["format"] == FORMAT:
        return layers, about
    if header["format"] != 1:
        raise FileError(
            f"{path} has format {header['format']}, this version reads 1 to {FORMAT}: update "
            "actilaw"
        )
    layers = {name: _renamed(words, RENAMED_LAYER) for name, words in layers.items()}
    if "finished" in about:  # written by `actilaw record`, which compares it before it goes on
        about = _renamed(about, RENAMED_ABOUT)
    return layers, about


def _renamed(words: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in words.items()}


def _merge_layer(name: str, one: ActivationCounts, other: ActivationCounts) -> ActivationCounts:
    try:
        return one.merge(other)
    except InputError as error:
        raise InputError(f"layer {name!r}: {error}") from None


def _header(counts: ActivationCounts) -> dict[str, Any]:
    """The single numbers and words of a layer."""
    return {name: getattr(counts, name) for name in SCALARS} | {
        "block_size": None if counts.blocks is None else counts.blocks.size
    }


def _json(header: Mapping[str, Any]) -> str:
    try:
        return json.dumps(header)
    except (TypeError, ValueError) as error:
        raise InputError(
            "expected words and numbers of Python in `about`, as JSON holds them, but got "
            f"{header['about']!r} ({error})"
        ) from error


def _arrays(counts: ActivationCounts) -> dict[str, NDArray[np.int64]]:
    """The arrays of a layer, by the names they have in a file."""
    arrays = {"counts": counts.counts}
    if counts.first is not None:
        arrays["first"] = counts.first
    if counts.blocks is not None:
        arrays |= {"block_counts": counts.blocks.counts, "block_samples": counts.blocks.samples}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _layer(
    name: str, about: Mapping[str, Any], arrays: Mapping[str, NDArray[np.int64]]
) -> ActivationCounts:
    blocks = None
    if about["block_size"] is not None:
        blocks = Blocks(
            arrays[f"{name}/block_counts"], arrays[f"{name}/block_samples"], about["block_size"]
        )
    return ActivationCounts(
        arrays[f"{name}/counts"],
        first=arrays.get(f"{name}/first"),
        blocks=blocks,
        **{key: about[key] for key in SCALARS},
    )
