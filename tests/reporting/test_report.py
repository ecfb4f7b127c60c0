"""What `report` refuses before it writes anything."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationCounts, Census, LossSurface, fit_loss, report
from actilaw.errors import FileError, InputError


def test_losses_of_several_widths_are_no_single_curve(tmp_path, counts: ActivationCounts) -> None:
    sizes, widths = np.geomspace(10, 1e5, 12), np.tile([100.0, 1000.0], 6)
    joint = fit_loss(
        sizes, LossSurface(0.2, 3, 10, 0.6).loss(widths, sizes), "knee_alone", size=widths
    )
    with pytest.raises(InputError, match="expected losses of one width to draw"):
        report(Census({"relu": counts}), tmp_path / "page.html", loss=joint)
    assert not (tmp_path / "page.html").exists()


def test_a_page_that_cannot_be_written_leaves_nothing_behind(
    tmp_path, counts: ActivationCounts
) -> None:
    with pytest.raises(FileError, match=r"the folder .* does not exist; create it first"):
        report(Census({"relu": counts}), tmp_path / "missing" / "page.html")
    assert list(tmp_path.iterdir()) == []
