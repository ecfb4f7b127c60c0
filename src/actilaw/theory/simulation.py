"""A layer that follows the activation law of Zhang & Sui (2024, arXiv 2412.18073), before anyone
has trained it: what the law expects of it, and one draw.

It gathers the landmarks of the law, the accumulation curve over decades of samples, and how many
units have which counts in the end, by formulas (4) to (6) of `actilaw.theory.activation_law`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.support.arrays import Ints
from actilaw.support.validation import one_whole
from actilaw.theory.activation_law import ActivationLaw


@dataclass(frozen=True)
class CurvePoint:
    """Working units after `samples` inputs.

    Attributes:
        samples: D.
        working: expected by (5), in units.
        mean_field: expected by the mean-field formula (6), in units.
        idle_fraction: expected share of idle units, in 0..1.
        drawn: working units of the drawn layer, or None without a draw.
    """

    samples: int
    working: float
    mean_field: float
    idle_fraction: float
    drawn: int | None


@dataclass(frozen=True)
class CountBin:
    """Number of units that were activated `first` to `last` times: expected by (4), and drawn."""

    first: int
    last: int
    units: float
    drawn: int | None


@dataclass(frozen=True)
class Simulation:
    """A law, its landmarks, its accumulation curve up to `samples`, and its counts there.

    Attributes:
        law: the activation law.
        samples: D, inputs in all.
        landmarks: knee, inflection and cutoff in samples, mean_count in samples per unit,
            inflection_height as a share of units, alpha.
        accumulation_curve: its points, at powers of ten and at `samples`.
        counts: units by count, in bins of a decade each.
    """

    law: ActivationLaw
    samples: int
    landmarks: dict[str, float]
    accumulation_curve: list[CurvePoint]
    counts: list[CountBin]


def simulate(
    law: ActivationLaw, samples: float, rng: np.random.Generator | None = None
) -> Simulation:
    """What `law` expects of its units up to `samples` inputs, beside a layer drawn from it.

    Args:
        law: the activation law.
        samples: D, a whole number from 1 on.
        rng: draws the layer; None for none. Its accumulation curve is one path, and its counts are
            those of a layer with as many working units as that path has in the end.

    Raises:
        InputError: if `samples` is not a whole number from 1 on.
    """
    n = one_whole("samples", samples, least=1)
    grid = np.unique([min(10**j, n) for j in range(len(str(n)) + 1)])
    drawn = None if rng is None else law.draw_discovery(grid, rng)
    landmarks = {
        "knee": law.knee,
        "inflection": law.inflection,
        "inflection_height": law.inflection_height,
        "alpha": law.alpha,
        "mean_count": law.active * n / law.units,
        "cutoff": float(law.cutoff(n)),
    }
    first, last = _decades(n)
    share = np.diff(law.count_cdf(last, n), prepend=0.0)
    if rng is None or drawn is None:
        counts_drawn = [None] * share.size
    else:
        counts_drawn = _drawn_counts(law, share, int(drawn[-1]), rng)
    bins = zip(
        first.tolist(), last.tolist(), (law.units * share).tolist(), counts_drawn, strict=True
    )
    return Simulation(
        law=law,
        samples=n,
        landmarks=landmarks,
        accumulation_curve=_points_of_curve(law, grid, drawn),
        counts=[CountBin(*parts) for parts in bins],
    )


def _points_of_curve(law: ActivationLaw, grid: Ints, drawn: Ints | None) -> list[CurvePoint]:
    columns = (
        grid.tolist(),
        law.working(grid).tolist(),
        law.working(grid, exact=False).tolist(),
        law.idle_fraction(grid).tolist(),
        [None] * grid.size if drawn is None else drawn.tolist(),
    )
    return [CurvePoint(*point) for point in zip(*columns, strict=True)]


def _decades(n: int) -> tuple[Ints, Ints]:
    """First and last counts of the bins 0, 1, 2 to 9, 10 to 99 and so on, up to n."""
    first = np.array([0, 1, 2, *(10**j for j in range(1, 19))])
    first = first[first <= n]
    return first, np.append(first[1:] - 1, n)


def _drawn_counts(
    law: ActivationLaw, share: np.ndarray, working: int, rng: np.random.Generator
) -> list[int]:
    """Units in each bin of a drawn layer in which `working` units work; the first bin is the idle
    ones.
    """
    among_working = rng.multinomial(working, share[1:] / share[1:].sum())
    return [round(law.units) - working, *among_working.tolist()]
