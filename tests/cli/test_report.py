"""`actilaw report`: a page from a census."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.command import actilaw, assert_one_sentence


@pytest.mark.slow
def test_report_writes_a_page(census: Path, tmp_path: Path) -> None:
    done = actilaw("report", census, "-o", "page.html", folder=tmp_path)
    assert done.returncode == 0
    assert str(tmp_path / "page.html") in done.stdout
    assert "Layer second" in (tmp_path / "page.html").read_text()


def test_a_page_that_cannot_be_written_is_a_mistake(census: Path) -> None:
    done = actilaw("report", census, "-o", "/nowhere/page.html")
    assert_one_sentence(done, "folder /nowhere does not exist")
