"""Columns of tables: their plain names, and numbers in them."""

from __future__ import annotations

import pandas as pd
import pytest

from actilaw.errors import InputError
from actilaw.support.table_columns import numbers_in, plain_name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Val loss", "val_loss"),
        ("train/dead-latents", "train_dead_latents"),
        (" D ", "d"),
        (3, "3"),
    ],
)
def test_names_are_compared_in_plain_letters(name: object, plain: str) -> None:
    assert plain_name(name) == plain


def test_a_column_without_numbers_is_refused_with_what_there_is() -> None:
    table = pd.DataFrame({"loss": [1.0, 2.0], "run": ["a", "b"]})
    assert numbers_in(table, "loss").tolist() == [1.0, 2.0]
    with pytest.raises(InputError, match="expected a column 'size', but there are loss, run"):
        numbers_in(table, "size")
    with pytest.raises(InputError, match="expected numbers in column 'run'"):
        numbers_in(table, "run")
