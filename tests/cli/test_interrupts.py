"""Ctrl-C in commands that run as processes of their own: one sentence, status 130, whole files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actilaw import Census, load
from builders.command import actilaw_started
from builders.drawn import draw_counts

PATIENCE = 120.0  # seconds
NET = """
import time
from pathlib import Path
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))

def batches():
    return torch.randn(3, 200, 6, generator=torch.Generator().manual_seed(1))

def stuck():
    yield from batches()
    Path("begun").touch()
    time.sleep(600)

class Slow(nn.Sequential):
    def forward(self, x):
        Path("begun").touch()
        time.sleep(600)

def slow():
    return Slow(*model())
"""
# A command whose work never ends: what it calls is replaced before it runs.
NEVER_ENDING = """
import time
from pathlib import Path
import {module} as module

def work(*arguments, progress=None, **options):
    if progress is not None:
        progress(3, 24)
    Path("begun").touch()
    time.sleep(600)

module.{function} = work
from actilaw.cli.app import main
main()
"""
LAYERS = {name: draw_counts(300, 9, 0.3, 200, seed=1) for name in ("a", "b")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    Census(LAYERS).save(tmp_path / "layers.census")
    (tmp_path / "losses.csv").write_text("samples,loss\n" + "10,1\n" * 9)
    return tmp_path


def interrupted(running: subprocess.Popen[str], folder: Path) -> tuple[int, str, str]:
    """Status and both streams of a command that Ctrl-C stops once it is at work."""
    begun = time.monotonic()
    while not (folder / "begun").exists():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=PATIENCE)
    return running.returncode, out, errors


def never_ending(module: str, function: str, *arguments: str) -> list[str]:
    code = NEVER_ENDING.format(module=module, function=function)
    return [sys.executable, "-c", code, *arguments]


@pytest.mark.slow
def test_a_recording_keeps_its_whole_batches(folder: Path) -> None:
    command = ("record", "--model", "net:model", "--data", "net:stuck", "-o", "out.census")
    status, out, errors = interrupted(actilaw_started(*command, folder=folder), folder)
    assert (status, out) == (130, "")
    assert errors == (
        f"actilaw: stopped; the counts of 3 batches are saved in {folder / 'out.census'}; the same "
        "command goes on from there\n"
    )
    assert load(folder / "out.census")["1"].samples == 600


@pytest.mark.slow
def test_a_removal_leaves_no_folder(folder: Path) -> None:
    command = ("prune", "--model", "net:slow", "--data", "net:batches", "-o", "smaller")
    running = actilaw_started(*command, "--counts", "layers.census", folder=folder)
    status, out, errors = interrupted(running, folder)
    assert (status, out, errors) == (130, "", "actilaw: stopped; smaller is not written\n")
    assert not (folder / "smaller").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "function", "arguments", "left"),
    [
        (
            "actilaw.cli.report",
            "report",
            ("report", "layers.census", "-o", "page.html"),
            "reading layers, 3 of 24 done; page.html is as it was before",
        ),
        (
            "actilaw.cli.report",
            "report",
            ("report", "layers.census", "-o", "new.html"),
            "reading layers, 3 of 24 done; new.html is not written",
        ),
        (
            "actilaw.cli.laws",
            "fit",
            ("fit", "layers.census"),
            "computing, layer by layer, none done",
        ),
        (
            "actilaw.cli.loss",
            "fit_loss",
            ("loss", "losses.csv", "--json"),
            "",
        ),
        ("actilaw.cli.recording", "Census.load", ("merge", "a", "-o", "sum"), "sum is not written"),
    ],
)
def test_what_takes_long_says_what_it_left(
    folder: Path, module: str, function: str, arguments: tuple[str, ...], left: str
) -> None:
    (folder / "page.html").write_text("before")
    running = subprocess.Popen(
        never_ending(module, function, *arguments),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    status, out, errors = interrupted(running, folder)
    assert (status, out) == (130, "")
    assert errors.startswith("actilaw: stopped; ")
    assert errors.count("\n") == 1
    assert errors.endswith(f"{left}\n")
    assert (folder / "page.html").read_text() == "before"
    assert not {"new.html", "sum"} & set(os.listdir(folder))
