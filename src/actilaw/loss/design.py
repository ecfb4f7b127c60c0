"""What the sizes and amounts of data of the runs can tell of a surface, and what they cannot,
whatever the losses are.

Loss over size and data needs runs that differ in both. At one size nothing is seen of what size
does; along one line D = r N size and data grow together, so that any split of the gain between them
fits alike. There a form still gives numbers, which come from its shape alone; forecasts away from
the line are then left open, and the best split of a budget is not answered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actilaw.loss.measurements import Measurements
from actilaw.support.arrays import Floats

SAME = 0.05  # e-folds: sizes, amounts of data and ratios nearer than this are one


@dataclass(frozen=True)
class Design:
    """Where the runs lie.

    Attributes:
        fixed: what all runs share: "size", "samples" or "ratio" (of samples to size); None.
        at: the logarithm of the shared value.
        sizes: how many different sizes of network there are; None without sizes.
    """

    fixed: str | None = None
    at: float = 0.0
    sizes: int | None = None

    def untold(self, x: Floats) -> NDArray[np.bool_]:
        """Whether nothing can be told of the loss at ln D, (n,), or ln D and ln N, (2, n)."""
        if self.fixed is None:
            return np.zeros(x.shape[-1], bool)
        return np.abs(_shared(x)[self.fixed] - self.at) > 2 * SAME

    def remarks(self) -> tuple[str, ...]:
        """What cannot be told, a sentence each."""
        at = f"{np.exp(self.at):.4g}"
        if self.fixed == "size":
            return (
                f"all losses are of one size, {at}, so what size does cannot be told: forecasts "
                "hold for this size alone; add losses of other sizes",
            )
        if self.fixed == "samples":
            return (
                f"all losses are after {at} samples, so what data do cannot be told: forecasts "
                "hold for this amount of data alone; add losses of other amounts",
            )
        if self.fixed == "ratio":
            return (
                f"all runs have {at} samples per unit of size, so what size and data each bring "
                "cannot be told apart: forecasts hold at this ratio alone; add runs at others",
            )
        if self.sizes == 2:
            return (
                "two sizes show that the loss differs between them, not how it goes on: a floor "
                "and a gain from size cannot be told apart; add a third size",
            )
        return ()


def design_of(measured: Measurements) -> Design:
    """How the runs lie in size and data; without sizes nothing is to be said."""
    if measured.size is None:
        return Design()
    sizes = _count(np.log(measured.size))
    for name, values in _shared(measured.log_sizes).items():
        if np.ptp(values) <= SAME:
            return Design(name, float(values.mean()), sizes)
    return Design(sizes=sizes)


def _shared(x: Floats) -> dict[str, Floats]:
    return {"size": x[1], "samples": x[0], "ratio": x[0] - x[1]}


def _count(logs: Floats) -> int:
    """Different values, counting those within SAME of the one before as one."""
    return 1 + int(np.sum(np.diff(np.sort(logs)) > SAME))
