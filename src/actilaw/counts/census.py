"""Counts of a network's named layers, and the file that holds them: safetensors with a JSON header,
never a pickle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError, FileError, InputError
from actilaw.support.files import write_atomically

FORMAT = 1
SCALARS = ("samples", "unit", "criterion", "nonfinite", "regime", "entries", "active_squares")


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

    def merge(self, other: Census) -> Census:
        """Counts over the samples of both, layer by layer; `about` keeps what is the same in both.

        Raises:
            InputError: if the two name different layers, or a layer differs in units, criterion or
                unit.
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
        """
        from actilaw import (
            __version__,
        )  # the package imports this module, so only a call may ask back

        layers = {name: _header(counts) for name, counts in self.items()}
        header = {"format": FORMAT, "version": __version__, "about": self.about, "layers": layers}
        arrays = {
            f"{name}/{part}": array
            for name, counts in self.items()
            for part, array in _arrays(counts).items()
        }
        return write_atomically(
            path, to_safetensors(arrays, metadata={"actilaw": json.dumps(header)})
        )


def load(path: str | os.PathLike[str]) -> Census:
    """Read a census that `Census.save` wrote; nothing in the file is ever executed.

    Raises:
        FileError: if the file is missing, cut short, or no census.
    """
    if not Path(path).is_file():
        raise FileError(
            f"expected a census file, but there is no file {path}: write one with census.save(path)"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["actilaw"])
            if header["format"] != FORMAT:
                raise FileError(
                    f"{path} has format {header['format']}, this version reads {FORMAT}: update "
                    "actilaw"
                )
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, a file is no dictionary
        layers = {name: _layer(name, about, arrays) for name, about in header["layers"].items()}
        return Census(layers, header["about"])
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
            f"expected a census, but {path} is not one or is damaged ({error}): record it anew"
        ) from error


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
