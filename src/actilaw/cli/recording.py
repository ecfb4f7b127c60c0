"""The commands that write a census: `actilaw record` and `actilaw merge`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actilaw.cli.options import AsJson
from actilaw.cli.progress import progress_bar
from actilaw.cli.tables import print_json
from actilaw.counts.census import Census
from actilaw.errors import InputError, needs_extra
from actilaw.recording.criteria import rule_from
from actilaw.reporting.monitor import monitor

if TYPE_CHECKING:
    from torch import nn


def record_command(
    model: Annotated[
        str,
        typer.Option(
            help="package.module:function that makes the model; or, with --text, the folder or id "
            "of a language model of Transformers."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Where to write the census; an unfinished one is continued."
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help="package.module:function that makes an iterable of batches.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="A text file for a language model to read.")
    ] = None,
    layers: Annotated[
        str, typer.Option(help="auto, or names or glob patterns separated by commas.")
    ] = "auto",
    criterion: Annotated[
        str,
        typer.Option(
            help="When a unit counts as active: auto, positive, threshold(0.1), relative(0.05) or "
            "top(2)."
        ),
    ] = "auto",
    per: Annotated[
        str | None,
        typer.Option(
            help="What one sample is: sample, position or token.",
            show_default="sample; with --text, position",
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(help="Name of the model's argument that says which positions count."),
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Tokens per sequence, with --text.")] = 256,
    batch: Annotated[int, typer.Option(min=1, help="Sequences per batch, with --text.")] = 8,
    save_every: Annotated[
        float, typer.Option(min=0, help="Seconds between two savings of the census.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Count on how many samples of a data set each unit is active.

    A run that was killed continues from where it was last saved.
    """
    per = per or ("sample" if text is None else "position")
    network, batches = _model_and_batches(model, data, text, length=length, batch=batch)
    about = {
        "model": model,
        "data": str(data or text),
        "layers": layers,
        "criterion": criterion,
        "per": per,
        "mask": str(mask),
        "length": str(length),
        "batch": str(batch),
    }
    finished = _is_finished(output)
    census = _record_with_bar(
        network,
        batches,
        output,
        layers=_names(layers),
        criterion=criterion if criterion == "auto" else rule_from(criterion),
        per=per,
        mask=mask,
        about=about,
        save_every=save_every,
    )
    if finished:
        print(
            f"actilaw: {output} was finished before, and not counted again: remove it to do so",
            file=sys.stderr,
        )
    _show_census(census, output, as_json)


def merge_command(
    files: Annotated[
        list[Path],
        typer.Argument(help="Censuses of the same layers on disjoint samples.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write their sum.")],
    as_json: AsJson = False,
) -> None:
    """Add up censuses of the same layers over disjoint samples.

    Their order does not matter.
    """
    census = functools.reduce(Census.merge, [Census.load(file) for file in files])
    census.save(output)
    _show_census(census, output, as_json)


def _model_and_batches(
    model: str, data: str | None, text: Path | None, *, length: int, batch: int
) -> tuple[nn.Module, Iterable[Any]]:
    """What is to be run, from the options --model, and --data or --text."""
    if (data is None) == (text is None):
        raise InputError(
            "expected either --data package.module:function or --text FILE: say what to run the "
            "model on"
        )
    with needs_extra("torch"):
        from actilaw.recording.to_file import imported, language_model
    if text is not None:
        return language_model(model, text, length, batch)
    return imported(model), imported(str(data))


def _is_finished(output: Path) -> bool:
    """Whether the file holds the census of a run that counted all batches."""
    return output.exists() and bool(Census.load(output).about.get("finished"))


def _record_with_bar(
    network: nn.Module, batches: Iterable[Any], output: Path, **options: Any
) -> Census:
    """`record_to_file` with these options, and a bar that says how many batches it has read."""
    with needs_extra("torch"):
        from actilaw.recording.to_file import record_to_file
    with progress_bar() as bar:
        task = bar.add_task("recording", total=None)

        def show(done: int) -> None:
            bar.update(task, description=f"recording, {done:,} batches")

        return record_to_file(network, batches, output, progress=show, **options)


def _names(layers: str) -> str | list[str]:
    """What `record` takes as layers, from the option's text."""
    if layers == "auto":
        return layers
    return [name.strip() for name in layers.split(",")]


def _show_census(census: Census, path: Path, as_json: bool) -> None:
    uncovered = census.about.get("uncovered", [])
    if as_json:
        layers = census.summary().to_dict(orient="index")
        print_json({"census": str(path.resolve()), "layers": layers, "uncovered": uncovered})
        return
    print(monitor(census))
    if uncovered:
        print(f"\nNot covered: {', '.join(uncovered)}")
    print(f"\nCensus: {path.resolve()}")
