"""Pieces of a page: the HTML document that holds everything, cards with figures, and tables."""

from __future__ import annotations

from collections.abc import Iterable

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

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
.wraps td:first-child { white-space: normal; min-width: 6.5rem; overflow-wrap: break-word; }
.wraps th, .wraps td { padding: 5px 4px; }
th:first-child, td:first-child { text-align: left; } thead th { color: #5a636e; font-weight: 600; }
"""

# A figure is drawn before the page's columns have their final width, so each is fitted to its card
# once they have.
FIT_TO_CARDS = """
addEventListener("load", () => {
  for (const plot of document.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(plot);
});
"""


def document(title: str, body: str) -> str:
    """A whole HTML page, with the style and the code for figures in it."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head>
<body><main>{body}</main><script>{FIT_TO_CARDS}</script></body></html>
"""


def facts(values: Iterable[tuple[str, str]]) -> str:
    """A row of small cards, each a value and what it is."""
    cards = "".join(
        f'<div class="card fact"><b>{value}</b><span>{name}</span></div>' for value, name in values
    )
    return f'<div class="facts">{cards}</div>'


def row(cards: Iterable[str]) -> str:
    """Cards beside each other, as many as the screen is wide."""
    return f'<div class="row">{"".join(cards)}</div>'


def figure_card(title: str, text: str, figure: go.Figure) -> str:
    """A card with a figure under a title and a line of text."""
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"responsive": True, "displayModeBar": False},
    )
    return f'<div class="card"><h3>{title}</h3><span class="quiet">{text}</span>{drawn}</div>'


def table_card(title: str, content: str) -> str:
    """A card with a table under a title."""
    return f'<div class="card"><h3>{title}</h3>{content}</div>'


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, wraps: bool = False) -> str:
    """A table that scrolls where the screen is too narrow; cells are HTML, and those of the first
    column are broken into lines if it `wraps`.
    """
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for cells in rows
    )
    kind = ' class="wraps"' if wraps else ""
    return (
        f'<div class="wide"><table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )
