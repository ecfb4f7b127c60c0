"""Profile likelihood intervals (Venzon & Moolgavkar 1988): how far a parameter, or a loss that is
still to be measured, can move before the best fit of all else becomes worse than chance allows.

With the cost C of the fit at its scale σ, s and m of (HU3), and t of Student's law with n − p
degrees of freedom:

    (PL1)  a parameter's interval:  min C with the parameter held there  <=  C + m s² t²
    (PL2)  the interval of a loss still to be measured at D, whose noise is s as well, holds every v
           with  min over θ of C(θ) + m (v − ln L(D; θ))²  <=  C + m s² t²

Where the curve is linear in its parameters, (PL1) and (PL2) are the textbook's intervals. Where it
is not, they follow the good fits along their curved path instead of a tangent to it, and where good
fits go on without end, so does the interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from actilaw.loss.form import Form
from actilaw.loss.huber import Curve, Fits, PenaltyTargets, Problem, Solution, solve
from actilaw.support.arrays import Floats

FARTHEST_LOSS = np.log(1e6)  # e-folds from the curve within which a bound of (PL2) is looked for
DOUBLINGS = 30
HALVINGS = 14
BOUND_TOLERANCE = 1e-4  # of the noise's variance; a bound costs some four times that variance


@dataclass(frozen=True, eq=False)
class ProfileLikelihood:
    """The best fit, from which intervals start: its problem, its solution, s and m of (HU3)."""

    problem: Problem
    solution: Solution
    noise: float
    unclipped: float

    @property
    def coordinates(self) -> Floats:
        """Of the best fit, (p,)."""
        return self.solution.parameters[0]

    def at_scale(self) -> Problem:
        """The problem at the scale found, which does not change from here on."""
        return replace(self.problem, scale=float(self.solution.scale[0]))

    def allowed_cost(self, level: float) -> float:
        """The cost up to which a fit is accepted at `level`, C + m s² t²."""
        t = stdtrit(self.problem.freedom, (1 + level) / 2)
        cost = solve(self.at_scale(), self.coordinates[np.newaxis], steps=50).cost[0]
        return float(cost + self.unclipped * self.noise**2 * t**2)


class Refitted(NamedTuple):
    """Whether each fit is rejected, (fits,), and where it ended, (fits, p)."""

    rejected: NDArray[np.bool_]
    parameters: Floats


# Fits again the chosen bounds, each moved by a distance (fits,), from starts (fits, p).
Refit = Callable[[Fits, Floats, Floats], Refitted]


def parameter_bounds(profile: ProfileLikelihood, level: float, first: Floats) -> Floats:
    """Bounds (PL1) of every coordinate, (p, 2); infinite where the bound of the search is accepted.

    Args:
        profile: the best fit.
        level: of the intervals.
        first: how far to look first; (p,), finite and positive.
    """
    problem, best = profile.at_scale(), profile.coordinates
    allowed = profile.allowed_cost(level)
    held, sign = _both_sides(best.size)

    def refit(fits: Fits, distance: Floats, starts: Floats) -> Refitted:
        values = best[held[fits]] + sign[fits] * distance
        part, starts = _with_held(problem, starts, held[fits], values)
        return _judge(part, starts, allowed)

    room = np.where(sign < 0, best[held] - problem.low[held], problem.high[held] - best[held])
    distance = _farthest_accepted(refit, best, first=first[held], room=room)
    return (best[held] + sign * distance).reshape(-1, 2)


def loss_bounds(profile: ProfileLikelihood, form: Form, at: Floats, level: float) -> Floats:
    """Bounds (PL2) as logarithms of the loss over the fitted one, (n, 2).

    Args:
        profile: the best fit.
        form: of its curve.
        at: ln D, (n,), or ln D and ln N, (2, n).
        level: of the intervals.
    """
    problem, best = profile.at_scale(), profile.coordinates
    allowed = profile.allowed_cost(level)
    expected = form.log_loss(best[np.newaxis], at)[0][0]
    point, sign = _both_sides(expected.size)

    def refit(fits: Fits, distance: Floats, starts: Floats) -> Refitted:
        new_loss = expected[point[fits]] + sign[fits] * distance
        curve = _with_new_loss(problem.curve, form, at[..., point[fits]])
        penalty = PenaltyTargets(new_loss[:, np.newaxis], np.array([profile.unclipped]))
        return _judge(replace(problem, curve=curve, penalty=penalty), starts, allowed)

    first = np.full(point.size, max(2 * profile.noise, 1e-9))
    room = np.full(point.size, FARTHEST_LOSS)
    distance = _farthest_accepted(refit, best, first=first, room=room)
    return (sign * distance).reshape(-1, 2)


def bounded_sides(lower: float, upper: float) -> tuple[bool, bool]:
    """Whether the losses bound a parameter below, and whether above, by its interval.

    Args:
        lower: of the interval; 0, or minus infinity for a parameter that may be negative, is no
            bound.
        upper: of the interval; infinity is no bound.
    """
    return lower not in (0, -np.inf), upper < np.inf


def _both_sides(n: int) -> tuple[Fits, Floats]:
    """Two bounds for each of n quantities: whose bound each is, and on which side; (2n,) each."""
    return np.repeat(np.arange(n), 2), np.tile([-1.0, 1.0], n)


def _judge(problem: Problem, starts: Floats, allowed: float) -> Refitted:
    found = solve(problem, starts, tolerance=BOUND_TOLERANCE, enough=allowed)
    return Refitted(found.cost > allowed, found.parameters)


def _with_held(
    problem: Problem, starts: Floats, held: Fits, values: Floats
) -> tuple[Problem, Floats]:
    """The problem with one coordinate of each fit held at a value, by bounds that leave no room."""
    fits = np.arange(len(starts))
    low = np.tile(problem.low, (fits.size, 1))
    high = np.tile(problem.high, (fits.size, 1))
    starts = starts.copy()
    for array in (low, high, starts):
        array[fits, held] = values
    return replace(problem, low=low, high=high), starts


def _with_new_loss(curve: Curve, form: Form, at: Floats) -> Curve:
    """The curve with one more value: that of fit i at at[..., i]."""

    def extended(parameters: Floats, fits: Fits) -> tuple[Floats, Floats]:
        values, slopes = curve(parameters, fits)
        new_value, new_slope = form.log_loss(parameters, at[..., fits, np.newaxis])
        return (
            np.concatenate([values, new_value], axis=1),
            np.concatenate([slopes, new_slope], axis=1),
        )

    return extended


@dataclass(eq=False)
class _Search:
    """How far the search for each bound has come.

    Attributes:
        inside: the farthest distance accepted.
        outside: the distance to try next; once the bound is bracketed, the least one rejected.
        parameters: of the last accepted fit, from which the next starts; (bounds, p).
        unbounded: whether the whole room was accepted.
    """

    inside: Floats
    outside: Floats
    parameters: Floats
    unbounded: NDArray[np.bool_]

    def accept(self, bounds: Fits, distance: Floats, parameters: Floats) -> None:
        self.inside[bounds] = distance
        self.parameters[bounds] = parameters


def _farthest_accepted(refit: Refit, best: Floats, *, first: Floats, room: Floats) -> Floats:
    """The farthest distance accepted for each bound; infinite where the whole room is.

    Args:
        refit: fits at a distance.
        best: where the search starts, (p,).
        first: distances tried first; (bounds,).
        room: distances at which the search ends; (bounds,).
    """
    n = len(room)
    search = _Search(
        inside=np.zeros(n),
        outside=np.minimum(first, room),
        parameters=np.tile(best, (n, 1)),
        unbounded=np.full(n, False),
    )
    _bracket(search, refit, room)
    _bisect(search, refit)
    return np.where(search.unbounded, np.inf, search.inside)


def _bracket(search: _Search, refit: Refit, room: Floats) -> None:
    """Double the distances until they are rejected, or the end of the room is accepted."""
    looking = np.arange(len(room))
    for _ in range(DOUBLINGS):
        if looking.size == 0:
            return
        tried = search.outside[looking]
        rejected, parameters = refit(looking, tried, search.parameters[looking])
        accepted = looking[~rejected]
        search.accept(accepted, tried[~rejected], parameters[~rejected])
        search.unbounded[accepted] = tried[~rejected] >= room[accepted]
        looking = accepted[~search.unbounded[accepted]]
        search.outside[looking] = np.minimum(2 * search.outside[looking], room[looking])


def _bisect(search: _Search, refit: Refit) -> None:
    """Halve every bracket; bisection, since the cost may jump where a fit ends elsewhere, which
    breaks the sign that faster searches need.
    """
    looking = np.flatnonzero(~search.unbounded)
    if looking.size == 0:
        return
    for _ in range(HALVINGS):
        middle = (search.inside[looking] + search.outside[looking]) / 2
        rejected, parameters = refit(looking, middle, search.parameters[looking])
        search.outside[looking[rejected]] = middle[rejected]
        search.accept(looking[~rejected], middle[~rejected], parameters[~rejected])
