"""The main job, end to end, on a real network: train, record, fit, forecast, remove, follow the
loss, report.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from actilaw.backtesting.backtest import Backtested, backtested, early_parts
from actilaw.cli.tables import Row, estimate_rows, number
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fit import fit_loss
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.prune import prune
from actilaw.pruning.surgery import PruneResult
from actilaw.recording.record import record
from actilaw.reporting.report import report
from actilaw.study.networks import digits, evaluate, learning_curve, train
from actilaw.support.files import check_writable

LAYER = "relu"
UNITS = 4096
SIZES = (5, 10, 20, 40, 80, 160, 320, 640, 1347)
STEPS = 4 + len(SIZES)  # how often `progress` is called

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo found.

    Attributes:
        fitted: the law fitted to all samples.
        early: the law fitted to the first tenth of them.
        pruned: the network without its idle units.
        loss_before, loss_after: mean cross-entropy on test data before and after removal, in nats.
        accuracy_before, accuracy_after: accuracy on test data, in 0..1.
        loss: the loss law over sizes of the training set.
        page: where the report is.
    """

    fitted: FittedLaw
    early: FittedLaw
    pruned: PruneResult
    loss_before: float
    loss_after: float
    accuracy_before: float
    accuracy_after: float
    loss: FittedLoss
    page: Path

    @property
    def forecast(self) -> Backtested:
        """The early forecast of K at all samples, beside the count."""
        return backtested(self.early, self.fitted.counts)


def run_demo(
    path: str | os.PathLike[str], seed: int = 0, progress: Progress = lambda step: None
) -> Demo:
    """Train an over-wide network on images of digits and answer the four questions about it.

    Args:
        path: of the HTML page.
        seed: of the split, the weights and the order of training.
        progress: called with a description as each of `STEPS` steps begins.

    Raises:
        FileError: before any training, if the page cannot be written.
    """
    check_writable(path)
    task = digits(seed)
    progress(f"training {UNITS:,} hidden units")
    model = train(task, UNITS, seed=seed)

    progress("recording which samples activate each unit, fitting the law")
    with record(model) as recording:
        model(task.inputs)
    census = recording.census()
    fitted, forecaster = fit(census[LAYER]), fit(early_parts(census[LAYER], [0.1])[0])

    progress("removing idle units")
    pruned = prune(model, census, task.test_inputs[:8])
    loss_before, accuracy_before = evaluate(model, task.test_inputs, task.test_labels)
    loss_after, accuracy_after = evaluate(pruned.model, task.test_inputs, task.test_labels)

    curves = []
    for size in SIZES:
        progress(f"following the loss: {size:,} training images, three times")
        curves.append(learning_curve(task, [size], seeds=range(seed, seed + 3), units=1024))
    curve = pd.concat(curves)
    loss = fit_loss(curve["samples"], curve["loss"])

    progress("writing the page")
    page = report(census, path, loss=loss, pruned=pruned)
    return Demo(
        fitted,
        forecaster,
        pruned,
        loss_before,
        loss_after,
        accuracy_before,
        accuracy_after,
        loss,
        page.resolve(),
    )


def as_json(demo: Demo) -> dict[str, Any]:
    """The demo's numbers as one JSON document."""
    counts, law, errors = demo.fitted.counts, demo.fitted.law, demo.fitted.standard_errors
    told, loss_errors = demo.forecast, demo.loss.standard_errors
    return {
        "units": counts.units,
        "samples": counts.samples,
        "active": law.active,
        "active_standard_error": errors["active"],
        "working": counts.working,
        "b": law.b,
        "b_standard_error": errors["b"],
        "alpha": law.alpha,
        "alpha_standard_error": errors["alpha"],
        "forecast": asdict(told),
        "prune": {
            "units_removed": demo.pruned.units_removed,
            "parameters_before": demo.pruned.parameters_before,
            "parameters_after": demo.pruned.parameters_after,
            "loss_before": demo.loss_before,
            "loss_after": demo.loss_after,
            "accuracy_before": demo.accuracy_before,
            "accuracy_after": demo.accuracy_after,
        },
        "loss_law": {
            "floor": demo.loss.floor,
            "amplitude": demo.loss.law.amplitude,
            "knee": demo.loss.knee,
            "b": demo.loss.b,
            "standard_errors": loss_errors,
            "undetermined": list(demo.loss.undetermined),
        },
        "report": str(demo.page),
    }


def as_table(demo: Demo) -> tuple[str, Row, list[tuple[str, list[Row]]]]:
    """The demo's numbers as title, head and sections of a printed table."""
    counts, told, pruned = demo.fitted.counts, demo.forecast, demo.pruned
    forecast = [
        (
            "forecast",
            number(round(told.expected)),
            f"{told.lower:,.0f} to {told.upper:,.0f}, 95 % interval",
        ),
        ("counted", number(told.counted), f"{'inside' if told.inside else 'outside'} the interval"),
        ("missed", f"{told.missed:.0%}", f"of the {told.newly_working:,} units that woke since"),
    ]
    removal = [
        ("units", number(counts.working), f"of {counts.units:,}"),
        ("parameters", number(pruned.parameters_after), f"of {pruned.parameters_before:,}"),
        ("test loss", f"{demo.loss_after:.5f}", f"before {demo.loss_before:.5f}"),
        ("test accuracy", f"{demo.accuracy_after:.2%}", f"before {demo.accuracy_before:.2%}"),
    ]
    sections = [
        ("activation law", estimate_rows(demo.fitted.summary())),
        (
            f"working units at {counts.samples:,} samples, forecast from the first "
            f"{demo.early.counts.samples:,}",
            forecast,
        ),
        ("after removal of the idle units", removal),
        ("loss law L(D) = floor + amplitude (1 + D/knee)^(-b)", estimate_rows(demo.loss.summary())),
    ]
    return f"A ReLU layer of {counts.units:,} units on images of digits", ("", "", ""), sections
