"""Fitting: from counts to a law, from losses to a loss law, each with its uncertainty."""

from actilaw.fit.counts import FittedLaw, fit
from actilaw.fit.loss import FittedLoss, fit_loss

__all__ = ["FittedLaw", "FittedLoss", "fit", "fit_loss"]
