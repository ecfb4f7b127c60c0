"""The report as people use it: in a browser, narrow and wide, light and dark, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actilaw import ActivationCounts, Census, LossLaw, fit, fit_loss, report
from builders.browser import NARROW, WIDE, Visit, visit
from builders.drawn import draw_blocks, draw_counts

EVIL = "</script><img src=x onerror=alert(1)>"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def census() -> Census:
    rng = np.random.default_rng(0)
    return Census(
        {
            "layer.10": draw_blocks(rng.beta(0.3, 0.3 * 50 - 0.3, 600), 16, 64, rng),
            EVIL: draw_counts(900, 20, 0.5, 700, seed=2),
            "layer.9": ActivationCounts(np.zeros(40, int), 100),
        }
    )


@pytest.fixture(scope="module")
def page(census: Census, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = np.geomspace(10, 1e5, 9)
    loss = fit_loss(sizes, LossLaw(0.2, 3, 300, 0.6).loss(sizes), "activation")
    return report(census, tmp_path_factory.mktemp("page") / "report.html", loss=loss)


@pytest.fixture
def wide(browser: Any, page: Path) -> Iterator[Visit]:
    with visit(browser, page, width=WIDE) as seen:
        yield seen
        assert seen.errors == []
        assert seen.outside == []


def drawn(seen: Visit) -> int:
    return seen.page.locator(".plot[data-drawn]").count()


def wait_until_drawn(seen: Visit) -> None:
    seen.scroll_through()
    seen.page.wait_for_function("!document.querySelector('.plot:not([data-drawn])')")


def first_column(seen: Visit) -> list[str]:
    return seen.page.locator(".layers tbody tr:visible th").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_anybody_can_read_it_on_any_screen(
    browser: Any, page: Path, width: int, scheme: Any
) -> None:
    with visit(browser, page, width=width, scheme=scheme) as seen:
        wait_until_drawn(seen)
        assert drawn(seen) == 4 * 2 + 1
        assert seen.serious_faults() == []
        assert seen.too_wide() == []
        assert seen.errors == []
        assert seen.outside == []


def test_figures_wait_until_they_come_into_sight(wide: Visit) -> None:
    wide.page.wait_for_selector(".plot[data-drawn]")
    wide.page.wait_for_timeout(300)
    assert 0 < drawn(wide) < 9
    wait_until_drawn(wide)
    for plot in wide.page.locator(".plot").all():
        assert plot.locator(".trace").count() >= 2


def test_what_is_drawn_is_what_was_counted(wide: Visit, census: Census) -> None:
    wait_until_drawn(wide)
    traces = wide.page.evaluate("document.querySelector('#layer-1 .plot').data")
    counts, found = census["layer.10"], {trace["name"]: trace for trace in traces}
    d, k = found["counted"]["x"], found["counted"]["y"]
    assert (d[0], d[-1], k[-1]) == (1, counts.samples, counts.working)
    # The mean over units of the hypergeometric chance to be among d samples, from a drawn order.
    np.testing.assert_allclose(k[0], counts.counts.sum() / counts.samples, rtol=1e-3)
    ahead = found[f"forecast from all {counts.samples:,}"]
    expected = fit(counts).forecast(ahead["x"])["expected"]
    np.testing.assert_allclose(ahead["y"], expected, rtol=1e-3)
    marks = wide.page.evaluate(
        "document.querySelector('#layer-1 .plot').layout.annotations.map(mark => mark.text)"
    )
    assert {"knee", "inflection"} < set(marks)


def test_the_table_is_sorted_by_its_header(wide: Visit, census: Census) -> None:
    names = list(census)
    assert first_column(wide) == names
    button = wide.page.get_by_role("button", name="working")
    button.click()
    by_working = sorted(names, key=lambda name: -census[name].working)
    assert first_column(wide) == by_working
    button.press("Enter")
    assert first_column(wide) == by_working[::-1]
    assert wide.page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    wide.page.keyboard.press("Tab")
    assert wide.page.evaluate("document.activeElement.textContent") == "idle"
    wide.page.keyboard.press("Space")
    assert wide.page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert first_column(wide)[0] == "layer.9"
    wide.page.get_by_role("button", name="layer", exact=True).click()
    assert first_column(wide)[1:] == ["layer.9", "layer.10"]  # as people count
    for _ in range(2):  # what has no value comes last, whichever way
        wide.page.get_by_role("button", name="b ± error").click()
        assert first_column(wide)[-1] == "layer.9"


def test_the_table_is_filtered_by_text_and_leads_to_its_layers(wide: Visit) -> None:
    field = wide.page.get_by_label("Filter layers")
    field.focus()
    wide.page.keyboard.type("LAYER 9")
    assert first_column(wide) == ["layer.9"]
    assert wide.page.get_by_role("status").inner_text() == "1 of 3 layers"
    wide.page.keyboard.press("Control+A")
    wide.page.keyboard.press("Delete")
    assert len(first_column(wide)) == 3
    wide.page.get_by_role("link", name="layer.9").press("Enter")
    wide.page.wait_for_function("location.hash === '#layer-3'")
    place = wide.page.locator("#layer-3-title")
    place.scroll_into_view_if_needed()
    assert place.inner_text() == "Layer layer.9"


def test_names_are_names_wherever_they_stand(wide: Visit) -> None:
    wait_until_drawn(wide)
    assert wide.page.locator("img").count() == 0
    assert wide.page.locator("#layer-2-title").inner_text() == f"Layer {EVIL}"
    assert "No law was fitted" in wide.page.locator("#layer-3").inner_text()


def test_a_figure_tells_its_numbers_and_has_a_text_instead(wide: Visit, census: Census) -> None:
    wide.page.locator("#layer-2 details").first.locator("summary").press("Enter")
    table = wide.page.locator("#layer-2 .numbers table").first
    table.wait_for()
    rows = [row.split("\t") for row in table.inner_text().splitlines()]
    counted = [row for row in rows if row[0] == "counted"]
    assert counted[-1][1:3] == ["700", f"{census[EVIL].working:,}"]
    figure = wide.page.locator("#layer-2 .plot").first
    assert f"{census[EVIL].working:,} of 900 units work" in figure.get_attribute("aria-label")


def test_the_first_tab_leads_to_the_content(wide: Visit) -> None:
    wide.page.keyboard.press("Tab")
    assert wide.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    box = wide.page.locator(".skip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    wide.page.keyboard.press("Enter")
    assert wide.page.evaluate("document.activeElement.id") == "main"


def test_colours_follow_the_reader_and_paper_is_light(wide: Visit) -> None:
    wide.page.wait_for_selector(".plot[data-drawn]")
    colour = "document.querySelector('.plot[data-drawn]').data.at(-1).marker.color"
    light = wide.page.evaluate(colour)
    wide.page.emulate_media(color_scheme="dark")
    wide.page.wait_for_function(f"{colour} !== '{light}'")
    wide.page.wait_for_function("window.Plotly")
    wide.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert wide.page.evaluate(colour) == light
    assert drawn(wide) == wide.page.locator(".plot").count()
    wide.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert wide.page.evaluate(colour) != light


def test_without_scripts_the_tables_are_there(browser: Any, page: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(page.as_uri())
    assert plain.locator(".layers tbody tr").count() == 3
    assert "Without JavaScript the figures are missing" in plain.locator("noscript").inner_text()
    context.close()
