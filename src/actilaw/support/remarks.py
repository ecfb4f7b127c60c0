"""Tables with remarks: a DataFrame that prints sentences about its numbers below its rows."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import pandas as pd

REMARKS = "remarks"  # the key in `attrs`


class RemarkedTable(pd.DataFrame):
    """A DataFrame that prints what stands in `attrs["remarks"]`, a tuple of sentences, below its
    rows.
    """

    @property
    def _constructor(self) -> type[RemarkedTable]:
        """So that `table.round()` keeps its remarks."""
        return RemarkedTable

    def __repr__(self) -> str:
        return "\n".join((super().__repr__(), *self.attrs.get(REMARKS, ())))

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self)._repr_html_() or ""  # pyright: ignore
        remarks = self.attrs.get(REMARKS, ())
        return table + "".join(f"<p>{escape(remark)}</p>" for remark in remarks)


def with_remarks(table: pd.DataFrame, remarks: Iterable[str]) -> pd.DataFrame:
    """The table with remarks, or as it is if there are none."""
    remarks = tuple(remarks)
    if not remarks:
        return table
    remarked = RemarkedTable(table)
    remarked.attrs[REMARKS] = remarks
    return remarked
