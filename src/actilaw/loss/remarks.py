"""What a fit of losses leaves open, in sentences: parameters that the losses do not bound, how the
knee moves with the size, losses far out, and losses whose errors go together.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from actilaw.loss.design import Design
from actilaw.loss.form import Form
from actilaw.loss.measurements import Measurements
from actilaw.loss.profile_likelihood import bounded_sides
from actilaw.loss.serial_correlation import SerialCorrelation

REASONS = {  # why a parameter has no lower bound, and no upper one
    "knee": ("no plateau is seen", "no power law is seen after it"),
    "floor": ("it may be zero", ""),
}
EXPONENTIAL = "an exponential decay of the loss is no worse"  # (1 + x/b)^(−b) as b grows
CASES_OF_G = {0.0: "a fixed bN, g = 0", 1.0: "a fixed b, g = 1"}
RUNS_SHOWN = 3


def remarks_on(
    summary: pd.DataFrame,
    level: float,
    *,
    form: Form,
    design: Design,
    left_out: Measurements | None,
    serial: SerialCorrelation | None,
) -> tuple[str, ...]:
    """A sentence for each thing left open.

    Args:
        summary: of the parameters, with lower and upper of their intervals.
        level: of these.
        form: fitted.
        design: where the runs lie in size and data.
        left_out: losses far out.
        serial: correlation of neighbouring losses, where it is strong.
    """
    of_b = {"b": ("", EXPONENTIAL)} if form.name in ("activation", "knee_alone") else {}
    reasons = REASONS | of_b
    remarks = [
        _of_parameter(
            str(name), row["lower"], row["upper"], level, reasons.get(str(name), ("", ""))
        )
        for name, row in summary.iterrows()
    ]
    if design.fixed is None:
        remarks.append(_of_the_knee(summary, level))
    remarks.append(_far_out(left_out))
    if serial is not None:
        remarks.append(serial.remark())
    return (*design.remarks(), *(remark for remark in remarks if remark))


def _of_parameter(
    name: str, lower: float, upper: float, level: float, reasons: tuple[str, str]
) -> str:
    """What the interval of a parameter leaves open; nothing where it is bounded on both sides.

    Args:
        name: of the parameter.
        lower, upper: of its interval at `level`.
        level: of the interval.
        reasons: why it may have no lower bound, and no upper one.
    """
    bounded_below, bounded_above = bounded_sides(lower, upper)
    if bounded_below and bounded_above:
        return ""
    if not bounded_below and not bounded_above:
        return f"{name} is not bounded by these losses"
    why_not_below, why_not_above = reasons
    why = why_not_above if bounded_below else why_not_below
    bound = f"above {lower:.4g}" if bounded_below else f"below {upper:.4g}"
    return f"{name} {bound} ({level:.0%})" + (f": {why}" if why else "")


def _of_the_knee(summary: pd.DataFrame, level: float) -> str:
    """What the losses say of g, about which the law knows two cases; nothing where they do not
    bound it.
    """
    if "g" not in summary.index:
        return ""
    low, high = summary.loc["g", ["lower", "upper"]].to_numpy(float)
    if not (np.isfinite(low) and np.isfinite(high)):
        return ""
    cases = [text for value, text in CASES_OF_G.items() if low <= value <= high]
    said = " and of ".join(cases)
    verdict = f"as of {said}" if cases else "neither that of a fixed b, 1, nor of a fixed bN, 0"
    return f"the knee moves as size^g, g {low:.2g} to {high:.2g} ({level:.0%}): {verdict}"


def _far_out(left_out: Measurements | None) -> str:
    """Which losses were left out."""
    if left_out is None or left_out.loss.size == 0:
        return ""
    runs = zip(left_out.loss[:RUNS_SHOWN], left_out.samples[:RUNS_SHOWN], strict=True)
    shown = ", ".join(f"{loss:.4g} at {samples:.4g} samples" for loss, samples in runs)
    more = left_out.loss.size - RUNS_SHOWN
    others = f" and {more} more" if more > 0 else ""
    return f"left out, far from the curve: {shown}{others}; such a run may have diverged"
