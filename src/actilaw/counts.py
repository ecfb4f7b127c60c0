"""Counts of activations: of one layer (`ActivationCounts`), and of a network's named layers (`Census`).

Counts are all that the activation law needs: samples are exchangeable, so their order carries no information.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from actilaw.errors import CountsError, FileError, InputError
from actilaw.files import write_atomically
from actilaw.gamma import log_beta_ratio

FORMAT = 1
UNITS = ("sample", "position")
MOST_SAMPLES = 2**62


@dataclass(frozen=True, eq=False)
class ActivationCounts:
    """How often each unit of a layer was activated.

    Args:
        counts: D_i, the number of samples that activated each unit; (n_units,), integers in 0..samples.
        samples: D, number of samples seen.
        unit: what one sample is, "sample" (an entry of the first axis) or "position" (a token, a pixel).
        criterion: what "activated" means, in words.
        nonfinite: number of samples in which the layer had a NaN or infinite activation.

    Raises:
        CountsError: if counts are not whole numbers in 0..samples.
    """

    counts: NDArray[np.int64]
    samples: int
    unit: str = "sample"
    criterion: str = "positive"
    nonfinite: int = 0

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        if counts.ndim != 1 or counts.size == 0:
            raise CountsError(f"expected counts of shape (n_units,), one per unit, but got shape {counts.shape}")
        self._refuse_words_and_numbers()
        if counts.dtype.kind not in "iuf" or not np.all(counts == np.rint(counts)):
            raise CountsError(f"expected whole numbers as counts, but got {counts.dtype} with fractions, NaN or text")
        outside = int(np.sum((counts < 0) | (counts > self.samples)))
        if outside:
            raise CountsError(
                f"expected counts in 0..{self.samples}, but {outside} of {counts.size} lie outside "
                f"({counts.min()}..{counts.max()}): a unit fires at most once a sample, so check `samples`"
            )
        counts = counts.astype(np.int64)
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "samples", int(self.samples))

    def _refuse_words_and_numbers(self) -> None:
        for name, least in (("samples", 1), ("nonfinite", 0)):
            value = getattr(self, name)
            is_number = isinstance(value, int | float | np.integer | np.floating)
            if not is_number or not least <= value <= MOST_SAMPLES or value != int(value):
                raise CountsError(f"expected a whole number of {name} in {least}..2^62, but got {value!r}")
        if self.unit not in UNITS:
            raise CountsError(f"expected unit to be one of {', '.join(UNITS)}, but got {self.unit!r}")
        if not isinstance(self.criterion, str):
            raise CountsError(f"expected the criterion in words, but got {self.criterion!r}")

    @property
    def units(self) -> int:
        """N, the number of units."""
        return self.counts.size

    @property
    def active(self) -> float:
        """c, the mean number of units that one sample activated."""
        return float(self.counts.sum(dtype=float) / self.samples)

    @property
    def working(self) -> int:
        """K(D), the number of units that at least one sample activated."""
        return int(np.count_nonzero(self.counts))

    @property
    def idle(self) -> int:
        """N − K(D), the number of units that no sample activated."""
        return self.units - self.working

    def histogram(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct counts, ascending, and how many units have each; both (n_distinct,)."""
        return np.unique(self.counts, return_counts=True)

    def rarefied(self, samples: ArrayLike) -> NDArray[np.float64]:
        """K(d), units working after d of the samples, averaged over every order of the samples.

        A unit with count D_i is still idle after d of D samples with probability C(D − D_i, d) / C(D, d), which is
        B(x + d, D_i) / B(x, D_i) with x = D − D_i − d + 1.

        Args:
            samples: d, integers in 0..D, of any shape; the result has the same.

        Raises:
            InputError: if d lies outside 0..D.
        """
        d = np.asarray(samples)
        if np.any((d < 0) | (d > self.samples) | (d != np.rint(d))):
            raise InputError(
                f"expected whole numbers in 0..{self.samples}, the samples counted, but got {samples}: "
                "look beyond them with fit(counts).forecast(samples=...)"
            )
        distinct, units = self.histogram()
        d = d[..., np.newaxis].astype(np.int64)
        left = self.samples - distinct - d  # samples in which the unit is silent and that are not among the d
        woken = np.where(left < 0, 1.0, -np.expm1(log_beta_ratio(np.maximum(left, 0) + 1.0, d, distinct)))
        return np.asarray(woken @ units, float)

    def merge(self, other: ActivationCounts) -> ActivationCounts:
        """Counts over the samples of both, which must be disjoint.

        Raises:
            InputError: if the two differ in units, criterion or what a sample is.
        """
        for name in ("units", "criterion", "unit"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise InputError(f"counts can be merged only if {name} agree, but one has {mine!r}, one {theirs!r}")
        return ActivationCounts(
            self.counts + other.counts,
            self.samples + other.samples,
            unit=self.unit,
            criterion=self.criterion,
            nonfinite=self.nonfinite + other.nonfinite,
        )


@dataclass(frozen=True, eq=False)
class Census(Mapping[str, ActivationCounts]):
    """Activation counts of a network's layers: a mapping from layer name to `ActivationCounts`."""

    layers: Mapping[str, ActivationCounts]

    def __post_init__(self) -> None:
        if not self.layers:
            raise CountsError("expected counts of at least one layer, but got none: record a model first")
        object.__setattr__(self, "layers", dict(self.layers))

    def __getitem__(self, layer: str) -> ActivationCounts:
        try:
            return self.layers[layer]
        except KeyError:
            raise KeyError(f"no layer {layer!r} in this census; it has {', '.join(self.layers)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def merge(self, other: Census) -> Census:
        """Counts over the samples of both, layer by layer.

        Raises:
            InputError: if the two name different layers, or a layer differs in units, criterion or unit.
        """
        if set(self) != set(other):
            apart = ", ".join(sorted(set(self) ^ set(other)))
            raise InputError(f"censuses can be merged only if both hold the same layers, but only one has {apart}")
        return Census({name: counts.merge(other[name]) for name, counts in self.items()})

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the census, whole or not at all, as safetensors with a JSON header.

        Raises:
            FileError: if it cannot be written.
        """
        from actilaw import __version__  # the package imports this module, so only a call may ask back

        header = {
            "format": FORMAT,
            "version": __version__,
            "layers": {
                name: {
                    "samples": c.samples,
                    "unit": c.unit,
                    "criterion": c.criterion,
                    "nonfinite": c.nonfinite,
                }
                for name, c in self.items()
            },
        }
        arrays = {name: counts.counts for name, counts in self.items()}
        return write_atomically(path, to_safetensors(arrays, metadata={"actilaw": json.dumps(header)}))


def load(path: str | os.PathLike[str]) -> Census:
    """Read a census that `Census.save` wrote; nothing in the file is ever executed.

    Raises:
        FileError: if the file is missing, cut short, or no census.
    """
    if not Path(path).is_file():
        raise FileError(f"expected a census file, but there is no file {path}: write one with census.save(path)")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["actilaw"])
            if header["format"] != FORMAT:
                raise FileError(f"{path} has format {header['format']}, this version reads {FORMAT}: update actilaw")
            return Census(
                {name: ActivationCounts(file.get_tensor(name), **about) for name, about in header["layers"].items()}
            )
    except FileError:
        raise
    except (
        SafetensorError,
        ArithmeticError,
        AttributeError,
        KeyError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise FileError(f"expected a census, but {path} is not one or is damaged ({error}): record it anew") from error
