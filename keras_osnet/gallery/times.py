"""Points in time, which all have a time zone."""

from datetime import UTC, datetime
from typing import Any


def utc(value: Any, name: str) -> datetime:
    """Return a time in UTC.

    A time without a zone is refused: cameras, servers and operators mean different ones by it, and
    retention deletes by it.

    Args:
        value: A datetime with a time zone, or ISO 8601 text with one: "2026-11-27T14:00+01:00",
            "2026-11-27T13:00Z".
        name: Name of the argument or column, for errors.

    Raises:
        ValueError: It is no time, or has no time zone.

    Example:
        >>> utc("2026-11-27T14:00+01:00", "after").isoformat()
        '2026-11-27T13:00:00+00:00'
    """
    time = value
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value.strip())
        except ValueError:
            time = None
    if not isinstance(time, datetime):
        raise ValueError(
            f"`{name}` must be a datetime or ISO 8601 text, such as 2026-11-27T14:00+01:00. "
            f"Received: {value!r}"
        )
    if time.utcoffset() is None:
        raise ValueError(
            f"`{name}` must have a time zone: append Z for UTC, or an offset such as +01:00. "
            f"Received: {value!r}"
        )
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"`{name}` must be in the years 1 to 9999. Received: {value!r}") from None
