"""On how many occasions each unit was seen: what forecasts are made from.

An occasion is a block of samples, where blocks were recorded, or else one sample. Tokens of one
text are not independent trials: a unit that fires once tends to fire again a few tokens later, so
few units have a count of one and a forecast from counts falls short. Whether a unit was seen in a
block at all does not depend on what happens inside the block, and blocks are long. Rates of up to a
few per occasion can be told apart in this way, which is where units that are idle now come from;
how often the busiest units fire says nothing about them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.support.arrays import Floats

LEAST_BLOCKS = 6  # with fewer, samples tell rates apart better than blocks
MOST = 32  # a unit seen on so many occasions is no longer rare


@dataclass(frozen=True, eq=False)
class Occasions:
    """Units by the number of occasions on which they were seen.

    Attributes:
        n: number of occasions.
        units: units seen on 0, 1, .. occasions, the last entry on that many or more; (min(n, 32) +
            1,).
        present: units seen on 0, 1, .. occasions and in this block; (n, n + 1), or None where
            samples are occasions.
    """

    n: int
    units: Floats
    present: Floats | None = None

    @property
    def dispersion(self) -> float:
        """Variance over mean of the number of units seen in one block alone, 1 where units wake
        independently.

        Units that answer to the same samples wake together; without blocks nothing is known of
        that.
        """
        if self.present is None or self.units[1] == 0:
            return 1.0
        alone = self.present[:, 1]
        return max(1.0, float(alone.var(ddof=1) / alone.mean()))


def occasions(counts: ActivationCounts) -> Occasions:
    """Blocks as occasions if there are enough of them, samples otherwise."""
    blocks = counts.blocks
    if blocks is not None and np.count_nonzero(blocks.samples) >= LEAST_BLOCKS:
        there = blocks.counts[blocks.samples > 0] > 0  # a mask may leave blocks empty
        n = len(there)
        seen = there.sum(axis=0)
        present = np.array([np.bincount(seen[block], minlength=n + 1) for block in there], float)
        return Occasions(n, np.bincount(seen, minlength=n + 1).astype(float), present)
    most = min(counts.samples, MOST)
    return Occasions(
        counts.samples,
        np.bincount(np.minimum(counts.counts, most), minlength=most + 1).astype(float),
    )
