"""Tables in and out: columns of a CSV file, numbers of samples, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from actilaw.cli.tables import print_json
from builders.command import actilaw, assert_one_sentence


def test_a_file_that_is_no_table_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "loss.zip").write_bytes(b"PK no zip")
    assert_one_sentence(actilaw("loss", tmp_path / "loss.zip"), "loss.zip")
    (tmp_path / "ragged.csv").write_text("samples,loss\n1,2\n1,2,3,4\n")
    assert_one_sentence(actilaw("loss", tmp_path / "ragged.csv"), "cannot be read as one")
    (tmp_path / "words.csv").write_text("samples,loss\n1,low\n2,high\n")
    assert_one_sentence(actilaw("loss", tmp_path / "words.csv"), "expected numbers in column")


def test_json_has_null_for_what_is_infinite_or_missing(capsys: pytest.CaptureFixture) -> None:
    print_json({"a": np.float64("nan"), 3: [np.inf, np.int64(2)], "nested": {"b": (1.5,)}})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "3": [None, 2],
        "nested": {"b": [1.5]},
    }
