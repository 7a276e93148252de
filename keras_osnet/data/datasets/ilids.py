"""QMUL iLIDS: people in an airport, cameras not recorded."""

import re
from pathlib import Path

from keras_osnet.data.datasets.layout import find_root, match_name
from keras_osnet.data.datasets.records import ReidDataset
from keras_osnet.data.datasets.shuffling import halves, shuffled
from keras_osnet.data.images import list_images
from keras_osnet.data.records import PersonImage

_NAME = re.compile(r"(\d{4})\d{3}\.")


def read_ilids(folder: Path, version: str, split: int) -> ReidDataset:
    """Read iLIDS; half of the people, chosen at random for each split, are to train on.

    Of everybody else, two pictures are drawn: one to look for, one to be found.
    """
    root = find_root(folder, "ilids", ("Persons",))
    images: dict[int, list[PersonImage]] = {}
    for path in list_images(root / "Persons"):
        identity = int(match_name(path, _NAME, "0001001.jpg")[1])
        images.setdefault(identity, []).append(PersonImage(path, identity, None))
    train, test = halves(sorted(images), f"ilids {split}")
    drawn = [shuffled(images[one], f"ilids {split} {one}") for one in sorted(test)]
    return ReidDataset(
        name="ilids",
        train=tuple(image for one in sorted(train) for image in images[one]),
        query=tuple(image for own in drawn for image in own[:1]),
        gallery=tuple(image for own in drawn for image in own[1:2]),
        unused=tuple(image for own in drawn for image in own[2:]),
        version=version,
    )
