"""The commands that write a census: `actilaw record` and `actilaw merge`."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actilaw.cli.options import AsJson, completing, whole_seed
from actilaw.cli.progress import progress_bar
from actilaw.cli.tables import print_json
from actilaw.cli.terminal import StoppedError, leaving, say, stopped, warn
from actilaw.counts.census import Census
from actilaw.errors import ActilawError, InputError, needs_extra
from actilaw.recording.criteria import rule_from
from actilaw.reporting.monitor import monitor
from actilaw.support.files import check_writable

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
        list[str] | None,
        typer.Option(
            help="Names or glob patterns of layers; may be repeated, or separated by commas.",
            show_default="auto",
        ),
    ] = None,
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
            autocompletion=completing("sample", "position", "token"),
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
    seed: Annotated[
        int | None,
        typer.Option(
            callback=whole_seed,
            help="Seed of torch's random numbers, set before model and data are made.",
            show_default="none is set",
        ),
    ] = None,
    save_every: Annotated[
        float, typer.Option(min=0, help="Seconds between two savings of the census.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Count on how many samples of a data set each unit is active.

    A run that was killed continues from where it was last saved.
    """
    per = per or ("sample" if text is None else "position")
    names = _names(layers or ["auto"])
    rule = criterion if criterion == "auto" else rule_from(criterion)
    check_writable(output)
    finished = _is_finished(output)
    with sentences(output):
        network, batches = model_and_batches(
            model, data, text, length=length, batch=batch, seed=seed
        )
        about = {
            "model": model,
            "data": str(data or text),
            "layers": ",".join(names),
            "criterion": criterion,
            "per": per,
            "mask": str(mask),
            "length": str(length),
            "batch": str(batch),
            **({} if seed is None else {"seed": seed}),
        }
        census = _record_with_bar(
            network,
            batches,
            output,
            layers="auto" if names == ["auto"] else names,
            criterion=rule,
            per=per,
            mask=mask,
            about=about,
            save_every=save_every,
        )
    if finished:
        warn(f"{output} was finished before, and not counted again: remove it to do so")
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
    _refuse_repeated(files)
    with leaving(output):
        census = functools.reduce(Census.merge, [Census.load(file) for file in files])
        census.save(output)
    _show_census(census, output, as_json)


@contextmanager
def sentences(output: Path) -> Iterator[None]:
    """Errors of the user's model and data, and signals, as one sentence each, with what was
    saved.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        status = 128 + signal.SIGINT if isinstance(stop, KeyboardInterrupt) else stop.code
        if status not in (128 + signal.SIGINT, 128 + signal.SIGTERM):
            raise InputError(f"the model or the data ended the program, with {status!r}") from stop
        raise StoppedError(stopped(stop, "nothing was counted yet"), status) from stop
    except ActilawError as error:
        if getattr(error, "__notes__", None) and output.exists():
            raise type(error)(f"{error}; {_notes(error)}") from error
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise InputError(
            f"expected a model that runs on the data, but {told}; {_notes(error)}: call it in "
            "Python to see where"
        ) from error


def _notes(error: BaseException) -> str:
    return "; ".join(getattr(error, "__notes__", []))


def _refuse_repeated(files: list[Path]) -> None:
    """Raise InputError if a file is named twice, whose samples would count twice."""
    for place, file in enumerate(files):
        for other in files[:place]:
            if file.exists() and other.exists() and file.samefile(other):
                raise InputError(
                    f"expected censuses of disjoint samples, but {other} and {file} are one file, "
                    "whose samples would count twice: name each once"
                )


def model_and_batches(
    model: str,
    data: str | None,
    text: Path | None,
    *,
    length: int,
    batch: int,
    seed: int | None,
) -> tuple[nn.Module, Iterable[Any]]:
    """What is to be run, from the options --model, and --data or --text."""
    if (data is None) == (text is None):
        raise InputError(
            "expected either --data package.module:function or --text FILE: say what to run the "
            "model on"
        )
    with needs_extra("torch"):
        import torch

        from actilaw.recording.to_file import imported, language_model
    if seed is not None:
        torch.manual_seed(seed)
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
        total = len(batches) if isinstance(batches, Sized) else None
        task = bar.add_task("recording", total=total)

        def show(done: int) -> None:
            of_all = "" if total is None else f" of {total:,}"
            bar.update(task, completed=done, description=f"recording, {done:,}{of_all} batches")

        return record_to_file(network, batches, output, progress=show, **options)


def _names(layers: list[str]) -> list[str]:
    """Names and patterns of layers, from what the options say."""
    names = [name.strip() for option in layers for name in option.split(",")]
    if not all(names):
        raise InputError(f"expected names or patterns as --layers, but got {','.join(layers)!r}")
    if "auto" in names and len(names) > 1:
        raise InputError("expected --layers auto alone, or names and patterns without it")
    return names


def _show_census(census: Census, path: Path, as_json: bool) -> None:
    uncovered = census.about.get("uncovered", [])
    if as_json:
        layers = census.summary().to_dict(orient="index")
        print_json({"census": str(path.resolve()), "layers": layers, "uncovered": uncovered})
        return
    for name, counts in census.items():
        say(monitor(Census({name: counts})))
    if uncovered:
        say("", f"Not covered: {', '.join(uncovered)}")
    say("", f"Census: {path.resolve()}")
