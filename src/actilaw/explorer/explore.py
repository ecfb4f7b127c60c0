"""The public function `explore`; Dash is imported only when it is called."""

from __future__ import annotations

import math
import os
import threading
import webbrowser
from collections.abc import Callable

from actilaw.counts.census import Census
from actilaw.errors import InputError, needs_extra
from actilaw.explorer.census_source import CensusSource

__all__ = ["explore"]


def explore(
    census: Census | str | os.PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    every: float = 2.0,
    browser: bool = True,
    announce: Callable[[str], None] = print,
) -> None:
    """Open a local page on which N, D, c and b can be moved and every law moves with them; it is
    served until Ctrl-C, which returns.

    A census is laid over the law: its counted points, its forecast, and what can be removed. The
    file of a recording that still runs is read again whenever it is written.

    Args:
        census: counts to lay over the law; or the path of their file, which may still grow.
        host: address to serve on. That of another network interface lets others reach the page;
            anyone who does can read the census.
        port: 0 for any that is free; 8050 or the next free one by default.
        every: seconds between two looks at the file, at least 0.1.
        browser: whether to open the page in the browser.
        announce: is told the address of the page.

    Raises:
        FileError: if the file is missing or no census.
        InputError: if this is neither a census nor a path, the port is taken, or the address is
            none of this machine.
        MissingExtraError: if Dash is not installed.
    """
    if not 0.1 <= every < math.inf:
        raise InputError(f"expected at least 0.1 seconds between two looks, but got {every!r}")
    with needs_extra("explore"):
        from actilaw.explorer import server
        from actilaw.explorer.web_app import web_app
    source = None if census is None else CensusSource(census)
    app = web_app(source, every=every)
    serving, address = server.serving(app.server, host, port, app.csp_hashes())
    announce(address)
    if browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    try:
        serving.serve_forever()  # until Ctrl-C, after which it returns
    finally:
        serving.server_close()
