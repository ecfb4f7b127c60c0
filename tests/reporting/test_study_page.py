from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pytest

from actilaw import report
from actilaw.errors import FileError
from actilaw.study.claims.examine import CLAIMS, examine
from actilaw.study.readings import readings
from builders.browser import NARROW, WIDE, visit
from builders.command import actilaw, assert_one_sentence
from builders.filled_study import filled_study

# Titles of axes that reach beyond their card.
CUT_OFF = """() => [...document.querySelectorAll(".xtitle, .ytitle")].filter(title => {
  const card = title.closest("figure").getBoundingClientRect(), box = title.getBoundingClientRect();
  return box.left < card.left || box.right > card.right;
}).map(title => title.textContent)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_study(tmp_path_factory.mktemp("page") / "study").folder


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    from actilaw.study.store import Study

    return report(Study(folder), folder / "page.html")


@pytest.mark.slow
def test_the_page_has_a_figure_for_each_claim_and_every_verdict(
    folder: Path, written: Path
) -> None:
    from actilaw.study.store import Study

    study, page = Study(folder), written.read_text()
    found = examine(readings(study))
    for result in found:
        for statement in result.table()["statement"]:
            assert escape(statement) in page
    assert page.count('class="plot"') == len(CLAIMS)  # one task
    for verdict in ("holds", "fails", "cannot be told"):
        assert page.count(f">{verdict}</b>") == sum(
            (result.table()["verdict"] == verdict).sum() for result in found
        )
    # Nothing is requested: no script, style or picture from elsewhere.
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="http', page)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(NARROW, "dark"), (WIDE, "light")])
def test_every_figure_fits_its_card(written: Path, browser: Any, width: int, scheme: Any) -> None:
    with visit(browser, written, width=width, scheme=scheme) as seen:
        seen.scroll_through()
        seen.page.wait_for_function("!document.querySelector('.plot:not([data-drawn])')")
        assert seen.page.locator(".plot .trace").count() >= len(CLAIMS)
        assert seen.too_wide() == []
        assert seen.page.evaluate(CUT_OFF) == []
        assert seen.serious_faults() == []
        assert seen.errors == []
        assert seen.outside == []


@pytest.mark.slow
def test_claims_and_report_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    document = json.loads(actilaw("study", "claims", folder, "--json").stdout)
    assert list(document) == list(CLAIMS)
    assert document["exponent"]["verdicts"][0]["task"] == "digits"
    shown = actilaw("study", "claims", folder, "--claims", "exponent").stdout
    assert "0 < α < 1" in shown
    assert document["exponent"]["verdicts"][0]["verdict"] in shown
    page = tmp_path / "page.html"
    done = actilaw("study", "report", folder, "-o", page)
    assert page.exists()
    assert str(page) in done.stdout


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    for command in ("claims", "report"):
        done = actilaw("study", command, tmp_path)
        assert_one_sentence(done, "expected the folder of a study")


@pytest.mark.slow
def test_unknown_claims_and_closed_folders_are_one_sentence(folder: Path) -> None:
    done = actilaw("study", "claims", folder, "--claims", "growth")
    assert_one_sentence(done, "expected claims among accumulation")
    done = actilaw("study", "report", folder, "-o", "/nowhere/page.html")
    assert_one_sentence(done, "the folder /nowhere does not exist")
    from actilaw.study.store import Study

    with pytest.raises(FileError, match="does not exist"):
        report(Study(folder), "/nowhere/page.html")
