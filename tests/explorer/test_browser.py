"""The explorer in a browser: sliders move the curves to what `ActivationLaw` gives, a census is
laid over them, and a file that is written again is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from actilaw import ActivationLaw, Census, fit, load
from actilaw.explorer.census_source import CensusSource
from builders.browser import NARROW, WIDE, Visit, visit
from builders.drawn import draw_blocks

server = pytest.importorskip("actilaw.explorer.server")
web_app = pytest.importorskip("actilaw.explorer.web_app")

HOSTILE = "<img src=x onerror=alert(1)>\x1b"
PATIENCE = 30_000  # milliseconds
POINT_D = """() => {
  const drawn = document.querySelector("#ID .js-plotly-plot");
  const point = drawn && drawn.data && drawn.data.find(one => one.name === "NAME");
  return point ? [point.x, point.y] : null;
}"""


@contextmanager
def opened(browser: Any, file: Path | None, **window: Any) -> Iterator[Visit]:
    """The page of the explorer, served from a thread; nothing may go wrong on it."""
    source = None if file is None else CensusSource(file)
    app = web_app.web_app(source, every=0.2)
    running, address = server.serving(app.server, "127.0.0.1", 0, app.csp_hashes())
    thread = Thread(target=running.serve_forever)
    thread.start()
    try:
        with visit(browser, address, **window) as seen:
            seen.page.wait_for_selector("#idle .js-plotly-plot .xaxislayer-above", timeout=PATIENCE)
            seen.page.wait_for_selector("#law-answers table", timeout=PATIENCE)
            yield seen
            assert seen.errors == []
            assert seen.outside == []
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def drawn(seen: Visit, figure: str, name: str) -> tuple[list[float], list[float]] | None:
    """A line of a figure, as the browser has it."""
    return seen.page.evaluate(POINT_D.replace("ID", figure).replace("NAME", name))


def wait_for(seen: Visit, condition: Callable[[], bool]) -> None:
    for _ in range(PATIENCE // 50):
        if condition():
            return
        seen.page.wait_for_timeout(50)
    raise AssertionError("nothing came of it")


def law_of(seen: Visit) -> tuple[ActivationLaw, int]:
    """The law that the fields of the page name."""
    units, samples, active, b = (
        float(seen.page.input_value(f"#{name}-number"))
        for name in ("units", "samples", "active", "b")
    )
    return ActivationLaw(units, active, b), int(samples)


def require_curves_of_the_law(seen: Visit) -> None:
    """Wait until all figures show the law of the fields, and compare every point."""
    law, samples = law_of(seen)

    def is_there() -> bool:
        point = drawn(seen, "accumulation", "D")
        return point == [[samples], [pytest.approx(float(law.working(samples)), rel=1e-12)]]

    wait_for(seen, is_there)
    x, y = drawn(seen, "accumulation", "law, mean field") or ([], [])
    np.testing.assert_allclose(y, law.working(x, exact=False), rtol=1e-9)
    x, y = drawn(seen, "idle", "law, exact") or ([], [])
    np.testing.assert_allclose(y, law.idle_fraction(x), rtol=1e-9)
    name = f"law after {samples:,} samples"
    k, y = drawn(seen, "counts", name) or ([], [])
    np.testing.assert_allclose(y, law.count_pmf(np.array(k, int), samples), rtol=1e-9)
    k, y = drawn(seen, "reinforcement", name) or ([], [])
    np.testing.assert_allclose(y, law.rate_posterior(k, samples), rtol=1e-9)
    assert f"{law.alpha:.6g}" in seen.page.inner_text("#numbers")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return census(blocks=8).save(tmp_path / "a.census")


def census(blocks: int) -> Census:
    rng = np.random.default_rng(5)
    wide = draw_blocks(rng.beta(0.3, 0.3 * (800 / 20 - 1), 800), 16, 32, rng).prefix(blocks)
    other = draw_blocks(rng.beta(0.6, 0.6 * (300 / 9 - 1), 300), 16, 32, rng).prefix(blocks)
    silent = draw_blocks(np.zeros(20), 16, 32, rng)
    return Census({"wide": wide, HOSTILE: other, "silent": silent})


@pytest.mark.slow
def test_sliders_and_numbers_move_every_law(browser: Any) -> None:
    with opened(browser, None) as seen:
        require_curves_of_the_law(seen)
        for name, position in (("units", 5.5), ("samples", 8.25), ("active", 0.5), ("b", 0.77)):
            before = seen.page.input_value(f"#{name}-number")
            seen.page.fill(f"#{name}-slider", str(position))
            wait_for(seen, lambda: seen.page.input_value(f"#{name}-number") != before)  # noqa: B023
            require_curves_of_the_law(seen)
        assert law_of(seen) == (ActivationLaw(316_000, 3.16, 0.77), 178_000_000)

        seen.page.fill("#b-number", "1.234567")
        wait_for(seen, lambda: seen.page.input_value("#b-slider") == "1.23")
        require_curves_of_the_law(seen)
        seen.page.fill("#active-number", "1e9")
        wait_for(seen, lambda: "0 < active < units" in seen.page.inner_text("#mistake"))
        assert drawn(seen, "accumulation", "D") is not None
        seen.page.fill("#active-number", "5")
        wait_for(seen, lambda: seen.page.inner_text("#mistake") == "")
        require_curves_of_the_law(seen)


@pytest.mark.slow
def test_a_census_is_laid_over_the_law(browser: Any, file: Path) -> None:
    counts = load(file)["wide"]
    fitted = fit(counts)
    with opened(browser, file) as seen:
        wait_for(seen, lambda: seen.page.input_value("#units-number") == "800")
        require_curves_of_the_law(seen)
        law, samples = law_of(seen)
        assert samples == counts.samples
        assert law.b == pytest.approx(fitted.law.b, rel=1e-5)
        assert law.active == pytest.approx(fitted.law.active, rel=1e-5)
        x, y = drawn(seen, "accumulation", "counted") or ([], [])
        np.testing.assert_allclose(y, counts.rarefied(np.array(x, int)))
        x, y = drawn(seen, "accumulation", "forecast, 95 %") or ([], [])
        np.testing.assert_allclose(y, fitted.forecast(np.array(x, int))["expected"])
        wait_for(seen, lambda: "of the fit" in seen.page.inner_text("#layer-answers"))

        assert seen.page.eval_on_selector_all("#layer option", "all => all.map(o => o.text)") == [
            "wide",
            "<img src=x onerror=alert(1)>\\x1b",
            "silent",
        ]
        seen.page.select_option("#layer", index=1)
        wait_for(seen, lambda: seen.page.input_value("#units-number") == "300")
        require_curves_of_the_law(seen)
        seen.page.select_option("#layer", "silent")
        wait_for(seen, lambda: "no unit was ever activated" in seen.page.inner_text("#refusal"))


@pytest.mark.slow
def test_a_recording_that_runs_is_followed(browser: Any, file: Path) -> None:
    with opened(browser, file) as seen:
        seen.page.select_option("#layer", index=1)
        wait_for(seen, lambda: seen.page.input_value("#units-number") == "300")
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        wait_for(seen, lambda: "cannot be read now" in seen.page.inner_text("#problem"))
        file.unlink()
        wait_for(seen, lambda: "there is no file" in seen.page.inner_text("#problem"))
        assert seen.page.input_value("#units-number") == "300"

        later = census(blocks=16)
        later.save(file)
        wait_for(seen, lambda: seen.page.input_value("#samples-number") == "512")
        assert seen.page.inner_text("#problem") == ""
        assert "last written at" in seen.page.inner_text("#state")
        assert seen.page.input_value("#layer") == HOSTILE
        require_curves_of_the_law(seen)
        expected = [load(file)[HOSTILE].prefix(8).working, later[HOSTILE].working]
        wait_for(
            seen,
            lambda: drawn(seen, "growth", "as the file was read") == [[256, 512], expected],
        )

        seen.page.fill("#b-number", "0.9")  # moved by hand: the next reading leaves it there
        require_curves_of_the_law(seen)
        census(blocks=12).save(file)
        wait_for(seen, lambda: (drawn(seen, "growth", "as the file was read") or [[]])[0] == [384])
        assert seen.page.input_value("#b-number") == "0.9"
        assert seen.page.input_value("#samples-number") == "512"
        seen.page.click("#to-fit")
        wait_for(seen, lambda: seen.page.input_value("#samples-number") == "384")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(NARROW, "dark"), (WIDE, "light")])
def test_it_can_be_read_on_every_screen(browser: Any, file: Path, width: int, scheme: Any) -> None:
    with opened(browser, file, width=width, scheme=scheme) as seen:
        wait_for(seen, lambda: "of the fit" in seen.page.inner_text("#layer-answers"))
        assert seen.too_wide() == []
        assert seen.serious_faults() == []


@pytest.mark.slow
def test_it_is_used_by_keyboard(browser: Any, file: Path) -> None:
    with opened(browser, file) as seen:
        unnamed = seen.page.eval_on_selector_all(
            "input, select", "all => all.filter(one => !one.labels.length).map(one => one.id)"
        )
        assert unnamed == []
        names = []
        for _ in range(20):
            seen.page.keyboard.press("Tab")
            names.append(seen.page.evaluate("document.activeElement.id"))
        assert names[:4] == ["layer", "to-fit", "units-slider", "units-number"]
        assert "ask-budget" in names
        seen.page.focus("#b-slider")
        before = float(seen.page.input_value("#b-slider"))
        seen.page.keyboard.press("ArrowRight")
        wait_for(seen, lambda: float(seen.page.input_value("#b-number")) == round(before + 0.01, 2))
        require_curves_of_the_law(seen)
