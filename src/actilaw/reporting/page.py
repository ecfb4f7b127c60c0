"""The report: one HTML page that needs nothing but itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from actilaw.backtesting.backtest import REPORTED_EARLY_SHARE, compare, early_parts
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import CountsError, InputError
from actilaw.fitting.fit import fit
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.result import PruneResult
from actilaw.reporting import figures, markup
from actilaw.reporting.text import estimate_rows
from actilaw.support.files import write_atomically
from actilaw.support.progress import Progress, told
from actilaw.support.version import installed_version


@dataclass(frozen=True)
class FittedSection:
    """What the page needs of a layer that could be fitted.

    Attributes:
        name: of the layer.
        counts: all of them.
        fitted: the law fitted to them.
        early: the law fitted to the first tenth of the samples, or None where it cannot be.
    """

    name: str
    counts: ActivationCounts
    fitted: FittedLaw
    early: FittedLaw | None


def write_page(
    census: Census,
    path: str | os.PathLike[str],
    *,
    loss: FittedLoss | None = None,
    pruned: PruneResult | None = None,
    progress: Progress | None = None,
) -> Path:
    """See `actilaw.report`."""
    if loss is not None and loss.size is not None:
        raise InputError(
            "expected losses of one width to draw, but these are of several: fit them without size="
        )
    layers = told(list(census.items()), progress)
    body = [_title(census), *(_layer(name, counts) for name, counts in layers)]
    if pruned is not None:
        body.append(_pruned(pruned))
    if loss is not None:
        body.append(_loss(loss))
    return write_atomically(path, markup.document("actilaw report", "".join(body)).encode())


def _title(census: Census) -> str:
    layers = "1 layer" if len(census) == 1 else f"{len(census)} layers"
    return f"""<h1>Which units work</h1>
<p class="quiet">{layers}, by actilaw {escape(installed_version())}. The activation law is that of
Zhang &amp; Sui (2024), arXiv 2412.18073; points are counted, lines are fitted, bands hold 95 %.</p>
"""


def _layer(name: str, counts: ActivationCounts) -> str:
    """Everything on one layer, or the reason why it could not be fitted."""
    head = f"<h2>Layer {escape(name)}</h2>"
    try:
        fitted = fit(counts)
    except CountsError as error:
        facts = markup.facts(_counted(counts))
        return f"{head}{facts}<p>No law was fitted: {escape(str(error))}.</p>"
    section = FittedSection(name, counts, fitted, _early(counts))
    facts = markup.facts([*_counted(counts), *_estimated(fitted)])
    return f"{head}{facts}{_forecast(section)}{markup.row(_cards(section))}"


def _early(counts: ActivationCounts) -> FittedLaw | None:
    """The law fitted to the first part of the samples, if there is one that can be fitted."""
    try:
        return next((fit(early) for early in early_parts(counts, REPORTED_EARLY_SHARE)), None)
    except CountsError:
        return None


def _counted(counts: ActivationCounts) -> list[tuple[str, str]]:
    return [
        (f"{counts.units:,}", "units N"),
        (f"{counts.samples:,}", "samples D"),
        (f"{counts.working:,}", "working units K"),
        (f"{counts.idle / counts.units:.1%}", "idle"),
        (f"{counts.active:.1f}", "active per sample c"),
    ]


def _estimated(fitted: FittedLaw) -> list[tuple[str, str]]:
    return [
        (f"{fitted.law.b:.3f}", f"b, ± {fitted.standard_errors['b']:.3f}"),
        (f"{fitted.law.alpha:.3f}", "alpha = 1 − b"),
    ]


def _cards(section: FittedSection) -> list[str]:
    counts, fitted = section.counts, section.fitted
    return [
        markup.figure_card(
            "Accumulation curve",
            "How many units work after D samples.",
            figures.accumulation_curve(counts, fitted, section.early),
        ),
        markup.figure_card(
            "Law of counts",
            f"The {counts.idle:,} idle units lie left of the axis.",
            figures.count_law(counts, fitted),
        ),
        markup.figure_card(
            "Idle fraction",
            "Flat before the knee, a power law after it.",
            figures.idle_fraction(counts, fitted),
        ),
        _estimates(fitted.summary()),
    ]


def _forecast(section: FittedSection) -> str:
    """What is expected of ten times the samples, and how an early forecast turned out."""
    counts = section.counts
    ahead = section.fitted.forecast(10 * counts.samples).iloc[0]
    sentences = [
        f"After ten times the samples {ahead.expected:,.0f} units are expected to work "
        f"({ahead.lower:,.0f} to {ahead.upper:,.0f}), {ahead.expected - counts.working:,.0f} more "
        "than now."
    ]
    if section.early is not None:
        sentences.append(f"{compare(section.early.forecaster, counts)}.")
    sentences.append(
        "Forecasts come from the estimated distribution of how often units are active (the rate "
        "density), not from the activation law, because layers depart from every closed form."
    )
    return f"<p>{' '.join(sentences)}</p>"


def _pruned(pruned: PruneResult) -> str:
    rows = [
        (escape(str(name)), f"{row.before:,.0f}", f"{row.after:,.0f}", f"{row.removed:.1%}")
        for name, row in pruned.summary().iterrows()
    ]
    table = markup.table(("", "before", "after", "removed"), rows)
    what = (
        "Units that no recorded sample activated, taken out of the weight matrices: the units of "
        "each layer before and after, and the parameters of the whole network."
    )
    return f"<h2>Removed</h2><p>{what}</p>{table}"


def _loss(loss: FittedLoss) -> str:
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in loss.remarks())
    card = markup.figure_card("Loss law", f"{escape(loss.form.formula)}.", figures.loss(loss))
    cards = markup.row([card, _estimates(loss.summary())])
    return f"<h2>Loss against training samples</h2>{remarks}{cards}"


def _estimates(summary: pd.DataFrame) -> str:
    rows = [tuple(map(escape, row)) for row in estimate_rows(summary)]
    return markup.table_card("Estimates", markup.table(("", "estimate", "standard error"), rows))
