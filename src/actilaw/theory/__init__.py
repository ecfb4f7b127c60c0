"""The mathematics: laws as frozen dataclasses of their parameters, on NumPy and SciPy alone."""

from actilaw.theory.activation_law import ActivationLaw
from actilaw.theory.loss_law import LossLaw

__all__ = ["ActivationLaw", "LossLaw"]
