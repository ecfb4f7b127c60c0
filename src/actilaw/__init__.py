"""actilaw: which units work, how many more will wake, where the loss goes, and what can be
removed.
"""

from actilaw.backtesting.backtest import backtest
from actilaw.checks.check import check
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census, load
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.compare import compare_loss_forms
from actilaw.loss.fit import fit_loss
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.prune import prune
from actilaw.recording.criteria import Positive, Relative, Threshold, TopK
from actilaw.recording.record import counter, record
from actilaw.reporting.monitor import monitor
from actilaw.reporting.report import report
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
    "Relative",
    "Threshold",
    "TopK",
    "backtest",
    "check",
    "compare_loss_forms",
    "counter",
    "fit",
    "fit_loss",
    "load",
    "mean_reciprocal_count",
    "monitor",
    "prune",
    "record",
    "report",
]
