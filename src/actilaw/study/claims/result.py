"""What a claim's examination gives: the claim, the rule it is judged by, figures, and a verdict for
each network.

    holds            the 95 % interval of what was measured lies inside the range of the rule
    fails            it lies outside
    cannot be told   it reaches across the range's end, or too little was measured

Ranges are wide enough to be of use rather than to be significant: with many networks every simple
law is refuted by a p-value.

Networks of one width start from weights of one shape and see nested training sets, so that they are
no independent draws. What is measured is therefore first summarised in groups, one for each width
(for slopes in D, one for each size of training set), and intervals come from the scatter between
groups, with Student's quantiles (Donald & Lang 2007, The Review of Economics and Statistics 89).
They say what other widths and sizes would give, on the same tasks and test sets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from actilaw.checks.result import HOLDS
from actilaw.support.numerics import two_sided_z

FAILS, UNTOLD = "fails", "cannot be told"
LEVEL = 0.95
LEAST_GROUPS = 3  # of which a mean has an interval: two degrees of freedom
LEAST_LEVELS = 4  # widths, or sizes, from which a slope has one: two degrees of freedom as well
MOST_LEVERAGE = 0.9  # of one point, beyond which a slope is that point's alone
REACHES_ACROSS = "the interval reaches across the end of the range"


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval; NaN where nothing was measured.

    Attributes:
        estimate, lower, upper: in the unit of what was measured.
        n: trained networks, or other figures, that it was made from.
        groups: independent groups that these were summarised in.
    """

    estimate: float
    lower: float
    upper: float
    n: int
    groups: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured, not even an estimate without an interval."""
        return bool(np.isnan([self.estimate, self.lower, self.upper]).all())

    @property
    def is_bounded(self) -> bool:
        """Whether the interval has an end on one side or both."""
        return bool(np.isfinite([self.lower, self.upper]).any())


@dataclass(frozen=True)
class Verdict:
    """How one statement of a claim fared on one network, which is a layer of a task's networks, or
    on one task, where the statement is about losses alone.

    Attributes:
        task: name of the task, with the layer behind it where it has several.
        statement: what was tested.
        measured: what the numbers are, with their unit.
        interval: what was found.
        verdict: HOLDS, FAILS or UNTOLD.
        because: why it cannot be told, or "".
        remark: what else is to be known, or "".
    """

    task: str
    statement: str
    measured: str
    interval: Interval
    verdict: str
    because: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Curve:
    """One line of a claim's figure.

    Attributes:
        task: the panel that it belongs to.
        name: of the line.
        x, y: its points.
        is_theory: what the law says, rather than what was measured; drawn in the colour of the
            measured line of its name.
    """

    task: str
    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    is_theory: bool = False


@dataclass(frozen=True)
class Figure:
    """A claim's figure, with a panel for each task.

    Attributes:
        x_title, y_title: with units.
        curves: of all panels.
        log_y: whether its axis is logarithmic; that of x always is.
    """

    x_title: str
    y_title: str
    curves: tuple[Curve, ...]
    log_y: bool = False


@dataclass(frozen=True, eq=False)
class ClaimResult:
    """A claim, examined.

    Attributes:
        name: short, for commands.
        equation: number of the formula in the theory, as "(6)".
        claim: what the paper says, in a sentence.
        rule: when it holds, in a sentence.
        verdicts: one for each task and statement.
        details: a row for each measurement that verdicts rest on.
        figure: what to look at.
    """

    name: str
    equation: str
    claim: str
    rule: str
    verdicts: tuple[Verdict, ...]
    details: pd.DataFrame
    figure: Figure

    def table(self) -> pd.DataFrame:
        """A row for each verdict: claim, equation, task, statement, measured, estimate, lower,
        upper, n, groups, verdict, because, remark.
        """
        rows = [
            {
                "claim": self.name,
                "equation": self.equation,
                "task": verdict.task,
                "statement": verdict.statement,
                "measured": verdict.measured,
                "estimate": verdict.interval.estimate,
                "lower": verdict.interval.lower,
                "upper": verdict.interval.upper,
                "n": verdict.interval.n,
                "groups": verdict.interval.groups,
                "verdict": verdict.verdict,
                "because": verdict.because,
                "remark": verdict.remark,
            }
            for verdict in self.verdicts
        ]
        return pd.DataFrame(rows)


def judged(
    task: str,
    statement: str,
    measured: str,
    interval: Interval,
    *,
    within: tuple[float, float],
    needs: str,
    remark: str = "",
) -> Verdict:
    """The verdict by a range.

    Args:
        task: name of the network, or of the task.
        statement: what is tested.
        measured: what the numbers are.
        interval: what was found.
        within: the range in which the statement holds; ends may be infinite.
        needs: what is missing where nothing was found.
        remark: what else is to be known.
    """
    low, high = within
    verdict, because = UNTOLD, ""
    if np.isnan(interval.lower) or np.isnan(interval.upper):
        because = f"it needs {needs}"
    elif low <= interval.lower and interval.upper <= high:
        verdict = HOLDS
    elif interval.upper < low or interval.lower > high:
        verdict = FAILS
    else:
        because = REACHES_ACROSS
    return Verdict(task, statement, measured, interval, verdict, because, remark)


def remarks_on(verdicts: Iterable[Verdict]) -> list[str]:
    """Why verdicts cannot be told, and what else is to be known of them: a sentence for each
    reason, with the networks that it is true of.
    """
    tasks: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.because:
            tasks.setdefault(f"cannot be told: {verdict.because}", []).append(verdict.task)
        if verdict.remark:
            tasks.setdefault(verdict.remark, []).append(verdict.task)
    return [f"{'; '.join(names)}: {reason}" for reason, names in tasks.items()]


def by_statement(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts of each statement, in the order in which they first come."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.statement, []).append(verdict)
    return found


def by(readings: pd.DataFrame, *columns: str) -> list[tuple[Any, pd.DataFrame]]:
    """The rows of each combination of values, in the order in which they first come."""
    return list(readings.groupby(list(columns), sort=False))


def log_of(values: pd.Series) -> pd.Series:
    """Logarithms; of what is not positive, no number."""
    return pd.Series(np.log(values.where(values > 0)), values.index)


def mean_of(values: ArrayLike) -> Interval:
    """Mean of independent figures with Student's interval; figures that are no number are left
    out.
    """
    x = np.asarray(values, float)
    x = x[np.isfinite(x)]
    if x.size < LEAST_GROUPS:
        return Interval(float(x.mean()) if x.size else np.nan, np.nan, np.nan, x.size, x.size)
    reach = _student(x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    mean = float(x.mean())
    return Interval(mean, float(mean - reach), float(mean + reach), x.size, x.size)


def mean_over(values: pd.Series, groups: pd.Series, *, summary: str = "mean") -> Interval:
    """Mean over groups of a summary of each group, with Student's interval of these.

    Args:
        values: (n,); those that are no number are left out.
        groups: to which each belongs; (n,).
        summary: of a group: "mean" or "median".
    """
    known = values[np.isfinite(values.to_numpy(float))]
    summaries = known.groupby(groups[known.index]).agg(summary)
    return replace(mean_of(summaries), n=len(known))


def mean_between(lows: ArrayLike, highs: ArrayLike) -> Interval:
    """Mean of independent figures of which each is known to lie between two bounds: from the lower
    end of the mean of the lower bounds to the upper end of that of the upper ones.

    Args:
        lows, highs: (n,); infinite where nothing is known on that side, NaN where the figure is
            missing. There is no estimate if one is infinite.
    """
    low, high = np.asarray(lows, float), np.asarray(highs, float)
    is_known = ~(np.isnan(low) | np.isnan(high))
    low, high = low[is_known], high[is_known]
    if low.size < LEAST_GROUPS:
        return Interval(np.nan, np.nan, np.nan, low.size, low.size)
    lower = mean_of(low).lower if np.isfinite(low).all() else -np.inf
    upper = mean_of(high).upper if np.isfinite(high).all() else np.inf
    is_bounded = np.isfinite(lower) and np.isfinite(upper)
    estimate = float((low + high).mean() / 2) if is_bounded else np.nan
    return Interval(estimate, lower, upper, low.size, low.size)


def share_of(hits: pd.Series, groups: pd.Series) -> Interval:
    """Share of figures that are true, with Wilson's interval for as many independent figures as
    carry the same information (Korn & Graubard 1998, Survey Methodology 24).

    Where shares differ between groups by more than chance, figures count for less by the ratio of
    the two variances; and for less again by the squared ratio of the normal quantile to Student's.

    Args:
        hits: (n,), true or false.
        groups: to which each belongs; (n,).
    """
    x, names = hits.to_numpy(bool), groups.to_numpy()
    n, number = x.size, np.unique(names).size
    share = float(x.mean()) if n else np.nan
    if number < LEAST_GROUPS:
        return Interval(share, np.nan, np.nan, n, number)
    off = pd.Series(x - share).groupby(names).sum().to_numpy()
    by_chance, found = n * share * (1 - share), number / (number - 1) * np.sum(off**2)
    ratio = max(found / by_chance, 1.0) if by_chance > 0 else 1.0
    effective = effective_number(n / ratio, number)
    z = two_sided_z(LEVEL)
    centre = (share + z**2 / (2 * effective)) / (1 + z**2 / effective)
    spread = share * (1 - share) / effective + (z / (2 * effective)) ** 2
    reach = z / (1 + z**2 / effective) * np.sqrt(spread)
    return Interval(share, float(max(centre - reach, 0)), float(min(centre + reach, 1)), n, number)


def effective_number(n: float, groups: int) -> float:
    """Independent figures that n figures in groups are worth, since the scatter between few groups
    is known badly itself.
    """
    return n * (two_sided_z(LEVEL) / _student(groups - 1)) ** 2


def slope_of(values: pd.Series, along: pd.Series, at: pd.Series) -> Interval:
    """Slope of a figure in the logarithm of a width (or size), between networks of the same size
    (or width).

    Figures are averaged over seeds, then taken apart into an effect of each width and one of each
    size, and the effects of widths are regressed on the logarithm. The interval is the wider of
    two: from the scatter of widths about the line, by Student's law; and from how far the slope
    differs between sizes, by leaving out each in turn (the jackknife, Tukey 1958).

    A width counts if it has figures at two sizes or more, a size if it has two widths or more.
    There is no slope for fewer than `LEAST_LEVELS` widths, or if one figure, one width or one size
    alone decides on it.

    Args:
        values: (n,); those that are no number are left out.
        along: the width; (n,).
        at: the size; (n,).
    """
    cells = pd.DataFrame({"y": values, "along": along, "at": at})
    cells = cells[np.isfinite(cells["y"].to_numpy(float))]
    means = _comparable(cells.pivot_table(values="y", index="along", columns="at"))
    n = int((cells["along"].isin(means.index) & cells["at"].isin(means.columns)).sum())
    nothing = Interval(np.nan, np.nan, np.nan, n, len(means))
    if len(means) < LEAST_LEVELS or _decides_alone(means):
        return nothing
    slope, variance = _line_through_rows(means)
    left_out = [means.drop(columns=column) for column in means.columns]
    if not all(map(_determines_rows, left_out)):
        return nothing
    pulls = [_line_through_rows(rest)[0] - slope for rest in left_out]
    sizes = len(left_out)
    between_sizes = (sizes - 1) / sizes * float(np.sum(np.square(pulls)))
    reach = max(
        _student(len(means) - 2) * np.sqrt(variance),
        _student(sizes - 1) * np.sqrt(between_sizes),
    )
    return Interval(slope, float(slope - reach), float(slope + reach), n, len(means))


def _comparable(means: pd.DataFrame) -> pd.DataFrame:
    """Rows and columns with two figures or more, counted among those that stay."""
    while True:
        known = means.notna()
        kept = means.loc[known.sum(axis=1) >= 2, known.sum(axis=0) >= 2]
        if kept.shape == means.shape:
            return kept
        means = kept


def _line_through_rows(means: pd.DataFrame) -> tuple[float, float]:
    """Slope of row effects in the logarithm of the rows' names, and its variance by the scatter of
    rows about the line.
    """
    design, of_cells = _two_way(means)
    effects, *_ = np.linalg.lstsq(design, of_cells)
    line = _line(means)
    found, *_ = np.linalg.lstsq(line, effects[: len(means)])
    variance = np.sum((effects[: len(means)] - line @ found) ** 2) / (len(means) - 2)
    return float(found[1]), float(variance / np.sum((line[:, 1] - line[:, 1].mean()) ** 2))


def _line(means: pd.DataFrame) -> np.ndarray:
    """A constant and the logarithm of the rows' names; (rows, 2)."""
    return np.column_stack([np.ones(len(means)), np.log(means.index.to_numpy(float))])


def _two_way(means: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Design of an effect of each row, and of each column but the first, and its figures."""
    rows, columns = np.nonzero(means.notna().to_numpy())
    design = np.hstack([np.eye(len(means))[rows], np.eye(means.shape[1])[columns][:, 1:]])
    return design, means.to_numpy()[rows, columns]


def _determines_rows(means: pd.DataFrame) -> bool:
    """Whether a sum of row and column effects has one solution."""
    design, _ = _two_way(means)
    return np.linalg.matrix_rank(design) == design.shape[1]


def _decides_alone(means: pd.DataFrame) -> bool:
    """Whether the effects are not determined, or one figure or one row decides on them, or on the
    line through them.
    """
    if not _determines_rows(means):
        return True
    return max(_leverages(_two_way(means)[0]).max(), _leverages(_line(means)).max()) > MOST_LEVERAGE


def _leverages(design: np.ndarray) -> np.ndarray:
    """How far each fitted value follows its own figure, from 0 to 1."""
    q, _ = np.linalg.qr(design)
    return np.sum(q**2, axis=1)


def _student(freedom: int) -> float:
    return float(stdtrit(freedom, (1 + LEVEL) / 2))
