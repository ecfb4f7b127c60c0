"""The report: one HTML page that needs nothing but itself. A table of the layers stands first, then
a section for each, with figures that are drawn when they come into sight.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from actilaw.checks.result import DEVIATES, HOLDS, sized
from actilaw.counts.census import Census
from actilaw.errors import InputError
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.result import PruneResult
from actilaw.reporting import markup
from actilaw.reporting.charts import loss_chart
from actilaw.reporting.layer_reading import (
    LEVEL,
    Estimates,
    LayerReading,
    read_layers,
)
from actilaw.reporting.layer_table import layer_table, section_id
from actilaw.reporting.text import estimate_rows
from actilaw.support.files import write_atomically
from actilaw.support.progress import Progress
from actilaw.support.version import installed_version


def write_page(
    census: Census,
    path: str | os.PathLike[str],
    *,
    loss: FittedLoss | None = None,
    pruned: PruneResult | None = None,
    fits: Mapping[str, FittedLaw],
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """See `actilaw.report`."""
    if loss is not None and loss.size is not None:
        raise InputError(
            "expected losses of one width to draw, but these are of several: fit them without size="
        )
    readings = read_layers(census, fits, workers=workers, progress=progress)
    body = [_overview(readings)]
    if pruned is not None:
        body.append(_pruned(pruned))
    if loss is not None:
        body.append(_loss(loss))
    body += [_layer(at, reading) for at, reading in enumerate(readings, start=1)]
    html = markup.document("actilaw report", _title(readings), "".join(body))
    return write_atomically(path, html.encode())


def _title(readings: Sequence[LayerReading]) -> str:
    units = sum(reading.units for reading in readings)
    working = sum(reading.working for reading in readings)
    layers = "1 layer" if len(readings) == 1 else f"{len(readings):,} layers"
    return f"""<h1>Which units work</h1>
<p>{working:,} of {units:,} units work in {layers}: {working / units:.1%}.</p>
<p class="quiet">By actilaw {escape(installed_version())}. The activation law is that of
Zhang &amp; Sui (2024), arXiv 2412.18073; points are counted, lines are fitted, bands and intervals
hold {LEVEL:.0%}. Forecasts come from the estimated distribution of how often units are active (the
rate density), not from the activation law, because layers depart from every closed form.</p>
"""


def _overview(readings: Sequence[LayerReading]) -> str:
    risk = (1 - LEVEL) / 2
    return f"""<section id="layers" aria-labelledby="layers-title">
<h2 id="layers-title">Layers</h2>
<p>N units, D samples, c units active on a sample on average. A unit works once any sample has
activated it, and is idle until then. 10x is the forecast of working units after ten times the
samples. Removable are the units that stay idle even then, but for a risk of {risk:.1%}. The verdict
counts the tests of the theory that take milliseconds, of which 1 in 20 deviates by chance;
<code>actilaw check</code> makes all of them. A heading sorts the table.</p>
{layer_table(readings)}</section>
"""


def _layer(at: int, reading: LayerReading) -> str:
    """Everything on one layer, or the reason why it could not be fitted."""
    place = section_id(at)
    head = (
        f'<section class="layer" id="{place}" aria-labelledby="{place}-title"><div class="head">'
        f'<h2 id="{place}-title">Layer {escape(reading.name)}</h2>'
        '<a href="#layers">All layers</a></div>'
    )
    found = reading.estimates
    if found is None:
        facts = markup.facts(_counted(reading))
        return (
            f'{head}{facts}<p class="note">No law was fitted: {escape(reading.refusal)}.</p>'
            "</section>"
        )
    facts = markup.facts([*_counted(reading), *_estimated(found)])
    sentences = f"<p>{escape(' '.join(found.sentences))}</p>"
    remarks = "".join(f'<p class="note">{escape(remark)}</p>' for remark in found.remarks)
    figures = markup.row(
        markup.figure_card(figure.title, figure.sentence, figure.chart) for figure in found.figures
    )
    tables = _estimates(found.rows, reading.name) + _tests(found, reading.name)
    return f'{head}{facts}{sentences}{remarks}{figures}<div class="tables">{tables}</div></section>'


def _counted(reading: LayerReading) -> list[tuple[str, str]]:
    return [
        (f"{reading.units:,}", "units N"),
        (f"{reading.samples:,}", f"{reading.per}s D"),
        (f"{reading.working:,}", "working units K"),
        (f"{reading.idle / reading.units:.1%}", "idle"),
        (f"{reading.active:,.4g}", f"active per {reading.per} c"),
    ]


def _estimated(found: Estimates) -> list[tuple[str, str]]:
    return [
        (f"{found.b:.3g}", f"b, ± {found.b_error:.2g}"),
        (f"{found.alpha:.3g}", "alpha = 1 − b"),
    ]


def _tests(found: Estimates, name: str) -> str:
    rows = [
        (
            escape(test.test.replace("_", " ")),
            *sized(test.estimate, test.lower, test.upper),
            escape(test.expected),
            _verdict(test.verdict),
        )
        for test in found.tests
    ]
    head = ("test", "estimate", "95 % interval", "by theory", "verdict")
    label = f"Tests of the theory, layer {name}"
    return markup.table_card(
        "Does the theory hold?", markup.table(head, rows, label=label, words=4, wraps=True)
    )


def _verdict(verdict: str) -> str:
    kind = "holds" if verdict == HOLDS else "fails" if verdict.startswith(DEVIATES) else "unsure"
    return f'<span class="verdict {kind}">{escape(verdict)}</span>'


def _pruned(pruned: PruneResult) -> str:
    rows = [
        (escape(str(name)), f"{row.before:,.0f}", f"{row.after:,.0f}", f"{row.removed:.1%}")
        for name, row in pruned.summary().iterrows()
    ]
    table = markup.table(("", "before", "after", "removed"), rows, label="Removed units")
    what = (
        "Units that no recorded sample activated, taken out of the weight matrices: the units of "
        "each layer before and after, and the parameters of the whole network."
    )
    return (
        f'<section aria-labelledby="removed"><h2 id="removed">Removed</h2><p>{what}</p>'
        f'<div class="card">{table}</div></section>'
    )


def _loss(loss: FittedLoss) -> str:
    remarks = "".join(f'<p class="note">{escape(remark)}</p>' for remark in loss.remarks())
    sentence = f"Loss against the size of the training set: {loss.form.formula}."
    card = markup.figure_card("Loss law", sentence, loss_chart(loss))
    cards = markup.row([card, _estimates(estimate_rows(loss.summary()), "the loss")])
    return (
        '<section aria-labelledby="loss"><h2 id="loss">Loss against training samples</h2>'
        f"{remarks}{cards}</section>"
    )


def _estimates(rows: Iterable[tuple[str, ...]], name: str) -> str:
    escaped = [tuple(map(escape, row)) for row in rows]
    head = ("", "estimate", "standard error")
    return markup.table_card("Estimates", markup.table(head, escaped, label=f"Estimates, {name}"))
