"""What the explorer's sliders move: N, D, c and b, each with the range of its slider.

A slider of a quantity that spans decades moves its logarithm to base 10. A number that lies beyond
a slider's range can be typed; the slider then stands at its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from actilaw.errors import InputError
from actilaw.support.validation import LARGEST_WHOLE
from actilaw.theory.activation_law import ActivationLaw

SLIDER_STEP = 0.01  # of a slider: 2.3 % of a number on a logarithmic one
SLIDER_DIGITS = 3  # significant ones of a number that a slider chose
FIT_DIGITS = 6  # of a number that a fit chose


@dataclass(frozen=True)
class Parameter:
    """A quantity that can be moved.

    Attributes:
        name: of it, as in `ActivationLaw`; and samples.
        label: of its slider.
        first, last: ends of the slider, in units of the quantity.
        start: where it stands when no census is laid over.
        is_log: whether the slider moves the logarithm to base 10.
        is_whole: whether it is a whole number.
    """

    name: str
    label: str
    first: float
    last: float
    start: float
    is_log: bool = True
    is_whole: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """Positions of the slider at its ends."""
        return self._scaled(self.first), self._scaled(self.last)

    def position(self, value: float) -> float:
        """Where the slider stands for a value."""
        low, high = self.ends
        inside = min(max(value, self.first), self.last)
        return min(max(round(self._scaled(inside), 2), low), high)

    def value(self, position: float) -> float:
        """The number that a position of the slider stands for, to three significant digits."""
        number = rounded(10**position if self.is_log else position, SLIDER_DIGITS)
        return round(number) if self.is_whole else number

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


PARAMETERS = (
    Parameter("units", "N, units of the layer", 10, 1e8, 4096, is_whole=True),
    Parameter("samples", "D, samples seen", 1, 1e12, 10_000, is_whole=True),
    Parameter("active", "c, units active on a sample", 0.01, 1e6, 64),
    Parameter("b", "b, prior weight of an idle unit", 0.01, 2, 0.3, is_log=False),
)


def rounded(value: float, digits: int = FIT_DIGITS) -> float:
    """A number to so many significant digits."""
    return float(f"{value:.{digits}g}")


def law_and_samples(numbers: Sequence[float | None]) -> tuple[ActivationLaw, int]:
    """The law that four typed numbers stand for, and the samples D.

    Args:
        numbers: in the order of `PARAMETERS`; None where nothing, or no number, was typed.

    Raises:
        InputError: if one is missing or outside the values that make sense, with a sentence.
    """
    given: dict[str, float] = {}
    for parameter, number in zip(PARAMETERS, numbers, strict=True):
        if number is None or not math.isfinite(number):
            raise InputError(f"expected a number for {parameter.label}: type one")
        given[parameter.name] = number
    samples = given.pop("samples")
    if not 1 <= samples < LARGEST_WHOLE or samples != int(samples):
        raise InputError(
            f"expected a whole number of samples D from 1 to 9.2e18, but got {samples:g}"
        )
    return ActivationLaw(**given), int(samples)
