"""The command `actilaw explore`: the law on a local page, laid over a census."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from actilaw.cli.terminal import StoppedError, say
from actilaw.explorer.explore import explore


def explore_command(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A census to lay over the law: a file written by `actilaw record`, which may "
            "still run, or by census.save(path).",
            show_default="none, the law alone",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to serve on; another than the default lets others reach the page."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to serve on, 0 for any that is free.", show_default="8050, or the next free"
        ),
    ] = None,
    every: Annotated[float, typer.Option(help="Seconds between two looks at the file.")] = 2.0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the page in the browser.")
    ] = False,
) -> None:
    """Explore the law on a local page, laid over a census.

    Sliders move N, D, c and b. A recording that still runs is followed.
    """

    def announce(address: str) -> None:
        say(f"Explorer: {address} (Ctrl-C ends it)")

    explore(file, host=host, port=port, every=every, browser=not no_browser, announce=announce)
    # It returns when Ctrl-C ends it.
    raise StoppedError("stopped; the explorer writes no file", 128 + signal.SIGINT)
