"""Activation counts of one layer: how many samples activated each unit.

They are sufficient for the activation law, because samples are exchangeable under it: their order
carries no information. What is kept of the order (first activations, blocks) serves to test that,
and to forecast honestly where it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actilaw.counts.blocks import Blocks
from actilaw.counts.rarefaction import working_in_part
from actilaw.errors import CountsError, InputError
from actilaw.support.validation import one_whole

T = TypeVar("T")
REGIMES = ("frozen", "training", "mixed", "unknown")
PER = ("sample", "position", "token")
MOST_SAMPLES = 2**62


@dataclass(frozen=True, eq=False, repr=False)
class ActivationCounts:
    """How often each unit of a layer was activated.

    Args:
        counts: D_i, the number of samples that activated each unit; (n_units,), integers in
            0..samples.
        samples: D, number of samples seen.
        per: what one sample is, "sample" (an entry of the first axis) or "position" (a token, a
            pixel).
        criterion: what "activated" means, in words.
        nonfinite: number of samples in which the layer had a NaN or infinite activation.
        regime: whether weights stood still while counting: "frozen", "training", "mixed" or
            "unknown". A law fitted to counts of a network in training mixes learning with exposure.
        entries: number of entries of the first axis seen; differs from samples where positions
            count, or with a mask.
        active_squares: sum over samples of the squared number of active units, for the variance of
            c; or None.
        first: entry at which each unit was first activated, counted from 0, or -1; (n_units,), or
            None.
        blocks: the counts in contiguous blocks of entries, or None.

    Raises:
        CountsError: if counts are not whole numbers in 0..samples, or the parts contradict each
            other.
    """

    counts: NDArray[np.int64]
    samples: int
    per: str = "sample"
    criterion: str = "positive"
    nonfinite: int = 0
    regime: str = "unknown"
    entries: int | None = None
    active_squares: int | None = None
    first: NDArray[np.int64] | None = None
    blocks: Blocks | None = None

    def __post_init__(self) -> None:
        counts = _array("counts", self.counts)
        if counts.ndim != 1 or counts.size == 0:
            raise CountsError(
                f"expected counts of shape (n_units,), one per unit, but got shape {counts.shape}"
            )
        self._refuse_words_and_numbers()
        if self.per == "token":
            object.__setattr__(self, "per", "position")
        if counts.dtype.kind not in "iuf" or not np.all(counts == np.rint(counts)):
            raise CountsError(
                f"expected whole numbers as counts, but got {counts.dtype} with fractions, NaN or "
                "text"
            )
        outside = int(np.sum((counts < 0) | (counts > self.samples)))
        if outside:
            raise CountsError(
                f"expected counts in 0..{self.samples}, but {outside} of {counts.size} lie outside "
                f"({counts.min()}..{counts.max()}): a unit fires at most once a sample, so check "
                "`samples`"
            )
        counts = counts.astype(np.int64)
        counts.flags.writeable = False
        if self.first is not None:
            object.__setattr__(self, "first", _array("first activations", self.first))
        object.__setattr__(self, "counts", counts)
        for name in ("samples", "nonfinite", "entries", "active_squares"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else int(value))
        self._refuse_contradictions()

    def _refuse_words_and_numbers(self) -> None:
        for name, least in (
            ("samples", 1),
            ("nonfinite", 0),
            ("entries", 1),
            ("active_squares", 0),
        ):
            value: Any = getattr(self, name)
            if value is None and name in ("entries", "active_squares"):
                continue
            # The squared number of active units over 2^62 samples is beyond 64 bits.
            unbounded = name == "active_squares"
            most = value if unbounded else MOST_SAMPLES
            if value is None or not _is_whole(value) or not least <= value <= most:
                span = f">= {least}" if unbounded else f"in {least}..2^62"
                raise CountsError(f"expected a whole number of {name} {span}, but got {value!r}")
        for name, words in (("per", PER), ("regime", REGIMES)):
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in words:
                raise CountsError(
                    f"expected {name} to be one of {', '.join(words)}, but got "
                    f"{getattr(self, name)!r}"
                )
        if not isinstance(self.criterion, str):
            raise CountsError(f"expected the criterion in words, but got {self.criterion!r}")
        if self.blocks is not None and not isinstance(self.blocks, Blocks):
            raise CountsError(f"expected Blocks or None, but got {type(self.blocks).__name__}")

    def _refuse_contradictions(self) -> None:
        if self.first is not None and (
            self.first.shape != self.counts.shape
            or self.first.dtype.kind not in "iu"
            or np.any((self.first >= 0) != (self.counts > 0))
            or (
                self.entries is not None
                and self.blocks is None
                and self.first.max() >= self.entries
            )
            or (self.blocks is not None and self.first.max() >= len(self.blocks) * self.blocks.size)
        ):
            raise CountsError(
                "expected a first activation, among the entries seen, of exactly the units with a "
                "count"
            )
        if self.blocks is not None and not (
            np.array_equal(self.blocks.counts.sum(0), self.counts)
            and self.blocks.samples.sum() == self.samples
        ):
            raise CountsError(
                "expected blocks whose counts and samples add up to those of the layer"
            )
        if self.per == "sample" and self.entries is not None and self.samples > self.entries:
            raise CountsError(
                f"expected at most the {self.entries} entries seen as samples, but got "
                f"{self.samples}"
            )

    def __repr__(self) -> str:
        return (
            f"<ActivationCounts: {self.working:,} of {self.units:,} units working after "
            f"{self.samples:,} samples, {self.active:.4g} active on each; per {self.per}, "
            f"criterion {self.criterion}, weights {self.regime}>"
        )

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

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """D_i/D, the share of samples that activated each unit; (n_units,), in 0..1."""
        return self.counts / self.samples

    @property
    def working_units(self) -> NDArray[np.intp]:
        """Indices of the units that at least one sample activated; (working,), ascending."""
        return np.flatnonzero(self.counts)

    @property
    def idle_units(self) -> NDArray[np.intp]:
        """Indices of the units that no sample activated; (idle,), ascending."""
        return np.flatnonzero(self.counts == 0)

    @property
    def active_variance(self) -> float | None:
        """Variance over samples of the number of active units, if it was recorded."""
        if self.active_squares is None:
            return None
        return self.active_squares / self.samples - self.active**2

    def histogram(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct counts, ascending, and how many units have each; both (n_distinct,)."""
        if self.counts.max() > 2 * self.units + 1000:
            return np.unique(self.counts, return_counts=True)
        units = np.bincount(self.counts)  # without sorting
        distinct = np.flatnonzero(units)
        return distinct, units[distinct]

    def rarefied(self, samples: ArrayLike) -> NDArray[np.float64]:
        """K(d), units working after d of the samples, averaged over every order of the samples.

        By rarefaction, (RF1) of `counts.rarefaction`, summed over units.

        Args:
            samples: d, integers in 0..D, of any shape; the result has the same.

        Raises:
            InputError: if d lies outside 0..D.
        """
        d = _array("samples", samples)
        is_number = d.dtype.kind in "iuf"
        if not is_number or np.any((d < 0) | (d > self.samples) | (d != np.rint(d))):
            raise InputError(
                f"expected whole numbers in 0..{self.samples}, the samples counted, but got "
                f"{samples}: look beyond them with fit(counts).forecast(samples=...)"
            )
        distinct, units = self.histogram()
        working = working_in_part(distinct, self.samples, d[..., np.newaxis].astype(np.int64))
        return np.asarray(working @ units, float)

    def prefix(self, blocks: int) -> ActivationCounts:
        """Counts of the first `blocks` blocks alone, as they were when so much had been seen.

        Raises:
            InputError: if no blocks were recorded, or fewer than that.
        """
        blocks = one_whole("blocks", blocks)
        if self.blocks is None or not 1 <= blocks <= len(self.blocks):
            there = 0 if self.blocks is None else len(self.blocks)
            raise InputError(
                f"expected a number of blocks in 1..{there}, those recorded, but got {blocks}"
            )
        part = Blocks(self.blocks.counts[:blocks], self.blocks.samples[:blocks], self.blocks.size)
        entries = min(blocks * part.size, self.entries) if self.entries is not None else None
        if self.entries is not None and self.entries > len(self.blocks) * part.size:
            # Recordings side by side share blocks, and how many entries each gave is not kept.
            entries = None
        first = self.first
        if first is not None:
            first = np.where(first < blocks * part.size, first, -1)
        return replace(
            self,
            counts=part.counts.sum(0),
            samples=int(part.samples.sum()),
            entries=entries,
            active_squares=None,
            first=first,
            blocks=part,
        )

    def merge(self, other: ActivationCounts) -> ActivationCounts:
        """Counts over the samples of both, which must be disjoint: two files, or two processes side
        by side.

        Associative and commutative. First activations and blocks are merged entry by entry, as of
        recordings that ran at the same time; where only one side has them, the merged counts have
        none.

        Raises:
            InputError: if the two differ in units, criterion or what a sample is.
        """
        require_one_layer(other)
        for name in ("units", "criterion", "per"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise InputError(
                    f"counts can be merged only if {name} agree, but one has {mine!r}, one "
                    f"{theirs!r}"
                )
        return ActivationCounts(
            self.counts + other.counts,
            self.samples + other.samples,
            per=self.per,
            criterion=self.criterion,
            nonfinite=self.nonfinite + other.nonfinite,
            regime=self.regime if self.regime == other.regime else "mixed",
            entries=_both(self.entries, other.entries, lambda a, b: a + b),
            active_squares=_both(self.active_squares, other.active_squares, lambda a, b: a + b),
            first=_both(self.first, other.first, _earlier),
            blocks=_both(self.blocks, other.blocks, Blocks.merge),
        )


def require_one_layer(counts: object) -> None:
    """Raise InputError unless these are counts of one layer."""
    if not isinstance(counts, ActivationCounts):
        raise InputError(
            f'expected ActivationCounts of one layer, as census["relu"], '
            f"but got {type(counts).__name__}"
        )


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError):  # rows of several lengths
        raise CountsError(f"expected {name} as an array, but got {values!r}") from None


def _is_whole(value: object) -> bool:
    if isinstance(value, float | np.floating):
        return float(value).is_integer()
    return isinstance(value, int | np.integer)


def _both(one: T | None, other: T | None, join: Callable[[T, T], T]) -> T | None:
    return None if one is None or other is None else join(one, other)


def _earlier(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """The earlier of two entries, where -1 stands for never."""
    return np.where((one < 0) | (other < 0), np.maximum(one, other), np.minimum(one, other))
