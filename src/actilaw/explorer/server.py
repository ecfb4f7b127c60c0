"""The explorer's server: on this machine alone, unless another address is named.

A page of the web can make a browser ask 127.0.0.1 under a name of its own (DNS rebinding). So
requests whose Host or Origin is not a name of this machine are refused, unless the user named an
address that others are meant to reach.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from actilaw.errors import InputError, needs_extra

with needs_extra("explore"):
    from flask import Flask, Response, request
    from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

LOCAL_HOST = "127.0.0.1"
FIRST_PORT = 8050
PORTS_TRIED = 50
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'; object-src 'none'"
)


class QuietHandler(WSGIRequestHandler):
    """Requests without a line for each of them in the terminal."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nothing."""


def guard(app: Flask, host: str, script_hashes: Sequence[str]) -> None:
    """Refuse requests under foreign names where only this machine is served, and tell browsers that
    the page asks no other host.

    Args:
        app: what serves the page.
        host: the address that it is bound to.
        script_hashes: of the scripts that stand in the page itself.
    """
    policy = CONTENT_POLICY.format(scripts=" ".join(script_hashes))

    @app.before_request
    def refuse_foreign_names() -> Response | None:
        if is_local(host) and not all(map(_is_local_name, _names_asked())):
            text = "This page is for this machine alone: open it by 127.0.0.1 or localhost.\n"
            return Response(text, status=403, mimetype="text/plain")
        return None

    @app.after_request
    def add_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def is_local(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens.

    Args:
        host: an address of this machine.
        port: in 0..65535, 0 for any that is free; None for 8050, or the next that is free.

    Raises:
        InputError: if the port is taken, or the address is none of this machine.
    """
    if port is not None and not 0 <= port <= 65535:
        raise InputError(f"expected a port in 0..65535, but got {port}")
    first = FIRST_PORT if port is None else port
    last = first + PORTS_TRIED if port is None else first + 1
    for tried in range(first, last):
        try:
            return _bound(host, tried)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise InputError(
                    f"expected an address of this machine and a free port, but {host} port "
                    f"{tried} cannot be used ({error.strerror}): leave out --host, "
                    "or take another --port"
                ) from error
    where = f"port {first}" if port is not None else f"all ports from {first} to {last - 1}"
    raise InputError(
        f"expected a free port, but {where} of {host} "
        f"{'is' if port is not None else 'are'} taken by another program: take another, or 0 for "
        "any that is free"
    )


def serving(
    app: Flask, host: str, port: int | None, script_hashes: Sequence[str]
) -> tuple[BaseWSGIServer, str]:
    """A server of the application, which listens already, and its address for a browser.

    Args:
        app: what serves the page; it is guarded by `guard`.
        host: an address of this machine.
        port: as for `listening`.
        script_hashes: as for `guard`.

    Raises:
        InputError: as `listening`.
    """
    guard(app, host, script_hashes)
    with listening(host, port) as listener:  # the server takes a copy
        bound, number = listener.getsockname()[:2]
        server = make_server(
            bound, number, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno()
        )
    shown = {"0.0.0.0": LOCAL_HOST, "::": "::1"}.get(host, host)
    return server, f"http://[{shown}]:{number}/" if ":" in shown else f"http://{shown}:{number}/"


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # where it would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _names_asked() -> list[str]:
    """Hosts that the request names: the one asked, and the one whose page asks."""
    named = [f"//{request.headers.get('Host', '')}"]
    if "Origin" in request.headers:
        named.append(request.headers["Origin"])
    return named


def _is_local_name(address: str) -> bool:
    try:
        return is_local(urlsplit(address).hostname or "")
    except ValueError:
        return False
