"""actilaw: which units work, how many more will wake, where the loss goes, and what can be removed."""

from actilaw.theory import ActivationLaw

__version__ = "0.1.0"

__all__ = ["ActivationLaw"]
