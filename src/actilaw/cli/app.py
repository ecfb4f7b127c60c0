"""The command `actilaw`: files and flags in; a table out, or with --json one JSON document alone on
stdout.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from actilaw.cli import census as census_commands
from actilaw.cli.census import AsJson, CensusFile
from actilaw.cli.loss import loss
from actilaw.cli.simulate import simulate
from actilaw.cli.tables import print_json, print_sections
from actilaw.counts.census import Census, load
from actilaw.errors import ActilawError, InputError, needs_extra
from actilaw.recording.criteria import rule_from
from actilaw.reporting.monitor import monitor
from actilaw.reporting.report import report

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
app.command()(loss)
app.command()(simulate)
app.command("fit")(census_commands.fit_command)
app.command()(census_commands.forecast)
app.command()(census_commands.backtest)
app.command("check")(census_commands.check_command)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the page.")] = Path(
        "actilaw-demo.html"
    ),
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Of the split, the weights and the order.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Run the main job on a real network: train, record, fit, forecast, remove, report. Under two
    minutes.
    """
    with needs_extra("demo"):
        from actilaw.cli import demo as main_job
    with _progress() as bar:
        task = bar.add_task("starting", total=main_job.STEPS + 1)
        found = main_job.run_demo(
            output, seed, lambda step: bar.update(task, advance=1, description=step)
        )
    if as_json:
        print_json(main_job.as_json(found))
    else:
        print_sections(*main_job.as_table(found))
        print(f"\nPage with the figures: {found.page}")


@app.command("record")
def record_command(
    model: Annotated[
        str,
        typer.Option(
            help="package.module:function that makes the model; or, with --text, a folder or id."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where to write the census; taken up again if there."),
    ],
    data: Annotated[
        str | None, typer.Option(help="package.module:function that makes an iterable of batches.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="A text file, for a language model of Transformers.")
    ] = None,
    layers: Annotated[
        str, typer.Option(help="auto, or names or globs with commas between.")
    ] = "auto",
    criterion: Annotated[
        str, typer.Option(help="auto, positive, threshold(0.1), relative(0.05) or top(2).")
    ] = "auto",
    per: Annotated[
        str | None,
        typer.Option(
            help="What one sample is: sample, or position; with --text each token is one."
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(help="Name of the model's argument that says which positions count."),
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Tokens per sequence, with --text.")] = 256,
    batch: Annotated[int, typer.Option(min=1, help="Sequences per batch, with --text.")] = 8,
    save_every: Annotated[float, typer.Option(min=0, help="Seconds between savings.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Count, over a whole data set, on how many samples each unit fires. A killed run goes on where
    it was saved.
    """
    if (data is None) == (text is None):
        raise InputError(
            "expected either --data package.module:function or --text FILE: say what the model "
            "shall run on"
        )
    with needs_extra("torch"):
        from actilaw.recording import to_file
    if text is not None:
        network, batches = to_file.language_model(model, text, length, batch)
    else:
        network, batches = to_file.imported(model), to_file.imported(str(data))
    chosen = layers if layers == "auto" else [name.strip() for name in layers.split(",")]
    rule = criterion if criterion == "auto" else rule_from(criterion)
    sample = per or ("sample" if text is None else "position")
    about = {
        "model": model,
        "data": str(data or text),
        "layers": layers,
        "criterion": criterion,
        "per": sample,
    }
    about |= {"mask": str(mask), "length": str(length), "batch": str(batch)}
    finished = output.exists() and bool(load(output).about.get("finished"))
    with _progress() as bar:
        task = bar.add_task("recording", total=None)
        census = to_file.record_to_file(
            network,
            batches,
            output,
            layers=chosen,
            criterion=rule,
            per=sample,
            mask=mask,
            about=about,
            save_every=save_every,
            progress=lambda done: bar.update(task, description=f"recording, {done:,} batches"),
        )
    if finished:
        print(
            f"actilaw: {output} was finished before, and not counted again: remove it to do so",
            file=sys.stderr,
        )
    _show_census(census, output, as_json)


@app.command()
def merge(
    files: Annotated[
        list[Path], typer.Argument(help="Censuses of disjoint samples.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write their sum.")],
    as_json: AsJson = False,
) -> None:
    """Add up censuses of the same layers over disjoint samples; their order does not matter."""
    census = functools.reduce(Census.merge, [load(file) for file in files])
    census.save(output)
    _show_census(census, output, as_json)


@app.command("report")
def report_command(
    file: CensusFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the page.")] = Path(
        "report.html"
    ),
) -> None:
    """Write one self-contained HTML page on a census."""
    print(f"Page with the figures: {report(load(file), output).resolve()}")


def main() -> None:
    """Run the command; a user's mistake is one sentence on stderr and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a terminal without ± shall show a question mark, not a traceback
    try:
        status = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except (ActilawError, OSError) as error:
        _fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        _fail("stopped")
    except Exception as error:
        as_sentence = getattr(
            error, "format_message", None
        )  # Typer's own usage errors, wherever a release keeps them
        if as_sentence is None:
            raise
        _fail(as_sentence())
    else:
        sys.exit(status)


def _fail(message: str) -> NoReturn:
    """One line on stderr, exit status 2; what is still unwritten on stdout is dropped."""
    print(f"actilaw: {' '.join(message.split())}", file=sys.stderr)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, or Python would try once more to flush into a full disk
    sys.exit(2)


def _progress() -> Progress:
    """A bar on stderr where there is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _show_census(census: Census, path: Path, as_json: bool) -> None:
    names = (
        "units",
        "samples",
        "working",
        "idle",
        "active",
        "criterion",
        "per",
        "regime",
        "nonfinite",
    )
    layers = {
        layer: {name: getattr(counts, name) for name in names} for layer, counts in census.items()
    }
    uncovered = census.about.get("uncovered", [])
    if as_json:
        print_json({"census": str(path.resolve()), "layers": layers, "uncovered": uncovered})
        return
    print(monitor(census))
    if uncovered:
        print(f"\nNot covered: {', '.join(uncovered)}")
    print(f"\nCensus: {path.resolve()}")
