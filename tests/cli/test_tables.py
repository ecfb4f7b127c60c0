"""Tables in and out: columns of a CSV file, numbers of samples, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actilaw import LossLaw
from actilaw.cli.tables import multiples, print_json
from actilaw.errors import InputError
from builders.command import actilaw, assert_one_sentence


def test_loss_reads_columns_by_name(tmp_path: Path) -> None:
    sizes = np.geomspace(10, 1e5, 9)
    table = pd.DataFrame({"D": sizes, "nll": LossLaw(0.2, 3, 300, 0.6).loss(sizes)})
    table.to_csv(tmp_path / "loss.csv", index=False)
    columns = ("--samples-column", "D", "--loss-column", "nll")
    document = json.loads(actilaw("loss", tmp_path / "loss.csv", *columns, "--json").stdout)
    assert document["parameters"]["b"]["estimate"] == pytest.approx(0.6, rel=1e-3)
    assert "knee" in actilaw("loss", tmp_path / "loss.csv", *columns).stdout
    assert_one_sentence(
        actilaw("loss", tmp_path / "loss.csv"), "expected a column 'samples'", "it has D, nll"
    )


def test_a_file_that_is_no_table_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "loss.zip").write_bytes(b"PK no zip")
    assert_one_sentence(actilaw("loss", tmp_path / "loss.zip"), "loss.zip")
    (tmp_path / "ragged.csv").write_text("samples,loss\n1,2\n1,2,3,4\n")
    assert_one_sentence(actilaw("loss", tmp_path / "ragged.csv"), "cannot be read as one")
    (tmp_path / "words.csv").write_text("samples,loss\n1,low\n2,high\n")
    assert_one_sentence(actilaw("loss", tmp_path / "words.csv"), "expected numbers in column")


def test_multiples_are_of_what_was_counted() -> None:
    assert multiples("500, 10x,1e3", 200) == [500, 2000, 1000]
    with pytest.raises(InputError, match=r"expected numbers such as 5000,10x .* but got 'x'"):
        multiples("x", 200)


def test_json_has_null_for_what_is_infinite_or_missing(capsys: pytest.CaptureFixture) -> None:
    print_json({"a": np.float64("nan"), 3: [np.inf, np.int64(2)], "nested": {"b": (1.5,)}})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "3": [None, 2],
        "nested": {"b": [1.5]},
    }
