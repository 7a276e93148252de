"""The people of the quickstart when they are a user's own."""

import os
import warnings
from collections.abc import Sequence

from keras_osnet.data import PersonImage, ReidDataset, read_people, split_by_identity
from keras_osnet.data.images import find_unreadable

_FEWEST = 2
"""People on each side: one alone is told from nobody, and found every time."""


def own_people(data: str | os.PathLike[str]) -> ReidDataset:
    """Read people and hold half of them out, unless a table says who is tested on.

    Distractors and pictures that cannot be read are left out, of the latter with a warning: now,
    and not after minutes of work.

    Raises:
        ValueError: As for `keras_osnet.data.read_people`, or there are too few people.
        OSError: The data cannot be read.
    """
    found = read_people(data)
    train = _readable([image for image in found.train if not image.distractor])
    query, gallery = _readable(found.query), _readable(found.gallery)
    if query and gallery:
        people = ReidDataset(found.name, tuple(train), query=tuple(query), gallery=tuple(gallery))
    else:
        _check_count(train, 2 * _FEWEST, "half of them are trained on and the others tested on")
        return split_by_identity(train, 0.5, name=found.name)
    _check_count(people.train, _FEWEST, "they are told apart in training", " to train on")
    _check_count(people.query, _FEWEST, "they are told apart in the test", " to look for")
    return people


def _readable(images: Sequence[PersonImage]) -> list[PersonImage]:
    """Those of the pictures that can be read."""
    broken = find_unreadable([image.path for image in images])
    if broken:
        warnings.warn(
            f"{len(broken)} of {len(images)} pictures cannot be read and are left out, the first: "
            "{}: {}".format(*next(iter(broken.items()))),
            stacklevel=3,
        )
    return [image for image in images if image.path not in broken]


def _check_count(images: Sequence[PersonImage], least: int, why: str, what: str = "") -> None:
    count = len({image.identity for image in images})
    if count < least:
        raise ValueError(
            f"`data` must show at least {least} people{what}, as {why}. Received: {count}"
        )
