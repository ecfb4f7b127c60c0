"""The commands `actilaw study ...`: train a grid of networks, and look at what came of it."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from actilaw.cli.options import AsJson, completing
from actilaw.cli.progress import bar_if_slow
from actilaw.cli.tables import print_json, print_sections, records
from actilaw.cli.terminal import StoppedError, leaving, say, warn
from actilaw.errors import InputError, needs_extra
from actilaw.reporting.text import Row
from actilaw.support.escapes import printable

if TYPE_CHECKING:
    from actilaw.study import run
    from actilaw.study.claims.result import ClaimResult, Verdict
    from actilaw.study.store import Study

SOME_CELLS_FAILED = 1  # exit status of a run that otherwise went well
SHOWN_AS_ZERO = 1e-6  # of slopes and shares; below it a number is that of a sum that should be zero
VERDICT_HEAD = ("", "estimate", "95 % interval", "figures", "groups", "verdict")
SHOWN = ("task", "width", "samples", "seed", "layer", "working", "units", "test_loss")

study_commands = typer.Typer(
    name="study",
    no_args_is_help=True,
    add_completion=False,
    help="Train a grid of networks to study the theory on.\n\n"
    "Tasks x widths x training samples x seeds: every combination is a cell, whose\n"
    "units are counted in training and after it.",
)

Folder = Annotated[Path, typer.Argument(help="Folder of a study.", show_default=False)]
Readers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Processes that read cells.",
        show_default="one for each processor",
    ),
]


@study_commands.command("run")
def run_command(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder of the study; one that was begun is continued."
        ),
    ],
    preset: Annotated[
        str,
        typer.Option(
            autocompletion=completing("small", "full"),
            help="Which cells: small, some ten minutes; or full, hours.",
        ),
    ] = "small",
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Names of built-in tasks, or module:function, separated by commas.",
            show_default="all of the preset",
        ),
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option(help="Widths, separated by commas.", show_default="those of the preset"),
    ] = None,
    samples: Annotated[
        str | None,
        typer.Option(
            help="Sizes of the training set, separated by commas.",
            show_default="those of the preset",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Seeds, separated by commas.", show_default="those of the preset"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes, each on one thread.",
            show_default="one for each processor",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(help="Address of a Ray cluster to run on, or auto.", show_default="none"),
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="How often cells run again whose process died.")
    ] = 2,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try cells again that failed before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train the cells of a study that are not done yet.

    A run that was stopped or killed is continued by the same command. More tasks,
    widths, samples or seeds can be added later; what is done stays as it is.
    """
    from actilaw.study.grid import each_once
    from actilaw.study.presets import grids

    chosen = grids(
        preset,
        None if tasks is None else _names("--tasks", tasks),
        widths=_numbers("--widths", widths),
        samples=_numbers("--samples", samples),
        seeds=_numbers("--seeds", seeds),
    )
    with needs_extra("study"):
        from actilaw.study.run import run_study
    with _stopped_in_a_sentence(), _bar() as show:
        study = run_study(
            output,
            chosen,
            workers=workers,
            ray=ray,
            progress=show,
            retries=retries,
            retry_failed=retry_failed,
        )
    _show_status(study, as_json)
    failed = study.failures().keys() & set(each_once(chosen))
    if failed:
        warn(
            f"{len(failed)} cells failed: actilaw study status {output} says why, and "
            "actilaw study run --retry-failed tries them again"
        )
        raise typer.Exit(SOME_CELLS_FAILED)


@study_commands.command("status")
def status_command(folder: Folder, as_json: AsJson = False) -> None:
    """Show which cells of a study are done, and which failed.

    Seconds left are those of one process, told from the cells that are done.
    """
    from actilaw.study.store import Study

    _show_status(Study(folder), as_json, reasons=True)


