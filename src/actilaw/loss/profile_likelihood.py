"""Profile likelihood of a loss curve: how far a parameter, or a loss yet to be measured, can move
unspoilt.

With the cost C of the fit at its scale σ, s and m of `robust`, and t of Student's law with n − p
degrees of freedom:

    (P1)  a parameter's interval:  min C with that parameter held there  <=  C + m s² t²
    (P2)  an interval for a loss still to be measured at D, whose noise is s as well, holds every v
          with
          min over θ of C(θ) + m (v − ln L(D; θ))²  <=  C + m s² t²

Where the curve is linear in its parameters, (P1) and (P2) are the textbook's intervals; where it is
not, they follow the valley of good fits instead of a tangent to it, and a valley without an end
gives an interval without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from actilaw.loss.form import Form
from actilaw.loss.huber import Descended, Lanes, Problem, descend
from actilaw.support.arrays import Floats

Spoilt = tuple[NDArray[np.bool_], Floats]  # which lanes are spoilt, and where each ended

FARTHEST = np.log(1e6)  # how many e-folds beyond the curve a bound of (P2) is looked for
DOUBLINGS, HALVINGS = 30, 14
COARSE = 1e-4  # of the noise's variance: what a bound costs is some four times that variance


@dataclass(frozen=True, eq=False)
class Valley:
    """The fit that intervals start from: its problem, where it ended, and s and m of (R3)."""

    problem: Problem
    fitted: Descended
    noise: float
    unclipped: float

    def at_scale(self) -> Problem:
        """The problem at the scale found, which stays put from here on."""
        return replace(self.problem, scale=float(self.fitted.scale[0]))

    def allowed(self, level: float) -> float:
        """The cost up to which a fit counts as unspoilt."""
        p, t = self.fitted.parameters[0], student.ppf((1 + level) / 2, self.problem.freedom)
        cost = descend(self.at_scale(), p[np.newaxis], steps=50).cost[0]
        return float(cost + self.unclipped * self.noise**2 * t**2)


def parameter_bounds(valley: Valley, level: float, widths: Floats) -> Floats:
    """(P1) for every coordinate, (p, 2); infinite where the bound of the search is reached
    unspoilt.

    Args:
        widths: how far to look first; (p,), finite and positive.
    """
    problem, best, allowed = valley.at_scale(), valley.fitted.parameters[0], valley.allowed(level)
    p = best.size
    which, sign = np.repeat(np.arange(p), 2), np.tile([-1.0, 1.0], p)
    low, high = (np.tile(bound, (2 * p, 1)) for bound in (valley.problem.low, valley.problem.high))
    lanes = np.arange(2 * p)

    def spoilt(lane: Lanes, moved: Floats, warm: Floats) -> Spoilt:
        held_low, held_high, starts = low[lane], high[lane], warm.copy()
        rows, value = np.arange(lane.size), best[which[lane]] + sign[lane] * moved
        for held in (held_low, held_high, starts):
            held[rows, which[lane]] = value
        found = descend(
            replace(problem, low=held_low, high=held_high), starts, tolerance=COARSE, enough=allowed
        )
        return found.cost > allowed, found.parameters

    room = np.where(sign < 0, best[which] - low[lanes, which], high[lanes, which] - best[which])
    moved = _farthest(spoilt, np.tile(best, (2 * p, 1)), widths[which], room)
    return (best[which] + sign * moved).reshape(p, 2)


def loss_bounds(valley: Valley, form: Form, at: Floats, level: float) -> Floats:
    """(P2) as logarithms of the loss over the fitted one, (n, 2), at ln D (n,), or ln D and ln N
    (2, n).
    """
    problem, best, allowed = valley.at_scale(), valley.fitted.parameters[0], valley.allowed(level)
    expected = form.log_loss(best[np.newaxis], at)[0][0]
    size = np.repeat(np.arange(expected.size), 2)
    sign = np.tile([-1.0, 1.0], expected.size)

    def spoilt(lane: Lanes, moved: Floats, warm: Floats) -> Spoilt:
        def curve(parameters: Floats, rows: Lanes) -> tuple[Floats, Floats]:
            values, slopes = valley.problem.curve(parameters, rows)
            more, bent = form.log_loss(parameters, at[..., size[lane[rows]], np.newaxis])
            return np.concatenate([values, more], axis=1), np.concatenate([slopes, bent], axis=1)

        aims = (expected[size[lane]] + sign[lane] * moved)[:, np.newaxis]
        found = descend(
            replace(problem, curve=curve, aims=(aims, np.array([valley.unclipped]))),
            warm,
            tolerance=COARSE,
            enough=allowed,
        )
        return found.cost > allowed, found.parameters

    first = np.full(size.size, max(2 * valley.noise, 1e-9))
    moved = _farthest(spoilt, np.tile(best, (size.size, 1)), first, np.full(size.size, FARTHEST))
    return (sign * moved).reshape(-1, 2)


def _farthest(
    spoilt: Callable[[Lanes, Floats, Floats], Spoilt], warm: Floats, first: Floats, room: Floats
) -> Floats:
    """How far each lane can move unspoilt; infinite where its whole room can be crossed.

    Halving, since a fit that ends in another valley may break the sign that faster searches need.
    """
    near, far = np.zeros(len(room)), np.minimum(first, room)
    end, open_ = np.full(len(room), False), np.full(len(room), True)
    for _ in range(DOUBLINGS):
        lanes = np.flatnonzero(open_)
        if lanes.size == 0:
            break
        bad, where = spoilt(lanes, far[lanes], warm[lanes])
        good = lanes[~bad]
        warm[good], near[good] = where[~bad], far[good]
        end[good] = far[good] >= room[good]
        open_[lanes[bad]] = False
        open_[end] = False
        far[open_] = np.minimum(2 * far[open_], room[open_])
    lanes = np.flatnonzero(~end)
    for _ in range(HALVINGS if lanes.size else 0):
        middle = (near[lanes] + far[lanes]) / 2
        bad, where = spoilt(lanes, middle, warm[lanes])
        far[lanes[bad]] = middle[bad]
        good = lanes[~bad]
        near[good], warm[good] = middle[~bad], where[~bad]
    return np.where(end, np.inf, near)
