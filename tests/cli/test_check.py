"""The command `actilaw check`: its table and its JSON are those of `check`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actilaw import Census, LossLaw, check
from builders.command import actilaw, assert_one_sentence
from builders.layers import draw_layer


@pytest.mark.slow
def test_the_command_prints_a_table_per_layer_and_the_same_as_json(tmp_path: Path) -> None:
    census, loss = tmp_path / "layers.census", tmp_path / "loss.csv"
    Census({"one": draw_layer(0), "two": draw_layer(1)}).save(census)
    sizes = np.geomspace(10, 1e5, 9)
    pd.DataFrame({"samples": sizes, "loss": LossLaw(0.2, 3, 300, 0.4).loss(sizes)}).to_csv(loss)

    document = json.loads(actilaw("check", census, "--loss", loss, "--json").stdout)
    assert set(document) == {"one", "two"}
    expected = check(draw_layer(0)).set_index("test").loc["reinforcement", "estimate"]
    assert document["one"][0]["estimate"] == pytest.approx(expected)
    assert "b_from_loss" in [row["test"] for row in document["two"]]
    assert f"{expected:.4g}" in actilaw("check", census).stdout
    wrong = actilaw("check", census, "--loss", census)
    assert_one_sentence(wrong, "expected a CSV file")
