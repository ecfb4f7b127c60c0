"""Pieces of a page: the HTML document that holds everything, cards with figures, and tables.

A page needs nothing but itself: its style, its script and Plotly stand in it, and a policy forbids
the browser to ask for anything else. Plotly, 4.8 MB, is packed with gzip into 2 MB of text, which
every browser since 2023 can unpack, and only when the first figure comes near the screen. Its
package brings no smaller build, and another library would draw other figures than Python shows.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.resources import files

from plotly.offline import get_plotlyjs

from actilaw.reporting.charts import ON_DARK, Chart, script_json

GZIP_LEVEL = 9
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)


def document(title: str, head: str, body: str, *, on_dark: Mapping[str, str] | None = None) -> str:
    """A whole HTML page, with the style and the code for figures in it.

    Args:
        title: of the window, plain text.
        head: HTML of the page's header, with its only h1.
        body: HTML of its main part.
        on_dark: colours of figures beyond those of `charts`, and what they become on a dark page.
    """
    colours = script_json(ON_DARK | dict(on_dark or {}))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title><link rel="icon" href="data:,">
<style>{_asset("page.css")}</style></head>
<body><a class="skip" href="#main">Skip to the content</a>
<header>{head}<noscript><p>Without JavaScript the figures are missing; the tables hold the numbers.
</p></noscript></header><main id="main" tabindex="-1">{body}</main>
<script type="application/json" id="colours">{colours}</script>
<script type="text/plain" id="plotly">{_packed_plotly()}</script>
<script>{_asset("page.js")}</script></body></html>
"""


def facts(values: Iterable[tuple[str, str]]) -> str:
    """A row of small cards, each a value and what it is; both HTML."""
    cards = "".join(
        f'<div class="card fact"><dt>{name}</dt><dd>{value}</dd></div>' for value, name in values
    )
    return f'<dl class="facts">{cards}</dl>'


def row(cards: Iterable[str]) -> str:
    """Cards beside each other, as many as the screen is wide."""
    return f'<div class="row">{"".join(cards)}</div>'


def figure_card(title: str, text: str, chart: Chart) -> str:
    """A card with a figure under a title and a sentence that says what is shown, both plain text;
    a list of its lines and, on demand, its numbers.
    """
    label = escape(f"{title}. {chart.words}".strip())
    return (
        f'<figure class="card"><figcaption><h3>{escape(title)}</h3><p>{escape(text)}</p>'
        f'</figcaption><div class="plot" role="img" aria-label="{label}"><p>drawn when in sight</p>'
        f'</div><script type="application/json">{chart.to_json()}</script><ul class="legend"></ul>'
        '<details class="of-figure"><summary>Numbers of this figure</summary></details></figure>'
    )


def table_card(title: str, content: str) -> str:
    """A card with a table under a title, plain text."""
    return f'<div class="card"><h3>{escape(title)}</h3>{content}</div>'


def table(
    head: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    label: str,
    wraps: bool = False,
    words: int | None = None,
) -> str:
    """A table that scrolls where the screen is too narrow.

    Args:
        head: of each column; HTML.
        rows: cells, HTML; the first one heads its row.
        label: what the table holds, plain text, for who cannot see it.
        wraps: whether the first column is broken into lines.
        words: index of a column of text, which is broken into lines.
    """
    top = "".join(_head_cell(cell, at == words) for at, cell in enumerate(head))
    body = "".join(f"<tr>{_cells(tuple(cells), words)}</tr>" for cells in rows)
    kind = ' class="wraps"' if wraps else ""
    return scrolling(
        f"<table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>", label
    )


def scrolling(content: str, label: str) -> str:
    """What may be wider than the screen, in a box that scrolls, by keyboard too."""
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">{content}</div>'
    )


def _head_cell(cell: str, has_words: bool) -> str:
    kind = ' class="words"' if has_words else ""
    return f'<th scope="col"{kind}>{cell}</th>' if cell else "<td></td>"


def _cells(cells: tuple[str, ...], words: int | None) -> str:
    first, *rest = cells
    others = "".join(
        f'<td class="words">{cell}</td>' if at == words else f"<td>{cell}</td>"
        for at, cell in enumerate(rest, start=1)
    )
    return f'<th scope="row">{first}</th>{others}'


@cache
def _asset(name: str) -> str:
    return files("actilaw.reporting").joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _packed_plotly() -> str:
    """Plotly's script, packed by gzip, as base64; the same bytes each time."""
    packed = gzip.compress(get_plotlyjs().encode(), GZIP_LEVEL, mtime=0)
    return base64.b64encode(packed).decode()
