"""Progress on stderr, so that stdout holds results alone; nothing where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from actilaw.support import progress

PATIENCE = 2.0  # seconds before a bar is shown


def progress_bar() -> Progress:
    """A bar with a description, the time elapsed, and the time left where the total is known."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def bar_if_slow(description: str) -> Iterator[progress.Progress]:
    """A bar with the time left, shown once the work has taken two seconds, and what moves it.

    Where Ctrl-C ends the work, a note on the interruption says how far it was.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(description, total=None)
    show = Timer(PATIENCE, bar.start)
    show.daemon = True
    show.start()

    far = ""

    def move(done: int, steps: int) -> None:
        nonlocal far
        far = f"{done:,} of {steps:,} done"
        bar.update(task, completed=done, total=steps)

    try:
        yield move
    except KeyboardInterrupt as stop:
        stop.add_note(f"{description}, {far}" if far else f"{description}, none done")
        raise
    finally:
        show.cancel()
        show.join()  # or else it could start the bar after it was stopped
        bar.stop()
