"""Naming the pictures that could not be read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_osnet.cli.console import warn


def describe_unreadable(reasons: Mapping[Path, str], total: int) -> str:
    """Count pictures and name each with what is wrong with it."""
    lines = [f"{len(reasons)} of {total} pictures could not be read:"]
    lines += [f"  {path}: {reason}" for path, reason in reasons.items()]
    return "\n".join(lines)


def report_unreadable(reasons: Mapping[Path, str]) -> dict[str, Any]:
    """Return how many and which they are, for JSON."""
    return {"count": len(reasons), "files": [str(path) for path in reasons]}


def warn_unreadable(reasons: Mapping[Path, str], total: int) -> None:
    """Warn on stderr if there are any."""
    if reasons:
        warn(f"{describe_unreadable(reasons, total)}\nThe result is without them.")
