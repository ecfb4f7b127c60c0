"""The Typer application, which gathers the commands, and `main`, which runs it."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer

from actilaw.cli.lazy_commands import LazyCommands
from actilaw.cli.terminal import StoppedError, say, warn
from actilaw.errors import ActilawError
from actilaw.support.version import installed_version

INTERRUPTED = 128 + signal.SIGINT
CLOSED_PIPE = 1  # as of other programs in Python whose reader has gone

app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which units of a neural network work, which are idle, and what more data would change. "
    "Commands print tables; with --json, one JSON document.",
)


def _print_version(asked: bool) -> None:
    if asked:
        say(f"actilaw {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Count, fit, forecast and remove units of neural networks."""


def main() -> None:
    """Run the command; a user's mistake is one sentence on stderr and exit status 2.

    Ctrl-C ends with status 130, SIGTERM while recording with 143, and a reader that closes the
    pipe ends it quietly with 1.
    """
    if sys.stdout is None:
        _leave("expected an open standard output to print to, but it is closed: redirect it")
    _replace_unprintable()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status = app(prog_name="actilaw", standalone_mode=False) or 0
        if status == INTERRUPTED:  # by Ctrl-C before a command had begun
            _leave("stopped; nothing had begun yet", status=status)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave(status=CLOSED_PIPE)
    except StoppedError as stop:
        _leave(str(stop), status=stop.status)
    except (ActilawError, OSError) as error:
        _leave(str(error))
    except (typer.Abort, KeyboardInterrupt):
        _leave("stopped; nothing had begun yet", status=INTERRUPTED)
    except Exception as error:
        # Typer's own usage errors have this method, whichever module a release keeps them in.
        as_sentence = getattr(error, "format_message", None)
        if as_sentence is None:
            raise
        _leave(as_sentence())
    else:
        sys.exit(status)


def _replace_unprintable() -> None:
    """A terminal that cannot print ± shows a question mark in its place, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, line: int, *_: Any
) -> None:
    """A warning to the user as a sentence; those to programmers as Python shows them."""
    if issubclass(category, UserWarning):
        warn(str(message))
    else:
        warn(warnings.formatwarning(message, category, filename, line, ""))


def _leave(message: str = "", status: int = 2) -> NoReturn:
    """Print one line on stderr and exit; what is unwritten on stdout is dropped."""
    if message:
        warn(message)
    # At exit Python flushes stdout once more, which fails again where the disk is full.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.exit(status)
