"""The Typer application, which gathers the commands, and `main`, which runs it."""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

import typer

from actilaw.cli.lazy_commands import LazyCommands
from actilaw.errors import ActilawError

app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which units of a neural network work, which are idle, and what more data would change. "
    "Commands print tables; with --json, one JSON document.",
)


@app.callback()
def _options() -> None:
    """Count, fit, forecast and remove units of neural networks."""


def main() -> None:
    """Run the command; a user's mistake is one sentence on stderr and exit status 2."""
    _replace_unprintable()
    try:
        status = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except (ActilawError, OSError) as error:
        _fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        _fail("stopped")
    except Exception as error:
        # Typer's own usage errors have this method, whichever module a release keeps them in.
        as_sentence = getattr(error, "format_message", None)
        if as_sentence is None:
            raise
        _fail(as_sentence())
    else:
        sys.exit(status)


def _replace_unprintable() -> None:
    """A terminal that cannot print ± shows a question mark in its place, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(message: str) -> NoReturn:
    """Print one line on stderr and exit with status 2; what is unwritten on stdout is dropped."""
    print(f"actilaw: {' '.join(message.split())}", file=sys.stderr)
    # At exit Python flushes stdout once more, which fails again where the disk is full.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.exit(2)
