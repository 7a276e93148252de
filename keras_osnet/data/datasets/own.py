"""Users' own pictures: a folder for each person, and people held out to test on."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from keras_osnet.data.datasets.dataset import ReidDataset
from keras_osnet.data.datasets.shuffling import shuffled
from keras_osnet.data.images import list_images
from keras_osnet.data.market1501 import PersonImage


def identity_folders(
    folder: str | os.PathLike[str], camera_pattern: str | None = None
) -> list[PersonImage]:
    r"""List the pictures of a folder that has a sub-folder for each person.

    People are numbered in the order of the sub-folders' names, from 1, as 0 is a distractor in
    Market-1501. Pictures may lie deeper: `anna/entrance/0001.jpg` shows anna.

    Args:
        folder: The folder.
        camera_pattern: A regular expression whose first group is the camera's number, searched
            for in each path below the sub-folder: `r"cam(\d+)"`. None if cameras are not known.

    Returns:
        The pictures, sorted by path.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If `folder` is a file.
        ValueError: If there are no pictures, some lie in no sub-folder, or a path does not match
            `camera_pattern`.
    """
    root = Path(folder)
    paths = list_images(root)
    below = {path: path.relative_to(root).parts for path in paths}
    stray = [path for path in paths if len(below[path]) == 1]
    if stray:
        raise ValueError(
            f"`folder` must have a sub-folder for each person, and every picture be in one. "
            f"Received: {root} with {len(stray):,} pictures outside, such as {stray[0].name}"
        )
    names = sorted({parts[0] for parts in below.values()})
    identities = {name: number for number, name in enumerate(names, start=1)}
    return [
        PersonImage(
            path,
            identities[below[path][0]],
            _camera("/".join(below[path][1:]), camera_pattern),
        )
        for path in paths
    ]


def split_by_identity(
    images: Sequence[PersonImage], fraction: float = 0.5, *, seed: int = 0, name: str = "own"
) -> ReidDataset:
    """Hold some people out, to measure on people whom the training has not seen.

    Of a person held out, one picture under each camera becomes a query, and the others the
    gallery, in which every query has a match under another camera. If the camera of any picture is
    not known, it is one query a person. People without a second camera or picture are in the
    gallery only.

    Args:
        images: The pictures, without distractors, who would be taken for one person.
        fraction: How many of the people to hold out, between 0 and 1.
        seed: Of the choice of people and queries.
        name: Name of the dataset.

    Returns:
        The dataset: other people's pictures in `train`, theirs in `query` and `gallery`.

    Raises:
        ValueError: If `fraction` leaves nobody on one side, or nobody held out has pictures that
            could be found.
    """
    people = sorted({image.identity for image in images})
    count = round(fraction * len(people))
    if not 0 < count < len(people):
        raise ValueError(
            "`fraction` must leave people on both sides. "
            f"Received: {fraction} of {len(people)} people"
        )
    held_out = frozenset(shuffled(people, f"people {seed}")[:count])
    with_cameras = all(image.camera is not None for image in images)
    test = [image for image in images if image.identity in held_out]
    by_person: dict[int, list[PersonImage]] = {}
    for image in test:
        by_person.setdefault(image.identity, []).append(image)
    query: list[PersonImage] = []
    for identity, own in sorted(by_person.items()):
        query += _queries(shuffled(own, f"queries {seed} {identity}"), with_cameras)
    if not query:
        raise ValueError(
            "Nobody held out has two pictures"
            f"{' under different cameras' if with_cameras else ''}. "
            f"Received: {len(images)} pictures of {len(people)} people"
        )
    asked = set(query)
    return ReidDataset(
        name=name,
        train=tuple(image for image in images if image.identity not in held_out),
        query=tuple(query),
        gallery=tuple(image for image in test if image not in asked),
    )


def _queries(images: list[PersonImage], with_cameras: bool) -> list[PersonImage]:
    """Choose queries among the pictures of one person, in random order, each with a match left."""
    if not with_cameras:
        return images[:1] if len(images) > 1 else []
    by_camera: dict[int | None, list[PersonImage]] = {}
    for image in images:
        by_camera.setdefault(image.camera, []).append(image)
    if len(by_camera) < 2:
        return []
    # A camera with one picture keeps it as a match for the others' queries.
    queries = [own[0] for own in by_camera.values() if len(own) > 1]
    return queries or images[:1]


def _camera(path: str, pattern: str | None) -> int | None:
    """The camera's number in a path."""
    if pattern is None:
        return None
    match = re.search(pattern, path)
    if match is None:
        raise ValueError(f"`camera_pattern` {pattern!r} does not match. Received: {path}")
    return int(match[1])