@study_commands.command("table")
def table_command(
    folder: Folder,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write all columns to this Parquet file.", show_default="none"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the results of a study, a row for each layer of each cell.

    With -o they go to a Parquet file, which pandas and DuckDB read.
    """
    from actilaw.study.store import Study

    study = Study(folder)
    if output is not None:
        path = study.write_table(output)
        if as_json:
            print_json({"table": str(path)})
        else:
            say(f"Table: {path}")
        return
    table = study.table()
    if as_json:
        print_json(records(table))
        return
    rows = [_row(values) for values in table[list(SHOWN)].itertuples(index=False)]
    print_sections("", SHOWN, [(f"{len(rows):,} layers", rows)], all_numbers=True)


@study_commands.command("claims")
def claims_command(
    folder: Folder,
    claims: Annotated[
        str | None,
        typer.Option(help="Names of claims, separated by commas.", show_default="all"),
    ] = None,
    workers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Judge the paper's claims by the cells that are done.

    Each by the rule that is printed with it. The first time every cell is
    fitted, which takes a second or so each.
    """
    from actilaw.study.claims.examine import CLAIMS, examine
    from actilaw.study.claims.result import by_statement
    from actilaw.study.readings import readings
    from actilaw.study.store import Study

    names = list(CLAIMS) if claims is None else _names("--claims", claims)
    study = Study(folder)
    with bar_if_slow("reading cells") as progress:
        found = readings(study, workers=workers, progress=progress)
    results = examine(found, names)
    if as_json:
        print_json({result.name: _claim_document(result) for result in results})
        return
    for result in results:
        say(f"{result.equation} {result.claim}")
        say(f"  {result.rule}")
        for statement, verdicts in by_statement(result.verdicts).items():
            _show_statement(statement, verdicts)
        say("")


@study_commands.command("report")
def report_command(
    folder: Folder,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page.", show_default="report.html in the folder"),
    ] = None,
    workers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Write a self-contained HTML page on a study.

    For each claim of the paper a figure of every task, and the verdicts.
    """
    from actilaw.reporting.report import report
    from actilaw.study.store import Study

    study = Study(folder)
    page = output or study.folder / "report.html"
    with leaving(page), bar_if_slow("reading cells") as progress:
        path = report(study, page, workers=workers, progress=progress)
    if as_json:
        print_json({"report": str(path)})
    else:
        say(f"Page: {path}")


@study_commands.command("tasks")
def tasks_command(as_json: AsJson = False) -> None:
    """List the built-in tasks of a study.

    With the widths and sizes of training set of the preset full.
    """
    from actilaw.study.tasks import TASKS

    if as_json:
        print_json(
            {task.name: {"widths": task.widths, "samples": task.samples} for task in TASKS.values()}
        )
        return
    rows = [(task.name, _joined(task.widths), _joined(task.samples)) for task in TASKS.values()]
    print_sections("", ("task", "widths", "samples"), [("Built-in tasks", rows)])


def _claim_document(result: ClaimResult) -> dict[str, Any]:
    """A claim, its rule and its verdicts as JSON."""
    table = result.table().drop(columns=["claim", "equation"])
    return {
        "equation": result.equation,
        "claim": result.claim,
        "rule": result.rule,
        "verdicts": records(table),
        "details": records(result.details),
    }


def _show_statement(statement: str, verdicts: list[Verdict]) -> None:
    """A row for each network, or task, that something was measured on, and why others have none."""
    from actilaw.study.claims.result import remarks_on

    rows = [_verdict_row(verdict) for verdict in verdicts if not verdict.interval.is_empty]
    if rows:
        heading = f"{statement}; {verdicts[0].measured}"
        print_sections("", VERDICT_HEAD, [(heading, rows)], all_numbers=True)
    else:
        say(f"\n{statement}: nothing measured")
    for remark in remarks_on(verdicts):
        say(f"  {remark}")


def _verdict_row(verdict: Verdict) -> Row:
    """Network, estimate, interval, number of figures and of groups, and verdict."""
    found = verdict.interval
    estimate = "-" if math.isnan(found.estimate) else _rounded(found.estimate)
    bounds = f"{_rounded(found.lower)} to {_rounded(found.upper)}" if found.is_bounded else "-"
    return (verdict.task, estimate, bounds, str(found.n), str(found.groups), verdict.verdict)


def _rounded(value: float) -> str:
    """Three digits; 0 for what is rounding."""
    return "0" if abs(value) < SHOWN_AS_ZERO else f"{value:.3g}"


def _show_status(study: Study, as_json: bool, reasons: bool = False) -> None:
    status, failures = study.status(), study.failures()
    if as_json:
        failed = [{**cell.settings(), "failure": reason} for cell, reason in failures.items()]
        tasks = status.to_dict(orient="index")
        print_json({"study": str(study.folder), "tasks": tasks, "failures": failed})
        return
    rows = [
        (
            str(task),
            *(f"{row[name]:,}" for name in ("cells", "done", "failed")),
            _duration(row["seconds"]),
            _duration(row["seconds_left"]),
        )
        for task, row in status.to_dict(orient="index").items()
    ]
    head = ("task", "cells", "done", "failed", "took", "left")
    print_sections("", head, [(f"Study {study.folder.name}", rows)], all_numbers=True)
    if reasons:
        for cell, reason in failures.items():
            say(f"{cell.name} failed: {reason}")


@contextmanager
def _bar() -> Iterator[Callable[[run.Progress], None]]:
    """A bar on stderr that says how many cells are done and how long the others may take."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("starting", total=None)

    def show(progress: run.Progress) -> None:
        over = progress.done + progress.failed
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        left = f", {_duration(progress.seconds_left)} left" if over < progress.cells else ""
        text = f"{progress.done:,} of {progress.cells:,} cells{failed}{left}"
        bar.update(task, completed=over, total=progress.cells, description=text)

    with bar:
        yield show


@contextmanager
def _stopped_in_a_sentence() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the command with what is saved."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        saved = "; ".join(getattr(stop, "__notes__", [])) or "nothing had begun yet"
        status = 128 + signal.SIGINT
        if isinstance(stop, SystemExit):
            status = stop.code if isinstance(stop.code, int) else 128 + signal.SIGTERM
        raise StoppedError(f"stopped; {saved}", status) from stop


def _duration(seconds: float | None) -> str:
    """Seconds to two digits or so, in the largest unit that fits."""
    if seconds is None or math.isnan(seconds):
        return "unknown time"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _row(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f"{value:.4g}" if isinstance(value, float) else _text(value) for value in values)


def _text(value: object) -> str:
    return printable(f"{value:,}" if isinstance(value, int) else str(value))


def _joined(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def _names(option: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"expected names separated by commas as {option}, but got {text!r}")
    return names


def _numbers(option: str, text: str | None) -> list[int] | None:
    """Whole numbers separated by commas; an underscore may group digits."""
    if text is None:
        return None
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise InputError(
            f"expected whole numbers separated by commas as {option}, but got {text!r}"
        ) from None
