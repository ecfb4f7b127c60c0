"""The command `actilaw report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actilaw.cli.options import AsJson, CensusFile
from actilaw.cli.progress import bar_if_slow
from actilaw.cli.tables import print_json
from actilaw.cli.terminal import leaving, say
from actilaw.counts.census import Census
from actilaw.reporting.report import report


def report_command(
    file: CensusFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the page.")] = Path(
        "report.html"
    ),
    as_json: AsJson = False,
) -> None:
    """Write a self-contained HTML page on a census.

    It has a table of the layers, and estimates, forecasts and figures of each.
    """
    with leaving(output), bar_if_slow("reading layers") as progress:
        page = report(Census.load(file), output, progress=progress)
    if as_json:
        print_json({"report": str(page.resolve())})
    else:
        say(f"Page with the figures: {page.resolve()}")
