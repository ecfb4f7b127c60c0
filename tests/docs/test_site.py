"""The documentation site: what is on it, and that it builds without a warning and asks no other
host for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import actilaw

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RESULTS = ["recording.recorder.Recorder", "recording.counter.Counter"]  # not in __all__
# What makes a browser fetch something: attributes of a page, and rules of a style sheet.
FETCHES = r"""(?:<(?:script|img|iframe|source)\b[^>]*\bsrc|<link\b[^>]*\bhref)=["']?https?://"""
STYLES = r"url\(\s*[\"']?https?://|@import\s+[\"']?https?://"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stdout + done.stderr
    return folder


def test_every_public_name_is_in_the_api_reference() -> None:
    shown = set()
    for page in (DOCS / "api").glob("*.md"):
        shown |= set(re.findall(r"^::: actilaw\.(\S+)$", page.read_text(), flags=re.MULTILINE))
    assert set(actilaw.__all__) - shown == set()
    assert set(RESULTS) - shown == set()


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE))
    assert listed == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


def test_lines_of_the_pages_are_short_enough_to_read() -> None:
    for page in DOCS.rglob("*.md"):
        for number, line in enumerate(page.read_text().splitlines(), 1):
            assert len(line) <= 120 or line.startswith("|"), f"{page.name}, line {number}"


def test_figures_are_small() -> None:
    figures = [file for file in (DOCS / "assets").iterdir() if file.suffix in (".svg", ".png")]
    assert figures
    for figure in figures:
        assert figure.stat().st_size < 150_000, figure.name


@pytest.mark.slow
def test_the_site_asks_no_other_host_for_anything(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not re.search(FETCHES, page.read_text()), page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(STYLES, sheet.read_text()), sheet.name


@pytest.mark.slow
def test_formulas_are_rendered(site: Path) -> None:
    for page in (site / "theory").glob("*.html"):
        text = re.sub(r"<pre.*?</pre>|<code.*?</code>|<script.*?</script>", "", page.read_text())
        assert "$" not in text, page.name
    assert (site / "theory" / "loss.html").read_text().count("<math") > 20
