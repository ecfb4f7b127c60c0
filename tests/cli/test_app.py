"""The command as a user runs it: its two streams and its exit status."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from actilaw.__main__ import main as start
from actilaw.cli.lazy_commands import COMMANDS as LINES
from actilaw.cli.lazy_commands import load_command
from actilaw.support.version import installed_version
from builders.command import Done, actilaw, actilaw_process, assert_one_sentence

COMMANDS = (
    "demo",
    "record",
    "merge",
    "fit",
    "forecast",
    "accumulation",
    "backtest",
    "check",
    "prune",
    "loss",
    "simulate",
    "study",
    "explore",
    "report",
)


def test_help_lists_every_command() -> None:
    shown = actilaw("--help")
    assert shown.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_in_a_line(command: str) -> None:
    """Typer keeps line breaks: a line too long for a narrow terminal would break twice."""
    first, *rest = (load_command(command).help or "").splitlines()
    assert 0 < len(first) <= 70
    assert first.endswith(".")
    assert first == LINES[command][1]
    assert rest[:1] in ([], [""])
    assert max(map(len, rest), default=0) <= 78


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_every_parameter_says_what_it_is(command: str) -> None:
    shown = actilaw(command, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"actilaw {command}" in shown.stdout
    described = load_command(command)
    assert described.help
    for parameter in described.params:
        assert parameter.help, parameter.name


@pytest.mark.slow
def test_a_process_of_its_own_prints_the_same(census: Path) -> None:
    here, process = (run("fit", census) for run in (actilaw, actilaw_process))
    assert process.returncode == 0
    assert process.stderr == ""
    assert process.stdout.split() == here.stdout.split()
    assert_one_sentence(actilaw_process("fit", "nowhere"), "there is no file", "nowhere")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fit", "nowhere"), ("there is no file", "nowhere")),
        (("fit", "text"), ("expected a census, but", "is not one or is damaged")),
        (("demo", "-o", "/nowhere/page.html"), ("folder /nowhere does not exist",)),
        (("demo", "--seed", "-1"), ("expected whole --seed in 0..", "but got -1")),
        (("demo", "--seed", str(2**64)), ("expected whole --seed in 0..",)),
        (("demo", "--seed", "first"), ("--seed",)),
        (("fit",), ("Missing argument",)),
        (("fit", "text", "--jason"), ("No such option",)),
        (("gauss",), ("No such command", "gauss")),
        (("--nothing",), ("No such option", "--nothing")),
        (("merge", "-o", "sum"), ("Missing argument",)),
        (("merge", "text", "-o", "sum"), ("is not one or is damaged",)),
        (("merge", "nowhere", "-o", "sum"), ("there is no file",)),
        (("merge", "text"), ("Missing option",)),
        (("fit", ""), ("is a folder: name a file in it",)),
        (("fit", "."), ("is a folder: name a file in it",)),
        (("report", "text"), ("is not one or is damaged",)),
        (("check", "text"), ("is not one or is damaged",)),
        (("backtest", "nowhere"), ("there is no file",)),
        (("loss", "nowhere.csv"), ("nowhere.csv",)),
        (("simulate", "--units", "5"), ("Missing option",)),
    ],
)
def test_mistakes_are_one_sentence_and_exit_status_two(
    tmp_path: Path, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    (tmp_path / "text").write_text("not a census")
    assert_one_sentence(actilaw(*arguments, folder=tmp_path), *said)
    assert [file.name for file in tmp_path.iterdir()] == ["text"]


@pytest.mark.slow
def test_a_terminal_that_knows_ascii_alone_and_a_full_disk(census: Path) -> None:
    command = [sys.executable, "-m", "actilaw", "fit", str(census)]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, env=ascii_only, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "actilaw: [Errno 28] No space left on device\n"


def test_ctrl_c_before_a_command_begins_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the command's modules are loaded, and while its words are parsed."""

    class Interrupted(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("actilaw.cli.lazy_commands.LazyCommands.parse_args", interrupt)
        parsed = actilaw("fit", "nowhere")
    assert parsed == Done(130, "", "actilaw: stopped; nothing had begun yet\n")
    monkeypatch.setitem(sys.modules, "actilaw.cli.app", Interrupted("app"))
    with pytest.raises(SystemExit) as stop:
        start()
    assert stop.value.code == 130
    assert capsys.readouterr() == ("", "actilaw: stopped; nothing had begun yet\n")


def test_the_version_is_printed_alone() -> None:
    assert actilaw("--version") == Done(0, f"actilaw {installed_version()}\n", "")


def test_the_shell_completes_commands() -> None:
    shown = actilaw("--help").stdout
    assert "--install-completion" in shown
    assert "--show-completion" in shown


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("actilaw for", ["forecast"]),
        ("actilaw study st", ["status"]),
        ("actilaw fit --fam", ["--family"]),
        ("actilaw fit --family m", ["mixture"]),
        ("actilaw record --per p", ["position"]),
        ("actilaw loss --form power", ["power", "power_floor"]),
        ("actilaw study run --preset f", ["full"]),
        ("actilaw fit layers", []),  # the shell completes names of files where nothing is found
    ],
)
def test_the_shell_completes_what_is_begun(
    monkeypatch: pytest.MonkeyPatch, line: str, completed: list[str]
) -> None:
    monkeypatch.setenv("_ACTILAW_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    done = actilaw()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == completed


CENSUS_MISTAKES = [
    (("fit", "--family", "gauss"), "gauss"),
    (("fit", "--level", "1"), "level"),
    (("fit", "--level", "nan"), "level"),
    (("fit", "--level", "x"), "--level"),
    (("forecast", "--samples", "x"), "expected samples as numbers, or as multiples"),
    (("forecast", "--samples", ""), "expected samples as numbers, or as multiples"),
    (("forecast", "--samples", "10x,"), "expected samples as numbers, or as multiples"),
    (("forecast", "--samples", "-5"), "expected whole samples in 1"),
    (("forecast", "--samples", "-1x"), "expected whole samples in 1"),
    (("forecast", "--samples", "nan"), "expected samples as numbers, or as multiples"),
    (("forecast", "--samples", "infx"), "expected samples as numbers, or as multiples"),
    (("forecast", "--samples", "1e400"), "expected samples as numbers, or as multiples"),
    (("forecast", "--samples", "1.5"), "samples"),
    (("forecast", "--units", "wide"), "expected units as numbers, or as multiples"),
    (("forecast", "--units", "0"), "units"),
    (("report", "-o", "nowhere/page.html"), "does not exist"),
    (("check", "--loss", "nowhere.csv"), "nowhere.csv"),
    (("backtest", "--level", "0"), "level"),
]


@pytest.mark.parametrize(("arguments", "said"), CENSUS_MISTAKES)
def test_mistakes_about_a_census_are_one_sentence(
    census: Path, arguments: tuple[str, ...], said: str
) -> None:
    command, *options = arguments
    assert_one_sentence(actilaw(command, census, *options), said)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
def test_streams_that_are_closed(census: Path) -> None:
    """By the shell, by a reader that stops, and the stream for errors."""
    fit = f"{sys.executable} -m actilaw fit {census}"

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60
        )

    closed = run(f"{fit} >&-")
    assert (closed.returncode, closed.stderr.count("\n")) == (2, 1)
    assert "expected an open standard output" in closed.stderr
    stopped = run(f"set -o pipefail; {fit} | head -c 0")
    assert (stopped.returncode, stopped.stdout, stopped.stderr) in ((1, "", ""), (0, "", ""))
    silent = run(f"{sys.executable} -m actilaw fit nowhere 2>&-")
    assert (silent.returncode, silent.stdout) == (2, "")
    completion = run(f"_ACTILAW_COMPLETE=complete_bash COMP_WORDS='actilaw for' COMP_CWORD=1 {fit}")
    assert completion.stdout.split() == ["forecast"]
