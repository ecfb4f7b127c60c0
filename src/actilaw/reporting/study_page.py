"""The page of a study: the paper's claims on real networks, figures for each, and the verdicts with
the numbers that they rest on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from plotly.colors import sample_colorscale

from actilaw.reporting import markup
from actilaw.reporting.charts import Chart, curves_chart, rounded
from actilaw.study.claims.result import (
    FAILS,
    HOLDS,
    UNTOLD,
    ClaimResult,
    Curve,
    Figure,
    Verdict,
    by_statement,
    remarks_on,
)
from actilaw.support.files import write_atomically
from actilaw.support.version import installed_version

KINDS = {HOLDS: "holds", FAILS: "fails", UNTOLD: "unsure"}  # of verdicts, for the style sheet
SCALE = "Viridis"  # from the narrowest width, or smallest size, to the largest
BRIGHTEST = 0.78  # of the scale, beyond which lines are hard to see on white
DARKEST = 0.42  # of the scale, below which lines are hard to see on a dark page


def write_study_page(
    readings: pd.DataFrame, claims: Sequence[ClaimResult], path: str | os.PathLike[str]
) -> Path:
    """Write the page, whole or not at all.

    Args:
        readings: a row for each cell and layer.
        claims: examined on them.
        path: of the page.

    Raises:
        FileError: if it cannot be written.
    """
    body = [_overview(claims), *map(_section, claims), _grid(readings)]
    html = markup.document(
        "actilaw study", _head(readings), "".join(body), on_dark=_colours_on_dark(claims)
    )
    return write_atomically(path, html.encode())


def _head(readings: pd.DataFrame) -> str:
    cells = readings[["task", "width", "samples", "seed"]].drop_duplicates()
    return f"""<h1>The activation law across networks</h1>
