"""Tables that print sentences below their rows."""

from __future__ import annotations

import pandas as pd

from actilaw.support.remarks import with_remarks

TABLE = pd.DataFrame({"expected": [1.25, 2.5]})


def test_remarks_stand_below_the_table_and_in_attrs() -> None:
    remarked = with_remarks(TABLE, ["One & all."])
    assert repr(remarked) == f"{TABLE!r}\nOne & all."
    assert remarked._repr_html_() == f"{TABLE._repr_html_()}<p>One &amp; all.</p>"
    assert remarked.attrs["remarks"] == ("One & all.",)
    assert repr(remarked.round()).endswith("One & all.")


def test_a_table_with_remarks_is_a_table() -> None:
    remarked = with_remarks(TABLE, ["One."])
    pd.testing.assert_frame_equal(remarked, TABLE, check_frame_type=False)
    assert remarked.to_dict() == TABLE.to_dict()
    assert type(remarked["expected"]) is pd.Series


def test_without_remarks_it_is_the_table_itself() -> None:
    assert with_remarks(TABLE, []) is TABLE
    assert TABLE.attrs == {}
