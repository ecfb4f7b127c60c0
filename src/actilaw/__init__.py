"""actilaw: which units work, how many more will wake, where the loss goes, and what can be
removed.

Everything a user needs stands here. Functions that need torch load it when they are called.
"""

from typing import TYPE_CHECKING, Any

from actilaw.backtesting.backtest import backtest
from actilaw.checks.check import check
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.counts.census import Census, load
from actilaw.errors import (
    ActilawError,
    CountsError,
    FileError,
    InputError,
    MissingExtraError,
    ModelError,
    needs_extra,
)
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.forecasting.forecaster import Forecaster
from actilaw.loss.compare import compare_loss_forms
from actilaw.loss.consistency import Consistency
from actilaw.loss.fit import fit_loss
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.prune import prune
from actilaw.pruning.result import PruneResult
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

if TYPE_CHECKING:
    from actilaw.recording.counter import Counter as Counter
    from actilaw.recording.recorder import Recorder as Recorder

__version__ = "0.1.0"

__all__ = [
    "ActilawError",
    "ActivationCounts",
    "ActivationLaw",
    "Blocks",
    "BuffetLaw",
    "Census",
    "CompetitiveLaw",
    "Consistency",
    "CountsError",
    "FileError",
    "FittedLaw",
    "FittedLoss",
    "Forecaster",
    "InputError",
    "LossLaw",
    "LossSurface",
    "MissingExtraError",
    "ModelError",
    "Positive",
    "PruneResult",
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


def __getattr__(name: str) -> Any:
    """The two classes that need torch, loaded when they are first asked for. They are not in
    `__all__`, so that a star import works without torch.
    """
    if name == "Counter":
        with needs_extra("torch"):
            from actilaw.recording.counter import Counter
        return Counter
    if name == "Recorder":
        with needs_extra("torch"):
            from actilaw.recording.recorder import Recorder
        return Recorder
    raise AttributeError(f"module 'actilaw' has no attribute {name!r}")
