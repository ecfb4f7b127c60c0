"""The mathematics: laws as frozen dataclasses of their parameters, on NumPy and SciPy alone."""

from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.buffet_law import BuffetLaw
from actilaw.theory.competitive_law import CompetitiveLaw
from actilaw.theory.loss_law import ActivationSurface, LossLaw, LossSurface, mean_reciprocal_count

__all__ = [
    "ActivationLaw",
    "ActivationSurface",
    "BuffetLaw",
    "CompetitiveLaw",
    "LossLaw",
    "LossSurface",
    "mean_reciprocal_count",
]
