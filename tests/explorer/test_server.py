"""Who may ask the explorer's server, and where it listens."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from actilaw import InputError, explore

server = pytest.importorskip("actilaw.explorer.server")
web_app = pytest.importorskip("actilaw.explorer.web_app")


@contextmanager
def served(host: str = "127.0.0.1") -> Iterator[str]:
    app = web_app.web_app(None)
    running, address = server.serving(app.server, host, 0, app.csp_hashes())
    thread = Thread(target=running.serve_forever)
    thread.start()
    try:
        yield address
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def status(address: str, **headers: str) -> int:
    try:
        with urlopen(Request(address, headers=headers), timeout=20) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


@pytest.mark.slow
def test_foreign_names_are_refused_where_this_machine_alone_is_served() -> None:
    with served() as address:
        port = address.rpartition(":")[2].strip("/")
        for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
            assert status(address, Host=f"{name}:{port}") == 200
        for name in ("evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "[", "a@b"):
            assert status(address, Host=f"{name}:{port}") in (400, 403), name
        assert status(address, Origin=f"http://localhost:{port}") == 200
        assert status(address, Origin="http://evil.example") == 403
        assert status(address, Origin="null") == 403
        for page in ("_dash-layout", "_dash-dependencies", "assets/explorer.css"):
            assert status(f"{address}{page}", Host="evil.example") == 403


@pytest.mark.slow
def test_an_address_for_others_is_open_to_all_names() -> None:
    with served("0.0.0.0") as address:
        assert address.startswith("http://127.0.0.1:")
        assert status(address, Host="laboratory.example") == 200


@pytest.mark.slow
def test_browsers_are_told_to_ask_no_other_host() -> None:
    with served() as address, urlopen(address, timeout=20) as answer:
        policy = answer.headers["Content-Security-Policy"]
        page = answer.read().decode()
    assert policy.startswith("default-src 'self'; script-src 'self' 'sha256-")
    assert "http://" not in page
    assert "https://" not in page
    assert '<html lang="en">' in page


def test_a_port_that_is_taken_is_a_sentence_or_the_next_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port} of 127.0.0.1 is taken"):
            server.listening("127.0.0.1", port)


def test_the_next_free_port_is_taken_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "FIRST_PORT", port)
        with server.listening("127.0.0.1", None) as listener:
            assert port < listener.getsockname()[1] < port + 50


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("127.0.0.1", -1, "expected a port in 0..65535"),
        ("127.0.0.1", 65536, "expected a port in 0..65535"),
        ("192.0.2.1", 0, "an address of this machine"),
        ("no such host", 0, "an address of this machine"),
    ],
)
def test_what_cannot_be_listened_on_is_a_sentence(host: str, port: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        server.listening(host, port)


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf")])
def test_looks_at_the_file_have_some_time_between_them(every: float) -> None:
    with pytest.raises(InputError, match=r"at least 0\.1 seconds"):
        explore(every=every, browser=False)


def test_which_addresses_are_of_this_machine_alone() -> None:
    names: dict[str, Any] = {
        "localhost": True,
        "127.8.8.8": True,
        "::1": True,
        "0.0.0.0": False,
        "::": False,
        "evil.example": False,
        "": False,
    }
    assert {name: server.is_local(name) for name in names} == names
