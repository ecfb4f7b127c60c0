"""Who is told of progress, and when."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from actilaw import (
    ActivationCounts,
    Census,
    CountsError,
    backtest,
    check,
    compare_loss_forms,
    report,
)
from actilaw.support.progress import Progress, told
from builders.losses import SIZES, even_law


class Watched:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, steps: int) -> None:
        self.calls.append((done, steps))


def counts(seed: int = 0) -> ActivationCounts:
    rng = np.random.default_rng(seed)
    return ActivationCounts(rng.binomial(200, rng.beta(0.5, 5, 100)), 200)


def refuse_second(layer: ActivationCounts) -> int:
    if layer.counts[0] == 2:
        raise CountsError("the second")
    return layer.units


def test_a_step_is_done_when_the_next_is_asked_for() -> None:
    watched = Watched()
    steps = told("abc", watched)
    assert (next(steps), watched.calls) == ("a", [])
    assert (next(steps), watched.calls) == ("b", [(1, 3)])
    assert (list(steps), watched.calls) == (["c"], [(1, 3), (2, 3), (3, 3)])


def test_refused_layers_count_as_done() -> None:
    watched = Watched()
    layers = {str(k): ActivationCounts(np.array([k, 0]), 5) for k in (1, 2, 3)}
    found = Census(layers).map(refuse_second, refused=lambda *_: None, progress=watched)
    assert found == {"1": 2, "3": 2}
    assert watched.calls == [(1, 3), (2, 3), (3, 3)]


def rows_of_check(progress: Progress, tmp_path: Path) -> int:
    return len(check(counts(), progress=progress))


def rows_of_backtest(progress: Progress, tmp_path: Path) -> int:
    methods = ("chao2", "persistence")
    return len(backtest(counts(), parts=(0.1, 0.3), methods=methods, progress=progress))


def rows_of_comparison(progress: Progress, tmp_path: Path) -> int:
    return len(compare_loss_forms(SIZES, even_law(), progress=progress))


def layers_of_report(progress: Progress, tmp_path: Path) -> int:
    pytest.importorskip("plotly")
    census = Census({"one": counts(), "other": counts(1)})
    page = report(census, tmp_path / "page.html", progress=progress)
    return len(re.findall(r'<h2 id="layer-\d+-title">', page.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps", [rows_of_check, rows_of_backtest, rows_of_comparison, layers_of_report]
)
def test_one_step_for_each_row_or_layer(steps, tmp_path: Path) -> None:
    watched = Watched()
    n = steps(watched, tmp_path)
    assert n > 1
    assert watched.calls == [(done, n) for done in range(1, n + 1)]
