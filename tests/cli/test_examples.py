"""The example in the help of every command, run word for word."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actilaw import Census, load
from actilaw.cli.examples import EXAMPLES
from actilaw.cli.lazy_commands import COMMANDS, load_command
from builders.command import actilaw
from builders.drawn import draw_counts
from builders.filled_study import filled_study

NET = """
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))

def batches():
    return torch.randn(5, 200, 6, generator=torch.Generator().manual_seed(1))
"""
TOO_LONG = ("demo", "study", "study run")  # a minute or more; their options are parsed
NEEDS_A_BROWSER = ("explore",)  # serves until Ctrl-C
READS_JSON = (
    "fit",
    "forecast",
    "backtest",
    "check",
    "loss",
    "accumulation",
    "simulate",
    "report",
    "merge",
)


def words_of(name: str) -> list[str]:
    """The words of an example after "actilaw", as a shell splits them."""
    return shlex.split(EXAMPLES[name].replace("\\\n", " "))[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with what the examples name."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "net.py").write_text(NET)
    for name, seed in (("monday", 1), ("tuesday", 2)):
        counts = draw_counts(300, 9, 0.3, 200, seed=seed)
        Census({"relu": counts}, recordings=(name,)).save(folder / f"{name}.census")
    samples = np.geomspace(100, 1e5, 12).round()
    losses = 0.2 + 3 * (1 + samples / 1000) ** -0.5
    rows = [f"{d:.0f},{loss:.6f}" for d, loss in zip(samples, losses, strict=True)]
    (folder / "losses.csv").write_text("\n".join(["samples,loss", *rows]) + "\n")
    tokens = np.geomspace(1e3, 1e8, 20).round()
    dead = np.rint(24_576 * (1 + tokens / 1e5) ** -0.4)
    logged = [f"{d:.0f},{n:.0f}" for d, n in zip(tokens, dead, strict=True)]
    (folder / "log.csv").write_text("\n".join(["tokens,dead_latents", *logged]) + "\n")
    filled_study(folder / "my-study")
    return folder


def commands() -> dict[str, Any]:
    """Every command by name, and those of a group by both names."""
    found = {}
    for name in COMMANDS:
        found[name] = load_command(name)
        for inner, command in getattr(found[name], "commands", {}).items():
            found[f"{name} {inner}"] = command
    return found


def test_every_command_ends_its_help_with_an_example() -> None:
    for name, command in commands().items():
        lines = (command.help or "").splitlines()
        assert "Example:" in lines, name
        example = lines[lines.index("Example:") + 1 :]
        assert example[0].startswith(f"actilaw {name.split()[0]} ")
        assert max(map(len, example)) <= 78
    assert EXAMPLES.keys() <= commands().keys()


def test_a_help_shows_its_example_as_it_is_typed() -> None:
    shown = actilaw("forecast", "--help").stdout
    assert f" {EXAMPLES['forecast']} " in shown
    for part in EXAMPLES["prune"].splitlines():
        assert part in actilaw("prune", "--help").stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_options_of_an_example_are_those_of_its_command(name: str) -> None:
    command, words = commands()[name], words_of(name)[len(name.split()) :]
    if name == "study":
        command, words = commands()["study run"], words_of(name)[2:]
    context = command.make_context(name, words)
    assert {key for key, value in context.params.items() if value is not None}


@pytest.mark.slow
def test_examples_run_one_after_the_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "net", raising=False)
    for name in EXAMPLES:
        if name in (*TOO_LONG, *NEEDS_A_BROWSER):
            continue
        done = actilaw(*words_of(name), folder=folder)
        assert done.returncode == 0, (name, done.stderr)
        assert done.stdout, name
    assert load(folder / "both.census")["relu"].samples == 400
    assert load(folder / "layers.census")["1"].samples == 1000
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "smaller").is_dir()
    assert (folder / "results.parquet").is_file()

    for name in READS_JSON:
        words = [word for word in words_of(name) if word != "--json"]
        done = actilaw(*words, "--json", folder=folder)
        assert done.returncode == 0, (name, done.stderr)
        document = json.loads(done.stdout, parse_constant=_refuse)
        assert document, name


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_what_prints_numbers_prints_them_as_json_too() -> None:
    without = {name for name, command in commands().items() if not takes_json(command)}
    assert without == {"study", "explore"}  # a group of commands, and one that prints an address


def takes_json(command: Any) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


@pytest.mark.slow
def test_examples_use_no_option_that_their_help_does_not_show() -> None:
    for name, example in EXAMPLES.items():
        where = name if name != "study" else "study run"
        shown = actilaw(*where.split(), "--help").stdout
        for option in re.findall(r"--[a-z-]+", example):
            assert option in shown, (name, option)
