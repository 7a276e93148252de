"""PRID 2011, single-shot: one picture a person and camera."""

import re
from dataclasses import replace
from pathlib import Path

from keras_osnet.data.datasets.layout import find_root, match_name
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.datasets.shuffling import halves
from keras_osnet.data.images import list_images
from keras_osnet.data.records import PersonImage

_NAME = re.compile(r"person_(\d+)\.")

_SHARED = 200
"""People 1 to 200 are seen by both cameras. From 201 on, the same number in the two folders is
two different people."""


def read_prid(folder: Path, version: str, split: int) -> ReidDataset:
    """Read PRID; half of the 200 shared people, chosen at random for each split, to train on.

    The others are looked for, from camera a, among all further people of camera b. Those whom
    only camera a saw are not used.
    """
    root = find_root(folder, "prid", ("single_shot/cam_a", "single_shot/cam_b"))
    camera_a = _read_images(root, "cam_a", 1)
    seen_by_a = [image for image in camera_a if image.identity <= _SHARED]
    seen_by_b = [
        replace(image, distractor=image.identity > _SHARED)
        for image in _read_images(root, "cam_b", 2)
    ]
    train, _ = halves(range(1, _SHARED + 1), f"prid {split}")
    return ReidDataset(
        name="prid",
        train=tuple(image for image in seen_by_a + seen_by_b if image.identity in train),
        query=tuple(image for image in seen_by_a if image.identity not in train),
        gallery=tuple(image for image in seen_by_b if image.identity not in train),
        unused=tuple(image for image in camera_a if image.identity > _SHARED),
        version=version,
    )


def _read_images(root: Path, name: str, camera: int) -> list[PersonImage]:
    return [
        PersonImage(path, int(match_name(path, _NAME, "person_0001.png")[1]), camera)
        for path in list_images(root / "single_shot" / name)
    ]
