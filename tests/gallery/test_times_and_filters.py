"""Times, conditions and averages, which need no store."""

import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from keras_osnet.gallery import Gallery
from keras_osnet.gallery.filters import Filter
from keras_osnet.gallery.times import utc

TWO = datetime(2026, 11, 27, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-27T14:00Z",
        " 2026-11-27 15:00:00+01:00 ",
        "20261127T140000Z",
        TWO.astimezone(timezone(timedelta(hours=-5))),
    ],
)
def test_utc(value):
    assert utc(value, "after") == TWO
    assert utc(value, "after").utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-11-27T14:00", "`after` must have a time zone: append Z"),
        (datetime(2026, 11, 27), "`after` must have a time zone"),
        ("two o'clock", "`after` must be a datetime or ISO 8601 text"),
        (1764252000, "`after` must be a datetime"),
        ("0001-01-01T00:00+14:00", "`after` must be in the years 1 to 9999"),
    ],
)
def test_times_without_a_zone_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        utc(value, "after")


def test_numbers_are_names():
    assert Filter.of(camera=3, person=["Ann", 7]) == Filter(camera=("3",), person=("Ann", "7"))


def test_a_missing_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lance", None)
    message = r'The gallery needs pylance.*pip install "keras-osnet\[gallery\]"'
    with pytest.raises(ImportError, match=message):
        Gallery.open("people.lance")
