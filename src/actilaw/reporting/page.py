"""The report: one HTML page that needs nothing but itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from actilaw import __version__
from actilaw.backtesting.backtest import compare, early_parts
from actilaw.cli.tables import estimate_rows
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError, InputError
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.reporting import figures
from actilaw.support.files import write_atomically

if TYPE_CHECKING:
    from actilaw.pruning.surgery import PruneResult

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #f6f7f9; color: #1b1f24; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.25rem; margin: 40px 0 8px; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 0 0 4px; }
p { max-width: 46rem; margin: 8px 0; } .quiet { color: #5a636e; }
.row { display: grid; gap: 16px; margin: 16px 0; }
.row { grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.facts { display: grid; gap: 12px; margin: 16px 0; }
.facts { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
.card { background: #fff; border: 1px solid #dfe3e8; border-radius: 8px; padding: 14px; }
.card { min-width: 0; overflow: hidden; }
.fact b { display: block; font-size: 1.2rem; white-space: nowrap; }
.fact b { font-variant-numeric: tabular-nums; }
.fact span { color: #5a636e; font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid #e8ebef; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { color: #5a636e; font-weight: 600; }
"""

# A figure is drawn before the page's columns have their final width, so each is fitted to its card
# once they have.
FIT_TO_CARDS = """
addEventListener("load", () => {
  for (const plot of document.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(plot);
});
"""


@dataclass(frozen=True)
class Section:
    """Everything the page says about one layer: its counts, the fit or why there is none, an early
    forecast.
    """

    name: str
    counts: ActivationCounts
    fitted: FittedLaw | None
    early: FittedLaw | None
    refusal: str = ""


def write_page(
    census: Census,
    path: str | os.PathLike[str],
    *,
    loss: FittedLoss | None = None,
    pruned: PruneResult | None = None,
) -> Path:
    """See `actilaw.report`."""
    if loss is not None and loss.size is not None:
        raise InputError(
            "expected losses of one width to draw, but these are of several: fit them without "
            "units="
        )
    sections = [_section(name, counts) for name, counts in census.items()]
    body = [_layer(section) for section in sections]
    if pruned is not None:
        body.append(_pruned(pruned))
    if loss is not None:
        body.append(_loss(loss))
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>actilaw report</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head>
<body><main><h1>Which units work</h1>
<p class="quiet">{_extent(census)}, by actilaw {escape(__version__)}. The activation law is that of
Zhang &amp; Sui (2024), arXiv 2412.18073; points are counted, lines are fitted, bands hold 95 %.</p>
{"".join(body)}</main><script>{FIT_TO_CARDS}</script></body></html>
"""
    return write_atomically(path, page.encode())


def _extent(census: Census) -> str:
    return "1 layer" if len(census) == 1 else f"{len(census)} layers"


def _section(name: str, counts: ActivationCounts) -> Section:
    fitted, refusal = _fit_or_reason(counts)
    start = next((_fit_or_reason(early)[0] for early in early_parts(counts, [0.1])), None)
    return Section(name, counts, fitted, start, refusal)


def _fit_or_reason(counts: ActivationCounts) -> tuple[FittedLaw | None, str]:
    try:
        return fit(counts), ""
    except CountsError as error:
        return None, str(error)


def _layer(section: Section) -> str:
    counts, fitted = section.counts, section.fitted
    head = f"<h2>Layer {escape(section.name)}</h2>"
    facts = [
        (f"{counts.units:,}", "units N"),
        (f"{counts.samples:,}", "samples D"),
        (f"{counts.working:,}", "working units K"),
        (f"{counts.idle / counts.units:.1%}", "idle"),
        (f"{counts.active:.1f}", "active per sample c"),
    ]
    if fitted is None:
        return f"{head}{_facts(facts)}<p>No law was fitted: {escape(section.refusal)}.</p>"
    errors = fitted.standard_errors
    facts += [
        (f"{fitted.law.b:.3f}", f"b, ± {errors['b']:.3f}"),
        (f"{fitted.law.alpha:.3f}", "alpha = 1 − b"),
    ]
    cards = [
        _card(
            "Growth",
            "How many units work after D samples.",
            figures.growth(counts, fitted, section.early),
        ),
        _card(
            "Law of counts",
            f"The {counts.idle:,} idle units lie left of the axis.",
            figures.count_law(counts, fitted),
        ),
        _card(
            "Idle fraction",
            "Flat before the knee, a power law after it.",
            figures.idle_fraction(counts, fitted),
        ),
        _estimates(fitted.summary()),
    ]
    return f'{head}{_facts(facts)}{_forecast(section)}<div class="row">{"".join(cards)}</div>'


def _forecast(section: Section) -> str:
    """What the law expects of ten times the samples, and how an early forecast fared."""
    counts, fitted, early = section.counts, section.fitted, section.early
    assert fitted is not None
    next_ = fitted.forecast(10 * counts.samples).iloc[0]
    text = (
        f"After ten times the samples {next_.expected:,.0f} units are expected to work "
        f"({next_.lower:,.0f} to {next_.upper:,.0f}), {next_.expected - counts.working:,.0f} more "
        "than now."
    )
    if early is not None:
        text += f" {compare(early.forecaster, counts)}."
    source = "Forecasts come from a density of rates, not from the activation law beside them."
    return f"<p>{text} {source}</p>"


def _pruned(pruned: PruneResult) -> str:
    rows = [
        (escape(str(name)), f"{row.before:,.0f}", f"{row.after:,.0f}", f"{row.removed:.1%}")
        for name, row in pruned.summary().iterrows()
    ]
    table = _table(("", "before", "after", "removed"), rows)
    what = "Units that no recorded sample activated, taken out of the weight matrices."
    return f"<h2>Removed</h2><p>{what}</p>{table}"


def _loss(loss: FittedLoss) -> str:
    card = _card("Loss law", f"{escape(loss.form.formula)}.", figures.loss(loss))
    open_ = "".join(f"<p>{escape(remark)}</p>" for remark in loss.remarks())
    cards = f'<div class="row">{card}{_estimates(loss.summary())}</div>'
    return f"<h2>Loss against training samples</h2>{open_}{cards}"


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return (
        '<div class="facts">'
        + "".join(f'<div class="card fact"><b>{v}</b><span>{n}</span></div>' for v, n in facts)
        + "</div>"
    )


def _card(title: str, text: str, figure: go.Figure) -> str:
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"responsive": True, "displayModeBar": False},
    )
    return f'<div class="card"><h3>{title}</h3><span class="quiet">{text}</span>{drawn}</div>'


def _estimates(summary: pd.DataFrame) -> str:
    rows = [tuple(map(escape, row)) for row in estimate_rows(summary)]
    table = _table(("", "estimate", "standard error"), rows)
    return f'<div class="card"><h3>Estimates</h3>{table}</div>'


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )
