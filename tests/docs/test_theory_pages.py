"""Every number printed on the pages about the theory is recomputed."""

import doctest
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "theory").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_numbers_on_the_page_are_right(page):
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 0 or page.stem in ("index", "numerics")


def test_pages_are_found():
    assert "design" in [page.stem for page in PAGES]
