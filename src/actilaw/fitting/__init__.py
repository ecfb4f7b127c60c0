"""Fitting laws to activation counts: maximum likelihood, standard errors, forecasts and plots."""
