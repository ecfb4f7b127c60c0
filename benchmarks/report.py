"""The report page: seconds to write it, its size, and seconds until it stands in a browser.

Two censuses are drawn by the law: 200 layers of 3,072 units, 16,384 samples each in blocks, as
`record` makes them, or 20,000 without; and one layer of 1,000,000 units without blocks. Beside the
page stands a naive one of the same layers: every figure made by Plotly's classes, drawn at once,
with the whole of Plotly in it as text. Opening is from the request to the load event and to the
first paint, which shows the table, and from a jump to the first layer until its first figure is
drawn.

Other processes on the machine lengthen everything, the processor time too: the load is printed with
each row, the page's own processes included.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from joblib.externals.loky import get_reusable_executor

from actilaw import Census, fit, report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from builders.browser import executable
from builders.drawn import draw_blocks, draw_counts

BLOCKS = 32
FIRST_FIGURE = """() => new Promise(done => {
  const plot = document.querySelector(".layer .plot, .js-plotly-plot");
  plot.scrollIntoView();
  const look = () => plot.querySelector(".trace")
    ? done(performance.now() / 1000) : requestAnimationFrame(look);
  look();
})"""


def many_layers(layers: int, units: int) -> Census:
    rng = np.random.default_rng(0)
    found = {}
    for at in range(layers):
        b, active = float(rng.uniform(0.1, 0.8)), units / 50
        if at % 2:
            found[f"blocks.{at}.act"] = draw_counts(units, active, b, 20_000, seed=at)
        else:
            rates = rng.beta(b, b * units / active - b, units)
            found[f"blocks.{at}.act"] = draw_blocks(rates, BLOCKS, 512, rng)
    return Census(found)


def one_wide_layer(units: int) -> Census:
    return Census({"latents": draw_counts(units, units / 10_000, 0.3, 1_000_000, seed=0)})


def naive_page(census: Census, path: Path) -> Path:
    """What one writes first: a figure after the other, each with all that it needs to be drawn."""
    from actilaw.reporting import figures

    parts = []
    for name, counts in census.items():
        fitted = fit(counts)
        made = [
            figures.accumulation_curve(counts, fitted),
            figures.count_law(counts, fitted),
            figures.reinforcement(counts, fitted),
            figures.idle_fraction(counts, fitted),
        ]
        drawn = [
            figure.to_html(full_html=False, include_plotlyjs=not parts and at == 0)
            for at, figure in enumerate(made)
        ]
        parts.append(f"<h2>{name}</h2>{''.join(drawn)}")
    path.write_text(f"<!doctype html><meta charset=utf-8>{''.join(parts)}")
    return path


def written(write: Callable[[], Path]) -> tuple[Path, float, float]:
    """The page, seconds by the clock, and seconds of processors, children included."""

    def processors() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    clock, used = time.perf_counter(), processors()
    path = write()
    seconds = time.perf_counter() - clock
    get_reusable_executor().shutdown(wait=True)  # what its processes used is known once they ended
    return path, seconds, processors() - used


def opened(path: Path) -> tuple[float, float, float] | None:
    """Seconds to the load event, to the first paint, which holds the table, and from a jump to the
    first layer to its first figure; None where there is no browser.
    """
    chromium = executable()
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page: Any = browser.new_page(viewport={"width": 1600, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(path.as_uri())
        load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
        page.wait_for_function("performance.getEntriesByType('paint').length")
        painted = page.evaluate("performance.getEntriesByType('paint').at(-1).startTime / 1000")
        asked = page.evaluate("performance.now() / 1000")
        figure = page.evaluate(FIRST_FIGURE)
        browser.close()
    return load, painted, figure - asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=200)
    parser.add_argument("--units", type=int, default=3072)
    parser.add_argument("--wide", type=int, default=1_000_000)
    parser.add_argument("--naive", type=int, default=20, help="layers of the naive page")
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors")
    print(f"{'':34s}   written  processors       MB   to load  to paint    figure  load")
    many, wide = many_layers(options.layers, options.units), one_wide_layer(options.wide)
    few = Census(dict(list(many.items())[: options.naive]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        for name, write in (
            (f"{options.layers} layers", lambda: report(many, path)),
            (f"{options.layers} layers, fits given", _with_fits(many, path)),
            (f"{options.wide:,} units", lambda: report(wide, path)),
            (f"{len(few)} layers", lambda: report(few, path)),
            (f"{len(few)} layers, naive page", lambda: naive_page(few, path)),
        ):
            page, clock, used = written(write)
            seconds = opened(page)
            times = ["-"] * 3 if seconds is None else [f"{second:.2f}" for second in seconds]
            print(
                f"{name:34s} {clock:7.1f} s {used:9.1f} s {page.stat().st_size / 1e6:8.2f} "
                + " ".join(f"{text:>7s} s" for text in times)
                + f" {os.getloadavg()[0]:5.1f}",
                flush=True,
            )


def _with_fits(census: Census, path: Path) -> Callable[[], Path]:
    fits = census.map(fit)
    return lambda: report(census, path, fits=fits)


if __name__ == "__main__":
    main()
