from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path

import pytest

from actilaw import report
from actilaw.errors import FileError
from actilaw.study.claims.examine import CLAIMS, examine
from actilaw.study.readings import readings
from builders.command import actilaw, assert_one_sentence
from builders.filled_study import filled_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_study(tmp_path_factory.mktemp("page") / "study").folder


@pytest.mark.slow
def test_the_page_has_a_figure_for_each_claim_and_every_verdict(folder: Path) -> None:
    from actilaw.study.store import Study

    study = Study(folder)
    page = report(study, folder / "page.html").read_text()
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
