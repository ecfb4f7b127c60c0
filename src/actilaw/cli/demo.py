"""The command `actilaw demo`: the main job, end to end, on a real network. Train, record, fit,
forecast, remove idle units, follow the loss, report.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer

from actilaw.backtesting.backtest import (
    REPORTED_EARLY_SHARE,
    BacktestResult,
    compare,
    early_parts,
)
from actilaw.cli.laws import law_as_json
from actilaw.cli.loss import loss_as_json
from actilaw.cli.options import AsJson, Seed
from actilaw.cli.progress import progress_bar
from actilaw.cli.tables import print_json, print_sections
from actilaw.cli.terminal import leaving, say
from actilaw.counts.census import Census
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

if TYPE_CHECKING:
    from torch import nn

    from actilaw.study.networks import Task

LAYER = "relu"
UNITS = 4096
LOSS_UNITS = 1024  # of the networks whose loss is followed
COUNTS_SUFFIX = ".census"
TRAINING_SIZES = (5, 10, 20, 40, 80, 160, 320, 640, 1347)
STEPS_OF_THE_DEMO = 4 + len(TRAINING_SIZES)

OnStep = Callable[[str], None]  # is given a description as each step begins


def demo_command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the page.")] = Path(
        "actilaw-demo.html"
    ),
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the main job on a real network, in about a minute.

    Trains a network on images of digits, records which units work, fits the law,
    forecasts, removes the idle units, follows the loss over sizes of the training
    set, and writes a page with the figures, and the counts beside it.
    """
    with leaving(output), progress_bar() as bar:
        task = bar.add_task("starting", total=STEPS_OF_THE_DEMO + 1)
        found = run_demo(output, seed, lambda step: bar.update(task, advance=1, description=step))
    if as_json:
        print_json(_as_json(found))
    else:
        print_sections(*_as_table(found))
        say(
            "",
            f"Page with the figures: {found.page}",
            f"Counts, for the other commands: {found.counts_file}",
        )


@dataclass(frozen=True)
class Scores:
    """How well a network does on test data.

    Attributes:
        loss: mean cross-entropy, in nats.
        accuracy: in 0..1.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo found.

    Attributes:
        fitted: the law fitted to all samples.
        early: the law fitted to the first tenth of them.
        pruned: the network without its idle units.
        before, after: scores of the network before and after removal.
        loss: the loss law over sizes of the training set.
        page: where the report is.
        counts_file: where the counts are, for the other commands.
    """

    fitted: FittedLaw
    early: FittedLaw
    pruned: PruneResult
    before: Scores
    after: Scores
    loss: FittedLoss
    page: Path
    counts_file: Path

    @property
    def forecast(self) -> BacktestResult:
        """The early forecast of K at all samples, beside the count."""
        return compare(self.early.forecaster, self.fitted.counts)


def run_demo(
    path: str | os.PathLike[str], seed: int = 0, on_step: OnStep = lambda step: None
) -> Demo:
    """Train an over-wide network on images of digits and answer the four questions about it.

    Args:
        path: of the HTML page; the counts are saved beside it.
        seed: of the split, the weights and the order of training.
        on_step: called with a description as each of `STEPS_OF_THE_DEMO` steps begins.

    Raises:
        FileError: before any training, if the page or the counts cannot be written.
        MissingExtraError: if torch or scikit-learn is not installed.
    """
    with needs_extra("demo"):
        from actilaw.study.networks import digits
    counts_file = Path(path).with_suffix(COUNTS_SUFFIX)
    check_writable(path)
    check_writable(counts_file)
    task = digits(seed)
    model, census = _train_and_record(task, seed, on_step)
    census.save(counts_file)
    fitted = fit(census[LAYER])
    early = fit(early_parts(census[LAYER], REPORTED_EARLY_SHARE)[0])
    on_step("removing idle units")
    pruned = prune(model, census, task.test_inputs[:8])
    before, after = _scores(model, task), _scores(pruned.model, task)
    loss = _fit_loss_over_sizes(task, seed, on_step)
    on_step("writing the page")
    page = report(census, path, loss=loss, pruned=pruned)
    return Demo(
        fitted=fitted,
        early=early,
        pruned=pruned,
        before=before,
        after=after,
        loss=loss,
        page=page.resolve(),
        counts_file=counts_file.resolve(),
    )


def _train_and_record(task: Task, seed: int, on_step: OnStep) -> tuple[nn.Module, Census]:
    """The trained network, and the counts of its units on the images that it was trained on."""
    from actilaw.study.networks import train

    on_step(f"training {UNITS:,} hidden units")
    model = train(task, UNITS, seed=seed)
    on_step("recording which samples activate each unit, fitting the law")
    with record(model) as recording:
        model(task.inputs)
    return model, recording.census()


def _scores(model: nn.Module, task: Task) -> Scores:
    from actilaw.study.networks import evaluate

    return Scores(*evaluate(model, task.test_inputs, task.test_labels))


def _fit_loss_over_sizes(task: Task, seed: int, on_step: OnStep) -> FittedLoss:
    """The loss law fitted to the test losses of networks trained on ever more images."""
    from actilaw.study.networks import learning_curve

    curves = []
    for size in TRAINING_SIZES:
        on_step(f"following the loss: {size:,} training images, three times")
        curves.append(learning_curve(task, [size], seeds=range(seed, seed + 3), units=LOSS_UNITS))
    curve = pd.concat(curves)
    return fit_loss(curve["samples"], curve["loss"])


def _as_json(demo: Demo) -> dict[str, Any]:
    """The demo's numbers as one JSON document: fit and loss as `actilaw fit` and `actilaw loss`
    print them.
    """
    return {
        "fit": {LAYER: law_as_json(demo.fitted)},
        "forecast": asdict(demo.forecast),
        "prune": {
            "units_removed": demo.pruned.units_removed,
            "parameters_before": demo.pruned.parameters_before,
            "parameters_after": demo.pruned.parameters_after,
            "loss_before": demo.before.loss,
            "loss_after": demo.after.loss,
            "accuracy_before": demo.before.accuracy,
            "accuracy_after": demo.after.accuracy,
        },
        "loss": loss_as_json(demo.loss),
        "report": str(demo.page),
        "counts": str(demo.counts_file),
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
        ("test loss", f"{demo.after.loss:.5f}", f"before {demo.before.loss:.5f}"),
        ("test accuracy", f"{demo.after.accuracy:.2%}", f"before {demo.before.accuracy:.2%}"),
    ]
