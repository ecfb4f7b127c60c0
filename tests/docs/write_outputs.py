"""Run pages of the documentation, and write what their blocks print into the blocks of text after
them: `python tests/docs/write_outputs.py docs/howto/forecast.md ...`
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from test_code_blocks import blocks_of, run

OPENED, CLOSED = "```text\n", "```"


def write_outputs(page: Path) -> None:
    text = page.read_text()
    namespace: dict[str, object] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sys.path.insert(0, folder)
        for block in blocks_of(page.read_text()):
            printed = run(block, namespace, page.name)
            if block.printed is not None:
                lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
                after = text.index(block.code) + len(block.code)
                start = text.index(OPENED, after) + len(OPENED)
                text = text[:start] + lines + text[text.index(CLOSED, start) :]
        sys.path.remove(folder)
    page.write_text(text)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        write_outputs(Path(argument).resolve())
