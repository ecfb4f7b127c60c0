"""Pages opened in the chromium of the system: what they draw, whom they ask, and whether a screen
reader can read them. Tests that need it are skipped where there is none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
LOCAL_SCHEMES = ("file", "data", "blob", "about")
SERIOUS = ("serious", "critical")  # faults by axe-core's own scale
NARROW, WIDE = 360, 1600  # pixels: a telephone, and a large screen

# Everything that is wider than what holds it, but for what scrolls inside its own box.
TOO_WIDE = """() => {
  const found = [], page = document.documentElement;
  const scrolls = element => element && element !== page && (
    ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(element).overflowX)
    || scrolls(element.parentElement));
  if (page.scrollWidth > page.clientWidth) found.push(`page: ${page.scrollWidth}`);
  for (const element of document.querySelectorAll("body *")) {
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.right > page.clientWidth + 1 && !scrolls(element.parentElement))
      found.push(`${element.tagName} ${element.className} ends at ${Math.round(box.right)}`);
  }
  for (const card of document.querySelectorAll(".card")) {
    const inside = card.getBoundingClientRect();
    for (const element of card.querySelectorAll("*")) {
      const box = element.getBoundingClientRect();
      if (box.width > 0 && box.right > inside.right + 1 && !element.closest(".wide"))
        found.push(`${element.tagName} ${element.className} leaves its card at ${box.right}`);
    }
  }
  return found;
}"""


@dataclass
class Visit:
    """A page that was opened, and what came of it.

    Attributes:
        page: of Playwright.
        errors: what went wrong on it, as the console tells: errors and uncaught exceptions.
        outside: addresses that it asked for beyond itself and its own server.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def serious_faults(self) -> list[str]:
        """Serious and critical faults that axe-core finds in the page as it stands: rule, and the
        elements that break it.
        """
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{fault['id']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
            for fault in found
            if fault["impact"] in SERIOUS
        ]

    def too_wide(self) -> list[str]:
        """Elements that reach beyond the page or their card, but for tables that scroll."""
        return self.page.evaluate(TOO_WIDE)

    def scroll_through(self, pause: int = 60) -> None:
        """Scroll to the end of the page, a screen at a time, as somebody who reads all of it does.

        Args:
            pause: on each screen, in milliseconds.
        """
        page = self.page
        page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
        while True:
            before = page.evaluate("scrollY")
            page.evaluate("scrollBy({top: 0.8 * innerHeight, behavior: 'instant'})")
            page.wait_for_timeout(pause)
            if page.evaluate("scrollY") == before:
                return


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The chromium of the system, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def visit(
    browser: Any,
    address: str | Path,
    *,
    width: int = 1280,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Visit]:
    """Open a page and close it again.

    Args:
        browser: the fixture.
        address: a URL, or the path of a file.
        width: of the window, in pixels.
        height: of the window, in pixels.
        scheme: the colours that the reader prefers.
    """
    url = address.resolve().as_uri() if isinstance(address, Path) else address
    own = urlsplit(url).netloc
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    seen = Visit(page)

    def note_request(request: Any) -> None:
        asked = urlsplit(request.url)
        if asked.scheme not in LOCAL_SCHEMES and asked.netloc != own:
            seen.outside.append(request.url)

    def note_console(message: Any) -> None:
        if message.type == "error":
            seen.errors.append(message.text)

    page.on("request", note_request)
    page.on("console", note_console)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    try:
        page.goto(url)
        yield seen
    finally:
        context.close()
