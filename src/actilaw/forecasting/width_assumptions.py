"""Assumptions about how b and c change with the width of a layer, (OW1) and (OW2) of
`forecasting.other_widths`, by their names; and how far what was measured reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from actilaw.errors import InputError
from actilaw.support.arrays import Floats, Ints


@dataclass(frozen=True)
class WidthAssumption:
    """How b and c change with the width, (OW1).

    Attributes:
        name: in tables.
        b_exponent: β of a layer in which all units work.
        b_exponent_idle: β of one in which none does, (OW2); the same by default.
        c_exponent: γ.
        b_spread, c_spread: standard deviations of the two between networks.
    """

    name: str
    b_exponent: float
    b_exponent_idle: float | None = None
    c_exponent: float = 0.0
    b_spread: float = 0.0
    c_spread: float = 0.0

    @property
    def is_constant(self) -> bool:
        """Whether β is the same whatever works."""
        return self.b_exponent_idle in (None, self.b_exponent)

    def b_exponent_at(self, share: Floats) -> Floats:
        """β where this share of the units works, (OW2)."""
        idle = self.b_exponent if self.b_exponent_idle is None else self.b_exponent_idle
        return idle + (self.b_exponent - idle) * share

    @property
    def has_spread(self) -> bool:
        """Whether networks differ in it."""
        return self.b_spread > 0 or self.c_spread > 0

    def at_spread(self, b_steps: float, c_steps: float) -> WidthAssumption:
        """The assumption at so many standard deviations from the mean, without a spread."""
        shift, idle = b_steps * self.b_spread, self.b_exponent_idle
        return replace(
            self,
            b_exponent=self.b_exponent + shift,
            b_exponent_idle=None if idle is None else idle + shift,
            c_exponent=self.c_exponent + c_steps * self.c_spread,
            b_spread=0.0,
            c_spread=0.0,
        )


# What foretells the working units at other widths best over the networks of the study, and how much
# these differ: `benchmarks/other_widths.py` finds it, docs/results.md has the figures.
STUDY = WidthAssumption("study", -0.2, -1.6, b_spread=0.22, c_spread=0.35)
ASSUMPTIONS = {
    assumption.name: assumption
    for assumption in (STUDY, WidthAssumption("b fixed", 0.0), WidthAssumption("bN fixed", -1.0))
}
WIDEST_RATIO = 64  # between networks of a task of the study, but for one task with 256
ALL = "all"


def assumptions_named(name: object) -> list[WidthAssumption]:
    """One assumption by its name, or all of them.

    Raises:
        InputError: if there is none of that name.
    """
    if name == ALL:
        return list(ASSUMPTIONS.values())
    if not isinstance(name, str) or name not in ASSUMPTIONS:
        names = ", ".join(map(repr, (*ASSUMPTIONS, ALL)))
        raise InputError(f"expected one of {names} as assumption about widths, but got {name!r}")
    return [ASSUMPTIONS[name]]


def remark_on_widths(
    counted: int, widths: Ints, assumptions: Sequence[WidthAssumption]
) -> str | None:
    """That a width is farther from the one counted than the networks that the assumption "study"
    was measured on were from each other; None where none is.
    """
    ratios = np.maximum(widths / counted, counted / widths)
    if STUDY not in assumptions or ratios.max() <= WIDEST_RATIO:
        return None
    farthest = widths[ratios.argmax()]
    return (
        f"a layer of {farthest:,} units is {ratios.max():,.0f} times as wide, or as narrow, as "
        f'this one: "study" was measured on networks up to {WIDEST_RATIO} times as wide as each '
        "other, beyond which its interval is a guess; count a layer that is nearer"
    )
