"""The command `actilaw demo`: the main job, end to end, on a real network. Train, record, fit,
forecast, remove idle units, follow the loss, report.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from actilaw.backtesting.backtest import REPORTED_EARLY_SHARE, BacktestResult, compare, early_parts
from actilaw.cli.options import AsJson, Seed
from actilaw.cli.progress import progress_bar
from actilaw.cli.tables import print_json, print_sections
from actilaw.errors import needs_extra
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fit import fit_loss
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.prune import prune
from actilaw.pruning.result import PruneResult
from actilaw.recording.record import record
from actilaw.reporting.report import report
from actilaw.reporting.text import Row, Sections, estimate_rows, number
from actilaw.support.files import check_writable

LAYER = "relu"
UNITS = 4096
TRAINING_SIZES = (5, 10, 20, 40, 80, 160, 320, 640, 1347)
CALLS_OF_PROGRESS = 4 + len(TRAINING_SIZES)

Progress = Callable[[str], None]


def demo_command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the page.")] = Path(
        "actilaw-demo.html"
    ),
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the main job on a real network: train, record, fit, forecast, prune, report. Takes under
    two minutes.
    """
    with progress_bar() as bar:
        task = bar.add_task("starting", total=CALLS_OF_PROGRESS + 1)
        found = run_demo(output, seed, lambda step: bar.update(task, advance=1, description=step))
    if as_json:
        print_json(_as_json(found))
    else:
        print_sections(*_as_table(found))
        print(f"\nPage with the figures: {found.page}")


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
    def forecast(self) -> BacktestResult:
        """The early forecast of K at all samples, beside the count."""
        return compare(self.early.forecaster, self.fitted.counts)


def run_demo(
    path: str | os.PathLike[str], seed: int = 0, progress: Progress = lambda step: None
) -> Demo:
    """Train an over-wide network on images of digits and answer the four questions about it.

    Args:
        path: of the HTML page.
        seed: of the split, the weights and the order of training.
        progress: called with a description as each of `CALLS_OF_PROGRESS` steps begins.

    Raises:
        FileError: before any training, if the page cannot be written.
        MissingExtraError: if torch or scikit-learn is not installed.
    """
    with needs_extra("demo"):
        from actilaw.study.networks import digits, evaluate, learning_curve, train
    check_writable(path)
    task = digits(seed)
    progress(f"training {UNITS:,} hidden units")
    model = train(task, UNITS, seed=seed)

    progress("recording which samples activate each unit, fitting the law")
    with record(model) as recording:
        model(task.inputs)
    census = recording.census()
    fitted, early = fit(census[LAYER]), fit(early_parts(census[LAYER], REPORTED_EARLY_SHARE)[0])

    progress("removing idle units")
    pruned = prune(model, census, task.test_inputs[:8])
    loss_before, accuracy_before = evaluate(model, task.test_inputs, task.test_labels)
    loss_after, accuracy_after = evaluate(pruned.model, task.test_inputs, task.test_labels)

    curves = []
    for size in TRAINING_SIZES:
        progress(f"following the loss: {size:,} training images, three times")
        curves.append(learning_curve(task, [size], seeds=range(seed, seed + 3), units=1024))
    curve = pd.concat(curves)
    loss = fit_loss(curve["samples"], curve["loss"])

    progress("writing the page")
    page = report(census, path, loss=loss, pruned=pruned)
    return Demo(
        fitted=fitted,
        early=early,
        pruned=pruned,
        loss_before=loss_before,
        loss_after=loss_after,
        accuracy_before=accuracy_before,
        accuracy_after=accuracy_after,
        loss=loss,
        page=page.resolve(),
    )


def _as_json(demo: Demo) -> dict[str, Any]:
    """The demo's numbers as one JSON document."""
    return _law_as_json(demo.fitted) | {
        "forecast": asdict(demo.forecast),
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
            "standard_errors": demo.loss.standard_errors,
            "undetermined": list(demo.loss.undetermined),
        },
        "report": str(demo.page),
    }


def _law_as_json(fitted: FittedLaw) -> dict[str, Any]:
    counts, law, errors = fitted.counts, fitted.law, fitted.standard_errors
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
    }


def _as_table(demo: Demo) -> tuple[str, Row, Sections]:
    """The demo's numbers as title, head and sections of a printed table."""
    counts = demo.fitted.counts
    sections = [
        ("activation law", estimate_rows(demo.fitted.summary())),
        (
            f"working units at {counts.samples:,} samples, forecast from the first "
            f"{demo.early.counts.samples:,}",
            _forecast_rows(demo.forecast),
        ),
        ("after removal of the idle units", _removal_rows(demo)),
        ("loss law L(D) = floor + amplitude (1 + D/knee)^(-b)", estimate_rows(demo.loss.summary())),
    ]
    return f"A ReLU layer of {counts.units:,} units on images of digits", ("", "", ""), sections


def _forecast_rows(forecast: BacktestResult) -> list[Row]:
    interval = f"{forecast.lower:,.0f} to {forecast.upper:,.0f}, 95 % interval"
    inside = f"{'inside' if forecast.inside else 'outside'} the interval"
    error_of = f"of the {forecast.newly_working:,} newly working units"
    return [
        ("forecast", number(round(forecast.expected)), interval),
        ("counted", number(forecast.counted), inside),
        ("missed", f"{forecast.missed:.0%}", error_of),
    ]


def _removal_rows(demo: Demo) -> list[Row]:
    counts, pruned = demo.fitted.counts, demo.pruned
    return [
        ("units", number(counts.working), f"of {counts.units:,}"),
        ("parameters", number(pruned.parameters_after), f"of {pruned.parameters_before:,}"),
        ("test loss", f"{demo.loss_after:.5f}", f"before {demo.loss_before:.5f}"),
        ("test accuracy", f"{demo.accuracy_after:.2%}", f"before {demo.accuracy_before:.2%}"),
    ]
