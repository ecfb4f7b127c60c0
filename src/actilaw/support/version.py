"""The version of the installed package, for what it writes: read from its metadata."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Version of actilaw, or "unknown" where its source is imported without being installed."""
    try:
        return version("actilaw")
    except PackageNotFoundError:
        return "unknown"
