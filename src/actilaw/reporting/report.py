"""The public function `report`; Plotly is imported only when a page is written."""

from __future__ import annotations

import os
from pathlib import Path

from actilaw.counts.census import Census, require_census
from actilaw.errors import needs_extra
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.result import PruneResult
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.files import check_writable
from actilaw.support.progress import Progress

__all__ = ["report"]


@one_blas_thread()
def report(
    census: Census,
    path: str | os.PathLike[str],
    *,
    loss: FittedLoss | None = None,
    pruned: PruneResult | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a self-contained HTML page on a census: estimates, forecasts, and figures of the
    accumulation curve, the law of counts and the idle fraction.

    Args:
        census: counts of the network's layers; a layer that cannot be fitted is shown with the
            reason.
        path: of the page; written whole or not at all.
        loss: a fitted loss law, to add its figure.
        pruned: a pruned network, to add what was removed.
        progress: called after each layer with how many are done, and how many there are.

    Returns:
        The path of the page.

    Raises:
        FileError: if the page cannot be written.
        InputError: if this is no census, or the losses are of several sizes of network.
        MissingExtraError: if Plotly is not installed.
    """
    require_census(census)
    check_writable(path)
    with needs_extra("report"):
        from actilaw.reporting.page import write_page
    return write_page(census, path, loss=loss, pruned=pruned, progress=progress)
