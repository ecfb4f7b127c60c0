"""Reporting: from a census to one self-contained HTML page. Plotly is imported only when a page is
written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from actilaw.counts.census import Census
from actilaw.errors import needs_extra
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.support.files import check_writable

if TYPE_CHECKING:
    from actilaw.pruning.surgery import PruneResult

__all__ = ["report"]


def report(
    census: Census,
    path: str | os.PathLike[str],
    *,
    loss: FittedLoss | None = None,
    pruned: PruneResult | None = None,
) -> Path:
    """Write one self-contained HTML page on a census: estimates, growth of K, law of counts, idle
    fraction.

    Args:
        census: counts of the network's layers; a layer that cannot be fitted is shown with the
            reason.
        path: of the page; written whole or not at all.
        loss: a fitted loss law, to add its figure.
        pruned: a pruned network, to add what was removed.

    Raises:
        FileError: if the page cannot be written.
        MissingExtraError: if Plotly is not installed.
    """
    check_writable(path)
    with needs_extra("report"):
        from actilaw.reporting.page import write_page
    return write_page(census, path, loss=loss, pruned=pruned)
