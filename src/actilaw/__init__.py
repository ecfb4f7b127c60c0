"""actilaw: which units work, how many more will wake, where the loss goes, and what can be
removed.

Everything a user needs stands here. A name is loaded with its room when it is first asked for, so
that `import actilaw` takes no time by itself; `Counter` and `Recorder` need torch.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    )
    from actilaw.explorer.explore import explore
    from actilaw.fitting.fit import fit
    from actilaw.fitting.fit_accumulation import fit_accumulation
    from actilaw.fitting.fitted_accumulation import FittedAccumulation
    from actilaw.fitting.fitted_law import FittedLaw
    from actilaw.forecasting.forecaster import Forecaster
    from actilaw.loss.compare import compare_loss_forms
    from actilaw.loss.consistency import Consistency
    from actilaw.loss.fit import fit_loss
    from actilaw.loss.fitted_loss import FittedLoss
    from actilaw.pruning.plan import RemovalPlan, plan_removal
    from actilaw.pruning.prune import prune
    from actilaw.pruning.result import PruneResult
    from actilaw.pruning.saving import load_pruned
    from actilaw.pruning.verification import Verification as Verification
    from actilaw.recording.counter import Counter as Counter
    from actilaw.recording.criteria import Positive, Relative, Threshold, TopK
    from actilaw.recording.record import counter, record
    from actilaw.recording.recorder import Recorder as Recorder
    from actilaw.reporting.monitor import monitor
    from actilaw.reporting.report import report
    from actilaw.theory import (
        ActivationLaw,
        ActivationSurface,
        BuffetLaw,
        CompetitiveLaw,
        LossLaw,
        LossSurface,
        mean_reciprocal_count,
    )

__version__ = "0.1.0"

__all__ = [
    "ActilawError",
    "ActivationCounts",
    "ActivationLaw",
    "ActivationSurface",
    "Blocks",
    "BuffetLaw",
    "Census",
    "CompetitiveLaw",
    "Consistency",
    "CountsError",
    "FileError",
    "FittedAccumulation",
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
    "RemovalPlan",
    "Threshold",
    "TopK",
    "backtest",
    "check",
    "compare_loss_forms",
    "counter",
    "explore",
    "fit",
    "fit_accumulation",
    "fit_loss",
    "load",
    "load_pruned",
    "mean_reciprocal_count",
    "monitor",
    "plan_removal",
    "prune",
    "record",
    "report",
]


# Where each name is defined; a test holds that these are the imports above.
_MODULES = {
    "ActilawError": "actilaw.errors",
    "ActivationCounts": "actilaw.counts.activation_counts",
    "ActivationLaw": "actilaw.theory",
    "ActivationSurface": "actilaw.theory",
    "Blocks": "actilaw.counts.blocks",
    "BuffetLaw": "actilaw.theory",
    "Census": "actilaw.counts.census",
    "CompetitiveLaw": "actilaw.theory",
    "Consistency": "actilaw.loss.consistency",
    "CountsError": "actilaw.errors",
    "FileError": "actilaw.errors",
    "FittedAccumulation": "actilaw.fitting.fitted_accumulation",
    "FittedLaw": "actilaw.fitting.fitted_law",
    "FittedLoss": "actilaw.loss.fitted_loss",
    "Forecaster": "actilaw.forecasting.forecaster",
    "InputError": "actilaw.errors",
    "LossLaw": "actilaw.theory",
    "LossSurface": "actilaw.theory",
    "MissingExtraError": "actilaw.errors",
    "ModelError": "actilaw.errors",
    "Positive": "actilaw.recording.criteria",
    "PruneResult": "actilaw.pruning.result",
    "Relative": "actilaw.recording.criteria",
    "RemovalPlan": "actilaw.pruning.plan",
    "Threshold": "actilaw.recording.criteria",
    "TopK": "actilaw.recording.criteria",
    "backtest": "actilaw.backtesting.backtest",
    "check": "actilaw.checks.check",
    "compare_loss_forms": "actilaw.loss.compare",
    "counter": "actilaw.recording.record",
    "explore": "actilaw.explorer.explore",
    "fit": "actilaw.fitting.fit",
    "fit_accumulation": "actilaw.fitting.fit_accumulation",
    "fit_loss": "actilaw.loss.fit",
    "load": "actilaw.counts.census",
    "load_pruned": "actilaw.pruning.saving",
    "mean_reciprocal_count": "actilaw.theory",
    "monitor": "actilaw.reporting.monitor",
    "plan_removal": "actilaw.pruning.plan",
    "prune": "actilaw.pruning.prune",
    "record": "actilaw.recording.record",
    "report": "actilaw.reporting.report",
}
# Not in `__all__`, so that a star import works without torch.
_TORCH_MODULES = {
    "Counter": "actilaw.recording.counter",
    "Recorder": "actilaw.recording.recorder",
    "Verification": "actilaw.pruning.verification",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first asked for."""
    if name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value  # found without this function from now on
        return value
    if name in _TORCH_MODULES:
        from actilaw.errors import needs_extra

        with needs_extra("torch"):
            return getattr(import_module(_TORCH_MODULES[name]), name)
    if not name.startswith("_") and find_spec(f"actilaw.{name}"):  # a room, as actilaw.errors
        return import_module(f"actilaw.{name}")
    raise AttributeError(f"module 'actilaw' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_TORCH_MODULES})
