"""The figure of a simulated layer."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationLaw
from actilaw.errors import FileError
from actilaw.reporting.simulation import write_simulation
from actilaw.theory.simulation import simulate

pytest.importorskip("plotly")
LAW = ActivationLaw(512, 20, 0.5)


@pytest.mark.slow
def test_the_page_holds_the_curves_and_what_was_drawn(tmp_path) -> None:
    bare = write_simulation(simulate(LAW, 1000), tmp_path / "bare.html").read_text()
    drawn = simulate(LAW, 1000, np.random.default_rng(0))
    page = write_simulation(drawn, tmp_path / "drawn.html").read_text()
    for name in ("expected (5)", "mean field (6)", "knee", "inflection", "probability (4)"):
        assert f'"name":"{name}"' in page
        assert f'"name":"{name}"' in bare
    assert '"name":"drawn"' in page
    assert '"name":"drawn"' not in bare
    assert '<script src="http' not in page


@pytest.mark.slow
def test_a_figure_that_cannot_be_written_is_refused(tmp_path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        write_simulation(simulate(LAW, 10), tmp_path / "missing" / "page.html")
