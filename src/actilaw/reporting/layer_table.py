"""The table of layers at the head of a page: a row per layer that links to its section, sorted by
its header, filtered by text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from actilaw.reporting import markup
from actilaw.reporting.layer_reading import Estimates, LayerReading

LAYER_COLUMNS = (
    "layer",
    "N",
    "D",
    "c",
    "working",
    "idle",
    "b ± error",
    "alpha",
    "10x",
    "removable",
    "verdict",
)
LEAST_TO_FILTER = 2  # layers
MISSING = '<td data-sort="">–</td>'


def section_id(at: int) -> str:
    """The place of the `at`-th layer's section on the page: names may hold anything."""
    return f"layer-{at}"


def layer_table(readings: Sequence[LayerReading]) -> str:
    """The table, and the field that filters it."""
    head = "".join(
        f'<th scope="col"><button type="button">{name}</button></th>' for name in LAYER_COLUMNS
    )
    rows = "".join(_layer_row(at, reading) for at, reading in enumerate(readings, start=1))
    table = (
        '<table class="layers"><caption>Every layer</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
    filtering = _filter() if len(readings) >= LEAST_TO_FILTER else ""
    scrolling = markup.scrolling(table, "Table of the layers")
    return f'{filtering}<div class="card">{scrolling}</div>'


def _filter() -> str:
    """The field; it is shown by the script that makes it work."""
    return (
        '<div class="filter" hidden><label for="filter">Filter layers</label>'
        '<input id="filter" type="search" autocomplete="off" '
        'placeholder="part of a name or verdict">'
        '<p role="status"></p></div>'
    )


def _layer_row(at: int, reading: LayerReading) -> str:
    name = f'<th scope="row"><a href="#{section_id(at)}">{escape(reading.name)}</a></th>'
    idle = reading.idle / reading.units
    part = f'<span class="share" style="--part:{idle:.1%}">{idle:.1%}</span>'
    counted = (
        _cell(reading.units, f"{reading.units:,}"),
        _cell(reading.samples, f"{reading.samples:,}"),
        _cell(reading.active, f"{reading.active:,.4g}"),
        _cell(reading.working, f"{reading.working:,}"),
        _cell(idle, part),
    )
    return f"<tr>{name}{''.join(counted)}{''.join(_fitted_cells(reading))}</tr>"


def _fitted_cells(reading: LayerReading) -> Iterable[str]:
    found, removable = reading.estimates, reading.removable
    if found is None or removable is None:
        return (MISSING,) * 4 + (_cell(None, '<span class="verdict unsure">no law</span>'),)
    interval = f'<span class="range">{found.lower:,.0f} to {found.upper:,.0f}</span>'
    return (
        _cell(found.b, f'{found.b:.3g} <span class="range">± {found.b_error:.2g}</span>'),
        _cell(found.alpha, f"{found.alpha:.3g}"),
        _cell(found.expected, f"{found.expected:,.0f} {interval}"),
        _cell(removable, f"{removable:,}"),
        _cell(found.deviating, _verdict(found)),
    )


def _verdict(found: Estimates) -> str:
    told = found.deviating + found.holding
    if found.deviating:
        return f'<span class="verdict fails">deviates in {found.deviating} of {told}</span>'
    if found.holding:
        return f'<span class="verdict holds">holds in {found.holding} of {told}</span>'
    return '<span class="verdict unsure">inconclusive</span>'


def _cell(key: float | None, content: str) -> str:
    """A cell that is sorted by its key; one without comes last."""
    return f'<td data-sort="{"" if key is None else f"{key:.10g}"}">{content}</td>'
