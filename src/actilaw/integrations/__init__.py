"""Counts inside the tools that people train with: callbacks, metrics and loggers, each thin."""
