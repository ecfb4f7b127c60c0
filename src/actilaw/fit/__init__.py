"""Fitting: from counts to a law, from losses to a loss law, each with its uncertainty."""

from actilaw.fit.counts import fit
from actilaw.fit.fitted import FittedLaw
from actilaw.fit.loss import FittedLoss, fit_loss

__all__ = ["FittedLaw", "FittedLoss", "fit", "fit_loss"]
