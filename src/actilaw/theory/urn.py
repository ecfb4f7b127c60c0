"""The process (1), simulated sample by sample: slow, and there to check faster code against.

Two processes follow (1) to the letter. In one, units fire independently of each other given their
counts; it is the beta-Bernoulli process (2) of `ActivationLaw`. In the other, (3) of
`CompetitiveLaw`, exactly c units fire: they are drawn together by systematic sampling (Madow 1949),
which gives each unit exactly its chance; for c = 1 that is a Pólya urn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actilaw.support.arrays import Floats
from actilaw.support.validation import one_whole
from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.competitive_law import CompetitiveLaw

Fired = NDArray[np.bool_]


def independent_path(law: ActivationLaw, samples: int, rng: np.random.Generator) -> Fired:
    """Which units fire on each sample, (samples, units), when each fires independently by (1)."""
    fired = np.zeros((one_whole("samples", samples), one_whole("units", law.units)), bool)
    counts = np.zeros(fired.shape[1])
    for samples_so_far, row in enumerate(fired):
        row[:] = rng.random(counts.size) < _chance(counts, samples_so_far, law)
        counts += row
    return fired


def competitive_path(law: CompetitiveLaw, samples: int, rng: np.random.Generator) -> Fired:
    """Which units fire on each sample, (samples, units), when exactly `law.active` do, (3)."""
    fired = np.zeros((one_whole("samples", samples), law.units), bool)
    counts = np.zeros(law.units)
    for samples_so_far, row in enumerate(fired):
        row[_systematic(_chance(counts, samples_so_far, law.single), law.active, rng)] = True
        counts += row
    return fired


def _chance(counts: Floats, samples: int, law: ActivationLaw) -> Floats:
    return (counts + law.b) / (samples + law.knee)


def _systematic(chance: Floats, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`size` different indices, each taken with its own chance; the chances add up to `size`."""
    order = rng.permutation(chance.size)
    ends = np.cumsum(chance[order])
    ends *= size / ends[-1]
    # One mark per unit of length falls into each unit's stretch at most once.
    marks = rng.random() + np.arange(size)
    return order[np.searchsorted(ends, marks, side="right")]
