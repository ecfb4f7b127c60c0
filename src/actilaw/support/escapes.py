"""Text from files as it can be shown: control characters escaped, so that none can move the cursor
of a terminal, change colours or the direction of writing, or forge a line.
"""

from __future__ import annotations

import unicodedata

# Controls, formats such as the marks that turn the direction of writing, halves of surrogate
# pairs, and separators of lines and paragraphs.
UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """The text with every control character as an escape, as Python would write it."""
    return "".join(
        repr(sign)[1:-1] if unicodedata.category(sign) in UNPRINTABLE else sign for sign in text
    )
