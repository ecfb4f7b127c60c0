"""An accumulation curve as a logger keeps it: working units against samples, and nothing else.

Counts tell how often each unit was active; a curve tells only when units were active for the first
time, and only as exactly as the log has rows. It is kept here as it was logged, after what cannot
be the curve of a layer has been refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import CountsError, InputError
from actilaw.support.arrays import Floats, Ints
from actilaw.support.validation import one_or_more, one_whole, whole

LEAST_ROWS = 4  # in which different numbers of units work: fewer show no shape
MOST_CURVE_POINTS = 400  # of the curve of first activations, from which every unit's is known


@dataclass(frozen=True, eq=False, repr=False)
class LoggedCurve:
    """Working units after growing numbers of samples.

    Attributes:
        rows: numbers of samples at which units were counted, at least 1, growing; (n_rows,).
        counted: units that worked by then, never fewer than before; (n_rows,), in 0..units.
        units: N, all units of the layer.
    """

    rows: Ints
    counted: Ints
    units: int

    def __repr__(self) -> str:
        return (
            f"<LoggedCurve: {self.working:,} of {self.units:,} units working after "
            f"{self.samples:,} samples, {self.rows.size:,} rows>"
        )

    @property
    def samples(self) -> int:
        """D, samples in all."""
        return int(self.rows[-1])

    @property
    def working(self) -> int:
        """K(D), units that worked by the last row."""
        return int(self.counted[-1])

    @property
    def idle(self) -> int:
        """N − K(D), units that no sample has activated so far."""
        return self.units - self.working

    def rarefied(self, samples: ArrayLike) -> Floats:
        """Working units after d of the samples, in the order logged, by straight lines between
        rows.

        Args:
            samples: d, in 0..D, of any shape; the result has the same.
        """
        return np.interp(
            np.asarray(samples, float), np.append(0, self.rows), np.append(0, self.counted)
        )

    def early(self, samples: int) -> LoggedCurve:
        """The curve as it was after at most so many samples.

        Raises:
            CountsError: if it showed too little by then.
        """
        kept = self.rows <= samples
        return _enough(LoggedCurve(self.rows[kept], self.counted[kept], self.units))


def logged_curve(samples: ArrayLike, working: ArrayLike, units: int) -> LoggedCurve:
    """A curve from the columns of a log.

    Args:
        samples: seen by each row, whole numbers that grow; (n_rows,).
        working: units that had been activated by then, whole numbers or, where none is above 1 and
            some are fractions, shares of the units; (n_rows,).
        units: N, all units of the layer.

    Raises:
        InputError: if a column is no such numbers, or the two differ in length; if samples or
            working units fall, with the row.
        CountsError: if the curve shows too little to forecast from.
    """
    n_units = one_whole("units", units, least=2)
    at = one_or_more("samples", whole("samples", samples))
    counted = _in_units(working, n_units)
    if at.shape != counted.shape:
        raise InputError(
            f"expected a number of working units for each number of samples, but got "
            f"{counted.size} for {at.size}"
        )
    _refuse_falling(at, counted, n_units)
    # Rows that repeat a number of samples repeat the number of units too.
    kept = np.append(np.diff(at) > 0, True) & (at > 0)
    return _enough(LoggedCurve(at[kept], counted[kept], n_units))


def curve_of_first_activations(counts: ActivationCounts) -> LoggedCurve:
    """The curve in the order of the recording, from when each unit was first activated.

    Entries of the first axis are taken to hold equally many samples.

    Raises:
        InputError: if the counts do not tell first activations, or of how many entries.
        CountsError: if the curve shows too little to forecast from.
    """
    entries = _entries(counts)
    if counts.first is None or entries is None:
        raise InputError(
            "expected counts that tell when each unit was first activated and how many entries "
            "there were (`first` and `entries`), but they do not: use fit(counts)"
        )
    ends = np.unique(np.geomspace(1, entries, MOST_CURVE_POINTS).round().astype(np.int64))
    firsts = np.sort(counts.first[counts.first >= 0])
    counted = np.searchsorted(firsts, ends)  # firsts are numbered from 0
    samples = np.maximum.accumulate(np.rint(ends * (counts.samples / entries)).astype(np.int64))
    kept = np.append(np.diff(samples) > 0, True) & (samples > 0)
    return _enough(LoggedCurve(samples[kept], counted[kept], counts.units))


def _entries(counts: ActivationCounts) -> int | None:
    """Entries in the order of one recording; recordings side by side share them."""
    if counts.blocks is None or counts.entries is None:
        return counts.entries
    return min(counts.entries, len(counts.blocks) * counts.blocks.size)


def _in_units(working: ArrayLike, units: int) -> Ints:
    """Working units as whole numbers, from numbers or shares."""
    try:
        array = np.asarray(working, float)
    except (TypeError, ValueError):
        raise InputError(f"expected numbers of working units, but got {working!r}") from None
    are_shares = array.size > 0 and np.all((array >= 0) & (array <= 1)) and np.any(array % 1 > 0)
    return one_or_more("working", whole("working", np.rint(array * units) if are_shares else array))


def _refuse_falling(samples: Ints, counted: Ints, units: int) -> None:
    """Raise InputError unless samples and working units grow, and no more work than there are."""
    if counted.max() > units:
        row = int(np.argmax(counted > units))
        raise InputError(
            f"expected at most {units:,} working units, but row {row + 1} has {counted[row]:,}: "
            "check `units`, and that the column counts units that work, not those that are dead"
        )
    falls = np.diff(samples) < 0
    if falls.any():
        row = int(np.argmax(falls)) + 1
        raise InputError(
            f"expected samples that grow from row to row, but row {row + 1} has {samples[row]:,} "
            f"after {samples[row - 1]:,}: sort the rows, or keep one run alone"
        )
    falls = np.diff(counted) < 0
    if falls.any():
        row = int(np.argmax(falls)) + 1
        raise InputError(
            f"expected working units that never fall, but row {row + 1} (samples "
            f"{samples[row]:,}) has {counted[row]:,} after {counted[row - 1]:,}: a logger that "
            "starts a new window, or counts units as dead again, does that; give units that have "
            "ever been active, or the rows before this one alone"
        )
    differ = (np.diff(samples) == 0) & (np.diff(counted) > 0)
    if differ.any():
        row = int(np.argmax(differ)) + 1
        raise InputError(
            f"expected one number of working units for each number of samples, but rows {row} and "
            f"{row + 1} have {counted[row - 1]:,} and {counted[row]:,} after {samples[row]:,}"
        )
    if samples[0] == 0 and counted[0] > 0:
        raise InputError(
            f"expected no working units before the first sample, but row 1 has {counted[0]:,}: "
            "count samples from the first on"
        )


def _enough(curve: LoggedCurve) -> LoggedCurve:
    """The curve, unless it shows too little."""
    different = int(np.count_nonzero(np.diff(np.append(0, curve.counted))))
    if different < LEAST_ROWS:
        raise CountsError(
            f"expected a curve with at least {LEAST_ROWS} different numbers of working units, but "
            f"got {different}: log more often, or for longer"
        )
    return curve
