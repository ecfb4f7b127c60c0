"""The public function `report`; Plotly is imported only when a page is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from actilaw.counts.census import Census, require_census
from actilaw.errors import needs_extra
from actilaw.fitting.fitted_law import FittedLaw
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.pruning.result import PruneResult
from actilaw.study.store import Study
from actilaw.support.blas_threads import one_blas_thread
from actilaw.support.files import check_writable
from actilaw.support.progress import Progress

__all__ = ["report"]


@one_blas_thread()
def report(
    census: Census | Study,
    path: str | os.PathLike[str],
    *,
    loss: FittedLoss | None = None,
    pruned: PruneResult | None = None,
    fits: Mapping[str, FittedLaw] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a self-contained HTML page: on a census, a table of the layers, and for each its
    estimates, forecasts and figures; on a study, the paper's claims with a figure of each task, and
    verdicts.

    A page asks for nothing when it is opened. Its figures are drawn when they come into sight.

    Args:
        census: counts of the network's layers, of which one that cannot be fitted is shown with the
            reason; or a `Study`.
        path: of the page; written whole or not at all.
        loss: a fitted loss law, to add its figure.
        pruned: a pruned network, to add what was removed.
        fits: laws of the census's layers that were fitted before, by name, as `census.map(fit)`
            gives them; the layers left out are fitted.
        workers: processes that read layers, or the cells of a study; as many as there are
            processors by default.
        progress: called after each layer, or cell of a study, with how many are done, and how many
            there are.

    Returns:
        The path of the page.

    Raises:
        FileError: if the page cannot be written.
        InputError: if this is no census and no study, the losses are of several sizes of network,
            a fit is of other counts than the census's, or no cell of the study is done.
        MissingExtraError: if Plotly or joblib is not installed, or what a study needs.
    """
    check_writable(path)
    if isinstance(census, Study):
        return _report_on_study(census, path, workers, progress)
    require_census(census)
    with needs_extra("report"):
        from actilaw.reporting.layer_reading import checked_fits
        from actilaw.reporting.page import write_page

        return write_page(
            census,
            path,
            loss=loss,
            pruned=pruned,
            fits=checked_fits(census, fits),
            workers=workers,
            progress=progress,
        )


def _report_on_study(
    study: Study,
    path: str | os.PathLike[str],
    workers: int | None,
    progress: Progress | None,
) -> Path:
    from actilaw.study.claims.examine import examine
    from actilaw.study.readings import readings

    with needs_extra("report"):
        from actilaw.reporting.study_page import write_study_page
    found = readings(study, workers=workers, progress=progress)
    return write_study_page(found, examine(found), path)