<p class="quiet">{len(cells):,} trained networks on {cells["task"].nunique()} tasks, by actilaw
{escape(installed_version())}. The claims are those of Zhang &amp; Sui (2024), arXiv 2412.18073.
Each is judged by the rule that stands above its figures.</p>
"""


def _overview(claims: Sequence[ClaimResult]) -> str:
    """A row for each statement: on how many networks it holds, fails, cannot be told."""
    rows = []
    for claim in claims:
        for statement, verdicts in by_statement(claim.verdicts).items():
            counted = [
                sum(verdict.verdict == kind for verdict in verdicts)
                for kind in (HOLDS, FAILS, UNTOLD)
            ]
            rows.append((escape(f"{claim.equation} {statement}"), *map(_count, counted)))
    head = ("statement", HOLDS, FAILS, UNTOLD)
    table = markup.table(head, rows, label="Verdicts by statement", wraps=True)
    return (
        '<section aria-labelledby="verdicts"><h2 id="verdicts">Verdicts</h2><p>The number of '
        "networks on which each statement holds. A network is a layer of a task's networks, over "
        "all widths, sizes and seeds; what is said of the test loss alone is counted by tasks.</p>"
        f'<div class="card">{table}</div></section>'
    )


def _count(number: int) -> str:
    return str(number) if number else "–"


def _section(claim: ClaimResult) -> str:
    """One claim: what the paper says, the rule, a figure for each task, and the verdicts."""
    names = list(dict.fromkeys(curve.task for curve in claim.figure.curves))
    cards = [
        markup.figure_card(name, _panel_text(claim.figure), _panel(claim, name)) for name in names
    ]
    place = f"claim-{claim.name}"
    return (
        f'<section aria-labelledby="{place}"><h2 id="{place}">{escape(claim.equation)} '
        f"{escape(claim.claim)}</h2><p>{escape(claim.rule)}</p>{markup.row(cards)}"
        f"{_verdicts(claim)}</section>"
    )


def _panel_text(figure: Figure) -> str:
    dotted = " Dotted: the fitted law." if any(curve.is_theory for curve in figure.curves) else ""
    return f"{figure.y_title[:1].upper()}{figure.y_title[1:]} against {figure.x_title}.{dotted}"


def _panel(claim: ClaimResult, task: str) -> Chart:
    """The curves of one task."""
    shape = claim.figure
    curves = [curve for curve in shape.curves if curve.task == task]
    names = _names(curves)
    colours = dict(zip(names, _colours(len(names)), strict=True))
    traces = [_trace(curve, colours[curve.name]) for curve in curves]
    words = " ".join(_in_words(curve) for curve in curves if not curve.is_theory)
    return curves_chart(shape.x_title, shape.y_title, traces, log_y=shape.log_y, words=words)


def _names(curves: Sequence[Curve]) -> list[str]:
    return list(dict.fromkeys(curve.name for curve in curves))


def _colours(number: int, darkest: float = 0.0, brightest: float = BRIGHTEST) -> list[str]:
    places = np.linspace(darkest, brightest, max(number, 1)).tolist()
    return [str(colour) for colour in sample_colorscale(SCALE, places)][:number]


def _colours_on_dark(claims: Sequence[ClaimResult]) -> dict[str, str]:
    """What the colour of each line becomes on a dark page."""
    found: dict[str, str] = {}
    for claim in claims:
        for task in dict.fromkeys(curve.task for curve in claim.figure.curves):
            number = len(_names([curve for curve in claim.figure.curves if curve.task == task]))
            found |= zip(_colours(number), _colours(number, DARKEST, 1.0), strict=True)
    return found


def _trace(curve: Curve, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": rounded(curve.x),
        "y": rounded(curve.y),
        "name": curve.name,
        "showlegend": not curve.is_theory,
        "mode": "lines" if curve.is_theory else "lines+markers",
        "line": {"color": colour, "width": 1.5, "dash": "dot" if curve.is_theory else "solid"},
        "marker": {"size": 5, "color": colour},
    }


def _in_words(curve: Curve) -> str:
    """Where a line begins and where it ends."""
    if not curve.x:
        return ""
    ends = [f"{curve.y[i]:.3g} at {curve.x[i]:,.4g}" for i in (0, -1)]
    return f"{curve.name}: {ends[0]} to {ends[1]}."


def _verdicts(claim: ClaimResult) -> str:
    """A table for each statement, a row for each network or task, and why some cannot be told."""
    tables = []
    for statement, verdicts in by_statement(claim.verdicts).items():
        rows = [_verdict_row(verdict) for verdict in verdicts]
        head = ("network", "estimate", "95 % interval", "figures", "groups", "verdict")
        measured = f'<p class="quiet">Estimate: {escape(verdicts[0].measured)}.</p>'
        remarks = "".join(
            f'<p class="quiet">{escape(remark)}.</p>' for remark in remarks_on(verdicts)
        )
        table = markup.table(head, rows, label=statement, wraps=True)
        tables.append(markup.table_card(statement, measured + table + remarks))
    return f'<div class="stack">{"".join(tables)}</div>'


def _verdict_row(verdict: Verdict) -> tuple[str, ...]:
    """Network, estimate, interval, number of figures and of groups, and verdict."""
    found = verdict.interval
    bounds = f"{_number(found.lower)} to {_number(found.upper)}"
    return (
        escape(verdict.task),
        _number(found.estimate),
        bounds if found.is_bounded else "–",
        str(found.n),
        str(found.groups),
        _coloured(verdict),
    )


def _coloured(verdict: Verdict) -> str:
    return f'<b class="verdict {KINDS[verdict.verdict]}">{escape(verdict.verdict)}</b>'


def _number(value: float) -> str:
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.3g}"


def _grid(readings: pd.DataFrame) -> str:
    """What was trained: widths, sizes and seeds of each task."""
    rows = []
    for task, cells in readings.groupby("task", sort=False):
        lists = [
            ", ".join(f"{value:,}" for value in sorted(cells[column].unique()))
            for column in ("width", "samples", "seed")
        ]
        networks = len(cells[["width", "samples", "seed"]].drop_duplicates())
        rows.append((escape(str(task)), *lists, f"{networks:,}"))
    head = ("task", "widths N", "training samples D", "seeds", "networks")
    table = markup.table(head, rows, label="Widths, sizes and seeds of each task", wraps=True)
    return (
        '<section aria-labelledby="grid"><h2 id="grid">The grid</h2>'
        f'<div class="card">{table}</div></section>'
    )
