"""Visits: a person's rows under one camera, without a long time between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from keras_osnet._utils.checks import number
from keras_osnet.gallery.times import utc

UNTIL = "until"
"""Column with the last time of a row that stands for several crops."""


@dataclass(frozen=True)
class Visit:
    """Rows under one camera, one soon after the other.

    Attributes:
        camera: The camera.
        start: Time of the first row.
        end: Time of the last one.
        rows: The rows, by time.
    """

    camera: str
    start: datetime
    end: datetime
    rows: tuple[Mapping[str, Any], ...]

    @property
    def best(self) -> Mapping[str, Any]:
        """The most similar row."""
        return max(self.rows, key=lambda row: float(row["similarity"]))


def find_visits(rows: Iterable[Mapping[str, Any]], *, gap: float = 30.0) -> list[Visit]:
    """Group the rows that a search found for a person into visits.

    Args:
        rows: Those of one query, as `Gallery.search` returns them. Rows without a camera or a time
            are left out. If there is a column `until`, it is the time up to which a row holds.
        gap: Longest time between two rows of a visit, in seconds.

    Returns:
        The visits by time.

    Raises:
        ValueError: `gap` is negative, or a time has no time zone.

    Example:
        >>> from datetime import UTC, datetime
        >>> rows = [
        ...     {"camera": "gate", "time": datetime(2026, 11, 27, 14, 3, second, tzinfo=UTC)}
        ...     for second in (0, 10, 58)
        ... ]
        >>> for visit in find_visits(rows):
        ...     print(visit.camera, len(visit.rows), visit.end - visit.start)
        gate 2 0:00:10
        gate 1 0:00:00
    """
    longest = timedelta(seconds=number("gap", gap, 0, 1e9))
    placed = [row for row in rows if row.get("camera") is not None and row.get("time") is not None]
    visits: dict[str, list[tuple[datetime, datetime, list[Mapping[str, Any]]]]] = {}
    for row in sorted(placed, key=lambda row: row["time"]):
        start = utc(row["time"], "time")
        end = start if row.get(UNTIL) is None else max(start, utc(row[UNTIL], UNTIL))
        of_camera = visits.setdefault(str(row["camera"]), [])
        if of_camera and start - of_camera[-1][1] <= longest:
            first, last, members = of_camera[-1]
            of_camera[-1] = first, max(last, end), [*members, row]
        else:
            of_camera.append((start, end, [row]))
    found = [
        Visit(camera, start, end, tuple(members))
        for camera, of_camera in visits.items()
        for start, end, members in of_camera
    ]
    return sorted(found, key=lambda visit: (visit.start, visit.camera))
