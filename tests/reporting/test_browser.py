"""That the tests in a browser would see what they look for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.browser import visit

FAULTY = """<!doctype html><html lang="en"><head><title>x</title></head><body>
<div class="card" style="width:200px"><div style="width:300px">broad</div></div>
<div style="width:3000px">broader</div><button></button>
<script>fetch("http://192.0.2.1/asked").catch(() => 0); missing();</script></body></html>"""
SOUND = """<!doctype html><html lang="en"><head><title>x</title></head><body><main>
<h1>Sound</h1></main></body></html>"""


@pytest.mark.slow
def test_a_faulty_page_is_seen_through(tmp_path: Path, browser: Any) -> None:
    page = tmp_path / "page.html"
    page.write_text(FAULTY)
    with visit(browser, page) as seen:
        assert any("missing is not defined" in error for error in seen.errors)
        assert seen.outside == ["http://192.0.2.1/asked"]
        assert any(fault.startswith("button-name") for fault in seen.serious_faults())
        assert any("leaves its card" in place for place in seen.too_wide())
        assert any("page: " in place for place in seen.too_wide())


@pytest.mark.slow
def test_a_sound_page_has_no_fault(tmp_path: Path, browser: Any) -> None:
    page = tmp_path / "page.html"
    page.write_text(SOUND)
    with visit(browser, page, width=360, scheme="dark") as seen:
        assert seen.errors == []
        assert seen.outside == []
        assert seen.serious_faults() == []
        assert seen.too_wide() == []
        assert seen.page.evaluate("innerWidth") == 360
        assert seen.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
