"""README shows the example that is run, and no number of lines more than it promises."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import actilaw
from builders.drawn import draw_blocks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def lines_of(code: str) -> list[str]:
    return [line for line in code.splitlines() if line.strip()]


def test_readme_begins_with_a_sentence_a_picture_five_lines_and_two_commands() -> None:
    first_screen = README.split("\n## ")[0]
    assert first_screen.count("](docs/assets/") == 1
    [shown] = re.findall(r"-->\n```python\n(.*?)```", first_screen, flags=re.DOTALL)
    assert len(lines_of(shown)) <= 5
    [commands] = re.findall(r"```sh\n(.*?)```", first_screen, flags=re.DOTALL)
    assert len(lines_of(commands)) == 2
    assert "|---|" not in first_screen


def test_the_code_in_readme_is_the_example_in_under_fifteen_lines() -> None:
    *_, shown = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    example = (ROOT / "examples" / "main_job.py").read_text()
    assert example.endswith(shown)
    assert len(lines_of(shown)) < 15


def test_every_public_name_of_the_package_has_a_docstring() -> None:
    for name in actilaw.__all__:
        assert getattr(actilaw, name).__doc__, name


@pytest.mark.slow
def test_what_users_hold_prints_in_a_few_lines() -> None:
    rng = np.random.default_rng(0)
    counts = draw_blocks(rng.beta(0.4, 20, size=900), blocks=32, size=8, rng=rng)
    fitted = actilaw.fit(counts)
    held = [counts, counts.blocks, fitted, fitted.forecaster, actilaw.Census({"relu": counts})]
    held.append(actilaw.fit_loss(np.geomspace(1, 1e4, 9), np.geomspace(3, 1, 9)))
    for value in held:
        text = repr(value)
        assert text.startswith(f"<{type(value).__name__}")
        assert text.endswith(">")
        assert len(text) < 500


def test_classes_that_need_torch_are_found_when_asked_for() -> None:
    assert isinstance(actilaw.counter(), actilaw.Counter)
    assert actilaw.Recorder.__module__ == "actilaw.recording.recorder"
    assert not hasattr(actilaw, "recorder_of_nothing")


def test_links_in_readme_and_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
