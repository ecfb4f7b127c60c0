"""Forecasts held against what was counted afterwards."""
