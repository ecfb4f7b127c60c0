"""What the page says, and that it needs nothing but itself."""

from __future__ import annotations

from html.parser import HTMLParser
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from actilaw import ActivationCounts, Census, LossLaw, fit_loss, report
from actilaw.counts.blocks import Blocks
from actilaw.pruning.result import PruneResult
from builders.drawn import draw_counts


class Page(HTMLParser):
    """The visible text of a page, the open tags, and what it would load from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.open, self.loads = "", [], []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data


def page_of(path) -> Page:
    return Page(path.read_text())


@pytest.mark.slow
def test_the_page_says_what_was_counted_and_needs_nothing_but_itself(
    tmp_path, counts: ActivationCounts
) -> None:
    page = page_of(report(Census({"relu": counts}), tmp_path / "page.html"))
    assert page.open == []
    assert all(link.startswith("#") or link == "data:," for link in page.loads)
    for said in (
        "Layer relu",
        f"{counts.working:,}",
        "working units K",
        "Reinforcement kernel",
        f"{counts.samples:,}",
        "Accumulation curve",
        "Idle share",
    ):
        assert said in page.text


@pytest.mark.slow
def test_an_early_forecast_is_judged_by_the_count(tmp_path) -> None:
    rng = np.random.default_rng(0)
    rates = rng.beta(0.3, 0.3 * 50 - 0.3, size=2000)
    first, later = rng.binomial(50, rates), rng.binomial(450, rates)
    census = Census({"relu": ActivationCounts(first + later, 500)})
    text = page_of(report(census, tmp_path / "page.html")).text
    assert "From the first 50 samples it forecast" in text
    assert f"{census['relu'].working:,} were counted" in text


@pytest.mark.slow
def test_a_layer_that_cannot_be_fitted_is_shown_with_the_reason(
    tmp_path, counts: ActivationCounts
) -> None:
    silent = ActivationCounts(np.zeros(5, int), 10)
    census = Census({"good": counts, "silent": silent})
    text = page_of(report(census, tmp_path / "page.html")).text
    assert "No law was fitted: no unit was ever activated" in text
    assert "Layer good" in text


@pytest.mark.slow
def test_an_early_part_without_a_law_costs_the_forecast_alone(tmp_path) -> None:
    late = np.random.default_rng(0).binomial(8, np.linspace(0.01, 0.9, 300), size=(20, 300))
    late[:2] = 0  # nothing fires in the first tenth
    blocks = Blocks(late, np.full(20, 8), 8)
    counts = ActivationCounts(late.sum(axis=0), 160, blocks=blocks)
    text = page_of(report(Census({"relu": counts}), tmp_path / "page.html")).text
    assert "No law was fitted" not in text
    assert "it forecast" not in text


def test_names_of_layers_cannot_smuggle_in_markup(tmp_path, counts: ActivationCounts) -> None:
    path = report(Census({"<script>alert(1)</script>": counts}), tmp_path / "page.html")
    assert "<script>alert(1)" not in path.read_text()
    assert "Layer <script>alert(1)</script>" in page_of(path).text


@pytest.mark.slow
def test_a_loss_law_says_what_the_losses_do_not_determine(tmp_path) -> None:
    sizes = np.geomspace(10, 1e5, 9)
    census = Census({"relu": draw_counts(500, 20, 0.3, 100, seed=0)})
    bare = fit_loss(sizes, 5 * sizes**-0.4, "activation")
    text = page_of(report(census, tmp_path / "a", loss=bare)).text
    assert bare.remarks()
    assert all(remark in text for remark in bare.remarks())
    assert bare.form.formula in text
    clear = fit_loss(sizes, LossLaw(0.2, 3, 300, 0.6).loss(sizes), "activation")
    assert clear.remarks() == ()


def test_the_page_tells_what_was_removed(tmp_path, counts: ActivationCounts) -> None:
    pruned = PruneResult(
        model=None,
        removed={"relu": np.arange(1500)},
        units_before={"relu": 2000},
        parameters_before=10_000,
        parameters_after=2_500,
        output_change=0.0,
    )
    text = page_of(report(Census({"relu": counts}), tmp_path / "page.html", pruned=pruned)).text
    assert "relu2,00050075.0%" in text
    assert "parameters10,0002,50075.0%" in text


@pytest.mark.slow
def test_a_page_can_be_written_where_the_package_is_not_installed(
    tmp_path, counts: ActivationCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_metadata(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("actilaw.support.version.version", no_metadata)
    text = page_of(report(Census({"relu": counts}), tmp_path / "page.html")).text
    assert "By actilaw unknown" in text
