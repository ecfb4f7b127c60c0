"""Commands that are imported when they are called, so that `actilaw --help` need not load what they
compute with.

The help of all commands shows one line of each, which stands here; a test holds that it is the
first of the command's own help.
"""

from __future__ import annotations

import signal
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from actilaw.cli.examples import with_example
from actilaw.cli.terminal import StoppedError, stopped

# The module of this room that defines `<name>_command`, or `<name>_commands` where it is a group
# of them; and the first line of its help.
COMMANDS = {
    "demo": ("demo", "Run the main job on a real network, in about a minute."),
    "record": ("recording", "Count on how many samples of a data set each unit is active."),
    "merge": ("recording", "Add up censuses of the same layers over disjoint samples."),
    "fit": ("laws", "Fit the activation law to each layer: estimates, standard errors."),
    "forecast": ("laws", "Forecast working units after more data, or at another width."),
    "accumulation": ("accumulation", "Forecast working units from a logged curve alone."),
    "backtest": ("laws", "Forecast from the first samples, and compare with what all showed."),
    "check": ("laws", "Test the theory's claims on each layer."),
    "prune": ("prune", "Remove idle or rare units, and verify the smaller model."),
    "loss": ("loss", "Fit the loss law to measured losses, forecast, and split a budget."),
    "simulate": ("simulate", "Show what the activation law expects of a layer."),
    "study": ("study", "Train a grid of networks to study the theory on."),
    "explore": ("explore", "Explore the law on a local page, laid over a census."),
    "report": ("report", "Write a self-contained HTML page on a census."),
}


class LazyCommands(TyperGroup):
    """The group of all commands; contexts and commands are click's, wherever Typer keeps it."""

    _only_summaries = False  # while the help of the group is written

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if self._only_summaries:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1])
        return load_command(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with one sentence, which says what it left."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise StoppedError(stopped(stop), 128 + signal.SIGINT) from stop

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._only_summaries = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._only_summaries = False


def load_command(name: str) -> Any:
    """The command of that name, with its options, or the group of that name with its commands."""
    module = import_module(f"actilaw.cli.{COMMANDS[name][0]}")
    if hasattr(module, f"{name}_commands"):
        described = typer.main.get_command(getattr(module, f"{name}_commands"))
        for inner, command in getattr(described, "commands", {}).items():
            command.help = with_example(command.help or "", f"{name} {inner}")
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(getattr(module, f"{name}_command"))
        described = typer.main.get_command(alone)
    described.help = with_example(described.help or "", name)
    return described
