"""What units did in the last samples of a recording that goes on: a window that never resets the
counters.

Counts are noted now and then; what happened since is the difference to an earlier note. The window
is therefore as long as it should be, or longer by the distance of two notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError
from actilaw.support.validation import one_whole

NOTES_PER_WINDOW = 32  # at most, which bounds memory


@dataclass(frozen=True, eq=False)
class Recent:
    """Of one layer, what happened in the window.

    Attributes:
        counts: on how many samples each unit was active; (n_units,).
        samples: in the window.
        full: whether they are as many as were asked for.
    """

    counts: NDArray[np.int64]
    samples: int
    full: bool

    @property
    def dead_fraction(self) -> float:
        """Share of the units that were not active at all, in 0..1."""
        return float(np.mean(self.counts == 0))

    @property
    def log_densities(self) -> NDArray[np.float64]:
        """log10 of the share of samples on which each unit was active, of those that were."""
        return np.log10(self.counts[self.counts > 0] / self.samples)


class Window:
    """Counts at earlier moments of a recording, layer by layer.

    Args:
        samples: W, length of the window: samples as the recording counts them, positions of texts
            where it counts those.

    Raises:
        InputError: if that is no whole number above zero.
    """

    def __init__(self, samples: int) -> None:
        self.samples = one_whole("window", samples, least=1)
        self._notes: dict[str, list[tuple[int, NDArray[np.int64]]]] = {}

    def note(self, layers: Mapping[str, ActivationCounts]) -> None:
        """Remember counts as they are now, and forget what no window will begin with."""
        for name, counts in layers.items():
            notes = self._notes.setdefault(name, [])
            spacing = self.samples / NOTES_PER_WINDOW
            if len(notes) > 1 and counts.samples - notes[-2][0] < spacing:
                notes.pop()
            if not notes or notes[-1][0] < counts.samples:
                notes.append((counts.samples, counts.counts.astype(np.int64)))
            while len(notes) > 1 and notes[1][0] <= counts.samples - self.samples:
                notes.pop(0)

    def recent(self, name: str, counts: ActivationCounts) -> Recent:
        """What units of a layer did since the last note that is at least a window old, or since the
        recording began.
        """
        begin, before = 0, np.zeros_like(counts.counts)
        for samples, noted in self._notes.get(name, ()):
            if samples <= counts.samples - self.samples:
                begin, before = samples, noted
        passed = counts.samples - begin
        return Recent(counts.counts - before, passed, full=passed >= self.samples)

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """All notes as arrays, for a checkpoint: samples (n_notes,) and counts (n_notes, n_units)
        of each layer.
        """
        found = {}
        for name, notes in self._notes.items():
            found[f"samples of {name}"] = np.array([samples for samples, _ in notes], np.int64)
            found[f"counts of {name}"] = np.stack([counts for _, counts in notes])
        return found

    def restore(self, arrays: Mapping[str, NDArray[np.int64]]) -> None:
        """Take up the notes that `arrays` gave.

        Raises:
            InputError: if an array is missing.
        """
        for key, samples in arrays.items():
            kind, _, name = key.partition(" of ")
            if kind == "samples":
                if f"counts of {name}" not in arrays:
                    raise InputError(f"expected the counts of the notes of layer {name!r}")
                counts = np.asarray(arrays[f"counts of {name}"])
                self._notes[name] = list(zip(np.asarray(samples).tolist(), counts, strict=True))
