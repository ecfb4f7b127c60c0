"""The bar of work that takes long: on a terminal alone, and not before its time."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

import actilaw.cli.progress as module
from actilaw.cli.progress import bar_if_slow


class AtOnce:
    """In place of a timer whose time has come."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self.call, self.daemon = call, False

    def start(self) -> None:
        self.call()

    def cancel(self) -> None: ...

    def join(self) -> None: ...


class Never(AtOnce):
    """In place of one whose time does not come before the work is done."""

    def start(self) -> None: ...


def shown(monkeypatch: pytest.MonkeyPatch, timer: type, *, terminal: bool) -> str:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80)
    monkeypatch.setattr(module, "Console", lambda **_: console)
    monkeypatch.setattr(module, "Timer", timer)
    with bar_if_slow("reading layers") as progress:
        for done in range(1, 4):
            progress(done, 4)
    return written.getvalue()


def test_work_that_takes_long_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, AtOnce, terminal=True)
    assert "reading layers" in text
    assert "3/4" in text


def test_short_work_and_files_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Never, terminal=True) == ""
    assert shown(monkeypatch, AtOnce, terminal=False) == ""
