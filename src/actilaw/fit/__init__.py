"""Fitting: from counts to a law, from losses to a loss law, each with its uncertainty."""

from actilaw.fit.counts import fit
from actilaw.fit.fitted import FittedLaw
from actilaw.fit.loss import fit_loss
from actilaw.fit.loss_compare import compare_loss_forms
from actilaw.fit.loss_fitted import FittedLoss

__all__ = ["FittedLaw", "FittedLoss", "compare_loss_forms", "fit", "fit_loss"]
