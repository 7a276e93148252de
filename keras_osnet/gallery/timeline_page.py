"""Where people were: visits on a timeline of cameras, as one page."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from keras_osnet import __version__
from keras_osnet._utils.checks import path_of
from keras_osnet._utils.html_page import HtmlPage
from keras_osnet._utils.text import drawable
from keras_osnet.data.images import read_image
from keras_osnet.gallery.filters import names
from keras_osnet.gallery.find_visits import Visit, find_visits
from keras_osnet.gallery.gallery_info import natural
from keras_osnet.gallery.row_images import RowImage, data_url, row_images
from keras_osnet.gallery.search_result import SearchResult, check_queries

_TEMPLATE = Path(__file__).with_name("timeline_page.html")

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Seconds between the times of the axis; beyond, whole days."""

_TICKS = 7
"""Times on the axis, at most."""

_NEAR = 9.0
"""Per cent of the axis that the label of a bar takes."""


def write_timeline_page(
    result: SearchResult,
    path: str | os.PathLike[str],
    queries: Sequence[str | os.PathLike[str]],
    *,
    images: str | os.PathLike[str] | None = None,
    cameras: Sequence[str | int] = (),
    gap: float = 30.0,
    title: str = "",
) -> None:
    """Write where people were: an HTML page with a timeline, which opens offline.

    Each query has a lane for every camera, in which its visits (see `find_visits`) are bars, and
    the most similar image of each visit. Search with `min_similarity`, so that people who are not
    in the gallery have no visits, and with a `limit` that no person's rows reach.

    The page holds images of people: protect it as you protect those.

    Args:
        result: What `Gallery.search` returned.
        path: The file; it is replaced atomically.
        queries: The image of every query.
        images: The folder in which images may be read, as for `write_search_page`.
        cameras: Cameras that have a lane even if nobody was there, in this order; others follow.
        gap: Longest time between two rows of a visit, in seconds.
        title: Name of the gallery.

    Raises:
        ValueError: There are more or fewer images than queries, `gap` is negative, or `cameras` are
            neither names nor numbers.
        ImageReadError: A query cannot be read.
        FileNotFoundError: The folder of the file, or `images`, does not exist.
        ImportError: Jinja2, Pillow, or OpenCV for a video is not installed.
    """
    page = HtmlPage(_TEMPLATE, purpose="The page of a timeline", extra="gallery")
    check_queries(queries, result)
    root = None if images is None else path_of("images", images).resolve(strict=True)
    known = dict.fromkeys(names(cameras, "cameras") or ()) if len(cameras) else {}
    people = [find_visits(rows, gap=gap) for rows in result]
    visits = [visit for person in people for visit in person]
    others = sorted({visit.camera for visit in visits} - {*known}, key=natural)
    axis = _Axis(visits)
    shown = iter(row_images([visit.best for visit in visits], root))
    page.write(
        path_of("path", path),
        gallery=drawable(title),
        period=axis.period(),
        ticks=axis.ticks(),
        people=[
            {
                "name": drawable(Path(query).name),
                "image": data_url(read_image(query)),
                "unplaced": len(rows) - sum(len(visit.rows) for visit in person),
                "lanes": [
                    {"camera": drawable(camera), "bars": axis.bars(person, camera)}
                    for camera in (*known, *others)
                ],
                "visits": [axis.card(visit, next(shown)) for visit in person],
            }
            for query, rows, person in zip(queries, result, people, strict=True)
        ],
        version=__version__,
    )


class _Axis:
    """The time from the first visit to the last one, with a margin."""

    def __init__(self, visits: Sequence[Visit]) -> None:
        start = min((visit.start for visit in visits), default=datetime.now(UTC))
        end = max((visit.end for visit in visits), default=start)
        margin = max((end - start) * 0.03, timedelta(seconds=1))
        self._start, self._end = _clipped(start, -margin), _clipped(end, margin)
        self._day = ""
        if start.date() != end.date():
            self._day = "%m-%d" if start.year == end.year else "%Y-%m-%d"
        self._seconds = (self._end - self._start).total_seconds()

    def period(self) -> str:
        """Return the days, as text."""
        first, last = self._start.date().isoformat(), self._end.date().isoformat()
        return f"{first} – {last}" if self._day else first

    def ticks(self) -> list[dict[str, Any]]:
        """Return the times of the axis."""
        day = _STEPS[-1]
        fits = (step for step in _STEPS if self._seconds / step <= _TICKS)
        step = next(fits, day * -(-int(self._seconds) // (day * _TICKS)))
        first = -int(-self._start.timestamp() // step) * step
        times = [datetime.fromtimestamp(first, UTC)]
        while (following := _clipped(times[-1], timedelta(seconds=step))) <= self._end:
            if following == times[-1]:
                break
            times.append(following)
        form = "%H:%M:%S" if step < 60 else "%H:%M"
        form = self._day if self._day and step >= day else f"{self._day} {form}"
        return [
            {"left": self._place(time), "text": time.strftime(form).strip()}
            for time in times
            if time >= self._start
        ]

    def bars(self, visits: Sequence[Visit], camera: str) -> list[dict[str, Any]]:
        """Return the bars of a lane; a label that another would cover is left out."""
        bars, free = [], 0.0
        for index, visit in enumerate(visits, 1):
            if visit.camera != camera:
                continue
            left, right = self._place(visit.start), self._place(visit.end)
            at = min(left, 100 - _NEAR)
            label = at >= free
            free = at + _NEAR if label else free
            bars.append(
                {
                    "number": index,
                    "left": left,
                    "width": right - left,
                    "label": self._time(visit.start) if label else "",
                    "at": at,
                    "text": self._span(visit),
                }
            )
        return bars

    def card(self, visit: Visit, image: RowImage) -> dict[str, Any]:
        """Return the image and the facts of a visit."""
        person = visit.best.get("person")
        return {
            "camera": drawable(visit.camera),
            "time": self._span(visit),
            "similarity": f"{visit.best['similarity']:.3f}",
            "person": None if person is None else drawable(str(person)),
            **image._asdict(),
        }

    def _place(self, time: datetime) -> float:
        """Return a time as per cent of the axis."""
        return round(100 * (time - self._start).total_seconds() / self._seconds, 3)

    def _span(self, visit: Visit) -> str:
        start, end = self._time(visit.start), self._time(visit.end)
        return start if start == end else f"{start} – {end}"

    def _time(self, time: datetime) -> str:
        return time.strftime(f"{self._day} %H:%M:%S").strip()


def _clipped(time: datetime, change: timedelta) -> datetime:
    """Return a changed time, or the same one at the end of the calendar."""
    try:
        return time + change
    except OverflowError:
        return time
