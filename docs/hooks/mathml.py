"""Formulas become MathML when the site is built, so that a page needs no script to show them.

A formula is written in LaTeX between dollar signs, $...$ in a line and $$...$$ on its own.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

DISPLAYED = r"\$\$(.+?)\$\$"
IN_A_LINE = r"(?<![\\$])\$(?=[^\s$])((?:[^$\\]|\\.)+?)(?<=\S)\$(?![\d$])"
BETWEEN_CODE_AND_ESCAPES = 185  # Markdown's own patterns: code in backticks 190, backslashes 180


class Formula(InlineProcessor):
    """Replaces a formula by its MathML."""

    def __init__(self, pattern: str, md: Markdown, *, display: str) -> None:
        super().__init__(pattern, md)
        self.display = display

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element, int, int]:
        mathml = convert(m.group(1).strip(), display=self.display)
        holder = Element("span", {"class": f"formula formula-{self.display}"})
        holder.text = self.md.htmlStash.store(mathml)
        return holder, m.start(0), m.end(0)


class Formulas(Extension):
    """A Markdown extension for formulas between dollar signs."""

    def extendMarkdown(self, md: Markdown) -> None:
        displayed = Formula(DISPLAYED, md, display="block")
        in_a_line = Formula(IN_A_LINE, md, display="inline")
        md.inlinePatterns.register(displayed, "displayed-formula", BETWEEN_CODE_AND_ESCAPES + 1)
        md.inlinePatterns.register(in_a_line, "formula", BETWEEN_CODE_AND_ESCAPES)


def on_config(config: Any) -> Any:
    """Called by MkDocs once its configuration is read."""
    config.markdown_extensions.append(Formulas())
    return config
