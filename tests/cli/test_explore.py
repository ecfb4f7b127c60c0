"""The command `actilaw explore`, as a process that is stopped by Ctrl-C, and what it refuses."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from builders.command import actilaw, actilaw_started, assert_one_sentence

pytest.importorskip("dash")


@pytest.mark.slow
def test_it_serves_until_ctrl_c(census: Path) -> None:
    running = actilaw_started("explore", census, "--no-browser", "--port", 0)
    assert running.stdout is not None
    words = running.stdout.readline().split()
    assert words[0] == "Explorer:"
    assert words[1].startswith("http://127.0.0.1:")
    with urlopen(f"{words[1]}_dash-layout", timeout=60) as answer:
        assert b"first" in answer.read()
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert errors == "actilaw: stopped; the explorer writes no file\n"


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no census")
    assert_one_sentence(actilaw("explore", text), "is not one or is damaged")
    assert_one_sentence(actilaw("explore", tmp_path / "nowhere"), "there is no file")
    assert_one_sentence(actilaw("explore", "--port", "99999"), "expected a port in 0..65535")
    assert_one_sentence(actilaw("explore", "--every", "0"), "at least 0.1 seconds")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_sentence(actilaw("explore", "--port", port), f"port {port}", "is taken")
