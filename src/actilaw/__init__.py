"""actilaw: which units work, how many more will wake, where the loss goes, and what can be removed."""

from actilaw.counts import ActivationCounts, Census, load
from actilaw.fit import FittedLaw, FittedLoss, fit, fit_loss
from actilaw.prune import prune
from actilaw.record import Positive, Threshold, record
from actilaw.report import report
from actilaw.theory import (
    ActivationLaw,
    BuffetLaw,
    CompetitiveLaw,
    LossLaw,
    LossSurface,
    mean_reciprocal_count,
)

__version__ = "0.1.0"

__all__ = [
    "ActivationCounts",
    "ActivationLaw",
    "BuffetLaw",
    "Census",
    "CompetitiveLaw",
    "FittedLaw",
    "FittedLoss",
    "LossLaw",
    "LossSurface",
    "Positive",
    "Threshold",
    "fit",
    "fit_loss",
    "load",
    "mean_reciprocal_count",
    "prune",
    "record",
    "report",
]
